"""Oracle: closed forms and their error laws; mass, sign and energy of every step."""

import numpy as np
import pytest
import sympy

import unified as un
from unified.base.errors import ConvergenceError, InputError
from unified.meanfield.volume import FiniteVolume, _weight

mf = un.meanfield
cf = mf.closed_forms
z = un.var("z")


def slope(steps, errors):
    return np.polyfit(np.log(steps), np.log(errors), 1)[0]


def ornstein(n):
    """L1 error of an Ornstein–Uhlenbeck flow with attraction on n cells, dt ∝ Δx²."""
    F = mf.Quadratic(1.0, 0.5) + mf.Interaction(mf.Quadratic(0.4)) + mf.Entropy(0.3)
    mu, x = mf.GaussianMeasure(1.0, 0.2), np.linspace(-3.0, 4.0, n)
    h = x[1] - x[0]
    run = mf.solve_flow(F, mu.to_grid(x), 0.5, "fv", dt=0.5 * h * h, saves=4)
    want = cf.ornstein_uhlenbeck(1.0, 0.5, 0.3, mu, 0.5, K=0.4).to_grid(x)
    return h, np.abs(run.measures[-1].density - want.density).sum() * h, run


@pytest.fixture(scope="module")
def runs():
    """The same flow on three grids."""
    return [ornstein(n) for n in (36, 61, 106)]


def test_order_two_in_space(runs):
    """Upwind fluxes, order 1, would need the square of the cells."""
    steps, errors, _ = zip(*runs, strict=True)
    assert slope(steps, errors) == pytest.approx(2, abs=0.15) and errors[-1] < 2e-3


def test_mass_sign_and_energy_of_every_step(runs):
    """No cell negative, no mass lost (≤ 1e-13), and the identity of the steps exact (≤ 1e-6)."""
    for _, _, run in runs:
        assert run.details["mass_drift"] <= 1e-13 and run.details["least_cell"] >= 0
        assert np.all(np.diff(run.energy) < 0)
        assert run.certificate <= 1e-9 and "Bregman" in run.certifies
        assert run.dissipated[-1] <= run.energy[0] - run.energy[-1]
        np.testing.assert_allclose(run.spent, run.energy[0] - run.energy, rtol=1e-8, atol=1e-10)
    gaps = [r.gap for _, _, r in runs]  # order 1 in dt: the flow's own identity
    assert slope([h * h for h, _, _ in runs], gaps) == pytest.approx(1, abs=0.1)


def test_control_a_flux_that_does_not_telescope(monkeypatch):
    """The mass test must see a flux that leaves one cell and does not arrive in the next."""
    rates = FiniteVolume._solve

    def leaky(self, both, rho, dt):
        return rates(self, both, rho, dt) * (1 - 1e-9)

    monkeypatch.setattr(FiniteVolume, "_solve", leaky)
    assert ornstein(36)[2].details["mass_drift"] > 1e-11


def coarse(**more):
    """A short flow in a double well on few cells."""
    F = mf.Potential(z**4 / 4 - z**2 / 2) + mf.Interaction(mf.Quadratic(1.0)) + mf.Entropy(0.2)
    g = mf.GaussianMeasure(0.7, 0.2).to_grid(np.linspace(-3, 3, 41))
    return mf.solve_flow(F, g, 0.5, "fv", dt=0.05, saves=2, **more)


def test_control_broken_steps_are_not_certified(monkeypatch):
    """Any flux that moves the mass balances F: one against the drift, or that leaks, must not."""
    assert coarse().certificate < 1e-8
    rates, solve = FiniteVolume._rates, FiniteVolume._solve
    with monkeypatch.context() as patch:
        patch.setattr(FiniteVolume, "_rates", lambda self, kappa, phi: rates(self, kappa, -phi))
        assert coarse(throw=False).certificate > 0.1
        patch.setattr(FiniteVolume, "_rates",
                      lambda self, kappa, phi: rates(self, 1.01 * kappa, phi))  # fmt: skip
        assert coarse(throw=False).certificate > 1e-3
    monkeypatch.setattr(FiniteVolume, "_solve", lambda self, *a: solve(self, *a) * (1 - 5e-8))
    assert coarse().certificate > 1e-6


def test_the_flows_own_identity_is_missed_in_order_one():
    """What an implicit step leaves of ∫∫|∇δF/δμ|² halves with dt: no other error hides in it."""
    g = mf.GaussianMeasure(2.0, 0.2).to_grid(np.linspace(-3, 5, 41))
    F = mf.Quadratic(1.0, 0.5) + mf.Entropy(0.3)
    steps = (0.04, 0.02, 0.01)
    found = [mf.solve_flow(F, g, 1.0, "fv", dt=dt, saves=1) for dt in steps]
    assert slope(steps, [run.gap for run in found]) == pytest.approx(1, abs=0.1)
    assert max(run.certificate for run in found) < 1e-9 < min(run.gap for run in found)


