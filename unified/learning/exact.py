"""Exact gradients: the implicit function theorem, and backpropagation through relaxation steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.linear import solve
from unified.dynamics.metric import AbstractMetric
from unified.dynamics.solve import Rest, start_state
from unified.dynamics.system import System
from unified.learning.gradient import (
    AbstractEstimator,
    Raw,
    Values,
    mean_cost,
    rest_at,
    stopped,
)  # fmt: skip


def by_name(program: Program, direction: Any) -> dict[str, Any]:
    """States as the directions that `hvp` and `mixed` take."""
    names = program.kernels.directions
    return {names[k].name: v for k, v in direction.items()}


def hessian_solve(
    program: Program, at: Values, state: Any, right: Any, metric: AbstractMetric | None = None
) -> Any:
    """H⁻¹ right at a state (traceable); H is indefinite where units ascend in the metric."""
    system = System(program, at, metric=metric)
    return solve(system, system.begin(state), right)


@dataclass(frozen=True)
class Implicit(AbstractEstimator):
    """The exact gradient of the loss at the free rest point.

    Equation: ∂C/∂θ − (∂²E/∂θ∂s) H⁻¹ ∂C/∂s, one linear solve per sample; for a field
    ∂C/∂θ − (∂f/∂θ)ᵀ J⁻ᵀ ∂C/∂s (recurrent backpropagation).
    Raises: InputError as every estimator.
    Reference: Almeida (1987), Pineda (1987); theory page B2.
    """

    @property
    def takes_fields(self) -> bool:
        return True

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        if program.field is not None:
            from unified.learning.dyadic import implicit_field

            return implicit_field(self, program, values)
        free = rest_at(program, values, self, [0.0])
        one = jnp.ones((1,), program.dtype)
        at = {**values, **free.state, "beta": 0 * one, "weight": one}
        right = program.module.call("cost_gradient", at)
        adjoint = hessian_solve(program, at, free.state, right, self.metric)
        mixed = program.module.call("mixed", {**at, **by_name(program, adjoint)})
        direct = program.module.call("cost_rule", at)
        loss = mean_cost(program, values, free.state)
        return Raw({k: direct[k] - mixed[k] for k in mixed}, loss, loss, (free,))


@dataclass(frozen=True)
class Unrolled(AbstractEstimator):
    """Backpropagation through synchronous relaxation steps.

    Equation: s_{t+1} = s_t − η ∂E/∂s(s_t), loss C(s_K); adjoint δ_{t} = δ_{t+1} − ηHδ_{t+1},
    gradient ∂C/∂θ − η Σ_t (∂²E/∂θ∂s)(s_t) δ_{t+1}. From `start="rest"` it is K-step truncated
    backpropagation at the free rest point and tends to `Implicit`; from "begin" it differentiates
    the whole relaxation from its start (which counts as given).
    The residual reported is that of the last state; a finite number of steps is the point here,
    so a state that is not at rest has the status truncated, and only one that was lost raises.
    Raises: InputError for steps < 1, η ≤ 0 or an unknown start.
    Reference: Ernoult et al. (2019), arXiv:1905.13633; theory page B4.
    """

    steps: int = 20
    eta: float = 0.2
    start: str = "rest"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise bad_input("steps", "at least 1", self.steps, "unroll some steps")
        if not self.eta > 0:
            raise bad_input("eta", "a positive step", self.eta, "use e.g. 0.2")
        if self.start not in ("rest", "begin"):
            raise bad_input("start", "'rest' or 'begin'", self.start, "choose one")

    @property
    def takes_metric(self) -> bool:
        return False

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free",) if self.start == "rest" else ("unrolled",)

    @property
    def exact_for(self) -> str:
        return f"loss after {self.steps} steps"

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp
        from jax import lax

        one = jnp.ones((1,), program.dtype)
        values = {**values, "beta": 0 * one, "weight": one}
        rests: tuple[Rest, ...] = ()
        if self.start == "rest":
            free = rest_at(program, values, self, [0.0])
            rests, first = (free,), free.state
        else:
            first = start_state(program, values)
        system = System(program, values)
        system.begin(first)

        def forward(s: Any, _: Any) -> Any:
            g = system.gradient(s)
            return {k: s[k] - self.eta * g[k] for k in s}, s

        last, path = lax.scan(forward, first, None, length=self.steps)
        at = {**values, **last}
        delta = program.module.call("cost_gradient", at)
        grad = program.module.call("cost_rule", at)

        def backward(carry: Any, s: Any) -> Any:
            delta, grad = carry
            where = {**values, **s, **by_name(program, delta)}
            mixed = program.module.call("mixed", where)
            grad = {k: grad[k] - self.eta * mixed[k] for k in grad}
            push = system.product(s, delta)
            return ({k: delta[k] - self.eta * push[k] for k in delta}, grad), None

        (_, grad), _ = lax.scan(backward, (delta, grad), path, reverse=True)
        loss = mean_cost(program, values, last)
        residual = system.residual(last, system.gradient(last))
        done = stopped(last, residual, self.steps, self.tolerance(program), 0 * one)
        return Raw(grad, loss, loss, (*rests, done))
