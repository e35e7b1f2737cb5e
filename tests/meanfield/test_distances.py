"""Oracle: closed forms in one dimension, POT, brute force; baselines with their own rates."""

import itertools

import numpy as np
import pytest

import unified as un
from unified.base.errors import ConvergenceError, InputError

mf = un.meanfield
d = mf.distances
RNG = np.random.default_rng(0)


def cloud(count, dim=1, weights=False):
    w = RNG.random(count) + 0.1 if weights else np.ones(count)
    return mf.ParticleMeasure(RNG.standard_normal((count, dim)), w / w.sum())


def test_one_dimension_is_exact():
    """Against every assignment, and POT for unequal weights and numbers."""
    import ot

    a, b = cloud(6), cloud(6)
    best = min(np.mean((a.x[:, 0] - b.x[list(p), 0]) ** 2)
               for p in itertools.permutations(range(6)))  # fmt: skip
    assert d.wasserstein_1d(a, b) == pytest.approx(np.sqrt(best), rel=1e-12)
    a, b = cloud(7, weights=True), cloud(11, weights=True)
    want = ot.emd2_1d(a.x[:, 0], b.x[:, 0], a.w, b.w)
    assert d.wasserstein_1d(a, b) == pytest.approx(np.sqrt(want), rel=1e-9)


def test_bures_is_the_gaussian_distance():
    """Closed form in 1 d; zero and symmetric; digits kept near zero, where 1e-8 is common."""
    a, b = mf.GaussianMeasure(0.3, 0.5), mf.GaussianMeasure(-0.2, 2.0)
    want = np.hypot(0.5, np.sqrt(2) - np.sqrt(0.5))
    assert d.bures(a, b) == pytest.approx(want, rel=1e-12)
    assert d.wasserstein_1d(a, b) == pytest.approx(want, rel=1e-3)
    s = np.array([[1.0, 0.4], [0.4, 0.8]])
    p, q = mf.GaussianMeasure([0, 0], s), mf.GaussianMeasure([1e-9, 0], s)
    assert d.bures(p, q) == pytest.approx(1e-9, rel=1e-5)
    r = mf.GaussianMeasure([1, 2], [[2.0, -0.3], [-0.3, 0.5]])
    assert d.bures(p, r) == pytest.approx(d.bures(r, p), rel=1e-12)
    from scipy.linalg import sqrtm

    root = sqrtm(s)
    cross = np.trace(sqrtm(root @ r.sigma @ root).real)
    assert d.bures(p, r) ** 2 == pytest.approx(5 + 1.8 + 2.5 - 2 * cross, rel=1e-10)
    flat = mf.GaussianMeasure([0, 0], [[1.0, 0.0], [0.0, 0.0]])
    assert d.bures(flat, mf.GaussianMeasure([0, 0], np.zeros((2, 2)))) == pytest.approx(1)


def test_sliced_and_transport():
    """A shift by v is at distance |v|, debiased at any ε too; and |v|/√d sliced."""
    a = cloud(50, 3)
    v = np.array([0.3, -0.2, 0.5])
    b = mf.ParticleMeasure(a.x + v)
    size = np.linalg.norm(v)
    assert d.transport(a, b, key=0) == pytest.approx(size, rel=1e-9)
    assert d.sliced(a, b, key=0, slices=4000) == pytest.approx(size / np.sqrt(3), rel=0.03)
    assert d.transport(a, b, key=0, entropic=0.5) == pytest.approx(size, rel=1e-5)
    assert d.transport(a, cloud(50, 3), key=0) > 0.1
    with pytest.raises(ConvergenceError, match="Sinkhorn"):
        d.transport(a, cloud(30, 3), key=0, entropic=1e-5)


def test_a_sample_is_not_at_distance_zero_of_its_law():
    """Reporting W(sample, law) without its baseline calls noise an error, or an error noise."""
    law = mf.GaussianMeasure(0.0, 1.0)
    small, large = (d.baseline(d.wasserstein_1d, law, n, 0, key=1) for n in (100, 6400))
    assert 0.05 < small.mean < 0.35
    # log log N aside, N^{-1/2} in one dimension.
    assert np.log(small.mean / large.mean) / np.log(64) == pytest.approx(0.5, abs=0.12)
    own = d.wasserstein_1d(law.to_particles(100, key=99), law)
    shifted = d.wasserstein_1d(mf.GaussianMeasure(1.0, 1.0).to_particles(100, key=99), law)
    assert small.excess(own) < 4 < small.excess(shifted)
    plane = mf.GaussianMeasure([0, 0], np.eye(2))
    both = d.baseline(lambda a, b: d.transport(a, b, key=0), plane, 60, key=2, repeats=5)
    assert both.mean > 0.2 and "repeats" in repr(both)


def test_refusals():
    """Distances between things that have none."""
    with pytest.raises(InputError, match="one dimension"):
        d.bures(mf.GaussianMeasure(0.0, 1.0), mf.GaussianMeasure([0, 0], np.eye(2)))
    with pytest.raises(InputError, match="measures in 1 d"):
        d.wasserstein_1d(cloud(3, 2), cloud(3, 2))
    with pytest.raises(InputError, match="particle measures"):
        d.sliced(cloud(3), mf.GaussianMeasure(0.0, 1.0), key=0)
    with pytest.raises(InputError, match="entropic"):
        d.transport(cloud(3), cloud(3), key=0, entropic=-1.0)


def test_entropic_transport_of_gaussians():
    """The debiased divergence on fine weights against the closed form; ε is seen."""
    laws = mf.GaussianMeasure(0.0, 0.5), mf.GaussianMeasure(0.4, 1.0)
    x = np.linspace(-5.5, 5.5, 111)
    a, b = (mf.ParticleMeasure(m.to_grid(x).points, m.to_grid(x).weights) for m in laws)

    def divergence(eps):
        both, first, second = ((p, q) for p, q in (laws, laws[:1] * 2, laws[1:] * 2))
        cost = mf.closed_forms.entropic_transport
        return cost(*both, eps) - (cost(*first, eps) + cost(*second, eps)) / 2

    found = d.transport(a, b, key=0, entropic=0.5) ** 2
    assert found == pytest.approx(divergence(0.5), rel=1e-5)
    assert abs(found - divergence(0.25)) > 100 * 1e-5 * 0.25
    assert divergence(1e-4) == pytest.approx(d.bures(*laws) ** 2, rel=1e-3)
