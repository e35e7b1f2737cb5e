"""Oracle: moments by hand, SciPy's normal law, files read back, sentences of refusal."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

import unified as un
from unified.base.errors import InputError

mf = un.meanfield


def test_particle_moments_are_weighted():
    """A mean without its weights would silently report another measure."""
    mu = mf.ParticleMeasure([[0.0], [4.0]], [0.75, 0.25])
    np.testing.assert_allclose(mu.mean(), [1.0])
    np.testing.assert_allclose(mu.cov(), [[3.0]])


def test_gaussian_density_and_grid_moments():
    """Every closed form is compared through these densities."""
    mu = mf.GaussianMeasure([0.3, -0.2], [[0.5, 0.2], [0.2, 0.4]])
    x = np.random.default_rng(0).standard_normal((5, 2))
    want = multivariate_normal(mu.m, mu.sigma).logpdf(x)
    np.testing.assert_allclose(mu.log_density(x), want, rtol=1e-12)
    side = np.linspace(-5, 5, 101)
    grid = mu.to_grid(side, side)
    np.testing.assert_allclose(grid.mean(), mu.m, atol=1e-9)
    np.testing.assert_allclose(grid.cov(), mu.sigma, atol=1e-8)
    assert abs(grid.mass - 1) < 1e-14


def test_samples_have_the_law_they_say():
    """A square root transposed would give another covariance; z tests on 20000 draws."""
    mu = mf.GaussianMeasure([1.0, 2.0], [[1.0, 0.8], [0.8, 2.0]])
    drawn = mu.to_particles(20000, key=1)
    assert np.all(np.abs(drawn.mean() - mu.m) < 4 * np.sqrt(np.diag(mu.sigma) / 20000))
    error = np.abs(drawn.cov() - mu.sigma)
    assert np.all(error < 4 * np.sqrt(2 / 20000) * 2)
    x = np.linspace(-3, 5, 161)
    cells = mf.GaussianMeasure(1.0, 0.5).to_grid(x).to_particles(20000, key=2)
    assert abs(cells.mean()[0] - 1) < 4 * np.sqrt(0.5 / 20000)


def test_quantiles_of_a_grid():
    """1-d JKO steps start from them."""
    x = np.linspace(-6, 6, 601)
    found = mf.GaussianMeasure(0.5, 1.0).to_grid(x).quantiles(50)
    np.testing.assert_allclose(found, norm(0.5, 1).ppf((np.arange(50) + 0.5) / 50), atol=2e-4)


def test_a_periodic_grid_takes_mass_round():
    """On a circle nothing leaks: particles and Gaussians wrap."""
    x = np.arange(32) * 2 * np.pi / 32
    grid = mf.ParticleMeasure([-0.01, 2 * np.pi + 0.01]).to_grid(x, periodic=True)
    assert grid.mass == pytest.approx(1, abs=1e-14) and grid.density[0] > 0
    wide = mf.GaussianMeasure(0.0, 9.0).to_grid(x, periodic=True)
    np.testing.assert_allclose(wide.density, (1 + 2 * np.exp(-4.5) * np.cos(x)) / (2 * np.pi),
                               atol=1e-7)  # fmt: skip


@pytest.mark.parametrize("kind", ["particles", "gaussian", "grid", "grid2"])
def test_saved_measures_come_back_whole(kind, tmp_path):
    """A run saved overnight must be the run that is read."""
    mu = mf.GaussianMeasure([0.0, 1.0], [[1.0, 0.3], [0.3, 1.0]])
    side = np.linspace(-6, 7, 40)
    made = {
        "particles": mu.to_particles(10, key=0), "gaussian": mu,
        "grid": mf.GaussianMeasure(0.0, 1.0).to_grid(side), "grid2": mu.to_grid(side, side),
    }[kind]  # fmt: skip
    path = made.save(tmp_path / "mu.npz")
    back = mf.load_measure(path)
    assert type(back) is type(made) and repr(back) == repr(made)
    for name, value in made.arrays().items():
        np.testing.assert_array_equal(back.arrays()[name], value)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match="a measure written by save"):
        mf.load_measure(path)


SIDE = np.linspace(-1, 1, 21)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: mf.ParticleMeasure([1.0, 2.0], [0.5, 0.6]), "weights that sum to 1, got 1.1"),
        (lambda: mf.ParticleMeasure([1.0, 2.0], [1.5, -0.5]), "non-negative weights"),
        (lambda: mf.ParticleMeasure([1.0, 2.0], [1.0]), "one weight per particle"),
        (lambda: mf.ParticleMeasure(np.zeros((2, 2, 2))), "shape \\(N, d\\)"),
        (lambda: mf.ParticleMeasure([1.0, np.nan]), "finite numbers"),
        (lambda: mf.ParticleMeasure(["a"]), "array of real numbers"),
        (lambda: mf.GaussianMeasure([0.0, 0.0], np.eye(3)), "shapes"),
        (lambda: mf.GaussianMeasure([0.0, 0.0], [[1, 2], [2, 1]]), "positive semi-definite"),
        (lambda: mf.GaussianMeasure([0.0, 0.0], [[1, 1], [0, 1]]), "symmetric"),
        (lambda: mf.GridMeasure(SIDE, np.ones(21)), "total mass 1, got 2.1"),
        (lambda: mf.GridMeasure(SIDE, -np.ones(21)), "no negative cell"),
        (lambda: mf.GridMeasure(SIDE**3, np.ones(21)), "evenly spaced"),
        (lambda: mf.GridMeasure(SIDE, np.ones(20)), "shape \\(21,\\)"),
        (lambda: mf.GaussianMeasure(0.0, 1.0).to_grid(SIDE), "a leak of 0.29"),
        (lambda: mf.ParticleMeasure([0.0, 3.0]).to_grid(SIDE), "a leak of 0.5"),
        (lambda: mf.GaussianMeasure(0.0, 1e-4).to_grid(SIDE), "refine the grid"),
    ],
)
def test_bad_measures_get_a_sentence(make, words):
    """A wrong measure accepted is a wrong flow much later."""
    with pytest.raises(InputError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
