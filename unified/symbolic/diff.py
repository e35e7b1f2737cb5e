"""Derivatives: reverse mode over the shared expression graph, any order, any output rank."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from unified.symbolic.axis import Axis, Index, indices
from unified.symbolic.build import add, elementwise, inv, softmax
from unified.symbolic.contract import Part, contract
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
    walk,
)  # fmt: skip

_HALF = sympy.Rational(1, 2)


def gradients(y: Expr, xs: Sequence[Var]) -> list[Expr]:
    """∂y/∂x for every x in one reverse sweep.

    Equation: out_k[a.., b..] = ∂y[a..]/∂x_k[b..].
    Shapes: axes of y followed by the axes of x_k; a symmetric x gives a symmetrised derivative.
    Raises: nothing; a variable that y does not contain gives a structural zero.
    Reference: Laue, Mitterreiter, Giesen (2018), reverse mode on tensor expressions.
    """
    wanted = frozenset(xs)
    dy = len(y.axes)
    adjoint: dict[Expr, list[Expr]] = {y: [_identity(y.axes)]}
    found: dict[Var, Expr] = {}
    order = [n for n in walk(y) if n.free & wanted]
    for node in reversed(order):
        if node not in adjoint:
            continue
        total = add(*adjoint.pop(node), flatten=False)
        if isinstance(node, Var):
            found[node] = total
        elif not isinstance(total, Zero):
            _pull(node, total, dy, wanted, adjoint)
    return [_symmetrised(found[x], x) if x in found else Zero.make(y.axes + x.axes) for x in xs]


def derivative(y: Expr, x: Var) -> Expr:
    """∂y/∂x with the axes of y, then those of x; see `gradients`."""
    return gradients(y, [x])[0]


def directional(y: Expr, direction: dict[Var, Expr]) -> Expr:
    """Σ_x ∂y/∂x · direction[x] for a scalar y: linear in the directions.

    Shapes: each direction has the axes of its variable.
    """
    xs = list(direction)
    terms = []
    for x, g in zip(xs, gradients(y, xs), strict=True):
        ix = indices(x.axes)
        terms.append(contract(1, [(g, ix), (direction[x], ix)], ()))
    return add(*terms, flatten=False)


def _identity(axs: tuple[Axis, ...]) -> Expr:
    a, b = indices(axs), indices(axs)
    return contract(
        1, [(Delta.make(i.axis), (i, j)) for i, j in zip(a, b, strict=True)], a + b
    )  # fmt: skip


def _symmetrised(g: Expr, x: Var) -> Expr:
    if not x.symmetric:
        return g
    ix = indices(g.axes)
    swapped = contract(1, [(g, ix)], (*ix[:-2], ix[-1], ix[-2]))
    if swapped is g:
        return g
    ix = indices(g.axes)
    return contract(_HALF, [(add(g, swapped), ix)], ix)


def _pull(
    node: Expr, g: Expr, dy: int, wanted: frozenset[Var], adjoint: dict[Expr, list[Expr]]
) -> None:
    """Send the adjoint g of a node (axes of y, then of the node) to its children."""
    if isinstance(node, Einsum):
        _pull_einsum(node, g, dy, wanted, adjoint)
        return
    if isinstance(node, Add):
        for t in node.terms:
            if t.free & wanted:
                adjoint.setdefault(t, []).append(g)
        return
    arg = node.children[0]
    ys = indices(g.axes[:dy])
    if isinstance(node, Map):
        ix = indices(arg.axes)
        slope = elementwise(node.fn.diff(), arg)
        back = contract(1, [(g, ys + ix), (slope, ix)], ys + ix)
    elif isinstance(node, LogSumExp):
        ix = indices(arg.axes)
        back = contract(1, [(g, ys + ix[:-1]), (softmax(arg), ix)], ys + ix)
    elif isinstance(node, Softmax):
        ix = indices(arg.axes)
        j = Index(ix[-1].axis)
        mean = contract(1, [(g, (*ys, *ix[:-1], j)), (node, (*ix[:-1], j))], ys + ix[:-1])
        spread = add(g, contract(-1, [(mean, ys + ix[:-1])], ys + ix), flatten=False)
        back = contract(1, [(spread, ys + ix), (node, ix)], ys + ix)
    elif isinstance(node, LogDet):
        ix = indices(arg.axes)
        flip = (*ix[:-2], ix[-1], ix[-2])
        back = contract(1, [(g, ys + ix[:-2]), (inv(arg), flip)], ys + ix)
    elif isinstance(node, Inv):
        ix = indices(arg.axes)
        a, b = Index(ix[-1].axis), Index(ix[-1].axis)
        lead = ix[:-2]
        parts: list[Part] = [
            (node, (*lead, a, ix[-2])), (g, (*ys, *lead, a, b)), (node, (*lead, ix[-1], b)),
        ]  # fmt: skip
        back = contract(-1, parts, ys + ix)
    else:  # pragma: no cover - a new node class must say how it differentiates
        raise NotImplementedError(type(node).__name__)
    adjoint.setdefault(arg, []).append(back)


def _pull_einsum(
    node: Einsum, g: Expr, dy: int, wanted: frozenset[Var], adjoint: dict[Expr, list[Expr]]
) -> None:
    label_index = {label: Index(axis) for label, axis in node.label_axes.items()}
    ys = indices(g.axes[:dy])
    outer: Part = (g, ys + tuple(label_index[k] for k in range(node.ndim)))
    parts: list[Part] = [
        (f, tuple(label_index[k] for k in ls))
        for f, ls in zip(node.factors, node.labels, strict=True)
    ]
    for k, (f, ix) in enumerate(parts):
        if f.free & wanted:
            rest = [p for i, p in enumerate(parts) if i != k]
            back = contract(node.coef, [outer, *rest], ys + ix)
            adjoint.setdefault(f, []).append(back)