def test_a_power_with_a_drift_is_certified_to_order_two():
    """Fluxes of powers may run uphill a little where a drift holds them: said, not hidden."""
    found = []
    for n in (41, 81):
        g = mf.GaussianMeasure(2.0, 0.2).to_grid(np.linspace(-3, 5, n))
        alone = mf.solve_flow(mf.Power(2), g, 0.2, "fv", dt=0.02, saves=1)
        assert alone.certificate < 1e-9
        F = mf.Power(2) + mf.Quadratic(1.0, 0.5)
        found.append(mf.solve_flow(F, g, 1.0, "fv", dt=0.02, saves=1).certificate)
    assert found[0] < 1e-4 and np.log2(found[0] / found[1]) > 1.5


def test_long_steps_keep_the_energy_falling():
    """Unconditionally: positive and dissipating far beyond any explicit limit."""
    F = mf.Potential(z**4 / 4 - z**2 / 2) + mf.Interaction(mf.Quadratic(1.0)) + mf.Entropy(0.2)
    g = mf.GaussianMeasure(0.7, 0.05).to_grid(np.linspace(-3, 3, 61))
    run = mf.solve_flow(F, g, 4.0, "fv", dt=0.4, saves=10)
    assert np.all(np.diff(run.energy) < 0) and run.details["least_cell"] >= 0
    assert run.certificate < 1e-6 and run.details["mass_drift"] < 1e-13


def test_stationary_laws_are_kept_exactly():
    """Scharfetter–Gummel rests at exp(−V/T) on any grid, however coarse."""
    x = np.linspace(-3, 3, 15)
    V = x**4 / 4 - x**2 / 2
    rho = np.exp(-V / 0.3)
    g = mf.GridMeasure(x, rho / rho.sum() / (x[1] - x[0]))
    F = mf.Potential(z**4 / 4 - z**2 / 2) + mf.Entropy(0.3)
    run = mf.solve_flow(F, g, 5.0, "fv", dt=0.5, saves=1, throw=False)
    np.testing.assert_allclose(run.measures[-1].density, g.density, rtol=1e-11)
    wrong = mf.Potential(z**4 / 4) + mf.Entropy(0.3)
    moved = mf.solve_flow(wrong, g, 5.0, "fv", dt=0.5, saves=1)
    assert np.abs(moved.measures[-1].density - g.density).max() > 0.01


def test_two_dimensions_against_the_closed_form():
    """Axes swapped, or a volume forgotten, show in the covariance; drift off the axes."""
    A, b, k, T = np.array([[1.5, 0.6], [0.6, 1.0]]), np.array([0.5, -0.2]), 0.4, 0.3
    F = mf.Quadratic(A, b) + mf.Interaction(mf.Quadratic(k)) + mf.Entropy(T)
    mu = mf.GaussianMeasure([0.8, 0.5], [[0.4, 0.1], [0.1, 0.3]])
    errors, steps = [], []
    for n in (26, 51):
        side = np.linspace(-3, 4, n)
        h = side[1] - side[0]
        run = mf.solve_flow(F, mu.to_grid(side, side), 0.15, "fv", dt=0.3 * h * h, saves=2)
        want = cf.ornstein_uhlenbeck(A, b, T, mu, 0.15, K=k)
        errors.append(np.abs(run.measures[-1].cov() - want.sigma).max())
        steps.append(h)
        assert run.details["mass_drift"] < 1e-13 and run.details["least_cell"] >= 0
    assert slope(steps, errors) == pytest.approx(2, abs=0.3) and errors[-1] < 6e-3


