"""Linear systems with the Jacobian of a field, layers that can be eliminated taken out first."""

from __future__ import annotations

import math
from typing import Any

from unified.dynamics import batched
from unified.dynamics.field_system import FieldSystem
from unified.dynamics.krylov import gmres
from unified.dynamics.linear import eliminated
from unified.dynamics.system import State


class Reduced:
    """(λ − J) δ = f, J = ∂velocity/∂s, as a system over the layers that remain.

    Equation: with A = λ − J and E the layers whose own blocks are diagonal and that do not meet,
    S = A_RR − A_RE A_EE⁻¹ A_ER over the rest R; every block by products with J alone, so that it
    serves any velocity, and A_EE by one product with ones. Where A_EE vanishes the answer is not
    finite, or leaves a velocity that its caller refuses.
    Shapes: states and f with phase and batch axes, λ (phase, batch).
    Reference: Saad (2003), Iterative Methods for Sparse Linear Systems, 14.2.
    """

    def __init__(self, system: FieldSystem, state: State, shift: Any) -> None:
        import jax
        import jax.numpy as jnp

        self.system, self.shift, self.like = system, shift, state
        self.push = jax.linearize(system.velocity, state)[1]
        self.outs, self.keep = split_layers(system)
        self.units = sum(map(system.width, self.keep))
        ones = {n: jnp.ones_like(state[n]) for n in self.outs}
        self.diagonal = self._apply(ones, self.outs) if self.outs else {}

    def _apply(self, part: State, wanted: tuple[str, ...]) -> State:
        """The layers `wanted` of A times a vector that is 0 outside `part`."""
        import jax.numpy as jnp

        pushed = self.push({n: part.get(n, jnp.zeros_like(v)) for n, v in self.like.items()})
        return {
            n: self._shifted(n) * part[n] - pushed[n] if n in part else -pushed[n] for n in wanted
        }

    def _shifted(self, name: str) -> Any:
        return self.shift.reshape(*self.shift.shape, *(1,) * (self.like[name].ndim - 2))

    def _kept(self, part: State) -> Any:
        """The remaining layers side by side, (phase, batch, R)."""
        import jax.numpy as jnp

        return jnp.concatenate([part[n].reshape(*part[n].shape[:2], -1) for n in self.keep], -1)

    def _layers(self, kept: Any) -> State:
        """The inverse of `_kept`."""
        found, start = {}, 0
        for n in self.keep:
            stop = start + self.system.width(n)
            found[n] = kept[..., start:stop].reshape(self.like[n].shape)
            start = stop
        return found

    def schur(self, kept: Any) -> Any:
        """S times a vector over the remaining units."""
        part = self._layers(kept)
        found = self._apply(part, self.system.names)
        own = self._kept(found)
        if not self.outs:
            return own
        given_way = {n: found[n] / self.diagonal[n] for n in self.outs}
        return own - self._kept(self._apply(given_way, self.keep))

    def matrix(self) -> Any:
        """S as matrices, (phase, batch, R, R)."""
        import jax
        import jax.numpy as jnp

        lead = self.shift.shape
        units = jnp.eye(self.units, dtype=self.shift.dtype)
        column = lambda e: self.schur(jnp.broadcast_to(e, (*lead, self.units)))  # noqa: E731
        return jax.vmap(column, out_axes=-1)(units)

    def solve(self, right: State, rtol: Any = None) -> State:
        """δ: by factorising S, or with `rtol` (phase, batch) by GMRES to that relative residual."""
        alone = {n: right[n] / self.diagonal[n] for n in self.outs}
        if not self.keep:
            return alone
        left = self._kept(right)
        if self.outs:
            left = left - self._kept(self._apply(alone, self.keep))
        if rtol is None:
            found, _ = batched.solve_pivoted(self.matrix(), left)
        else:
            found = gmres(self.schur, left, rtol)
        part = self._layers(found)
        if self.outs:
            back = self._apply(part, self.outs)
            part |= {n: (right[n] - back[n]) / self.diagonal[n] for n in self.outs}
        return {n: part[n] for n in self.system.names}


def split_layers(system: FieldSystem) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The layers to eliminate and those that remain."""
    outs = eliminated(system)
    return outs, tuple(n for n in system.names if n not in outs)


def remaining_units(system: FieldSystem) -> int:
    """How many units a linear system is left with."""
    return sum(math.prod(system.shapes[n]) for n in split_layers(system)[1])
