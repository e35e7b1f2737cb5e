"""Results as ArviZ knows them: labelled datasets in named groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unified.inference.problem import Problem


def law_attrs(problem: Problem) -> dict[str, Any]:
    """What a law was: energy, cost, β, T and the fingerprint of expressions, params and data."""
    cost = problem.program.cost_model
    return {
        "energy": problem.program.model.name, "cost": cost.name if cost else "none",
        "beta": problem.beta, "temperature": problem.temperature,
        "fingerprint": problem.fingerprint,
    }  # fmt: skip


def as_arviz(groups: Mapping[str, Any]) -> Any:
    """xarray.Datasets by group as InferenceData (ArviZ 0.23) or as a DataTree (ArviZ 1)."""
    import arviz as az

    if hasattr(az, "InferenceData"):
        return az.InferenceData(**groups)
    import xarray as xr

    return xr.DataTree.from_dict(dict(groups))
