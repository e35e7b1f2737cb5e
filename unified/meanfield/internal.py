"""Internal energies ∫U(ρ)dx: entropy and powers of the density."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from unified.base.errors import InputError, bad_input
from unified.meanfield.functional import AbstractFunctional
from unified.meanfield.grid import GridMeasure
from unified.meanfield.measures import AbstractMeasure, GaussianMeasure


class AbstractInternalEnergy(AbstractFunctional):
    """∫U(ρ)dx, which needs a density.

    Equation: δF/δμ = U'(ρ); its flow is ∂_tρ = Δr(ρ), r(ρ) = ρU'(ρ) − U(ρ), the pressure.
    """

    internal = True

    @abstractmethod
    def energy(self, rho: Any) -> Any:
        """U(ρ), elementwise; 0 at ρ = 0."""

    @abstractmethod
    def enthalpy(self, rho: Any) -> Any:
        """U'(ρ), elementwise."""

    @abstractmethod
    def pressure(self, rho: Any) -> Any:
        """r(ρ) = ρU' − U, elementwise."""

    @abstractmethod
    def slope(self, rho: Any) -> Any:
        """r'(ρ) = ρU'', elementwise."""

    def value(self, measure: AbstractMeasure) -> float:
        """∫U(ρ)dx on a grid. Raises: InputError for particles, which have no density."""
        if not isinstance(measure, GridMeasure):
            raise self._no_density(measure)
        return float(np.sum(self.energy(measure.density))) * measure.volume

    def _no_density(self, measure: AbstractMeasure) -> InputError:
        return bad_input("measure", f"a density, for {self!r}", type(measure).__name__,
                         "use measure.to_grid(...): particles cannot tell an entropy")  # fmt: skip

    def variation(self, measure: AbstractMeasure) -> Callable[[Any], Any]:
        """U'(ρ) at the nearest cell of a grid, or under a Gaussian's density."""
        if isinstance(measure, GaussianMeasure):
            return lambda x: self.enthalpy(np.exp(measure.log_density(x)))
        if not isinstance(measure, GridMeasure):
            raise self._no_density(measure)

        def found(x: Any) -> Any:
            cells = tuple(
                np.clip(np.rint((np.asarray(x)[:, k] - s[0]) / h).astype(int), 0, len(s) - 1)
                for k, (s, h) in enumerate(zip(measure.sides, measure.steps, strict=True))
            )
            return self.enthalpy(measure.density[cells])

        return found

    def velocity(self, x: Any, w: Any, chunk_size: int | None = None) -> Any:
        """Raises: InputError, since particles have no density."""
        raise bad_input("method", "one with noise or a density (langevin, fv, jko, moments)",
                        f"the velocity of particles under {self!r}", "choose one")  # fmt: skip


class Entropy(AbstractInternalEnergy):
    """The entropy T∫ρ log ρ dx.

    Equation: δF/δμ = T(log ρ + 1); flow ∂_tρ = TΔρ, for particles the noise √(2T)dW.
    Raises: InputError for T < 0. Reference: Jordan, Kinderlehrer & Otto (1998).
    """

    def __init__(self, temperature: float) -> None:
        self._temperature = positive("T", temperature, zero=True)

    @property
    def temperature(self) -> float:
        """T."""
        return self._temperature

    def energy(self, rho: Any) -> Any:
        """Tρ log ρ."""
        from scipy.special import xlogy

        return self._temperature * xlogy(rho, rho)

    def enthalpy(self, rho: Any) -> Any:
        """T(log ρ + 1)."""
        return self._temperature * (np.log(np.maximum(rho, 1e-300)) + 1)

    def pressure(self, rho: Any) -> Any:
        """Tρ."""
        return self._temperature * rho

    def slope(self, rho: Any) -> Any:
        """T."""
        return np.full_like(rho, self._temperature)

    def value(self, measure: AbstractMeasure) -> float:
        """T∫ρ log ρ; in closed form for a Gaussian."""
        if self._temperature == 0:
            return 0.0
        if isinstance(measure, GaussianMeasure):
            _, log = np.linalg.slogdet(2 * np.pi * np.e * measure.sigma)
            return -self._temperature * float(log) / 2
        return super().value(measure)

    def lines(self) -> list[str]:
        """The entropy and its variation."""
        return [
            r"\mathcal{F} &= T \int \rho \log \rho \, dx",
            r"\frac{\delta \mathcal{F}}{\delta \mu} &= T (\log \rho + 1)",
            r"\partial_t \rho &= T \Delta \rho",
        ]

    def __repr__(self) -> str:
        return f"Entropy(T={self._temperature:g})"


class Power(AbstractInternalEnergy):
    """A power of the density: the porous medium.

    Equation: F = c∫ρᵐ/(m−1) dx, δF/δμ = c m/(m−1) ρ^{m−1}; flow ∂_tρ = cΔρᵐ.
    Raises: InputError unless m > 1 and c > 0. Reference: Vázquez (2007).
    """

    def __init__(self, m: float, coefficient: float = 1.0) -> None:
        self.m = positive("m", m)
        if self.m <= 1:
            raise bad_input("m", "an exponent above 1", m, "m = 1 is Entropy")
        self.coefficient = positive("coefficient", coefficient)

    def energy(self, rho: Any) -> Any:
        """cρᵐ/(m−1)."""
        return self.coefficient * rho**self.m / (self.m - 1)

    def enthalpy(self, rho: Any) -> Any:
        """c m/(m−1) ρ^{m−1}."""
        return self.coefficient * self.m / (self.m - 1) * rho ** (self.m - 1)

    def pressure(self, rho: Any) -> Any:
        """cρᵐ."""
        return self.coefficient * rho**self.m

    def slope(self, rho: Any) -> Any:
        """c m ρ^{m−1}."""
        return self.coefficient * self.m * rho ** (self.m - 1)

    def lines(self) -> list[str]:
        """The power and its variation."""
        return [
            r"\mathcal{F} &= \frac{c}{m - 1} \int \rho^{m} \, dx",
            r"\frac{\delta \mathcal{F}}{\delta \mu} &= \frac{c\, m}{m - 1} \rho^{m - 1}",
            r"\partial_t \rho &= c\, \Delta \rho^{m}",
        ]

    def __repr__(self) -> str:
        more = "" if self.coefficient == 1 else f", {self.coefficient:g}"
        return f"Power(m={self.m:g}{more})"


def positive(name: str, value: Any, *, zero: bool = False) -> float:
    """A finite real number above (or at) zero. Raises: InputError."""
    array = np.asarray(value)
    fine = array.ndim == 0 and array.dtype.kind in "iuf" and np.isfinite(array)
    if not fine or array < 0 or (array == 0 and not zero):
        raise bad_input(name, "a number of at least 0" if zero else "a positive number",
                        value, "choose one")  # fmt: skip
    return float(array)
