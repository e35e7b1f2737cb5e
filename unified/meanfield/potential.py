"""Potential energies ∫V dμ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.meanfield.functional import AbstractFunctional
from unified.meanfield.measures import AbstractAtoms, AbstractMeasure, GaussianMeasure
from unified.meanfield.pointwise import PointFunction
from unified.symbolic.axis import Axis
from unified.symbolic.build import matmul, scale, var


class Potential(AbstractFunctional):
    """A potential energy.

    Equation: F = ∫V dμ, δF/δμ = V, velocity −∇V.
    Shapes: V an array-calculus expression in one vector (or scalar) variable, whose velocity is
    derived symbolically, or a callable of one point (d,) that returns a number, differentiated by
    JAX. `params` gives values to every other variable of the expression, by name.
    Raises: InputError for several free variables, or axes that do not fit.
    Reference: theory page E1.
    """

    def __init__(self, potential: Any, params: Mapping[str, Any] | None = None) -> None:
        self.function = PointFunction(potential, params, 1, "V")
        self.dim = self.function.dim

    def value(self, measure: AbstractMeasure) -> float:
        """∫V dμ; on a Gaussian in closed form for a quadratic V."""
        if isinstance(measure, AbstractAtoms):
            return float(measure.weights @ self.function.numpy("values", measure.points))
        found = self.quadratic(measure.dim)
        if found is None or not isinstance(measure, GaussianMeasure):
            raise bad_input("measure", f"particles or a grid, for {self!r}",
                            type(measure).__name__, "convert it")  # fmt: skip
        a, g = found
        m = measure.m
        start = float(self.function.numpy("values", np.zeros((1, measure.dim)))[0])
        return float(m @ a @ m / 2 + np.sum(a * measure.sigma) / 2 - g @ m) + start

    def variation(self, measure: AbstractMeasure) -> Callable[[Any], Any]:
        """V, whatever the measure."""
        return lambda x: self.function.numpy("values", x)

    def velocity(self, x: Any, w: Any, chunk_size: int | None = None) -> Any:
        """−∇V(x)."""
        return self.function.force(x)

    def quadratic(self, dim: int) -> tuple[Any, Any] | None:
        """(A, g) if the expression is quadratic."""
        return self.function.hessian(dim) if self.function.quadratic else None

    def identity(self) -> tuple[Any, ...]:
        """Also the parameters."""
        return (*super().identity(), *self.function.params.values())

    def lines(self) -> list[str]:
        """V as the first variation and −∇V as the velocity."""
        value, force = self.function.tex()
        return [
            rf"\mathcal{{F}} &= \int V d\mu, \quad V = {value}",
            r"\frac{\delta \mathcal{F}}{\delta \mu} &= V",
            rf"v &= -\nabla V = {force}",
        ]

    def __repr__(self) -> str:
        kind = "callable" if self.function.energy is None else "derived"
        return f"Potential({kind})"


class Quadratic(Potential):
    """A quadratic potential.

    Equation: V = ½(θ − b)ᵀA(θ − b).
    Shapes: A (d, d) symmetric, or a number for A times the identity; b (d,) or a number.
    Raises: InputError for an A that is not symmetric, or shapes that do not fit.
    Reference: theory page E3.
    """

    def __init__(self, A: Any, b: Any = 0.0) -> None:
        matrix, centre = np.asarray(A, np.float64), np.asarray(b, np.float64)
        if matrix.ndim not in (0, 2) or centre.ndim > 1:
            raise bad_input("A, b", "shapes (d, d) and (d,), or numbers",
                            f"{matrix.shape}, {centre.shape}", "reshape them")  # fmt: skip
        if matrix.ndim == 0 and centre.ndim == 1:
            matrix = matrix * np.eye(len(centre))
        if matrix.ndim == 2 and centre.ndim == 0:
            centre = np.full(len(matrix), centre)
        n = Axis("d")
        theta = var("theta", n)
        if matrix.ndim == 0:
            away = theta - var("b")
            expr = scale_half(var("A") * away.sq())
        else:
            away = theta - var("b", n)
            expr = scale_half(matmul(matmul(away, var("A", n, n, symmetric=True)), away))
        super().__init__(expr, {"A": matrix, "b": centre})
        self.A, self.b = matrix, centre

    def __repr__(self) -> str:
        shape = f"{float(self.A):g}" if self.A.ndim == 0 else f"{self.A.shape[0]} x {len(self.A)}"
        return f"Quadratic({shape})"


def scale_half(x: Any) -> Any:
    """x/2."""
    import sympy

    return scale(sympy.Rational(1, 2), x)
