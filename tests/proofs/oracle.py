"""An independent float64 evaluator: whole einsums at once, SymPy scalars by substitution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy
from sympy.core.function import AppliedUndef

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
from unified.symbolic.scalar import X, logistic

_Z = sympy.Symbol("z", real=True)


def concrete(e: sympy.Expr) -> sympy.Expr:
    """Abstract functions replaced by sin(z) + z³/5, the library's sigmoid by its formula."""
    e = e.replace(lambda q: isinstance(q, AppliedUndef), lambda q: _test(q.args[0])).doit()
    return e.replace(logistic, lambda q: 1 / (1 + sympy.exp(-q)))


def _test(z: sympy.Expr) -> sympy.Expr:
    return sympy.sin(z) + z**3 / 5


def value(x: Expr, point: Mapping[str, np.ndarray], dims: Mapping[str, int]) -> np.ndarray:
    """The float64 array an expression stands for."""
    shape = tuple(dims[a.name] for a in x.axes)
    if isinstance(x, Var):
        return point[x.name]
    if isinstance(x, Zero):
        return np.zeros(shape)
    if isinstance(x, Delta):
        return np.eye(shape[0])
    if isinstance(x, Add):
        return np.sum([value(t, point, dims) for t in x.terms], axis=0)
    if isinstance(x, Einsum):
        sizes = {sympy.Symbol(k, integer=True, positive=True): v for k, v in dims.items()}
        args: list[Any] = []
        for f, ls in zip(x.factors, x.labels, strict=True):
            args += [value(f, point, dims), list(ls)]
        for axis, size in enumerate(shape):
            args += [np.ones(size), [axis]]
        if not args:
            return np.asarray(float(concrete(x.coef.subs(sizes))))
        return float(concrete(x.coef.subs(sizes))) * np.einsum(*args, list(range(x.ndim)))
    arg = value(x.children[0], point, dims)
    if isinstance(x, Map):
        law = sympy.lambdify(X, concrete(x.fn.expr), "numpy")
        return law(arg) * np.ones(shape)
    if isinstance(x, Inv):
        return np.linalg.inv(arg) if np.linalg.matrix_rank(arg) == len(arg) else arg * np.nan
    if isinstance(x, LogDet):
        return np.asarray(np.log(abs(np.linalg.det(arg))))
    total = np.exp(arg).sum()
    if isinstance(x, LogSumExp):
        return np.asarray(np.log(total))
    assert isinstance(x, Softmax)
    return np.exp(arg) / total


def same(
    lhs: Expr, rhs: Expr, dims: Mapping[str, int], kinds: Mapping[str, str], seed: int
) -> tuple[bool, float]:
    """Whether both sides agree to 1e-8 at one random point, and by how much they differ.

    `kinds` maps a variable's name to "symmetric", "positive definite" or "orthogonal".
    """
    rng = np.random.default_rng(seed)
    point = {}
    for v in sorted(lhs.free | rhs.free, key=lambda q: q.name):
        shape = tuple(dims[a.name] for a in v.axes)
        found = np.asarray(rng.normal(size=shape))
        square = len(shape) == 2 and v.axes[0] is v.axes[1]
        if not shape:
            found = 0.5 + abs(found)
        if v.symmetric or kinds.get(v.name) == "symmetric":
            found = (found + found.T) / 2
        if kinds.get(v.name) == "positive definite":
            found = found @ found.T
        if kinds.get(v.name) == "orthogonal":
            found = np.linalg.qr(found)[0]
        elif square:
            found = found / 3 + 2 * np.eye(shape[0])
        point[v.name] = found
    with np.errstate(all="ignore"):
        a, b = value(lhs, point, dims), value(rhs, point, dims)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False, float("nan")
    gap = float(np.max(np.abs(a - b)) / max(1.0, np.max(np.abs(a)), np.max(np.abs(b))))
    return gap < 1e-8, gap
