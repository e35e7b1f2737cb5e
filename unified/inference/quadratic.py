"""Energies quadratic in the states, as three arrays: an independent, dense route to their laws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.dynamics.phase import Phase
from unified.inference.laplace import hessian_at
from unified.inference.problem import Problem


@dataclass(frozen=True)
class Parabola:
    """q(s) = constant + slopeᵀs + ½sᵀ·curvature·s over the stacked states (N)."""

    constant: float
    slope: Any
    curvature: Any

    def __call__(self, s: Any) -> float:
        return float(self.constant + self.slope @ s + 0.5 * s @ self.curvature @ s)

    def gradient(self, s: Any) -> Any:
        """∂q/∂s, (N,)."""
        return self.slope + self.curvature @ s

    def mean(self, mean: Any, cov: Any) -> float:
        """⟨q⟩ = q(mean) + ½ tr(curvature·cov) under any law of this mean and covariance."""
        return self(mean) + 0.5 * float(np.sum(self.curvature * cov))

    def __add__(self, other: Parabola) -> Parabola:
        return Parabola(self.constant + other.constant, self.slope + other.slope,
                        self.curvature + other.curvature)  # fmt: skip

    def scaled(self, factor: float) -> Parabola:
        """factor·q."""
        return Parabola(factor * self.constant, factor * self.slope, factor * self.curvature)

    def law(self, temperature: float) -> tuple[Any, Any]:
        """Mean and covariance of p ∝ exp(−q/T), by a dense Cholesky factorisation."""
        root = np.linalg.inv(np.linalg.cholesky(self.curvature))
        inverse = root.T @ root
        return -inverse @ self.slope, temperature * inverse


def require_quadratic(problem: Problem, what: str, remedy: str) -> None:
    """Raise InputError unless E + βC is quadratic in the states."""
    if not problem.program.kernels.quadratic:
        raise bad_input("energy", f"an energy and cost quadratic in the states, for {what}",
                        repr(problem.program), remedy)  # fmt: skip


def parabola(problem: Problem) -> Parabola:
    """E + βC of a quadratic problem, read off at s = 0.

    Raises: InputError if it is not quadratic.
    """
    require_quadratic(problem, "its three arrays", "use another method")
    zero = {k: np.zeros(shape) for k, shape in problem.shapes.items()}
    phase = Phase.nudged(problem.x, problem.y, problem.beta) if problem.beta else problem.phase
    program = problem.program
    constant = float(program.energy(zero, problem.params, phase))
    slope = -problem.stack(program.force(zero, problem.params, phase))
    return Parabola(constant, slope, hessian_at(problem, zero))


def energy_and_cost(problem: Problem) -> tuple[Parabola, Parabola]:
    """E and C of a quadratic problem, at unit β: F is linear in β, so two values tell both."""
    energy = parabola(problem.at(0.0))
    return energy, parabola(problem.at(1.0)) + energy.scaled(-1.0)
