"""The evidence along a path: integrated over the nudge, or by annealed particles."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.dynamics.langevin import check_key
from unified.inference.evidence import EvidenceEstimate
from unified.inference.gaussian import gaussian_law, hessian_at
from unified.inference.laplace import laplace_of
from unified.inference.modes import modes_of
from unified.inference.problem import Problem
from unified.inference.quadratic import cost_of
from unified.inference.sampling import sample_wells
from unified.inference.smc import Annealed, anneal, reference_of

AGREE = 0.5  # nats: a standard error between annealed runs beyond which they say nothing


def by_integration(
    problem: Problem, *, key: int | None = None, nodes: int = 9, tolerance: float = 1e-9,
    draws: int = 2000, chains: int = 4, warmup: int = 200,
) -> EvidenceEstimate:  # fmt: skip
    """−(1/T)∫₀^β⟨C⟩dβ': thermodynamic integration, by quadrature in u with β' = β((1+κ)^u − 1)/κ.

    κ = β times the largest curvature of C over that of E, so that nodes gather where ⟨C⟩ bends.
    Gaussian laws: ⟨C⟩ exact, adaptive Gauss–Kronrod to `tolerance` nats. Others: ⟨C⟩ sampled, by
    chains in every well found, at `nodes` = 2^k + 1 Clenshaw–Curtis points, of which every other
    one gives a second quadrature.
    """
    stretch = _stretch(problem)
    if problem.beta == 0:
        return EvidenceEstimate(0.0, 0.0, "ti", "converged", problem)
    if problem.program.kernels.quadratic:
        return _exact_path(problem, stretch, tolerance)
    if not isinstance(nodes, int) or nodes < 5 or (nodes - 1) & (nodes - 2):
        raise bad_input("nodes", "2**k + 1, at least 5", nodes, "use e.g. 9")
    u = (1 - np.cos(np.pi * np.arange(nodes) / (nodes - 1))) / 2
    betas, slopes = _path(u, problem.beta, stretch)
    means, errors = np.empty(nodes), np.empty(nodes)
    for k, b in enumerate(betas):
        try:
            found = sample_wells(problem.at(float(b)), key=None if key is None else key + k,
                                 draws=draws, chains=chains, warmup=warmup)  # fmt: skip
        except ConvergenceError as err:
            told = f"evidence at beta={b:.3g} on the path: {err}"
            raise ConvergenceError(told, err.status) from err
        means[k] = np.mean(found.cost)
        errors[k] = np.std(found.cost, ddof=1) / np.sqrt(found.ess["cost"])
    weights = clenshaw_curtis(nodes) * slopes / problem.temperature
    coarse = clenshaw_curtis((nodes + 1) // 2) * slopes[::2] / problem.temperature
    value, rough = -float(weights @ means), -float(coarse @ means[::2])
    noise = float(np.linalg.norm(weights * errors))
    details = {"betas": betas, "means": means, "se": errors, "weights": weights,
               "quadrature_error": abs(value - rough), "sampling_error": noise}  # fmt: skip
    return EvidenceEstimate(value, abs(value - rough) + noise, "ti", "converged", problem, details)


def by_annealing(
    problem: Problem, *, key: int, runs: int = 8, particles: int = 1024, moves: int = 5,
    starts: int = 64, spread: float = 2.0, throw: bool = True,
) -> EvidenceEstimate:  # fmt: skip
    """Both integrals by annealed particles from one Gaussian; that of a Gaussian prior exactly.

    The reference is the prior itself if E is quadratic, else a Gaussian over all wells found.
    """
    check_key(key)
    free = problem.at(0.0)
    settings: dict[str, Any] = {"runs": runs, "particles": particles, "moves": moves}
    below: Annealed | None = None
    if _quadratic_energy(free):
        law = laplace_of(free)
        reference, base, base_error = (law.mean, law.cov), law.log_integral, 0.0
    else:
        reference = reference_of(modes_of(free, key=key, starts=starts, spread=spread))
        below = anneal(free, *reference, key=(key + 1) % 2**31, **settings)
        base, base_error = below.log_integral, below.error
        if problem.beta:
            reference = reference_of(modes_of(problem, key=key, starts=starts, spread=spread))
    above = anneal(problem, *reference, key=key, **settings)
    value, error = above.log_integral - base, float(np.hypot(above.error, base_error))
    runs_of = above.log_integrals - (base if below is None else below.log_integrals)
    details = {"runs": runs_of, "free_log_integral": base, "stages": int(np.max(above.stages)),
               "acceptance": float(np.min(above.acceptance))}  # fmt: skip
    status = "converged"
    if not np.isfinite(value) or error > AGREE or details["acceptance"] < 0.05:
        status = (
            f"runs disagree (standard error {error:.2g} nats) or do not move (acceptance "
            f"{details['acceptance']:.2g}); use more particles or moves"
        )
        if throw:
            raise ConvergenceError(f"evidence: {status}.", ("inconclusive",))
    return EvidenceEstimate(value, error, "smc", status, problem, details)


def clenshaw_curtis(n: int) -> Any:
    """The n weights on [0, 1] at (1 − cos(πk/(n−1)))/2, exact for polynomials below degree n."""
    k = np.arange(n)
    even = np.where(k % 2 == 0, 1.0 / (1.0 - np.where(k % 2 == 0, k, 0) ** 2), 0.0)
    table = np.cos(np.pi * np.outer(k, k) / (n - 1))  # T_j at the nodes, integral over [0, 1]
    return np.linalg.solve(table, even)


def _exact_path(problem: Problem, stretch: float, tolerance: float) -> EvidenceEstimate:
    from scipy.integrate import quad_vec

    cost, heat = cost_of(problem), problem.temperature
    seen: dict[float, float] = {}

    def integrand(u: float) -> float:
        (b,), (slope,) = _path(np.array([u]), problem.beta, stretch)
        seen[b] = cost.average(gaussian_law(problem.at(float(b))))
        return -slope * seen[b] / heat

    value, error = quad_vec(integrand, 0.0, 1.0, epsabs=tolerance, epsrel=1e-14, quadrature="gk15")
    betas = np.array(sorted(seen))
    details = {"betas": betas, "means": np.array([seen[b] for b in betas]),
               "se": np.zeros(len(betas)), "quadrature_error": float(error),
               "sampling_error": 0.0}  # fmt: skip
    return EvidenceEstimate(float(value), float(error), "ti", "converged", problem, details)


def _path(u: Any, beta: float, stretch: float) -> tuple[Any, Any]:
    """β' and dβ'/du at u in [0, 1]."""
    if stretch < 1e-3:
        return beta * u, beta * np.ones_like(u)
    rate = np.log1p(stretch)
    return beta * np.expm1(rate * u) / stretch, beta * rate * np.exp(rate * u) / stretch


def _stretch(problem: Problem) -> float:
    """κ at the mode of the free law; 0 where that says nothing."""
    free = laplace_of(problem.at(0.0))
    more = hessian_at(problem.at(1.0), free.mean) - hessian_at(free.problem, free.mean)
    stiff = np.linalg.eigvals(free.inverse @ more)
    return float(np.clip(problem.beta * np.max(stiff.real), 0.0, 1e8))


def _quadratic_energy(free: Problem) -> bool:
    """Whether E alone is quadratic in the states, whatever the cost is."""
    states = free.program.model.states
    return all(h.free.isdisjoint(states) for h in free.program.model.hessians.values())
