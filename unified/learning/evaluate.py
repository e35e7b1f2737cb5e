"""What a trained net says: its free-phase output, and how often the class is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.methods import AbstractMethod
from unified.dynamics.metric import AbstractMetric
from unified.dynamics.phase import Phase
from unified.dynamics.relax import relax


def predict(
    program: Program,
    params: Mapping[str, Any],
    x: Any,
    *,
    method: AbstractMethod | None = None,
    tol: float | None = None,
    metric: AbstractMetric | None = None,
    chunk: int = 512,
) -> Any:
    """The output state at the free rest point of every sample.

    Shapes: x (batch, n0), result (batch, ny).
    Raises: ConvergenceError if a sample does not come to rest (where units ascend in the metric:
    to stable rest).
    """
    certify = metric is not None and not metric.definite(s.name for s in program.model.states)
    parts = []
    for start in range(0, len(x), chunk):
        phase = Phase.free(x[start : start + chunk])
        rest = relax(program, params, phase, method, tol, certify=certify, metric=metric)
        parts.append(rest.state[program.model.output.name])
    if not parts:
        raise bad_input("x", "at least one sample", "an empty batch", "pass data")
    return np.concatenate(parts)


def error_rate(
    program: Program, params: Mapping[str, Any], x: Any, y: Any, **how: Any
) -> float:
    """The fraction of samples whose largest output is not the largest target.

    Shapes: x (batch, n0), y one-hot (batch, ny). Raises: as `predict`.
    """
    found = predict(program, params, x, **how)
    return float(np.mean(np.argmax(found, axis=1) != np.argmax(y, axis=1)))
