"""Gauss–Newton in error coordinates: inference of predictive nets by small output-sized solves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unified.base.errors import bad_input
from unified.codegen.error_kernels import COVARIANCE, obstacle
from unified.dynamics import batched
from unified.dynamics.methods import AbstractMethod, Newton

if TYPE_CHECKING:
    from unified.dynamics.system import System

State = dict[str, Any]
PATIENCE = 3  # steps before a residual that hardly falls counts as linear convergence
SLOW = 0.2  # a Gauss–Newton step that leaves more of the residual gives way to Newton
ARMIJO = 1e-4
ROUNDING = 32  # machine epsilons by which two equal energies may differ


class ErrorCoordinates:
    """A predictive net seen from its errors, on arrays with phase and batch axes (traceable).

    Equation: z_l = μ_l(z) + ε_l; r = y − μ_L is what the observed layer misses. A clamped output
    has ε_L = r; a free one under ½β|y − z_L|² rests at ε_L = (Π_L + β)⁻¹βr, and is eliminated:
    F = ½Σ_l ε_lᵀΠ_lε_l + ½rᵀR⁻¹r + const, R = Π_L⁻¹ (clamped) or Π_L⁻¹ + 1/β.
    """

    def __init__(self, system: System) -> None:
        program = system.program
        reason = obstacle(program.model, program.cost_model)
        if reason is not None:
            raise bad_input(*reason)
        kernels: Any = program.kernels.errors
        self.system = system
        self.call = program.module.call
        self.kernels = kernels
        self.top: str = kernels.observed.state.name
        self.free = tuple(layer.state.name for layer in kernels.free)
        self.seen = tuple(layer.state.name for layer in kernels.seen)
        self.clamped = program.cost_model is None
        self.axes: dict[str, int] = {}  # of precisions
        for layer in program.model.layers:
            n, name = layer.state.name, f"{COVARIANCE}{layer.state.name}"
            if layer.precision is not None:
                self.axes[n] = layer.precision.ndim
                if name not in system.fixed:  # once per phase: the first use is before the loop
                    system.fixed[name] = self.call(name, system.fixed)[n]

    # --- there and back ---------------------------------------------------------------------
    def errors(self, state: State) -> tuple[State, Any]:
        """The errors ε of the free layers, and the misfit r, at a state."""
        found = self.call("errors", {**self.system.fixed, **state})
        return {n: found[n] for n in self.free}, found[self.top]

    def misfit(self, eps: State) -> Any:
        """The misfit r where the errors put the prediction of the observed layer."""
        return self.call("misfit", {**self.system.fixed, **self._arguments(eps)})["r"]

    def states(self, eps: State, r: Any) -> State:
        """The states of these errors, the output at rest given the others."""
        both = eps if self.clamped else {**eps, self.top: self.output_error(r)}
        return self.call("unfold", {**self.system.fixed, **self._arguments(both)})

    def _arguments(self, eps: State) -> State:
        return {self.kernels.errors[n].name: e for n, e in eps.items()}

    # --- precisions -------------------------------------------------------------------------
    def _weigh(self, name: str, rows: Any) -> Any:
        """Rows (phase, batch, k, n) times the precision."""
        if name not in self.axes:
            return rows
        at = {self.kernels.rows[name].name: rows}
        return self.call(f"weigh_{name}", {**self.system.fixed, **at})[name]

    def _spread(self, name: str, rows: Any) -> Any:
        """Rows (phase, batch, k, n) times the covariance."""
        if name not in self.axes:
            return rows
        cov = self.system.fixed[f"{COVARIANCE}{name}"]
        return rows * cov[..., None, :] if self.axes[name] == 1 else rows @ cov

    def weigh(self, name: str, vector: Any) -> Any:
        """Π_l v."""
        return self._weigh(name, vector[:, :, None])[:, :, 0]

    def output_error(self, r: Any) -> Any:
        """ε_L at rest given the other errors."""
        import jax.numpy as jnp

        if self.clamped:
            return r
        beta = self.beta
        if self.axes.get(self.top, 1) == 1:
            return beta * r / (self.weigh(self.top, jnp.ones_like(r)) + beta)
        eye = jnp.eye(r.shape[-1], dtype=r.dtype)[None, None]
        found, _ = batched.solve(self._weigh(self.top, eye) + beta[..., None] * eye,
                                 beta * r)  # fmt: skip
        return found

    @property
    def beta(self) -> Any:
        """The nudge, shaped to meet states."""
        return self.system.fixed["beta"][:, None, None]

    # --- the least-squares problem ----------------------------------------------------------
    def energy(self, eps: State, r: Any) -> tuple[Any, Any]:
        """F without its constants, and the size of the terms that make it, (phase, batch)."""
        import jax.numpy as jnp

        last = self.output_error(r)
        terms = [jnp.sum(e * self.weigh(n, e), axis=-1) for n, e in {**eps, self.top: last}.items()]
        if not self.clamped:
            terms.append(jnp.sum((r - last) ** 2, axis=-1) * self.beta[..., 0])
        return 0.5 * sum(terms), 0.5 * sum(map(jnp.abs, terms))

    def jacobian(self, state: State) -> State:
        """K_l = ∂μ_L/∂ε_l at a state, (phase, batch, n_L, n_l), by one reverse sweep of n_L rows.

        Axes of size one where all samples share it.
        """
        import jax.numpy as jnp

        some = state[self.system.names[0]]
        values = {**self.system.fixed, **state}
        width = self.system.fixed[self.kernels.target.name].shape[-1]
        rows = {self.kernels.rows[self.top].name: jnp.eye(width, dtype=some.dtype)[None, None]}
        found: State = {}
        for n in self.seen:
            found[n] = self.call(f"adjoint_{n}", {**values, **rows})[n]
            rows[self.kernels.rows[n].name] = found[n]
        return found

    def minimiser(self, state: State, eps: State, r: Any) -> tuple[State, Any]:
        """The least-squares solution of the net linearised at a state, and the slope of F to it.

        Equation: ε⁺ = Π⁻¹Kᵀ(R + KΠ⁻¹Kᵀ)⁻¹(r + Kε); slope ∇F·(ε⁺ − ε) ≤ 0.
        """
        import jax.numpy as jnp

        k = self.jacobian(state)
        spread = {n: self._spread(n, k[n]) for n in self.seen}
        eye = jnp.eye(r.shape[-1], dtype=r.dtype)[None, None]
        gram: Any = sum(jnp.einsum("abon,abpn->abop", spread[n], k[n]) for n in self.seen)
        reached = sum(_apply(k[n], eps[n]) for n in self.seen)
        s = self._spread(self.top, eye) + gram
        # β(1 + βS)⁻¹ is (1/β + S)⁻¹, and 0 in a free phase; positive as long as H is.
        s = s if self.clamped else eye + self.beta[..., None] * s
        u, _ = batched.solve(s, r + reached)
        u = u if self.clamped else self.beta * u
        found = {n: jnp.zeros_like(e) for n, e in eps.items()}
        found |= {n: _pull(spread[n], u) for n in self.seen}
        pull = self.weigh(self.top, self.output_error(r))  # R⁻¹r
        there = jnp.sum(gram * u[..., None, :], axis=-1) - reached  # K(ε⁺ − ε)
        slope = jnp.sum(reached * u - pull * there, axis=-1)
        own = sum(jnp.sum(e * self.weigh(n, e), axis=-1) for n, e in eps.items())
        return found, slope - own


def _apply(k: Any, e: Any) -> Any:
    """K e per sample; one matrix product where K is shared."""
    import jax.numpy as jnp

    if k.shape[:2] == (1, 1):
        return e @ k[0, 0].T
    return jnp.einsum("abon,abn->abo", k, e)


def _pull(k: Any, u: Any) -> Any:
    """Kᵀu per sample."""
    if k.shape[:2] == (1, 1):
        return u @ k[0, 0]
    return (u[..., None, :] @ k)[..., 0, :]


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
    Raises: InputError for energies without layers, costs other than squared, complex nudges.
    Reference: Nocedal & Wright (2006), 10.3; theory page C4 for the linear net.
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
        ErrorCoordinates(system)
        zero = jnp.zeros(some.shape[:2], some.dtype)
        return jnp.zeros((), jnp.int32), zero, zero, zero.astype(bool)

    def step(self, system: System, state: State, grad: State, memory: Any) -> tuple[State, Any]:
        import jax.numpy as jnp
        from jax import lax

        count, before, shift, slow = memory
        size = system.norm(grad)
        slow = slow | ((count >= PATIENCE) & (size > SLOW * before))
        state, stuck = lax.cond(
            jnp.all(slow), lambda: (state, slow), lambda: self._descend(system, state, slow)
        )
        newton = Newton()

        def finish() -> tuple[State, Any]:
            trial, moved = newton.step(system, state, grad, shift)
            old, new = system.energy(state), system.energy(trial)
            good = new <= old + ROUNDING * jnp.finfo(old.dtype).eps * jnp.abs(old)
            taken = slow & good
            found = {n: jnp.where(taken[..., None], trial[n], state[n]) for n in state}
            return found, jnp.where(good, moved, jnp.maximum(4.0 * shift, 1e-2))

        state, shift = lax.cond(jnp.any(slow), finish, lambda: (state, shift))
        return state, (count + 1, size, shift, slow | stuck)

    def _descend(self, system: System, state: State, skip: Any) -> tuple[State, Any]:
        """One Gauss–Newton step with per-sample backtracking, and which samples found none."""
        import jax.numpy as jnp
        from jax import lax

        net = ErrorCoordinates(system)
        eps, r = net.errors(state)
        best, slope = net.minimiser(state, eps, r)
        old, size = net.energy(eps, r)
        fall = jnp.minimum(slope, 0.0)
        slack = ROUNDING * jnp.finfo(old.dtype).eps * size

        def going(carry: Any) -> Any:
            k, _, _, done = carry
            return (k <= self.halvings) & ~jnp.all(done)

        def trial(carry: Any) -> Any:
            k, part, found, done = carry
            there = {n: eps[n] + part[..., None] * (best[n] - eps[n]) for n in eps}
            misfit = net.misfit(there)
            new, _ = net.energy(there, misfit)
            good = new <= old + ARMIJO * part * fall + slack
            moved = net.states(there, misfit)
            found = {n: jnp.where((good & ~done)[..., None], moved[n], found[n]) for n in found}
            return k + 1, 0.5 * part, found, done | good

        start = (0, jnp.ones_like(old), state, skip)
        _, _, found, done = lax.while_loop(going, trial, start)
        return found, ~done
