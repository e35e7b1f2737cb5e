"""Validation of gradient estimators: seeds × networks, equivalence tests, a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.learning.gradient import AbstractEstimator, prepare
from unified.report.validation_cases import Case, make_cases
from unified.report.validation_measures import ENTRIES, Measures, measure, nudge_of
from unified.report.validation_statistics import check_level
from unified.report.validation_verdict import INTERVALS, TESTS, Verdict, decide, overall

MARGIN = 1e-2
# Variables of one number per network and seed, with their units.
PER_SEED = {
    "residual": "1", "relative_error": "1", "angle": "rad", "slope": "1",
    "intercept": "rms of the reference", "declared_bias": "1", "unexplained_error": "1",
    "difference_of_estimate": "1", "difference_of_reference": "1", "difference_error": "1",
    "pair_estimate": "norm of the reference", "pair_reference": "norm of the reference",
}  # fmt: skip


def validate_gradient(
    estimator: AbstractEstimator,
    reference: AbstractEstimator,
    program: Program | Mapping[str, Program],
    data: Any,
    seeds: Iterable[int] = range(10),
    *,
    params: Callable[[int], Mapping[str, Any]] | Mapping[str, Any] | None = None,
    margin: float = MARGIN,
    level: float = 0.95,
    directions: int = 8,
    residual: float | None = None,
) -> xr.Dataset:
    """Whether an estimator's gradient is the reference's, over independent seeds and networks.

    Equation: per seed, cosine, |ĝ−g|/|g| and the line ĝ = a + b g over entries; over seeds, t
    intervals of error, slope and intercept, a BCa bootstrap interval of the cosine, and Pearson's r
    with Fisher's z interval of the projections (d·g, d·ĝ) on one random direction per seed. The
    verdict rests on two one-sided tests against `margin`, Holm-corrected (see `decide`).
    An estimator of bias O(β^p) differs from the exact gradient by a real amount: whether that is
    small is what `margin` says, and the declared order, the bias it predicts (from half the nudge)
    and the error left without that bias stand beside it.
    Shapes: program one Program or {network: Program}; data (x, y), a function seed -> (x, y), a
    `un.data` set (16 rows drawn per seed), or {network: one of these}; params a function
    seed -> parameters (or one per network), `program.init` unless given. Results over network,
    seed, parameter, direction, test, bound.
    `margin` bounds relative error, slope − 1, intercept (in rms of g) and the sine of the angle;
    `residual` is what every phase must reach (None: the estimator's own tolerance; inf: its
    statuses decide alone). A seed without convergence is recorded, and never averaged.
    Raises: InputError for an estimator or a reference that does not apply to a program, seeds that
    repeat, programs in float32, or a margin or level out of range. What does not converge raises
    nothing: the verdict is then inconclusive.
    Reference: theory page G; Schuirmann (1987); Fisher (1921); Efron (1987); Holm (1979).
    """
    check_margin(margin)
    check_level(level)
    cases = make_cases(reference, program, data, seeds, params=params, directions=directions)
    return validate_cases(estimator, cases, margin=margin, level=level, residual=residual)


def validate_cases(
    estimator: AbstractEstimator, cases: Sequence[Case], *, margin: float = MARGIN,
    level: float = 0.95, residual: float | None = None,
) -> xr.Dataset:  # fmt: skip
    """As `validate_gradient`, on cases already made. Raises: InputError as there."""
    check_margin(margin)
    check_level(level)
    if not isinstance(estimator, AbstractEstimator):
        raise bad_input("estimator", "an estimator such as un.Centered(0.01)", estimator, "pass it")
    if residual is not None and not residual > 0:
        raise bad_input("residual", "a positive number, or None", residual, "use e.g. 1e-10")
    programs = {c.network: c.program for c in cases}
    for program in programs.values():
        prepare(program, estimator)
    measures: dict[str, list[Measures]] = {name: [] for name in programs}
    for case in cases:
        measures[case.network].append(measure(estimator, case, residual))
    verdicts = decide(measures, margin, level)
    verdict, reason = overall(verdicts)
    found = _dataset(cases, measures, verdicts)
    found["verdict"] = ((), verdict)
    reference = next((str(c.reference.estimator) for c in cases if c.reference), "none")
    return found.assign_attrs(
        verdict=verdict, reason=reason, estimator=str(estimator), reference=reference,
        estimates=estimator.exact_for, phases=", ".join(estimator.phases),
        declared_order="none" if estimator.order is None else int(estimator.order),
        nudge=nudge_of(estimator) or "none",
        margin=float(margin), level=float(level),
        residual_limit="each phase's own" if residual is None else float(residual),
        n="independent seeds",
    )  # fmt: skip


def check_margin(margin: float) -> None:
    """Raise InputError unless 0 < margin < 1."""
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 < margin < 1:
        raise bad_input("margin", "a relative error between 0 and 1", margin, "use 0.01")


def _dataset(
    cases: Sequence[Case], measures: Mapping[str, Sequence[Measures]],
    verdicts: Mapping[str, Verdict],
) -> xr.Dataset:  # fmt: skip
    """Everything measured, by name."""
    networks = list(measures)
    programs = {c.network: c.program for c in cases}
    rows = [measures[n] for n in networks]
    names = list(dict.fromkeys(p.name for q in programs.values() for p in q.model.params))
    seeds = list(dict.fromkeys(c.seed for c in cases))
    data: dict[str, Any] = {
        k: (("network", "seed"), [[getattr(m, k) for m in row] for row in rows], {"units": unit})
        for k, unit in PER_SEED.items()
    }
    data["cosine"] = (("network", "seed"), [[math.cos(m.angle) for m in row] for row in rows],
                      {"units": "1"})  # fmt: skip
    data["status"] = ("network", "seed"), [[m.status for m in row] for row in rows]
    for key, values, unit in (("parameter_error", "errors", "1"),
                              ("parameter_angle", "angles", "rad")):  # fmt: skip
        table = [[[getattr(m, values).get(p, math.nan) for p in names] for m in row]
                 for row in rows]  # fmt: skip
        data[key] = ("network", "seed", "parameter"), table, {"units": unit}
    along = max((len(m.steps) for row in rows for m in row if m.steps is not None), default=1)
    steps = [[np.full(along, math.nan) if m.steps is None else m.steps for m in row]
             for row in rows]  # fmt: skip
    data["difference_step"] = ("network", "seed", "direction"), np.array(steps), {"units": "1"}
    entries = np.full((2, len(networks), len(seeds), ENTRIES), math.nan)
    for i, row in enumerate(rows):
        for j, m in enumerate(row):
            if m.entries is not None:
                entries[:, i, j, : m.entries.shape[1]] = m.entries
    for key, values_of in zip(("estimate", "reference"), entries, strict=True):
        data[key] = (("network", "seed", "entry"), values_of, {"units": "rms of the reference"})
    kept = [verdicts[n] for n in networks]
    data["network_verdict"] = "network", [v.verdict for v in kept]
    data["network_reason"] = "network", [v.reason for v in kept]
    data["seeds_used"] = "network", [v.used for v in kept]
    told = {"correction": "Holm over networks"}
    data["p_agree"] = "network", [v.p_agree for v in kept], told
    data["p_disagree"] = "network", [v.p_disagree for v in kept], told
    data["p_tests"] = (("network", "test"), [v.p_tests for v in kept],
                       {"correction": "Holm over tests and networks"})  # fmt: skip
    for k in INTERVALS:
        data[f"{k}_interval"] = ("network", "bound"), [v.intervals[k] for v in kept]
    coords = {
        "network": networks, "seed": seeds, "parameter": names, "test": list(TESTS),
        "bound": ["centre", "low", "high"],
        "energy": ("network", [repr(programs[n].model) for n in networks]),
        "fingerprint": ("network", [programs[n].kernels.total.digest.hex() for n in networks],
                        {"of": "F = E + beta C"}),
    }  # fmt: skip
    return xr.Dataset(data, coords)
