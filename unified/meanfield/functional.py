"""What a functional of a measure can be asked, and sums of functionals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.meanfield.grid import GridMeasure
from unified.meanfield.measures import AbstractMeasure, ParticleMeasure


class AbstractFunctional(ABC):
    """A functional F(μ) of a probability measure, and its first variation.

    Equation: variation δF/δμ, velocity −∇δF/δμ; the flow is ∂_tμ = ∇·(μ∇δF/δμ).
    Shapes: `value` a number; `variation(measure)` a function of points (K, d) giving (K,);
    `velocity(x, w)` takes particles (N, d) and weights (N,) to (N, d).
    `velocity` is traceable by JAX and pure: it is all that the particle methods call, inside one
    compiled loop; `chunk_size` bounds how many particles it may handle at a time and must not
    change the result beyond rounding. `dim` is d, or None if any will do. `internal` marks
    entropies and powers of the density, which particles cannot feel; `descends` is False where the
    velocity is not exactly −∇δF/δμ (a finite nudge), so that `value` may rise.
    Reference: Ambrosio, Gigli & Savaré (2008), chapters 10 and 11.
    """

    dim: int | None = None
    internal: bool = False
    descends: bool = True

    @abstractmethod
    def value(self, measure: AbstractMeasure) -> float:
        """F(μ). Raises: InputError for a kind of measure on which it is not known."""

    @abstractmethod
    def variation(self, measure: AbstractMeasure) -> Callable[[Any], Any]:
        """δF/δμ at a measure, as a function of points (K, d) giving NumPy numbers (K,)."""

    @abstractmethod
    def velocity(self, x: Any, w: Any, chunk_size: int | None = None) -> Any:
        """−∇δF/δμ at the particles themselves, (N, d); under JAX."""

    @abstractmethod
    def lines(self) -> list[str]:
        """F, its first variation and its velocity, derived, as lines of LaTeX aligned at &."""

    @abstractmethod
    def __repr__(self) -> str: ...

    @property
    def terms(self) -> tuple[AbstractFunctional, ...]:
        """The terms of the sum that this is."""
        return (self,)

    @property
    def temperature(self) -> float:
        """The coefficient T of ∫μ log μ."""
        return 0.0

    def quadratic(self, dim: int) -> tuple[Any, Any] | None:
        """(A, g) if F = ∫(½xᵀAx − gᵀx)dμ + const, else None; A (d, d), g (d,)."""
        return None

    def pairing(self, dim: int) -> Any:
        """K (d, d) if F = ½∬½(x−y)ᵀK(x−y)dμdμ + const, else None."""
        return None

    def check(self, measure: AbstractMeasure) -> None:
        """Raise InputError if the flow cannot start from this measure."""
        if self.dim is not None and measure.dim != self.dim:
            raise bad_input("mu0", f"a measure in {self.dim} d, as {self!r} wants",
                            f"one in {measure.dim} d", "align them")  # fmt: skip

    def certify(self, measure: AbstractMeasure) -> None:
        """Raise ConvergenceError if a velocity at this measure rests on what did not converge.

        The solver calls it wherever it saves; only functionals that iterate have to say more.
        """
        return None

    def identity(self) -> tuple[Any, ...]:
        """Text and arrays that tell this functional from others, so that runs are not mixed up."""
        return (repr(self), self.latex())

    def on_mesh(self, mesh: Any) -> AbstractFunctional:
        """The same functional for particles laid over the devices of a mesh (None: one device).

        Only those that split their own sums over devices have to be told.
        """
        return self

    def on_grid(self, measure: GridMeasure) -> Any:
        """δF/δμ at the cell centres, shaped as the density."""
        return np.reshape(self.variation(measure)(measure.points), measure.density.shape)

    def kept(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once per key: compiled loops outlive the solve that made them."""
        programs = self.__dict__.setdefault("_programs", {})
        if key not in programs:
            programs[key] = make()
        return programs[key]

    def velocity_at(self, measure: ParticleMeasure, chunk_size: int | None = None) -> Any:
        """−∇δF/δμ at the particles of a measure, (N, d), as a NumPy array."""
        import jax

        with jax.enable_x64(measure.x.dtype == np.float64):
            return np.asarray(self.velocity(measure.x, measure.w, chunk_size))

    def latex(self) -> str:
        """The functional, its first variation and its velocity, derived, as LaTeX."""
        return r"\begin{split}" + r" \\ ".join(self.lines()) + r"\end{split}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __add__(self, other: AbstractFunctional) -> Sum:
        if not isinstance(other, AbstractFunctional):
            return NotImplemented
        return Sum((*self.terms, *other.terms))


