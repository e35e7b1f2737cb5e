"""Oracle: the orders of theory B3, measured; and estimators broken on purpose."""

import numpy as np
import pytest

import unified as un
from tests.learning.nets import data_of, params_of
from unified.base.errors import InputError

FAMILIES = {
    "one-sided": (un.OneSided, (0.01, 0.02, 0.04)),
    "centered": (un.Centered, (0.03, 0.06, 0.12)),
    "holomorphic": (lambda r: un.Holomorphic(r, points=4), (0.1, 0.15, 0.225)),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_bias_has_the_declared_order(program, estimate, name):
    """A wrong sign in one phase leaves a good-looking gradient with the wrong order."""
    family, betas = FAMILIES[name]
    p = program("hopfield")
    reference = estimate("hopfield", un.Implicit()).grad
    order = un.measure_order(family, betas, reference, p, params_of(p), *data_of(p))
    assert order.slope == pytest.approx(order.declared, abs=0.1)
    assert order.declared == {"one-sided": 1, "centered": 2, "holomorphic": 4}[name]
    assert np.all(np.diff(order.errors) > 0)


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
