"""Oracle: closed forms, the variational inequality of a step, measured orders."""

import numpy as np
import pytest
from scipy.special import ndtri

import unified as un
from unified.meanfield import degiorgi, jko
from unified.meanfield.jko import QuantileJKO, gaussian_step

mf = un.meanfield
cf = mf.closed_forms
A, B, K, T = np.array([[1.5, 0.3], [0.3, 1.0]]), np.array([0.5, -0.2]), 0.4, 0.3
FREE = mf.Quadratic(A, B) + mf.Interaction(mf.Quadratic(K)) + mf.Entropy(T)
START = mf.GaussianMeasure([1.0, 1.0], [[0.5, 0.1], [0.1, 0.4]])


def test_moments_are_the_closed_form():
    """Mean, covariance and the dissipation identity (≤ 1e-6) of the Gaussian equations."""
    run = mf.solve_flow(FREE, START, 1.0, "moments", saves=4)
    want = cf.ornstein_uhlenbeck(A, B, T, START, 1.0, K=K)
    np.testing.assert_allclose(run.measures[-1].m, want.m, atol=1e-10)
    np.testing.assert_allclose(run.measures[-1].sigma, want.sigma, atol=1e-10)
    assert run.gap < 1e-9
    alone = cf.ornstein_uhlenbeck(A, B, T, START, 1.0)
    assert np.abs(run.measures[-1].sigma - alone.sigma).max() > 0.01  # K is seen


def test_gaussian_steps_have_order_one():
    """First order in h, measured in Bures distance; a wrong map has order 0."""
    want = cf.ornstein_uhlenbeck(A, B, T, START, 1.0, K=K)
    steps, errors, gaps = (0.1, 0.05, 0.025), [], []
    for h in steps:
        run = mf.solve_flow(FREE, START, 1.0, "jko", dt=h, saves=1)
        errors.append(mf.distances.bures(run.measures[-1], want))
        gaps.append(run.gap)
        assert run.details["least_slack"] > 0
        assert run.certificate < 1e-9 and "De Giorgi" in run.certifies
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(1, abs=0.1)
    assert np.polyfit(np.log(steps), np.log(gaps), 1)[0] == pytest.approx(1, abs=0.1)


def test_gaussian_step_minimises_and_keeps_the_stationary_law():
    """The closed form is the argmin of F + W²/2h among Gaussians, and rests at T(A+K)⁻¹."""
    h = 0.3
    m, s = gaussian_step(A, A @ B, K * np.eye(2), T, h, START.m, START.sigma)

    def total(m, s):
        mu = mf.GaussianMeasure(m, s)
        return FREE.value(mu) + mf.distances.bures(mu, START) ** 2 / (2 * h)

    best, rng = total(m, s), np.random.default_rng(0)
    for size in (1e-2, 1e-3):
        d, e = size * rng.standard_normal(2), size * rng.standard_normal((2, 2))
        rise = [total(m + q * d, s + q * (e + e.T)) - best for q in (1, -1)]
        assert min(rise) > 0 and abs(rise[0] - rise[1]) < 500 * size**3
    rest = T * np.linalg.inv(A + K * np.eye(2))
    m, s = gaussian_step(A, A @ B, K * np.eye(2), T, 2.0, B, rest)
    np.testing.assert_allclose(s, rest, atol=1e-14)
    np.testing.assert_allclose(m, B, atol=1e-14)
    _, other = gaussian_step(A, A @ B, 0 * np.eye(2), T, 2.0, B, rest)
    assert np.abs(other - rest).max() > 0.01


def test_the_loss_of_a_step_of_which_all_is_known():
    """F = ½x²: x⁺ = x/(1+h), W² = (sx/(1+s))², F − F⁺ = ½x²(1 − (1+h)⁻²); the nodes are told."""
    for h, nodes, most in ((0.1, 5, 1e-9), (1.0, 6, 1e-6), (10.0, 16, 1e-6)):

        def moved(s):
            return (3 * s / (1 + s)) ** 2

        drop = 4.5 * (1 - (1 + h) ** -2)
        assert abs(degiorgi.lost(moved, moved(h), h, nodes) / drop - 1) < most
        wrong = degiorgi.lost(lambda s: moved(1.01 * s), moved(h), h, nodes)
        assert abs(wrong / drop - 1) > 1e-4


def test_control_a_step_that_is_no_minimiser_is_not_certified(monkeypatch):
    """De Giorgi's identity is of minimisers: explicit steps, or others, lose other amounts."""

    def explicit(a, g, k, heat, h, m, s):
        turn = np.eye(2) - h * (a + k)
        return m - h * (a @ m - g), turn @ s @ turn + 2 * h * heat * np.eye(2)

    def uphill(a, g, k, heat, h, m, s):
        return gaussian_step(-a, -g, -k, heat, h, m, s)

    def long(a, g, k, heat, h, m, s):
        return gaussian_step(a, g, k, heat, 1.01 * h, m, s)

    for broken in (explicit, uphill, long):
        monkeypatch.setattr(jko, "gaussian_step", broken)
        run = mf.solve_flow(FREE, START, 0.5, "jko", dt=0.1, saves=1, throw=False)
        assert run.certificate > 1e-3


def quantiles(mean, variance, n):
    return mf.ParticleMeasure(mean + np.sqrt(variance) * ndtri((np.arange(n) + 0.5) / n))


