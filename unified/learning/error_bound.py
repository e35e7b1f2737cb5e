"""How far phases that have not quite settled can move a contrast of rest points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from unified.codegen.program import Program
from unified.dynamics.curvature import lambda_min
from unified.dynamics.solve import Rest
from unified.dynamics.system import System

ITERATIONS = 60
STILL = 1e-3


class Bound(NamedTuple):
    """A bound, or NaN and why there is none."""

    value: float
    why: str


@dataclass(frozen=True)
class Evidence:
    """What an error bound needs: the phases of an estimate, and the weight of each.

    Equation: a phase with force f rests within |f|/λ_min(H) of its state, to first order in f
    (complex nudges: with the real part of H, which bounds |H⁻¹| too). With c = |w||f|/λ_min per
    phase and sample, the gradient is off by at most ‖MC^½‖ (Σc)^½, M the map from all states to
    the batch mean of ∂²F/∂θ∂s·v: one operator norm, by power iteration with the generated code
    and its transpose (from below, to about a part in a thousand).
    Reference: theory page B8.
    """

    program: Program
    values: Mapping[str, Any]
    rests: tuple[Rest, ...]
    weights: tuple[Any, ...]

    def bound(self) -> Bound:
        """The bound of B8, generalised to any weights."""
        free: list[Any] = []
        clamped: list[Any] = []
        for rest, weight in zip(self.rests, self.weights, strict=False):
            if weight is not None:
                held = self.program.model.output.name not in rest.state
                (clamped if held else free).append((rest, weight))
        if not free and not clamped:
            return Bound(np.nan, "not a contrast of rest points")
        total, lowest = 0.0, np.inf
        for group, inner in ((free, self.program), (clamped, None)):
            if group:
                program = self.program.clamped if inner is None else inner
                found, least = _run(program, self.values, group)
                total, lowest = total + found, min(lowest, least)
        if not lowest > 0:
            return Bound(np.nan, "a phase is not at a strict minimum")
        return Bound(total, "") if np.isfinite(total) else Bound(np.nan, "a state is not finite")


def _run(program: Program, values: Mapping[str, Any], group: list[Any]) -> tuple[float, float]:
    import jax.numpy as jnp

    with program.precision:
        names = program.kernels.inputs
        kept = {k: jnp.asarray(v) for k, v in values.items() if k in names}
        state = {s.name: jnp.concatenate([r.state[s.name] for r, _ in group])
                 for s in program.model.states}  # fmt: skip
        beta = jnp.concatenate([r.beta for r, _ in group])
        weight = jnp.concatenate([w for _, w in group])
        run = program.jit("error bound", lambda *a: _error(program, *a))
        total, lowest = run({**kept, "beta": beta}, state, weight)
        return float(total), float(lowest)


def _error(program: Program, values: Any, state: Any, weight: Any) -> tuple[Any, Any]:
    """‖MC^½‖ (Σc)^½ and the smallest eigenvalue met (traceable)."""
    import jax.numpy as jnp

    system = System(program, values)
    system.begin(state)
    lowest = lambda_min(program, values, state)[0]
    c = jnp.abs(weight)[:, None] * system.norm(system.gradient(state)) / lowest
    names = program.kernels.directions
    fixed = {**values, **state, "weight": jnp.ones_like(weight.real)}

    def apply(v: Any) -> Any:
        along = system.split(jnp.sqrt(c)[..., None] * v)
        mixed = program.core("mixed", {**fixed, **{names[k].name: a for k, a in along.items()}})
        return jnp.concatenate([m.reshape(-1) for m in mixed.values()])

    return operator_norm(apply, system.flat(state)) * jnp.sqrt(jnp.sum(c)), jnp.min(lowest)


def operator_norm(apply: Any, like: Any) -> Any:
    """‖A‖ of a linear map on arrays as `like`, by power iteration on AᴴA (traceable)."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    back = jax.linear_transpose(apply, like)

    def going(carry: Any) -> Any:
        k, _, size, last = carry
        return (k < ITERATIONS) & (jnp.abs(size - last) > STILL * size)

    def step(carry: Any) -> Any:
        k, v, size, _ = carry
        (w,) = back(apply(v).conj())
        w = w.conj()
        length = jnp.linalg.norm(w)
        return k + 1, w / jnp.where(length > 0, length, 1.0), length, size

    v = jax.random.normal(jax.random.key(0), like.shape, like.real.dtype).astype(like.dtype)
    begin = (0, v / jnp.linalg.norm(v), jnp.asarray(0.0, like.real.dtype),
             jnp.asarray(-1.0, like.real.dtype))  # fmt: skip
    return jnp.sqrt(lax.while_loop(going, step, begin)[2])
