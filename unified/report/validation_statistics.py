"""The statistics of a validation: intervals over independent seeds, tests against a margin, Holm.

Pure functions of numbers, so that each can be calibrated on simulated samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from unified.base.errors import bad_input


def check_level(level: float) -> float:
    """The level itself. Raises: InputError unless it lies strictly between 0.5 and 1."""
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0.5 < level < 1:
        raise bad_input("level", "a coverage between 0.5 and 1", level, "use 0.95")
    return float(level)


def mean_interval(sample: ArrayLike, level: float = 0.95) -> tuple[float, float, float]:
    """Mean and Student-t interval of the mean: (mean, low, high).

    Equation: x̄ ± t_{n−1} s/√n, n independent values; exact for normal ones.
    NaN bounds for fewer than two values.
    """
    x = np.asarray(sample, float)
    if x.size < 2:
        return (float(x.mean()) if x.size else float("nan")), float("nan"), float("nan")
    half = special.stdtrit(x.size - 1, (1 + level) / 2) * x.std(ddof=1) / np.sqrt(x.size)
    return float(x.mean()), float(x.mean() - half), float(x.mean() + half)


def fisher_interval(r: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Fisher's interval of a Pearson correlation of n independent pairs.

    Equation: tanh(artanh r ± z/√(n−3)). NaN for fewer than four pairs.
    Reference: Fisher (1921), Metron 1, 3.
    """
    if n < 4 or not np.isfinite(r):
        return float("nan"), float("nan")
    if abs(r) >= 1:
        return float(np.sign(r)), float(np.sign(r))
    half = special.ndtri((1 + level) / 2) / np.sqrt(n - 3)
    return float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))


def bootstrap_interval(
    sample: ArrayLike, level: float = 0.95, *, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Bias-corrected and accelerated (BCa) bootstrap interval of a mean.

    Equation: quantiles of resampled means at Φ(z₀ + (z₀+z)/(1 − a(z₀+z))), z₀ the bias, a the
    jackknife acceleration; a point where all values are equal.
    It covers less than its level for few values (about 0.88 in place of 0.95 for ten normal ones):
    shown beside the t intervals that decide, never in their place.
    Reference: Efron (1987), J. Am. Stat. Assoc. 82, 171.
    """
    x = np.asarray(sample, float)
    if x.size < 2:
        return float("nan"), float("nan")
    away = x - x.mean()
    spread = float(np.sum(away**2))
    if spread <= (np.finfo(float).eps * np.abs(x).max()) ** 2 * x.size:
        return float(x.min()), float(x.max())
    draws = np.random.default_rng(seed).integers(x.size, size=(resamples, x.size))
    means = x[draws].mean(axis=1)
    lower = np.mean(means < x.mean()) + 0.5 * np.mean(means == x.mean())
    bias = special.ndtri(np.clip(lower, 1 / resamples, 1 - 1 / resamples))
    turn = float(np.sum(away**3)) / (6 * spread**1.5)
    z = bias + special.ndtri(np.array([1 - level, 1 + level]) / 2)
    low, high = np.quantile(means, special.ndtr(bias + z / (1 - turn * z)))
    return float(low), float(high)


def sign_tests(excess: ArrayLike) -> tuple[Any, Any]:
    """One-sided t tests of whether means lie below zero, and whether they lie above.

    Equation: t = x̄√n/s; p_below = P(T_{n−1} ≤ t) rejects "mean ≥ 0", p_above = P(T_{n−1} ≥ t)
    rejects "mean ≤ 0".
    Shapes: excess (tests, n), n independent values each; both results (tests,).
    Two of them, one for each end of a range, are the two one-sided tests of equivalence.
    Reference: Schuirmann (1987), J. Pharmacokinet. Biopharm. 15, 657.
    """
    x = np.atleast_2d(np.asarray(excess, float))
    n = x.shape[1]
    if n < 2:
        return np.ones(len(x)), np.ones(len(x))
    mean, error = x.mean(axis=1), x.std(axis=1, ddof=1) / np.sqrt(n)
    certain = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))  # equal at every seed
    t = np.divide(mean, error, out=certain, where=error > 0)
    return special.stdtr(n - 1, t), special.stdtr(n - 1, -t)


def line(x: ArrayLike, y: ArrayLike) -> tuple[float, float]:
    """Slope and intercept of y on x by least squares; NaN where x does not vary."""
    u, v = np.asarray(x, float), np.asarray(y, float)
    away = u - u.mean()
    spread = float(away @ away)
    if u.size < 2 or spread == 0:
        return float("nan"), float("nan")
    slope = float(away @ v) / spread
    return slope, float(v.mean() - slope * u.mean())


def correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's r; NaN for fewer than two pairs or where one does not vary."""
    if np.size(x) < 2:
        return float("nan")
    u, v = np.asarray(x, float), np.asarray(y, float)
    u, v = u - u.mean(), v - v.mean()
    size = float(np.linalg.norm(u) * np.linalg.norm(v))
    return float(np.clip(u @ v / size, -1, 1)) if size > 0 else float("nan")


def angle(a: Any, b: Any) -> float:
    """The angle between two vectors in radians, accurate to rounding even when it is tiny.

    Equation: 2 atan2(|â − b̂|, |â + b̂|), â = a/|a|. NaN if one is zero.
    Reference: Kahan (2006), How futile are mindless assessments of roundoff, section 12.
    """
    size = np.linalg.norm(a), np.linalg.norm(b)
    if not all(np.isfinite(size)) or min(size) == 0:
        return float("nan")
    u, v = a / size[0], b / size[1]
    return float(2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v)))
