"""Oracle: closed forms written out by hand, and Hessians with a known flat direction."""

import numpy as np
import pytest

import unified as un
from tests.inference.cases import GAUSS, SQUARED, deep_linear, hopfield, linear_gaussian
from unified.base.errors import ConvergenceError, InputError
from unified.inference.gaussian import gaussian_law
from unified.inference.proper import require_proper


@pytest.mark.parametrize("case", [linear_gaussian(), deep_linear()], ids=["one state", "chain"])
def test_the_normal_law_is_the_closed_form(case):
    """Every exact check of a posterior compares with this law."""
    law = gaussian_law(case.problem)
    np.testing.assert_allclose(law.mean, case.mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(law.cov, case.cov, rtol=0, atol=1e-12)
    h = case.settings["temperature"] * np.linalg.inv(case.cov)
    assert law.logdet == pytest.approx(np.linalg.slogdet(h)[1], abs=1e-12)


def test_log_det_of_a_chain_is_that_of_its_output_covariance():
    """Theory C4: log det H = log det S + n_L log β for unit precisions; the evidence needs it."""
    case = deep_linear(beta=0.4)
    w2, w3 = case.given[2]["W2"], case.given[2]["W3"]
    s = (1 + 1 / 0.4) * np.eye(2) + w3 @ w3.T + w3 @ w2 @ w2.T @ w3.T
    want = np.linalg.slogdet(s)[1] + 2 * np.log(0.4)
    assert gaussian_law(case.problem).logdet == pytest.approx(want, abs=1e-12)


def test_stacking_keeps_every_unit_in_its_place():
    """Units in another order than their labels would be reported under wrong names."""
    problem = deep_linear().problem
    assert problem.units[3:5] == ["z1[3]", "z2[0]"] and problem.size == 9
    vector = np.arange(9.0)
    assert problem.unstack(vector)["z3"].tolist() == [7.0, 8.0]
    np.testing.assert_array_equal(problem.stack(problem.unstack(vector)), vector)
    rows = np.random.default_rng(0).standard_normal((3, 9))
    both = problem.evaluate("energy", rows)["F"], problem.evaluate("cost", rows)["C"]
    states = [problem.unstack(r) for r in rows]
    want = [problem.program.energy(s, problem.params, problem.phase) for s in states]
    np.testing.assert_allclose(both[0], want, rtol=1e-13)
    y = np.asarray(problem.y)
    np.testing.assert_allclose(both[1], [0.5 * np.sum((s["z3"] - y) ** 2) for s in states])


def flat(direction):
    """The linear-Gaussian case with curvature −0.2 of E along a direction."""
    v = np.asarray(direction, float) / np.linalg.norm(direction)
    case = linear_gaussian()
    return {**case.given[2], "A": np.eye(5) - 1.2 * np.outer(v, v)}, case


def test_an_improper_law_is_refused_and_its_direction_named():
    """Chains on an improper law drift for ever, and their means are numbers all the same."""
    params, case = flat([0, 1, 0, -1, 0])
    given = (GAUSS, SQUARED, params, *case.given[3:])
    for make in (un.inference.to_pymc, un.inference.posterior, un.inference.map_estimate):
        key = {"key": 0} if make is un.inference.posterior else {}
        kind = ConvergenceError if make is un.inference.map_estimate else InputError
        with pytest.raises(kind) as told:
            make(*given, beta=0.1, temperature=1.0, **key)
        if kind is InputError:
            assert "eigenvalue -0.1 along" in str(told.value)
            assert "0.71 s[1]" in str(told.value) and "0.71 s[3]" in str(told.value)
            assert "improper" in str(told.value)
    un.inference.to_pymc(*given, beta=0.3)  # the cost confines it


def test_a_negative_nudge_beyond_the_curvature_is_refused():
    """Past it the rest point is a saddle, and exp(−F/T) no law."""
    case = linear_gaussian()
    least = float(np.linalg.eigvalsh(case.given[2]["A"])[0])
    gaussian_law(linear_gaussian(beta=-0.5 * least).problem)
    for call in (
        lambda b: gaussian_law(linear_gaussian(beta=b).problem),
        lambda b: un.inference.to_pymc(*case.given, beta=b),
        lambda b: un.inference.posterior(*case.given, beta=b, key=0),
    ):
        with pytest.raises(InputError, match=r"positive definite H\(-.*smaller \|beta\|"):
            call(-1.5 * least)
    with pytest.raises(ConvergenceError, match="nudge_too_negative"):
        un.inference.map_estimate(*case.given, beta=-1.5 * least)


n = un.axes("n")
s = un.var("s", n)


@pytest.mark.parametrize(
    ("expr", "proper"),
    [
        (0.5 * s.sq() - 2 * un.tanh(s).sum(), True),
        (-un.exp(-0.5 * s * s).sum(), False),  # bounded: mass escapes
        (un.exp(s).sum(), False),  # falls to 0 on one side
        (un.fn("softplus")(s).sum() + un.fn("softplus")(-s).sum(), True),  # two-sided exponential
    ],
)
def test_energies_that_do_not_confine_are_found_out(expr, proper):
    """A nonlinear improper law looks fine near its mode."""
    energy = un.Energy(expr, [s], sizes={n: 2})
    problem = un.inference.Problem.of(energy, None, {})
    if proper:
        require_proper(problem)
    else:
        with pytest.raises(InputError, match=r"confines its states.*s\[[01]\].*improper"):
            require_proper(problem)


def test_a_net_that_is_not_quadratic_has_no_normal_law():
    """A Hessian at 0 passed for one everywhere is a wrong covariance."""
    with pytest.raises(InputError, match="quadratic in the states"):
        gaussian_law(hopfield().problem)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"temperature": 0.0}, "temperature: expected a finite number above 0"),
        ({"temperature": -1.0}, "temperature"),
        ({"beta": np.nan}, "beta: expected one finite real number"),
        ({"beta": 1j}, "beta"),
        ({"y": None}, "y: expected a target for the cost, got none"),
        ({"x": np.zeros((2, 3)), "y": np.zeros((2, 5))}, "one sample, without a batch axis"),
        ({"x": np.zeros(4)}, "x"),
    ],
)
def test_bad_input_is_one_sentence(change, word):
    """Each would otherwise fail deep inside, or not at all."""
    case = linear_gaussian()
    keys = {**case.settings, **{k: v for k, v in change.items() if k not in "xy"}}
    x, y = change.get("x", case.given[3]), change.get("y", case.given[4])
    with pytest.raises(InputError) as told:
        un.inference.map_estimate(*case.given[:3], x, y, **keys)
    assert word in str(told.value) and str(told.value).count("\n") == 0
