"""Probability measures: weighted particles and Gaussians; grids are in their own file."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from unified.base.errors import bad_input
from unified.base.files import atomic_write_bytes

if TYPE_CHECKING:
    from unified.meanfield.grid import GridMeasure

MASS = 1e-6  # how far a total weight may be from 1, and how much mass a grid may miss


class AbstractMeasure(ABC):
    """A probability measure on R^d.

    Shapes: `mean()` (d,), `cov()` (d, d).
    """

    @property
    @abstractmethod
    def dim(self) -> int:
        """The dimension d."""

    @abstractmethod
    def mean(self) -> Any:
        """∫x dμ, (d,)."""

    @abstractmethod
    def cov(self) -> Any:
        """∫(x − m)(x − m)ᵀ dμ, (d, d)."""

    @abstractmethod
    def arrays(self) -> dict[str, Any]:
        """What makes the measure, by constructor argument."""

    def to_gaussian(self) -> GaussianMeasure:
        """The Gaussian of equal mean and covariance."""
        return GaussianMeasure(self.mean(), self.cov())

    def save(self, path: str | Path) -> Path:
        """Write the measure as .npz, wholly or not at all; `load_measure` reads it."""
        body = io.BytesIO()
        np.savez(body, kind=type(self).__name__, **self.arrays())
        return atomic_write_bytes(path, body.getvalue())


class AbstractAtoms(AbstractMeasure):
    """A measure that is a weighted sum over points: particles, or cells of a grid."""

    @property
    @abstractmethod
    def points(self) -> Any:
        """(K, d)."""

    @property
    @abstractmethod
    def weights(self) -> Any:
        """(K,), summing to 1."""

    def mean(self) -> Any:
        """Σ w x, (d,)."""
        return self.weights @ self.points

    def cov(self) -> Any:
        """Σ w (x − m)(x − m)ᵀ, (d, d), the population covariance."""
        away = self.points - self.mean()
        return (away * self.weights[:, None]).T @ away


@dataclass(frozen=True, eq=False, repr=False)
class ParticleMeasure(AbstractAtoms):
    """Weighted particles.

    Equation: μ = Σ_i w_i δ(x_i).
    Shapes: x (N, d), or (N,) for d = 1; w (N,), non-negative, of sum 1; left out: 1/N each.
    Raises: InputError for wrong shapes, NaN, negative weights or a sum that is not 1.
    """

    x: Any
    w: Any = None

    def __post_init__(self) -> None:
        x = numbers("x", self.x)
        if x.ndim == 1:
            x = x[:, None]
        if x.ndim != 2 or 0 in x.shape:
            raise bad_input("x", "particles of shape (N, d), N and d at least 1", x, "reshape it")
        finite("x", x)
        even = np.full(len(x), 1 / len(x), x.dtype)
        w = even if self.w is None else numbers("w", self.w)
        if w.shape != (len(x),):
            raise bad_input("w", f"one weight per particle, shape ({len(x)},)", w, "align them")
        finite("w", w)
        if np.min(w) < 0:
            raise bad_input("w", "non-negative weights", f"one of {np.min(w):.3g}", "clip them")
        mass = float(np.sum(w, dtype=np.float64))
        if abs(mass - 1) > MASS:
            raise bad_input("w", "weights that sum to 1", f"{mass:.9g}", "divide by their sum")
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "w", w)

    @property
    def dim(self) -> int:
        """The dimension d."""
        return self.x.shape[1]

    @property
    def points(self) -> Any:
        """The particles (N, d)."""
        return self.x

    @property
    def weights(self) -> Any:
        """Their weights (N,)."""
        return self.w

    def arrays(self) -> dict[str, Any]:
        """Particles and weights."""
        return {"x": self.x, "w": self.w}

    def to_grid(self, *x: Any, periodic: bool = False) -> GridMeasure:
        """The histogram on the cells of a grid. Raises: InputError if mass falls outside."""
        from unified.meanfield.grid import histogram

        return histogram(self, x, periodic)

    def __repr__(self) -> str:
        return f"ParticleMeasure({len(self.x)} particles in {self.dim} d; {told(self)})"


@dataclass(frozen=True, eq=False, repr=False)
class GaussianMeasure(AbstractMeasure):
    """A Gaussian N(m, Σ).

    Shapes: mean (d,) or a number; covariance (d, d), (d,) for a diagonal, or a number.
    Raises: InputError for wrong shapes, or a covariance that is not symmetric and positive
    semi-definite.
    """

    m: Any
    sigma: Any

    def __post_init__(self) -> None:
        m, sigma = np.atleast_1d(numbers("mean", self.m)), numbers("cov", self.sigma)
        d = m.shape[0]
        sigma = sigma * np.eye(d) if sigma.ndim < 2 and sigma.shape in ((), (d,)) else sigma
        if m.ndim != 1 or sigma.shape != (d, d):
            raise bad_input("mean, cov", "shapes (d,) and (d, d)", f"{m.shape}, {sigma.shape}",
                            "align them")  # fmt: skip
        finite("mean", m)
        finite("cov", sigma)
        scale = max(float(np.max(np.abs(sigma))), 1e-300)
        if np.max(np.abs(sigma - sigma.T)) > 1e-9 * scale:
            raise bad_input("cov", "a symmetric matrix", "another one", "use (C + C.T)/2")
        sigma = (sigma + sigma.T) / 2
        least = float(np.linalg.eigvalsh(sigma)[0])
        if least < -1e-12 * scale:
            raise bad_input("cov", "a positive semi-definite matrix",
                            f"one with eigenvalue {least:.3g}", "check it")  # fmt: skip
        object.__setattr__(self, "m", m.astype(np.float64))
        object.__setattr__(self, "sigma", sigma.astype(np.float64))

    @property
    def dim(self) -> int:
        """The dimension d."""
        return len(self.m)

    def mean(self) -> Any:
        """m, (d,)."""
        return self.m

    def cov(self) -> Any:
        """Σ, (d, d)."""
        return self.sigma

    def arrays(self) -> dict[str, Any]:
        """Mean and covariance."""
        return {"m": self.m, "sigma": self.sigma}

    def log_density(self, x: Any) -> Any:
        """log ρ at points (K, d). Raises: InputError if Σ is singular."""
        away = np.asarray(x) - self.m
        values, vectors = np.linalg.eigh(self.sigma)
        if values[0] <= 0:
            raise bad_input("cov", "a positive definite matrix", "a singular one",
                            "a Gaussian without a density has no log density")  # fmt: skip
        z = away @ vectors / np.sqrt(values)
        return -(np.sum(z * z, axis=1) + np.sum(np.log(2 * np.pi * values))) / 2

    def to_particles(self, count: int, *, key: int) -> ParticleMeasure:
        """`count` independent draws, of equal weights."""
        if count < 1:
            raise bad_input("count", "at least 1", count, "raise it")
        values, vectors = np.linalg.eigh(self.sigma)
        z = np.random.default_rng(key).standard_normal((count, self.dim))
        root = vectors * np.sqrt(np.maximum(values, 0))
        return ParticleMeasure(self.m + z @ root.T)

    def to_grid(self, *x: Any, periodic: bool = False) -> GridMeasure:
        """The density at the centres of a grid. Raises: InputError if the grid is too small."""
        from unified.meanfield.grid import discretise

        return discretise(self, x, periodic)

    def __repr__(self) -> str:
        return f"GaussianMeasure({self.dim} d; {told(self)})"


def load_measure(path: str | Path) -> Any:
    """Read a measure that `save` wrote. Raises: InputError if the file is not one."""
    from unified.meanfield.grid import GridMeasure

    kinds = {k.__name__: k for k in (ParticleMeasure, GaussianMeasure, GridMeasure)}
    raw = Path(path).read_bytes()
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as file:
            found = {k: file[k] for k in file.files}
        kind = kinds[str(found.pop("kind"))]
    except (ValueError, KeyError, EOFError, OSError, BadZipFile) as error:
        raise bad_input("path", "a measure written by save", f"'{Path(path).name}'",
                        "save it anew") from error  # fmt: skip
    return kind.restore(found) if kind is GridMeasure else kind(**found)


def numbers(name: str, value: Any) -> Any:
    """A real floating-point array. Raises: InputError otherwise."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "iuf":
            raise TypeError
    except (TypeError, ValueError) as error:
        raise bad_input(name, "an array of real numbers", type(value).__name__,
                        "convert it") from error  # fmt: skip
    return array if array.dtype == np.float32 else array.astype(np.float64)


def finite(name: str, value: Any) -> None:
    """Raise InputError unless every entry is finite."""
    bad = int(value.size - np.count_nonzero(np.isfinite(value)))
    if bad:
        raise bad_input(name, "finite numbers", f"{bad} NaN or infinite entries", "clean it")


def told(measure: AbstractMeasure) -> str:
    """Mean and standard deviations in a few words."""

    def listed(v: Any) -> str:
        return ", ".join(f"{u:.4g}" for u in v[:3]) + (", ..." if len(v) > 3 else "")

    spread = np.sqrt(np.maximum(np.diag(measure.cov()), 0))
    return f"mean {listed(measure.mean())}, s.d. {listed(spread)}"
