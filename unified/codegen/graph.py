"""The array program: value-numbered operations on arrays with named axes.

A `Graph` holds every operation once (common subexpressions coincide by construction).  The
operations are few: any printer that can spell them is a backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unified.symbolic.axis import Axis

# op            args        attr                      meaning
# input         -           name                      a variable
# const         -           sympy number              a scalar constant
# dim           -           Axis                      the size of an axis
# unary         (x,)        function name             elementwise
# power         (x,)        sympy number              elementwise
# mul, add, sub (x, y)      -                         broadcast as NumPy does
# neg           (x,)        -
# transpose     (x,)        permutation
# expand        (x,)        tuple: None = new axis    x[:, None, ...]
# sum           (x,)        axes (negative)           reduce
# dot           (x, y)      einsum spec               contraction of two
# eye           -           Axis
# window        -           sizes, stride, padding    the 0/1 array (output, kernel, input)
# im2col        (x,)        axes, size, stride, ...   patches along an axis, kernel axis new
# col2im          (x,)        axes, sizes, stride, ...  patches summed back: its adjoint
# diagonal      (x,)        -                         the diagonal of the last two axes
# inv, logdet, logsumexp, softmax  (x,)               over the last axis or axes
# broadcast     (x,)        axes                      explicit shape, outputs only


@dataclass(frozen=True)
class Value:
    """One operation: its arguments by number, the axes of its result (None = size one)."""

    op: str
    args: tuple[int, ...]
    attr: Any
    axes: tuple[Axis | None, ...]
    varies: bool

    @property
    def is_view(self) -> bool:
        """True for operations that only re-index, or cost next to nothing."""
        return self.op in ("input", "const", "dim", "transpose", "expand", "eye", "window")


class Graph:
    """A growing list of values without repetitions."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._table: dict[tuple, int] = {}

    def __getitem__(self, number: int) -> Value:
        return self.values[number]

    def put(
        self,
        op: str,
        args: tuple[int, ...],
        attr: Any,
        axes: tuple[Axis | None, ...],
        varies: bool | None = None,
    ) -> int:
        """The number of this operation, added if it is new."""
        key = (op, args, attr)
        found = self._table.get(key)
        if found is None:
            if varies is None:
                varies = any(self.values[a].varies for a in args)
            found = len(self.values)
            self.values.append(Value(op, args, attr, axes, varies))
            self._table[key] = found
        return found

    # --- elementwise ------------------------------------------------------------------------
    def unary(self, name: str, x: int) -> int:
        return self.put("unary", (x,), name, self[x].axes)

    def const(self, number: Any) -> int:
        return self.put("const", (), number, ())

    def binary(self, op: str, x: int, y: int) -> int:
        """add, sub or mul of two values already aligned from the right."""
        if op in ("add", "mul") and self._order(y) < self._order(x):
            x, y = y, x
        a, b = self[x].axes, self[y].axes
        n = max(len(a), len(b))
        a, b = (None,) * (n - len(a)) + a, (None,) * (n - len(b)) + b
        return self.put(op, (x, y), None, tuple(p or q for p, q in zip(a, b, strict=True)))

    def _order(self, x: int) -> tuple:
        return (self[x].op != "const", x)

    def negate(self, x: int) -> int:
        v = self[x]
        return v.args[0] if v.op == "neg" else self.put("neg", (x,), None, v.axes)

    # --- re-indexing ------------------------------------------------------------------------
    def transpose(self, x: int, perm: tuple[int, ...]) -> int:
        if perm == tuple(range(len(perm))):
            return x
        axs = self[x].axes
        return self.put("transpose", (x,), perm, tuple(axs[p] for p in perm))

    def aligned(self, x: int, labels: tuple, target: tuple) -> int:
        """x, whose axes are called `labels`, permuted and expanded to broadcast to `target`."""
        order = tuple(label for label in target if label in labels)
        x = self.transpose(x, tuple(labels.index(label) for label in order))
        if not order:
            return x
        tail = target[target.index(order[0]) :]
        if tail == order:
            return x
        pattern = tuple(None if label not in order else 0 for label in tail)
        axs = iter(self[x].axes)
        return self.put(
            "expand", (x,), pattern, tuple(next(axs) if p == 0 else None for p in pattern)
        )  # fmt: skip

    def total(self, x: int, labels: tuple, keep: tuple) -> tuple[int, tuple]:
        """x summed over the labels that are not kept."""
        gone = tuple(k - len(labels) for k, label in enumerate(labels) if label not in keep)
        if not gone:
            return x, labels
        left = tuple(label for label in labels if label in keep)
        axs = tuple(a for a, label in zip(self[x].axes, labels, strict=True) if label in keep)
        return self.put("sum", (x,), gone, axs), left

    def dot(self, x: int, lx: tuple, y: int, ly: tuple, out: tuple) -> int:
        """Σ over the labels of x and y that are not in `out`."""
        if (lx, x) > (ly, y) and len(lx) <= len(ly):
            x, lx, y, ly = y, ly, x, lx
        letters: dict[Any, str] = {}
        for label in (*lx, *ly):
            letters.setdefault(label, "abcdefghijklmnopqrstuvwxyz"[len(letters)])
        axes = dict(zip((*lx, *ly), (*self[x].axes, *self[y].axes), strict=True))
        spec = "{},{}->{}".format(*("".join(letters[k] for k in ls) for ls in (lx, ly, out)))
        return self.put("dot", (x, y), spec, tuple(axes[k] for k in out))
