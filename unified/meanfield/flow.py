"""`solve_flow`: one functional, many methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.dynamics.langevin import check_key
from unified.meanfield.applies import METHODS, applies, bounded
from unified.meanfield.entropic import EntropicJKO
from unified.meanfield.functional import AbstractFunctional
from unified.meanfield.grid import GridMeasure
from unified.meanfield.internal import positive
from unified.meanfield.jko import GaussianJKO, QuantileJKO
from unified.meanfield.langevin import Langevin
from unified.meanfield.measures import AbstractMeasure, GaussianMeasure, ParticleMeasure
from unified.meanfield.moments import Moments
from unified.meanfield.particles import STEPPERS, Particles, check_step, step_limit
from unified.meanfield.result import FlowResult
from unified.meanfield.stepper import AbstractStepper, Plan, follow, wrong_measure
from unified.meanfield.volume import FiniteVolume

TAKES = {"stepper": ("particles",), "splitting": ("langevin",), "mesh": ("particles", "langevin"),
         "entropic": ("jko",)}  # fmt: skip


def solve_flow(
    F: AbstractFunctional,
    mu0: AbstractMeasure,
    t1: float,
    method: str = "particles",
    *,
    dt: float | None = None,
    saves: int = 20,
    key: int | None = None,
    stepper: str | None = None,
    splitting: bool = False,
    chunk_size: int | None = None,
    mesh: Any = None,
    tau: float = 1.0,
    tol: float = 1e-10,
    entropic: float | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = False,
    throw: bool = True,
) -> FlowResult:
    """Follow the Wasserstein gradient flow of a functional from a measure to time t1.

    Equation: τ∂_tμ = ∇·(μ∇δF/δμ); particles dθ_i = −∇δ𝓔/δμ(θ_i)dt/τ + √(2T/τ)dW.
    Methods: "particles" (T = 0; `stepper` euler, heun or adaptive, which is the default without a
    dt), "langevin" (needs `key`; `splitting` steps the quadratic potential exactly), "fv" (a
    GridMeasure), "jko" (a GaussianMeasure in closed form, particles in 1 d as quantiles, a
    GridMeasure with entropic transport of strength `entropic`), "moments" (a GaussianMeasure).
    Shapes: dt and t1 in units of time; `saves` equally spaced measures are kept after the first, or
    the steps nearest to them where dt is fixed. `chunk_size` bounds the particles handled at once,
    `mesh` is a JAX mesh of one axis that particles are laid over; neither changes the result beyond
    rounding. `tol` is the tolerance of adaptive and implicit methods. `checkpoint` names a file
    written at every save, from which a run that was cut off goes on, bit-identically.
    Raises: InputError for a method that does not apply (and which do), a time step beyond the
    stability limit, an unbounded-below functional, t1/τ < 0, or a measure that does not fit;
    ConvergenceError (unless throw=False) if a state becomes NaN, the energy rises, or an implicit
    step is not solved.
    Reference: Jordan, Kinderlehrer & Otto (1998); theory page E1–E4.
    """
    if not isinstance(F, AbstractFunctional):
        raise bad_input("F", "a functional, e.g. un.meanfield.Quadratic(1.0)", type(F).__name__,
                        "wrap it in un.meanfield.Potential")  # fmt: skip
    if not isinstance(mu0, AbstractMeasure):
        raise bad_input("mu0", "a measure, e.g. un.meanfield.ParticleMeasure(x)",
                        type(mu0).__name__, "wrap it")  # fmt: skip
    if method not in METHODS:
        raise bad_input("method", f"one of {', '.join(METHODS)}", repr(method), "choose one")
    span, scale = _time(t1, tau), abs(float(tau))
    step = None if dt is None else positive("dt", dt) / scale
    if not isinstance(saves, int | np.integer) or saves < 1:
        raise bad_input("saves", "a whole number of at least 1", saves, "raise it")
    if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
        raise bad_input("chunk_size", "a whole number of at least 1", chunk_size, "raise it")
    positive("tol", tol)
    F.check(mu0)
    applies(F, mu0, method)
    takes(method, stepper=stepper, splitting=splitting or None, mesh=mesh, entropic=entropic)
    if method != "fv":  # a grid has walls
        bounded(F, mu0)
    if method == "jko" and isinstance(mu0, GridMeasure):
        step = span / 200 if step is None else step
        made: AbstractStepper = EntropicJKO(F, mu0, step, entropic, tol)
    elif entropic is not None:
        raise bad_input("entropic", "none but on a GridMeasure", entropic, "leave it out")
    else:
        made, step = _make(F, mu0, method, span, step, key, stepper, splitting, chunk_size, mesh,
                           tol)  # fmt: skip
    plan = Plan.of(abs(float(t1)), step, saves, scale)
    return follow(made, mu0, plan, checkpoint=checkpoint, progress=progress, throw=throw)


def _time(t1: Any, tau: Any) -> float:
    """t1/τ. Raises: InputError unless it is positive and finite."""
    try:
        span = float(t1) / float(tau)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise bad_input("t1, tau", "numbers, tau not 0", f"{t1!r}, {tau!r}", "fix it") from error
    if not (np.isfinite(span) and span > 0):
        raise bad_input("t1, tau", "t1/tau > 0", f"{span:g}",
                        "a gradient flow cannot be run backwards; use positive times")  # fmt: skip
    return span


def takes(method: str, **options: Any) -> None:
    """Raise InputError for an option that a method would not look at."""
    for name, value in options.items():
        if value is not None and method not in TAKES[name]:
            raise bad_input(name, f"none but for {' or '.join(TAKES[name])}", f"{value!r} with "
                            f"method '{method}'", "leave it out")  # fmt: skip


def _make(F: AbstractFunctional, mu0: Any, method: str, span: float, step: float | None,
          key: int | None, stepper: str | None, splitting: bool, chunk_size: int | None,
          mesh: Any, tol: float) -> tuple[AbstractStepper, float | None]:  # fmt: skip
    """The stepper of a method, and its step, None if it chooses its own."""
    if method in ("particles", "langevin") and not isinstance(mu0, ParticleMeasure):
        raise wrong_measure(method, "a ParticleMeasure", mu0, "use mu0.to_particles(count, key=0)")
    if method == "particles":
        kind = stepper or ("adaptive" if step is None else "heun")
        if kind not in STEPPERS:
            raise bad_input("stepper", f"one of {', '.join(STEPPERS)}", repr(kind), "choose one")
        made = Particles(F, kind, chunk_size, mesh, tol)
        if kind == "adaptive":
            if mesh is not None:
                raise bad_input("mesh", "none with stepper 'adaptive'", "a mesh", "use 'heun'")
            if step is not None:
                raise bad_input("dt", "none with stepper 'adaptive'", step, "set tol")
            return made, None
        limit = step_limit(F, mu0, chunk_size)
        step = min(limit / 20, span / 100) if step is None else step
        check_step(step, limit)
        return made, step
    if method == "langevin":
        if key is None:
            raise bad_input("key", "a whole number, for method 'langevin'", "none", "use key=0")
        check_key(key)
        noisy = Langevin(F, splitting, key, chunk_size, mesh)
        noisy.start(mu0)
        kicks = noisy.kicks
        free = all(t.internal for t in kicks.terms)
        limit = np.inf if free else step_limit(kicks, mu0, chunk_size)
        step = min(limit / 40, span / 100) if step is None else step
        check_step(step, limit)
        return noisy, step
    if method == "moments":
        return Moments(F, mu0.dim, tol), None
    step = span / 200 if step is None else step
    if method == "fv":
        if not isinstance(mu0, GridMeasure):
            raise wrong_measure("fv", "a GridMeasure", mu0, "use mu0.to_grid(x)")
        return FiniteVolume(F, mu0, tol), step
    if isinstance(mu0, GaussianMeasure):
        return GaussianJKO(F, mu0.dim), step
    return QuantileJKO(F, tol), step
