"""Making expressions: variables, sums, products, functions, inverses; axes always checked."""

from __future__ import annotations

import numbers
from collections import defaultdict
from fractions import Fraction
from typing import Any

import sympy

from unified.base.errors import AxisError, bad_input
from unified.base.names import check_identifier
from unified.symbolic.axis import Axis, Index, indices
from unified.symbolic.contract import ONE, contract
from unified.symbolic.nodes import (
    Add,
    Delta,
    Einsum,
    Expr,
    Inv,
    LogDet,
    LogSumExp,
    Map,
    Softmax,
    Var,
    Zero,
)  # fmt: skip
from unified.symbolic.scalar import ScalarFn, X, scalar_fn

__all__ = [
    "add", "as_expr", "constant", "contract", "einsum", "elementwise", "eye", "inv", "logdet",
    "logsumexp", "matmul", "multiply", "ones", "outer", "power", "scalar", "scale", "softmax",
    "total", "transpose", "var", "zeros",
]  # fmt: skip


def var(name: str, *axs: Axis, symmetric: bool = False) -> Var:
    """Declare an array variable over typed axes.

    Equation: `W = var("W", n, m)` has entries W_ij, i < n, j < m; no axes make a scalar.
    Raises: InputError for an unsafe name, AxisError if `symmetric` is asked of a non-square one.
    Reference: design of typed tensors in Laue et al. (2018).
    """
    check_identifier(name, "variable")
    for a in axs:
        if not isinstance(a, Axis):
            raise bad_input("axes", "Axis objects", repr(a), 'declare them: n, m = un.axes("n m")')
    if symmetric and (len(axs) != 2 or axs[0] is not axs[1]):
        got = ", ".join(a.name for a in axs)
        raise AxisError(
            f"{name}: expected two equal axes for symmetric=True, got ({got}); "
            "give it one axis twice."
        )
    return Var.make(name, tuple(axs), symmetric)


def scalar(name: str) -> Var:
    """Declare a runtime scalar (beta, a temperature, a precision): a variable without axes."""
    return var(name)


