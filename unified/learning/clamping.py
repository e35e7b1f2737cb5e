"""Phases with the output clamped, and contrastive learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unified.codegen.program import Program
from unified.dynamics.solve import Rest
from unified.learning.gradient import (
    AbstractEstimator,
    Raw,
    Values,
    contrast,
    mean_cost,
    rest_at,
)  # fmt: skip


def clamped_rest(program: Program, values: Values, estimator: Any, free: Rest | None) -> Rest:
    """The rest point with the output held at the target, from the free hidden states."""
    inner = program.clamped
    begin = None if free is None else {s.name: free.state[s.name] for s in inner.model.states}
    return rest_at(inner, values, estimator, [0.0], begin)


def clamped_rule(program: Program, values: Values, rest: Rest) -> dict[str, Any]:
    """The batch mean of ∂E/∂θ with the output held; zero for parameters that dropped out."""
    import jax.numpy as jnp

    inner = program.clamped
    one = jnp.ones((1,), program.dtype)
    found = contrast(inner, values, rest.state, 0 * one, one)
    return {p.name: found.get(p.name, jnp.zeros_like(values[p.name])) for p in program.model.params}


def clamped_energy(program: Program, values: Values, rest: Rest) -> Any:
    """The batch-mean energy at the clamped rest point."""
    import jax.numpy as jnp

    beta = jnp.zeros((1,), program.dtype)
    return jnp.mean(program.clamped.core("energy", {**values, **rest.state, "beta": beta})["F"])


@dataclass(frozen=True)
class Contrastive(AbstractEstimator):
    """Clamped minus free: contrastive Hebbian learning.

    Equation: ∂E/∂θ(s_clamped) − ∂E/∂θ(s_free), exactly the gradient of E_clamped − E_free (which
    is not the loss; both vanish together).
    Raises: InputError as every estimator.
    Reference: Movellan (1991); Xie & Seung (2003), Neural Computation 15, 441.
    """

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free", "clamped")

    @property
    def exact_for(self) -> str:
        return "E_clamped - E_free"

    @property
    def conditions(self) -> tuple[str, ...]:
        return (*super().conditions, "so is the clamped one")

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        free = rest_at(program, values, self, [0.0])
        held = clamped_rest(program, values, self, free)
        one = jnp.ones((1,), program.dtype)
        below = contrast(program, values, free.state, 0 * one, one)
        above = clamped_rule(program, values, held)
        energy = program.core("energy", {**values, **free.state, "beta": 0 * one})["F"]
        objective = clamped_energy(program, values, held) - jnp.mean(energy)
        loss = mean_cost(program, values, free.state)
        return Raw({k: above[k] - below[k] for k in above}, loss, objective, (free, held),
                   (-one, one))  # fmt: skip
