"""Rewriting expressions: substitution, and adding batch axes in front."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from unified.base.errors import AxisError
from unified.symbolic.axis import Axis, Index, indices
from unified.symbolic.build import add, elementwise, inv, logdet, logsumexp, softmax
from unified.symbolic.contract import contract
from unified.symbolic.nodes import (
    Add,
    Einsum,
    Expr,
    Inv,
    LogDet,
    LogSumExp,
    Map,
    Softmax,
    Var,
    walk,
)  # fmt: skip

_UNARY: dict[type, Callable[[Expr], Expr]] = {
    Inv: inv, LogDet: logdet, LogSumExp: logsumexp, Softmax: softmax,
}  # fmt: skip


def substitute(y: Expr, values: Mapping[Var, Expr]) -> Expr:
    """y with variables replaced by expressions of the same axes.

    Raises: AxisError if a replacement has other axes than its variable.
    """
    for x, v in values.items():
        if x.axes != v.axes:
            raise AxisError(
                f"substitute: expected axes {x.axes} for '{x.name}', got {v.axes}; "
                "transpose the replacement."
            )
    keys = frozenset(values)
    done: dict[Expr, Expr] = {}
    for node in walk(y):
        if not node.free & keys:
            done[node] = node
        elif isinstance(node, Var):
            done[node] = values[node]
        else:
            done[node] = rebuild(node, done)
    return done[y]


def rebuild(node: Expr, done: Mapping[Expr, Expr]) -> Expr:
    """The node over other children: `done` gives what each child became."""
    if isinstance(node, Einsum):
        ix = {label: Index(axis) for label, axis in node.label_axes.items()}
        parts = [
            (done[f], tuple(ix[k] for k in ls))
            for f, ls in zip(node.factors, node.labels, strict=True)
        ]
        return contract(node.coef, parts, [ix[k] for k in range(node.ndim)])
    if isinstance(node, Add):
        return add(*(done[t] for t in node.terms), flatten=False)
    if isinstance(node, Map):
        return elementwise(node.fn, done[node.arg])
    return _UNARY[type(node)](done[node.children[0]])


def lead_axes(x: Expr, axs: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """Those of the batch axes `axs` that x starts with."""
    return tuple(a for a in axs if a in x.axes[: len(axs)])


def batched(y: Expr, batch: Mapping[Var, Var], axs: tuple[Axis, ...]) -> Expr:
    """y evaluated for every point of the batch axes, which come first.

    Equation: y_k[...] = y(x_k): each variable in `batch` is replaced by its batched version,
    whose leading axes are a subset of `axs` in that order; everything else is shared.
    Shapes: the result starts with the batch axes it depends on.
    """
    keys = frozenset(batch)
    done: dict[Expr, Expr] = {}
    for node in walk(y):
        if not node.free & keys:
            done[node] = node
        elif isinstance(node, Var):
            done[node] = batch[node]
        elif isinstance(node, Einsum):
            done[node] = _batched_einsum(node, done, axs)
        elif isinstance(node, Add):
            lead = _union([lead_axes(done[t], axs) for t in node.terms], axs)
            terms = [_led(done[t], lead_axes(done[t], axs), lead) for t in node.terms]
            done[node] = add(*terms, flatten=False)
        elif isinstance(node, Map):
            done[node] = elementwise(node.fn, done[node.arg])
        else:
            done[node] = _UNARY[type(node)](done[node.children[0]])
    return done[y]


def _union(leads: list[tuple[Axis, ...]], axs: tuple[Axis, ...]) -> tuple[Axis, ...]:
    return tuple(a for a in axs if any(a in lead for lead in leads))


def _led(x: Expr, have: tuple[Axis, ...], want: tuple[Axis, ...]) -> Expr:
    if have == want:
        return x
    lead = {a: Index(a) for a in want}
    rest = indices(x.axes[len(have) :])
    return contract(
        1, [(x, (*(lead[a] for a in have), *rest))], (*(lead[a] for a in want), *rest)
    )  # fmt: skip


def _batched_einsum(node: Einsum, done: Mapping[Expr, Expr], axs: tuple[Axis, ...]) -> Expr:
    ix = {label: Index(axis) for label, axis in node.label_axes.items()}
    lead = {a: Index(a) for a in axs}
    parts = []
    for f, ls in zip(node.factors, node.labels, strict=True):
        have = () if done[f] is f else lead_axes(done[f], axs)
        parts.append((done[f], (*(lead[a] for a in have), *(ix[k] for k in ls))))
    used = _union([lead_axes(done[f], axs) for f in node.factors if done[f] is not f], axs)
    return contract(
        node.coef, parts, (*(lead[a] for a in used), *(ix[k] for k in range(node.ndim)))
    )  # fmt: skip



