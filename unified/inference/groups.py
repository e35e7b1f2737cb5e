"""Results as ArviZ knows them: labelled datasets in named groups, with the law in attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from unified.inference import arviz_data
from unified.inference.draws import layout
from unified.inference.problem import Problem


def law_attrs(problem: Problem) -> dict[str, Any]:
    """What a law was: energy, cost, β, T and the fingerprint of expressions, params and data."""
    cost = problem.program.cost_model
    return {
        "energy": problem.program.model.name, "cost": cost.name if cost else "none",
        "beta": problem.beta, "temperature": problem.temperature,
        "fingerprint": problem.fingerprint,
    }  # fmt: skip


def as_arviz(problem: Problem, groups: Mapping[str, Any]) -> Any:
    """xarray.Datasets by group, as the ArviZ at hand keeps them."""
    return arviz_data.make(groups, law_attrs(problem))


def posterior_group(problem: Problem, draws: Any, method: str) -> Any:
    """Stacked draws (chains, draws, N) as the dataset of a posterior group."""
    import xarray as xr

    dims, coords = layout(problem)
    index = {"chain": np.arange(draws.shape[0]), "draw": np.arange(draws.shape[1])}
    named = {k: (["chain", "draw", *dims[k]], v) for k, v in problem.unstack(draws).items()}
    return xr.Dataset(named, index | coords, law_attrs(problem) | {"method": method})