class Sum(AbstractFunctional):
    """A sum of functionals; `+` makes it.

    Equation: F = Σ_k F_k. `velocity` leaves out internal energies, which noise or diffusion stand
    for. Raises: InputError if two terms want different dimensions.
    """

    def __init__(self, terms: tuple[AbstractFunctional, ...]) -> None:
        self._terms = terms
        dims = {t.dim for t in terms} - {None}
        if len(dims) > 1:
            raise bad_input("+", "functionals of one dimension", f"{sorted(map(str, dims))}",
                            "align them")  # fmt: skip
        self.dim = next(iter(dims), None)
        self.descends = all(t.descends for t in terms)

    @property
    def terms(self) -> tuple[AbstractFunctional, ...]:
        """The terms."""
        return self._terms

    @cached_property
    def _felt(self) -> tuple[AbstractFunctional, ...]:
        return tuple(t for t in self._terms if not t.internal)

    @property
    def temperature(self) -> float:
        """The sum of the temperatures."""
        return sum(t.temperature for t in self._terms)

    def value(self, measure: AbstractMeasure) -> float:
        """ΣF_k(μ)."""
        return sum(t.value(measure) for t in self._terms)

    def variation(self, measure: AbstractMeasure) -> Callable[[Any], Any]:
        """Σ δF_k/δμ."""
        parts = [t.variation(measure) for t in self._terms]
        return lambda x: sum(p(x) for p in parts)

    def on_grid(self, measure: GridMeasure) -> Any:
        """Σ δF_k/δμ at the cells."""
        return sum(t.on_grid(measure) for t in self._terms)

    def velocity(self, x: Any, w: Any, chunk_size: int | None = None) -> Any:
        """Σ −∇δF_k/δμ over the terms that particles feel."""
        import jax.numpy as jnp

        found = [t.velocity(x, w, chunk_size) for t in self._felt]
        return sum(found[1:], found[0]) if found else jnp.zeros_like(x)

    def quadratic(self, dim: int) -> tuple[Any, Any] | None:
        """The sum of the quadratic terms, None if there are none."""
        found = [q for t in self._terms if (q := t.quadratic(dim)) is not None]
        return (sum(a for a, _ in found), sum(g for _, g in found)) if found else None

    def pairing(self, dim: int) -> Any:
        """The sum of the quadratic interactions, None if there are none."""
        found = [k for t in self._terms if (k := t.pairing(dim)) is not None]
        return sum(found) if found else None

    def check(self, measure: AbstractMeasure) -> None:
        """Every term's check."""
        for t in self._terms:
            t.check(measure)

    def certify(self, measure: AbstractMeasure) -> None:
        """Every term's certificate."""
        for t in self._terms:
            t.certify(measure)

    def identity(self) -> tuple[Any, ...]:
        """Those of the terms."""
        return tuple(v for t in self._terms for v in t.identity())

    def on_mesh(self, mesh: Any) -> Sum:
        """Every term's, summed."""
        return Sum(tuple(t.on_mesh(mesh) for t in self._terms))

    def lines(self) -> list[str]:
        """Those of the terms, one after the other."""
        return [line for t in self._terms for line in t.lines()]

    def __repr__(self) -> str:
        return " + ".join(map(repr, self._terms))


def part(functional: AbstractFunctional, internal: bool) -> AbstractFunctional:
    """The terms that particles feel, or the internal energies, as one functional."""
    return Sum(tuple(t for t in functional.terms if t.internal == internal))
