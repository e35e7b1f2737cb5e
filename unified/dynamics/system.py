"""A phase made ready to relax: generated functions with everything but the state filled in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from unified.codegen.dense import as_matrix, assemble
from unified.codegen.program import Program
from unified.dynamics.metric import AbstractMetric, Identity

State = dict[str, Any]


class System:
    """The functions of one relaxation, on states with phase and batch axes (traceable).

    What no state changes (the drive of clamped inputs) is computed once, here.
    """

    def __init__(
        self, program: Program, values: Mapping[str, Any], *, backward: bool = False,
        metric: AbstractMetric | None = None,
    ) -> None:  # fmt: skip
        self.program = program
        self.factored: Any = None  # ∂²F/∂s∂s, where a method needs it only once
        self.messages: Any = None  # what layers tell each other, where a method keeps it
        self.forward = False  # whether relaxation began at the program's own first states
        self.turn: int | None = None  # which step of a cycle it is, for methods that have several
        self.told: Any = None  # the messages at the start, if known from another phase
        self.metric = Identity() if metric is None else metric
        self.names = tuple(s.name for s in program.model.states)
        # If every unit descends F, what is stable is a minimum; else it is a saddle.
        self.descends = self.metric.definite(self.names)
        self.order = self.names[::-1] if backward else self.names
        self.kinds = program.kernels.structure.kinds
        fixed = {k: v for k, v in values.items() if k not in self.names}
        self.fixed = {**fixed, **program.drive(fixed)}

    @property
    def coupling(self) -> Mapping[tuple[str, str], str]:
        """The kind of every block of what a linear solver solves with: zero, diagonal or dense."""
        return self.kinds

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
        """∂²F/∂s² for one layer: shaped as the layer if diagonal by construction, else a block."""
        return self._call(f"curvature_{name}", state)[name]

    def screen(self, a: str, b: str, state: State, stiff: Any) -> Any:
        """How much layer b, of curvature `stiff`, lowers the curvature of a by giving way."""
        at = {s.name: v.name for s, v in self.program.kernels.stiffness.items()}
        return self._call(f"screen_{a}_{b}", state, **{at[b]: stiff})[a]

    def has_screen(self, a: str, b: str) -> bool:
        """Whether `screen` knows this pair of layers."""
        return f"screen_{a}_{b}" in self.program.module.signatures

    def blocks(self, state: State) -> State:
        """The upper nonzero Hessian blocks by 'a|b', as matrices (diagonal ones: vectors)."""
        found = {}
        for pair, block in self._call("hessian", state).items():
            a, _, b = pair.partition("|")
            diagonal = b == "+" or (a == b and self.kinds[a, a] == "diagonal")
            found[pair] = as_matrix(block, self.shapes[a], () if diagonal else self.shapes[b])
        return found

    def dense(self, state: State) -> Any:
        """The whole Hessian over the flat states, (phase, batch, N, N)."""
        return assemble(self.program, {**self.fixed, **state})

    def product(self, state: State, direction: State) -> State:
        """Hessian times direction."""
        names = self.program.kernels.directions
        return self._call("hvp", state, **{names[k].name: v for k, v in direction.items()})

    def flat(self, state: State) -> Any:
        """The states side by side, shape (phase, batch, N), each in row-major order."""
        import jax.numpy as jnp

        lead = state[self.names[0]].shape[:2]
        return jnp.concatenate([state[n].reshape(*lead, -1) for n in self.names], axis=-1)

    def split(self, flat: Any) -> State:
        """The inverse of `flat`."""
        found, start = {}, 0
        for n in self.names:
            stop = start + self.width(n)
            found[n] = flat[..., start:stop].reshape(*flat.shape[:-1], *self.shapes[n])
            start = stop
        return found

    def rows(self, state: State) -> State:
        """Every layer as vectors, (phase, batch, units)."""
        return {n: v.reshape(*v.shape[:2], -1) for n, v in state.items()}

    def shaped(self, rows: State) -> State:
        """The inverse of `rows`."""
        return {n: v.reshape(*v.shape[:2], *self.shapes[n]) for n, v in rows.items()}

    def width(self, name: str) -> int:
        """The number of units of a layer."""
        return math.prod(self.shapes[name])

    def begin(self, state: State) -> State:
        """Remember the shapes of a first state; returns it."""
        self.shapes: dict[str, tuple[int, ...]] = {n: state[n].shape[2:] for n in self.names}
        return state

    def sign(self, name: str) -> float:
        """1 if the units of a layer descend F, −1 if they ascend it."""
        return -1.0 if self.metric.ascends(name) else 1.0

    def rates(self, state: State) -> Any:
        """The diagonal of τ⁻¹M, flat: (phase, batch, N)."""
        import jax.numpy as jnp

        found = self.metric.rates(self, state)
        return self.flat({n: jnp.broadcast_to(found[n], state[n].shape) for n in self.names})

    def norm(self, grad: State) -> Any:
        """|∂F/∂s| over all units, shape (phase, batch)."""
        import jax.numpy as jnp

        total: Any = 0.0
        for g in grad.values():
            square = g.real**2 + g.imag**2 if jnp.iscomplexobj(g) else g * g
            total = total + jnp.sum(square, axis=tuple(range(2, square.ndim)))
        return jnp.sqrt(total)

    def residual(self, state: State, grad: State) -> Any:
        """|∂F/∂s| / max(1, |s|), shape (phase, batch)."""
        import jax.numpy as jnp

        return self.norm(grad) / jnp.maximum(1.0, self.norm(state))
