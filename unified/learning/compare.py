"""How far two gradients are apart, and the measured order of an estimator's bias."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.learning.gradient import AbstractEstimator


def flat(grad: Mapping[str, Any]) -> Any:
    """All entries of a gradient in one vector, by sorted name."""
    return np.concatenate([np.ravel(grad[k]) for k in sorted(grad)])


def cosine(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """a·b / |a||b|."""
    u, v = flat(a), flat(b)
    return float(u @ v / (np.linalg.norm(u) * np.linalg.norm(v)))


def relative_error(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """|a − b| / |b|."""
    u, v = flat(a), flat(b)
    return float(np.linalg.norm(u - v) / np.linalg.norm(v))


@dataclass(frozen=True)
class Order:
    """A measured bias order: errors at nudges, and the slope of log error against log β."""

    betas: Any
    errors: Any
    slope: float
    declared: int | None

    def require(self, within: float = 0.15) -> Order:
        """Itself, if the slope is the declared order. Raises: InputError if it is not."""
        if self.declared is None:
            remedy = "the estimator has no bias in beta"
            raise bad_input("order", "a declared order", "none", remedy)
        if abs(self.slope - self.declared) > within:
            raise bad_input(
                "order", f"a slope of {self.declared} as declared, within {within:g}",
                f"{self.slope:.2f}", "use smaller nudges, or declare what was measured",
            )  # fmt: skip
        return self


def measure_order(
    family: Callable[[float], AbstractEstimator],
    betas: Sequence[float],
    reference: Mapping[str, Any],
    program: Program,
    params: Mapping[str, Any],
    x: Any,
    y: Any,
) -> Order:
    """The slope of log relative error against log β, by least squares.

    Equation: error(β) ≈ c β^p; p is returned. Choose β where the error is above rounding.
    Raises: InputError in float32 (rounding would be measured instead) or for fewer than 3 nudges.
    """
    if program.dtype != np.float64:
        raise bad_input(
            "program", "float64 for an order study", program.dtype.name, "emit with dtype='float64'"
        )
    if len(betas) < 3:
        raise bad_input("betas", "at least 3 nudges", len(betas), "add some")
    errors = [
        relative_error(family(float(b))(program, params, x, y).grad, reference) for b in betas
    ]
    slope = float(np.polyfit(np.log(betas), np.log(errors), 1)[0])
    return Order(np.asarray(betas), np.asarray(errors), slope, family(float(betas[0])).order)
