"""The evidence from single wells: exact for Gaussians, Laplace's approximation elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.inference.evidence import EvidenceEstimate
from unified.inference.expansion import LARGEST, expansion
from unified.inference.gaussian import gaussian_law
from unified.inference.laplace import LaplaceLaw, laplace_of
from unified.inference.problem import Problem
from unified.inference.quadratic import cost_of


def exact(problem: Problem) -> EvidenceEstimate:
    """The closed form of a Gaussian: two modes and two log-determinants."""
    if not problem.program.kernels.quadratic:
        raise bad_input("method", "'laplace', 'ti' or 'smc' for an energy or cost that is not "
                        "quadratic in the states", "'exact'", "choose one")  # fmt: skip
    nudged, free = _laws(problem)
    value = nudged.log_integral - free.log_integral
    return EvidenceEstimate(value, _rounding(nudged, free), "exact", "converged", problem,
                            _pieces(nudged, free))  # fmt: skip


def by_laplace(problem: Problem) -> EvidenceEstimate:
    """The same at the modes of any law; the error is the next order in T of both."""
    nudged, free = _laws(problem)
    value = nudged.log_integral - free.log_integral
    more = [expansion(law) for law in (nudged, free)]
    details: dict[str, Any] = _pieces(nudged, free)
    if more[0] is None or more[1] is None:
        status = f"no error estimate beyond {LARGEST} units; compare with method='ti' or 'smc'"
        return EvidenceEstimate(value, np.nan, "laplace", status, problem, details)
    parts = [m.log_integral for m in more if m is not None]
    details |= {"correction": parts[0] - parts[1], "corrections": parts}
    error = max(abs(parts[0] - parts[1]), _rounding(nudged, free))
    status = "converged"
    if max(map(abs, parts)) > 1:
        status = (f"the next order in T is {parts[0]:.2g} and {parts[1]:.2g} nats, too large for "
                  "an expansion; lower T, or use method='ti' or 'smc'")  # fmt: skip
    return EvidenceEstimate(value, error, "laplace", status, problem, details)


def evidence_by_output(problem: Problem) -> float:
    """The Gaussian evidence from the prior's covariance of what the cost reads: m×m determinants.

    Equation: with C = c + qᵀo + ½oᵀQo on the m units o it reads, of prior mean μ and covariance
    TΣ: log Z_β/Z_0 = −βC(μ)/T + (β²/2T)∇CᵀΣ(1 + βQΣ)⁻¹∇C − ½ log det(1 + βQΣ); for
    C = ½|y − o|² it is log N(y; μ, S) + (m/2) log(2πT/β), S = T(Σ + 1/β).
    A dense route that shares no factorisation with `evidence`, to check it by.
    Raises: InputError if the energy or cost is not quadratic.
    Reference: theory pages C4 (log det H = log det S + ...), D4; Sylvester's determinant identity.
    """
    mean, cov, _ = gaussian_law(problem.at(0.0))
    cost, beta, heat = cost_of(problem), problem.beta, problem.temperature
    out = np.flatnonzero(np.any(cost.curvature != 0, axis=1) | (cost.slope != 0))
    slope, curvature = cost.gradient(mean)[out], cost.curvature[np.ix_(out, out)]
    spread = cov[np.ix_(out, out)] / heat
    mixed = np.eye(len(out)) + beta * curvature @ spread
    pull = slope @ spread @ np.linalg.solve(mixed, slope)
    sign, logdet = np.linalg.slogdet(mixed)
    if sign <= 0:
        return -np.inf
    return float(-beta * cost(mean) / heat + beta**2 / (2 * heat) * pull - 0.5 * logdet)


def _laws(problem: Problem) -> tuple[LaplaceLaw, LaplaceLaw]:
    """The wells of the nudged and of the free law."""
    free = laplace_of(problem.at(0.0))
    return laplace_of(problem), free


def _pieces(nudged: LaplaceLaw, free: LaplaceLaw) -> dict[str, float]:
    return {
        "energy_nudged": nudged.energy, "energy_free": free.energy,
        "logdet_nudged": nudged.logdet, "logdet_free": free.logdet,
    }  # fmt: skip


def _rounding(nudged: LaplaceLaw, free: LaplaceLaw) -> float:
    """A bound on rounding: N ε times the size of what is added up, and what residuals leave."""
    heat, eps = nudged.problem.temperature, float(np.finfo(float).eps)
    size = sum(abs(v.energy) / heat + abs(v.logdet) + v.problem.size for v in (nudged, free))
    force = 0.0
    for v in (nudged, free):
        norm = float(v.mode.residual) * max(1.0, float(np.linalg.norm(v.mean)))
        force += norm**2 * float(np.max(np.diag(v.inverse))) / (2 * heat)
    return nudged.problem.size * eps * size + force
