"""The expression nodes: immutable, hash-consed, each with typed axes.

Equal expressions are the same object, so shared subexpressions are found for free and `is`
is structural equality up to the commutations the constructors normalise.  Use the functions in
`build` to make nodes: they simplify, check axes and keep the invariants stated here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import sympy

from unified.symbolic.axis import Axis
from unified.symbolic.operators import Operators
from unified.symbolic.scalar import ScalarFn


class Expr(Operators):
    """An array expression: `.axes` are its typed axes, `.free` the variables inside it."""

    __slots__ = ("__weakref__", "axes", "digest", "free")
    _known: ClassVar[WeakValueDictionary[bytes, Expr]] = WeakValueDictionary()

    axes: tuple[Axis, ...]
    digest: bytes
    free: frozenset[Var]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.axes)

    @property
    def children(self) -> tuple[Expr, ...]:
        """The sub-expressions this node is made of."""
        return ()

    def __hash__(self) -> int:
        return int.from_bytes(self.digest[:8], "little")

    def __eq__(self, other: object) -> bool:
        return self is other

    def __setattr__(self, key: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __repr__(self) -> str:
        from unified.symbolic.text import text

        return text(self)

    def _repr_latex_(self) -> str:
        from unified.symbolic.latex import latex

        return f"$\\displaystyle {latex(self)}$"


def _intern(cls: type, axes: tuple[Axis, ...], content: str, **fields: Any) -> Any:
    """The one node of this class and content; made only if it does not exist yet.

    The digest is structural and the same in every process: sorting by it makes generated code
    and cache keys reproducible.
    """
    label = f"{cls.__name__}|{','.join(a.name for a in axes)}|{content}"
    digest = hashlib.blake2b(label.encode(), digest_size=16).digest()
    found = Expr._known.get(digest)
    if found is not None:
        return found
    node: Any = object.__new__(cls)
    put = object.__setattr__
    put(node, "axes", axes)
    put(node, "digest", digest)
    for name, value in fields.items():
        put(node, name, value)
    if cls is Var:
        put(node, "free", frozenset((node,)))
    else:
        kids = node.children
        if len(kids) == 1:
            put(node, "free", kids[0].free)
        else:
            put(node, "free", frozenset().union(*(k.free for k in kids)))
    Expr._known[digest] = node
    return node


class Var(Expr):
    """A named array; `symmetric` means its two (equal) slots may be exchanged."""

    __slots__ = ("name", "symmetric")
    name: str
    symmetric: bool

    @staticmethod
    def make(name: str, axes: tuple[Axis, ...], symmetric: bool = False) -> Var:
        return _intern(Var, axes, f"{name}|{symmetric}", name=name, symmetric=symmetric)


class Zero(Expr):
    """An array of zeros: a structural zero, never computed with."""

    __slots__ = ()

    @staticmethod
    def make(axes: tuple[Axis, ...]) -> Zero:
        return _intern(Zero, axes, "")


class Delta(Expr):
    """The identity matrix of an axis, used only as a factor of an Einsum or alone."""

    __slots__ = ()

    @staticmethod
    def make(axis: Axis) -> Delta:
        return _intern(Delta, (axis, axis), "")


class Window(Expr):
    """Which input a kernel entry meets at an output: P[h, i, u] = 1 iff u = h·stride + i − padding.

    Axes: output, kernel, input. A convolution is a product with one of these per direction, so
    its derivatives need no rule of their own. `width` is the size of the kernel axis if it is
    fixed (pooling); else kernels say it.
    """

    __slots__ = ("padding", "stride", "width")
    stride: int
    padding: int
    width: int | None

    @staticmethod
    def make(
        axes: tuple[Axis, Axis, Axis], stride: int, padding: int, width: int | None = None
    ) -> Window:
        return _intern(
            Window, axes, f"{stride}|{padding}|{width}",
            stride=stride, padding=padding, width=width,
        )  # fmt: skip

    def met(self, h: int, i: int) -> int:
        """The input position that kernel entry i meets at output h; outside it is padding."""
        return h * self.stride + i - self.padding


class Einsum(Expr):
    """coef · Σ over the labels that are not in the output of the product of the factors.

    Labels are integers: 0..ndim-1 are the output slots in order, larger ones are summed.  An
    output label carried by no factor broadcasts; with no factors at all the node is a constant
    array.  Factors are never Einsum, Zero or (unless it links two outputs) Delta.
    """

    __slots__ = ("coef", "factors", "labels")
    coef: sympy.Expr
    factors: tuple[Expr, ...]
    labels: tuple[tuple[int, ...], ...]

    @staticmethod
    def make(
        axes: tuple[Axis, ...],
        coef: sympy.Expr,
        factors: tuple[Expr, ...],
        labels: tuple[tuple[int, ...], ...],
    ) -> Einsum:
        parts = ";".join(f"{f.digest.hex()}{ls}" for f, ls in zip(factors, labels, strict=True))
        key = str(coef) if coef.is_Rational else sympy.srepr(coef)
        return _intern(
            Einsum, axes, f"{key}|{parts}", coef=coef, factors=factors, labels=labels
        )  # fmt: skip

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.factors

    @property
    def label_axes(self) -> dict[int, Axis]:
        """The axis each label runs over."""
        found = dict(enumerate(self.axes))
        for f, ls in zip(self.factors, self.labels, strict=True):
            found.update(zip(ls, f.axes, strict=True))
        return found


class Add(Expr):
    """A sum of at least two terms of identical axes; kept unexpanded inside products."""

    __slots__ = ("terms",)
    terms: tuple[Expr, ...]

    @staticmethod
    def make(axes: tuple[Axis, ...], terms: tuple[Expr, ...]) -> Add:
        return _intern(Add, axes, ";".join(t.digest.hex() for t in terms), terms=terms)

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.terms


class Unary(Expr):
    """A node with one argument."""

    __slots__ = ("arg",)
    arg: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.arg,)


class Map(Unary):
    """An elementwise function of an array."""

    __slots__ = ("fn",)
    fn: ScalarFn

    @staticmethod
    def make(fn: ScalarFn, arg: Expr) -> Map:
        return _intern(Map, arg.axes, f"{fn.key}|{arg.digest.hex()}", fn=fn, arg=arg)


def _unary(cls: type, arg: Expr, axes: tuple[Axis, ...]) -> Any:
    return _intern(cls, axes, arg.digest.hex(), arg=arg)


class Inv(Unary):
    """The inverse over the last two axes (which are equal)."""

    __slots__ = ()

    @staticmethod
    def make(arg: Expr) -> Inv:
        return _unary(Inv, arg, arg.axes)


class LogDet(Unary):
    """log |det| over the last two axes (which are equal)."""

    __slots__ = ()

    @staticmethod
    def make(arg: Expr) -> LogDet:
        return _unary(LogDet, arg, arg.axes[:-2])


class LogSumExp(Unary):
    """log Σ exp over the last axis, stabilised when evaluated."""

    __slots__ = ()

    @staticmethod
    def make(arg: Expr) -> LogSumExp:
        return _unary(LogSumExp, arg, arg.axes[:-1])


class Softmax(Unary):
    """exp normalised over the last axis, stabilised when evaluated."""

    __slots__ = ()

    @staticmethod
    def make(arg: Expr) -> Softmax:
        return _unary(Softmax, arg, arg.axes)


def walk(*roots: Expr) -> Iterator[Expr]:
    """Every node below the roots once, children before parents."""
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(r, False) for r in reversed(roots)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((c, False) for c in reversed(node.children) if c not in seen)


def written_size(*roots: Expr) -> int:
    """The number of nodes a printer would write, shared ones counted every time."""
    size: dict[Expr, int] = {}
    for node in walk(*roots):
        size[node] = 1 + sum(size[c] for c in node.children)
    return sum(size[r] for r in roots)
