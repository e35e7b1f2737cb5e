"""JKO steps on grids, with entropic transport."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.meanfield.functional import AbstractFunctional, part
from unified.meanfield.grid import GridMeasure
from unified.meanfield.internal import positive
from unified.meanfield.potential import Potential
from unified.meanfield.result import STATUS
from unified.meanfield.stepper import AbstractStepper, State

SWEEPS, OUTER = 5000, 60


class EntropicJKO(AbstractStepper):
    """μ⁺ = argmin F(μ) + W_γ(μ, μ_k)/2h, W_γ the transport cost with γ times an entropy.

    Equation: π_ij = a_i K_ij b_j, K = exp(−|x−y|²/2hγ), found by alternating a = ρ_k/Kb and
    b = ρ/Kᵀa, ρ = (Kᵀa·e^{−φ/γ})^{γ/(γ+T′)}, in logarithms. An entropic plan costs W²/2h +
    (γ/2)(∫ρ log ρ + const) + O(γ²), so T′ = T − γ/2 removes the blur to first order. φ = δ𝓔/δμ is
    taken at the ρ sought, by an outer iteration if there are interactions.
    Reference: Peyré (2015), SIAM J. Imaging Sci. 8, 2323.
    """

    name = "jko, entropic"
    certifies = "none: an entropic step minimises a blurred F"
    citation = "Peyré (2015), SIAM J. Imaging Sci. 8, 2323"

    def __init__(self, functional: AbstractFunctional, grid: GridMeasure, step: float,
                 strength: float | None, tol: float) -> None:  # fmt: skip
        super().__init__(functional)
        self.grid, self.tol = grid, tol
        self.outside = part(functional, False)
        self.still = all(isinstance(t, Potential) for t in self.outside.terms)
        least = max(grid.steps) ** 2 / step
        most = min((s[-1] - s[0]) ** 2 for s in grid.sides) / (16 * step)
        self.gamma = 2 * least if strength is None else positive("entropic", strength)
        if self.gamma < least:
            raise bad_input("entropic", f"at least {least:.4g}, so that cells resolve the plan",
                            f"{self.gamma:.4g}", "refine the grid or raise dt")  # fmt: skip
        if self.gamma > most:
            raise bad_input("entropic", f"at most {most:.4g}, so that the plan fits the grid",
                            f"{self.gamma:.4g}", "refine the grid or raise dt")  # fmt: skip

    def identity(self) -> tuple[Any, ...]:
        """Also the strength of the entropy and the tolerance."""
        return (*super().identity(), self.gamma, self.tol)

    def start(self, mu0: Any) -> State:
        """The density, and the scaling that the last step ended with."""
        flat = np.zeros_like(mu0.density)
        nan = np.float64(np.nan)  # W itself is not known, only its blurred relative
        return {"rho": mu0.density, "b": flat, "dissipated": nan, "sweeps": np.float64(0)}

    def measure(self, state: State) -> GridMeasure:
        """The density on the grid."""
        return self.grid.at(state["rho"])

    def advance(self, state: State, first: int, last: int, dt: float) -> State:
        """Steps of length dt. Raises: ConvergenceError if the scalings do not converge."""
        kernels = [
            -((s[:, None] - s[None]) ** 2) / (2 * dt * self.gamma) + np.log(h)
            for s, h in zip(self.grid.sides, self.grid.steps, strict=True)
        ]
        for _ in range(first, last):
            state = self._step(state, kernels)
        return state

    def _step(self, state: State, kernels: list[Any]) -> State:
        rho, b, sweeps = state["rho"], state["b"], 0
        phi = self._potential(rho)
        for _ in range(OUTER):
            rho, b, count = self._scale(state["rho"], phi, b, kernels)
            sweeps += count
            if self.still:
                break
            before, phi = phi, self._potential(rho)
            moved = phi - before - np.sum(rho * (phi - before)) * self.grid.volume
            if float(np.sum(rho * np.abs(moved))) * self.grid.volume <= self.tol * self.gamma:
                break
        else:
            raise self._unsolved("an interaction", float(np.max(np.abs(moved))), OUTER)
        return {"rho": rho, "b": b, "dissipated": state["dissipated"],
                "sweeps": np.float64(max(sweeps, float(state["sweeps"])))}  # fmt: skip

    def _scale(self, old: Any, phi: Any, b: Any, kernels: list[Any]) -> tuple[Any, Any, int]:
        """The minimiser at a fixed φ: the density, the scaling b, and the sweeps it took."""
        gamma, heat = self.gamma, self.functional.temperature - self.gamma / 2
        share, log = gamma / (gamma + heat), np.log(np.maximum(old, 1e-300))
        a = log - _blur(b, kernels)
        for count in range(1, SWEEPS + 1):
            q = _blur(a, kernels)
            new = share * (q - phi / gamma)
            b = new - q
            # The plan's second marginal is ρ now; its first one is ρ_k but for this much.
            behind, a = a, log - _blur(b, kernels)
            off = float(np.sum(old * np.abs(np.expm1(np.minimum(behind - a, 50.0)))))
            if off * self.grid.volume <= self.tol:
                rho = np.exp(new)
                return rho / (np.sum(rho) * self.grid.volume), b, count
        raise self._unsolved("a marginal", off, SWEEPS)

    def _unsolved(self, what: str, off: float, count: int) -> ConvergenceError:
        return ConvergenceError(
            f"solve_flow: expected an entropic step solved to {self.tol:g}, got {what} off by "
            f"{off:.2g} after {count} sweeps; {STATUS['not_solved']}.", ("not_solved",),
        )  # fmt: skip

    def _potential(self, rho: Any) -> Any:
        return self.outside.on_grid(self.grid.at(rho)) if self.outside.terms else 0.0

    def details(self, state: State) -> dict[str, Any]:
        """The strength of the entropy, and the sweeps of the worst step."""
        return {"entropic": self.gamma, "sweeps": float(state["sweeps"])}


def _blur(x: Any, kernels: list[Any]) -> Any:
    """log Σ_j exp(kernel_ij + x_j), dimension by dimension."""
    from scipy.special import logsumexp

    for k, table in enumerate(kernels):
        moved = np.moveaxis(x, k, -1)
        x = np.moveaxis(logsumexp(table + moved[..., None, :], axis=-1), -1, k)
    return x
