"""Equilibrium propagation: gradients from how rest points answer a nudge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.phase import check_beta
from unified.dynamics.relax import require_holomorphic
from unified.learning.gradient import (
    AbstractEstimator,
    Raw,
    Values,
    contrast,
    joined,
    mean_cost,
    rest_at,
)  # fmt: skip


def _real(beta: Any) -> None:
    check_beta(beta)
    if np.iscomplexobj(beta):
        raise bad_input("beta", "a real number", beta, "use un.Holomorphic for complex nudges")
    if np.ndim(beta):
        raise bad_input("beta", "one number", beta, "make one estimator per nudge")


@dataclass(frozen=True)
class OneSided(AbstractEstimator):
    """The free phase and one nudge.

    Equation: (∂F/∂θ(s_β) − ∂F/∂θ(s_0))/β, bias O(β).
    Raises: InputError for β that is 0 or not finite.
    Reference: Scellier & Bengio (2017), arXiv:1602.05179.
    """

    beta: float = 0.01

    def __post_init__(self) -> None:
        _real(self.beta)

    @property
    def order(self) -> int:
        return 1

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free", "nudged")

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        b = self.beta
        free = rest_at(program, values, self, [0.0])
        nudged = rest_at(program, values, self, [b], free.state)
        both = jnp.asarray([0.0, b], program.dtype)
        weight = jnp.asarray([-1.0 / b, 1.0 / b], program.dtype)
        grad = contrast(program, values, joined(free.state, nudged.state), both, weight)
        loss = mean_cost(program, values, free.state)
        return Raw(grad, loss, loss, (free, nudged))


@dataclass(frozen=True)
class Centered(AbstractEstimator):
    """Two opposite nudges.

    Equation: (∂F/∂θ(s_β) − ∂F/∂θ(s_{−β}))/2β, bias O(β²).
    Raises: InputError for β that is 0 or not finite; a sample whose Hessian at −β is not positive
    definite gets the status nudge_too_negative.
    Reference: Laborieux et al. (2021), arXiv:2006.03824.
    """

    beta: float = 0.01

    def __post_init__(self) -> None:
        _real(self.beta)

    @property
    def order(self) -> int:
        return 2

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free", "nudged", "nudged against")

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        b = self.beta
        free = rest_at(program, values, self, [0.0])
        toward = rest_at(program, values, self, [b], free.state)
        # The two rest points mirror each other in the free one up to O(β²).
        mirror = {k: 2.0 * free.state[k] - toward.state[k] for k in free.state}
        away = rest_at(program, values, self, [-b], mirror)
        pair = jnp.asarray([b, -b], program.dtype)
        weight = jnp.asarray([0.5 / b, -0.5 / b], program.dtype)
        grad = contrast(program, values, joined(toward.state, away.state), pair, weight)
        loss = mean_cost(program, values, free.state)
        return Raw(grad, loss, loss, (free, toward, away))


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
        _real(self.radius)
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
        # The circle must enclose no singularity; the nearest one lies at negative nudges.
        guard = rest_at(program, values, self, [-r], free.state)
        grad = contrast(program, values, nudged.state, beta, weight)
        loss = mean_cost(program, values, free.state)
        return Raw({k: g.real for k, g in grad.items()}, loss, loss, (free, guard, nudged))
