"""A predictive net seen from its errors, coordinates in which its energy is a sum of squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unified.base.errors import bad_input
from unified.codegen.error_kernels import COVARIANCE, obstacle
from unified.dynamics import batched

if TYPE_CHECKING:
    from unified.dynamics.system import System

State = dict[str, Any]


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

    def gradient(self, state: State, eps: State, r: Any) -> State:
        """∂F/∂z where these are the errors and the misfit: one reverse sweep, nothing forward.

        Equation: ∂F/∂z_l = Π_lε_l − Σ_m (∂μ_m/∂z_l)ᵀΠ_mε_m, and −β(y − z_L) more at the output.
        """
        if len(self.seen) < len(self.free):
            return self.system.gradient(state)  # reverse sweeps pass by what no output shows
        last = r if self.clamped else state[self.top] - self.target + r
        pull = {n: self.weigh(n, e) for n, e in {**eps, self.top: last}.items()}
        rows = {self.kernels.rows[n].name: v[:, :, None] for n, v in pull.items()}
        values = {**self.system.fixed, **state, **rows}
        found = {n: pull[n] - self.call(f"adjoint_{n}", values)[n][:, :, 0] for n in self.seen}
        if not self.clamped:
            found[self.top] = pull[self.top] - self.beta * (self.target - state[self.top])
        return found

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

    def feedback(self, state: State, u: Any) -> State:
        """The errors Π⁻¹Kᵀu that an output pull u holds up, by one reverse sweep at a state."""
        rows = {self.kernels.rows[self.top].name: u[:, :, None]}
        found: State = {}
        for n in self.seen:
            a = self.call(f"adjoint_{n}", {**self.system.fixed, **state, **rows})[n]
            rows[self.kernels.rows[n].name] = a
            found[n] = self._spread(n, a)[:, :, 0]
        return found

    def pull(self, r: Any) -> Any:
        """What the output pulls with at a misfit, R⁻¹r."""
        return self.weigh(self.top, self.output_error(r))

    @property
    def target(self) -> Any:
        """The target, shaped to meet states."""
        return self.system.fixed[self.kernels.target.name]

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
        pull = self.pull(r)
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
