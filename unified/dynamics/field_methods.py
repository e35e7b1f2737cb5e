"""How a field comes to rest: Newton's method for Jacobians of any shape, and sweeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unified.base.errors import bad_input
from unified.dynamics.exact import Exact
from unified.dynamics.field_linear import Reduced, remaining_units
from unified.dynamics.field_system import FieldSystem
from unified.dynamics.methods import AbstractMethod, Flow, Newton
from unified.dynamics.sweeps import LEAST, FixedPoint
from unified.dynamics.system import State, System

DENSE = 64  # remaining units up to which Newton's systems are factorised


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
    Layers whose units meet none of each other are eliminated; up to 64 remaining units are
    factorised. Above, a sweep over the layers comes first, and only where a sample does not gain
    by it are systems solved, by GMRES; every sample then takes what leaves it the least velocity.
    Reference: Kelley & Keyes (1998), SIAM J. Numer. Anal. 35, 508 (pseudo-transient continuation).
    """

    linear: str = "auto"

    def begin(self, system: System, state: State) -> Any:
        import jax.numpy as jnp

        flat = system.flat(state)
        return jnp.zeros(flat.shape[:2], flat.dtype)

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        import jax.numpy as jnp
        from jax import lax

        assert isinstance(system, FieldSystem)
        z, f, shift = system.flat(state), {n: -g for n, g in grad.items()}, memory
        old = system.norm(f)
        swept, swept_size = z, old
        if self.factorises(system):
            move = system.flat(Reduced(system, state, shift).solve(f))
        else:
            swept = system.flat(sweep(system, state))
            swept_size = jnp.linalg.norm(system.flow(swept), axis=-1)
            small = jnp.finfo(z.dtype).eps * (1.0 + jnp.linalg.norm(z, axis=-1))

            def solved() -> Any:
                reduced = Reduced(system, state, shift)
                return system.flat(reduced.solve(f, jnp.clip(old, 1e-4, 0.1)))

            enough = jnp.all((swept_size <= 0.6 * old) | (old <= small))
            move = lax.cond(enough, lambda: jnp.zeros_like(z), solved)
        quick = swept_size <= 0.6 * old
        there = system.flow(z + move)
        left = jnp.linalg.norm(there - shift[..., None] * move, axis=-1)
        good = left <= 0.5 * old  # false where J is singular
        quick = quick & ~(good & (jnp.linalg.norm(there, axis=-1) < swept_size))
        moved = jnp.where(good[..., None], z + move, z)
        longer = jnp.where(shift < 0.02, 0.0, shift / 4.0)
        shift = jnp.where(good | quick, longer, jnp.maximum(4.0 * shift, 0.02))
        return system.split(jnp.where(quick[..., None], swept, moved)), shift

    def factorises(self, system: FieldSystem) -> bool:
        """Whether linear systems are factorised, not iterated."""
        few = self.linear == "auto" and remaining_units(system) <= DENSE
        return self.linear == "dense" or few


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
