"""A cost quadratic in the states, as three arrays: a dense route to Gaussian means of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.inference.gaussian import GaussianLaw, hessian_at
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

    def average(self, law: GaussianLaw) -> float:
        """⟨q⟩ = q(mean) + ½ tr(curvature·cov)."""
        return self(law.mean) + 0.5 * float(np.sum(self.curvature * law.cov))


def cost_of(problem: Problem) -> Parabola:
    """C of a problem whose F is quadratic, read off at s = 0: F is linear in β."""
    zero, bare, nudged = np.zeros(problem.size), problem.at(0.0), problem.at(1.0)
    constant = float(problem.evaluate("cost", zero[None])["C"][0])
    slope = bare.force(zero) - nudged.force(zero)
    return Parabola(constant, slope, hessian_at(nudged, zero) - hessian_at(bare, zero))
