"""The relaxation methods: what one step does; the loop around it is in `solve`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unified.base.errors import bad_input
from unified.dynamics import batched

if TYPE_CHECKING:
    from unified.dynamics.system import System

State = dict[str, Any]
LEAST = 0.05  # of the own curvature: below it, a local quadratic model says nothing


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

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        """The next state and memory."""
        raise NotImplementedError


def _per_unit(value: Any) -> Any:
    return value[..., None]


@dataclass(frozen=True)
class FixedPoint(AbstractMethod):
    """Asynchronous sweeps: each layer in turn goes to the minimum of its local quadratic model.

    Equation: s_l ← s_l − D_l⁻¹ ∂F/∂s_l for l = 1..L in order (L..1 after a nudge); D_l is the
    layer's own Hessian block, less, where blocks are diagonal by construction (layered Hopfield),
    the diagonal of what the layers still to move will give way: elementwise throughout.
    `anderson` past sweeps are combined to the least residual (0: none).
    Raises: InputError for max_steps < 1 or anderson < 0.
    Reference: Gauss–Seidel–Newton sweeps, Ortega & Rheinboldt (1970); Anderson (1965).
    """

    anderson: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.anderson < 0:
            raise bad_input("anderson", "0 or more past sweeps", str(self.anderson), "use 0 or 5")

    def begin(self, system: System, state: State) -> Any:
        if not self.anderson:
            return ()
        import jax.numpy as jnp

        flat = system.flat(state)
        past = jnp.zeros((self.anderson, *flat.shape), flat.dtype)
        return past, past, jnp.zeros((), jnp.int32)

    def stiffness(self, system: System, state: State) -> State:
        """The curvature each layer is moved by, last of the sweep first.

        A layer that moves before its neighbours feels them give way: where blocks are diagonal,
        the diagonal of that Schur complement is taken off; a matrix block stays as it is.
        """
        import jax.numpy as jnp

        found: State = {}
        for name in system.order[::-1]:
            own = system.layer_curvature(name, state)
            if system.kinds[name, name] != "diagonal":
                found[name] = own
                continue
            soft = own
            for later in found:
                if system.kinds[name, later] != "zero" and system.kinds[later, later] == "diagonal":
                    soft = soft - system.screen(name, later, state, found[later])
            # A unit without a local minimum to go to takes a plain gradient step.
            own = jnp.where(own.real > LEAST, own, 1.0)
            found[name] = jnp.where(soft.real > LEAST * own.real, soft, own)
        return found

    def sweep(self, system: System, state: State, grad: State) -> State:
        """One pass over the layers; the gradient at the start serves the first of them."""
        import jax.numpy as jnp

        stiff = self.stiffness(system, state)
        for k, name in enumerate(system.order):
            g = grad[name] if k == 0 else system.layer_gradient(name, state)
            if system.kinds[name, name] == "diagonal":
                move = g / stiff[name]
            else:
                move, good = batched.solve(stiff[name], g)
                move = jnp.where(good[..., None], move, g)  # no minimum there: a gradient step
            state = {**state, name: state[name] - move}
        return state

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        swept = self.sweep(system, state, grad)
        if not self.anderson:
            return swept, memory
        import jax.numpy as jnp

        old, new = system.flat(state), system.flat(swept)
        images, changes, count = memory
        change = new - old
        slot = count % self.anderson
        # Differences to the past, weighted to cancel the present change as well as they can.
        used = (jnp.arange(self.anderson) < count)[:, None, None, None]
        d_change = jnp.where(used, change - changes, 0.0)
        d_image = jnp.where(used, new - images, 0.0)
        gram = jnp.einsum("akbi,ckbi->kbac", d_change.conj(), d_change)
        right = jnp.einsum("akbi,kbi->kba", d_change.conj(), change)
        trace = jnp.trace(gram, axis1=-2, axis2=-1).real
        eps = jnp.finfo(change.real.dtype).eps
        ridge = (10 * eps * trace + jnp.finfo(change.real.dtype).tiny)[..., None, None]
        weight, _ = batched.solve(gram + ridge * jnp.eye(self.anderson), right)
        mixed = new - jnp.einsum("kba,akbi->kbi", weight, d_image)
        good = jnp.all(jnp.isfinite(mixed), axis=-1, keepdims=True)
        mixed = jnp.where(good, mixed, new)
        memory = (images.at[slot].set(new), changes.at[slot].set(change), count + 1)
        return system.split(mixed), memory


@dataclass(frozen=True)
class Flow(AbstractMethod):
    """The gradient flow itself, by an adaptive second-order step.

    Equation: ds/dt = −∂F/∂s by Heun's step, time in units of τ; the step is the largest over which
    the force changes by at most `rtol` of itself, which keeps it inside the stability region and
    the decay exponential down to rounding. Every sample has its own step.
    Raises: InputError for a non-positive rtol or first step.
    Reference: Hairer, Nørsett, Wanner (1993), II.4.
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
        return jnp.full(flat.shape[:2], self.first, flat.real.dtype)

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        import jax.numpy as jnp

        h = _per_unit(memory)
        s, f = system.flat(state), -system.flat(grad)
        ahead = system.gradient(system.split(s + h * f))
        f2 = -system.flat(ahead)
        change = system.norm(system.split(f2 - f)) / (self.rtol * system.norm(grad))
        change = jnp.where(jnp.isfinite(change), change, 1e6)
        factor = jnp.clip(0.9 / jnp.maximum(change, 1e-12), 0.2, 1.5)
        moved = jnp.where(_per_unit(change <= 1.0), s + 0.5 * h * (f + f2), s)
        return system.split(moved), memory * factor


@dataclass(frozen=True)
class Newton(AbstractMethod):
    """Damped Newton steps, layers that can be eliminated one unit at a time taken out first.

    Equation: (∂²F/∂s² + λ) δ = −∂F/∂s with λ ≥ 0 raised until the matrix is positive definite and
    the step lowers F (or the residual), then lowered to 0: quadratic convergence at a minimum.
    `linear`: "dense" factorises the Schur complement on the layers that remain, "cg" uses
    generated Hessian-vector products, "auto" takes dense up to 256 remaining units.
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
        move, definite = solve_newton(system, state, grad, shift, self.linear)
        s, d = system.flat(state), system.flat(move)
        trial = system.split(s - d)
        old, new = system.norm(grad), system.norm(system.gradient(trial))
        lower = new < old
        if not jnp.iscomplexobj(s):
            # Close to rest the energy is flat to rounding: there only the residual decides.
            lower = lower | (system.energy(trial) < system.energy(state))
        good = definite & lower & jnp.isfinite(new)
        moved = jnp.where(_per_unit(good), s - d, s)
        raised = jnp.maximum(4.0 * shift, 1e-2)
        lowered = jnp.where(shift < 1e-3, 0.0, shift / 8.0)
        return system.split(moved), jnp.where(good, lowered, raised)
