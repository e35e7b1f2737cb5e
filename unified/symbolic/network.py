"""One product of atoms: its canonical order, and the rules that shorten it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import sympy

from unified.symbolic.axis import Index, indices
from unified.symbolic.contract import Part, contract, is_symmetric
from unified.symbolic.nodes import Add, Delta, Einsum, Expr, Inv, Map, Softmax, Var
from unified.symbolic.scalar import ScalarFn, X

_COPIES = 64  # a higher power is one factor, not as many copies
_LEAVES = 24  # complete labellings compared before one is taken as it comes


def parts_of(e: Einsum) -> tuple[list[Part], tuple[Index, ...]]:
    """The factors of a product with fresh indices, and its output indices."""
    ix = {label: Index(axis) for label, axis in e.label_axes.items()}
    parts: list[Part] = [
        (f, tuple(ix[k] for k in ls)) for f, ls in zip(e.factors, e.labels, strict=True)
    ]
    return parts, tuple(ix[k] for k in range(e.ndim))


def unit(axs: tuple) -> Expr:
    """An array of ones: it keeps the range of an index when its factor is cancelled."""
    return contract(1, [], indices(axs))


# --- rules ------------------------------------------------------------------------------------
def shorten(e: Expr, orthogonal: frozenset[str]) -> Expr:
    """Apply A⁻¹A = 1, QQᵀ = 1, x^a x^b = x^(a+b) and Σ softmax = 1 until nothing changes."""
    while isinstance(e, Einsum):
        parts, out = parts_of(e)
        found = (
            _cancel(parts, out, orthogonal) or _powers(parts) or _probabilities(parts, out)
        )  # fmt: skip
        if found is None:
            return e
        e = contract(e.coef, found, out)
    return e


def inner_indices(parts: Sequence[Part], out: Sequence[Index]) -> set[Index]:
    """The summed indices that join exactly two slots."""
    count = Counter(i for _, ix in parts for i in ix)
    return {i for i, k in count.items() if k == 2 and i not in out}


def _cancel(
    parts: list[Part], out: tuple[Index, ...], orthogonal: frozenset[str]
) -> list[Part] | None:
    inner = inner_indices(parts, out)
    for i, (f, fx) in enumerate(parts):
        if f.ndim != 2:
            continue
        turned = isinstance(f, Var) and f.name in orthogonal
        if not (turned or isinstance(f, Inv)):
            continue
        for j, (g, gx) in enumerate(parts):
            partner = g is f if turned else isinstance(f, Inv) and g is f.arg
            if j != i and partner:
                for s, t in ((0, 0), (0, 1), (1, 0), (1, 1)):
                    fits = is_symmetric(g) or (s == t if turned else s != t)
                    if fx[s] is gx[t] and fx[s] in inner and fits:
                        rest = [p for k, p in enumerate(parts) if k not in (i, j)]
                        return [*rest, (Delta.make(fx[s].axis), (fx[1 - s], gx[1 - t]))]
    return None


def power_of(f: Expr) -> tuple[Expr, sympy.Rational]:
    """Base and exponent of a factor that is an elementwise power."""
    if isinstance(f, Map):
        law = f.fn.expr
        if law.is_Pow and law.base == X and law.exp.is_Rational:
            return f.arg, law.exp
    return f, sympy.Integer(1)


def power_parts(base: Expr, ix: tuple[Index, ...], exponent: sympy.Rational) -> list[Part]:
    """base^exponent as factors: whole copies of base or 1/base, and one proper fraction."""
    whole = int(sympy.floor(exponent))
    rest = exponent - whole
    sum_of_terms = isinstance(base, Add) and rest  # stays inside one power
    if sum_of_terms or abs(exponent) > _COPIES:
        return [(Map.make(ScalarFn(X**exponent), base), ix)]
    found: list[Part] = []
    if rest:
        found.append((Map.make(ScalarFn(X**rest), base), ix))
    one = base if whole > 0 else Map.make(ScalarFn(1 / X), base)
    return found + [(one, ix)] * abs(whole)


def _powers(parts: list[Part]) -> list[Part] | None:
    groups: dict[tuple[Expr, tuple[Index, ...]], list[Expr]] = {}
    for f, ix in parts:
        groups.setdefault((power_of(f)[0], ix), []).append(f)
    for (base, ix), members in groups.items():
        if len(members) < 2 or isinstance(base, Delta) or all(m is base for m in members):
            continue
        total = sum((power_of(m)[1] for m in members), sympy.Integer(0))
        fresh = power_parts(base, ix, total)
        if isinstance(base, Add) and total > 0:
            continue
        if Counter(f for f, _ in fresh) != Counter(members):
            rest = [p for p in parts if (power_of(p[0])[0], p[1]) != (base, ix)]
            return [*rest, *fresh, (unit(base.axes), ix)]
    return None


def _probabilities(parts: list[Part], out: tuple[Index, ...]) -> list[Part] | None:
    count = Counter(i for _, ix in parts for i in ix)
    for k, (f, ix) in enumerate(parts):
        if isinstance(f, Softmax) and count[ix[-1]] == 1 and ix[-1] not in out:
            rest = parts[:k] + parts[k + 1 :]
            return [*rest, (unit(f.axes[:-1]), ix[:-1])]
    return None


# --- canonical order --------------------------------------------------------------------------
def ordered(e: Expr) -> Expr:
    """The same product with identical factors in an order that does not depend on history.

    Colour refinement tells the indices apart by where they occur; the few ties that are left
    are broken by trying each and keeping the smallest result.
    Reference: Weisfeiler & Leman (1968); McKay (1981), Practical graph isomorphism.
    """
    if not isinstance(e, Einsum) or not e.factors:
        return e
    parts, out = parts_of(e)
    if len({f for f, _ in parts}) == len(parts) and not any(is_symmetric(f) for f, _ in parts):
        return e
    colours = {i: (0, k) for k, i in enumerate(out)}
    for _, ix in parts:
        for i in ix:
            colours.setdefault(i, (1, int.from_bytes(i.axis.name.encode(), "little")))
    start = {i: hash(c) for i, c in colours.items()}
    budget = [_LEAVES]
    _, best = _search(parts, start, budget)
    return contract(e.coef, best, out)


Colours = dict[Index, int]


def _refine(parts: list[Part], colours: Colours) -> Colours:
    classes = len(set(colours.values()))
    while True:
        seen: dict[Index, list[tuple[int, int]]] = {i: [] for i in colours}
        for f, ix in parts:
            even = len(ix) == 2 and is_symmetric(f)
            around = [colours[i] for i in ix]
            colour = hash((hash(f), tuple(sorted(around) if even else around)))
            for slot, i in enumerate(ix):
                seen[i].append((colour, 0 if even else slot))
        colours = {i: hash((c, tuple(sorted(seen[i])))) for i, c in colours.items()}
        found = len(set(colours.values()))
        if found == classes:
            return colours
        classes = found


def _search(parts: list[Part], colours: Colours, budget: list[int]) -> tuple[list, list[Part]]:
    colours = _refine(parts, colours)
    count = Counter(colours.values())
    tied = sorted(c for c, k in count.items() if k > 1)
    if not tied:
        budget[0] -= 1
        return _labelled(parts, colours)
    best: tuple[list, list[Part]] | None = None
    for i in [i for i, c in colours.items() if c == tied[0]]:
        if best is not None and budget[0] <= 0:
            break
        found = _search(parts, {**colours, i: hash((colours[i], -1))}, budget)
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None
    return best


def _labelled(parts: list[Part], colours: Colours) -> tuple[list, list[Part]]:
    rank = {i: k for k, i in enumerate(sorted(colours, key=colours.__getitem__))}
    found = []
    for f, ix in parts:
        if len(ix) == 2 and is_symmetric(f):
            ix = tuple(sorted(ix, key=rank.__getitem__))
        found.append((f.digest, [rank[i] for i in ix], (f, ix)))
    found.sort(key=lambda t: t[:2])
    return [t[:2] for t in found], [t[2] for t in found]
