"""The one constructor behind every product: contraction over typed indices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import sympy

from unified.base.errors import AxisError
from unified.symbolic.axis import Index, indices
from unified.symbolic.nodes import Add, Delta, Einsum, Expr, Inv, Var, Window, Zero

Part = tuple[Expr, tuple[Index, ...]]
ONE = sympy.Integer(1)


def contract(coef: sympy.Expr | int, parts: Iterable[Part], out: Sequence[Index]) -> Expr:
    """coef · Σ Π factors, summed over every index that is not in `out`.

    Equation: y_{out} = coef Σ_{rest} Π_k factor_k[indices_k].
    Shapes: the result has the axes of `out`, in that order.
    Nested products are merged, identities resolved and zeros propagated.
    Raises: AxisError if an index and the slot it is put in have different axes.
    Reference: the tensor expressions of Laue, Mitterreiter, Giesen (2018).
    """
    coef = sympy.Integer(coef) if isinstance(coef, int) else coef
    out_axes = tuple(i.axis for i in out)
    factors, deltas, seen, coef = _flatten(coef, parts, set(out))
    if factors is None or coef == 0:
        return Zero.make(out_axes)
    outputs: list[Index] = []
    for i in out:  # a repeated output index is a diagonal
        if i in outputs:
            twin = Index(i.axis)
            deltas.append((i, twin))
            outputs.append(twin)
        else:
            outputs.append(i)
    rename, kept = _resolve(deltas, outputs)
    factors = [(f, tuple(rename.get(i, i) for i in ix)) for f, ix in factors]
    while (repeated := _twin_window(factors)) is not None:
        drop, equal = repeated
        del factors[drop]
        deltas += equal
        rename, kept = _resolve(deltas, outputs)
        factors = [(f, tuple(rename.get(i, i) for i in ix)) for f, ix in factors]
    carried = {i for _, ix in factors for i in ix} | set(outputs)
    for i in {rename.get(i, i) for i in seen} - carried:
        coef = coef * i.axis.size
    factors += [(Delta.make(i.axis), (i, j)) for i, j in kept]
    return _finish(coef, factors, tuple(outputs), out_axes)


def _flatten(
    coef: sympy.Expr, parts: Iterable[Part], seen: set[Index]
) -> tuple[list[Part] | None, list[tuple[Index, Index]], set[Index], sympy.Expr]:
    """Merge nested products; separate the identities from the factors."""
    factors: list[Part] = []
    deltas: list[tuple[Index, Index]] = []
    for expr, ix in parts:
        if tuple(i.axis for i in ix) != expr.axes:
            have = ", ".join(a.name for a in expr.axes)
            want = ", ".join(i.axis.name for i in ix)
            raise AxisError(
                f"contraction: expected axes ({want}), got an array with axes ({have}); "
                "transpose it or declare both over the same axis."
            )
        seen.update(ix)
        if isinstance(expr, Zero):
            return None, deltas, seen, coef
        if isinstance(expr, Delta):
            deltas.append((ix[0], ix[1]))
        elif isinstance(expr, Einsum):
            if expr.coef is not ONE:
                coef = coef * expr.coef
            local: dict[int, Index] = dict(enumerate(ix))
            for f, ls in zip(expr.factors, expr.labels, strict=True):
                inner = []
                for label, axis in zip(ls, f.axes, strict=True):
                    if label not in local:
                        local[label] = Index(axis)
                    inner.append(local[label])
                seen.update(inner)
                if isinstance(f, Delta):
                    deltas.append((inner[0], inner[1]))
                else:
                    factors.append((f, tuple(inner)))
        else:
            factors.append((expr, tuple(ix)))
    return factors, deltas, seen, coef


def _resolve(
    deltas: list[tuple[Index, Index]], outputs: list[Index]
) -> tuple[dict[Index, Index], list[tuple[Index, Index]]]:
    """Rename indices so that identities vanish; keep those that join two outputs."""
    if not deltas:
        return {}, []
    rank = {i: k for k, i in enumerate(outputs)}
    groups: dict[Index, set[Index]] = {}
    for i, j in deltas:
        merged = groups.get(i, {i}) | groups.get(j, {j})
        for member in merged:
            groups[member] = merged
    rename: dict[Index, Index] = {}
    kept: list[tuple[Index, Index]] = []
    done: set[int] = set()
    for group in groups.values():
        if id(group) in done:
            continue
        done.add(id(group))
        outs = sorted((i for i in group if i in rank), key=rank.__getitem__)
        head = outs[0] if outs else min(group, key=lambda i: i.serial)
        for member in group:
            rename[member] = head
        kept.extend((head, other) for other in outs[1:])
    return rename, kept


def _twin_window(factors: list[Part]) -> tuple[int, list[tuple[Index, Index]]] | None:
    """A window that repeats another one, and the indices this makes equal.

    Two of output, kernel entry and input fix the third: P[h,i,u]·P[h,j,u] = P[h,i,u]·δ(i,j).
    """
    windows = [k for k, (f, _) in enumerate(factors) if isinstance(f, Window)]
    for n, k in enumerate(windows):
        for m in windows[n + 1 :]:
            (f, a), (g, b) = factors[k], factors[m]
            if f is g and sum(i is j for i, j in zip(a, b, strict=True)) >= 2:
                return m, [(i, j) for i, j in zip(a, b, strict=True) if i is not j]
    return None


def _finish(
    coef: sympy.Expr, factors: list[Part], out: tuple[Index, ...], out_axes: tuple
) -> Expr:
    """Sort the factors, number the labels, return the simplest equivalent node."""
    rank = {i: k for k, i in enumerate(out)}
    big = len(out)
    if len(factors) > 1:
        factors = sorted(factors, key=lambda p: (p[0].digest, [rank.get(i, big) for i in p[1]]))
    number = dict(rank)
    free = [len(ix) == 2 and is_symmetric(f) for f, ix in factors]  # slots in either order
    # The others name the labels first, so that s@S@u and u@S@s are one node.
    for late in (False, True):
        for (_, ix), swappable in zip(factors, free, strict=True):
            if swappable is late:
                for i in ix:
                    number.setdefault(i, len(number))
    labels = []
    for (_, ix), swappable in zip(factors, free, strict=True):
        found = tuple(number[i] for i in ix)
        labels.append(tuple(sorted(found)) if swappable else found)
    if coef == 1 and len(factors) == 1 and labels[0] == tuple(range(len(out))):
        return factors[0][0]
    return Einsum.make(out_axes, coef, tuple(f for f, _ in factors), tuple(labels))


@lru_cache(maxsize=1 << 14)
def is_symmetric(node: Expr) -> bool:
    """True if exchanging the two slots of a square matrix gives the same node."""
    if node.ndim != 2 or node.axes[0] is not node.axes[1]:
        return False
    if isinstance(node, Var):
        return node.symmetric
    if isinstance(node, Delta):
        return True
    if isinstance(node, Inv):
        return is_symmetric(node.arg)
    if isinstance(node, Add):
        return _transposed_terms(node) == set(node.terms)
    if isinstance(node, Einsum):
        return _swap(node) is node
    return False


def _swap(node: Expr) -> Expr:
    i, j = indices(node.axes)
    return contract(1, [(node, (i, j))], (j, i))


def _transposed_terms(node: Add) -> set[Expr]:
    return {t if is_symmetric(t) else _swap(t) for t in node.terms}
