"""From expressions to array programs: contraction order, alignment, scalar arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy

from unified.base.errors import bad_input
from unified.codegen.graph import Graph
from unified.codegen.windows import Windows
from unified.symbolic.axis import Axis
from unified.symbolic.nodes import Add, Delta, Einsum, Expr, Map, Unary, Var, Window, Zero
from unified.symbolic.scalar import X

Operand = tuple[int, tuple[int, ...]]  # a value and the label of each of its axes
DEFAULT_SIZE = 100
EXHAUSTIVE = 5  # operands up to which every contraction order is tried
INVARIANT = 0.1  # weight of work done once per phase against work done at every step
FUNCTIONS = {
    "tanh", "logistic", "softplus", "relu", "hard_sigmoid", "step", "erf", "sin", "cos", "exp",
    "log", "atan", "Abs", "sign", "sinh", "cosh",
}  # fmt: skip


class Lowering:
    """Lowers expressions into one shared graph.

    `varying` are the variables that change while a phase relaxes; what depends on none of them
    is computed first, so that it can be hoisted out of the loop.
    """

    def __init__(self, varying: frozenset[Var], sizes: Mapping[Axis, int]) -> None:
        self.graph = Graph()
        self.varying = varying
        self.sizes = sizes
        self._done: dict[Expr, Operand] = {}
        self._signed: dict[Expr, tuple[Operand, int]] = {}

    def __call__(self, x: Expr) -> Operand:
        """The value of x and, for each of its axes, which axis of x it is (rest broadcast)."""
        found = self._done.get(x)
        if found is None:
            found = self._done[x] = self._lower(x)
        return found

    def signed(self, x: Expr) -> tuple[Operand, int]:
        """The value of x up to a sign, which is left to whatever x is a part of.

        A sum of negative terms is computed as a positive one, so that signs meet and cancel.
        """
        if isinstance(x, Add | Einsum):
            found = self._signed.get(x)
            if found is None:
                found = self._sum(x) if isinstance(x, Add) else self._product(x)
                self._signed[x] = found
            return found
        return self(x), 1

    def full(self, x: Expr) -> int:
        """The value of x with every axis of x present (size one where it only broadcasts)."""
        value, present = self(x)
        return self.graph.aligned(value, present, tuple(range(x.ndim)))

    def _lower(self, x: Expr) -> Operand:
        g = self.graph
        every = tuple(range(x.ndim))
        if isinstance(x, Var):
            return g.put("input", (), x.name, x.axes, x in self.varying), every
        if isinstance(x, Zero):
            return g.const(sympy.Integer(0)), ()
        if isinstance(x, Delta):
            return g.put("eye", (), x.axes[0], x.axes), every
        if isinstance(x, Window):
            (value, _), = Windows(self, [(x, every)], every, dict(enumerate(x.axes))).applied([])
            return value, every
        if isinstance(x, Add | Einsum):
            (value, labels), sign = self.signed(x)
            return (g.negate(value) if sign < 0 else value), labels
        if isinstance(x, Map):
            value, present = self(x.arg)
            return self.scalar(x.fn.expr, value), present
        assert isinstance(x, Unary)
        arg = self.full(x.arg)
        if g[arg].axes != x.arg.axes:  # what is summed over must be there in full
            arg = g.put("broadcast", (arg,), x.arg.axes, x.arg.axes)
        op = type(x).__name__.lower()
        return g.put(op, (arg,), None, x.axes), every

    # --- scalars --------------------------------------------------------------------------
    def scalar(self, expr: sympy.Expr, x: int) -> int:
        """A SymPy scalar expression of the variable X applied to a value."""
        g = self.graph
        if expr == X:
            return x
        if expr.is_number:
            return g.const(expr)
        if isinstance(expr, sympy.DiracDelta):  # the slope of a jump is read as 0, as for `step`
            return g.const(sympy.Integer(0))
        if isinstance(expr, sympy.Add):
            terms = sorted(expr.args, key=lambda t: (t.could_extract_minus_sign(), str(t)))
            total = self.scalar(terms[0], x)
            for t in terms[1:]:
                if t.could_extract_minus_sign():
                    total = g.binary("sub", total, self.scalar(-t, x))
                else:
                    total = g.binary("add", total, self.scalar(t, x))
            return total
        if isinstance(expr, sympy.Mul):
            coef, rest = expr.as_coeff_Mul()
            factors = [self.scalar(f, x) for f in sympy.Mul.make_args(rest)]
            value = factors[0]
            for f in factors[1:]:
                value = g.binary("mul", value, f)
            if coef == -1:
                return g.negate(value)
            return value if coef == 1 else g.binary("mul", g.const(coef), value)
        if isinstance(expr, sympy.Pow):
            base = self.scalar(expr.base, x)
            if expr.exp == 2:
                return g.binary("mul", base, base)
            if expr.exp.is_number:
                return g.put("power", (base,), expr.exp, g[base].axes)
        if isinstance(expr, sympy.Function) and type(expr).__name__ in FUNCTIONS:
            return g.unary(type(expr).__name__, self.scalar(expr.args[0], x))
        if isinstance(expr, sympy.exp):
            return g.unary("exp", self.scalar(expr.args[0], x))
        raise bad_input(
            "function", f"one of {', '.join(sorted(FUNCTIONS))} and their arithmetic",
            str(expr), "an abstract function is for proofs; give a concrete one to run",
        )  # fmt: skip

    # --- sums -----------------------------------------------------------------------------
    def _sum(self, x: Add) -> tuple[Operand, int]:
        g = self.graph
        every = tuple(range(x.ndim))
        terms = sorted((self.signed(t) for t in x.terms), key=lambda p: -p[1])
        present = tuple(k for k in every if any(k in ls for (_, ls), _ in terms))
        values = [(s, g.aligned(v, ls, present)) for (v, ls), s in terms]
        first, total = values[0]
        for s, v in values[1:]:
            total = g.binary("add" if s == first else "sub", total, v)
        return (total, present), first

    # --- products -------------------------------------------------------------------------
    def size(self, labels: Iterable[int], axes: Mapping[int, Axis]) -> int:
        size = 1
        for k in labels:
            size *= self.sizes.get(axes[k], DEFAULT_SIZE)
        return size

    def _product(self, x: Einsum) -> tuple[Operand, int]:
        """An einsum as pairwise contractions; returns the operand and the sign left out."""
        axes = x.label_axes
        out = tuple(range(x.ndim))
        magnitude, sign = x.coef, 1
        if magnitude.could_extract_minus_sign():
            magnitude, sign = -magnitude, -1
        operands: list[Operand] = []
        diagonals: list[tuple[int, int]] = []
        windows: list[tuple[Window, tuple[int, ...]]] = []
        for f, ls in zip(x.factors, x.labels, strict=True):
            if isinstance(f, Delta):
                diagonals.append((ls[0], ls[1]))
                continue
            if isinstance(f, Window):
                windows.append((f, ls))
                continue
            (value, present), flip = self.signed(f)
            sign *= flip
            operands.append(self.repeats(value, tuple(ls[k] for k in present)))
        twins = {j for _, j in diagonals}
        keep = tuple(k for k in out if k not in twins)
        if magnitude != 1 and operands:
            self._scale(operands, magnitude, self.size(keep, axes), axes)
        elif magnitude != 1 or not windows + operands:
            operands.append((self._number(magnitude), ()))
        if windows:
            operands = Windows(self, windows, keep, axes).applied(operands)
        product = self.contract(operands, keep, axes)
        for i, j in diagonals:
            product = self._diagonal(product, i, j, axes)
        return product, sign

    def _number(self, number: sympy.Expr) -> int:
        """A coefficient, whose axis sizes are read off the arrays when the code runs."""
        g = self.graph
        if number.is_number:
            return g.const(number)
        by_name = {a.size: a for a in Axis._known.values()}
        if isinstance(number, sympy.Symbol):
            return g.put("dim", (), by_name[number], ())
        if isinstance(number, sympy.Pow) and number.exp.is_number:
            base = self._number(number.base)
            return g.put("power", (base,), number.exp, ())
        parts = [self._number(a) for a in number.args]
        op = "mul" if isinstance(number, sympy.Mul) else "add"
        value = parts[0]
        for p in parts[1:]:
            value = g.binary(op, value, p)
        return value

    def _scale(
        self, operands: list[Operand], number: sympy.Expr, result: int, axes: Mapping[int, Axis]
    ) -> None:
        """Multiply a coefficient into the smallest array, or leave it for a smaller result."""
        sizes = [self.size(ls, axes) for _, ls in operands]
        k = min(range(len(operands)), key=sizes.__getitem__)
        if result < sizes[k]:
            operands.append((self._number(number), ()))
        else:
            value, ls = operands[k]
            operands[k] = (self.graph.binary("mul", self._number(number), value), ls)

    def repeats(self, value: int, labels: tuple[int, ...]) -> Operand:
        """A factor with a repeated label is read on its diagonal."""
        g = self.graph
        while len(set(labels)) < len(labels):
            first = next(k for k, label in enumerate(labels) if labels.count(label) > 1)
            second = labels.index(labels[first], first + 1)
            rest = [k for k in range(len(labels)) if k not in (first, second)]
            moved = g.transpose(value, (*rest, first, second))
            value = g.put("diagonal", (moved,), None, g[moved].axes[:-1])
            labels = (*(labels[k] for k in rest), labels[first])
        return value, labels

    def contract(
        self, operands: list[Operand], out: tuple[int, ...], axes: Mapping[int, Axis]
    ) -> Operand:
        """Contract all operands in the planned order, then put the axes in output order."""
        g = self.graph
        while len(operands) > 1:
            i, j = self._plan(operands, out, axes)
            b, a = operands.pop(j), operands.pop(i)
            rest = {k for o in operands for k in o[1]}
            operands.append(self.pair(a, b, rest | set(out), () if operands else out))
        value, labels = operands[0]
        value, labels = g.total(value, labels, out)
        order = tuple(k for k in out if k in labels)
        return g.transpose(value, tuple(labels.index(k) for k in order)), order

    def _plan(
        self, operands: list[Operand], out: tuple[int, ...], axes: Mapping[int, Axis]
    ) -> tuple[int, int]:
        """The next pair: best complete order for a few operands, greedy for many."""
        if len(operands) == 2:
            return 0, 1
        shapes = [(frozenset(ls), self.graph[v].varies) for v, ls in operands]
        depth = len(shapes) - 1 if len(shapes) <= EXHAUSTIVE else 1
        return self._best(shapes, frozenset(out), axes, depth)[1]

    def _best(
        self, shapes: list[tuple[frozenset[int], bool]], out: frozenset[int],
        axes: Mapping[int, Axis], depth: int,
    ) -> tuple[float, tuple[int, int]]:  # fmt: skip
        """Least total cost of contracting `depth` pairs, and the first of them."""
        best: tuple[float, tuple[int, int]] = (float("inf"), (0, 1))
        for i in range(len(shapes)):
            for j in range(i + 1, len(shapes)):
                rest = [s for k, s in enumerate(shapes) if k not in (i, j)]
                union = shapes[i][0] | shapes[j][0]
                kept = union & out.union(*(s[0] for s in rest))
                varies = shapes[i][1] or shapes[j][1]
                cost = self.size(union, axes) + 2.0 * self.size(kept, axes)
                if not varies:
                    cost *= INVARIANT
                if cost < best[0] and depth > 1:
                    cost += self._best([*rest, (kept, varies)], out, axes, depth - 1)[0]
                if cost < best[0]:
                    best = (cost, (i, j))
        return best

    def pair(self, a: Operand, b: Operand, kept: set[int], out: tuple[int, ...]) -> Operand:
        """The contraction of two operands, keeping the labels in `kept`."""
        g = self.graph
        (x, lx), (y, ly) = a, b
        x, lx = g.total(x, lx, tuple(k for k in lx if k in kept or k in ly))
        y, ly = g.total(y, ly, tuple(k for k in ly if k in kept or k in lx))
        long, short = (lx, ly) if len(lx) >= len(ly) else (ly, lx)
        union = dict.fromkeys(k for k in (*out, *long, *short) if k in lx or k in ly)
        target = tuple(k for k in union if k in kept)
        if len(target) == len(union):
            value = g.binary("mul", g.aligned(x, lx, target), g.aligned(y, ly, target))
            return value, target
        return g.dot(x, lx, y, ly, target), target

    def _diagonal(self, value: Operand, i: int, j: int, axes: Mapping[int, Axis]) -> Operand:
        """Put axis i of a value on the diagonal of (i, j); a constant diagonal is an eye."""
        g = self.graph
        x, labels = value
        eye = g.put("eye", (), axes[i], (axes[i], axes[i]))
        target = tuple(sorted({*labels, i, j}))
        return g.binary("mul", g.aligned(x, labels, target), g.aligned(eye, (i, j), target)), target
