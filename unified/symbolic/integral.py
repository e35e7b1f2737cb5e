"""Antiderivatives of elementwise functions: found by SymPy, checked, and stable at large x."""

from __future__ import annotations

from functools import cache

import sympy

from unified.base.errors import bad_input
from unified.symbolic.scalar import ScalarFn, X, logistic, relu, softplus

# What SymPy cannot integrate (our own primitives), or writes so that it overflows (tanh).
_STABLE = {
    sympy.tanh(X): softplus(2 * X) - X - sympy.log(2),
    logistic(X): softplus(X) - sympy.log(2),
    relu(X): X * relu(X) / 2,
}
_POINTS = tuple(sympy.Rational(k, 7) for k in (-9, -4, -1, 2, 5, 11))


@cache
def antiderivative(law: ScalarFn) -> ScalarFn:
    """The function G with G' = f and G(0) = 0.

    Equation: G(x) = ∫₀ˣ f(u) du; its derivative is f itself, so that the two cancel in sums.
    Raises: InputError if f has no antiderivative in functions this library can evaluate.
    Reference: Bronstein (2005), Symbolic Integration I; every result is differentiated again.
    """
    found = _STABLE.get(law.expr)
    if found is None:
        found = sympy.integrate(law.expr, X)
        found = found - found.subs(X, 0)
    if not _evaluable(found) or not _slopes_match(found, law.expr):
        raise bad_input(
            "rho", "a function with an antiderivative in closed form",
            str(law.expr).replace("x_", "x"), "use e.g. tanh, sigmoid, atan, erf or relu",
        )  # fmt: skip
    integral = ScalarFn(found)
    integral._diff = law
    return integral


def _evaluable(e: sympy.Expr) -> bool:
    """True if no integral, undefined function or infinity is left."""
    bad = (sympy.Integral, sympy.zoo, sympy.oo, sympy.nan, sympy.core.function.AppliedUndef)
    return not e.has(*bad) and e.free_symbols <= {X}


def _slopes_match(integral: sympy.Expr, law: sympy.Expr) -> bool:
    slope = sympy.diff(integral, X)
    gaps = [sympy.N((slope - law).subs(X, p), 30) for p in _POINTS]
    return all(g.is_number and abs(g) < 1e-20 for g in gaps)
