"""Every estimator on one net: error, order, phases, steps, time, memory, conditions."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from unified.base.errors import ConvergenceError, InputError, UnifiedError
from unified.codegen.program import Program
from unified.commands.estimator_registry import Candidate
from unified.commands.timing import timed
from unified.dynamics.equilibrium import SOUND
from unified.dynamics.phase import Phase
from unified.dynamics.relax import phase_values
from unified.learning import Implicit, relative_error
from unified.learning.gradient import AbstractEstimator, prepare
from unified.report import fitted_order
from unified.report.validation_measures import nudge_of, nudged

NUDGES = np.geomspace(1e-3, 0.5, 10)
SLOW = 0.5  # seconds above which one call is timed, not many in turn
# Column -> units; numbers are NaN and words empty where an estimator was refused.
UNITS = {
    "relative_error": "1", "measured_order": "1", "declared_order": "1", "steps": "steps",
    "residual": "1", "seconds": "s", "times_implicit": "1", "temporary_bytes": "byte",
}  # fmt: skip
WORDS = ("gradient_of", "phases", "status", "conditions", "refusal")


def compare_estimators(
    candidates: Sequence[Candidate], program: Program, params: Any, x: Any, y: Any,
    *, repeats: int = 20,
) -> xr.Dataset:  # fmt: skip
    """A row per candidate.

    `relative_error` is against Implicit's gradient of the loss, whatever the estimator estimates;
    `steps` adds up the most relaxation steps of a sample over the phases; `seconds` is the median
    of interleaved public calls after warm-up (of one call where it takes longer than half a
    second), `times_implicit` the median ratio to Implicit in the same round; `temporary_bytes` is
    what XLA's memory analysis of the compiled estimate says it needs beside arguments and results.
    Raises: ConvergenceError if the free phase does not rest.
    """
    exact = Implicit()(program, params, x, y).grad
    rows = [_row(c, program, params, x, y, exact) for c in candidates]
    quick = {
        c.label: _call(c.estimator, program, params, x, y)
        for c, row in zip(candidates, rows, strict=True)
        if c.estimator is not None and not row["refusal"] and row["seconds"] < SLOW
    }
    base = _call(Implicit(), program, params, x, y)
    taken = timed({**quick, " exact": base}, repeats=repeats)
    for c, row in zip(candidates, rows, strict=True):
        if c.label in quick:
            row["seconds"] = taken.median(c.label)
            row["times_implicit"] = taken.ratio(c.label, " exact")
        elif not row["refusal"]:
            row["times_implicit"] = row["seconds"] / taken.median(" exact")
    data: dict[str, Any] = {k: ("estimator", [row.get(k, math.nan) for row in rows], {"units": u})
                            for k, u in UNITS.items()}  # fmt: skip
    data |= {k: ("estimator", [row.get(k, "") for row in rows]) for k in WORDS}
    return xr.Dataset(data, {"estimator": [c.label for c in candidates]}, {
        "energy": repr(program.model), "fingerprint": program.kernels.total.digest.hex(),
        "batch": len(x), "reference": "Implicit()",
    })  # fmt: skip


def _call(estimator: AbstractEstimator, *at: Any) -> Any:
    return lambda: estimator(*at, throw=False).grad


def _row(c: Candidate, program: Program, params: Any, x: Any, y: Any, exact: Any) -> dict[str, Any]:
    if c.estimator is None:
        return {"refusal": c.refusal}
    e = c.estimator
    row: dict[str, Any] = {
        "gradient_of": e.exact_for, "phases": ", ".join(e.phases), "refusal": "",
        "conditions": "; ".join(e.conditions),
        "declared_order": math.nan if e.order is None else e.order,
    }  # fmt: skip
    try:
        prepare(program, e)
        found = e(program, params, x, y, throw=False)
        begun = time.perf_counter()
        e(program, params, x, y, throw=False)
        row["seconds"] = time.perf_counter() - begun
    except (InputError, ConvergenceError) as error:
        return {**row, "refusal": str(error)}
    statuses = sorted(set(np.asarray(found.status).tolist()))
    row["status"] = ", ".join(map(str, statuses))
    if set(statuses) <= set(SOUND):  # nothing from a lost phase is shown as a number
        row["relative_error"] = relative_error(found.grad, exact)
    row["steps"] = sum(int(np.max(q.steps)) for q in found.equilibria)
    row["residual"] = max((float(np.max(q.residual)) for q in found.equilibria), default=math.nan)
    row["measured_order"] = _order(e, program, params, x, y, exact)
    row["temporary_bytes"] = _memory(e, program, params, x, y)
    return row


def _order(e: AbstractEstimator, program: Program, params: Any, x: Any, y: Any,
           exact: Any) -> float:  # fmt: skip
    """The slope of log error against log nudge where it is a straight line."""
    if e.order is None or e.exact_for != "loss" or nudge_of(e) is None:
        return math.nan
    errors = []
    for nudge in NUDGES:
        try:
            found = nudged(e, float(nudge))(program, params, x, y, throw=False)
        except UnifiedError:
            errors.append(math.nan)
            continue
        good = np.isin(found.status, SOUND).all()
        errors.append(relative_error(found.grad, exact) if good else math.nan)
    return fitted_order(NUDGES, errors, 1e-11)


def _memory(e: AbstractEstimator, program: Program, params: Any, x: Any, y: Any) -> float:
    """Bytes of temporaries of the compiled estimate; NaN if it is not one compiled function."""
    import jax

    try:
        with program.precision:
            values, _ = phase_values(program, params, Phase(x, y))
            made = jax.jit(lambda v: e.core(program, v)).lower(values).compile()
            found = made.memory_analysis()
    except (UnifiedError, NotImplementedError, TypeError):
        return math.nan
    return math.nan if found is None else float(found.temp_size_in_bytes)
