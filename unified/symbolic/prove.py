"""Deciding an equality: canonical form, then exact evaluation, then float64."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from unified.base.errors import AxisError, InputError, bad_input
from unified.symbolic import field, floating
from unified.symbolic.assume import Assumption, Prepared, prepare
from unified.symbolic.axis import Axis, indices
from unified.symbolic.build import as_expr
from unified.symbolic.canonical import TooLarge, canonical
from unified.symbolic.contract import contract
from unified.symbolic.convolution import fitted, windows_of
from unified.symbolic.evaluate import evaluate
from unified.symbolic.nodes import Einsum, Expr, Window, walk
from unified.symbolic.proof import Counterexample, Proof
from unified.symbolic.tiers import AGREE, DIFFER, exact, numeric

SETS = 5
BOUND = 1e-9  # an exact evaluation that could err more often than this does not count


def prove(
    lhs: Any, rhs: Any, *, assume: Iterable[Assumption] = (), draws: int = 2,
    dims: Sequence[Mapping[Any, int]] | None = None, seed: int = 0, limit: int = 3000,
) -> Proof:  # fmt: skip
    """Decide lhs = rhs.

    Equation: level "proved" if both sides have one canonical form; else "exact" by evaluation
    modulo p = 2⁶¹ − 1 on five dimension sets, `draws` draws each, functions uninterpreted; else
    "numeric" in float64.
    Shapes: both sides have the same axes; a number stands for the constant array.
    `limit` bounds the products the canonical form may write out (0 skips it).
    Raises: AxisError if the axes differ; InputError for bad dims or draws, an undeclared symbol,
    or an inverse that is singular on every draw.
    Reference: Schwartz (1980), J. ACM 27, 701, and Zippel (1979) for the error of a draw.
    """
    start = time.perf_counter()
    left, right = _sides(lhs, rhs)
    assumptions = tuple(assume)
    ready = prepare((left, right), assumptions)
    names = sorted({a.name for r in ready.roots for a in axes_of(r)})
    windows = windows_of(*ready.roots)
    sets = (
        dimension_sets(names, windows) if dims is None
        else tuple(_checked(d, names, windows) for d in dims)
    )  # fmt: skip
    if not isinstance(draws, int) or draws < 1:
        raise bad_input("draws", "a positive integer", repr(draws), "use draws=2")

    def result(verdict: Any, level: Any, note: str, bound: float | None = None,
               bad: Counterexample | None = None) -> Proof:  # fmt: skip
        seconds = time.perf_counter() - start
        used = () if level == "proved" else sets
        return Proof(
            left, right, verdict, level, used, bound, bad, seconds, note, assumptions
        )  # fmt: skip

    note, forms = _canonical_pair(ready, limit)
    if forms is not None and forms[0] is forms[1]:
        return result("true", "proved", note)
    bad, bound, interpreted = exact(ready.roots, ready, sets, draws, seed)
    if bad is not None and interpreted and forms is not None:  # exp(a + b) and the like, split
        again, bound2, interpreted2 = exact(forms, ready, sets, draws, seed)
        if again is None or not interpreted2:
            bad, bound, interpreted = again, bound2, interpreted2
            note = _join(note, "evaluated in canonical form")
    if bad is None and bound <= BOUND:
        return result("true", "exact", note, bound)
    if bad is not None and not interpreted:
        return result("false", "exact", note, None, bad)
    gap, worst, reason = numeric(ready, sets, draws, seed, dict(bad.dims if bad else sets[0]))
    laws = f"laws of {', '.join(sorted(interpreted))} beyond the field's"
    if bad is None:
        laws = f"a smaller degree (the error of exact evaluation is only bounded by {bound:.1e})"
    if worst is None:
        return result("undecided", "numeric", _join(note, reason))
    if gap > DIFFER:
        words = f"relative difference {gap:.1e}"
        return result("false", "numeric", _join(note, words), None, worst)
    if gap <= AGREE:
        words = f"needs {laws}; float64 agreement to {gap:.1e} (tolerance {AGREE:.0e})"
        return result("true", "numeric", _join(note, words))
    words = f"needs {laws}, and float64 differs by {gap:.1e}: between {AGREE:.0e} and {DIFFER:.0e}"
    return result("undecided", "numeric", _join(note, words))


def _join(*notes: str) -> str:
    return "; ".join(n for n in notes if n)


def _sides(lhs: Any, rhs: Any) -> tuple[Expr, Expr]:
    left, right = as_expr(lhs), as_expr(rhs)

    def spread(x: Expr, like: Expr) -> Expr:
        constant = not x.axes and not x.free
        return contract(1, [(x, ())], indices(like.axes)) if constant and like.axes else x

    left, right = spread(left, right), spread(right, left)
    if left.axes != right.axes:
        a, b = (", ".join(x.name for x in s.axes) for s in (left, right))
        raise AxisError(
            f"prove: expected the same axes on both sides, got ({a}) and ({b}); "
            "transpose one side or declare both over the same axes."
        )
    return left, right


def axes_of(x: Expr) -> set[Axis]:
    """Every axis that occurs in an expression, summed ones included."""
    found: set[Axis] = set()
    for node in walk(x):
        found.update(node.axes)
        if isinstance(node, Einsum):
            found.update(node.label_axes.values())
            found.update(Axis(s.name) for s in node.coef.free_symbols if s.name in Axis._known
                         and Axis(s.name).size == s)  # fmt: skip
    return found


def dimension_sets(
    names: Sequence[str], windows: Sequence[Window] = ()
) -> tuple[dict[str, int], ...]:
    """Five sets of sizes: within a set all axes differ and none is 1.

    Without any axis there is nothing to vary, and the one empty set is returned. Sizes that
    `windows` determine follow from the others, and may coincide with them.
    """
    if not names:
        return ({},)
    top = max(7, len(names) + 4)
    choose = random.Random("|".join(names))
    found: list[dict[str, int]] = []
    for attempt in itertools.count():
        if len(found) == SETS:
            break
        sizes = choose.sample(range(2, top), len(names))
        one = dict(zip(names, sizes, strict=True))
        if windows:
            one = _consistent(one, windows, least=max(1, 3 - attempt // 100))
        if one and one not in found:
            found.append(one)
    return tuple(found)


def _consistent(
    sizes: Mapping[str, int], windows: Sequence[Window], least: int
) -> dict[str, int]:
    """The sizes with those of outputs and fixed kernels put right; empty if they cannot be.

    Outputs below `least` are refused: in an output of one entry many errors do not show.
    """
    made = {w.axes[0] for w in windows if w.axes[0] is not w.axes[2]}
    made |= {w.axes[1] for w in windows if w.axes[0] is w.axes[2] or w.width is not None}
    try:
        found = fitted(windows, {Axis(k): v for k, v in sizes.items() if Axis(k) not in made})
    except InputError:
        return {}
    if min(found[w.axes[0]] for w in windows) < least:
        return {}
    return {k: found[Axis(k)] for k in sizes}


def _checked(
    dims: Mapping[Any, int], names: Sequence[str], windows: Sequence[Window] = ()
) -> dict[str, int]:
    found = {k.name if isinstance(k, Axis) else str(k): v for k, v in dims.items()}
    if windows:
        found = {a.name: n for a, n in fitted(
            windows, {Axis(k): v for k, v in found.items()}).items()}  # fmt: skip
    for name in names:
        size = found.get(name)
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise bad_input(
                "dims", f"a positive integer for axis '{name}'", repr(size), "e.g. dims=[{'n': 3}]"
            )
    return {name: found[name] for name in names}


def _canonical_pair(ready: Prepared, limit: int) -> tuple[str, tuple[Expr, Expr] | None]:
    if limit == 0:
        return "canonical form skipped", None
    try:
        a, b = (canonical(r, orthogonal=ready.orthogonal, limit=limit) for r in ready.roots)
    except TooLarge:
        return "too large for the canonical form", None
    return "", (a, b)


def replay(proof: Proof) -> tuple[np.ndarray, np.ndarray]:
    """Both sides at the counterexample of a proof, from its dims and values alone."""
    bad = proof.counterexample
    if bad is None:
        raise bad_input("replay", "a refuted proof", proof.verdict, "only those have one")
    ready = prepare((proof.lhs, proof.rhs), proof.assume)
    modular = bad.kind == "field"
    values = {k: np.array(v, dtype=object if modular else float) for k, v in bad.values.items()}
    algebra: Any = field.Field(bad.seed) if modular else floating.Floating()
    with np.errstate(all="ignore"):
        a, b = evaluate(list(ready.roots), values, bad.dims, algebra)
    return a, b
