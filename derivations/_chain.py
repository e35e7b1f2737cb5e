"""The predictive chains that several derivations share; no claim of its own.

Sizes are numbers only because the library's energies ask for some: the axes stay symbolic.
"""

import sympy

from unified.energies import Energy, predictive
from unified.symbolic import Expr, Var, einsum, eye, fn, substitute

_v = sympy.Symbol("v")
_F = sympy.Function("f")
f = fn(_F)  # abstract: what is proved holds for every smooth f
slope = fn(sympy.Lambda(_v, sympy.Derivative(_F(_v), _v)))


def chain(layers: int, convention: str = "f(Wz)", *, linear: bool = False) -> Energy:
    """The library's predictive energy with full precisions P_l, f abstract or the identity."""
    law = "identity" if linear else _F
    return predictive([2] * (layers + 1), f=law, precision="full", convention=convention)


def named(energy: Energy, names: str) -> tuple[Var, ...]:
    """The variables of an energy, by name."""
    return tuple(energy.variables[n] for n in names.split())


def at(x: Expr, **values: Expr) -> Expr:
    """The expression with states replaced by values, all at once."""
    by_name = {v.name: v for v in x.free}
    return substitute(x, {by_name[k]: e for k, e in values.items() if k in by_name})


def diag(v: Expr) -> Expr:
    """The diagonal matrix of a vector."""
    return einsum("ij,i->ij", eye(v.axes[0]), v)
