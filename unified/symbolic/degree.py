"""Degrees of expressions as rational functions of their draws: the size of a proof's error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import sympy

from unified.symbolic.modular import P
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
    Window,
    Zero,
    walk,
)  # fmt: skip

_LOG = 64  # the largest exponent with which a logarithm's argument is multiplied out


class Degree(NamedTuple):
    """Every entry is a polynomial of degree ≤ top over one common one of degree ≤ bottom."""

    top: int
    bottom: int


def error_per_draw(
    roots: list[Expr], dims: Mapping[str, int], orthogonal: frozenset[str] = frozenset()
) -> float:
    """The chance that a false equality of the roots passes one random draw.

    Equation: (degree of the numerator of the difference + collisions of arguments)/p.
    Functions are uninterpreted: two different arguments of a table that happen to be equal
    modulo p, at most pairs × degree / p, count as failures.
    Reference: Schwartz (1980), J. ACM 27, 701; Zippel (1979).
    """
    done: dict[Expr, Degree] = {}
    collisions = 0
    for node in walk(*roots):
        done[node] = _degree(node, done, dims, orthogonal)
        if isinstance(node, Map | LogDet | LogSumExp | Softmax):
            arg = done[node.children[0]]
            m = _entries(node.children[0], dims)
            collisions += m * m * (arg.top + arg.bottom)
    total = sum(done[r].top + done[r].bottom for r in roots)
    return min(1.0, float(sympy.Rational(total + collisions, P)))


def _entries(x: Expr, dims: Mapping[str, int]) -> int:
    found = 1
    for a in x.axes:
        found *= dims[a.name]
    return found


def _degree(
    node: Expr, done: Mapping[Expr, Degree], dims: Mapping[str, int], orthogonal: frozenset[str]
) -> Degree:
    if isinstance(node, Var):
        n = dims[node.axes[0].name] if node.name in orthogonal else 0
        return Degree(n, n) if n else Degree(1, 0)
    if isinstance(node, Zero | Delta | Window):
        return Degree(0, 0)
    if isinstance(node, Add):
        return _sum([done[t] for t in node.terms])
    if isinstance(node, Einsum):
        parts = [done[f] for f in node.factors]
        return Degree(sum(d.top for d in parts), sum(d.bottom for d in parts))
    arg = done[node.children[0]]
    m = _entries(node.children[0], dims)
    if isinstance(node, Map):
        one = _scalar(node.fn.expr, arg)
        return Degree(one.top + (m - 1) * one.bottom, m * one.bottom)
    if isinstance(node, Softmax):
        return Degree(m, m)
    if isinstance(node, LogSumExp):
        return Degree(_LOG * m, m)
    n = dims[node.children[0].axes[-1].name]
    if isinstance(node, Inv):
        copies = m // (n * n)
        return Degree(copies * (arg.bottom + (n - 1) * arg.top), copies * n * arg.top)
    return Degree(_LOG * n * (arg.top + arg.bottom), 0)


def _sum(parts: list[Degree]) -> Degree:
    bottom = sum(d.bottom for d in parts)
    return Degree(max(d.top + bottom - d.bottom for d in parts), bottom)


def _scalar(e: sympy.Expr, x: Degree) -> Degree:
    """Degree of a scalar law at an argument of degree x; a function's value counts as new."""
    if e.is_Symbol:
        return x
    if e.is_number:
        return Degree(1, 0) if e.atoms(sympy.Function, sympy.NumberSymbol) else Degree(0, 0)
    if e.is_Add:
        return _sum([_scalar(a, x) for a in e.args])
    if e.is_Mul:
        parts = [_scalar(a, x) for a in e.args]
        return Degree(sum(d.top for d in parts), sum(d.bottom for d in parts))
    if e.is_Pow and e.exp.is_Rational:
        top, bottom = _scalar(e.base, x)
        k = abs(int(e.exp.p))
        return Degree(k * top, k * bottom) if e.exp > 0 else Degree(k * bottom, k * top)
    return Degree(2, 2)  # tanh, logistic, …: rational of degree 2 in the tabulated function
