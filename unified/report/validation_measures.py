"""What one seed says about an estimator: its gradient beside the reference, number by number."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError
from unified.dynamics.equilibrium import SOUND
from unified.learning.compare import flat
from unified.learning.gradient import AbstractEstimator, GradientEstimate
from unified.report.validation_cases import Arrays, Case
from unified.report.validation_statistics import angle, line

ENTRIES = 200  # of every gradient that are kept, to be drawn


@dataclass(frozen=True)
class Measures:
    """An estimate against its reference at one seed; NaN where there is nothing to compare.

    Equation: relative_error |ĝ−g|/|g|; angle between them in radians; slope b and intercept a/rms
    of ĝ = a + b g over all entries, rms that of g; pair: projections on one Gaussian direction,
    over |g|; bias: the declared order's, |ĝ_β − ĝ_{β/2}|/(1 − 2^{−p})/|g|, and the relative error
    left without it; differences: largest gap along the random directions, over |g|.
    Shapes: numbers; `entries` (2, ENTRIES or fewer): estimate and reference over the reference rms.
    """

    status: str = "converged"
    residual: float = math.nan
    relative_error: float = math.nan
    angle: float = math.nan
    slope: float = math.nan
    intercept: float = math.nan
    pair_estimate: float = math.nan
    pair_reference: float = math.nan
    declared_bias: float = math.nan
    unexplained_error: float = math.nan
    difference_of_estimate: float = math.nan
    difference_of_reference: float = math.nan
    difference_error: float = math.nan
    steps: Any = None
    errors: dict[str, float] = field(default_factory=dict)
    angles: dict[str, float] = field(default_factory=dict)
    entries: Any = None

    @property
    def usable(self) -> bool:
        """True if the seed may enter a mean."""
        return self.status == "converged" and math.isfinite(self.relative_error + self.slope)


def measure(estimator: AbstractEstimator, case: Case, residual: float | None) -> Measures:
    """Run the estimator at a case and compare; a phase that did not rest is told, not averaged.

    `residual` is what every phase must reach (None: its own tolerance).
    """
    if case.reference is None:
        return Measures(status=f"reference: {case.fault}")
    reference, status, worst = case.reference, *_state(case.reference, None)
    if status != "converged":
        return Measures(status=f"reference: {status}", residual=worst)
    try:
        found = estimator(case.program, case.params, case.x, case.y, throw=False)
    except ConvergenceError as error:
        return Measures(status=str(error))
    status, worst = _state(found, residual)
    g, e = flat(reference.grad), flat(found.grad)
    size = float(np.linalg.norm(g))
    if status == "converged" and not np.isfinite(e).all():
        status = "non_finite"
    if status == "converged" and not 0 < size < math.inf:
        status = "reference: its gradient is zero or not finite"
    if status != "converged":
        return Measures(status=status, residual=worst)
    rms = size / math.sqrt(g.size)
    slope, offset = line(g, e)
    along, rng = case.differences, np.random.default_rng(case.seed)
    assert along is not None
    kept = np.sort(rng.permutation(g.size)[:ENTRIES])
    bias, left = _declared_bias(estimator, found, case, residual)
    return Measures(
        status, worst, float(np.linalg.norm(e - g)) / size, angle(e, g), slope, offset / rms,
        _dot(found.grad, case.pair) / size, _dot(reference.grad, case.pair) / size, bias, left,
        _gap(found.grad, case, size), _gap(reference.grad, case, size),
        float(np.max(along.errors)) / size, along.steps,
        {k: float(np.linalg.norm(found.grad[k] - v) / _norm(v)) for k, v in reference.grad.items()},
        {k: angle(np.ravel(found.grad[k]), np.ravel(v)) for k, v in reference.grad.items()},
        np.stack([e, g])[:, kept] / rms,
    )  # fmt: skip


def _norm(v: Any) -> float:
    return float(np.linalg.norm(v)) or math.nan  # a zero block has no relative error


def _dot(a: Arrays, b: Arrays) -> float:
    return float(sum(np.sum(a[k] * b[k]) for k in b))


def _gap(grad: Arrays, case: Case, size: float) -> float:
    assert case.differences is not None
    slopes = np.array([_dot(grad, d) for d in case.differences.directions])
    return float(np.max(np.abs(slopes - case.differences.slopes))) / size


def _state(found: GradientEstimate, residual: float | None) -> tuple[str, float]:
    """`converged`, or why not; and the largest residual over phases and samples.

    A phase that was asked to stop after some steps (truncated) has no residual to reach.
    """
    worst = max((float(np.max(e.residual)) for e in found.equilibria), default=0.0)
    bad = np.asarray(found.status)[~np.isin(found.status, SOUND)]
    if bad.size:
        return str(bad[0]), worst
    for phase in found.equilibria:
        limit = phase.tol if residual is None else residual
        asked = np.where(np.asarray(phase.status) == "truncated", 0.0, phase.residual)
        if not np.max(asked) <= limit:
            return f"residual {np.max(asked):.2g} above {limit:.2g}", worst
    return "converged", worst


def nudge_name(estimator: AbstractEstimator) -> str | None:
    """The setting whose powers the bias is a series in, if the estimator has one."""
    return next((f.name for f in fields(estimator) if f.name in ("beta", "radius")), None)


def nudge_of(estimator: AbstractEstimator) -> float | None:
    """The strength of its nudge; None without one, or where the output is clamped (β = ∞)."""
    value = getattr(estimator, nudge_name(estimator) or "", None)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def nudged(estimator: AbstractEstimator, nudge: float) -> AbstractEstimator:
    """The same estimator with another nudge."""
    return replace(estimator, **dict[str, Any]({str(nudge_name(estimator)): nudge}))


def _declared_bias(estimator: AbstractEstimator, found: GradientEstimate, case: Case,
                   residual: float | None) -> tuple[float, float]:  # fmt: skip
    """How much of the error the declared order in β predicts, from half the nudge."""
    order, nudge = estimator.order, nudge_of(estimator)
    if order is None or nudge is None:
        return math.nan, math.nan
    half = nudged(estimator, nudge / 2)
    try:
        near = half(case.program, case.params, case.x, case.y, throw=False)
    except ConvergenceError:
        return math.nan, math.nan
    if _state(near, residual)[0] != "converged" or case.reference is None:
        return math.nan, math.nan
    g, far = flat(case.reference.grad), flat(found.grad)
    bias = (far - flat(near.grad)) / (1 - 2.0**-order)
    size = np.linalg.norm(g)
    return float(np.linalg.norm(bias) / size), float(np.linalg.norm(far - bias - g) / size)
