"""Complex nudges: the derivative in β as a Cauchy integral."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.relax import require_holomorphic
from unified.learning.gradient import (
    AbstractEstimator,
    Raw,
    Values,
    contrast,
    mean_cost,
    rest_at,
)  # fmt: skip
from unified.learning.nudging import real_nudge


@dataclass(frozen=True)
class Holomorphic(AbstractEstimator):
    """Complex nudges on a circle: the derivative as a Cauchy integral.

    Equation: (1/Nr) Σ_k ∂F/∂θ(s_{β_k}) e^{−iφ_k}, β_k = r e^{iφ_k}, φ_k = 2πk/N; bias O(r^N).
    Conjugate nudges have conjugate rest points, so only the upper half circle is relaxed; a real
    phase at −r guards it: a sample whose Hessian is not positive definite there gets the status
    nudge_too_negative.
    Raises: InputError for points < 2, a bad radius, or an energy or cost with a function that is
    not holomorphic (relu, clip, abs) or that JAX cannot evaluate off the real line (erf).
    Reference: Laborieux & Zenke (2022), arXiv:2209.00530.
    """

    radius: float = 0.1
    points: int = 8

    def __post_init__(self) -> None:
        real_nudge(self.radius)
        if self.radius < 0:
            raise bad_input("radius", "a positive number", self.radius, "drop the sign")
        if self.points < 2:
            raise bad_input("points", "at least 2", self.points, "use 4 or 8")

    @property
    def order(self) -> int:
        return self.points

    @property
    def phases(self) -> tuple[str, ...]:
        circle = (f"complex {k + 1}/{self.points}" for k in range(self.points))
        return ("free", "guard at -radius", *circle)

    @property
    def conditions(self) -> tuple[str, ...]:
        return (
            f"energy and cost holomorphic where |beta| <= {self.radius:g}",
            f"the free minimum stays one down to beta = -{self.radius:g}",
        )

    def check(self, program: Program) -> None:
        require_holomorphic(program)

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        n, r = self.points, self.radius
        half = np.arange(n // 2 + 1)
        phi = 2 * np.pi * half / n
        double = np.where((half == 0) | (2 * half == n), 1.0, 2.0)
        kind = np.result_type(program.dtype, np.complex64)
        beta = jnp.asarray((r * np.exp(1j * phi)).astype(kind))
        weight = jnp.asarray((double * np.exp(-1j * phi) / (n * r)).astype(kind))
        free = rest_at(program, values, self, [0.0])
        nudged = rest_at(program, values, self, beta, free.state)
        # The circle must enclose no singularity; the nearest one lies at negative nudges, or, where
        # units ascend, at either end.
        ends = [-r] if self.descends(program) else [-r, r]
        guard = rest_at(program, values, self, ends, free.state)
        grad = contrast(program, values, nudged.state, beta, weight)
        loss = mean_cost(program, values, free.state)
        return Raw({k: g.real for k, g in grad.items()}, loss, loss, (free, guard, nudged),
                   (None, None, weight))  # fmt: skip
