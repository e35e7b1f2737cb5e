"""Draws from the posterior over states, by several samplers, behind one gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.dynamics.langevin import check_key, sample
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.inference.draws import attributes, gate, require_usable, to_data
from unified.inference.exact_draws import exact_draws, require_quadratic
from unified.inference.nuts import nuts_draws
from unified.inference.problem import Problem
from unified.inference.proper import require_proper

METHODS = ("nuts", "langevin", "exact")


def posterior(
    E: Energy, C: Cost | CostFamily | None, params: Mapping[str, Any], x: Any = None,
    y: Any = None, *, beta: float = 1.0, temperature: float = 1.0, key: int,
    method: str = "nuts", draws: int = 1000, tune: int = 1000, chains: int = 4,
    start: Mapping[str, Any] | None = None, throw: bool = True,
) -> Any:  # fmt: skip
    """Draws of p(s | x, y) ∝ exp(−(E + βC)/T) as ArviZ data, with the verdict of the gate.

    Equation: "nuts" samples the PyMC model of `to_pymc` (nutpie's sampler, PyMC's own where that
    is missing); "langevin" takes Metropolis-adjusted Langevin steps preconditioned by the Hessian
    at the mode (`un.sample`); "exact" draws independently through the block factors of H, for F
    quadratic in the states. Every unit, F and (with a cost) C must have split R-hat < 1.01 and
    effective sample size ≥ 400, without divergences: else the status says why, and the verdict is
    "inconclusive".
    Shapes: groups "posterior", states (chain, draw, ...) by name, and "sample_stats" with F, C
    (chain, draw); attrs hold beta, temperature, fingerprint, method, status, verdict, rhat_max,
    ess_min. InferenceData on ArviZ 0.x, an xarray.DataTree on 1.x.
    `start` (one state) is where all chains of "nuts" begin; "langevin" begins around the mode.
    All chains see the wells they visit: on a law with several modes the verdict is local.
    Raises: ConvergenceError unless throw=False if the draws did not pass the gate; InputError for
    an improper law (also where β < 0 makes it one), T ≤ 0, or settings out of range.
    Reference: Hoffman & Gelman (2014), JMLR 15, 1593; theory page D1–D3.
    """
    problem = Problem.of(E, C, params, x, y, beta=beta, temperature=temperature)
    check_key(key)
    if method not in METHODS:
        raise bad_input("method", f"one of {', '.join(METHODS)}", repr(method), "choose one")
    for name, value, least in (("draws", draws, 8), ("chains", chains, 2), ("tune", tune, 0)):
        if not isinstance(value, int | np.integer) or value < least:
            raise bad_input(name, f"a whole number of at least {least}", value, "raise it")
    if start is not None and method != "nuts":
        raise bad_input("start", f"none for method={method!r}", "a state", "leave it out")
    if method == "exact":
        require_quadratic(problem)
    require_proper(problem)
    stats: dict[str, Any] = {}
    if method == "exact":
        found, told = exact_draws(problem, chains, draws, key), "exact (block factors)"
    elif method == "langevin":
        found = problem.stack(
            sample(problem.program, problem.params, problem.phase, problem.temperature, key=key,
                   draws=draws, chains=chains, warmup=tune, throw=False).state
        )  # fmt: skip
        told = "langevin (MALA)"
    else:
        found, stats, told = nuts_draws(problem, chains, draws, tune, key, start)
    return _judged(problem, found, told, stats, throw)


def _judged(problem: Problem, found: Any, told: str, stats: dict[str, Any], throw: bool) -> Any:
    """The draws with F, C and the verdict of the gate."""
    flat = found.reshape(-1, problem.size)
    more = {"F": problem.evaluate("energy", flat)["F"]}
    if problem.program.target is not None:
        more["C"] = problem.evaluate("cost", flat)["C"]
    more = {k: v.reshape(found.shape[:2]) for k, v in more.items()}
    series = np.concatenate([found, *(v[..., None] for v in more.values())], axis=-1)
    lost = int(np.sum(stats.get("diverging", 0)))
    data = to_data(problem, found, told, gate(series, lost), {**more, **stats})
    if throw:
        require_usable(attributes(data), lost)
    return data