def as_expr(value: Any) -> Expr:
    """Read a number, a SymPy number or symbol, or an expression as an expression."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, sympy.Symbol):
        return var(value.name)
    if isinstance(value, sympy.Expr) and value.is_number and not value.has(sympy.Float):
        if value.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan):
            raise bad_input("coefficient", "a finite number", str(value), "use a finite one")
        return constant(value)
    if isinstance(value, numbers.Real | sympy.Float):
        return constant(_exact(value))
    raise bad_input(
        "operand", "an array expression, an exact number or a SymPy symbol",
        type(value).__name__, "declare arrays with un.var(...)",
    )  # fmt: skip


def _exact(value: Any) -> sympy.Expr:
    """The shortest decimal that reads back as this float, as an exact rational."""
    if isinstance(value, numbers.Rational):
        return sympy.Rational(value.numerator, value.denominator)
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        raise bad_input("coefficient", "a finite number", repr(value), "check where it comes from")
    exact = Fraction(repr(number))
    return sympy.Rational(exact.numerator, exact.denominator)


def constant(value: sympy.Expr | int) -> Expr:
    """A constant scalar expression."""
    return contract(value, [], ())


def zeros(*axs: Axis) -> Expr:
    """A structural zero."""
    return Zero.make(axs)


def ones(*axs: Axis) -> Expr:
    """An array of ones; it broadcasts when evaluated."""
    return contract(1, [], indices(axs))


def eye(axis: Axis) -> Expr:
    """The identity matrix of an axis."""
    return Delta.make(axis)


def scale(coef: Any, x: Expr) -> Expr:
    """coef · x for an exact number."""
    ix = indices(x.axes)
    return contract(sympy.Integer(coef) if isinstance(coef, int) else coef, [(x, ix)], ix)


def _names(x: Expr) -> str:
    return "(" + ", ".join(a.name for a in x.axes) + ")"


def _broadcast(x: Expr, axs: tuple[Axis, ...]) -> Expr:
    return x if x.axes == axs else contract(1, [(x, ())], indices(axs))


def add(*terms: Expr, flatten: bool = True) -> Expr:
    """The sum of arrays of equal axes (scalars broadcast); like terms are collected."""
    axs = max((t.axes for t in terms), key=len)
    coefs: dict[Expr, sympy.Expr] = defaultdict(lambda: sympy.Integer(0))
    for term in terms:
        if term.axes not in (axs, ()):
            first = next(t for t in terms if t.axes == axs)
            raise AxisError(
                f"sum: expected axes {_names(first)} for every term, got {_names(term)}; "
                "transpose a term or declare both over the same axes."
            )
        whole = _broadcast(term, axs)
        for t in whole.terms if flatten and isinstance(whole, Add) else (whole,):
            if isinstance(t, Zero):
                continue
            if isinstance(t, Einsum) and t.coef is not ONE:
                coefs[_core(t)] += t.coef
            else:
                coefs[t] += 1
    found = [t if c is ONE else scale(c, t) for t, c in coefs.items() if c != 0]
    if not found:
        return Zero.make(axs)
    if len(found) == 1:
        return found[0]
    return Add.make(axs, tuple(sorted(found, key=lambda t: t.digest)))


def _core(t: Einsum) -> Expr:
    if len(t.factors) == 1 and t.labels[0] == tuple(range(t.ndim)):
        return t.factors[0]
    return Einsum.make(t.axes, ONE, t.factors, t.labels)


def multiply(x: Expr, y: Expr) -> Expr:
    """The elementwise product; a scalar multiplies any array."""
    if x.axes and y.axes and x.axes != y.axes:
        raise AxisError(
            f"product: expected equal axes or a scalar, got {_names(x)} and {_names(y)}; "
            "use @ to contract, un.outer or un.einsum for other products."
        )
    ix = indices(x.axes or y.axes)
    return contract(1, [(x, ix if x.axes else ()), (y, ix if y.axes else ())], ix)


def matmul(x: Expr, y: Expr) -> Expr:
    """NumPy's `@` for vectors and matrices: the last axis of x with the first of y."""
    if not (1 <= x.ndim <= 2 and 1 <= y.ndim <= 2):
        raise AxisError(
            f"@: expected vectors or matrices, got axes {_names(x)} and {_names(y)}; "
            "use * with scalars and un.einsum with larger arrays."
        )
    if x.axes[-1] is not y.axes[0]:
        raise AxisError(
            f"@: expected equal inner axes, got '{x.axes[-1].name}' of {_names(x)} and "
            f"'{y.axes[0].name}' of {_names(y)}; transpose one with .T or swap them."
        )
    ix, iy = indices(x.axes), indices(y.axes)
    iy = (ix[-1], *iy[1:])
    return contract(1, [(x, ix), (y, iy)], ix[:-1] + iy[1:])


def outer(x: Expr, y: Expr) -> Expr:
    """All products x_i y_j, with the axes of x then those of y."""
    ix, iy = indices(x.axes), indices(y.axes)
    return contract(1, [(x, ix), (y, iy)], ix + iy)


def transpose(x: Expr) -> Expr:
    """The axes in reverse order."""
    ix = indices(x.axes)
    return contract(1, [(x, ix)], ix[::-1])


def total(x: Expr) -> Expr:
    """The sum over all entries."""
    return contract(1, [(x, indices(x.axes))], ())


def einsum(spec: str, *operands: Any) -> Expr:
    """A contraction in NumPy's einsum notation, output explicit: `einsum("ij,j->i", W, s)`.

    Raises: InputError for a malformed spec, AxisError if a letter meets two different axes.
    Reference: `numpy.einsum`.
    """
    left, arrow, right = spec.replace(" ", "").partition("->")
    words = left.split(",")
    if not arrow or len(words) != len(operands):
        raise bad_input("spec", f"'..,..->..' with {len(operands)} inputs", repr(spec), "fix it")
    letters: dict[str, Index] = {}
    parts = []
    for word, operand in zip(words, operands, strict=True):
        x = as_expr(operand)
        if len(word) != x.ndim or not all(c.isalpha() for c in word):
            raise bad_input("spec", f"{x.ndim} letters for axes {_names(x)}", repr(word), "fix it")
        ix = tuple(letters.setdefault(c, Index(a)) for c, a in zip(word, x.axes, strict=True))
        parts.append((x, ix))
    if any(c not in letters for c in right):
        raise bad_input("spec", "output letters that occur in an input", repr(right), "fix it")
    return contract(1, parts, tuple(letters[c] for c in right))


