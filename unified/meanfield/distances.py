"""Distances between measures, each with what a sample's distance to its own law is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.meanfield.grid import GridMeasure
from unified.meanfield.measures import AbstractMeasure, GaussianMeasure, ParticleMeasure

SINKHORN = 3000  # iterations


def bures(mu: AbstractMeasure, nu: AbstractMeasure) -> float:
    """The Wasserstein distance of two Gaussians (of the Gaussians of equal moments, for others).

    Equation: W₂² = |m−n|² + tr(Σ + Γ − 2(Σ^{½}ΓΣ^{½})^{½}).
    Reference: Gelbrich (1990), Math. Nachr. 147, 185.
    """
    a, b = mu.to_gaussian(), nu.to_gaussian()
    _same(a, b)
    # tr Σ + tr Γ − 2 tr(...)^{½} loses half the digits near 0: with the optimal map A = I + D,
    # W² = |m−n|² + tr(DΣD), D = Σ^{-½}[(Σ^{½}ΓΣ^{½})^{½} − Σ]Σ^{-½}, does not.
    away = float(np.sum((a.m - b.m) ** 2))
    values, vectors = np.linalg.eigh(a.sigma)
    if values[0] <= 1e-14 * max(values[-1], 1e-300):
        root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
        inner = np.linalg.eigvalsh(root @ b.sigma @ root)
        cross = float(np.sum(np.sqrt(np.maximum(inner, 0))))
        return float(np.sqrt(max(away + np.trace(a.sigma) + np.trace(b.sigma) - 2 * cross, 0)))
    root = (vectors * np.sqrt(values)) @ vectors.T
    s, u = np.linalg.eigh(root @ b.sigma @ root)
    middle = (u * np.sqrt(np.maximum(s, 0))) @ u.T - a.sigma
    back = (vectors / np.sqrt(values)) @ vectors.T
    shift = back @ middle @ back
    return float(np.sqrt(away + np.sum((shift @ a.sigma) * shift)))


def wasserstein_1d(mu: AbstractMeasure, nu: AbstractMeasure, *, levels: int = 20001) -> float:
    """W₂ in one dimension, from quantile functions.

    Equation: W₂² = ∫₀¹(F⁻¹ − G⁻¹)²ds; exact for particles, which have steps for quantiles, at
    `levels` midpoints for Gaussians and grids (linear within a cell).
    Raises: InputError for more than one dimension. Reference: Villani (2003), 2.2.
    """
    _same(mu, nu)
    if mu.dim != 1:
        raise bad_input("mu, nu", "measures in 1 d", f"{mu.dim} d", "use sliced or transport")
    if isinstance(mu, ParticleMeasure) and isinstance(nu, ParticleMeasure):
        return _exact_1d(mu.x[:, 0], mu.w, nu.x[:, 0], nu.w)
    s = (np.arange(levels) + 0.5) / levels
    gap = _quantile(mu, s) - _quantile(nu, s)
    return float(np.sqrt(np.mean(gap**2)))


def _exact_1d(x: Any, v: Any, y: Any, w: Any) -> float:
    i, j = np.argsort(x), np.argsort(y)
    a, b = np.cumsum(v[i], dtype=np.float64), np.cumsum(w[j], dtype=np.float64)
    levels = np.sort(np.concatenate([a[:-1], b[:-1], [1.0]]))
    width = np.diff(np.concatenate([[0.0], levels]))
    middle = levels - width / 2
    left = x[i][np.minimum(np.searchsorted(a, middle), len(x) - 1)]
    right = y[j][np.minimum(np.searchsorted(b, middle), len(y) - 1)]
    return float(np.sqrt(np.sum(width * (left.astype(np.float64) - right) ** 2)))


def _quantile(measure: AbstractMeasure, s: Any) -> Any:
    if isinstance(measure, GaussianMeasure):
        from scipy.special import ndtri

        return measure.m[0] + np.sqrt(measure.sigma[0, 0]) * ndtri(s)
    if isinstance(measure, GridMeasure):
        return measure.quantiles(len(s))
    assert isinstance(measure, ParticleMeasure)
    order = np.argsort(measure.x[:, 0])
    rising = np.cumsum(measure.w[order])
    return measure.x[order, 0][np.minimum(np.searchsorted(rising, s), len(order) - 1)]


def sliced(mu: ParticleMeasure, nu: ParticleMeasure, *, key: int, slices: int = 128) -> float:
    """The sliced distance: W₂ of projections, averaged over directions.

    Equation: SW₂² = mean over unit vectors u of W₂²(u·μ, u·ν); `key` draws the directions.
    Reference: Bonneel, Rabin, Peyré & Pfister (2015), J. Math. Imaging Vis. 51, 22.
    """
    _particles(mu, nu)
    u = np.random.default_rng(key).standard_normal((slices, mu.dim))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    found = [_exact_1d(mu.x @ v, mu.w, nu.x @ v, nu.w) ** 2 for v in u]
    return float(np.sqrt(np.mean(found)))


def transport(mu: ParticleMeasure, nu: ParticleMeasure, *, key: int, entropic: float = 0.0,
              most: int = 1000) -> float:  # fmt: skip
    """W₂ of particles by optimal transport, on at most `most` of them drawn with `key`.

    Equation: exact by network simplex; with `entropic` ε > 0 the debiased divergence
    OT_ε(μ,ν) − ½OT_ε(μ,μ) − ½OT_ε(ν,ν), whose root is returned.
    Raises: ConvergenceError if Sinkhorn's iteration does not converge.
    Reference: POT, Flamary et al. (2021); Genevay, Peyré & Cuturi (2018).
    """
    _particles(mu, nu)
    a, b = _subsample(mu, most, [key, 0]), _subsample(nu, most, [key, 1])
    if entropic < 0:
        raise bad_input("entropic", "a number of at least 0", entropic, "use 0 for exact")
    if entropic == 0:
        import ot

        return float(np.sqrt(max(ot.emd2(a.w, b.w, _costs(a, b), numItermax=10**6), 0.0)))
    own = (_sinkhorn(a, a, entropic) + _sinkhorn(b, b, entropic)) / 2
    return float(np.sqrt(max(_sinkhorn(a, b, entropic) - own, 0.0)))


def _sinkhorn(a: ParticleMeasure, b: ParticleMeasure, entropic: float) -> float:
    import ot

    from unified.base.errors import ConvergenceError

    cost = _costs(a, b)
    with np.errstate(over="ignore"):  # POT also returns exp of the potentials, which may overflow
        plan, log = ot.sinkhorn(
            a.w, b.w, cost, entropic, method="sinkhorn_log", numItermax=SINKHORN, stopThr=1e-8,
            warn=False, log=True,
        )  # fmt: skip
    if not log["err"] or log["err"][-1] > 1e-6:
        raise ConvergenceError("transport: expected Sinkhorn's iteration to converge, got an error "
                               f"of {log['err'][-1]:.2g}; use a larger entropic.")  # fmt: skip
    ratio = plan / np.outer(a.w, b.w)
    divergence = float(np.sum(plan * np.log(np.maximum(ratio, 1e-300))))
    return float(np.sum(plan * cost)) + entropic * divergence


def _costs(a: ParticleMeasure, b: ParticleMeasure) -> Any:
    from scipy.spatial.distance import cdist

    return cdist(a.x, b.x, "sqeuclidean")


def _subsample(mu: ParticleMeasure, most: int, seed: list[int]) -> ParticleMeasure:
    x, w = mu.x.astype(np.float64), mu.w.astype(np.float64)
    if len(x) <= most:
        return ParticleMeasure(x, w / np.sum(w))
    rows = np.random.default_rng(seed).choice(len(x), size=most, p=w / np.sum(w))
    return ParticleMeasure(x[rows])


@dataclass(frozen=True)
class Baseline:
    """The distance of two independent samples of one law: what no agreement can go below.

    Shapes: `values` one per repeat.
    """

    values: Any

    @property
    def mean(self) -> float:
        """Their mean."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float:
        """Their standard deviation."""
        return float(np.std(self.values, ddof=1))

    def excess(self, distance: float) -> float:
        """How many standard deviations a distance lies above the baseline."""
        return (distance - self.mean) / max(self.deviation, 1e-300)

    def __repr__(self) -> str:
        return f"Baseline({self.mean:.4g} +- {self.deviation:.2g}, {len(self.values)} repeats)"


def baseline(distance: Callable[[Any, Any], float], law: Any, count: int, other: int | None = None,
             *, key: int, repeats: int = 20) -> Baseline:  # fmt: skip
    """The sampling baseline of a distance between a sample of `count` and a sample of `other`.

    Equation: distance(X, Y), X and Y independent samples of the same law; with other=0 the law
    itself takes the place of Y. `law` is a measure with `to_particles`.
    Reference: Fournier & Guillin (2015), Probab. Theory Relat. Fields 162, 707.
    """
    size = count if other is None else other
    found = []
    for k in range(repeats):
        x = law.to_particles(count, key=[key, k, 0])
        y = law.to_particles(size, key=[key, k, 1]) if size else law
        found.append(distance(x, y))
    return Baseline(np.array(found))


def _same(mu: AbstractMeasure, nu: AbstractMeasure) -> None:
    if mu.dim != nu.dim:
        raise bad_input("mu, nu", "measures of one dimension", f"{mu.dim} and {nu.dim}", "align")


def _particles(mu: Any, nu: Any) -> None:
    for m in (mu, nu):
        if not isinstance(m, ParticleMeasure):
            raise bad_input("mu, nu", "particle measures", type(m).__name__, "use to_particles")
    _same(mu, nu)
