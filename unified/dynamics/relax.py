"""Relaxing a program at a phase, as users call it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy

from unified.base.errors import bad_input
from unified.codegen.binding import Sizes, bind, check_sizes, data_arrays
from unified.codegen.program import Program
from unified.dynamics.curvature import lambda_min
from unified.dynamics.equilibrium import CODES, Certificate, Equilibrium
from unified.dynamics.methods import AbstractMethod, Newton
from unified.dynamics.phase import Phase
from unified.dynamics.solve import judge, relax_arrays, start_state
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
        if s.ndim != 1:
            raise bad_input(
                f"state {s.name}", "a vector, to be relaxed", f"{s.ndim} axes",
                "declare it over one axis (of size 1 for a number)",
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
) -> Equilibrium:
    """Relax the states of a program to a rest point of F = E + βC.

    Equation: ∂F/∂s = 0, to residual |∂F/∂s| / max(1, |s|) ≤ tol, every sample on its own.
    Shapes: phase data (batch, ...) or one sample; the result likewise.
    `tol` defaults to 1e-10 in float64, 1e-5 in float32; `start` is a state to begin from;
    `certify=False` leaves λ_min (and with it the statuses it decides) out.
    Raises: ConvergenceError unless throw=False if a sample did not converge to a minimum;
    InputError for arrays that do not fit.
    Reference: Scellier & Bengio (2017), arXiv:1602.05179.
    """
    runnable(program)
    if phase.is_clamped:
        inner = program.clamped
        x = {v.name: _input(program, phase.x, v.name) for v in program.model.inputs}
        if phase.x is not None and not isinstance(phase.x, Mapping) and len(x) > 1:
            raise bad_input("x", f"a dict with {', '.join(x)}", "one array", "pass inputs by name")
        target = program.target.name if program.target else "y"
        phase = Phase({**x, target: phase.y})
        program = inner
    elif program.target is None and np.any(np.asarray(phase.beta) != 0):
        raise bad_input("phase", "a free or clamped phase", "a nudge but no cost", "emit a cost")
    method = Newton() if method is None else method
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
            ("relax", method, start is not None, certify),
            lambda v, t: _relax(program, v, method, t, start is not None, certify),
        )
        rest, energy, lowest, code = run(values, tol)
    return _report(program, rest, energy, lowest, code, batch, method, tol, certify, throw)


def _input(program: Program, x: Any, name: str) -> Any:
    return x[name] if isinstance(x, Mapping) else x


def _relax(program: Program, values: Any, method: AbstractMethod, tol: Any, given: bool,
           certify: bool) -> Any:  # fmt: skip
    import jax.numpy as jnp

    names = [s.name for s in program.model.states]
    clean = {k: v for k, v in values.items() if not k.startswith("_")}
    if given:
        begin = {n: values[f"_{n}"] for n in names}
        if jnp.iscomplexobj(clean["beta"]):
            begin = {n: v.astype(clean["beta"].dtype) for n, v in begin.items()}
    else:
        begin = start_state(program, clean)
    rest = relax_arrays(program, clean, begin, method, tol)
    energy = program.core("energy", {**clean, **rest.state})["F"]
    code = rest.code
    lowest = jnp.full(rest.residual.shape, jnp.nan)
    if certify and not jnp.iscomplexobj(clean["beta"]):
        lowest, _ = lambda_min(program, clean, rest.state)
        code = judge(code, lowest > 0, clean["beta"])
    return rest, energy, lowest, code


def _report(program: Program, rest: Any, energy: Any, lowest: Any, code: Any, batch: int | None,
            method: AbstractMethod, tol: float, certify: bool,
            throw: bool) -> Equilibrium:  # fmt: skip
    index: Any = (0,) if batch is not None else (0, 0)
    if rest.residual.shape[0] > 1:  # several nudges at once keep their phase axis
        index = () if batch is not None else (slice(None), 0)
    status = np.asarray(CODES)[np.asarray(code)]
    lowest = np.asarray(lowest)[index]
    total = sum(v.shape[-1] for v in rest.state.values())
    how = "none" if not certify or np.all(np.isnan(lowest)) else (
        "dense" if total <= 300 else "lanczos"
    )  # fmt: skip
    found = Equilibrium(
        {k: np.asarray(v)[index] for k, v in rest.state.items()}, np.asarray(energy)[index],
        np.asarray(rest.residual)[index], status[index],
        Certificate(lowest, lowest > 0, how), np.asarray(rest.steps)[index],
        type(method).__name__, tol,
    )  # fmt: skip
    return found.require() if throw else found
