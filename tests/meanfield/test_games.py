"""Oracle: linear-quadratic games in closed form, duality to rounding, JKO steps."""

import numpy as np
import pytest

import unified as un
from unified.base.errors import ConvergenceError, InputError
from unified.meanfield.games import LinearQuadratic, solve_game

mf = un.meanfield
z = un.var("z")


def test_riccati():
    """P' = P² − q with P(T) = g: by differences, at q = 0 and above; another sign is refuted."""
    for game in (LinearQuadratic(2.0, 0.5, 0.1, 1.5), LinearQuadratic(0.0, 0.5, 0.1, 1.5)):
        t = np.linspace(0.1, 1.4, 5)
        slope = (game.riccati(t + 1e-5) - game.riccati(t - 1e-5)) / 2e-5
        p = game.riccati(t)
        np.testing.assert_allclose(slope, p**2 - game.q, atol=1e-8)
        assert np.abs(slope - (game.q - p**2)).max() > 0.05
        assert game.riccati(1.5) == pytest.approx(0.5)


def linear_quadratic(n, steps):
    """Errors of final moments and value on a grid."""
    game, m, v = LinearQuadratic(1.0, 2.0, 0.2, 0.8), 0.6, 0.3
    g = mf.GaussianMeasure(m, v).to_grid(np.linspace(-3.6, 3.8, n))
    found = solve_game(mf.Quadratic(1.0), mf.Quadratic(2.0), g, 0.8, nu=0.2, steps=steps)
    end = found.measure()
    mean, variance = game.moments(m, v, 0.8)
    return np.abs([end.mean()[0] - mean, end.cov()[0, 0] - variance,
                   found.value - game.value(m, v)]), found  # fmt: skip


def test_linear_quadratic_game_with_order_one():
    """Value function, crowd and cost together: a wrong adjoint shows in all three."""
    coarse, _ = linear_quadratic(75, 40)
    fine, found = linear_quadratic(149, 80)
    assert found.status == "converged" and len(found.values) <= 2  # no coupling: one response
    rates = np.log2(coarse / fine)
    assert np.all(rates > 0.8) and np.all(rates < 1.3) and np.all(fine < 0.04)


CROWDED = mf.Power(2, 0.5)  # ∫½ρ²: players avoid each other
GOAL = mf.Quadratic(3.0, 1.0)


@pytest.fixture(scope="module")
def crowded():
    """A game with coupling, solved tightly."""
    g = mf.GaussianMeasure(-1.0, 0.1).to_grid(np.linspace(-3.0, 3.0, 61))
    return g, solve_game(CROWDED, GOAL, g, 1.0, nu=0.05, steps=25, tol=1e-7)


def test_exploitability_falls_and_bounds_the_value(crowded):
    """The certificate: value − optimum ≤ exploitability at every play, and ≥ 0."""
    _, found = crowded
    above = found.values - found.value
    assert found.gap <= 1e-7 and found.exploitability[0] > 0.1
    assert np.all(above <= found.exploitability + 1e-12) and np.all(above >= -1e-9)
    assert np.all(np.diff(found.values) <= 1e-12)
    mass = found.density.sum(1) * (found.x[1] - found.x[0])
    np.testing.assert_allclose(mass, 1, atol=1e-13)
    assert found.density.min() >= 0


def test_control_without_coupling_the_crowd_is_exploitable(crowded):
    """Players who ignore each other do not play the game: their exploitability stays."""
    g, found = crowded
    blind = solve_game(None, GOAL, g, 1.0, nu=0.05, steps=25)
    assert blind.value < found.value and blind.measure(12).cov()[0, 0] < found.measure(12).cov()
    once = solve_game(CROWDED, GOAL, g, 1.0, nu=0.05, steps=25, plays=2, throw=False)
    assert once.status == "max_steps" and once.gap > 1e-3
    with pytest.raises(ConvergenceError, match="allow more plays"):
        solve_game(CROWDED, GOAL, g, 1.0, nu=0.05, steps=25, plays=2)


def test_a_jko_step_is_a_game():
    """With no running cost, ν = 0 and T = h, the crowd makes the JKO step of G."""
    F, h = mf.Quadratic(1.0, 0.5) + mf.Entropy(0.3), 0.4
    start = mf.GaussianMeasure(-0.4, 0.15)
    exact = mf.solve_flow(F, start, h, "jko", dt=h, saves=1).measures[-1]
    errors = []
    for n, steps in ((51, 16), (101, 32)):
        g = start.to_grid(np.linspace(-2.6, 2.6, n))
        end = solve_game(None, F, g, h, steps=steps, tol=1e-6).measure()
        errors.append(mf.distances.bures(end, exact))
    assert errors[1] < 0.05 and np.log2(errors[0] / errors[1]) > 0.6
    flow = mf.solve_flow(F, start, h, "moments", saves=1).measures[-1]  # not the myopic limit
    assert mf.distances.bures(flow, exact) > 2 * errors[1]


def test_results_and_refusals(crowded):
    """What plots read; and grids that are none."""
    g, found = crowded
    data = found.to_xarray()
    assert data["density"].shape == (26, 61) and "exploitability" in repr(found)
    with pytest.raises(InputError, match="a GridMeasure in 1 d"):
        solve_game(None, GOAL, mf.GaussianMeasure(0.0, 1.0), 1.0)
    with pytest.raises(InputError, match="steps, plays"):
        solve_game(None, GOAL, g, 1.0, steps=0)
    with pytest.raises(InputError, match="q: expected"):
        LinearQuadratic(-1.0, 1.0, 0.0, 1.0)
