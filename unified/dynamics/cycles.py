"""What a state that does not come to rest is doing: a limit cycle, chaos, or only slow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.field_relax import first_state, given_start
from unified.dynamics.field_system import FieldSystem
from unified.dynamics.phase import Phase
from unified.dynamics.trajectory import BLOCKS, Course, fastest, follow, settle, turn

STATUS_OF = {
    "limit_cycle": "limit_cycle", "chaos": "no_rest_point", "irregular": "no_rest_point",
    "diverged": "diverged",
}  # fmt: skip
SHOOT = 32  # units up to which a cycle is closed by shooting, and its multipliers are computed
TINY = 1e-300
SIGMAS = 3  # standard errors by which a Lyapunov exponent must differ from 0
CLOSED = 1e-6  # of its size: how well a cycle must close


@dataclass(frozen=True)
class Motion:
    """What the flow does in the long run, sample by sample.

    Equation: `kind` is rest (residual ≤ 1e-8), transient (its speed still changes twofold),
    limit_cycle, chaos (largest Lyapunov exponent > 0 beyond three standard errors), irregular (none
    of these) or diverged. `period` T and `frequency` 2π/T (radians per unit time), `radius` the
    time-mean of |s − mean s| and `multiplier` the largest |Floquet multiplier| but the one along
    the orbit, of a limit cycle, NaN for others (the multiplier also above 32 units); `lyapunov` ±
    `lyapunov_error` per unit time, over `time`.
    Shapes: arrays (batch,) or numbers; `state` where it was last, as the states.
    Reference: Strogatz (2015), chapters 7 to 10; Benettin et al. (1980), Meccanica 15, 9.
    """

    kind: Any
    period: Any
    frequency: Any
    radius: Any
    multiplier: Any
    lyapunov: Any
    lyapunov_error: Any
    state: dict[str, Any]
    time: float

    def __repr__(self) -> str:
        kinds, counts = np.unique(np.asarray(self.kind), return_counts=True)
        told = ", ".join(f"{k} {c}" for k, c in zip(kinds, counts, strict=True))
        return f"Motion({told}; largest Lyapunov exponent {np.max(self.lyapunov):.3g})"

    def to_xarray(self) -> Any:
        """All numbers as an xarray.Dataset over `sample`."""
        import xarray as xr

        names = ("kind", "period", "frequency", "radius", "multiplier", "lyapunov",
                 "lyapunov_error")  # fmt: skip
        return xr.Dataset({n: ("sample", np.atleast_1d(getattr(self, n))) for n in names})


def classify_motion(
    program: Program,
    params: Mapping[str, Any],
    phase: Phase,
    *,
    start: Mapping[str, Any] | None = None,
    time: float = 200.0,
    transient: float = 100.0,
    tol: float = 1e-2,
) -> Motion:
    """Follow the flow ṡ = f(s) − β ∂C/∂s (−∂F/∂s of an energy) and say what it does.

    Equation: after `transient`, a fifth-order Runge–Kutta trajectory and a tangent vector run for
    `time`. A return to within `tol` of the greatest distance starts Newton's method on
    s(T; s_0) = s_0 (shooting); a limit cycle is one that closes to 1e-6 of its size with all other
    multipliers below 1. Above 32 units, two returns at T and 2T (to 1 %) without growth decide.
    The start is kicked by 1e-3, so that an unstable rest point is left.
    Shapes: data (batch, ...) or one sample; times in the unit of the field.
    Raises: InputError for arrays that do not fit, a clamped phase, or times that are not positive.
    Reference: Strogatz (2015), chapters 7 to 10.
    """
    from unified.dynamics.relax import phase_values, runnable

    runnable(program)
    for name, value in (("time", time), ("transient", transient), ("tol", tol)):
        if not value > 0:
            raise bad_input(name, "a positive number", value, "leave it out for the usual one")
    if phase.is_clamped or np.size(phase.beta) != 1:
        raise bad_input("phase", "one free or nudged phase", "another", "use un.Phase.free(x)")
    if program.dtype != np.float64:
        raise bad_input("program", "float64", program.dtype.name, "emit with dtype='float64'")
    with program.precision:
        values, batch = phase_values(program, params, phase)
        values |= given_start(program, params, start, batch)
        run = program.jit(("motion", start is not None), lambda v, *a: _course(program, v, *a))
        course, begin, least, state = run(values, float(transient), float(time), float(tol))
        found = _verdicts(program, values, course, begin, least, float(time))
    index: Any = slice(None) if batch is not None else 0
    states = {k: np.asarray(v)[0][index] for k, v in state.items()}
    return _picked(found, index, states, float(time))


def motion_of(program: Program, params: Any, phase: Phase, state: Mapping[str, Any], k: int,
              rows: Any, batch: int | None) -> Motion:  # fmt: skip
    """The motion of some samples of phase k, followed on from a state."""

    def part(value: Any) -> Any:
        if value is None or batch is None:
            return value
        if isinstance(value, Mapping):
            return {n: part(v) for n, v in value.items()}
        return np.asarray(value)[rows]

    beta = np.atleast_1d(np.asarray(phase.beta))[k]
    here = Phase(part(phase.x), part(phase.y), beta, phase.kind)
    pick = rows if batch is not None else 0
    start = {n: np.asarray(v)[k][pick] for n, v in state.items()}
    found = classify_motion(program, params, here, start=start)
    measured = Verdicts(*(np.atleast_1d(getattr(found, f)) for f in Verdicts._fields))
    return _picked(measured, slice(None), found.state, found.time)


class Verdicts(NamedTuple):
    """The measured fields of a `Motion`, (batch,)."""

    kind: Any
    period: Any
    frequency: Any
    radius: Any
    multiplier: Any
    lyapunov: Any
    lyapunov_error: Any


def _picked(found: Verdicts, index: Any, state: dict[str, Any], time: float) -> Motion:
    kind, period, frequency, radius, multiplier, lyapunov, error = (v[index] for v in found)
    return Motion(kind, period, frequency, radius, multiplier, lyapunov, error, state, time)


def _course(program: Program, values: Any, transient: Any, time: Any, tol: Any) -> Any:
    import jax
    import jax.numpy as jnp

    clean, start = first_state(program, values, any(k.startswith("_") for k in values))
    system = FieldSystem(program, clean)
    system.begin(start)
    z = system.flat(start)
    noise = jax.random.normal(jax.random.key(0), z.shape[-1:], z.dtype)
    kick = 1e-3 * noise / jnp.linalg.norm(noise)
    z = z + kick * jnp.maximum(1.0, jnp.linalg.norm(z, axis=-1, keepdims=True))
    z, least, there = settle(system.flow, z, transient)
    h = jnp.minimum(0.7 * least, 0.3 / fastest(system.flow, z))
    course = follow(system.flow, z, h, time, tol)
    end = jnp.where(there[..., None], course.state, jnp.nan)
    return course._replace(state=end), z, h, system.split(course.state)


def _verdicts(program: Program, values: Any, course: Course, begin: Any, least: Any,
              time: float) -> Verdicts:  # fmt: skip
    clean = {k: v for k, v in values.items() if not k.startswith("_")}
    names = [s.name for s in (program.field or program.model).states]
    end, count = np.asarray(course.state)[0], np.asarray(course.returns)[0]
    units, samples = end.shape[-1], end.shape[0]
    growth, speed = np.asarray(course.growth)[2:, 0], np.asarray(course.speed)[:, 0]
    lyapunov = growth.mean(axis=0)
    error = growth.std(axis=0, ddof=1) / np.sqrt(BLOCKS - 2)
    last = speed[-1] / np.maximum(1.0, np.linalg.norm(end, axis=-1))
    period, radius, multiplier, cycles = _cycles(
        program, clean, names, course, begin, least, lyapunov - SIGMAS * error > 0
    )
    kind = np.full(samples, "irregular", dtype="<U11")
    chaotic = (lyapunov > SIGMAS * error) & (lyapunov * time > 3)
    kind[chaotic] = "chaos"
    early, late = speed[: BLOCKS // 4].mean(axis=0), speed[-BLOCKS // 4 :].mean(axis=0)
    change = late / np.maximum(early, TINY)
    kind[(change < 0.5) | (change > 2.0)] = "transient"
    kind[cycles & ((kind != "transient") | (units <= SHOOT))] = "limit_cycle"
    kind[last <= 1e-8] = "rest"
    kind[~np.all(np.isfinite(end), axis=-1)] = "diverged"
    there = (kind == "limit_cycle") & (count > 0)
    period, radius, multiplier = (
        np.where(there, v, np.nan) for v in (period, radius, multiplier)
    )
    return Verdicts(kind, period, 2 * np.pi / period, radius, multiplier, lyapunov, error)


def _cycles(program: Program, values: Any, names: list[str], course: Course, begin: Any,
            least: Any, growing: Any) -> tuple[Any, Any, Any, Any]:  # fmt: skip
    """Periods, radii, multipliers, and whether the samples are on a stable cycle."""
    times, far = np.asarray(course.times)[:, 0], np.asarray(course.far)[0]
    samples, z = far.size, np.array(np.asarray(begin)[0])
    units = z.shape[-1]
    maybe = np.asarray(course.returns)[0] > 0
    period = np.where(maybe, times[0], 1.0)
    nothing = np.full(samples, np.nan)
    if not maybe.any() or units < 2:
        return nothing, nothing, nothing, np.zeros(samples, bool)
    linear = units <= SHOOT
    if not linear:
        double = np.abs(times[1] - 2 * period) <= 0.01 * period
        maybe = maybe & double & ~growing
    steps = int(np.clip(np.max(period / np.asarray(least)[0], where=maybe, initial=1.0), 64, 1e6))
    run = program.jit(("orbit", linear), lambda v, *a: _orbit(program, v, names, linear, *a))
    first = z.copy()
    for _ in range(6 if linear else 0):
        orbit = run(values, z[None], period[None], steps)
        end, whole, leave, arrive = (
            np.asarray(v)[0]
            for v in (orbit.end, orbit.monodromy, orbit.leaving, orbit.arriving)
        )
        for b in np.flatnonzero(maybe):
            system = np.zeros((units + 1, units + 1))
            system[:units, :units] = whole[b] - np.eye(units)
            system[:units, units], system[units, :units] = arrive[b], leave[b]
            move = np.linalg.lstsq(system, np.append(z[b] - end[b], 0.0), rcond=None)[0]
            lost = not np.all(np.isfinite(move)) or not 0.5 < 1 + move[-1] / period[b] < 2
            maybe[b] = not lost
            if not lost:
                z[b], period[b] = z[b] + move[:-1], period[b] + move[-1]
    orbit = run(values, z[None], period[None], steps)
    radius = np.asarray(orbit.radius)[0]
    if not linear:
        return period, radius, nothing, maybe
    gap = np.linalg.norm(np.asarray(orbit.end)[0] - z, axis=-1)
    near = np.linalg.norm(z - first, axis=-1) <= 0.2 * far
    maybe = maybe & (gap <= CLOSED * far) & near & (radius > 0.05 * far)
    multiplier = np.array([_floquet(m) for m in np.asarray(orbit.monodromy)[0]])
    return period, radius, multiplier, maybe & (multiplier < 1.0)


def _floquet(monodromy: Any) -> float:
    """The largest modulus of all multipliers but the one nearest 1, which lies along the orbit."""
    if not np.all(np.isfinite(monodromy)):
        return np.inf
    found = np.linalg.eigvals(monodromy)
    return float(np.max(np.abs(np.delete(found, np.argmin(np.abs(found - 1.0))))))


def _orbit(program: Program, values: Any, names: list[str], linear: bool, z: Any, period: Any,
           steps: Any) -> Any:  # fmt: skip
    system = FieldSystem(program, values)
    from unified.dynamics.field_relax import field_start

    system.begin(field_start(program, values))
    return turn(system.flow, z, period, steps, linear)
