"""What every estimator returns, and the interface they share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.equilibrium import CODES, SOUND, Certificate, Equilibrium, failures
from unified.dynamics.exact import Exact, default_method
from unified.dynamics.hessian import has_one_hessian
from unified.dynamics.methods import AbstractMethod, Newton
from unified.dynamics.metric import AbstractMetric, require_metric
from unified.dynamics.phase import Phase
from unified.dynamics.relax import phase_values, runnable
from unified.dynamics.solve import (
    CODE,
    Rest,
    definite,
    judge,
    relax_arrays,
    schur_width,
    start_state,
)  # fmt: skip
from unified.dynamics.stability import stability
from unified.learning.error_bound import Evidence
from unified.learning.estimate import GradientEstimate, Raw

TOL = {"float64": 1e-12, "float32": 1e-6}
FACTOR_LIMIT = 256
Values = Mapping[str, Any]


@dataclass(frozen=True)
class AbstractEstimator:
    """A way to estimate a gradient from relaxed phases.

    `order` is the declared bias order in β (None: no bias from β); `phases` says what is visited;
    `exact_for` names the objective whose gradient is estimated, `conditions` what must hold for
    that besides settled phases.
    `method` and `tol` say how phases relax (Exact where one Hessian serves all samples, else
    Newton; 1e-12 in float64, 1e-6 in float32); `certify=False` skips the test that every rest
    point is a minimum, or stable in the `metric` units move by (None: the gradient flow).
    """

    method: AbstractMethod | None = field(default=None, kw_only=True)
    tol: float | None = field(default=None, kw_only=True)
    certify: bool = field(default=True, kw_only=True)
    metric: AbstractMetric | None = field(default=None, kw_only=True)

    @property
    def order(self) -> int | None:
        """The declared bias order in β, None without one."""
        return None

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases visited, in order."""
        return ("free",)

    @property
    def exact_for(self) -> str:
        """The objective whose gradient this is, or tends to."""
        return "loss"

    @property
    def conditions(self) -> tuple[str, ...]:
        """What must hold for `exact_for` and `order`, in a few words each."""
        rest = "a strict minimum" if self.metric is None else "stable in its metric"
        return (f"the free rest point is {rest}",)

    @property
    def takes_fields(self) -> bool:
        """Whether it applies to fields that derive from no energy."""
        return False

    @property
    def takes_metric(self) -> bool:
        """Whether it only compares rest points; steps of its own know no metric."""
        return True

    def relaxer_for(self, program: Program) -> AbstractMethod:
        """The relaxation method on a program."""
        if self.method is not None:
            return self.method
        return default_method(program) if self.descends(program) else Newton()

    def descends(self, program: Program) -> bool:
        """Whether every unit descends F in the metric, so that rest points must be minima."""
        return self.metric is None or self.metric.definite(s.name for s in program.model.states)

    def tolerance(self, program: Program) -> float:
        """The residual every phase must reach."""
        return TOL[program.dtype.name] if self.tol is None else float(self.tol)

    def check(self, program: Program) -> None:
        """Raise InputError if this estimator does not apply to the program."""

    @abstractmethod
    def core(self, program: Program, values: Values) -> Raw:
        """The estimate on arrays with a batch axis (traceable)."""

    def __call__(
        self, program: Program, params: Mapping[str, Any], x: Any, y: Any, *, throw: bool = True
    ) -> GradientEstimate:
        """Estimate the gradient of the batch-mean objective.

        Shapes: x (batch, n0) (or a dict of inputs), y (batch, ny).
        Raises: ConvergenceError if a sample did not converge in some phase (unless throw=False);
        InputError for arrays, nudges or energies that do not fit.
        """
        prepare(program, self)
        if y is None:
            raise bad_input("y", "a target for every sample", "none", "pass y")
        with program.precision:
            values, _ = phase_values(program, params, Phase(x, y))
            raw = self._compiled(program)(values)
            values |= raw.held or {}
            energies = [energy_at(program, values, rest) for rest in raw.rests]
        evidence = Evidence(program, values, raw.rests, raw.weights)
        return self.report(program, raw, energies, throw, evidence)

    def _compiled(self, program: Program) -> Callable[[Values], Raw]:
        """`core`, compiled once for all nudges of this kind: the nudge is an argument of the code.

        An order study would otherwise spend its time in the compiler.
        """
        own = {f.name for f in fields(self)}
        name = next((n for n in ("beta", "radius") if n in own), None)
        size = getattr(self, name) if name else math.inf
        if name is None or not math.isfinite(size):
            return program.jit(self, lambda v: self.core(program, v))

        def core(values: Values, nudge: Any) -> Raw:
            at = copy(self)
            object.__setattr__(at, name, nudge)  # traced: what __post_init__ checks was checked
            return at.core(program, values)

        run = program.jit(replace(self, **dict[str, Any]({name: 1.0})), core)
        return lambda values: run(values, np.asarray(size, program.dtype))

    def report(
        self, program: Program, raw: Raw, energies: list[Any], throw: bool,
        evidence: Evidence | None = None,
    ) -> GradientEstimate:  # fmt: skip
        """Check the statuses and wrap the arrays."""
        tol = self.tolerance(program)
        equilibria = []
        merged: Any = None
        for rest, energy in zip(raw.rests, energies, strict=True):
            codes, residuals = np.asarray(rest.code), np.asarray(rest.residual)
            for k in range(codes.shape[0]):
                status = np.asarray(CODES)[codes[k]]
                state = {n: np.asarray(v[k]) for n, v in rest.state.items()}
                minima = self.metric is None or self.metric.definite(state)
                proof = self._certificate(status, np.iscomplexobj(np.asarray(rest.beta)), minima)
                equilibria.append(
                    Equilibrium(
                        state, energy[k], residuals[k], status,
                        proof,
                        np.asarray(rest.steps[k]), type(self.relaxer_for(program)).__name__, tol,
                    )
                )  # fmt: skip
                if throw:
                    place = f"{type(self).__name__}, phase {len(equilibria)}"
                    failures(status, residuals[k], tol, place)
                merged = status if merged is None else np.where(
                    np.isin(merged, SOUND) & (status != "converged"), status, merged
                )  # fmt: skip
        return GradientEstimate(
            {k: np.asarray(v) for k, v in raw.grad.items()}, float(raw.loss),
            float(raw.objective), tuple(equilibria), merged, self, evidence,
        )  # fmt: skip

    def _certificate(self, status: Any, complex_nudge: bool, minima: bool = True) -> Certificate:
        """What the phase showed about its minimum: the sign of λ_min, or nothing."""
        unknown = np.full(status.shape, np.nan)
        if complex_nudge or not self.certify:
            return Certificate(unknown, unknown, "none")
        stable = ~np.isin(status, ("not_a_minimum", "nudge_too_negative", "unstable", "truncated"))
        return Certificate(unknown, stable & minima, "factorisation", stable=stable)

    def __str__(self) -> str:
        shown = [
            f"{f.name}={getattr(self, f.name)!r}"
            for f in fields(self)
            if getattr(self, f.name) != f.default and f.name not in ("method", "tol", "certify")
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def prepare(program: Program, estimator: AbstractEstimator) -> None:
    """Raise InputError unless the program can be relaxed, has a cost and fits the estimator."""
    runnable(program)
    if program.target is None:
        raise bad_input("program", "one emitted with a cost", "none", "emit it with a cost")
    if not program.model.params:
        raise bad_input("program", "an energy with params", "none", "declare some")
    require_metric(estimator.metric, program)
    if estimator.metric is not None and (program.field is not None or not estimator.takes_metric):
        raise bad_input("metric", f"none for {type(estimator).__name__} here", estimator.metric,
                        "use an estimator that compares rest points of an energy")  # fmt: skip
    if program.field is not None and not estimator.takes_fields:
        raise bad_input("estimator", "one that needs no energy", str(estimator),
                        program.field.asymmetry)  # fmt: skip
    estimator.check(program)


def rest_at(
    program: Program, values: Values, estimator: AbstractEstimator, beta: Any, begin: Any = None,
    *, told: Any = None, keep: bool = False,
) -> Rest:  # fmt: skip
    """Relax at the nudges `beta`, and turn saddles and lost guards into statuses (traceable)."""
    import jax.numpy as jnp

    beta = jnp.asarray(beta)
    if not jnp.iscomplexobj(beta):
        beta = beta.astype(program.dtype)
    values = {**values, "beta": beta}
    start = None
    if begin is not None:
        start = start_state(program, values)
        start = {k: jnp.broadcast_to(begin[k], v.shape).astype(v.dtype) for k, v in start.items()}
    method = estimator.relaxer_for(program)
    rest = relax_arrays(
        program, values, start, method, estimator.tolerance(program),
        backward=begin is not None, metric=estimator.metric, told=told, keep=keep,
    )  # fmt: skip
    if estimator.certify and not isinstance(method, Exact) and not jnp.iscomplexobj(beta):
        metric = estimator.metric
        if metric is None or estimator.descends(program):
            code = judge(rest.code, positive(program, values, rest.state), beta)
        else:
            known = stability(program, values, rest.state, metric, measure=False)
            code = judge(rest.code, known.stable, beta, descends=False)
        rest = rest._replace(code=code)
    return rest


def stopped(state: Any, residual: Any, steps: Any, tol: float, beta: Any) -> Rest:
    """A rest that was stopped after the steps asked for, and says so (traceable)."""
    import jax.numpy as jnp

    code = jnp.where(residual <= tol, CODE["converged"], CODE["truncated"])
    code = jnp.where(jnp.isfinite(residual), code, CODE["non_finite"])
    return Rest(state, residual, code, jnp.broadcast_to(steps, residual.shape), beta)


def positive(program: Program, values: Values, state: Any) -> Any:
    """Whether every rest point is a strict minimum, by the cheapest means."""
    from unified.dynamics.curvature import lambda_min

    if has_one_hessian(program) or schur_width(program, values, state) <= FACTOR_LIMIT:
        return definite(program, values, state)
    return lambda_min(program, values, state)[0] > 0


def energy_at(program: Program, values: Values, rest: Rest) -> Any:
    """F at every rest point, (phase, batch); a clamped one is told by its missing output state."""
    if program.model.output.name not in rest.state:
        program = program.clamped
    at = {k: v for k, v in values.items() if k in program.kernels.inputs}
    return np.asarray(program.function("energy")({**at, **rest.state, "beta": rest.beta})["F"])


def mean_cost(program: Program, values: Values, state: Any) -> Any:
    """The batch-mean cost of phase 0."""
    import jax.numpy as jnp

    return jnp.mean(program.module.call("cost", {**values, **state})["C"][0].real)


def contrast(
    program: Program, values: Values, state: Any, beta: Any, weight: Any
) -> dict[str, Any]:
    """Σ_phase weight · batch mean of ∂F/∂θ."""
    return program.module.call("contrast", {**values, **state, "beta": beta, "weight": weight})


def joined(*states: Any) -> dict[str, Any]:
    """States of several relaxations side by side on the phase axis."""
    import jax.numpy as jnp

    return {k: jnp.concatenate([s[k] for s in states]) for k in states[0]}


