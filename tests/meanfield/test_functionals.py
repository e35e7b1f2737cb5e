"""Oracle: differences of the value under a change of measure; callables; direct sums."""

import numpy as np
import pytest

import unified as un
from unified.base.errors import InputError
from unified.meanfield.functional import part

mf = un.meanfield
RNG = np.random.default_rng(0)
N = un.axes("n")
z, x, y = (un.var(k, N) for k in "zxy")
PAIR = un.exp(-(x - y).sq() / 2) * (1 + x.sq() / 3)  # not symmetric on purpose


def cloud(count=12, dim=2):
    w = RNG.random(count) + 0.2
    return mf.ParticleMeasure(RNG.standard_normal((count, dim)), w / w.sum())


def numpy_kernel(a):
    import jax.numpy as jnp

    return jnp.exp(-a @ a / 2)


FELT = {
    "potential": lambda: mf.Potential((z * z * z * z).sum() / 4 - z.sq()),
    "callable": lambda: mf.Potential(lambda a: (a**4).sum() / 4 - a @ a),
    "quadratic": lambda: mf.Quadratic([[2.0, 0.3], [0.3, 1.0]], [1.0, -1.0]),
    "attraction": lambda: mf.Interaction(mf.Quadratic(0.7)),
    "kernel": lambda: mf.Interaction(un.exp(-z.sq() / 2)),
    "callable kernel": lambda: mf.Interaction(numpy_kernel),
    "pair": lambda: mf.Interaction(PAIR, pair=(x, y)),
    "uneven": lambda: mf.Interaction(un.exp(-(z - 1).sq() / 2)),
}


@pytest.fixture(scope="module", params=FELT)
def felt(request):
    """A functional that particles feel."""
    return FELT[request.param]()


def test_variation_is_the_derivative_of_the_value(felt):
    """F((1−ε)μ + εδ) must change by ε(δF/δμ(y) − ∫δF/δμ dμ): else the PDE is another one."""
    mu, at, eps = cloud(), np.array([[0.4, -0.7]]), 0.01

    def moved(e):
        w = np.append((1 - e) * mu.w, e)
        return felt.value(mf.ParticleMeasure(np.concatenate([mu.x, at]), w))

    # F is at most quadratic in the measure, so three values give its slope exactly.
    slope = (4 * moved(eps) - moved(2 * eps) - 3 * felt.value(mu)) / (2 * eps)
    change = felt.variation(mu)
    want = change(at)[0] - mu.w @ change(mu.x)
    assert slope == pytest.approx(want, rel=1e-10, abs=1e-11)


def test_velocity_is_minus_the_gradient_of_the_value(felt):
    """w_i v_i = −∂F/∂x_i: particles would otherwise not descend F."""
    mu, eps = cloud(6), 1e-5
    v = felt.velocity_at(mu)
    for i, j in ((0, 0), (3, 1)):
        ends = []
        for s in (1, -1):
            moved = mu.x.copy()
            moved[i, j] += s * eps
            ends.append(felt.value(mf.ParticleMeasure(moved, mu.w)))
        assert -(ends[0] - ends[1]) / (2 * eps) / mu.w[i] == pytest.approx(v[i, j], abs=2e-8)
    np.testing.assert_allclose(felt.velocity_at(mu, 2), v, atol=1e-14)  # any chunking


def test_derived_and_callable_agree():
    """Two roads to one velocity: array calculus and JAX's own differentiation."""
    mu = cloud(20)
    for a, b in (("potential", "callable"), ("kernel", "callable kernel")):
        np.testing.assert_allclose(FELT[a]().velocity_at(mu), FELT[b]().velocity_at(mu), atol=1e-14)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("dim", [1, 2])
def test_fft_is_the_direct_sum(periodic, dim):
    """A kernel shifted by one cell in the FFT moves mass to the wrong side."""
    sides = [np.linspace(-2, 2, n) for n in (17, 12)[:dim]]
    rho = RNG.random([len(s) for s in sides])
    rho /= rho.sum() * np.prod([s[1] - s[0] for s in sides])
    grid = mf.GridMeasure(tuple(sides) if dim > 1 else sides[0], rho, periodic)
    kernel = mf.Interaction(un.exp(-z.sq() / 2) + un.exp(-(z - 1).sq()))
    points, w = grid.points, grid.weights
    gap = points[:, None] - points[None]
    if periodic:
        span = np.array([len(s) for s in sides]) * np.array(grid.steps)
        gap = (gap + span / 2 - 1e-9) % span - span / 2 + 1e-9
        gap = np.where(np.abs(gap - span / 2) < 1e-6, -span / 2, gap)

    def k(g):
        return np.exp(-np.sum(g**2, -1) / 2) + np.exp(-np.sum((g - 1) ** 2, -1))

    want = (k(gap) + k(-gap)) @ w / 2
    np.testing.assert_allclose(kernel.on_grid(grid).ravel(), want, atol=1e-12)


