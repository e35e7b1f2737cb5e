"""Relaxing a field to a rest point, and what makes the rest point stable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.binding import Sizes, bind, check_sizes
from unified.codegen.program import Program
from unified.dynamics import batched
from unified.dynamics.equilibrium import CODES, Certificate, Equilibrium
from unified.dynamics.field_methods import field_method
from unified.dynamics.field_system import FieldSystem
from unified.dynamics.krylov import rightmost, rightmost_dense
from unified.dynamics.methods import AbstractMethod, Newton
from unified.dynamics.phase import Phase
from unified.dynamics.solve import CODE, Rest, relax_arrays, start_state
from unified.dynamics.system import State

DENSE_SPECTRUM = 300  # units up to which all eigenvalues are computed


def field_start(program: Program, values: Mapping[str, Any]) -> State:
    """The state a field starts from: its own start, else zeros; without co-states."""
    found = start_state(program, values)
    return found if program.field is None else {s.name: found[s.name] for s in program.field.states}


def move_to_rest(
    system: FieldSystem, start: State, method: AbstractMethod | None, tol: Any
) -> Rest:
    """Relax any field system (free, nudged, augmented, co-states) to rest (traceable)."""
    return relax_arrays(
        system.program, system.fixed, start, field_method(method), tol, system=system
    )


def abscissa(system: FieldSystem, state: State) -> Any:
    """max Re λ of ∂velocity/∂s at a state: dense up to 300 units, else a Krylov estimate."""
    import jax

    z = system.flat(state)
    if z.shape[-1] <= DENSE_SPECTRUM:
        return rightmost_dense(system.jacobian(z))
    return rightmost(jax.linearize(system.flow, z)[1], z)


def stable(system: FieldSystem, state: State) -> Any:
    """Whether max Re λ < 0, by the cheapest means: a dissipative Jacobian needs no eigenvalues.

    Equation: λ_max of the symmetric part < 0 suffices, one Cholesky factorisation; only samples
    where that fails pay for a spectrum.
    """
    import jax.numpy as jnp
    from jax import lax

    z = system.flat(state)
    n = z.shape[-1]
    if n > DENSE_SPECTRUM:
        return abscissa(system, state) < 0

    def one(matrix: Any) -> Any:
        whole = jnp.all(jnp.isfinite(matrix))
        safe = jnp.where(jnp.isfinite(matrix), matrix, 0.0)
        calm = jnp.all(jnp.isfinite(jnp.linalg.cholesky(-0.5 * (safe + safe.T))))
        spectrum = lambda: jnp.max(jnp.linalg.eigvals(safe).real) < 0  # noqa: E731
        return whole & lax.cond(calm, lambda: jnp.ones((), bool), spectrum)

    found = batched.each(one, system.jacobian(z).reshape(-1, n, n))
    return found.reshape(z.shape[:-1])


def judge_field(code: Any, good: Any, beta: Any) -> Any:
    """Statuses after the stability test: what rests unstably is not converged."""
    import jax.numpy as jnp

    blame = jnp.where(beta[:, None] < 0, CODE["nudge_too_negative"], CODE["unstable"])
    return jnp.where((code == CODE["converged"]) & ~good, blame, code)


def relax_field(
    program: Program, params: Mapping[str, Any], phase: Phase, method: AbstractMethod | None,
    tol: float | None, throw: bool, start: Mapping[str, Any] | None, certify: bool,
    metric: Any = None,
) -> Equilibrium:  # fmt: skip
    """`relax` for the program of a field.

    Equation: f(s) − β ∂C/∂s = 0 to residual |velocity| / max(1, |s|) ≤ tol; stable iff max Re λ of
    its Jacobian < 0 (`certificate.abscissa`). `energy` is βC, `lambda_min` NaN: there is no E.
    Samples that do not come to rest are followed on, and called limit_cycle or no_rest_point
    where that is what they do.
    """
    from unified.dynamics.relax import TOL, phase_values

    if metric is not None:
        raise bad_input("metric", "none for a field", metric, "write it into the velocity")
    tol = TOL[program.dtype.name] if tol is None else float(tol)
    if not tol > 0:
        raise bad_input("tol", "a positive number", tol, "use e.g. 1e-10")
    if phase.is_clamped:
        raise bad_input("phase", "a free or nudged phase of a field", "a clamped one",
                        "use un.Phase.nudged, or field.least_squares()")  # fmt: skip
    if program.target is None and np.any(np.asarray(phase.beta) != 0):
        raise bad_input("phase", "a free phase", "a nudge but no cost", "emit a cost")
    if np.iscomplexobj(np.asarray(phase.beta)):
        raise bad_input("beta", "a real number for a field", "a complex one", "use un.Dyadic")
    way = field_method(method)
    with program.precision:
        values, batch = phase_values(program, params, phase)
        values |= given_start(program, params, start, batch)
        run = program.jit(
            ("relax field", way, start is not None, certify),
            lambda v, t: _relax(program, v, way, t, start is not None, certify),
        )
        rest, energy, slowest = run(values, tol)
    status = np.asarray(CODES)[np.asarray(rest.code)]
    status = _named(program, params, phase, rest, status, batch)
    index: Any = (0,) if batch is not None else (0, 0)
    if status.shape[0] > 1:  # several nudges at once keep their phase axis
        index = () if batch is not None else (slice(None), 0)
    rate = np.asarray(slowest)[index]
    none = np.full(np.shape(rate), np.nan)
    units = sum(v[0, 0].size for v in rest.state.values())
    how = "none" if not certify else "dense" if units <= DENSE_SPECTRUM else "arnoldi"
    found = Equilibrium(
        {k: np.asarray(v)[index] for k, v in rest.state.items()}, np.asarray(energy)[index],
        np.asarray(rest.residual)[index], status[index],
        Certificate(none, none > 0, how, rate, None, rate < 0), np.asarray(rest.steps)[index],
        type(method or Newton()).__name__, tol,
    )  # fmt: skip
    return found.require() if throw else found


def given_start(program: Program, params: Any, start: Any, batch: int | None) -> dict[str, Any]:
    """A checked start state under reserved names, on phase and batch axes; empty for none."""
    if start is None:
        return {}
    states = program.field.states if program.field else program.model.states
    grow = (None,) if batch is not None else (None, None)
    sizes: Sizes = {}
    program.params(params, sizes)
    lead = 0 if batch is None else 1
    given = bind(states, start, "start", sizes, program.dtype, lead=lead)
    check_sizes(program.model, sizes)
    for k, v in given.items():
        if batch not in (None, len(v)):
            raise bad_input(f"start {k}", f"{batch} samples as in the data", str(len(v)),
                            "align them")  # fmt: skip
    return {f"_{k}": v[grow] for k, v in given.items()}


def first_state(program: Program, values: Mapping[str, Any], given: bool) -> tuple[Any, State]:
    """The arrays without the reserved names, and the state to begin from (traceable)."""
    import jax.numpy as jnp

    clean = {k: v for k, v in values.items() if not k.startswith("_")}
    start = field_start(program, clean)
    if given:
        start = {n: jnp.broadcast_to(values[f"_{n}"], v.shape) for n, v in start.items()}
    return clean, start


def _relax(program: Program, values: Any, method: AbstractMethod, tol: Any, given: bool,
           certify: bool) -> Any:  # fmt: skip
    import jax.numpy as jnp

    clean, start = first_state(program, values, given)
    system = FieldSystem(program, clean)
    rest = move_to_rest(system, start, method, tol)
    energy = jnp.zeros(rest.residual.shape)
    if program.target is not None:
        energy = clean["beta"][:, None] * program.module.call("cost", {**clean, **rest.state})["C"]
    slowest = jnp.full(rest.residual.shape, jnp.nan)
    if certify:
        slowest = abscissa(system, rest.state)
        rest = rest._replace(code=judge_field(rest.code, slowest < 0, clean["beta"]))
    return rest, energy, slowest


def _named(program: Program, params: Any, phase: Phase, rest: Rest, status: Any,
           batch: int | None) -> Any:  # fmt: skip
    """Statuses with what is known of the samples that keep moving."""
    from unified.dynamics.cycles import STATUS_OF, motion_of

    slow = np.argwhere(status == "max_steps")
    if not slow.size:
        return status
    status = status.copy()
    for k in np.unique(slow[:, 0]):
        rows = slow[slow[:, 0] == k, 1]
        found = motion_of(program, params, phase, rest.state, k, rows, batch)
        status[k, rows] = [STATUS_OF.get(kind, "max_steps") for kind in found.kind]
    return status
