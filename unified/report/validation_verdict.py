"""From seeds to a verdict: agreement and disagreement both need evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.multiplicity import holm
from unified.report.validation_measures import Measures
from unified.report.validation_statistics import (
    bootstrap_interval,
    correlation,
    fisher_interval,
    mean_interval,
    sign_tests,
)  # fmt: skip

VERDICTS = ("agrees", "inconclusive", "disagrees")
LEAST_SEEDS = 5
REFERENCE_SHARE = 0.1  # of the margin: how far a reference may be from its finite differences
# One-sided questions, each about a mean over seeds: is it above zero? The first decides; the others
# follow from it (no vector is at an angle, or off in scale, without a relative error as large) and
# say what is wrong.
TESTS = {
    "relative error above the margin": lambda m, d: m.relative_error - d,
    "angle above the margin": lambda m, d: m.angle - math.asin(min(d, 1.0)),
    "slope above 1 + margin": lambda m, d: m.slope - 1 - d,
    "slope below 1 - margin": lambda m, d: 1 - d - m.slope,
    "intercept above the margin": lambda m, d: m.intercept - d,
    "intercept below -margin": lambda m, d: -d - m.intercept,
}
INTERVALS = ("relative_error", "slope", "intercept", "cosine", "pearson")


@dataclass(frozen=True)
class Verdict:
    """The decision on one network, with the numbers it rests on.

    `p_agree` and `p_disagree` are Holm-adjusted over networks, `p_tests` over tests as well;
    `intervals` by quantity: (centre, low, high).
    """

    verdict: str
    reason: str
    used: int
    p_agree: float
    p_disagree: float
    p_tests: Any
    intervals: dict[str, tuple[float, float, float]]


def decide(
    measures: Mapping[str, Sequence[Measures]], margin: float, level: float
) -> dict[str, Verdict]:
    """One verdict per network.

    Equation: of each test of TESTS, the mean over seeds is tested by t on both sides at
    α = (1−level)/2. *Agrees*: all means are shown to lie within the margin (an intersection–union
    test: its p is the largest, Holm over networks), and no single seed lies beyond it. *Disagrees*:
    the mean relative error is shown to lie beyond it (Holm over networks). *Inconclusive*: neither;
    or fewer than 5 seeds, a phase that did not converge, or a reference that its own finite
    differences do not confirm to a tenth of the margin.
    Reference: Schuirmann (1987); Berger (1982), Technometrics 24, 295; Holm (1979).
    """
    alpha = (1 - level) / 2
    inside, beyond = {}, {}  # p-values of each network that reject the margin from either side
    for name, rows in measures.items():
        good = [m for m in rows if m.usable]
        excess = np.array([[test(m, margin) for m in good] for test in TESTS.values()])
        below, above = sign_tests(excess.reshape(len(TESTS), len(good)))
        inside[name], beyond[name] = float(np.max(below)), above
    agree = dict(zip(measures, holm(list(inside.values())), strict=True))
    disagree = dict(zip(measures, holm([p[0] for p in beyond.values()]), strict=True))
    each = dict(zip(measures, holm(np.array(list(beyond.values()))), strict=True))
    found = {}
    for name, rows in measures.items():
        good = [m for m in rows if m.usable]
        spans = intervals(good, level)
        p, tests = (float(agree[name]), float(disagree[name])), each[name]
        verdict, reason = _judge(rows, good, spans, p, tests, margin, alpha)
        found[name] = Verdict(verdict, reason, len(good), *p, tests, spans)
    return found


def overall(verdicts: Mapping[str, Verdict]) -> tuple[str, str]:
    """*Agrees* if every network does, *disagrees* if any does, else *inconclusive*; and why."""
    for word in ("disagrees", "inconclusive"):
        told = [f"{k}: {v.reason}" for k, v in verdicts.items() if v.verdict == word]
        if told:
            return word, "; ".join(told)
    return "agrees", "; ".join(f"{k}: {v.reason}" for k, v in verdicts.items())


def intervals(good: Sequence[Measures], level: float) -> dict[str, tuple[float, float, float]]:
    """(centre, low, high) over seeds: t for errors, slopes and intercepts, BCa for the cosine,
    Fisher's z for the correlation of the projections on one random direction per seed."""
    found = {
        name: mean_interval([getattr(m, name) for m in good], level)
        for name in ("relative_error", "slope", "intercept")
    }
    lost = np.array([2 * math.sin(m.angle / 2) ** 2 for m in good])  # 1 − cosine, without rounding
    low, high = bootstrap_interval(lost, level)
    found["cosine"] = (1 - float(lost.mean()) if good else math.nan, 1 - high, 1 - low)
    r = correlation([m.pair_reference for m in good], [m.pair_estimate for m in good])
    found["pearson"] = (r, *fisher_interval(r, len(good), level))
    return found


def _judge(rows: Sequence[Measures], good: Sequence[Measures], spans: Mapping[str, Any],
           p: tuple[float, float], p_tests: Any, margin: float,
           alpha: float) -> tuple[str, str]:  # fmt: skip
    if len(good) < len(rows):
        first = next(m.status for m in rows if not m.usable)
        return "inconclusive", (
            f"{len(rows) - len(good)} of {len(rows)} seeds did not converge ({first})"
        )
    if len(rows) < LEAST_SEEDS:
        return "inconclusive", f"{len(rows)} seeds, at least {LEAST_SEEDS} are needed"
    doubt = max(m.difference_of_reference for m in good)
    if not doubt <= REFERENCE_SHARE * margin:
        return "inconclusive", (
            f"the reference is {doubt:.2g} away from finite differences of its own objective, "
            f"more than a tenth of the margin {margin:g}"
        )
    middle, low, high = spans["relative_error"]
    told = f"relative error {middle:.2g} ({low:.2g} to {high:.2g}), margin {margin:g}"
    bias, left = (float(np.mean([getattr(m, k) for m in good]))
                  for k in ("declared_bias", "unexplained_error"))  # fmt: skip
    if math.isfinite(bias) and middle > REFERENCE_SHARE * margin:
        told += f"; its order in the nudge predicts {bias:.2g}, without that {left:.2g} is left"
    if p[1] < alpha:
        also = [name for name, q in zip(TESTS, p_tests, strict=True) if q < alpha][1:]
        return "disagrees", f"{', '.join([told, *also])}, p = {p[1]:.1g}"
    worst = max(m.relative_error for m in good)
    if p[0] < alpha and worst <= margin:
        return "agrees", f"{told}, p = {p[0]:.1g}"
    return "inconclusive", f"{told}: too wide to decide, the worst seed at {worst:.2g}"
