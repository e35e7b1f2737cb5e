"""The relaxation methods: what one step does; the loop around it is in `solve`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unified.base.errors import bad_input
from unified.dynamics import batched
from unified.dynamics.metric import Momentum

if TYPE_CHECKING:
    from unified.dynamics.system import System

State = dict[str, Any]


@dataclass(frozen=True)
class AbstractMethod:
    """A way to make a phase relax: `begin` its memory, `step` once for all samples.

    A step gets the state, the gradient ∂F/∂s there and the memory, and returns the next state and
    memory; every sample goes its own way, so a result does not depend on the batch around it.
    """

    max_steps: int = 100

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise bad_input("max_steps", "at least 1", str(self.max_steps), "allow some steps")

    def begin(self, system: System, state: State) -> Any:
        """The memory before the first step."""
        return ()

    def turns(self, system: System) -> int:
        """After how many steps, each of its own kind (`system.turn`), they begin anew."""
        return 1

    def measure(self, system: System, state: State, memory: Any) -> tuple[State, Any]:
        """∂F/∂s at a state, and the memory with what was worked out on the way."""
        return system.gradient(state), memory

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        """The next state and memory."""
        raise NotImplementedError

    def told(self, memory: Any) -> Any:
        """What a phase that starts where this one ended need not work out again; else None."""
        return None

    def definite(self, system: System) -> Any:
        """Whether H is positive definite, (phase, batch), if this method knows; else None."""
        return None

    def moving(self, memory: Any) -> Any:
        """The speed a sample keeps though no force acts on it, (phase, batch)."""
        return 0.0


def _per_unit(value: Any) -> Any:
    return value[..., None]


def _size(flat: Any) -> Any:
    """The 2-norm over all units, (phase, batch)."""
    import jax.numpy as jnp

    return jnp.sqrt(jnp.sum(flat.real**2 + flat.imag**2, axis=-1))


@dataclass(frozen=True)
class Flow(AbstractMethod):
    """The flow of the metric itself (the gradient flow, unless told), by adaptive steps.

    Equation: τ ds/dt = −M ∂F/∂s by Heun's step, or, where units ascend or have inertia and so may
    turn in circles, by Ralston's of third order, which does not widen them; the step is the largest
    over which the velocity changes by at most `rtol` of itself, which keeps it inside the stability
    region and the decay exponential down to rounding. Every sample has its own step. With momentum
    the velocities flow too and must vanish before a sample has settled.
    Raises: InputError for a non-positive rtol or first step.
    Reference: Hairer, Nørsett, Wanner (1993), II.4; Ralston (1962), Math. Comput. 16, 431.
    """

    max_steps: int = 20000
    rtol: float = 0.5
    first: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rtol", "first"):
            if not getattr(self, name) > 0:
                raise bad_input(name, "a positive number", getattr(self, name), "raise it")

    def begin(self, system: System, state: State) -> Any:
        import jax.numpy as jnp

        flat = system.flat(state)
        step = jnp.full(flat.shape[:2], self.first, flat.real.dtype)
        return (step, jnp.zeros_like(flat)) if isinstance(system.metric, Momentum) else (step,)

    def moving(self, memory: Any) -> Any:
        return _size(memory[1]) if len(memory) > 1 else 0.0

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        import jax.numpy as jnp

        metric, inert = system.metric, len(memory) > 1

        def velocity(y: Any, grad: State | None = None) -> Any:
            """dy/dt of the states, followed by their velocities if they have inertia."""
            if grad is None:
                grad = system.gradient(system.split(y[..., : s.shape[-1]]))
            if not isinstance(metric, Momentum):
                return system.flat(metric.velocity(system, system.split(y), grad))
            speed = y[..., s.shape[-1] :]
            return jnp.concatenate([speed, metric.acceleration(-system.flat(grad), speed)], axis=-1)

        h, s = _per_unit(memory[0]), system.flat(state)
        y = jnp.concatenate([s, memory[1]], axis=-1) if inert else s
        f = velocity(y, grad)
        if system.descends and not inert:
            ahead, last = 1.0, velocity(y + h * f)
            mean = 0.5 * (f + last)
        else:
            middle = velocity(y + 0.5 * h * f)
            ahead, last = 0.75, velocity(y + 0.75 * h * middle)
            mean = (2 * f + 3 * middle + 4 * last) / 9
        change = _size(last - f) / (ahead * self.rtol * _size(f))
        change = jnp.where(jnp.isfinite(change), change, 1e6)
        factor = jnp.clip(0.9 / jnp.maximum(change, 1e-12), 0.2, 1.5)
        y = jnp.where(_per_unit(change <= 1.0), y + h * mean, y)
        left = (memory[0] * factor, y[..., s.shape[-1] :])
        return system.split(y[..., : s.shape[-1]]), left if inert else left[:1]


@dataclass(frozen=True)
class Newton(AbstractMethod):
    """Damped Newton steps, layers that can be eliminated one unit at a time taken out first.

    Equation: (∂²F/∂s² + λ) δ = −∂F/∂s with λ ≥ 0 raised until the matrix is positive definite and
    the step lowers F (or the residual), then lowered to 0: quadratic convergence at a minimum.
    `linear`: "dense" factorises the Schur complement on the layers that remain, "cg" uses
    generated Hessian-vector products, "auto" takes dense up to 32 remaining units.
    Where some units ascend F there is no minimum to go to: (∂²F/∂s² + λτM⁻¹) δ = −∂F/∂s is then
    an implicit Euler step, 1/λ long, of the metric's flow, taken if the force it leaves is the
    one its linear model foresaw, to half the force before; always dense, factorised with pivoting.
    Raises: InputError for an unknown `linear`.
    Reference: Levenberg (1944); Nocedal & Wright (2006), chapters 6 and 10.
    """

    max_steps: int = 100
    linear: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.linear not in ("auto", "dense", "cg"):
            raise bad_input("linear", "'auto', 'dense' or 'cg'", repr(self.linear), "choose one")

    def begin(self, system: System, state: State) -> Any:
        import jax.numpy as jnp

        flat = system.flat(state)
        return jnp.zeros(flat.shape[:2], flat.real.dtype)

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        import jax.numpy as jnp

        from unified.dynamics.linear import solve_newton

        shift = memory
        if not system.descends:
            return self._follow(system, state, grad, shift)
        move, definite = solve_newton(system, state, grad, shift, self.linear)
        s, d = system.flat(state), system.flat(move)
        trial = system.split(s - d)
        old, new = system.norm(grad), system.norm(system.gradient(trial))
        lower = new < old
        if not jnp.iscomplexobj(s):
            # Close to rest the energy is flat to rounding: there only the residual decides.
            lower = lower | (system.energy(trial) < system.energy(state))
        good = definite & lower & jnp.isfinite(new)
        return system.split(jnp.where(_per_unit(good), s - d, s)), _adapted(shift, good)

    def _follow(self, system: System, state: State, grad: State, shift: Any) -> tuple[State, Any]:
        """An implicit step of an indefinite metric's flow; see Kelley & Keyes (1998)."""
        import jax.numpy as jnp

        s, g = system.flat(state), system.flat(grad)
        pull = _per_unit(shift) / system.rates(state)
        hessian = system.dense(state) + pull[..., None] * jnp.eye(s.shape[-1], dtype=s.dtype)
        d, _ = batched.solve_pivoted(hessian, g)
        new = system.flat(system.gradient(system.split(s - d)))
        good = _size(new - pull * d) <= 0.5 * _size(g)  # false for a singular matrix
        return system.split(jnp.where(_per_unit(good), s - d, s)), _adapted(shift, good)


def _adapted(shift: Any, good: Any) -> Any:
    """The next λ: towards Newton's step after a good one, a shorter one after a bad one."""
    import jax.numpy as jnp

    raised = jnp.maximum(4.0 * shift, 1e-2)
    lowered = jnp.where(shift < 1e-3, 0.0, shift / 8.0)
    return jnp.where(good, lowered, raised)
