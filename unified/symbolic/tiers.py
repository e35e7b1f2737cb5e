"""The evaluating tiers of a proof: exact over a prime field, and float64."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from unified.base.errors import InputError
from unified.symbolic import field, floating
from unified.symbolic.assume import Prepared
from unified.symbolic.degree import error_per_draw
from unified.symbolic.evaluate import evaluate
from unified.symbolic.modular import Logs, Singular, is_zero
from unified.symbolic.nodes import Add, Expr, Var
from unified.symbolic.proof import Counterexample

SCALAR_ROUNDS = 5  # times as many draws where there is no dimension to vary
TRIES = 8
AGREE, DIFFER = 1e-9, 1e-6  # relative float64 differences called equal, and called different


def variables(roots: Iterable[Expr]) -> list[Var]:
    """The variables of the expressions, by name."""
    return sorted({v for r in roots for v in r.free}, key=lambda v: v.name)


def _field_values(
    roots: Sequence[Expr], ready: Prepared, dims: Mapping[str, int], seed: str
) -> dict[str, np.ndarray]:
    return {
        v.name: field.draw(v, tuple(dims[a.name] for a in v.axes), ready.kinds.get(
            v.name, frozenset()), seed)
        for v in variables(roots)
    }  # fmt: skip


def exact(
    roots: Sequence[Expr], ready: Prepared, sets: Sequence[Mapping[str, int]], draws: int, seed: int
) -> tuple[Counterexample | None, float, set[str]]:
    """The first mismatch over the field, or None with the error bound; and what was interpreted."""
    worst = 0.0
    rounds = draws if sets != ({},) else draws * SCALAR_ROUNDS
    for dims in sets:
        for k in range(rounds):
            bad, interpreted = _one_draw(roots, ready, dims, f"{seed}:{k}")
            if bad is not None:
                return bad, 0.0, interpreted
        worst = max(worst, error_per_draw(list(roots), dims, ready.orthogonal) ** rounds)
    return None, worst, set()


def _one_draw(
    roots: Sequence[Expr], ready: Prepared, dims: Mapping[str, int], seed: str
) -> tuple[Counterexample | None, set[str]]:
    for attempt in range(TRIES):
        key = f"{seed}:{attempt}"
        algebra = field.Field(key)
        try:
            values = _field_values(roots, ready, dims, key)
            a, b = evaluate(list(roots), values, dims, algebra)
        except Singular:
            continue
        for entry in np.ndindex(a.shape):
            if not is_zero(a[entry] - b[entry]):
                plain = {name: v.tolist() for name, v in values.items()}
                sides = _shown(a[entry]), _shown(b[entry])
                bad = Counterexample("field", dict(dims), key, entry, *sides, plain)
                return bad, algebra.interpreted
        return None, set()
    raise InputError(
        f"prove: expected invertible matrices and nonzero denominators, got a singular one on each "
        f"of {TRIES} draws at {dict(dims)}; check for an inverse that never exists, such as that "
        "of a matrix of low rank."
    )


def _shown(value: Any) -> Any:
    if not isinstance(value, Logs):
        return int(value)
    terms = [f"{c}·" + "·".join(f"log {d}" for d in k) if k else str(c)
             for k, c in value.terms.items()]  # fmt: skip
    return " + ".join(terms)


def numeric(
    ready: Prepared, sets: Sequence[Mapping[str, int]], draws: int, seed: int, first: dict[str, int]
) -> tuple[float, Counterexample | None, str]:
    """A relative difference in float64, where it was found, or why there is none.

    At the dimensions `first`, where the field differs: the median over the draws, so that one
    ill-conditioned draw decides nothing.  If that is small, the largest over all sets.
    """
    points = _points(ready, first, max(4, draws), seed, 1.0)  # below 1, rounding may be all
    if not points:
        return -1.0, None, f"float64 evaluation is not finite on any draw at {first}"
    points.sort(key=lambda p: p[0])
    middle = points[len(points) // 2]
    if middle[0] > DIFFER:
        return *middle, ""
    points = []
    for dims in sets:
        found = _points(ready, dims, draws, seed, 1e-300)  # two tiny values are not equal for it
        if not found:
            return -1.0, None, f"float64 evaluation is not finite on any draw at {dict(dims)}"
        points += found
    gap, worst = max(points, key=lambda p: p[0])
    return min(gap, DIFFER), worst, ""


def _points(
    ready: Prepared, dims: Mapping[str, int], draws: int, seed: int, floor: float
) -> list[tuple[float, Counterexample]]:
    """Relative differences at up to `draws` points where both sides are finite.

    Relative to the largest entry or term of either side, or to `floor` if that is larger.
    """
    found: list[tuple[float, Counterexample]] = []
    for k in range(4 * draws):
        key = f"{seed}:{k}:{k % 2}"  # every other draw positive, for logarithms and roots
        a, b, scale, values = _float_sides(ready, dims, key)
        if np.all(np.isfinite(a)) and np.all(np.isfinite(b)):
            off = np.abs(a - b) / max(scale, floor)
            entry = tuple(int(i) for i in np.unravel_index(int(off.argmax()), off.shape))
            plain = {name: v.tolist() for name, v in values.items()}
            sides = float(a[entry]), float(b[entry])
            bad = Counterexample("float64", dict(dims), key, entry, *sides, plain)
            found.append((float(off.max()), bad))
        if len(found) == draws:
            break
    return found


def _float_sides(
    ready: Prepared, dims: Mapping[str, int], key: str
) -> tuple[np.ndarray, np.ndarray, float, dict[str, np.ndarray]]:
    positive = key.endswith(":1")
    values = {}
    for v in variables(ready.roots):
        rng = np.random.default_rng(list(f"{key}|{v.name}".encode()))
        shape = tuple(dims[a.name] for a in v.axes)
        kinds = ready.kinds.get(v.name, frozenset())
        values[v.name] = floating.draw(v, shape, kinds, rng, positive)
    with np.errstate(all="ignore"):
        terms = [t for r in ready.roots if isinstance(r, Add) for t in r.terms]
        a, b, *rest = evaluate([*ready.roots, *terms], values, dims, floating.Floating())
    scale = max(float(np.max(np.abs(v))) for v in (a, b, *rest))
    return a, b, scale, values
