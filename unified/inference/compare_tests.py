"""The tests of draws against a normal law and against the forces of an energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.linalg import solve_triangular

from unified.base.multiplicity import holm
from unified.inference.draws import Gate, gate

KINDS = ("mean", "variance", "total variance", "equipartition")
CERTAIN = 0.9  # probability with which what counts as detectable is detected


@dataclass(frozen=True)
class Tests:
    """Every test made: what it is about, its statistic, its p-value, and that adjusted by Holm.

    Equation: `shift` (mean − reference)/sd and `scale` sd/(reference sd) per unit; `effect` per
    test is the shift, or the ratio of what was found to what was expected.
    Shapes: `kind`, `index`, `effect`, `p`, `adjusted` one entry per test; `shift`, `scale`, `ess`
    (N,) per unit; `shift_seen`, `scale_seen` numbers.
    """

    kind: Any
    index: Any
    effect: Any
    p: Any
    adjusted: Any
    shift: Any
    scale: Any
    ess: Any
    gate: Gate
    shift_seen: float
    scale_seen: float


def run_tests(draws: Any, mean: Any, cov: Any, slopes: Any, temperature: float, family: float,
              lost: int) -> Tests:  # fmt: skip
    """Test draws (chains, draws, N) against N(mean, cov), and their slopes ∂F/∂s against T.

    Equation: with ESS the effective sample size of each series,
      mean: z_i = (x̄_i − μ_i)√ESS/σ_i, normal;
      variance: w = L⁻¹(x − μ), cov = LLᵀ: ESS·⟨w_i²⟩ ~ χ² with ESS degrees;
      total variance: ESS·⟨|w|²⟩ ~ χ² with N·ESS degrees;
      equipartition: ⟨(s − μ)·∂F/∂s⟩ = N·T, whatever the law looks like, with its own error.
    Reference: theory page, validation protocol; Vehtari et al. (2021) for ESS.
    """
    units = draws.shape[-1]
    away = draws - mean
    root = np.linalg.cholesky(cov)
    white = solve_triangular(root, away.reshape(-1, units).T, lower=True).T.reshape(away.shape)
    square = white**2
    whole = np.sum(square, axis=-1, keepdims=True)
    virial = np.sum(away * slopes, axis=-1, keepdims=True) / temperature
    judged = gate(np.concatenate([draws, square, whole, virial], axis=-1), lost)
    ess, ess_square = judged.ess[:units], judged.ess[units : 2 * units]
    ess_whole, ess_virial = judged.ess[2 * units :]
    sd = np.sqrt(np.diagonal(cov))
    shift = np.mean(away, axis=(0, 1)) / sd
    ratio = np.mean(square, axis=(0, 1))
    total, level = float(np.mean(whole)) / units, float(np.mean(virial)) / units
    spread = float(np.var(virial)) / ess_virial / units**2
    p = np.concatenate([
        2 * stats.norm.sf(np.abs(shift) * np.sqrt(ess)),
        _both_sides(stats.chi2(ess_square), ess_square * ratio),
        [_both_sides(stats.chi2(units * ess_whole), units * ess_whole * total)],
        # A gamma law of mean 1 and the variance seen: positive and skewed as sums of squares are.
        [_both_sides(stats.gamma(1 / spread, scale=spread), level)],
    ])  # fmt: skip
    found = np.where(np.isfinite(p), np.clip(p, 0.0, 1.0), 1.0)
    kind = np.repeat(KINDS, [units, units, 1, 1])
    index = np.concatenate([np.arange(units), np.arange(units), [-1, -1]])
    far = float(stats.norm.isf(family / (2 * found.size)) + stats.norm.ppf(CERTAIN))
    return Tests(
        kind, index, np.concatenate([shift, ratio, [total, level]]), found, holm(found), shift,
        np.std(draws, axis=(0, 1)) / sd, ess, judged, far / float(np.sqrt(np.min(ess))),
        far / float(np.sqrt(2 * units * ess_whole)),
    )  # fmt: skip


def _both_sides(law: Any, value: Any) -> Any:
    return 2 * np.minimum(law.cdf(value), law.sf(value))
