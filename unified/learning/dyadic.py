"""Exact gradients of fields from co-states: relaxed (dyadic) or solved for (implicit)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unified.codegen.program import Program
from unified.dynamics.field_relax import move_to_rest
from unified.dynamics.field_system import Costates
from unified.dynamics.methods import AbstractMethod
from unified.dynamics.solve import CODE, Rest
from unified.learning.asymmetric import (
    AbstractFieldEstimator,
    field_rest,
    held_costates,
    sensitivity,
)  # fmt: skip
from unified.learning.estimate import Raw
from unified.learning.gradient import AbstractEstimator, Values, mean_cost


def costates_at(program: Program, values: Values, state: Any, beta: Any,
                method: AbstractMethod | None, tol: Any) -> Rest:  # fmt: skip
    """Where ḋ = J(m)ᵀd − β ∂C/∂s(m) comes to rest, to a residual of tol·|β| (traceable)."""
    import jax.numpy as jnp

    nudge = jnp.asarray([beta], program.dtype)
    system = Costates(program, {**values, "beta": nudge}, state)
    still = {k: jnp.zeros_like(v) for k, v in state.items()}
    return move_to_rest(system, still, method, tol * jnp.abs(nudge[0]))


@dataclass(frozen=True)
class Dyadic(AbstractFieldEstimator):
    """A second variable for the difference: no bias from the nudge, symmetric Jacobian or not.

    Equation: ṁ = f(m), ḋ = J(m)ᵀd − β ∂C/∂s(m): flows of one function L = −dᵀf + βC, ṁ = −∂L/∂d,
    ḋ = −∂L/∂m; gradient ∂L/∂θ / β = ∂C/∂θ − (∂f/∂θ)ᵀd/β at every β. m does not see d, so it
    settles first.
    Raises: InputError for β that is 0 or not finite.
    Reference: Høier, Staudt & Zach (2023), arXiv:2302.01228; theory page B5.
    """

    beta: float = 0.5

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free", "difference")

    @property
    def conditions(self) -> tuple[str, ...]:
        return ("the free rest point is stable",)

    def core(self, program: Program, values: Values) -> Raw:
        free = self.rest(program, values, [0.0])
        tol, b = self.tolerance(program), self.beta
        apart = costates_at(program, values, free.state, b, self.method, tol)
        grad = sensitivity(program, values, free.state, apart.state, b)
        loss = mean_cost(program, values, free.state)
        shown = apart._replace(state={**free.state, **_named(program, apart.state)})
        held = held_costates(program, values)
        return Raw({k: g / b for k, g in grad.items()}, loss, loss, (free, shown), held=held)


def _named(program: Program, costate: Any) -> dict[str, Any]:
    """Co-states under their names in the Lagrangian; an energy has none and shows the state."""
    if program.field is None:
        return {}
    pairs = zip(program.field.states, program.field.costates, strict=True)
    return {a.name: costate[s.name] for s, a in pairs}


def implicit_field(estimator: AbstractEstimator, program: Program, values: Values) -> Raw:
    """The implicit-function gradient at the rest point of a field (traceable)."""
    import jax.numpy as jnp

    free = field_rest(program, values, estimator, [0.0])
    tol = estimator.tolerance(program)
    solved = costates_at(program, values, free.state, 1.0, estimator.method, tol)
    grad = sensitivity(program, values, free.state, solved.state, 1.0)
    loss = mean_cost(program, values, free.state)
    good = (free.code == CODE["converged"]) & (solved.code != CODE["converged"])
    free = free._replace(code=jnp.where(good, solved.code, free.code))
    return Raw(grad, loss, loss, (free,), held=held_costates(program, values))