def test_quantile_steps_of_a_gaussian():
    """Newton in one dimension against the closed form with the same h: only 1/N is left."""
    F, h = mf.Quadratic(1.0, 0.5) + mf.Entropy(T), 0.1
    exact = mf.solve_flow(F, mf.GaussianMeasure(1.0, 0.2), 0.5, "jko", dt=h, saves=1).measures[-1]
    errors, sizes = [], (50, 100, 200)
    for n in sizes:
        run = mf.solve_flow(F, quantiles(1.0, 0.2, n), 0.5, "jko", dt=h, saves=5)
        end = run.measures[-1]
        assert end.mean()[0] == pytest.approx(exact.m[0], abs=1e-8)
        want = quantiles(exact.m, exact.sigma[0], n)
        ends = [np.quantile(m.x, [0.1, 0.9]) for m in (end, want)]
        errors.append(np.abs(ends[0] - ends[1]).max())
        assert run.details["least_slack"] > 0 and np.all(np.diff(run.energy) < 0)
        assert run.certificate < 1e-6 < run.gap  # the identity of the steps, and the flow's
        assert np.all(np.diff(end.x[:, 0]) > 0)
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] < -0.8 and errors[-1] < 3e-3


def test_control_quantile_steps_of_another_length_are_not_certified(monkeypatch):
    """A step solved for another h is a step of another flow."""
    step = QuantileJKO._step
    monkeypatch.setattr(QuantileJKO, "_step",
                        lambda self, old, h, guess: step(self, old, 1.01 * h, guess))  # fmt: skip
    F = mf.Quadratic(1.0, 0.5) + mf.Entropy(T)
    run = mf.solve_flow(F, quantiles(1.0, 0.2, 50), 0.2, "jko", dt=0.1, saves=1)
    assert run.certificate > 1e-3


def test_quantile_steps_of_an_interaction_and_a_power():
    """Attraction needs the full Hessian; the porous medium spreads as Barenblatt's front."""
    F = mf.Quadratic(1.0, 0.5) + mf.Interaction(mf.Quadratic(K)) + mf.Entropy(T)
    start = mf.GaussianMeasure(1.0, 0.2)
    exact = mf.solve_flow(F, start, 0.4, "jko", dt=0.1, saves=1).measures[-1]
    end = mf.solve_flow(F, quantiles(1.0, 0.2, 120), 0.4, "jko", dt=0.1, saves=1).measures[-1]
    assert end.mean()[0] == pytest.approx(exact.m[0], abs=1e-8)
    middle = end.x[np.abs(ndtri((np.arange(120) + 0.5) / 120)) < 1, 0]
    want = exact.m[0] + np.sqrt(exact.sigma[0, 0]) * ndtri((np.arange(120) + 0.5) / 120)
    np.testing.assert_allclose(
        middle,
        want[
            (want > want.mean() - exact.sigma[0, 0] ** 0.5)
            & (want < want.mean() + exact.sigma[0, 0] ** 0.5)
        ],
        atol=5e-3,
    )
    x = np.linspace(-3, 3, 1201)
    rho = cf.barenblatt(x, 0.3, 2)
    q = mf.GridMeasure(x, rho / rho.sum() / (x[1] - x[0])).quantiles(150)
    run = mf.solve_flow(mf.Power(2), mf.ParticleMeasure(q), 0.5, "jko", dt=0.01, saves=1)
    fine = cf.barenblatt(x, 0.8, 2)
    spread = np.sum(x**2 * fine) / np.sum(fine)
    assert run.measures[-1].cov()[0, 0] == pytest.approx(spread, rel=0.02)
    assert run.measures[0].cov()[0, 0] < 0.6 * spread


def entropic(heat, gamma, h=0.1, n=81):
    """The variance after five entropic steps on a grid."""
    grid = mf.GaussianMeasure(1.0, 0.2).to_grid(np.linspace(-2.2, 3.2, n))
    F = mf.Quadratic(1.0, 0.5) + mf.Entropy(heat)
    run = mf.solve_flow(F, grid, 0.5, "jko", dt=h, entropic=gamma, saves=1)
    assert np.isnan(run.certificate) and run.certifies.startswith("none")
    assert np.isnan(run.gap) and abs(run.mass[-1] - 1) < 1e-12
    return run.measures[-1].cov()[0, 0]


def test_entropic_steps_have_order_two_in_the_blur():
    """Against the closed form with the same h; the usual step, blurred by γ, has order one."""
    F = mf.Quadratic(1.0, 0.5) + mf.Entropy(T)
    exact = mf.solve_flow(F, mf.GaussianMeasure(1.0, 0.2), 0.5, "jko", dt=0.1, saves=1)
    want, blurs = exact.measures[-1].sigma[0, 0], (0.4, 0.2, 0.1)
    errors = [abs(entropic(T, g) - want) for g in blurs]
    assert np.polyfit(np.log(blurs), np.log(errors), 1)[0] == pytest.approx(2, abs=0.1)
    plain = [abs(entropic(T + g / 2, g) - want) for g in blurs]  # T′ = T: nothing taken off
    assert np.polyfit(np.log(blurs), np.log(plain), 1)[0] == pytest.approx(1, abs=0.15)
    assert plain[-1] > 10 * errors[-1]


def test_entropic_steps_in_the_plane():
    """Two dimensions, correlated, attraction at the new density: only the blur is left."""
    side = np.linspace(-3.0, 4.4, 38)
    run = mf.solve_flow(FREE, START.to_grid(side, side), 0.2, "jko", dt=0.1, tol=1e-8, saves=2)
    exact = mf.solve_flow(FREE, START, 0.2, "jko", dt=0.1, saves=1).measures[-1]
    end = run.measures[-1]
    np.testing.assert_allclose(end.mean(), exact.m, atol=1e-3)
    np.testing.assert_allclose(end.cov(), exact.sigma, atol=0.03)
    assert np.abs(run.measures[0].cov() - exact.sigma).max() > 0.1
    assert np.all(np.diff(run.energy) < 0)
