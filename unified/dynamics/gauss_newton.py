"""Gauss–Newton in error coordinates: inference of predictive nets by small output-sized solves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unified.base.errors import bad_input
from unified.dynamics.error_coordinates import ErrorCoordinates
from unified.dynamics.methods import AbstractMethod, Newton

if TYPE_CHECKING:
    from unified.dynamics.system import System

State = dict[str, Any]
PATIENCE = 3  # steps before a residual that hardly falls counts as linear convergence
SLOW = 0.2  # a Gauss–Newton step that leaves more of the residual gives way to Newton
ARMIJO = 1e-4
ROUNDING = 32  # machine epsilons by which two equal energies may differ
GENTLE = 0.5  # nudges up to this are first tried by passes
PASSES = 2  # each a sweep backward and one forward; a solve takes n_L sweeps backward


@dataclass(frozen=True)
class GaussNewton(AbstractMethod):
    """Gauss–Newton in error coordinates, for energies made of predictions (predictive coding).

    Equation: the unknowns are the errors ε_l = z_l − μ_l; with K = ∂μ_L/∂ε per sample and
    r = y − μ_L one step goes to ε⁺ = Π⁻¹Kᵀ(R + KΠ⁻¹Kᵀ)⁻¹(r + Kε), the minimiser of the linearised
    net, by an n_L × n_L solve, R = Π_L⁻¹ for a clamped output, Π_L⁻¹ + 1/β for a nudged one;
    halved per sample until F falls. The curvature of the net itself is left out, so where the
    misfit left at rest is large the residual falls slowly: such samples go on by Newton's method.
    Exact in one step for linear nets; a step costs about n_L backward passes through the layers
    that no input alone decides.
    After a gentle nudge the first step is cheaper: the pull u = R⁻¹r of the output is a fixed
    point of passes u → ε = Π⁻¹Kᵀu (backward) → r (forward), which contract as β; two, the second
    along the secant of what came before, mostly do, and are undone per sample if F rose.
    Raises: InputError for energies without layers, costs other than squared, complex nudges.
    Reference: Nocedal & Wright (2006), 10.3; theory page C4 for the linear net; Anderson (1965)
    for the secant.
    """

    halvings: int = 30

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.halvings < 0:
            raise bad_input("halvings", "0 or more", str(self.halvings), "use e.g. 30")

    def begin(self, system: System, state: State) -> Any:
        import jax.numpy as jnp

        some = state[system.names[0]]
        if jnp.iscomplexobj(some):
            raise bad_input("beta", "a real nudge, for Gauss–Newton", "a complex one",
                            "use un.Newton or un.FixedPoint")  # fmt: skip
        if not system.descends:
            raise bad_input("metric", "one in which every unit descends, for Gauss–Newton",
                            "some that ascend", "use un.Newton()")  # fmt: skip
        net = ErrorCoordinates(system)
        zero = jnp.zeros(some.shape[:2], some.dtype)
        at = eps, r = net.errors(state)
        grad, back = {}, {}
        if not net.clamped:
            back = net.feedback(state, net.pull(r))  # here, where forward products are at hand
            if system.forward and net.kernels.forward:
                grad = {n: jnp.zeros_like(e) for n, e in eps.items()} | {net.top: -net.beta * r}
        return (jnp.zeros((), jnp.int32), zero, zero, zero.astype(bool), at, back,
                grad or net.gradient(state, *at))  # fmt: skip

    def measure(self, system: System, state: State, memory: Any) -> tuple[State, Any]:
        return memory[-1], memory

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        import jax.numpy as jnp
        from jax import lax

        net = ErrorCoordinates(system)
        count, before, shift, slow, at, back, _ = memory
        size = system.norm(grad)
        slow = slow | ((count >= PATIENCE) & (size > SLOW * before))
        gentle = (not net.clamped) & jnp.all(jnp.abs(net.beta) <= GENTLE)
        way = jnp.where((count == 0) & gentle, 2, jnp.where(jnp.all(slow), 0, 1))
        ways = [lambda: (state, at, grad, slow),
                lambda: self._descend(net, state, at, grad, slow)]  # fmt: skip
        if not net.clamped:
            ways.append(lambda: self._pass(net, state, at, grad, back))
        state, at, grad, stuck = lax.switch(way, ways)
        newton = Newton()

        def finish() -> tuple[State, Any, State, Any]:
            trial, moved = newton.step(system, state, grad, shift)
            old, new = system.energy(state), system.energy(trial)
            part, scale = net.energy(*at)
            scale = scale + jnp.abs(old - part)  # what is added up, constants too
            good = new <= old + ROUNDING * jnp.finfo(old.dtype).eps * scale
            found = _chosen(slow & good, trial, state)
            here = net.errors(found)
            raised = jnp.where(good, moved, jnp.maximum(4.0 * shift, 1e-2))
            return found, here, net.gradient(found, *here), raised

        state, at, grad, shift = lax.cond(
            jnp.any(slow), finish, lambda: (state, at, grad, shift)
        )
        return state, (count + 1, size, shift, slow | stuck, at, back, grad)

    def _pass(
        self, net: ErrorCoordinates, state: State, at: Any, grad: State, back: State
    ) -> tuple[State, Any, State, Any]:
        """Passes backward and forward from any state, the first half of the first given."""
        import jax.numpy as jnp

        eps, r = at
        none = {n: jnp.zeros_like(e) for n, e in eps.items()}
        u, here = net.pull(r), state
        # A forward pass, without errors, is what no pull gives: the secant starts from there.
        fresh = jnp.all(jnp.stack([jnp.all(e == 0, axis=-1) for e in eps.values()]), axis=0)
        last, miss = jnp.zeros_like(u), u
        trial = eps
        for k in range(PASSES):
            trial = none | (net.feedback(here, u) if k else back)
            misfit = net.misfit(trial)
            here = net.states(trial, misfit)
            new = net.pull(misfit) - u
            turn = new - miss
            along = jnp.sum(turn * new, axis=-1) / jnp.maximum(jnp.sum(turn * turn, axis=-1), 1e-30)
            along = jnp.where(fresh | (k > 0), along, 0.0)[..., None]
            u, last, miss = u + new - along * (u - last + turn), u, new
        old, scale = net.energy(eps, r)
        slack = ROUNDING * jnp.finfo(old.dtype).eps * scale
        good = net.energy(trial, misfit)[0] <= old + slack
        grad = _chosen(good, net.gradient(here, trial, misfit), grad)
        kept = _chosen(good, trial, eps), jnp.where(good[..., None], misfit, r)
        return _chosen(good, here, state), kept, grad, jnp.zeros_like(good)

    def _descend(
        self, net: ErrorCoordinates, state: State, at: Any, grad: State, skip: Any
    ) -> tuple[State, Any, State, Any]:
        """One Gauss–Newton step with per-sample backtracking, and which samples found none."""
        import jax.numpy as jnp
        from jax import lax

        eps, r = at
        best, slope = net.minimiser(state, eps, r)
        old, size = net.energy(eps, r)
        fall = jnp.minimum(slope, 0.0)
        slack = ROUNDING * jnp.finfo(old.dtype).eps * size

        def going(carry: Any) -> Any:
            k, *_, done = carry
            return (k <= self.halvings) & ~jnp.all(done)

        def trial(carry: Any) -> Any:
            k, part, found, kept, force, done = carry
            there = {n: eps[n] + part[..., None] * (best[n] - eps[n]) for n in eps}
            misfit = net.misfit(there)
            new, _ = net.energy(there, misfit)
            good = new <= old + ARMIJO * part * fall + slack
            taken = good & ~done
            moved = net.states(there, misfit)
            # Asked for here, where its forward products are at hand.
            force = _chosen(taken, net.gradient(moved, there, misfit), force)
            found = _chosen(taken, moved, found)
            kept = _chosen(taken, there, kept[0]), jnp.where(taken[..., None], misfit, kept[1])
            return k + 1, 0.5 * part, found, kept, force, done | good

        start = (0, jnp.ones_like(old), state, at, grad, skip)
        _, _, found, kept, force, done = lax.while_loop(going, trial, start)
        return found, kept, force, ~done


def _chosen(mask: Any, new: State, old: State) -> State:
    """The new rows where the mask (phase, batch) holds."""
    import jax.numpy as jnp

    return {n: jnp.where(mask[..., None], new[n], old[n]) for n in old}
