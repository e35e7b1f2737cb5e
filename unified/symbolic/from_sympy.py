"""Reading SymPy matrix expressions through a whitelist; nothing is evaluated from text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy
from sympy.matrices.expressions.matexpr import MatrixElement

from unified.base.errors import InputError, bad_input
from unified.base.names import check_identifier
from unified.symbolic.axis import Axis, Index, indices
from unified.symbolic.build import add, as_expr, elementwise, eye, inv, logdet, multiply, var
from unified.symbolic.contract import contract
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.scalar import ScalarFn as Law
from unified.symbolic.scalar import X, scalar_fn

Shape = tuple[Axis | None, Axis | None]  # None: a dimension of 1, dropped


@dataclass(frozen=True)
class Reading:
    """What a SymPy expression became: the expression, its variables by name, known axis sizes."""

    expr: Expr
    variables: Mapping[str, Var]
    sizes: Mapping[Axis, int]


def read_matrix_expr(expr: Any, *, symmetric: Iterable[Any] = ()) -> Reading:
    """Read a SymPy scalar or MatrixExpr as an array expression.

    Equation: the same, with (n, 1) and (1, n) matrices read as vectors over n.
    Shapes: a dimension that is a symbol becomes the axis of that name, a number k the axis dim{k}.
    `symmetric` lists MatrixSymbols (or names) that equal their transpose.
    Raises: InputError naming the first kind of node that is not on the whitelist.
    Reference: SymPy's matrix expressions module.
    """
    if not isinstance(expr, sympy.Basic):
        raise bad_input("expr", "a SymPy expression", repr(expr), "text is never read; build it")
    reader = _Reader(frozenset(getattr(s, "name", s) for s in symmetric))
    if isinstance(expr, sympy.MatrixExpr):
        found, _ = reader.matrix(expr)
    else:
        found = reader.scalar(expr)
    return Reading(found, reader.variables, reader.sizes)


def _refuse(e: Any) -> InputError:
    kind = type(e).__name__
    if isinstance(e, sympy.Sum):
        return InputError(
            "from_sympy: expected a matrix expression, got the Sum that SymPy makes of [0, 0]; "
            "pass the 1×1 matrix itself or its Trace."
        )
    return InputError(
        f"from_sympy: expected MatMul, MatAdd, Transpose, Trace, HadamardProduct, elementwise "
        f"functions, Inverse, Determinant, log det, MatrixSymbol and scalars, got {kind}; rewrite "
        "that part with un.var expressions."
    )


class _Reader:
    def __init__(self, symmetric: frozenset[str]) -> None:
        self.symmetric = symmetric
        self.variables: dict[str, Var] = {}
        self.sizes: dict[Axis, int] = {}

    # --- names ------------------------------------------------------------------------------
    def axis(self, size: sympy.Expr) -> Axis | None:
        if size == 1:
            return None
        if size.is_Integer and size > 0:
            found = Axis(f"dim{int(size)}")
            self.sizes[found] = int(size)
            return found
        if isinstance(size, sympy.Symbol):
            return Axis(check_identifier(size.name, "axis"))
        raise bad_input("dimension", "a positive integer or a symbol", str(size), "name it")

    def shape(self, e: Any) -> Shape:
        return self.axis(e.shape[0]), self.axis(e.shape[1])

    def variable(self, name: str, axs: tuple[Axis, ...]) -> Var:
        found = var(name, *axs, symmetric=name in self.symmetric)
        if self.variables.setdefault(name, found) is not found:
            raise bad_input("expr", "one shape per name", f"two for '{name}'", "rename one")
        return found

    # --- matrices ---------------------------------------------------------------------------
    def matrix(self, e: Any) -> tuple[Expr, Shape]:
        """The expression with dimensions of 1 dropped, and its two dimensions."""
        handler = _MATRIX.get(type(e).__name__)
        if handler is None:
            raise _refuse(e)
        return handler(self, e), self.shape(e)

    def full(self, e: Any) -> tuple[Expr, tuple[Index | None, Index | None], list[Index]]:
        x, (r, c) = self.matrix(e)
        i, j = (None if a is None else Index(a) for a in (r, c))
        return x, (i, j), [k for k in (i, j) if k is not None]

    def symbol(self, e: Any) -> Expr:
        return self.variable(str(e.name), tuple(a for a in self.shape(e) if a is not None))

    def identity(self, e: Any) -> Expr:
        axis = self.shape(e)[0]
        return as_expr(1) if axis is None else eye(axis)

    def constant(self, value: int) -> Callable[[Any], Expr]:
        return lambda e: contract(value, [], indices(tuple(a for a in self.shape(e) if a)))

    def product(self, e: Any) -> Expr:
        factor = as_expr(1)
        parts: list[tuple[Expr, tuple[Index, ...]]] = []
        first: Index | None = None
        last: Index | None = None
        started = False
        for a in e.args:
            if not getattr(a, "is_Matrix", False):
                factor = multiply(factor, self.scalar(a))
                continue
            x, (r, c) = self.matrix(a)
            if started and last is not None and r is not last.axis:
                raise bad_input("product", f"inner axis {last.axis}", repr(r), "transpose a factor")
            i = (None if r is None else Index(r)) if not started else last
            j = None if c is None else Index(c)
            if not started:
                first, started = i, True
            parts.append((x, tuple(k for k in (i, j) if k is not None)))
            last = j
        out = tuple(k for k in (first, last) if k is not None)
        return contract(1, [(factor, ()), *parts], out)

    def sum(self, e: Any) -> Expr:
        return add(*(self.matrix(a)[0] for a in e.args), flatten=False)

    def transpose(self, e: Any) -> Expr:
        x, _, ix = self.full(e.args[0])
        return contract(1, [(x, tuple(ix))], tuple(reversed(ix)))

    def inverse(self, e: Any) -> Expr:
        x, shape = self.matrix(e.args[0])
        return x ** -1 if shape == (None, None) else inv(x)

    def power(self, e: Any) -> Expr:
        base, exponent = e.args
        if not (exponent.is_Integer and abs(exponent) <= 8):
            remedy = "write it out"
            raise bad_input("matrix power", "a whole exponent up to 8", str(exponent), remedy)
        x, (axis, _) = self.matrix(base)
        if axis is None:
            return x**exponent
        one = inv(x) if exponent < 0 else x
        found = eye(axis)
        for _ in range(abs(int(exponent))):
            found = found @ one
        return found

    def hadamard(self, e: Any) -> Expr:
        found = as_expr(1)
        for a in e.args:
            found = multiply(found, self.matrix(a)[0])
        return found

    def apply(self, e: Any) -> Expr:
        return elementwise(scalar_fn(e.function), self.matrix(e.expr)[0])

    # --- scalars ----------------------------------------------------------------------------
    def scalar(self, e: Any) -> Expr:
        if isinstance(e, sympy.Symbol):
            return self.variable(e.name, ())
        if isinstance(e, sympy.Expr) and e.is_number:
            return as_expr(e)
        if isinstance(e, sympy.Add):
            return add(*(self.scalar(a) for a in e.args), flatten=False)
        if isinstance(e, sympy.Mul):
            found = as_expr(1)
            for a in e.args:
                found = multiply(found, self.scalar(a))
            return found
        if isinstance(e, sympy.Pow) and e.exp.is_Rational:
            return self.scalar(e.base) ** e.exp
        if isinstance(e, sympy.Trace):
            x, (i, j), _ = self.full(e.arg)
            return x if i is None or j is None else contract(1, [(x, (i, i))], ())
        if isinstance(e, sympy.Determinant):
            x, (axis, _) = self.matrix(e.arg)
            return x if axis is None else elementwise(scalar_fn("exp"), logdet(x))
        if isinstance(e, sympy.log) and isinstance(e.args[0], sympy.Determinant):
            x, (axis, _) = self.matrix(e.args[0].arg)
            return elementwise(scalar_fn("log"), x) if axis is None else logdet(x)
        if isinstance(e, MatrixElement):
            x, shape = self.matrix(e.parent)
            if shape != (None, None):
                raise InputError(
                    f"from_sympy: expected entries of 1×1 matrices only, got {e}; write the sum "
                    "with Trace, MatMul or un.einsum."
                )
            return x
        if isinstance(e, sympy.Function) and len(e.args) == 1:
            return elementwise(Law(e.func(X)), self.scalar(e.args[0]))
        raise _refuse(e)


_MATRIX: dict[str, Callable[[_Reader, Any], Expr]] = {
    "MatrixSymbol": _Reader.symbol, "Identity": _Reader.identity, "MatMul": _Reader.product,
    "ZeroMatrix": lambda r, e: r.constant(0)(e), "OneMatrix": lambda r, e: r.constant(1)(e),
    "MatAdd": _Reader.sum, "Transpose": _Reader.transpose, "Inverse": _Reader.inverse,
    "MatPow": _Reader.power, "HadamardProduct": _Reader.hadamard,
    "ElementwiseApplyFunction": _Reader.apply,
}  # fmt: skip
