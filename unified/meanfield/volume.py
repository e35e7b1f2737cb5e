"""Finite volumes: implicit Scharfetter–Gummel fluxes on grids of one or two dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.meanfield.functional import AbstractFunctional, Sum, part
from unified.meanfield.grid import GridMeasure, Unchecked
from unified.meanfield.internal import AbstractInternalEnergy
from unified.meanfield.result import STATUS
from unified.meanfield.stepper import AbstractStepper, State, wrong_measure

SWEEPS = 200
LAW = ("F_n − F_{n+1} = dt·Σ ρ|∇δF/δμ|² over the faces + the Bregman divergence of the internal "
       "energies from step to step")  # fmt: skip


@dataclass(frozen=True)
class Faces:
    """The faces between cells: the cells on either side, and their distance."""

    left: Any
    right: Any
    step: Any
    count: int

    @classmethod
    def of(cls, grid: GridMeasure) -> Faces:
        """All inner faces; the outer ones too if the grid is periodic."""
        cells = np.arange(grid.density.size).reshape(grid.density.shape)
        left, right, steps = [], [], []
        for k, h in enumerate(grid.steps):
            a = np.moveaxis(cells, k, 0)
            b = np.roll(a, -1, axis=0)
            if not grid.periodic:
                a, b = a[:-1], b[:-1]
            left.append(a.ravel())
            right.append(b.ravel())
            steps.append(np.full(a.size, h))
        return cls(np.concatenate(left), np.concatenate(right), np.concatenate(steps), cells.size)


class FiniteVolume(AbstractStepper):
    """∂_tρ = ∇·(∇r(ρ) + ρ∇φ) with r the pressure of the internal energies, φ = δ𝓔/δμ.

    Equation: the flux from cell i to j is (κ/Δx)[B(Δφ/κ)ρ_i − B(−Δφ/κ)ρ_j], B(z) = z/(eᶻ − 1),
    κ = Δr/Δρ (= T for the entropy, 0 upwind), ρ at the new time, interactions at the mean of both
    times. The matrix is an M-matrix with unit column sums: mass is conserved, no cell gets
    negative, and with entropy and interaction alone F falls for every dt.
    Reference: Scharfetter & Gummel (1969); Bessemoulin-Chatard (2012), Numer. Math. 121, 637;
    Bailo, Carrillo & Hu (2020), Commun. Math. Sci. 18, 1259.
    """

    name = "fv"
    certifies = LAW
    citation = "Scharfetter & Gummel (1969); Bailo, Carrillo & Hu (2020)"

    def __init__(self, functional: AbstractFunctional, grid: GridMeasure, tol: float) -> None:
        super().__init__(functional)
        self.grid, self.tol = grid, tol
        self.faces = Faces.of(grid)
        self.outside = part(functional, False)
        inside = [t for t in functional.terms if isinstance(t, AbstractInternalEnergy)]
        self.inside: list[AbstractInternalEnergy] = inside
        self.fixed = Sum(tuple(t for t in self.outside.terms if _is_fixed(t)))
        self.moving = Sum(tuple(t for t in self.outside.terms if not _is_fixed(t)))
        self.linear = not self.moving.terms and all(t.temperature > 0 for t in inside)
        self.diffuses = bool(inside) and all(t.temperature > 0 for t in inside)
        self._factor: tuple[float, Any] | None = None

    def start(self, mu0: Any) -> State:
        """The density. Raises: InputError unless δ𝓔/δμ is finite on the grid."""
        if not isinstance(mu0, GridMeasure):
            raise wrong_measure(self.name, "a GridMeasure", mu0, "use mu0.to_grid(x)")
        if not np.all(np.isfinite(self._potential(mu0.density.ravel()))):
            raise bad_input("F", "a finite first variation on the grid", "NaN or infinity",
                            "move the grid off the singularity")  # fmt: skip
        zero = np.float64(0)
        return {"rho": mu0.density, "dissipated": zero, "mass": np.float64(mu0.mass),
                "mass_drift": zero, "least_cell": np.min(mu0.density), "sweeps": zero,
                "spent": zero}  # fmt: skip

    def measure(self, state: State) -> GridMeasure:
        """The density on the grid."""
        return self.grid.at(state["rho"])

    @cached_property
    def _still(self) -> Any:
        return np.ravel(self.fixed.on_grid(self.grid)) if self.fixed.terms else 0.0

    def _potential(self, rho: Any) -> Any:
        """φ at every cell, for interactions with a density."""
        found = self._still + np.zeros(self.faces.count)
        if self.moving.terms:
            shaped = np.reshape(rho, self.grid.density.shape)
            # Not GridMeasure.at: while it is sought the density need not be one yet.
            found = found + np.ravel(self.moving.on_grid(Unchecked.of(self.grid, shaped)))
        return found

    def _kappa(self, rho: Any) -> Any:
        """Δr/Δρ at every face."""
        a, b = rho[self.faces.left], rho[self.faces.right]
        near = np.abs(b - a) <= 1e-7 * np.maximum(a, b)
        gap = np.where(near, 1.0, b - a)
        found = np.zeros(len(a))
        for t in self.inside:
            if t.temperature > 0:
                found = found + t.temperature
                continue
            ratio = (t.pressure(b) - t.pressure(a)) / gap
            found = found + np.where(near, t.slope((a + b) / 2), ratio)
        return found

    def _rates(self, kappa: Any, phi: Any) -> tuple[Any, Any]:
        """How much of ρ_left, and of ρ_right, crosses a face per time and volume, times Δx."""
        rise = phi[self.faces.right] - phi[self.faces.left]
        return _weight(kappa, rise), _weight(kappa, -rise)

    def _solve(self, rates: tuple[Any, Any], rho: Any, dt: float) -> Any:
        from scipy.sparse import csc_matrix
        from scipy.sparse.linalg import splu

        if self._factor is not None and self._factor[0] == dt:
            return self._factor[1].solve(rho)
        f = self.faces
        out, back = (dt * r / f.step**2 for r in rates)
        n = np.arange(f.count)
        rows = np.concatenate([n, f.left, f.right, f.right, f.left])
        cols = np.concatenate([n, f.left, f.right, f.left, f.right])
        data = np.concatenate([np.ones(f.count), out, back, -out, -back])
        matrix = csc_matrix((data, (rows, cols)), shape=(f.count, f.count))
        # Diagonal pivots keep every sum one of terms of equal sign, so that ρ stays positive.
        factor = splu(matrix, diag_pivot_thresh=0.0, permc_spec="MMD_AT_PLUS_A",
                      options={"SymmetricMode": True})  # fmt: skip
        if self.linear:
            self._factor = (dt, factor)
        return factor.solve(rho)

    def advance(self, state: State, first: int, last: int, dt: float) -> State:
        """Implicit steps, each solved to the tolerance. Raises: ConvergenceError if one is not."""
        rho, lost, sweeps = np.ravel(state["rho"]), state["dissipated"], state["sweeps"]
        least, spent = state["least_cell"], state["spent"]
        for _ in range(first, last):
            new, phi, count = self._step(rho, dt)
            more = dt * self._dissipation(new, phi)
            lost, spent = lost + more, spent + more + self._bregman(rho, new)
            rho, sweeps, least = new, max(sweeps, count), min(least, np.min(new))
        found = rho.reshape(self.grid.density.shape)
        mass = math.fsum(rho) * self.grid.volume
        drift = max(float(state["mass_drift"]), abs(mass / float(state["mass"]) - 1))
        return {"rho": found, "dissipated": np.float64(lost), "mass": state["mass"],
                "mass_drift": np.float64(drift), "least_cell": np.float64(least),
                "sweeps": np.float64(sweeps), "spent": np.float64(spent)}  # fmt: skip

    def _step(self, rho: Any, dt: float) -> tuple[Any, Any, int]:
        new = rho
        for k in range(SWEEPS):
            phi = self._potential((rho + new) / 2)
            kappa = self._kappa(new)
            found = self._solve(self._rates(kappa, phi), rho, dt)
            change = float(np.max(np.abs(found - new))) / float(np.max(rho))
            new = found
            if self.linear or change <= self.tol:
                return new, phi, k + 1
        raise ConvergenceError(
            f"solve_flow: expected an implicit step solved to {self.tol:g}, got a change of "
            f"{change:.2g} after {SWEEPS} sweeps; {STATUS['not_solved']}.", ("not_solved",),
        )  # fmt: skip

    def _dissipation(self, rho: Any, phi: Any) -> float:
        """∫|∇δF/δμ|²dμ as the faces see it.

        Equation: Σ ρ·fall², fall that of δF/δμ across a face; with entropies ρ is the harmonic mean
        of the profile between both cells, without use of the flux, which must agree. Of a power
        it is the flux over the fall, held between the densities of both cells (with a drift it
        leaves them by O(Δx²)): any flux that moves the mass balances F, but is no gradient flow.
        """
        f = self.faces
        a, b = rho[f.left], rho[f.right]
        total = phi
        for t in self.inside:
            total = total + t.enthalpy(rho)
        fall = (total[f.left] - total[f.right]) / f.step
        square = fall * fall
        if self.diffuses:
            spent = _between(a, b, (phi[f.right] - phi[f.left]) / self.functional.temperature)
            return float(np.sum(spent * square)) * self.grid.volume
        out, back = self._rates(self._kappa(rho), phi)
        flux = (out * a - back * b) / f.step
        held = np.clip(flux * fall, np.minimum(a, b) * square, np.maximum(a, b) * square)
        return float(np.sum(held)) * self.grid.volume

    def _bregman(self, old: Any, new: Any) -> float:
        """Σ U(old) − U(new) − U'(new)(old − new) over the internal energies, never negative."""
        found = 0.0
        for t in self.inside:
            parts = t.energy(old) - t.energy(new) - t.enthalpy(new) * (old - new)
            found += float(np.sum(parts))
        return found * self.grid.volume

    def details(self, state: State) -> dict[str, Any]:
        """Mass drift, least cell, sweeps of the worst step, mass in border cells."""
        rho = state["rho"]
        inner = rho[tuple(slice(1, -1) for _ in rho.shape)]
        border = 0.0 if self.grid.periodic else float(np.sum(rho) - np.sum(inner))
        found = {k: float(state[k]) for k in ("mass_drift", "least_cell", "sweeps")}
        return {**found, "border_mass": border * self.grid.volume}


