"""Oracle: the orders of theory B3, measured; and estimators broken on purpose."""

from dataclasses import replace

import numpy as np
import pytest

import unified as un
from tests.learning.nets import data_of, params_of
from unified.base.errors import InputError
from unified.learning.nudging import slope_weights

FAMILIES = {
    "one-sided": (un.OneSided, (0.01, 0.02, 0.04)),
    "centered": (un.Centered, (0.03, 0.06, 0.12)),
    "holomorphic": (lambda r: un.Holomorphic(r, points=4), (0.1, 0.15, 0.225)),
    "richardson": (un.Richardson, (0.05, 0.1, 0.2)),
    "richardson, one-sided": (lambda b: un.Richardson(b, 2), (0.01, 0.02, 0.04)),
    "three nodes": (lambda b: un.Nodes(b, (1, -1, 2)), (0.01, 0.02, 0.04)),
}
ORDERS = {"one-sided": 1, "centered": 2, "holomorphic": 4, "richardson": 4,
          "richardson, one-sided": 2, "three nodes": 3}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_the_bias_has_the_declared_order(program, estimate, name):
    """A wrong sign in one phase leaves a good-looking gradient with the wrong order."""
    family, betas = FAMILIES[name]
    p = program("hopfield")
    reference = estimate("hopfield", un.Implicit()).grad
    order = un.measure_order(family, betas, reference, p, params_of(p), *data_of(p))
    assert order.slope == pytest.approx(order.declared, abs=0.1)
    assert order.declared == ORDERS[name]
    order.require()
    assert np.all(np.diff(order.errors) > 0)


