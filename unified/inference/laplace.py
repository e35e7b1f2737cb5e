"""Laplace's approximation: the Gaussian law of the mode and the curvature there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.dynamics.block_tridiagonal import BlockTridiagonal, Factor
from unified.dynamics.equilibrium import Equilibrium
from unified.dynamics.hessian import FactoredHessian, has_one_hessian
from unified.dynamics.langevin import check_key
from unified.dynamics.relax import relax
from unified.dynamics.system import System
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.inference.gaussian import hessian_at, require_definite, told
from unified.inference.groups import as_arviz, law_attrs, posterior_group
from unified.inference.problem import Problem


@dataclass(frozen=True)
class LaplaceLaw:
    """The Gaussian N(s*, T·H⁻¹) of a mode s* of p ∝ exp(−F/T) with curvature H = ∂²F/∂s∂s.

    Equation: `log_integral` = −F(s*)/T + (N/2) log 2πT − ½ log det H, which is log ∫exp(−F/T)ds
    if F is quadratic (`exact`), else its leading order in T for the well of s*.
    Shapes: `mean`, `sd` (N,), `cov` (N, N) over the stacked states; `logdet` log det H (H in units
    of energy per unit squared, without T), `energy` F(s*).
    Reference: Tierney & Kadane (1986), JASA 81, 82; theory page D3.
    """

    problem: Problem
    mode: Equilibrium
    mean: Any
    logdet: float
    exact: bool
    factor: Factor = field(repr=False)

    @property
    def energy(self) -> float:
        """F = E + βC at the mode."""
        return float(self.mode.energy)

    @property
    def log_integral(self) -> float:
        """log ∫exp(−F/T)ds, exact or to leading order in T."""
        heat, n = self.problem.temperature, self.problem.size
        return -self.energy / heat + 0.5 * n * np.log(2 * np.pi * heat) - 0.5 * self.logdet

    @cached_property
    def inverse(self) -> Any:
        """H⁻¹, (N, N)."""
        n, widths = self.problem.size, [p.matrix.shape[-1] for p in self.factor.pivots]
        cuts = np.split(np.eye(n)[:, None, None, :], np.cumsum(widths)[:-1], axis=-1)
        parts = self._compiled("inverse", lambda f, right: f.solve(right), cuts)
        rows = np.concatenate([v[:, 0, 0] for v in parts], axis=-1)
        return (rows + rows.T) / 2

    @cached_property
    def cov(self) -> Any:
        """T·H⁻¹, (N, N)."""
        return self.problem.temperature * self.inverse

    @cached_property
    def sd(self) -> Any:
        """The standard deviation of every unit, (N,), from the diagonal blocks of H⁻¹ alone."""
        own = self._compiled("spread", lambda f: f.inverse_blocks()[0])
        found = [np.diagonal(b[0, 0]) for b in own]
        return np.sqrt(self.problem.temperature * np.concatenate(found))

    def sample(self, *, key: int, draws: int = 1000) -> Any:
        """Independent draws (draws, N) from N(s*, T·H⁻¹). Raises: InputError for a bad key."""
        check_key(key)
        if not isinstance(draws, int | np.integer) or draws < 1:
            raise bad_input("draws", "a whole number of at least 1", draws, "use e.g. 1000")
        import jax

        def drawn(factor: Factor, seed: Any, heat: Any) -> Any:
            return factor.sample((int(draws),), key=jax.random.key(seed), temperature=heat)

        heat = np.asarray(self.problem.temperature, self.problem.program.dtype)
        parts = self._compiled(("sample", int(draws)), drawn, np.uint32(key), heat)
        return self.mean + np.concatenate([p[:, 0, 0] for p in parts], axis=-1)

    def _compiled(self, name: Any, function: Callable[..., Any], *more: Any) -> list[Any]:
        """Arrays that a function reads off the factors, compiled once per program."""
        program = self.problem.program
        with program.precision:
            run = program.jit(("laplace", name), function)
            return [np.asarray(v) for v in run(self.factor, *more)]

    def to_xarray(self) -> Any:
        """Mean, standard deviation and covariance by unit, as an xarray.Dataset."""
        import xarray as xr

        p = self.problem
        return xr.Dataset(
            {"mean": ("unit", self.mean), "sd": ("unit", self.sd),
             "cov": (("unit", "unit_2"), self.cov)},
            coords={"unit": p.units, "unit_2": p.units},
            attrs=law_attrs(p) | {"logdet": self.logdet, "log_integral": self.log_integral,
                                  "exact": int(self.exact)},
        )  # fmt: skip

    def to_arviz(self, *, key: int = 0, draws: int = 1000, chains: int = 4) -> Any:
        """Independent draws as a posterior, and the law itself in the group `laplace`."""
        p = self.problem
        flat = self.sample(key=key, draws=chains * draws).reshape(chains, draws, p.size)
        own = {"posterior": posterior_group(p, flat, "laplace"), "laplace": self.to_xarray()}
        return as_arviz(p, own)

    def __repr__(self) -> str:
        p = self.problem
        kind = "exact" if self.exact else "leading order in T"
        return (
            f"LaplaceLaw({p.size} units, beta={p.beta:g}, T={p.temperature:g}, {kind}; "
            f"F={self.energy:.6g}, log det H={self.logdet:.6g}, sd {np.min(self.sd):.3g} to "
            f"{np.max(self.sd):.3g}, residual {float(self.mode.residual):.2g})"
        )


def laplace(
    E: Energy, C: Cost | CostFamily | None, params: Mapping[str, Any],
    x: Any = None, y: Any = None, *, beta: float = 1.0, temperature: float = 1.0,
    start: Mapping[str, Any] | None = None,
) -> LaplaceLaw:  # fmt: skip
    """The Gaussian law at a mode of p(s | x, y) ∝ exp(−(E + βC)/T), exact if E + βC is quadratic.

    Equation: mean s* with ∂F/∂s = 0, covariance T·H⁻¹, H = ∂²F/∂s∂s(s*) ≻ 0.
    Shapes: x, y one sample; `.mean` (N,), `.cov` (N, N); `start` states to relax from.
    H is factorised as a block-tridiagonal matrix where one H serves all states, else as a whole.
    Raises: InputError if a quadratic law cannot be normalised (H not positive definite), naming
    the direction; ConvergenceError if no mode was reached.
    Reference: Tierney & Kadane (1986), JASA 81, 82; theory pages D1, D3.
    """
    return laplace_of(
        Problem.of(E, C, params, x, y, beta=beta, temperature=temperature), start
    )


def laplace_of(problem: Problem, start: Mapping[str, Any] | None = None) -> LaplaceLaw:
    """The same of a problem."""
    program = problem.program
    mode = relax(program, problem.params, problem.phase, throw=False, start=start)
    status = str(mode.status)
    exact = program.kernels.quadratic
    if status != "converged":
        if exact or status in ("not_a_minimum", "nudge_too_negative"):
            _refuse(problem, problem.stack(mode.state))
        mode.require()
    factor, logdet = _factor(problem, mode.state)
    if not np.all(np.asarray(factor.definite)):
        _refuse(problem, problem.stack(mode.state))
    return LaplaceLaw(problem, mode, problem.stack(mode.state), logdet, exact, factor)


def _refuse(problem: Problem, vector: Any) -> None:
    """Raise, naming the direction, if H at a stacked state is not positive definite."""
    hessian = hessian_at(problem, vector)
    if problem.program.kernels.quadratic:
        require_definite(problem, hessian)
        return
    values, vectors = np.linalg.eigh(hessian)
    if values[0] <= 0:
        raise ConvergenceError(
            "laplace: expected a mode (H positive definite), got a rest point with eigenvalue "
            f"{values[0]:.3g} along {told(problem, vectors[:, 0])}; pass start= states in a well, "
            "or look for wells with un.inference.modes.", ("not_a_minimum",),
        )  # fmt: skip


def _factor(problem: Problem, state: Mapping[str, Any]) -> tuple[Factor, float]:
    """H at a state, factorised by layers where one H serves all states, else as one block."""
    program = problem.program

    def factor(values: Any) -> tuple[Factor, Any]:
        system = System(program, values)
        own = system.begin({s.name: values[s.name] for s in program.model.states})
        if has_one_hessian(program):
            found = FactoredHessian.of(system, own).factor
        else:
            found = BlockTridiagonal((system.dense(own),), ()).factor()
        return found, found.logdet

    own = {k: np.asarray(v)[None, None] for k, v in state.items()}
    with program.precision:
        found, logdet = program.jit("laplace", factor)({**problem.values, **own})
    return found, float(np.asarray(logdet).reshape(-1)[0])
