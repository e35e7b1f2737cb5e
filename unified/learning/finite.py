"""Finite differences of what an estimator says its gradient belongs to: the last reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import InputError, bad_input
from unified.codegen.program import Program
from unified.learning.exact import Implicit
from unified.learning.gradient import AbstractEstimator, Raw, Values

Arrays = dict[str, Any]


def directional_differences(
    program: Program,
    params: Mapping[str, Any],
    x: Any,
    y: Any,
    directions: Sequence[Mapping[str, Any]],
    *,
    of: AbstractEstimator | None = None,
    step: float = 1e-4,
) -> Any:
    """Central differences of an estimator's objective along parameter directions.

    Equation: (4/3)·D(h) − (1/3)·D(2h), D(h) = (L(θ+hd) − L(θ−hd))/2h: error O(h⁴) + rounding/h.
    A direction of a symmetric parameter counts by its symmetric part.
    Shapes: one number per direction; `of` defaults to Implicit, whose objective is the loss.
    Raises: ConvergenceError if a phase does not converge; InputError in float32.
    Reference: Fornberg (1988).
    """
    if program.dtype != np.float64:
        raise bad_input("program", "float64", program.dtype.name, "emit with dtype='float64'")
    of = Implicit() if of is None else of

    twins = {p.name for p in program.model.params if p.symmetric}

    def value(d: Mapping[str, Any], h: float) -> float:
        along = {k: np.asarray(d[k]) for k in params}
        along |= {k: (along[k] + along[k].T) / 2 for k in twins}
        moved = {k: np.asarray(params[k]) + h * along[k] for k in params}
        return of(program, moved, x, y).objective

    def slope(d: Mapping[str, Any], h: float) -> float:
        return (value(d, h) - value(d, -h)) / (2 * h)

    return np.array([(4 * slope(d, step) - slope(d, 2 * step)) / 3 for d in directions])


def random_directions(params: Mapping[str, Any], count: int, seed: int) -> list[Arrays]:
    """Unit directions: one coordinate of each parameter, then Gaussian ones over all of them."""
    rng = np.random.default_rng(seed)
    found: list[Arrays] = []
    for k, v in params.items():
        one = np.zeros(np.shape(v))
        one.flat[rng.integers(one.size)] = 1.0
        found.append({m: one if m == k else np.zeros(np.shape(w)) for m, w in params.items()})
    while len(found) < count:
        d = {k: rng.standard_normal(np.shape(v)) for k, v in params.items()}
        size = np.sqrt(sum(np.sum(v**2) for v in d.values()))
        found.append({k: v / size for k, v in d.items()})
    return found[:count] if count < len(found) else found


@dataclass(frozen=True)
class FiniteDifference(AbstractEstimator):
    """The whole gradient by central differences, entry by entry: slow, and independent.

    Equation: as `directional_differences`, along every coordinate; symmetric parameters move both
    slots at once. `of` is the estimator whose objective is differenced (None: Implicit, the loss).
    Raises: InputError in float32 or with more than `limit` parameters.
    """

    step: float = 1e-4
    limit: int = 2000

    @property
    def takes_fields(self) -> bool:
        return True
    of: AbstractEstimator | None = None

    @property
    def differenced(self) -> AbstractEstimator:
        """The estimator whose objective is differenced."""
        if self.of is not None:
            return self.of
        return Implicit(
            method=self.method, tol=self.tol, certify=self.certify, metric=self.metric
        )

    @property
    def exact_for(self) -> str:
        return self.differenced.exact_for

    def core(self, program: Program, values: Values) -> Raw:
        raise InputError("FiniteDifference: expected a call from outside JAX, got a traced one; "
                         "call it directly.")  # fmt: skip

    def __call__(self, program: Program, params: Mapping[str, Any], x: Any, y: Any, *,
                 throw: bool = True) -> Any:  # fmt: skip
        from unified.learning.gradient import GradientEstimate

        count = sum(int(np.size(v)) for v in params.values())
        if count > self.limit:
            raise bad_input(
                "params", f"at most {self.limit} entries for full finite differences", str(count),
                "use directional_differences, or raise limit",
            )  # fmt: skip
        grad: Arrays = {}
        for p in program.model.params:
            shape = np.shape(params[p.name])
            slopes = np.zeros(shape)
            for at in np.ndindex(shape):
                one = np.zeros(shape)
                one[at] = 1.0
                if p.symmetric:
                    one = (one + one.T) / 2
                d = {k: one if k == p.name else np.zeros(np.shape(v)) for k, v in params.items()}
                slopes[at] = directional_differences(
                    program, params, x, y, [d], of=self.differenced, step=self.step
                )[0]
            grad[p.name] = slopes
        exact = self.differenced(program, params, x, y, throw=throw)
        return GradientEstimate(
            grad, exact.loss, exact.objective, exact.equilibria, exact.status, self
        )  # fmt: skip
