"""Densities on regular grids of one or two dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.meanfield.measures import (
    MASS,
    AbstractAtoms,
    GaussianMeasure,
    ParticleMeasure,
    finite,
    numbers,
    told,
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class GridMeasure(AbstractAtoms):
    """A density on the cells of a regular grid, whose centres are `x`.

    Equation: μ = Σ_cells ρ·volume = 1; without flux through the border, or `periodic`.
    Shapes: in 1 d x (n,), density (n,); in 2 d x a pair of (n1,), (n2,), density (n1, n2).
    Raises: InputError for uneven spacing, negative density, or mass that is not 1.
    """

    x: Any
    density: Any
    periodic: bool = False

    def __post_init__(self) -> None:
        sides = axes_of(self.x)
        rho = numbers("density", self.density).astype(np.float64)
        want = tuple(len(s) for s in sides)
        if rho.shape != want:
            raise bad_input("density", f"shape {want} as the grid", rho, "align them")
        finite("density", rho)
        if np.min(rho) < 0:
            raise bad_input("density", "no negative cell", f"one of {np.min(rho):.3g}", "clip it")
        mass = float(np.sum(rho)) * math.prod(s[1] - s[0] for s in sides)
        if abs(mass - 1) > MASS:
            raise bad_input("density", "total mass 1", f"{mass:.9g}",
                            "divide by its mass, or take a grid that holds all of it")  # fmt: skip
        object.__setattr__(self, "x", sides[0] if len(sides) == 1 else sides)
        object.__setattr__(self, "density", rho)

    @cached_property
    def sides(self) -> tuple[Any, ...]:
        """The centres along each dimension."""
        return self.x if isinstance(self.x, tuple) else (self.x,)

    @property
    def dim(self) -> int:
        """The dimension d, 1 or 2."""
        return self.density.ndim

    @property
    def steps(self) -> tuple[float, ...]:
        """The spacing along each dimension."""
        return tuple(float((s[-1] - s[0]) / (len(s) - 1)) for s in self.sides)

    @property
    def volume(self) -> float:
        """The volume of a cell."""
        return math.prod(self.steps)

    @property
    def mass(self) -> float:
        """Σρ·volume."""
        return math.fsum(self.density.ravel()) * self.volume

    @cached_property
    def points(self) -> Any:
        """The cell centres (K, d), the last dimension fastest."""
        return np.stack(np.meshgrid(*self.sides, indexing="ij"), axis=-1).reshape(-1, self.dim)

    @property
    def weights(self) -> Any:
        """The mass of each cell (K,)."""
        return self.density.ravel() * self.volume

    def at(self, density: Any) -> GridMeasure:
        """Another density on the same grid."""
        return GridMeasure(self.x, np.reshape(density, self.density.shape), self.periodic)

    def arrays(self) -> dict[str, Any]:
        """The sides by number, the density, and whether the grid is periodic."""
        found = {f"x{k}": s for k, s in enumerate(self.sides)}
        return {**found, "density": self.density, "periodic": self.periodic}

    @classmethod
    def restore(cls, found: dict[str, Any]) -> GridMeasure:
        """The measure of saved `arrays`."""
        sides = tuple(found[k] for k in sorted(found) if k.startswith("x"))
        x = sides if len(sides) > 1 else sides[0]
        return cls(x, found["density"], bool(found["periodic"]))

    def to_particles(self, count: int, *, key: int) -> ParticleMeasure:
        """Independent draws: a cell by its mass, then uniform within the cell."""
        rng = np.random.default_rng(key)
        w = self.weights / np.sum(self.weights)
        cells = rng.choice(len(w), size=count, p=w)
        jitter = (rng.random((count, self.dim)) - 0.5) * np.asarray(self.steps)
        return ParticleMeasure(self.points[cells] + jitter)

    def quantiles(self, count: int) -> Any:
        """The quantiles at (i + ½)/count, (count,), for a grid in 1 d."""
        if self.dim != 1:
            raise bad_input("measure", "a grid in 1 d", f"{self.dim} d", "quantiles need an order")
        step = self.steps[0]
        edges = np.append(self.x - step / 2, self.x[-1] + step / 2)
        rising = np.concatenate([[0.0], np.cumsum(self.weights)])
        rising /= rising[-1]
        keep = np.concatenate([[True], np.diff(rising) > 0])
        return np.interp((np.arange(count) + 0.5) / count, rising[keep], edges[keep])

    def __repr__(self) -> str:
        size = " x ".join(str(len(s)) for s in self.sides)
        kind = "periodic " if self.periodic else ""
        return f"GridMeasure({kind}{size} cells; {told(self)}, mass {self.mass:.12g})"


@dataclass(frozen=True, eq=False, repr=False)
class Unchecked(GridMeasure):
    """What may not be a density yet, while a solver seeks one."""

    def __post_init__(self) -> None:
        return None

    @classmethod
    def of(cls, grid: GridMeasure, density: Any) -> Unchecked:
        """Any numbers on the cells of a grid."""
        return cls(grid.x, density, grid.periodic)


def axes_of(x: Any) -> tuple[Any, ...]:
    """The sides of a grid, checked. Raises: InputError unless evenly spaced, of 1 or 2 d."""
    many = isinstance(x, tuple | list) and len(x) > 0 and np.ndim(x[0]) > 0
    sides = tuple(numbers("x", s).astype(np.float64) for s in (x if many else (x,)))
    if not 1 <= len(sides) <= 2:
        raise bad_input("x", "1 or 2 dimensions", str(len(sides)), "use particles in more")
    for s in sides:
        if s.ndim != 1 or len(s) < 3:
            raise bad_input("x", "at least 3 cell centres along each dimension", s, "add cells")
        finite("x", s)
        gaps = np.diff(s)
        if not (np.all(gaps > 0) and np.ptp(gaps) < 1e-6 * gaps[0]):
            raise bad_input("x", "evenly spaced, rising cell centres", "others", "use np.linspace")
    return sides


def histogram(measure: ParticleMeasure, x: tuple[Any, ...], periodic: bool) -> GridMeasure:
    """Particles counted in the cells of a grid (a periodic one takes them round)."""
    sides = axes_of(x)
    if len(sides) != measure.dim:
        raise bad_input("x", f"{measure.dim} sides as the particles", str(len(sides)), "add them")
    points, edges, volume = measure.x, [], 1.0
    for s in sides:
        step = s[1] - s[0]
        edges.append(np.append(s - step / 2, s[-1] + step / 2))
        volume *= step
    if periodic:
        low = np.array([e[0] for e in edges])
        span = np.array([e[-1] for e in edges]) - low
        points = low + (points - low) % span
    mass, _ = np.histogramdd(points, bins=edges, weights=measure.w)
    kept = float(np.sum(mass))
    _contained(1 - kept)
    return GridMeasure(sides if len(sides) > 1 else sides[0], mass / volume / kept, periodic)


def discretise(measure: GaussianMeasure, x: tuple[Any, ...], periodic: bool) -> GridMeasure:
    """A Gaussian's density at cell centres (a periodic grid wraps it round)."""
    from scipy.special import ndtr

    sides = axes_of(x)
    if len(sides) != measure.dim:
        raise bad_input("x", f"{measure.dim} sides as the Gaussian", str(len(sides)), "add them")
    steps = np.array([s[1] - s[0] for s in sides])
    spread = np.sqrt(np.diag(measure.sigma))
    if np.any(spread < 0.7 * steps):
        raise bad_input("x", f"cells narrower than the standard deviations {spread}",
                        f"steps {steps}", "refine the grid")  # fmt: skip
    points = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, len(sides))
    low = np.array([s[0] for s in sides]) - steps / 2
    high = np.array([s[-1] for s in sides]) + steps / 2
    if periodic:
        turns = int(np.ceil(8 * np.max(spread / (high - low)))) + 1
        shifts = np.stack(np.meshgrid(*[np.arange(-turns, turns + 1)] * len(sides)), -1)
        rho = sum(np.exp(measure.log_density(points + k * (high - low)))
                  for k in shifts.reshape(-1, len(sides)))  # fmt: skip
    else:
        outside = ndtr((low - measure.m) / spread) + ndtr((measure.m - high) / spread)
        _contained(float(np.sum(outside)))
        rho = np.exp(measure.log_density(points))
    rho = rho / (np.sum(rho) * np.prod(steps))
    shape = tuple(len(s) for s in sides)
    return GridMeasure(sides if len(sides) > 1 else sides[0], rho.reshape(shape), periodic)


def _contained(leak: float) -> None:
    if leak > MASS:
        raise bad_input("x", f"a grid that misses at most {MASS:g} of the mass",
                        f"a leak of {leak:.3g}", "widen it")  # fmt: skip