def power(x: Expr, exponent: Any) -> Expr:
    """The elementwise power; small whole powers stay products."""
    p = as_expr(exponent)
    if isinstance(p, Zero) and not p.axes:
        return ones(*x.axes)
    if not (isinstance(p, Einsum) and not p.factors):
        raise bad_input("exponent", "an exact number", repr(exponent), "use un.fn for others")
    if p.coef in (2, 3, 4):
        found = x
        for _ in range(int(p.coef) - 1):
            found = multiply(found, x)
        return found
    return elementwise(ScalarFn(X**p.coef), x)


def elementwise(law: ScalarFn, x: Expr) -> Expr:
    """law(x) entry by entry; affine laws and constants are resolved."""
    ix = indices(x.axes)
    slope = law.diff().expr
    # a slope of 0 is not enough: that of a step is 0 almost everywhere
    if slope.is_number and not sympy.expand(law.expr - slope * X).has(X):
        start = contract(law.expr.subs(X, 0), [], ix)
        return add(start, contract(slope, [(x, ix)], ix))
    if isinstance(x, Zero) or (isinstance(x, Einsum) and not x.factors):
        at = sympy.Integer(0) if isinstance(x, Zero) else x.coef
        value = law.expr.subs(X, at)
        if value.has(sympy.zoo, sympy.nan, sympy.oo):
            raise bad_input(
                "argument", f"a constant where {law.expr} is finite", str(at), "change the constant"
            )
        return contract(value, [], ix)
    return Map.make(law, x)


def _square(x: Expr, what: str) -> None:
    if x.ndim < 2 or x.axes[-1] is not x.axes[-2]:
        raise AxisError(
            f"{what}: expected a square matrix (its two axes equal), got {_names(x)}; "
            "declare both slots over the same axis."
        )


def inv(x: Expr) -> Expr:
    """The matrix inverse.

    Equation: x⁻¹ x = 1. Shapes: square in, square out. Raises: AxisError if not square.
    """
    _square(x, "inv")
    if isinstance(x, Delta):
        return x
    if isinstance(x, Inv):
        return x.arg
    return Inv.make(x)


def logdet(x: Expr) -> Expr:
    """log |det x| of a square matrix, a scalar. Raises: AxisError if not square."""
    _square(x, "logdet")
    if isinstance(x, Delta):
        return Zero.make(())
    return LogDet.make(x)


def _vector(x: Expr, what: str) -> None:
    if x.ndim < 1:
        raise AxisError(f"{what}: expected an array with an axis, got a scalar; give it a vector.")


def logsumexp(x: Expr) -> Expr:
    """log Σ_i exp x_i over the last axis, stabilised. Raises: AxisError for a scalar."""
    _vector(x, "logsumexp")
    return LogSumExp.make(x)


def softmax(x: Expr) -> Expr:
    """exp(x_i)/Σ_j exp(x_j) over the last axis, stabilised. Raises: AxisError for a scalar."""
    _vector(x, "softmax")
    return Softmax.make(x)


def exp(x: Any) -> Expr:
    """Elementwise exponential."""
    return elementwise(scalar_fn("exp"), as_expr(x))


def log(x: Any) -> Expr:
    """Elementwise natural logarithm."""
    return elementwise(scalar_fn("log"), as_expr(x))


def tanh(x: Any) -> Expr:
    """Elementwise hyperbolic tangent."""
    return elementwise(scalar_fn("tanh"), as_expr(x))
