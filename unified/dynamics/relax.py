"""Relaxing a program at a phase, as users call it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy

from unified.base.errors import bad_input
from unified.codegen.binding import Sizes, bind, check_sizes, data_arrays
from unified.codegen.program import Program
from unified.dynamics.curvature import DENSE
from unified.dynamics.equilibrium import CODES, Certificate, Equilibrium
from unified.dynamics.exact import default_method
from unified.dynamics.methods import AbstractMethod, Newton
from unified.dynamics.metric import AbstractMetric, require_metric
from unified.dynamics.phase import Phase
from unified.dynamics.solve import judge, relax_arrays
from unified.dynamics.stability import Stability, stability
from unified.symbolic.nodes import Map, walk

TOL = {"float64": 1e-10, "float32": 1e-5}


def runnable(program: Program) -> None:
    """Raise InputError unless the program can be relaxed (it must be a JAX one)."""
    if program.backend != "jax":
        raise bad_input(
            "program", "a program with backend='jax'", f"backend={program.backend!r}",
            "emit it again with backend='jax'",
        )  # fmt: skip
    for s in program.model.states:
        if s.ndim == 0:
            raise bad_input(
                f"state {s.name}", "a vector or larger, to be relaxed", "a number",
                "declare it over one axis of size 1",
            )  # fmt: skip


def require_holomorphic(program: Program) -> None:
    """Raise InputError unless complex nudges mean something: no relu, clip, abs; no erf in JAX."""
    for node in walk(program.kernels.total):
        if isinstance(node, Map) and (not node.fn.holomorphic or node.fn.expr.has(sympy.erf)):
            raise bad_input(
                "energy", "holomorphic functions that take complex arguments, for complex nudges",
                f"{node.fn.expr}".replace("x_", "x"), "use un.Centered, or a smooth rho",
            )  # fmt: skip


def phase_values(program: Program, params: Mapping[str, Any], phase: Phase) -> tuple[Any, Any]:
    """Checked parameters, data and β of a phase, and the batch size (None: one sample)."""
    sizes: Sizes = {}
    values = program.params(params, sizes)
    y = phase.y
    if program.target is not None and y is None:
        lead = _lead(program, phase.x)
        width = tuple(
            sizes[a][0] if a in sizes else program.model.sizes[a] for a in program.target.axes
        )
        y = np.zeros((*lead, *width), program.dtype)
    data, batch = data_arrays(program.model, program.target, phase.x, y, sizes, program.dtype)
    check_sizes(program.model, sizes)
    return {**values, **data, "beta": program.beta(phase.beta)}, batch


def _lead(program: Program, x: Any) -> tuple[int, ...]:
    """The batch shape of the input, read off its number of axes."""
    if not program.model.inputs or x is None:
        return ()
    first = program.model.inputs[0]
    value: Any = x.get(first.name) if isinstance(x, Mapping) else x
    try:
        shape = np.shape(value)
    except ValueError as err:
        raise bad_input(first.name, "rows of equal length", "ragged ones", "pad them") from err
    return shape[:1] if len(shape) == first.ndim + 1 else ()


def relax(
    program: Program,
    params: Mapping[str, Any],
    phase: Phase,
    method: AbstractMethod | None = None,
    tol: float | None = None,
    throw: bool = True,
    *,
    start: Mapping[str, Any] | None = None,
    certify: bool = True,
    metric: AbstractMetric | None = None,
) -> Equilibrium:
    """Relax the states of a program to a rest point of F = E + βC.

    Equation: ∂F/∂s = 0, to residual |∂F/∂s| / max(1, |s|) ≤ tol, every sample on its own.
    Shapes: phase data (batch, ...) or one sample; the result likewise.
    `method` defaults to Exact where one Hessian serves all samples (quadratic energies), else to
    Newton; `tol` to 1e-10 in float64, 1e-5 in float32; `start` is a state to begin from;
    `metric` is what τ ds/dt = −M ∂F/∂s moves by (None: the gradient flow): `Flow` follows it, and
    it decides what is stable: minima for M ≻ 0, else saddles with −τ⁻¹MH Hurwitz;
    `certify=False` leaves stability (and with it the statuses it decides) out.
    Raises: ConvergenceError unless throw=False if a sample did not converge to a stable point;
    InputError for arrays or a metric that do not fit.
    Reference: Scellier & Bengio (2017), arXiv:1602.05179.
    """
    runnable(program)
    if program.field is not None:
        from unified.dynamics.field_relax import relax_field

        return relax_field(program, params, phase, method, tol, throw, start, certify, metric)
    metric = require_metric(metric, program)
    program, phase = held(program, phase)
    if method is None:
        descends = metric.definite(s.name for s in program.model.states)
        method = default_method(program) if descends else Newton()
    if not isinstance(method, AbstractMethod):
        raise bad_input("method", "un.Newton(), un.FixedPoint() or un.Flow()", method, "pass one")
    tol = TOL[program.dtype.name] if tol is None else float(tol)
    if not tol > 0:
        raise bad_input("tol", "a positive number", tol, "use e.g. 1e-10")
    with program.precision:
        values, batch = phase_values(program, params, phase)
        if np.iscomplexobj(values["beta"]):
            require_holomorphic(program)
        if start is not None:
            grow = (None,) if batch is not None else (None, None)
            sizes: Sizes = {}
            program.params(params, sizes)
            given = bind(program.model.states, start, "start", sizes, program.dtype,
                         lead=0 if batch is None else 1)  # fmt: skip
            check_sizes(program.model, sizes)
            for k, v in given.items():
                if batch not in (None, len(v)):
                    raise bad_input(f"start {k}", f"{batch} samples as in the data", str(len(v)),
                                    "align them")  # fmt: skip
            values |= {f"_{k}": v[grow] for k, v in given.items()}
        run = program.jit(
            ("relax", method, start is not None, certify, metric),
            lambda v, t: _relax(program, v, method, t, start is not None, certify, metric),
        )
        rest, energy, known, code = run(values, tol)
    return _report(program, rest, energy, known, code, batch, method, tol, throw)


def held(program: Program, phase: Phase) -> tuple[Program, Phase]:
    """The program and phase to run: for a clamped phase, those with the output as an input.

    Raises: InputError for inputs that are not told apart, or a nudge without a cost.
    """
    if phase.is_clamped:
        x = {v.name: _input(program, phase.x, v.name) for v in program.model.inputs}
        if phase.x is not None and not isinstance(phase.x, Mapping) and len(x) > 1:
            raise bad_input("x", f"a dict with {', '.join(x)}", "one array", "pass inputs by name")
        target = program.target.name if program.target else "y"
        return program.clamped, Phase({**x, target: phase.y})
    if program.target is None and np.any(np.asarray(phase.beta) != 0):
        raise bad_input("phase", "a free or clamped phase", "a nudge but no cost", "emit a cost")
    return program, phase


def _input(program: Program, x: Any, name: str) -> Any:
    return x[name] if isinstance(x, Mapping) else x


def _relax(program: Program, values: Any, method: AbstractMethod, tol: Any, given: bool,
           certify: bool, metric: AbstractMetric) -> Any:  # fmt: skip
    import jax.numpy as jnp

    names = [s.name for s in program.model.states]
    clean = {k: v for k, v in values.items() if not k.startswith("_")}
    begin = None
    if given:
        begin = {n: values[f"_{n}"] for n in names}
        if jnp.iscomplexobj(clean["beta"]):
            begin = {n: v.astype(clean["beta"].dtype) for n, v in begin.items()}
    rest = relax_arrays(program, clean, begin, method, tol, metric=metric)
    energy = program.core("energy", {**clean, **rest.state})["F"]
    code = rest.code
    known = None
    if certify and not jnp.iscomplexobj(clean["beta"]):
        known = stability(program, clean, rest.state, metric)
        code = judge(code, known.stable, clean["beta"], metric.definite(names))
    return rest, energy, known, code


def _report(program: Program, rest: Any, energy: Any, known: Stability | None, code: Any,
            batch: int | None, method: AbstractMethod, tol: float,
            throw: bool) -> Equilibrium:  # fmt: skip
    index: Any = (0,) if batch is not None else (0, 0)
    if rest.residual.shape[0] > 1:  # several nudges at once keep their phase axis
        index = () if batch is not None else (slice(None), 0)
    status = np.asarray(CODES)[np.asarray(code)]
    found = Equilibrium(
        {k: np.asarray(v)[index] for k, v in rest.state.items()}, np.asarray(energy)[index],
        np.asarray(rest.residual)[index], status[index],
        _certificate(rest, known, index), np.asarray(rest.steps)[index], type(method).__name__, tol,
    )  # fmt: skip
    return found.require() if throw else found


def _certificate(rest: Any, known: Stability | None, index: Any) -> Certificate:
    """The evidence of stability as users read it."""
    if known is None:
        unknown = np.full(np.shape(rest.residual), np.nan)[index]
        return Certificate(unknown, unknown > 0, "none")
    lowest, slowest = np.asarray(known.lowest)[index], np.asarray(known.abscissa)[index]
    total = sum(math.prod(v.shape[2:]) for v in rest.state.values())
    saddle = known.inertia is not None
    how = "dense" if total <= DENSE else "factorisation" if saddle else "lanczos"
    inertia = np.asarray(known.inertia)[index] if saddle else None
    stable = np.asarray(known.stable)[index]
    return Certificate(lowest, lowest > 0, how, slowest, inertia, stable)
