"""Comparing array expressions with SymPy's own scalar derivatives, to 30 digits."""

from itertools import product
from random import Random

import mpmath
import sympy

from unified.symbolic import Expr, Var, derivative
from unified.symbolic.instance import instance, symbols_of

DIGITS = 40
_RHO = sympy.Function("rho")
_t = sympy.Symbol("t_")
# Any smooth law will do for an abstract function; this one has all derivatives nonzero.
_LAW = sympy.Lambda(_t, sympy.sin(_t) + _t**3 / 7 + _t / 5)


def dims_of(dims: dict[str, int], *exprs: Expr) -> dict[str, int]:
    """The dimensions these expressions need, out of `dims`."""
    from unified.symbolic.nodes import Einsum, walk

    names = set()
    for node in walk(*exprs):
        axs = node.label_axes.values() if isinstance(node, Einsum) else node.axes
        names |= {a.name for a in axs}
        if isinstance(node, Einsum):
            names |= {str(s) for s in node.coef.free_symbols}
    return {k: v for k, v in dims.items() if k in names}


def written(expr: Expr, dims: dict[str, int]) -> sympy.Expr | sympy.NDimArray:
    """The explicit instance, with only the dimensions it needs."""
    return instance(expr, dims_of(dims, expr))


def flat(x: sympy.Expr | sympy.NDimArray) -> list[sympy.Expr]:
    """The entries of an instance in C order."""
    return list(sympy.flatten(x)) if isinstance(x, sympy.NDimArray) else [x]


def distance(ours: list[sympy.Expr], theirs: list[sympy.Expr], seed: int = 0) -> float:
    """The largest relative difference at random rational points, in DIGITS-digit arithmetic."""
    assert len(ours) == len(theirs)
    both = [sympy.sympify(e).subs(_RHO, _LAW).doit() for e in (*ours, *theirs)]
    symbols = sorted(set().union(*(e.free_symbols for e in both)), key=lambda s: s.name)
    rng = Random(seed)
    worst = 0.0
    with mpmath.workdps(DIGITS):
        run = sympy.lambdify(symbols, both, modules="mpmath", cse=True)
        for _ in range(2):
            point = [mpmath.mpf(rng.randint(-97, 97)) / 101 for _ in symbols]
            values = run(*point)
            half = len(ours)
            for a, b in zip(values[:half], values[half:], strict=True):
                worst = max(worst, float(abs(a - b) / max(1, abs(a), abs(b))))
    return worst


def sympy_derivative(y: Expr, x: Var, dims: dict[str, int]) -> list[sympy.Expr]:
    """∂y/∂x by SymPy, entry by entry; for a symmetric x half of each shared off-diagonal slope."""
    columns = symbols_of(x, dims_of(dims, x))
    out = []
    shape = [range(dims[a.name]) for a in x.axes]
    for entry in flat(written(y, dims)):
        for slot in product(*shape):
            slope = sympy.diff(entry, columns[slot] if slot else columns)
            shared = x.symmetric and slot[0] != slot[1]
            out.append(slope / 2 if shared else slope)
    return out


def gradient_error(y: Expr, x: Var, dims: dict[str, int], ours: Expr | None = None) -> float:
    """How far our ∂y/∂x (or a claimed one) is from SymPy's."""
    claimed = derivative(y, x) if ours is None else ours
    assert claimed.axes == y.axes + x.axes
    return distance(flat(written(claimed, dims)), sympy_derivative(y, x, dims))


EXACT = 1e-25
