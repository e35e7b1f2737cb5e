"""What a flow returns: measures over time, energy, and how well the two agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.meanfield.grid import GridMeasure
from unified.meanfield.measures import AbstractMeasure, ParticleMeasure

STATUS = {
    "completed": "the flow was followed to its end",
    "energy_rose": "the energy rose, which a gradient flow cannot; use a smaller dt",
    "non_finite": "a state became NaN or infinite; use a smaller dt, or a functional that confines",
    "not_solved": "an implicit step did not reach its tolerance; use a smaller dt",
}


@dataclass(frozen=True)
class FlowResult:
    """A Wasserstein gradient flow, followed from 0 to t1.

    Equation: F(0) − F(t) = ∫₀ᵗ∫|∇δF/δμ|²dμ dt/τ for the exact flow; `dissipated` is the right side
    as accumulated by the method, and `gap` how far the two are apart at the end, relative: an error
    of the method's order in dt. An implicit step obeys an identity of its own, without such an
    error, which `certifies` writes down; `spent` is its right side, and `certificate` how far that
    is from F(0) − F(t), relative: rounding and solves alone, unless a step is not what it says.
    Shapes: `ts` (S,) in units of time, `measures` S of them, `energy`, `dissipated`, `spent` (S,)
    (NaN where they cannot be known: with noise), `mass` (S,); `dt` the step, NaN if the method
    chooses it. `energy_kind` is "F", or "F without internal energy" for particles, which cannot
    evaluate an entropy. `details` holds what else a method measured.
    Reference: theory page E2.
    """

    ts: Any
    measures: tuple[Any, ...]
    energy: Any
    dissipated: Any
    mass: Any
    status: str
    method: str
    functional: str
    dt: float
    citation: str
    energy_kind: str
    details: dict[str, Any]
    certifies: str
    spent: Any

    @property
    def gap(self) -> float:
        """|F(0) − F(t1) − dissipated| / |F(0) − F(t1)|; NaN with noise."""
        return self._off(self.dissipated)

    @property
    def certificate(self) -> float:
        """|F(0) − F(t1) − spent| / |F(0) − F(t1)|, of the identity in `certifies`; NaN if none."""
        return self._off(self.spent)

    def _off(self, lost: Any) -> float:
        drop = self.energy[0] - self.energy[-1]
        return float(abs(drop - lost[-1]) / max(abs(drop), 1e-300))

    @property
    def completed(self) -> bool:
        """True if the flow was followed to t1."""
        return self.status == "completed"

    def means(self) -> Any:
        """The mean at every time, (S, d)."""
        return np.stack([m.mean() for m in self.measures])

    def covs(self) -> Any:
        """The covariance at every time, (S, d, d)."""
        return np.stack([m.cov() for m in self.measures])

    def to_xarray(self) -> Any:
        """Times, energy, moments and, where all measures are alike, particles or densities."""
        import xarray as xr

        found: dict[str, Any] = {
            "energy": ("time", self.energy), "dissipated": ("time", self.dissipated),
            "spent": ("time", self.spent), "mass": ("time", self.mass),
            "mean": (("time", "dim"), self.means()),
            "cov": (("time", "dim", "dim2"), self.covs()),
        }  # fmt: skip
        coords: dict[str, Any] = {"time": self.ts}
        first = self.measures[0]
        if isinstance(first, GridMeasure):
            names = ("x",) if first.dim == 1 else ("x", "y")
            coords |= {n: s for n, s in zip(names, first.sides, strict=True)}
            found["density"] = (("time", *names), np.stack([m.density for m in self.measures]))
        elif isinstance(first, ParticleMeasure):
            found["x"] = (("time", "particle", "dim"), np.stack([m.x for m in self.measures]))
            found["w"] = ("particle", first.w)
        facts = {"method": self.method, "status": self.status, "functional": self.functional,
                 "energy_kind": self.energy_kind, "dt": self.dt,
                 "certifies": self.certifies}  # fmt: skip
        return xr.Dataset(found, coords=coords, attrs=facts)

    def __repr__(self) -> str:
        noisy = bool(np.isnan(self.dissipated[-1]))
        gap = "" if noisy else f", dissipation gap {self.gap:.2g}"
        if not noisy and self.certificate != self.gap:
            gap += f", {self.certificate:.2g} by the identity of its steps"
        return (
            f"FlowResult({self.method}: {self.status}; t = {self.ts[0]:g} to {self.ts[-1]:g}, "
            f"{len(self.ts)} measures, {self.energy_kind} {self.energy[0]:.6g} to "
            f"{self.energy[-1]:.6g}{gap})"
        )


def mass_of(measure: AbstractMeasure) -> float:
    """The total mass of a measure."""
    if isinstance(measure, GridMeasure):
        return measure.mass
    return float(np.sum(measure.w, dtype=np.float64)) if isinstance(measure, ParticleMeasure) else 1
