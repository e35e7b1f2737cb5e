"""Langevin chains begun in every well that is found, so that the gate can see them disagree."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.dynamics.langevin import GibbsSample, check_key, sample
from unified.inference.modes import modes_of
from unified.inference.problem import Problem

MOST = 16  # wells that get a chain of their own


def sample_wells(
    problem: Problem, *, key: int | None, draws: int = 2000, chains: int = 4, warmup: int = 200,
    throw: bool = True,
) -> GibbsSample:  # fmt: skip
    """Draws of a law by `unified.dynamics.sample`, with a chain in every well found.

    Chains that begin about one rest point may all stay in its well and then agree with each other:
    R-hat is 1.00, and the other wells are missing. Where `modes` finds several, chains begin in
    them in turn, each spread as its Laplace law, and only pass the gate if they cross.
    Raises: InputError for settings out of range; ConvergenceError unless throw=False if chains do
    not mix.
    """
    if key is None:
        raise bad_input("key", "a whole number, since the means are sampled", "none", "pass key=0")
    check_key(key)
    found = modes_of(problem, key=key)
    start: Any = None
    if len(found.laws) > 1:
        wells = found.laws[:MOST]
        chains = max(chains, len(wells))
        rng = np.random.default_rng(key)
        begin = [
            law.mean + np.linalg.cholesky(law.cov) @ rng.standard_normal(problem.size)
            for law in (wells[k % len(wells)] for k in range(chains))
        ]
        start = problem.unstack(np.stack(begin))
    return sample(
        problem.program, problem.params, problem.phase, problem.temperature, key=key, draws=draws,
        chains=chains, warmup=warmup, start=start, throw=throw,
    )  # fmt: skip
