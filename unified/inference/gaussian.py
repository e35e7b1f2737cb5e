"""The law of an energy quadratic in its states, which is normal: its mean, covariance, volume."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from unified.base.errors import bad_input
from unified.inference.problem import Problem


class GaussianLaw(NamedTuple):
    """N(mean, cov) over the stacked states, and log det H of F (not of F/T)."""

    mean: Any
    cov: Any
    logdet: float


def hessian_at(problem: Problem, vector: Any) -> Any:
    """H = ∂²F/∂s∂s at a stacked state, (N, N), made exactly symmetric."""
    state = problem.unstack(np.asarray(vector, float))
    found = problem.numeric.hessian(state, problem.params, problem.phase)
    return (found + found.T) / 2


def gaussian_law(problem: Problem) -> GaussianLaw:
    """The normal law p ∝ exp(−F/T) of a problem whose F is quadratic in the states.

    Equation: mean −H⁻¹∂F/∂s(0), one refinement step against rounding; cov T·H⁻¹.
    Shapes: mean (N,), cov (N, N) over the stacked states, and log det H.
    Raises: InputError for an F that is not quadratic, or whose H is not positive definite.
    Reference: theory page C4, D1.
    """
    if not problem.program.kernels.quadratic:
        raise bad_input(
            "energy", "an energy and cost quadratic in the states, for a normal law",
            repr(problem.program), "use un.inference.laplace, or sample",
        )  # fmt: skip
    zero = np.zeros(problem.size)
    hessian = hessian_at(problem, zero)
    factor = cho_factor(require_definite(problem, hessian), lower=True)
    mean = cho_solve(factor, problem.force(zero))
    mean = mean + cho_solve(factor, problem.force(mean))
    cov = problem.temperature * cho_solve(factor, np.eye(problem.size))
    logdet = 2.0 * float(np.sum(np.log(np.diagonal(factor[0]))))
    return GaussianLaw(mean, (cov + cov.T) / 2, logdet)


def require_definite(problem: Problem, hessian: Any, where: str = "") -> Any:
    """The Hessian itself. Raises: InputError naming the flattest direction if H is not ≻ 0."""
    scale = float(np.max(np.abs(hessian)))
    try:
        pivots = np.diagonal(np.linalg.cholesky(hessian))
        if np.min(pivots) ** 2 > 8 * np.finfo(float).eps * scale:
            return hessian
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(hessian)
    negative = f"H({problem.beta:g})" if problem.beta < 0 else "H"
    remedy = "use a smaller |beta|" if problem.beta < 0 else (
        "the law is improper: confine that direction, e.g. by adding 0.5*eps*s.sq() to the energy"
    )  # fmt: skip
    raise bad_input(
        "energy", f"a positive definite {negative} = d2F/ds2{where}",
        f"eigenvalue {values[0]:.3g} along {told(problem, vectors[:, 0])}", remedy,
    )  # fmt: skip


def told(problem: Problem, direction: Any) -> str:
    """A direction by its three largest units, as +0.71 s1[0] - 0.70 s1[1] ..."""
    order = np.argsort(-np.abs(direction), kind="stable")[:3]
    seen = [k for k in order if abs(direction[k]) > 1e-3 * abs(direction[order[0]])]
    parts = [f"{direction[k]:+.2f} {problem.units[k]}" for k in seen]
    return " ".join(parts) + (" ..." if np.count_nonzero(direction) > len(parts) else "")
