"""The one loop in which every method relaxes, and the checks made where it stops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from unified.codegen.program import Program
from unified.dynamics import batched
from unified.dynamics.equilibrium import CODES
from unified.dynamics.linear import Schur, eliminated
from unified.dynamics.methods import AbstractMethod
from unified.dynamics.system import State, System

CODE = {name: k for k, name in enumerate(CODES)}
FAR = 1e8


class Rest(NamedTuple):
    """Where a relaxation stopped; arrays on phase and batch axes (traceable)."""

    state: State
    residual: Any
    code: Any
    steps: Any
    beta: Any


def start_state(program: Program, values: Mapping[str, Any]) -> State:
    """The state a phase starts from: the energy's own start (a forward pass), else zeros.

    Shapes: (phase, batch, units) with the phases of `beta` and the batch of the data.
    """
    import jax.numpy as jnp

    beta = values["beta"]
    data = [values[v.name] for v in program.kernels.data]
    batch = data[0].shape[0] if data else 1
    kind = beta.dtype if jnp.iscomplexobj(beta) else program.dtype
    lead = (beta.shape[0], batch)
    if program.model.start:
        found = program.module.call("start", values)
        return {
            k: jnp.broadcast_to(v, (*lead, v.shape[-1])).astype(kind) for k, v in found.items()
        }
    widths = _widths(program, values)
    return {n: jnp.zeros((*lead, *shape), kind) for n, shape in widths.items()}


def _widths(program: Program, values: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The size of every state, from the declared sizes or from the parameters and data."""
    known = dict(program.model.sizes)
    for name, axes in program.kernels.inputs.items():
        if name in values:
            known.update(zip(axes, values[name].shape, strict=True))
    return {s.name: tuple(known[a] for a in s.axes) for s in program.model.states}


def relax_arrays(
    program: Program, values: Mapping[str, Any], start: State, method: AbstractMethod, tol: Any,
    *, backward: bool = False,
) -> Rest:  # fmt: skip
    """Relax every phase and sample until its own residual is below `tol` (traceable).

    `backward` tells layer-wise methods to begin at the output, where a nudge enters.

    A sample that has arrived, left every bound or become NaN is frozen: what the others still
    need cannot change it.
    """
    import jax.numpy as jnp
    from jax import lax

    system = System(program, values, backward=backward)
    state = system.begin(start)

    def keep(mask: Any, new: Any, old: Any) -> Any:
        if new.ndim < 2:
            return new  # a count, the same for all
        # Histories (past, phase, batch, units) have one axis more than states.
        lead = (1, *mask.shape) if new.ndim > 3 else mask.shape
        return jnp.where(mask.reshape(lead + (1,) * (new.ndim - len(lead))), new, old)

    def going(carry: Any) -> Any:
        return jnp.any(carry[4])

    def step(carry: Any) -> Any:
        import jax

        # The gradient that measures the residual is also the one the step starts from, so the
        # residual of a state is always known before the state is left.
        t, state, memory, _, active, steps = carry
        grad = system.gradient(state)
        size = system.norm(state)
        residual = system.norm(grad) / jnp.maximum(1.0, size)
        lost = ~jnp.isfinite(residual) | (size > FAR)
        active = active & (residual > tol) & ~lost & (t < method.max_steps)
        new, remembered = method.step(system, state, grad, memory)
        state = {k: keep(active, new[k], state[k]) for k in state}
        memory = jax.tree.map(lambda a, b: keep(active, a, b), remembered, memory)
        return t + 1, state, memory, residual, active, steps + active

    lead = next(iter(state.values())).shape[:2]
    begin = (0, state, method.begin(system, state), jnp.zeros(lead, program.dtype),
             jnp.ones(lead, bool), jnp.zeros(lead, jnp.int32))  # fmt: skip
    _, state, _, residual, _, steps = lax.while_loop(going, step, begin)
    code = jnp.where(residual <= tol, CODE["converged"], CODE["max_steps"])
    code = jnp.where(system.norm(state) > FAR, CODE["diverged"], code)
    code = jnp.where(jnp.isfinite(residual), code, CODE["non_finite"])
    return Rest(state, residual, code, steps, values["beta"])


def definite(program: Program, values: Mapping[str, Any], state: State) -> Any:
    """Whether H is positive definite at a real state, by factorisation, (phase, batch)."""
    import jax.numpy as jnp

    system = System(program, values)
    system.begin(state)
    schur = Schur(system, state, jnp.zeros(state[system.names[0]].shape[:2]))
    good = schur.definite
    if schur.matrix is not None:
        good = good & batched.definite(schur.matrix)
    return good


def schur_width(program: Program, values: Mapping[str, Any], state: State) -> int:
    """How many units remain after the diagonal layers are eliminated."""
    system = System(program, values)
    system.begin(state)
    return sum(map(system.width, system.names)) - sum(map(system.width, eliminated(system)))


def judge(code: Any, positive: Any, beta: Any) -> Any:
    """Statuses after the minimum test: a saddle, or a nudge past the guard, is not converged."""
    import jax.numpy as jnp

    fine = (code == CODE["converged"]) & ~positive
    blame = jnp.where(beta[:, None].real < 0, CODE["nudge_too_negative"], CODE["not_a_minimum"])
    lost = (beta[:, None].real < 0) & (code != CODE["converged"]) & ~positive
    return jnp.where(fine | lost, blame, code)