def test_richardson_is_its_two_contrasts(program, estimate):
    """Weights off by a factor would still have some order, of another gradient."""
    near, far, both = (estimate("hopfield", e).grad for e in (
        un.Centered(0.05), un.Centered(0.1), un.Richardson(0.1)))  # fmt: skip
    for k, v in both.items():
        np.testing.assert_allclose(v, (4 * near[k] - far[k]) / 3, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("nodes", [(1,), (1, -1), (1, -0.5, 0.3), (1, -1, 0.3, -0.3), (3, 1, 2)])
def test_weights_read_off_a_slope_exactly(nodes):
    """Oracle: the Vandermonde system itself, on polynomials of every degree up to the order."""
    first, weights = slope_weights(tuple(map(float, nodes)))
    points, shares = np.array([0.0, *nodes]), np.array([first, *weights])
    for degree in range(len(nodes) + 1):
        assert shares @ points**degree == pytest.approx(float(degree == 1), abs=1e-12)
    mirrored = set(nodes) == {-c for c in nodes}
    assert (first == 0.0) == mirrored  # then the free phase costs nothing but its start


def test_an_order_declared_but_not_measured_is_refused(program, estimate):
    """A declared order nobody measured is how a wrong rule gets into a table."""
    p = program("hopfield")
    reference = estimate("hopfield", un.Implicit()).grad
    here = (p, params_of(p), *data_of(p))
    order = un.measure_order(un.OneSided, (0.01, 0.02, 0.04), reference, *here)
    with pytest.raises(InputError, match=r"order: expected a slope of 2 .*, got 0.97"):
        replace(order, declared=2).require()
    with pytest.raises(InputError, match="order: expected a declared order"):
        replace(order, declared=None).require()


def test_nudged_predictive_coding_is_first_order(program, estimate):
    """Theory C3: one phase, O(β) from backpropagation."""
    p = program("linear coding")
    reference = estimate("linear coding", un.Implicit()).grad
    order = un.measure_order(
        un.PredictiveCoding, (0.005, 0.01, 0.02), reference, p, params_of(p), *data_of(p)
    )
    assert order.slope == pytest.approx(1, abs=0.1) and order.declared == 1


@pytest.fixture(scope="module")
def on_digits():
    """The Hopfield net of the demo on sixteen real images: program, parameters, x, y."""
    digits = un.data.load("digits")
    p = un.emit(un.energies.hopfield([64, 128, 10]), un.costs.squared())
    return p, p.init(0), digits.x_train[:16], digits.y_train[:16]


def test_the_bars_of_accuracy_hold(on_digits):
    """These numbers are promised; a looser relaxation inside an estimator breaks them first."""
    exact = un.Implicit()(*on_digits).grad
    assert un.relative_error(un.Centered(1e-3)(*on_digits).grad, exact) < 1e-6
    assert un.relative_error(un.Holomorphic(0.03, 8)(*on_digits).grad, exact) < 1e-9


@pytest.mark.parametrize("net", ["recurrent", "hopfield"])
def test_only_the_bias_in_beta_is_left(estimate, net):
    """How large the bias is depends on the net; past it, nothing else may be wrong.

    Oracle: with its β² term extrapolated away, a centered estimate is exact to O(β⁴).
    """
    exact = estimate(net, un.Implicit()).grad
    near, far = (estimate(net, un.Centered(b)).grad for b in (1e-3, 2e-3))
    extrapolated = {k: (4 * near[k] - far[k]) / 3 for k in exact}
    assert un.relative_error(extrapolated, exact) < 2e-9
    assert un.relative_error(estimate(net, un.Holomorphic(0.03, 8)).grad, exact) < 1e-9


@pytest.mark.parametrize("beta", [1e-3, 0.1, 0.5])
def test_a_predictive_net_has_at_least_the_bias_beta_squared(beta):
    """The least bias a centered estimate can have there: no bar below it can be promised.

    Closed form for one linear layer, output covariance 1: the nudged rest energy is
    ½|r|²β/(1+β), so the centered gradient is 1/(1−β²) times the loss gradient.
    """
    p = un.emit(un.energies.predictive([3, 2]), un.costs.squared())
    rng = np.random.default_rng(0)
    here = (p, p.init(0), rng.standard_normal((4, 3)), rng.standard_normal((4, 2)))
    exact = un.Implicit()(*here).grad
    error = un.relative_error(un.Centered(beta)(*here).grad, exact)
    assert error == pytest.approx(beta**2 / (1 - beta**2), rel=1e-6, abs=1e-11)


def test_other_rules_are_not_the_loss_gradient(estimate):
    """Theory B3 and C3: clamped rules differ; if they agreed, the comparison would see nothing."""
    exact = estimate("hopfield", un.Implicit()).grad
    assert un.relative_error(estimate("hopfield", un.Contrastive()).grad, exact) > 0.05
    exact = estimate("coding", un.Implicit()).grad
    assert un.relative_error(estimate("coding", un.PredictiveCoding()).grad, exact) > 0.05


BREAKS = {
    "sign": lambda g, s, x: {k: -v for k, v in g.items()},
    "transposed W": lambda g, s, x: g | {"W1": np.resize(g["W1"].T, g["W1"].shape)},
    "lost slope": lambda g, s, x: g | {"W1": -(x.T @ s) / len(x)},
    "sum for mean": lambda g, s, x: {k: 4 * v for k, v in g.items()},
    "lost bias": lambda g, s, x: g | {"b1": 0 * g["b1"]},
}


@pytest.mark.parametrize("name", BREAKS)
def test_broken_estimates_are_caught(program, estimate, name):
    """The tolerances above are worth what they catch."""
    exact = estimate("hopfield", un.Implicit())
    x, _ = data_of(program("hopfield"))
    good = estimate("hopfield", un.Centered(1e-3))
    bad = BREAKS[name](good.grad, good.equilibria[0].state["s1"], x)
    assert un.relative_error(good.grad, exact.grad) < 5e-6
    assert un.relative_error(bad, exact.grad) > 1e-2


def test_order_studies_refuse_single_precision_and_few_nudges(program, estimate):
    """Rounding has order −1: it would be reported as a finding."""
    single = un.emit(un.energies.hopfield([3, 4, 2]), un.costs.squared(), dtype="float32")
    p = program("hopfield")
    params, (x, y) = params_of(p), data_of(p)
    reference = estimate("hopfield", un.Implicit()).grad
    with pytest.raises(InputError, match="program: expected float64"):
        un.measure_order(un.OneSided, (0.01, 0.02, 0.04), reference, single, params, x, y)
    with pytest.raises(InputError, match="at least 3"):
        un.measure_order(un.OneSided, (0.01, 0.02), reference, p, params, x, y)
    with pytest.raises(InputError, match="float64"):
        un.directional_differences(single, params, x, y, [params])
