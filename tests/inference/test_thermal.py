"""Oracle: closed forms of Gaussians, exact integrals of a rank-one net, rules that lack terms."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.inference.laws import SQUARED, bell, chain, coder, double, integral, of, pair
from unified.base.errors import ConvergenceError, InputError
from unified.dynamics.averages import SEGMENTS
from unified.inference import RankOne, thermal_gradients
from unified.inference.evidence_slope import evidence_slope
from unified.inference.free_energy import law_gradients
from unified.inference.laplace import laplace_of
from unified.inference.problem import Problem

FAMILY = 1e-3


def flat(gradient):
    return np.concatenate([np.ravel(gradient[k]) for k in sorted(gradient)])


def worst(found, exact, se):
    """The least p-value of found − exact, corrected for the number of entries."""
    t = np.abs(np.ravel(found) - np.ravel(exact)) / np.ravel(se)
    return min(1.0, t.size * 2 * stats.t.sf(np.max(t), SEGMENTS - 1))


@pytest.mark.parametrize("net", [bell, pytest.param(chain, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("beta", "heat", "centered"), [(1.0, 1.0, False), (0.3, 0.5, True)])
def test_three_ways_are_one_for_gaussians(net, beta, heat, centered):
    """B7: nudge, fluctuation and evidence share no code past the law; they must share the value."""
    if net is chain and centered:
        beta = 0.05  # H(−β) must stay positive definite
    found = thermal_gradients(*net(), beta=beta, temperature=heat, centered=centered)
    assert found.exact
    assert found.difference() < 1e-11 and found.difference("nudge", "evidence") < 1e-11
    assert set(found.disagreement().values()) == {1.0}
    lacking = {k: found.map_rule[k] + found.logdet_term[k] for k in found.nudge}
    np.testing.assert_allclose(flat(lacking), flat(found.nudge), atol=1e-11)


def test_boltzmann_learning_is_the_gradient_of_the_log_evidence():
    """D4 at β = T = 1: the contrast written out by hand, and the log-determinant term with it."""
    energy, cost, params, x, y = bell()
    found = thermal_gradients(energy, cost, params, x, y)
    free, nudged = np.linalg.inv(params["A"]), np.linalg.inv(params["A"] + np.eye(20))
    m0 = free @ (params["b"] + params["U"] @ x)
    m1 = nudged @ (params["b"] + params["U"] @ x + y)
    exact = {"A": (np.outer(m1, m1) + nudged - np.outer(m0, m0) - free) / 2, "b": m0 - m1,
             "U": np.outer(m0 - m1, x)}  # fmt: skip
    for name, value in exact.items():
        np.testing.assert_allclose(found.contrast[name], value, atol=1e-11)
    np.testing.assert_allclose(found.logdet_term["A"], (nudged - free) / 2, atol=1e-12)
    assert np.max(np.abs(found.logdet_term["b"])) < 1e-12  # no covariance touches a bias
    rule = np.linalg.norm(found.map_rule["A"] - found.nudge["A"])
    assert rule > 0.01 * np.linalg.norm(found.nudge["A"])  # control: the MAP rule is another


def test_the_slope_is_that_of_the_evidence():
    """Against finite differences of the evidence itself, which knows nothing of any rule."""
    energy, cost, params, x, y = bell()
    found = thermal_gradients(energy, cost, params, x, y, beta=0.7, temperature=0.5)
    rng = np.random.default_rng(0)
    for name in ("A", "U"):
        way = rng.normal(size=params[name].shape)
        way = way + way.T if name == "A" else way
        ends = []
        for step in (1e-4, -1e-4):
            moved = (energy, cost, params | {name: params[name] + step * way}, x, y)
            logs = [laplace_of(of(moved, b, 0.5)).log_integral for b in (0.7, 0.0)]
            ends.append(-0.5 * (logs[0] - logs[1]))
        slope = (ends[0] - ends[1]) / 2e-4
        assert np.sum(found.contrast[name] * way) == pytest.approx(slope, rel=1e-6)
        if name == "A":  # control: the MAP rule is the slope of something else
            assert np.sum(0.7 * found.map_rule[name] * way) != pytest.approx(slope, rel=1e-3)


def test_small_nudges_give_the_gradient_of_the_mean_cost():
    """The limit β → 0 is what equilibrium propagation learns at a temperature."""
    energy, cost, params, x, y = bell()
    heat, inverse = 0.5, np.linalg.inv(params["A"])
    mean = inverse @ (params["b"] + params["U"] @ x)
    back = inverse @ (mean - y)
    exact = -(np.outer(back, mean) + np.outer(mean, back)) / 2 - heat / 2 * inverse @ inverse
    error = [
        np.linalg.norm(
            thermal_gradients(energy, cost, params, x, y, beta=b, temperature=heat, centered=c)
            .nudge["A"] - exact
        )
        for b, c in ((0.02, False), (0.01, False), (0.02, True), (0.01, True))
    ]  # fmt: skip
    assert np.log2(error[0] / error[1]) == pytest.approx(1, abs=0.1)
    assert np.log2(error[2] / error[3]) == pytest.approx(2, abs=0.1)
    at_free = law_gradients(laplace_of(of(bell(), 0.0, heat))).fluctuation["A"]
    np.testing.assert_allclose(at_free, exact, atol=1e-12)


@pytest.fixture(scope="module")
def bent():
    """A rank-one net with one well that is no parabola, its target, and the sampled gradients."""
    rng = np.random.default_rng(0)
    xi = np.where(rng.random(8) < 0.5, -1.0, 1.0)
    net, y = RankOne(xi, 0.7 / 8, 0.3 * rng.normal(size=8)), rng.normal(size=8)
    found = thermal_gradients(net.energy, SQUARED, net.params, None, y, beta=0.5,
                              temperature=0.4, key=0, draws=2048)  # fmt: skip
    return net, y, found


def test_sampled_ways_agree_within_their_errors(bent):
    """Off the Gaussians all are samples; each against the others and against exact integrals."""
    net, y, found = bent
    assert not found.exact and set(found.status.values()) == {"converged"}
    assert len(found.disagreement()) == 3 and min(found.disagreement().values()) > FAMILY
    exact = np.array([slope(net, y, k, 0.5, 0.4) for k in range(8)])
    for way in ("nudge", "fluctuation", "evidence"):
        se = found.se[way]["b"]
        assert worst(getattr(found, way)["b"], exact, se) > FAMILY
        assert worst(-getattr(found, way)["b"], exact, se) < 1e-9
        assert worst(found.map_rule["b"], exact, se) < FAMILY  # control: the MAP rule differs
    gap = net.law(0.4, beta=0.5, y=y).log_integral - net.law(0.4).log_integral
    assert worst(found.slope.log_ratio, gap, found.slope.error) > FAMILY
    assert found.slope.error < 0.01 and np.min(found.slope.ess) > 5000
    # At this temperature Laplace's slope is far off, and the third way knows.
    assert found.difference("laplace", "evidence") > 0.1
    assert worst(found.laplace["b"], exact, found.se["evidence"]["b"]) < FAMILY


def test_wrong_ways_are_seen_to_disagree(bent):
    """An agreement of three that a wrong temperature or sign passes would be worth nothing."""
    net, y, found = bent
    base = found.problem
    warm, hot = (Problem(base.program, base.params, base.x, base.y, base.beta, t) for t in (0.5, 1))
    ends = ((warm, 0.0, 0.5), (hot, 0.0, 0.5), (base, 0.0, -0.5), (base, 0.5, 0.0))
    size = 4 * 2048 // SEGMENTS
    warmer, hotter, away, back = (
        evidence_slope(*end, key=0, particles=size, stages=32) for end in ends
    )

    def refuted(gradient, se):
        swapped = replace(found, evidence=gradient, se=found.se | {"evidence": se})
        p = swapped.disagreement()
        return max(p["nudge, evidence"], p["fluctuation, evidence"]) < FAMILY

    assert refuted(hotter.gradient, hotter.se) and refuted(away.gradient, away.se)
    # A quarter more of T is within the noise of chains, but not of weights and exact integrals.
    exact = np.array([slope(net, y, k, 0.5, 0.4) for k in range(8)])
    assert worst(warmer.gradient["b"], exact, warmer.se["b"]) < FAMILY
    # Exchanged ends give the same slope: the sign of the nudge is counted once, and not twice.
    assert not refuted(back.gradient, back.se)
    assert refuted({k: -v for k, v in found.evidence.items()}, found.se["evidence"])
    half = {k: v / 2 for k, v in found.se["nudge"].items()}  # without the free phase
    only = {k: v + law_gradients(laplace_of(base.at(0.0))).mean[k] / 0.5
            for k, v in found.evidence.items()}  # fmt: skip
    assert refuted(only, half)
    bad = replace(found, status=found.status | {"evidence": "weights are too uneven"})
    with pytest.raises(ConvergenceError, match="evidence: weights are too uneven"):
        bad.disagreement()


def slope(net, y, k, beta, heat, step=1e-4):
    """−T∂/∂b_k log(Z_β/Z_0)/β from exact integrals."""
    ends = []
    for sign in (1, -1):
        bias = net.bias.copy()
        bias[k] += sign * step
        moved = RankOne(net.pattern, net.coupling, bias)
        ends.append(moved.law(heat, beta=beta, y=y).log_integral - moved.law(heat).log_integral)
    return -heat * (ends[0] - ends[1]) / (2 * step) / beta


def test_slope_of_laplace_evidence_errs_at_second_order(bent):
    """The third way is exact to first order in T: its error must fall as T²."""
    net, y, _ = bent
    error = []
    for heat in (0.04, 0.02):
        args = (net.energy, SQUARED, net.params, None, y)
        low, high = (
            law_gradients(laplace_of(Problem.of(*args, beta=b, temperature=heat))).free["b"]
            for b in (0.0, 0.5)
        )
        exact = np.array([slope(net, y, k, 0.5, heat) for k in range(8)])
        error.append(np.linalg.norm((high - low) / 0.5 - exact))
    assert np.log2(error[0] / error[1]) == pytest.approx(2, abs=0.3)


def test_results_and_bad_input():
    """A negative β where a contrast needs a positive one would flip the sign of learning."""
    found = thermal_gradients(*bell())
    assert set(found.to_xarray().data_vars) >= {"nudge_A", "evidence_U", "logdet_term_b"}
    assert "log-determinant term" in repr(found)
    net = double()
    with pytest.raises(InputError, match="beta: expected a nudge above 0"):
        thermal_gradients(*bell(), beta=-0.5)
    with pytest.raises(InputError, match=r"smaller \|beta"):
        thermal_gradients(*bell(), beta=5.0, centered=True)
    with pytest.raises(InputError, match="temperature"):
        thermal_gradients(*bell(), temperature=-1.0)
    with pytest.raises(InputError, match="stages: expected"):
        thermal_gradients(*pair(), key=0, stages=0)
    with pytest.raises(InputError, match="key: expected a whole number"):
        args = (net.energy, SQUARED, net.params | {"W": 0.1 * net.params["W"]}, None, net.pattern)
        thermal_gradients(*args)


@pytest.mark.slow
@pytest.mark.parametrize(("net", "heat"), [(pair, 0.4), (pair, 1.0), (coder, 0.4), (coder, 1.0)])
def test_three_ways_off_the_gaussians(net, heat):
    """A Hopfield and a predictive net: three ways, and slopes of log Z on a grid, are one."""
    found = thermal_gradients(*net(), temperature=heat, key=2, draws=6000)
    assert min(found.disagreement().values()) > FAMILY
    energy, cost, params, *data = net()
    exact = []
    for name, value in sorted(params.items()):
        ends = []
        for step in (1e-4, -1e-4):
            moved = of((energy, cost, params | {name: value + step}, *data), 1.0, heat)
            ends.append(integral(moved)[0] - integral(moved.at(0.0))[0])
        exact.append(-heat * (ends[0] - ends[1]) / 2e-4)
    for way in ("nudge", "fluctuation", "evidence"):
        assert worst(flat(getattr(found, way)), exact, flat(found.se[way])) > FAMILY
    assert worst(flat(found.laplace), exact, flat(found.se["evidence"])) < FAMILY
