"""A phase made ready to relax: generated functions with everything but the state filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unified.codegen.program import Program

State = dict[str, Any]


class System:
    """The functions of one relaxation, on states with phase and batch axes (traceable).

    What no state changes (the drive of clamped inputs) is computed once, here.
    """

    def __init__(
        self, program: Program, values: Mapping[str, Any], *, backward: bool = False
    ) -> None:
        self.program = program
        self.names = tuple(s.name for s in program.model.states)
        self.order = self.names[::-1] if backward else self.names
        self.kinds = program.kernels.structure.kinds
        fixed = {k: v for k, v in values.items() if k not in self.names}
        self.fixed = {**fixed, **program.drive(fixed)}

    def _call(self, name: str, state: Mapping[str, Any], **more: Any) -> State:
        return self.program.module.call(name, {**self.fixed, **state, **more})

    def gradient(self, state: State) -> State:
        """∂F/∂s."""
        return {k: -v for k, v in self._call("force", state).items()}

    def energy(self, state: State) -> Any:
        """F, shape (phase, batch)."""
        return self._call("energy", state)["F"]

    def layer_gradient(self, name: str, state: State) -> Any:
        """∂F/∂s for one layer."""
        return self._call(f"grad_{name}", state)[name]

    def layer_curvature(self, name: str, state: State) -> Any:
        """∂²F/∂s² for one layer: a vector if diagonal by construction, else a matrix."""
        return self._call(f"curvature_{name}", state)[name]

    def screen(self, a: str, b: str, state: State, stiff: Any) -> Any:
        """How much layer b, of curvature `stiff`, lowers the curvature of a by giving way."""
        at = {s.name: v.name for s, v in self.program.kernels.stiffness.items()}
        return self._call(f"screen_{a}_{b}", state, **{at[b]: stiff})[a]

    def blocks(self, state: State) -> State:
        """The upper nonzero Hessian blocks by 'a|b'."""
        return self._call("hessian", state)

    def product(self, state: State, direction: State) -> State:
        """Hessian times direction."""
        names = self.program.kernels.directions
        return self._call("hvp", state, **{names[k].name: v for k, v in direction.items()})

    def flat(self, state: State) -> Any:
        """The states side by side, shape (phase, batch, N)."""
        import jax.numpy as jnp

        return jnp.concatenate([state[n] for n in self.names], axis=-1)

    def split(self, flat: Any) -> State:
        """The inverse of `flat`."""
        found, start = {}, 0
        for n in self.names:
            stop = start + self.width(n)
            found[n] = flat[..., start:stop]
            start = stop
        return found

    def width(self, name: str) -> int:
        """The number of units of a layer."""
        return self._widths[name]

    def begin(self, state: State) -> State:
        """Remember the widths of a first state; returns it."""
        self._widths: dict[str, int] = {n: state[n].shape[-1] for n in self.names}
        return state

    def norm(self, grad: State) -> Any:
        """|∂F/∂s| over all units, shape (phase, batch)."""
        import jax.numpy as jnp

        total: Any = 0.0
        for g in grad.values():
            square = g.real**2 + g.imag**2 if jnp.iscomplexobj(g) else g * g
            total = total + jnp.sum(square, axis=-1)
        return jnp.sqrt(total)

    def residual(self, state: State, grad: State) -> Any:
        """|∂F/∂s| / max(1, |s|), shape (phase, batch)."""
        import jax.numpy as jnp

        return self.norm(grad) / jnp.maximum(1.0, self.norm(state))
