"""Recurrent backpropagation: errors that relax instead of a linear solve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.solve import CODE, FAR, Rest
from unified.dynamics.system import System
from unified.learning.exact import by_name
from unified.learning.gradient import AbstractEstimator, Raw, Values, mean_cost, rest_at


def linear_relaxation(
    drift: Callable[[Any], Any], start: Any, norm: Callable[[Any], Any], rate: float, tol: float,
    limit: int,
) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """x ← x − rate·drift(x) per sample until |drift(x)| ≤ tol·max(1, |x|) (traceable).

    Shapes: states with phase and batch axes; returns x, residual, status code and steps.
    """
    import jax.numpy as jnp
    from jax import lax

    def going(carry: Any) -> Any:
        return jnp.any(carry[3])

    def step(carry: Any) -> Any:
        t, x, _, active, steps = carry
        slope, size = drift(x), norm(x)
        residual = norm(slope) / jnp.maximum(1.0, size)
        lost = ~jnp.isfinite(residual) | (size > FAR)
        active = active & (residual > tol) & ~lost & (t < limit)
        moves = {k: active.reshape(*active.shape, *(1,) * (v.ndim - 2)) for k, v in x.items()}
        x = {k: v - rate * jnp.where(moves[k], slope[k], 0.0) for k, v in x.items()}
        return t + 1, x, residual, active, steps + active

    size = norm(start)
    lead = size.shape
    begin = (0, start, size, jnp.ones(lead, bool), jnp.zeros(lead, jnp.int32))
    _, x, residual, _, steps = lax.while_loop(going, step, begin)
    code = jnp.where(residual <= tol, CODE["converged"], CODE["max_steps"])
    code = jnp.where(norm(x) > FAR, CODE["diverged"], code)
    code = jnp.where(jnp.isfinite(residual), code, CODE["non_finite"])
    return x, residual, code, steps


@dataclass(frozen=True)
class RecurrentBackprop(AbstractEstimator):
    """The gradient of the loss from error units that relax at the free rest point.

    Equation: δ ← δ − η(Hδ + ∂C/∂s) from δ = 0, gradient ∂C/∂θ + (∂²E/∂θ∂s)δ. It tends to
    `Implicit`; after k steps it is k-step truncated backpropagation at rest (`Unrolled`).
    The second phase reported is that of the errors, with the residual |Hδ + ∂C/∂s|/max(1, |δ|):
    errors that have not settled in `steps` are max_steps, ones that grow (η ≥ 2/λ_max) diverged.
    Raises: InputError for steps < 1 or η ≤ 0.
    Reference: Almeida (1987); Pineda (1987), Phys. Rev. Lett. 59, 2229.
    """

    steps: int = 2000
    eta: float = 0.2

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise bad_input("steps", "at least 1", self.steps, "allow some steps")
        if not self.eta > 0:
            raise bad_input("eta", "a positive step", self.eta, "use e.g. 0.2")

    @property
    def takes_metric(self) -> bool:
        return False

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free", "errors")

    @property
    def conditions(self) -> tuple[str, ...]:
        return (*super().conditions, f"eta = {self.eta:g} is below 2/lambda_max(H)")

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        free = rest_at(program, values, self, [0.0])
        one = jnp.ones((1,), program.dtype)
        at = {**values, **free.state, "beta": 0 * one, "weight": one}
        push = program.module.call("cost_gradient", at)
        system = System(program, at)
        system.begin(free.state)

        def drift(delta: Any) -> Any:
            drag = system.product(free.state, delta)
            return {k: drag[k] + push[k] for k in drag}

        nothing = {k: jnp.zeros_like(v) for k, v in push.items()}
        delta, residual, code, steps = linear_relaxation(
            drift, nothing, system.norm, self.eta, self.tolerance(program), self.steps
        )
        mixed = program.module.call("mixed", {**at, **by_name(program, delta)})
        direct = program.module.call("cost_rule", at)
        loss = mean_cost(program, values, free.state)
        settled = Rest(free.state, residual, code, steps, 0 * one)
        return Raw({k: direct[k] + mixed[k] for k in mixed}, loss, loss, (free, settled))