def test_barenblatt():
    """The porous medium's front must move at its own speed; the wrong power's does not."""
    errors, steps = [], []
    for n in (31, 61, 121):
        x = np.linspace(-3, 3, n)
        h = x[1] - x[0]
        start = cf.barenblatt(x, 0.3, 2)
        g = mf.GridMeasure(x, start / start.sum() / h)
        run = mf.solve_flow(mf.Power(2), g, 0.5, "fv", dt=h * h / 2, saves=1, tol=1e-9)
        errors.append(np.abs(run.measures[-1].density - cf.barenblatt(x, 0.8, 2)).sum() * h)
        steps.append(h)
        assert run.details["least_cell"] >= 0 and run.details["mass_drift"] < 1e-13
    assert slope(steps, errors) > 1.4 and errors[-1] < 4e-3
    cube = np.abs(run.measures[-1].density - cf.barenblatt(x, 0.8, 3)).sum() * h
    assert cube > 0.1
    fine = np.linspace(-3, 3, 20001)
    assert np.sum(cf.barenblatt(fine, 0.8, 3)) * 3e-4 == pytest.approx(1, abs=1e-6)
    side = np.stack(np.meshgrid(*[np.linspace(-3, 3, 601)] * 2), -1).reshape(-1, 2)
    assert np.sum(cf.barenblatt(side, 0.8, 2, dim=2)) * 1e-4 == pytest.approx(1, abs=1e-4)


def test_desai_zwanzig_critical_point():
    """k⟨x²⟩ = T at the transition: by bisection on the grid flow, within 1 %."""
    k, x = 1.0, np.linspace(-3.5, 3.5, 61)
    F = mf.Potential(z**4 / 4 - z**2 / 2) + mf.Interaction(mf.Quadratic(k))

    def grows(T):
        rho = np.exp(-(x**4 / 4 + (k - 1) * x**2 / 2 - 0.02 * x) / T)  # hardly magnetised
        g = mf.GridMeasure(x, rho / rho.sum() / (x[1] - x[0]))
        run = mf.solve_flow(F + mf.Entropy(T), g, 4.0, "fv", dt=0.25, saves=4)
        m = run.means()[:, 0]
        return m[-1] > m[-2]

    low, high = 0.2, 1.1
    while high - low > 0.004:
        middle = (low + high) / 2
        low, high = (middle, high) if grows(middle) else (low, middle)
    want = cf.desai_zwanzig_critical(k)
    assert (low + high) / 2 == pytest.approx(want, rel=0.01)
    assert cf.desai_zwanzig_susceptibility(k, want) == pytest.approx(1, abs=1e-9)
    assert abs((low + high) / 2 / cf.desai_zwanzig_critical(0.9 * k) - 1) > 0.05


def test_noisy_kuramoto():
    """r = I₁/I₀(Kr/T) above K_c = 2T, and 0 below: FFT interaction on a circle."""
    n, T = 48, 0.4
    theta = np.arange(n) * 2 * np.pi / n
    g = mf.GridMeasure(theta, (1 + 0.3 * np.cos(theta)) / (2 * np.pi), periodic=True)
    found = {}
    for K in (0.4, 1.3, 2.0):
        F = mf.Interaction(-K * un.fn(sympy.cos)(z)) + mf.Entropy(T)
        run = mf.solve_flow(F, g, 80.0, "fv", dt=1.0, saves=4)
        order = np.abs(run.measures[-1].density @ np.exp(1j * theta)) * 2 * np.pi / n
        found[K] = order
        assert order == pytest.approx(cf.kuramoto_order(K, T), abs=1e-4)
        assert run.details["mass_drift"] < 1e-13
    assert cf.kuramoto_order(0.79, T) == 0 and 0.1 < cf.kuramoto_order(0.82, T) < 0.4
    assert abs(found[1.3] - cf.kuramoto_order(1.3, 1.1 * T)) > 0.02


def test_the_weight_is_bernoulli():
    """κB(Δφ/κ) at its limits: small, large and no diffusion; a slip here is a wrong flux."""
    kappa, rise = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 1e-4]), np.array([1e-9, 2, 800, -3, 3, -3.0])
    want = [1 - 5e-10, 2 / np.expm1(2), 0, 3, 0, 3]
    np.testing.assert_allclose(_weight(kappa, rise), want, rtol=1e-12)
    both = _weight(np.ones(3), np.array([0.1, 1.0, 5.0]))
    other = _weight(np.ones(3), -np.array([0.1, 1.0, 5.0]))
    np.testing.assert_allclose(other - both, [0.1, 1.0, 5.0], rtol=1e-12)


def test_refusals():
    """A singular potential, and a step that Picard's sweeps cannot solve, are said."""
    g = mf.GaussianMeasure(0.0, 1.0).to_grid(np.linspace(-5, 5, 51))
    with pytest.raises(InputError, match="finite first variation on the grid"):
        mf.solve_flow(mf.Potential(-un.log(z**2)) + mf.Entropy(1.0), g, 1.0, "fv")
    F = mf.Interaction(40 * un.exp(-(z**2) * 20)) + mf.Entropy(0.01)
    with pytest.raises(ConvergenceError, match="use a smaller dt"):
        mf.solve_flow(F, g, 500.0, "fv", dt=250.0)