def _is_fixed(term: AbstractFunctional) -> bool:
    from unified.meanfield.potential import Potential

    return isinstance(term, Potential)


def _between(a: Any, b: Any, z: Any) -> Any:
    """1/∫₀¹ds/ρ(s), ρ between a and b the profile of a constant flux, ρ' + zρ = const."""
    at, weights = np.polynomial.legendre.leggauss(20)
    z = np.where(np.abs(z) < 1e-12, 1e-12, np.clip(z, -500, 500))[:, None]
    share = np.expm1(-z * (1 + at) / 2) / np.expm1(-z)
    profile = a[:, None] + (b - a)[:, None] * share
    return 2 / (1 / np.maximum(profile, 1e-300) @ weights)


def _weight(kappa: Any, rise: Any) -> Any:
    """κB(rise/κ), B(z) = z/(eᶻ − 1); max(−rise, 0) where κ = 0."""
    safe = np.where(kappa > 0, kappa, 1.0)
    z = rise / safe
    small = np.abs(z) < 1e-5
    inner = np.where(small | (z > 500), 1.0, z)
    with np.errstate(over="ignore"):
        ratio = inner / np.expm1(inner)
    ratio = np.where(small, 1 - z / 2 + z * z / 12, np.where(z > 500, 0.0, ratio))
    return np.where(kappa > 0, safe * ratio, np.maximum(-rise, 0.0))