def test_internal_energies_of_a_gaussian():
    """Entropy and power are compared with their integrals over a normal law."""
    mu = mf.GaussianMeasure(0.2, 0.7)
    grid = mu.to_grid(np.linspace(-7, 7, 400))
    entropy, power = mf.Entropy(0.4), mf.Power(2)
    assert entropy.value(grid) == pytest.approx(entropy.value(mu), abs=1e-10)
    assert power.value(grid) == pytest.approx(1 / np.sqrt(4 * np.pi * 0.7), abs=1e-10)
    rho = np.array([0.3, 1.2])
    for f in (entropy, power, mf.Power(3, 0.5)):
        eps = 1e-6
        slope = (f.energy(rho + eps) - f.energy(rho - eps)) / (2 * eps)
        np.testing.assert_allclose(f.enthalpy(rho), slope, rtol=1e-8)
        np.testing.assert_allclose(f.pressure(rho), rho * f.enthalpy(rho) - f.energy(rho))
        change = (f.pressure(rho + eps) - f.pressure(rho - eps)) / (2 * eps)
        np.testing.assert_allclose(f.slope(rho), change, rtol=1e-8)


def test_sums_and_their_hooks():
    """A solver that missed a term, or counted it twice, would solve another equation."""
    F = mf.Quadratic([[2.0, 0.0], [0.0, 1.0]], [1.0, 0.0]) + mf.Entropy(0.3) + mf.Quadratic(1.0)
    F = F + mf.Interaction(mf.Quadratic(0.5)) + mf.Entropy(0.2)
    assert F.temperature == pytest.approx(0.5) and F.dim == 2 and len(F.terms) == 5
    a, g = F.quadratic(2)
    np.testing.assert_allclose(a, [[3, 0], [0, 2]], atol=1e-13)
    np.testing.assert_allclose(g, [2, 0], atol=1e-13)
    np.testing.assert_allclose(F.pairing(2), np.eye(2) / 2, atol=1e-13)
    mu = mf.GaussianMeasure([0.3, 0.1], [[0.5, 0.1], [0.1, 0.4]])
    side = np.linspace(-5, 5, 121)
    grid = mu.to_grid(side, side)
    assert F.value(mu) == pytest.approx(F.value(grid), abs=1e-8)
    at = np.array([[0.5, 0.5], [-0.5, 1.0]])
    gap = F.variation(grid)(at) - sum(t.variation(grid)(at) for t in F.terms)
    np.testing.assert_allclose(gap, 0)
    with pytest.raises(InputError, match="particles cannot tell an entropy"):
        F.value(mu.to_particles(5, key=0))
    assert part(F, False).value(mu.to_particles(5, key=0)) > 0
    assert mf.Potential((z * z * z).sum()).quadratic(2) is None


def test_latex_shows_the_derivation():
    """What is printed is what runs: both come from one expression."""
    text = FELT["potential"]().latex()
    assert r"\frac{\delta \mathcal{F}}{\delta \mu}" in text and r"v &= -\nabla V = " in text
    assert r"z \odot z \odot z" in text
    assert (mf.Entropy(1.0) + mf.Quadratic(1.0)).latex().count(r"\mathcal{F} &=") == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: mf.Potential((x - y).sq()), "an expression of 1 free variable"),
        (lambda: mf.Potential(3.0), "an array expression or a callable"),
        (lambda: mf.Quadratic(np.ones((2, 3))), "axis d of size 2"),
        (lambda: mf.Quadratic([[1.0, 2.0], [0.0, 1.0]]), "symmetric"),
        (lambda: mf.Entropy(-1.0), "at least 0"),
        (lambda: mf.Power(1.0), "above 1"),
        (lambda: mf.Quadratic(np.eye(2)) + mf.Quadratic(np.eye(3)), "one dimension"),
        (lambda: mf.Interaction(un.exp(-(x - y).sq())), "1 free variable"),
        (lambda: mf.Potential(lambda a: a).value(cloud()), "returns a number"),
    ],
)
def test_bad_functionals_get_a_sentence(make, words):
    """Found at once, or found in a plot weeks later."""
    with pytest.raises(InputError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
