"""The one loop in which every method relaxes, and the checks made where it stops."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics import batched
from unified.dynamics.equilibrium import CODES
from unified.dynamics.exact import Exact
from unified.dynamics.hessian import FactoredHessian, has_one_hessian
from unified.dynamics.linear import Schur, eliminated
from unified.dynamics.methods import AbstractMethod
from unified.dynamics.metric import AbstractMetric
from unified.dynamics.system import State, System
from unified.symbolic.convolution import fitted, windows_of

CODE = {name: k for k, name in enumerate(CODES)}
FAR = 1e8


class Rest(NamedTuple):
    """Where a relaxation stopped; arrays on phase and batch axes (traceable).

    `told`, if asked for, is what a relaxation that starts here need not work out again.
    """

    state: State
    residual: Any
    code: Any
    steps: Any
    beta: Any
    told: Any = None


def start_state(program: Program, values: Mapping[str, Any]) -> State:
    """The state a phase starts from: the energy's own start (a forward pass), else zeros.

    Shapes: (phase, batch, axes...) with the phases of `beta` and the batch of the data.
    """
    import jax.numpy as jnp

    beta = values["beta"]
    data = [values[v.name] for v in program.kernels.data]
    batch = data[0].shape[0] if data else 1
    kind = beta.dtype if jnp.iscomplexobj(beta) else program.dtype
    lead = (beta.shape[0], batch)
    if program.model.start:
        found = program.module.call("start", values)
        own = {s.name: s.ndim for s in program.model.states}
        return {
            k: jnp.broadcast_to(v, (*lead, *v.shape[v.ndim - own[k] :])).astype(kind)
            for k, v in found.items()
        }
    widths = _widths(program, values)
    return {n: jnp.zeros((*lead, *shape), kind) for n, shape in widths.items()}


def _widths(program: Program, values: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The size of every state, from the declared sizes or from the parameters and data."""
    known = dict(program.model.sizes)
    for name, axes in program.kernels.inputs.items():
        if name in values:
            known.update(zip(axes, values[name].shape, strict=True))
    known = fitted(windows_of(program.model.expr), known)
    return {s.name: tuple(known[a] for a in s.axes) for s in program.model.states}


def relax_arrays(
    program: Program, values: Mapping[str, Any], start: State | None, method: AbstractMethod,
    tol: Any, *, backward: bool = False, metric: AbstractMetric | None = None, system: Any = None,
    told: Any = None, keep: bool = False,
) -> Rest:  # fmt: skip
    """Relax every phase and sample until its own residual is below `tol` (traceable).

    Without a `start` it begins at `start_state`. `backward` tells layer-wise methods to begin at
    the output, where a nudge enters; `metric` is what the flow follows and decides whether rest
    points are minima or saddles; `system` stands in for that of the program (a field's velocity).

    `told` is what a relaxation that ended at `start` told; `keep` asks to tell it in the result.

    A sample that has arrived, left every bound or become NaN is frozen: what the others still
    need cannot change it.
    """
    import jax
    import jax.numpy as jnp
    from jax import lax

    if system is None:
        system = System(program, values, backward=backward, metric=metric)
    system.forward = start is None
    state = system.begin(start_state(program, values) if start is None else start)
    system.told = told
    if isinstance(method, Exact) and not system.descends:
        raise bad_input("method", "one that finds saddles, since some units ascend in this metric",
                        "un.Exact()", "use un.Newton()")  # fmt: skip

    def held(mask: Any, new: Any, old: Any, lead: int = 0) -> Any:
        tail = new.ndim - mask.ndim - lead
        return jnp.where(mask.reshape((1,) * lead + mask.shape + (1,) * tail), new, old)

    def held_memory(mask: Any, new: Any, old: Any) -> Any:
        if new is old or new.ndim < 2:
            return new  # what never changes, or a count, the same for all
        # Methods remember flat states (phase, batch, units), or histories of them, past first.
        return held(mask, new, old, lead=int(new.ndim > 3))

    def measured(state: Any, memory: Any, active: Any) -> Any:
        # The gradient that measures the residual is also the one the next step starts from, so
        # the residual of a state is always known before the state is left.
        grad, memory = method.measure(system, state, memory)
        size = system.norm(state)
        residual = (system.norm(grad) + method.moving(memory)) / jnp.maximum(1.0, size)
        lost = ~jnp.isfinite(residual) | (size > FAR)
        active = active & (residual > tol) & ~lost
        return state, memory, grad, residual, active

    def going(carry: Any) -> Any:
        return jnp.any(carry[1][4])

    def moved(turn: int, state: Any, memory: Any, grad: Any, _: Any, active: Any) -> Any:
        system.turn = turn
        new, remembered = method.step(system, state, grad, memory)
        state = {k: held(active, new[k], state[k]) for k in state}
        memory = jax.tree.map(lambda a, b: held_memory(active, a, b), remembered, memory)
        return measured(state, memory, active)

    def cycle(carry: Any) -> Any:
        t, at, steps = carry
        steps = steps + at[4]
        at = moved(0, *at)
        for turn in range(1, method.turns(system)):  # worth a branch: they cost matrix products
            at = lax.cond(jnp.any(at[4]), partial(moved, turn), lambda *at: at, *at)
        *rest, active = at
        return t + 1, (*rest, active & (t + 1 < method.max_steps)), steps

    lead = next(iter(state.values())).shape[:2]
    first = measured(state, method.begin(system, state), jnp.ones(lead, bool))
    begin = (0, first, jnp.zeros(lead, jnp.int32))
    _, at, steps = lax.while_loop(going, cycle, begin)
    state, memory, _, residual, _ = at
    code = jnp.where(residual <= tol, CODE["converged"], CODE["max_steps"])
    code = jnp.where(system.norm(state) > FAR, CODE["diverged"], code)
    code = jnp.where(jnp.isfinite(residual), code, CODE["non_finite"])
    known = method.definite(system)
    if known is not None and not jnp.iscomplexobj(values["beta"]):
        code = jnp.where(known | (code == CODE["non_finite"]), code, _blame(values["beta"]))
    kept = method.told(memory) if keep else None
    return Rest(state, residual, code, steps, values["beta"], kept)


def definite(program: Program, values: Mapping[str, Any], state: State) -> Any:
    """Whether H is positive definite at a real state, by factorisation, (phase, batch)."""
    import jax.numpy as jnp

    system = System(program, values)
    system.begin(state)
    if has_one_hessian(program):
        known = FactoredHessian.of(system, state, real=True).factor.definite
        return jnp.broadcast_to(known, state[system.names[0]].shape[:2])
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


def judge(code: Any, stable: Any, beta: Any, descends: bool = True) -> Any:
    """Statuses after the stability test: an unstable point, or a lost guard, is not converged.

    A stable H has the inertia of M, so a nudge that is stable has kept the inertia of the free
    phase.
    """
    import jax.numpy as jnp

    fine = (code == CODE["converged"]) & ~stable
    lost = (beta[:, None].real < 0) & (code != CODE["converged"]) & ~stable
    return jnp.where(fine | lost, _blame(beta, descends), code)


def _blame(beta: Any, descends: bool = True) -> Any:
    """The status of a phase without a stable point, (phase, 1)."""
    import jax.numpy as jnp

    plain = CODE["not_a_minimum" if descends else "unstable"]
    return jnp.where(beta[:, None].real < 0, CODE["nudge_too_negative"], plain)
