"""NUTS on the PyMC model of a problem: nutpie's sampler, or PyMC's own where that is missing."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from unified.inference import arviz_data
from unified.inference.problem import Problem
from unified.inference.pymc_model import build

KEPT = 4  # compiled models kept: a compilation takes half a minute, and serves every β and T
_compiled: OrderedDict[str, Any] = OrderedDict()


def nuts_draws(
    problem: Problem, chains: int, draws: int, tune: int, key: int,
    start: Mapping[str, Any] | None,
) -> tuple[Any, dict[str, Any], str]:  # fmt: skip
    """Draws (chains, draws, N), what the sampler says of each draw, and which sampler it was."""
    if find_spec("nutpie") is not None:
        data, told = _nutpie(problem, chains, draws, tune, key, start), "nuts (nutpie)"
    else:
        data, told = _pymc(problem, chains, draws, tune, key, start), "nuts (pymc)"
    group, stats = (arviz_data.group(data, name) for name in ("posterior", "sample_stats"))
    state = {n: group[n].transpose("chain", "draw", ...).values for n in problem.shapes}
    said = {"diverging": np.asarray(stats["diverging"].values, bool)}
    return problem.stack(state), said, told


def _nutpie(problem: Problem, chains: int, draws: int, tune: int, key: int, start: Any) -> Any:
    import nutpie

    # Flat states: the law as it is, whose compilation serves every β and T.
    model = _compiled.get(problem.fingerprint) if start is None else None
    if model is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its libraries, about coming versions
            begin = None if start is None else {k: np.asarray(v) for k, v in start.items()}
            model = nutpie.compile_pymc_model(build(problem, None, None), initial_points=begin)
        if start is None:
            _compiled[problem.fingerprint] = model
            while len(_compiled) > KEPT:
                _compiled.popitem(last=False)
    data = {"temperature": np.asarray(problem.temperature)}
    if problem.program.target is not None:
        data["beta"] = np.asarray(problem.beta)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nutpie.sample(
            model.with_data(**data), draws=draws, tune=tune, chains=chains, seed=key,
            save_warmup=False, progress_bar=False,
        )  # fmt: skip


def _pymc(problem: Problem, chains: int, draws: int, tune: int, key: int, start: Any) -> Any:
    import pymc as pm

    with build(problem, None, None), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the gate judges anyway
        return pm.sample(
            draws, tune=tune, chains=chains, cores=1, random_seed=key, progressbar=False,
            nuts_sampler="pymc", compute_convergence_checks=False,
            initvals=None if start is None else dict(start),
        )  # fmt: skip
