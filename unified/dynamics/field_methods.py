"""How a field comes to rest: Newton's method for Jacobians of any shape, and sweeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unified.base.errors import bad_input
from unified.dynamics import batched
from unified.dynamics.exact import Exact
from unified.dynamics.field_system import FieldSystem
from unified.dynamics.krylov import gmres
from unified.dynamics.methods import AbstractMethod, Flow, Newton
from unified.dynamics.sweeps import LEAST, FixedPoint
from unified.dynamics.system import State, System

DENSE = 64  # units up to which Newton's systems are factorised


def sweep(system: FieldSystem, state: State) -> State:
    """Every layer in turn to where its own velocity vanishes, the others held (to first order)."""
    import jax.numpy as jnp

    for name in system.order:
        own = system.layer_curvature(name, state)
        step = system.layer_velocity(name, state) / jnp.where(own > LEAST, own, 1.0)
        state = {**state, name: state[name] + step}
    return state


@dataclass(frozen=True)
class FieldSweeps(AbstractMethod):
    """Sweeps over the layers of a field, the last `anderson` of them combined as `FixedPoint` does.

    Equation: s_l ← s_l + f_l/κ_l, κ the diagonal of −∂f_l/∂s_l where it is all there is, else 1.
    """

    anderson: int = 0

    def begin(self, system: System, state: State) -> Any:
        return FixedPoint(anderson=self.anderson).begin(system, state) if self.anderson else ()

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        assert isinstance(system, FieldSystem)
        swept = sweep(system, state)
        if not self.anderson:
            return swept, memory
        return FixedPoint(anderson=self.anderson)._mixed(system, state, swept, memory)


@dataclass(frozen=True)
class FieldNewton(AbstractMethod):
    """Newton's method on f(s) = 0, falling back on implicit steps of the flow.

    Equation: s ← s + δ with (λ − J) δ = f: for λ = 0 Newton's step, else an implicit Euler step 1/λ
    long, which follows the flow where Newton's method would get stuck between rest points. A step
    is taken if the velocity it leaves is the λδ foreseen, to half the velocity before; λ is raised
    after a step refused, lowered to 0 after steps taken.
    Above 64 units a sweep over the layers is taken instead where it gains as much; linear systems,
    by GMRES, are only for the rest.
    Reference: Kelley & Keyes (1998), SIAM J. Numer. Anal. 35, 508 (pseudo-transient continuation).
    """

    linear: str = "auto"

    def begin(self, system: System, state: State) -> Any:
        import jax.numpy as jnp

        flat = system.flat(state)
        return jnp.zeros(flat.shape[:2], flat.dtype)

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        import jax
        import jax.numpy as jnp
        from jax import lax

        assert isinstance(system, FieldSystem)
        z, f, shift = system.flat(state), -system.flat(grad), memory
        pull = shift[..., None]
        old = jnp.linalg.norm(f, axis=-1)
        swept, quick = z, jnp.zeros(old.shape, bool)
        if _dense(self.linear, z.shape[-1]):
            matrix = pull[..., None] * jnp.eye(z.shape[-1], dtype=z.dtype) - system.jacobian(z)
            move, _ = batched.solve_pivoted(matrix, f)
        else:
            swept = system.flat(sweep(system, state))
            quick = jnp.linalg.norm(system.flow(swept), axis=-1) <= 0.6 * old
            small = jnp.finfo(z.dtype).eps * (1.0 + jnp.linalg.norm(z, axis=-1))

            def solved() -> Any:
                push = jax.linearize(system.flow, z)[1]
                return gmres(lambda v: pull * v - push(v), f, jnp.clip(old, 1e-4, 0.1))

            move = lax.cond(jnp.all(quick | (old <= small)), lambda: jnp.zeros_like(z), solved)
        left = system.flow(z + move) - pull * move
        good = jnp.linalg.norm(left, axis=-1) <= 0.5 * old  # false where J is singular
        moved = jnp.where(good[..., None], z + move, z)
        longer = jnp.where(shift < 0.02, 0.0, shift / 4.0)
        shift = jnp.where(good | quick, longer, jnp.maximum(4.0 * shift, 0.02))
        return system.split(jnp.where(quick[..., None], swept, moved)), shift


def _dense(linear: str, units: int) -> bool:
    return linear == "dense" or (linear == "auto" and units <= DENSE)


def field_method(method: AbstractMethod | None) -> AbstractMethod:
    """The method by which a field relaxes when the user asks for `method`. Raises: InputError."""
    if method is None or isinstance(method, Exact):
        return FieldNewton()  # which takes one step where the field is linear
    if isinstance(method, Newton):
        return FieldNewton(method.max_steps, method.linear)
    if isinstance(method, FixedPoint):
        return FieldSweeps(method.max_steps, method.anderson)
    if isinstance(method, FieldNewton | FieldSweeps | Flow):
        return method
    raise bad_input(
        "method", "un.Newton(), un.FixedPoint() or un.Flow() for a field",
        f"un.{type(method).__name__}()", "other methods need an energy",
    )  # fmt: skip
