"""Oracle: differences of the estimate, integrals on a grid, even weights, tails that are known."""

import numpy as np
import pytest
from scipy import stats

from tests.inference.laws import SQUARED, bell, coder, double, integral, of
from tests.inference.test_thermal import FAMILY, flat, slope, worst
from unified.dynamics.averages import SEGMENTS
from unified.inference import evidence_slope as module
from unified.inference.evidence_slope import evidence_slope, log_weights, weighted
from unified.inference.free_energy import law_gradients
from unified.inference.laplace import laplace_of
from unified.inference.problem import Problem
from unified.inference.tails import pareto_tail

SIZE, STAGES = 400, 32


def grid_slopes(net, heat, beta=1.0):
    """−T∂_θ log(Z_β/Z_0)/β of scalar parameters, by differences of integrals on a grid."""
    energy, cost, params, *data = net
    exact = []
    for name, value in sorted(params.items()):
        ends = []
        for step in (1e-4, -1e-4):
            moved = of((energy, cost, params | {name: value + step}, *data), beta, heat)
            ends.append(integral(moved)[0] - integral(moved.at(0.0))[0])
        exact.append(-heat * (ends[0] - ends[1]) / (2e-4 * beta))
    return np.array(exact)


@pytest.fixture(scope="module")
def bent():
    """A predictive net of two units, T = 0.4."""
    return of(coder(), 1.0, 0.4)


def test_slope_and_evidence_are_those_of_the_grid(bent):
    """Log Z and its slope come of the same particles; a wrong path would show in either."""
    found = evidence_slope(bent, 0.0, 1.0, key=0, particles=SIZE, stages=STAGES)
    assert found.status == "converged"
    exact = grid_slopes(coder(), 0.4)
    assert worst(flat(found.gradient), exact, flat(found.se)) > FAMILY
    assert worst(-flat(found.gradient), exact, flat(found.se)) < 1e-9
    log = integral(bent)[0] - integral(bent.at(0.0))[0]
    assert worst(found.log_ratio, log, found.error) > FAMILY and found.error < 0.02
    one = weighted(bent, 0, SIZE, STAGES)
    assert worst(one.log_integral, integral(bent)[0],
                 np.std(one.shares, ddof=1) / SEGMENTS**0.5) > FAMILY  # fmt: skip
    # A predictive net's free law is normalised whatever θ is: its slope must be 0 by itself.
    still = weighted(bent.at(0.0), 0, SIZE, STAGES).slopes
    for v in still.values():
        assert worst(v.mean(0), 0 * v[0], v.std(0, ddof=1) / SEGMENTS**0.5) > FAMILY
    warm = Problem(bent.program, bent.params, bent.x, bent.y, 1.0, 0.6)  # control: another T
    other = evidence_slope(warm, 0.0, 1.0, key=0, particles=SIZE, stages=STAGES)
    assert worst(flat(other.gradient), exact, flat(other.se)) < FAMILY


def test_it_is_the_derivative_of_the_estimate(bent):
    """With all noise held, the slope is that of log⟨w⟩ itself, by differences that know no rule."""
    import jax

    law = laplace_of(bent)
    root = np.linalg.cholesky(law.cov)
    theta = {k: v for k, v in bent.values.items() if k in bent.params}
    fixed = {k: v for k, v in bent.values.items() if k not in theta}

    def level(t):
        logs = log_weights(bent, 64, 4, t, fixed, 0.4, law.mean, root, 1.0, 0.3, jax.random.key(0))
        return jax.nn.logsumexp(logs)

    with bent.program.precision:
        run = jax.jit(jax.value_and_grad(level))
        slope = run(theta)[1]
        for name, value in theta.items():
            ends = [float(run(theta | {name: value + s})[0]) for s in (1e-4, -1e-4)]
            assert float(np.sum(slope[name])) == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-6)


def test_weights_of_a_normal_law_do_not_vary():
    """For Gaussians the same code must be exact, whatever the noise: no error bar hides a slip."""
    problem = of(bell(), 0.7, 0.5)
    found = evidence_slope(problem, 0.0, 0.7, key=0, particles=8, stages=2)
    low, high = (law_gradients(laplace_of(problem.at(b))) for b in (0.0, 0.7))
    for name, value in found.gradient.items():
        np.testing.assert_allclose(value, (high.free[name] - low.free[name]) / 0.7, atol=1e-10)
        assert np.max(found.se[name]) < 1e-11
    logs = laplace_of(problem).log_integral - laplace_of(problem.at(0.0)).log_integral
    assert found.log_ratio == pytest.approx(logs, abs=1e-11) and np.all(found.tail == -np.inf)


@pytest.mark.parametrize(("name", "bound"), [("ESS", 7900.0), ("TAIL", 0.3)])
def test_uneven_weights_are_inconclusive(bent, name, bound, monkeypatch):
    """A handful of particles that carry all the weight have a small error bar, and a wrong one."""
    monkeypatch.setattr(module, name, bound)
    found = evidence_slope(bent, 0.0, 1.0, key=0, particles=SIZE, stages=STAGES)
    assert "weights are too uneven" in found.status and "stages=" in found.status
    assert np.min(found.ess) < 7900 and np.max(found.tail) > 0.3


@pytest.mark.parametrize("index", [0.2, 0.5, 0.9])
def test_the_tail_index_is_that_of_the_law(index):
    """An index that is off lets through weights whose mean has no error bar."""
    draws = stats.genpareto(index).rvs(size=(20, 20000), random_state=0)
    found = [pareto_tail(np.log(w)) for w in draws]
    assert np.mean(found) == pytest.approx(index, abs=4 * np.std(found) / 20**0.5 + 0.02)
    assert pareto_tail(np.zeros(100)) == -np.inf and np.isnan(pareto_tail([np.nan] * 100))
    light = [pareto_tail(np.log(w)) for w in np.random.default_rng(0).random((20, 20000))]
    assert np.max(light) < 0


@pytest.mark.slow
def test_two_wells():
    """Two wells: the reference covers both, so that neither is left out of log Z or its slope."""
    net = double()
    heat, y = 0.2, net.pattern
    problem = Problem.of(net.energy, SQUARED, net.params, None, y, beta=0.3, temperature=heat)
    found = evidence_slope(problem, 0.0, 0.3, key=0, particles=800, stages=STAGES)
    log = net.law(heat, beta=0.3, y=y).log_integral - net.law(heat).log_integral
    assert found.status == "converged"
    assert worst(found.log_ratio, log, found.error) > FAMILY and found.error < 0.03
    exact = np.array([slope(net, y, k, 0.3, heat) for k in range(8)])
    assert worst(found.gradient["b"], exact, found.se["b"]) > FAMILY
    assert worst(-found.gradient["b"], exact, found.se["b"]) < FAMILY
    one = laplace_of(problem).log_integral - laplace_of(problem.at(0.0)).log_integral
    assert abs(one - log) > 0.5  # control: one well only


@pytest.mark.slow
def test_standard_errors_are_what_they_say(bent):
    """Errors of half the size would reject right answers, of twice the size accept wrong ones."""
    exact = grid_slopes(coder(), 0.4)
    z = []
    for key in range(24):
        found = evidence_slope(bent, 0.0, 1.0, key=key, particles=SIZE, stages=STAGES)
        z.append((flat(found.gradient) - exact) / flat(found.se))
    z = np.array(z)
    # Student's law of 19 degrees has the variance 19/17.
    assert np.mean(z**2) == pytest.approx(19 / 17, rel=0.45)
    assert np.max(np.abs(np.mean(z, axis=0))) < 4 * np.sqrt(19 / 17 / 24)
