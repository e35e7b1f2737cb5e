"""The most probable state: by relaxation, and by PyMC's optimiser for comparison."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.dynamics.equilibrium import Equilibrium
from unified.dynamics.methods import AbstractMethod
from unified.dynamics.relax import relax
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.inference.problem import Problem


def map_estimate(
    E: Energy, C: Cost | CostFamily | None, params: Mapping[str, Any], x: Any = None,
    y: Any = None, *, beta: float = 1.0, temperature: float = 1.0,
    method: AbstractMethod | None = None, tol: float | None = None,
    start: Mapping[str, Any] | None = None, throw: bool = True, certify: bool = True,
) -> Equilibrium:  # fmt: skip
    """The most probable state of p(s | x, y) ∝ exp(−(E + βC)/T): the nudged rest point.

    Equation: ∂E/∂s + β∂C/∂s = 0 with H ≻ 0. T scales the law, and does not move its modes. For a
    quadratic F it is the one mode and the mean; else a mode, the one that relaxation from `start`
    (default: the forward pass) ends in, and neither the mean nor the mode of a marginal.
    Shapes: one sample; the state as the energy's. `method`, `tol` and `certify` are those of
    un.relax: without the certificate λ_min is not looked for, and a quadratic F is still known to
    be at its minimum, since its Hessian was factorised.
    Raises: ConvergenceError unless throw=False, so also where H(β) is not positive definite;
    InputError for T ≤ 0 or arrays that do not fit.
    Reference: theory page D1, D3.
    """
    problem = Problem.of(E, C, params, x, y, beta=beta, temperature=temperature)
    return relax(problem.program, problem.params, problem.phase, method, tol, throw, start=start,
                 certify=certify)  # fmt: skip


@dataclass(frozen=True)
class PymcMap:
    """What `pm.find_MAP` found, and whether its optimiser said that it was done.

    Equation: `residual` = |∂F/∂s| / max(1, |s|), as of an Equilibrium; `status` is "converged",
    "stopped at its evaluation limit" or the optimiser's own words.
    Shapes: `state` as the energy's; the others are numbers.
    """

    state: dict[str, Any]
    residual: float
    evaluations: int
    status: str

    @property
    def converged(self) -> bool:
        """True if the optimiser stopped because it was done."""
        return self.status == "converged"

    def require(self) -> PymcMap:
        """Itself, if it converged. Raises: ConvergenceError."""
        if not self.converged:
            raise ConvergenceError(
                f"find_MAP: expected an optimiser that was done, got one that {self.status} "
                f"({self.evaluations} evaluations, residual {self.residual:.3g}); raise maxeval, "
                "loosen tol, or use un.inference.map_estimate.", (self.status,),
            )  # fmt: skip
        return self


def find_map_pymc(
    E: Energy, C: Cost | CostFamily | None, params: Mapping[str, Any], x: Any = None,
    y: Any = None, *, beta: float = 1.0, temperature: float = 1.0, tol: float = 1e-10,
    maxeval: int = 50_000, start: Mapping[str, Any] | None = None, throw: bool = True,
) -> PymcMap:  # fmt: skip
    """The mode by `pm.find_MAP` (L-BFGS) at a tight tolerance, for comparison with relaxation.

    Equation: as `map_estimate`; stops when no |∂log p/∂s_i| exceeds `tol`.
    Raises: ConvergenceError unless throw=False if it stopped at `maxeval` evaluations or was not
    done for another reason; InputError as `to_pymc`.
    Reference: Salvatier, Wiecki, Fonnesbeck (2016), PeerJ CS 2:e55.
    """
    import pymc as pm

    from unified.inference.pymc_model import to_pymc

    if not isinstance(maxeval, int) or maxeval < 1:
        raise bad_input("maxeval", "a whole number of at least 1", maxeval, "use e.g. 50000")
    problem = Problem.of(E, C, params, x, y, beta=beta, temperature=temperature)
    model = to_pymc(E, C, params, x, y, beta=beta, temperature=temperature, form="potential")
    options = {"maxiter": maxeval, "maxfun": maxeval, "ftol": 0.0, "gtol": tol, "maxls": 50}
    with model, warnings.catch_warnings():
        # PyMC warns of what the status tells.
        warnings.simplefilter("ignore")
        found, result = pm.find_MAP(
            start=dict(start) if start else None, method="L-BFGS-B", return_raw=True,
            progressbar=False, maxeval=maxeval, options=options,
        )  # fmt: skip
    state = {k: np.asarray(found[k]) for k in problem.shapes}
    vector = problem.stack(state)
    force, size = (float(np.linalg.norm(v)) for v in (problem.force(vector), vector))
    residual = force / max(1.0, size)
    mode = PymcMap(state, residual, *_judged(result, maxeval))
    return mode.require() if throw else mode


def _judged(result: Any, maxeval: int) -> tuple[int, str]:
    """Evaluations and status. PyMC hands back no result if it had to break the optimiser off."""
    if result is None:
        return maxeval, "stopped at its evaluation limit"
    count = int(result.nfev)
    if count >= maxeval or int(result.status) == 1:
        return count, "stopped at its evaluation limit"
    message = result.message
    text = message.decode() if isinstance(message, bytes) else str(message)
    return count, "converged" if result.success else f"says: {text.lower()}"
