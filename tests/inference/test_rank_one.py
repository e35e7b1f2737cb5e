"""Oracle: brute-force integrals over all units; a net without its diagonal is another one."""

import numpy as np
import pytest

from tests.inference.laws import SQUARED, grid, integral
from unified.base.errors import ConvergenceError, InputError
from unified.inference import RankOne
from unified.inference.problem import Problem

Y = np.array([0.8, 0.1])


@pytest.fixture(scope="module")
def duo():
    """Two units: small enough for a grid, with two wells."""
    return RankOne(np.array([1.0, -0.7]), 1.6, np.array([0.1, 0.05]))


def brute(net, heat, beta, params=None):
    """log Z and probabilities on a grid of both units."""
    args = (net.energy, SQUARED, net.params if params is None else params, None, Y)
    return integral(Problem.of(*args, beta=beta, temperature=heat))


@pytest.mark.parametrize(("heat", "beta"), [(0.3, 0.0), (0.3, 0.5), (1.5, 2.0)])
def test_integrals_are_those_of_a_grid(duo, heat, beta):
    """Everything multimodal is judged by this reference: a wrong one condemns what is right."""
    law = duo.law(heat, beta=beta, y=Y)
    total, p = brute(duo, heat, beta)
    states, _ = grid()
    assert law.log_integral == pytest.approx(total, abs=1e-9) and law.error < 1e-9
    mean = p @ states
    np.testing.assert_allclose(law.mean, mean, atol=1e-9)
    np.testing.assert_allclose(law.cov, (states.T * p) @ states - np.outer(mean, mean), atol=1e-9)
    assert law.mean_cost == pytest.approx(p @ (0.5 * np.sum((states - Y) ** 2, axis=1)), abs=1e-9)
    for threshold in (0.0, 0.4):
        side = p @ duo.above(states, heat, threshold)
        assert law.above(threshold) == pytest.approx(side, abs=1e-7)


def test_sides_add_up(duo):
    """The weight of a well is read off this number."""
    law = duo.law(0.3)
    assert law.above(-9.0) == pytest.approx(1, abs=1e-8)
    assert law.above(9.0) == pytest.approx(0, abs=1e-8)
    flipped = RankOne(duo.pattern, duo.coupling, -duo.bias).law(0.3)
    assert flipped.above(0.2) == pytest.approx(1 - law.above(-0.2), abs=1e-8)


def test_control_the_diagonal_matters(duo):
    """W = cξξᵀ without its diagonal is the other Hopfield convention, and another law."""
    bare = duo.params | {"W": duo.params["W"] - np.diag(np.diag(duo.params["W"]))}
    total, _ = brute(duo, 0.3, 0.0, bare)
    assert abs(duo.law(0.3).log_integral - total) > 0.1


def test_bad_input_gets_one_sentence(duo):
    """An unbounded ρ or a negative coupling would be integrated over the wrong range."""
    with pytest.raises(InputError, match="coupling: expected a finite number above 0"):
        RankOne(duo.pattern, -1.0, duo.bias)
    with pytest.raises(InputError, match="pattern, bias"):
        RankOne(duo.pattern, 1.0, np.zeros(3))
    with pytest.raises(InputError, match="saturates"):
        RankOne(duo.pattern, 0.5, duo.bias, rho="relu").law(0.3)
    with pytest.raises(InputError, match="temperature"):
        duo.law(0.0)
    with pytest.raises(InputError, match="y: expected 2 targets"):
        duo.law(0.3, beta=0.5)
    with pytest.raises(ConvergenceError, match="agree to 1e-17"):
        duo.law(0.3, tolerance=1e-17)
