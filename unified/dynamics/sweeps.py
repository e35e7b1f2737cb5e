"""Sweeps: layer after layer to the minimum of its own local model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unified.base.errors import bad_input
from unified.dynamics import batched
from unified.dynamics.messages import Informed, Messages
from unified.dynamics.methods import AbstractMethod

if TYPE_CHECKING:
    from unified.dynamics.system import State, System

LEAST = 0.05  # of the own curvature: below it, a local quadratic model says nothing
NARROW = 8  # a layer so much narrower than a neighbour moves with it: it costs next to nothing
ROUNDS = 2  # of the layers that move together
OVER = 1.1  # a wide layer moves farther than to its minimum, since its neighbours will follow it
FARTHEST = 1.4  # times as far, where convergence asks for it; the estimate drifts upwards


@dataclass(frozen=True)
class FixedPoint(AbstractMethod):
    """Asynchronous sweeps: each layer in turn goes to the minimum of its local quadratic model
    (the maximum, if it ascends; there sweeps need not converge).

    Equation: s_l ← s_l − D_l⁻¹ ∂F/∂s_l for l = 1..L in order (L..1 after a nudge); D_l is the
    layer's own Hessian block, less, where blocks are diagonal by construction (layered Hopfield),
    the diagonal of what the layers still to move will give way: elementwise throughout.
    Where all blocks are diagonal, what each layer tells the others (products with the weights) is
    kept while it rests, and a step is one turn: the move of one layer, with its much narrower
    neighbours, the wide one ω times as far as to its minimum. Every sample finds its own ω from
    the factor λ by which a sweep lowers its force: μ² = (λ+ω−1)²/(λω²), ω ← 2/(1+√(1−μ²)).
    Else a step is a whole sweep.
    `anderson` past sweeps are combined to the least residual (0: none).
    Raises: InputError for max_steps < 1 or anderson < 0.
    Reference: Gauss–Seidel–Newton sweeps, Ortega & Rheinboldt (1970); Young (1971), Iterative
    Solution of Large Linear Systems, chapter 6 (ω); Anderson (1965).
    """

    anderson: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.anderson < 0:
            raise bad_input("anderson", "0 or more past sweeps", str(self.anderson), "use 0 or 5")

    def begin(self, system: System, state: State) -> Any:
        import jax.numpy as jnp

        if self.anderson:
            flat = system.flat(state)
            past = jnp.zeros((self.anderson, *flat.shape), flat.dtype)
            return past, past, jnp.zeros((), jnp.int32)
        if any(system.kinds[n, n] != "diagonal" for n in system.names):
            return ()
        system.messages = Messages(system, state)
        lead = state[system.names[0]].shape[:2]
        far = jnp.full(lead, OVER, system.norm(state).dtype)
        if system.told is None:
            told = {n: system.messages.of(n, state[n]) for n in system.names}
        else:
            told = {n: system.messages.again(n, m) for n, m in system.told.items()}
        # How far each sample moves, and its force one sweep ago (0: not known).
        return told, far, jnp.zeros_like(far)

    def told(self, memory: Any) -> Any:
        return memory[0] if memory and isinstance(memory[0], dict) else None

    def turns(self, system: System) -> int:
        return len(turns(system)) if system.messages is not None else 1

    def measure(self, system: System, state: State, memory: Any) -> tuple[State, Any]:
        if system.messages is None:
            return super().measure(system, state, memory)
        moved = () if system.turn is None else turns(system)[system.turn]
        told, *pace = memory
        told = told | {n: system.messages.of(n, state[n]) for n in moved}
        read = system.messages.read(state, told)
        return {n: read[n][0] for n in system.names}, (told, *pace)

    def stiffness(self, system: System, state: State, order: tuple[str, ...]) -> State:
        """The curvature each layer of a sweep is moved by, last of the sweep first.

        A layer that moves before its neighbours feels them give way: where blocks are diagonal,
        the diagonal of that Schur complement is taken off; a matrix block stays as it is.
        """
        import jax.numpy as jnp

        found: State = {}
        for name in order[::-1]:
            if system.kinds[name, name] != "diagonal":
                if len(system.shapes[name]) == 1:
                    found[name] = system.layer_curvature(name, state)
                continue
            own = system.layer_curvature(name, state)
            soft = own
            for later in found:
                if system.has_screen(name, later):
                    soft = soft - system.screen(name, later, state, found[later])
            # A unit without a local minimum to go to takes a plain gradient step.
            sign = system.sign(name)
            own = jnp.where(sign * own.real > LEAST, own, sign)
            found[name] = jnp.where(sign * soft.real > LEAST * sign * own.real, soft, own)
        return found

    def sweep(self, system: System, state: State, order: tuple[str, ...]) -> State:
        """One pass over the layers of `order`."""
        import jax.numpy as jnp

        from unified.dynamics.linear import layer_step

        stiff = self.stiffness(system, state, order)
        for name in order:
            g = system.layer_gradient(name, state)
            if system.kinds[name, name] == "diagonal":
                move = g / stiff[name]
            elif name not in stiff:
                move = layer_step(system, name, state, g, system.sign(name))
            else:
                sign = system.sign(name)
                move, good = batched.solve(sign * stiff[name], sign * g)
                # No minimum there: a gradient step.
                move = jnp.where(good[..., None], move, sign * g)
            state = {**state, name: state[name] - move}
        return state

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        if system.messages is not None:
            told, far, before = memory
            view: Any = Informed(system, system.messages, state, told)
            parts = turns(system)
            part, new = parts[system.turn or 0], state
            for _ in range(ROUNDS if len(part) > 1 else 1):
                new = self.sweep(view, new, part)
            if len(parts) > 1:
                if not system.turn:
                    size = system.norm(grad)
                    far, before = _farther(far, size, before), size
                wide = part[-1]
                own = far.reshape(*far.shape, *(1,) * (state[wide].ndim - 2))
                new = {**new, wide: state[wide] + own * (new[wide] - state[wide])}
            return new, (told, far, before)
        swept = self.sweep(system, state, system.order)
        if not self.anderson:
            return swept, memory
        return self._mixed(system, state, swept, memory)

    def _mixed(self, system: System, state: State, swept: State, memory: Any) -> tuple[State, Any]:
        """The combination of past sweeps with the least residual."""
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


def _farther(far: Any, size: Any, before: Any) -> Any:
    """The next ω of every sample: the best one for the convergence seen in the last sweep.

    Where λ < ω − 1 it went too far already; it then keeps its ω, as it does without a sweep to
    look back on.
    """
    import jax.numpy as jnp

    factor = size / jnp.where(before > 0, before, 1.0)
    square = (factor + far - 1.0) ** 2 / (jnp.maximum(factor, 1e-3) * far**2)
    best = 2.0 / (1.0 + jnp.sqrt(jnp.clip(1.0 - square, 0.0, 1.0)))
    seen = (before > 0) & (factor > far - 1.0)
    return jnp.where(seen, jnp.clip(best, OVER, FARTHEST), far)


def turns(system: System) -> list[tuple[str, ...]]:
    """The layers in the order they move in, those together that are much narrower or wider.

    Narrow ones first: a wide layer then leaves no force on itself behind.
    """
    parts: list[list[str]] = []
    for name in system.order:
        near = parts[-1] if parts else []
        ratio = [system.width(name) / system.width(n) for n in near]
        if near and (min(ratio) >= NARROW or max(ratio) <= 1 / NARROW):
            near.append(name)
        else:
            parts.append([name])
    return [tuple(sorted(part, key=system.width)) for part in parts]
