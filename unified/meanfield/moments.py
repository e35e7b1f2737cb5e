"""Gaussian moment equations, where they close."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.meanfield.functional import AbstractFunctional
from unified.meanfield.measures import GaussianMeasure
from unified.meanfield.stepper import AbstractStepper, State, wrong_measure


def closure(functional: AbstractFunctional, dim: int) -> tuple[Any, Any, Any]:
    """(A, g, K) of the quadratic potential ½xᵀAx − gᵀx and the quadratic interaction."""
    found = functional.quadratic(dim)
    a, g = found if found is not None else (np.zeros((dim, dim)), np.zeros(dim))
    k = functional.pairing(dim)
    k = np.zeros((dim, dim)) if k is None else k
    return (a + a.T) / 2, g, (k + k.T) / 2


class Moments(AbstractStepper):
    """The flow of a Gaussian under quadratic potentials, quadratic interactions and entropy.

    Equation: ṁ = −(Am − g), Σ̇ = −(A+K)Σ − Σ(A+K) + 2T; dissipation |Am − g|² +
    tr[(A+K−TΣ⁻¹)Σ(A+K−TΣ⁻¹)], all integrated together with error control.
    Reference: Hairer, Nørsett & Wanner (1993); theory page E3.
    """

    name = "moments"
    adaptive = True
    citation = "Gaussian closure; Hairer, Nørsett & Wanner (1993), DOP853 in SciPy"

    def __init__(self, functional: AbstractFunctional, dim: int, tol: float) -> None:
        super().__init__(functional)
        self.a, self.g, self.k = closure(functional, dim)
        self.tol = tol

    def start(self, mu0: Any) -> State:
        """Mean and covariance."""
        return gaussian_state(self.functional, mu0, self.name)

    def measure(self, state: State) -> GaussianMeasure:
        """The Gaussian of a state."""
        return GaussianMeasure(state["m"], state["sigma"])

    def identity(self) -> tuple[Any, ...]:
        """Also the tolerance."""
        return (*super().identity(), self.tol)

    def advance(self, state: State, first: int, last: int, dt: float) -> State:
        """The moments after (last − first)·dt."""
        from scipy.integrate import solve_ivp

        d, heat, pull = len(state["m"]), self.functional.temperature, self.a + self.k

        def slope(_: float, flat: Any) -> Any:
            m, sigma = flat[:d], flat[d:-1].reshape(d, d)
            force = self.a @ m - self.g
            rate = -(pull @ sigma + sigma @ pull) + 2 * heat * np.eye(d)
            lost = force @ force + np.sum(pull @ pull * sigma) - 2 * heat * np.trace(pull)
            if heat:
                lost += heat**2 * np.trace(np.linalg.inv(sigma))
            return np.concatenate([-force, rate.ravel(), [lost]])

        begin = np.concatenate([state["m"], state["sigma"].ravel(), [0.0]])
        span = (last - first) * dt
        found = solve_ivp(slope, (0.0, span), begin, method="DOP853", rtol=max(self.tol, 3e-14),
                          atol=self.tol * 1e-2, t_eval=(span,))  # fmt: skip
        if not found.success:
            return {**state, "m": np.full(d, np.nan)}
        end = found.y[:, -1]
        sigma = end[d:-1].reshape(d, d)
        more = state["dissipated"] + end[-1]
        return {"m": end[:d], "sigma": (sigma + sigma.T) / 2, "dissipated": np.float64(more)}


def gaussian_state(functional: AbstractFunctional, mu0: Any, method: str) -> State:
    """Mean, covariance and no dissipation yet. Raises: InputError for another measure."""
    if not isinstance(mu0, GaussianMeasure):
        raise wrong_measure(method, "a GaussianMeasure", mu0, "use mu0.to_gaussian()")
    if functional.temperature:
        mu0.log_density(mu0.m[None])  # refuses a Gaussian without a density
    return {"m": mu0.m, "sigma": mu0.sigma, "dissipated": np.float64(0)}
