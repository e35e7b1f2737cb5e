"""Oracle: jax.grad of the forward net written by hand; schedules broken on purpose."""

from functools import cache

import numpy as np
import pytest

import unified as un
from tests.learning.nets import data_of, params_of
from unified.base.errors import InputError

SIZES = [3, 5, 4, 4, 2]
NETS = {
    "f(Wz)": ("f(Wz)", "identity", un.costs.squared),
    "f(Wz), precisions": ("f(Wz)", "full", un.costs.cross_entropy),
    "Wf(z)": ("Wf(z)", "identity", un.costs.cross_entropy),
    "Wf(z), precisions": ("Wf(z)", "full", un.costs.squared),
}


@cache
def net(name):
    """A program of four layers, its parameters (precisions far from 1) and data."""
    convention, precision, cost = NETS[name]
    energy = un.energies.predictive(SIZES, convention=convention, precision=precision)
    p = un.emit(energy, cost())
    params = params_of(p)
    for k in params:
        if k.startswith("P"):
            params[k] = params[k] @ params[k].T + 0.3 * np.eye(len(params[k]))
    return p, params, *data_of(p)


@cache
def backprop(name):
    """The gradient of the loss of the forward net, by JAX; precisions do not enter it."""
    import jax
    import jax.numpy as jnp

    convention, _, cost = NETS[name]
    _, params, x, y = net(name)

    def loss(theta):
        z = x
        for k in range(1, len(SIZES)):
            w, b = theta[f"W{k}"], theta[f"b{k}"]
            if convention == "f(Wz)":
                z = z @ w.T + b
                z = jnp.tanh(z) if k < len(SIZES) - 1 else z
            else:
                z = (jnp.tanh(z) if k > 1 else z) @ w.T + b
        if cost is un.costs.squared:
            return jnp.mean(0.5 * jnp.sum((z - y) ** 2, axis=1))
        top = jax.scipy.special.logsumexp(z, axis=1)
        return jnp.mean(top * jnp.sum(y, axis=1) - jnp.sum(y * z, axis=1))

    with jax.enable_x64(True):
        found = jax.grad(loss)({k: jnp.asarray(v) for k, v in params.items()})
    return {k: np.asarray(v) for k, v in found.items()}


@cache
def grad(name, estimator):
    """The estimate of an estimator on a net, once."""
    return estimator(*net(name))


def error(name, estimator):
    return un.relative_error(grad(name, estimator).grad, backprop(name))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if "," not in n else n for n in NETS]
)
@pytest.mark.parametrize(
    "estimator", [un.FixedPrediction(), un.FixedPrediction(steps=3), un.ZeroDivergence()], ids=str
)
def test_both_schemes_are_backpropagation(name, estimator):
    """C3: the claim is equality, at any precision and in both conventions, not resemblance."""
    assert error(name, estimator) <= 1e-10
    found = grad(name, estimator)
    assert found.loss == pytest.approx(un.Implicit()(*net(name)).loss, rel=1e-12)
    steps = found.equilibria[1].steps
    assert np.all(steps == len(SIZES) - 2)  # L − 1 steps for L layers


def test_fixed_prediction_settles_at_any_rate_and_not_before():
    """One step too few must be visible, in the gradient and in the status."""
    assert error("f(Wz)", un.FixedPrediction(gamma=0.5)) <= 1e-10
    assert np.all(grad("f(Wz)", un.FixedPrediction(gamma=0.5)).equilibria[1].steps > 20)
    short = grad("f(Wz)", un.FixedPrediction(steps=2))
    assert set(short.status) == {"truncated"} and short.equilibria[1].residual.min() > 1e-3
    assert error("f(Wz)", un.FixedPrediction(steps=2)) > 0.01


@pytest.mark.parametrize("name", ["f(Wz)", "Wf(z), precisions"])
def test_another_rate_scales_each_layer_by_its_power(name):
    """C3: γ^{L−l}, exactly; the loss would still fall, at a wrong speed for every layer."""
    found, exact = grad(name, un.ZeroDivergence(0.5)).grad, backprop(name)
    for k in range(1, len(SIZES)):
        for n in (f"W{k}", f"b{k}"):
            scale = 0.5 ** (len(SIZES) - 1 - k)
            np.testing.assert_allclose(found[n], scale * exact[n], rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(
    "broken",
    [un.ZeroDivergence(0.5), un.ZeroDivergence(synchronous=False), un.ZeroDivergence(delay=1)],
    ids=str,
)
def test_control_a_broken_schedule_is_not_backpropagation(broken):
    """The exactness above would mean nothing if these had it too."""
    assert error("f(Wz)", broken) > 0.1


def test_clamped_inference_is_not_backpropagation_but_nudged_tends_to_it():
    """C3: r becomes S⁻¹r; who expects backprop from PC at equilibrium is off by this much."""
    assert error("f(Wz)", un.PredictiveCoding()) > 0.1
    near, far = (error("f(Wz)", un.PredictiveCoding(b)) for b in (1e-4, 1e-3))
    assert far / near == pytest.approx(10, rel=0.1) and near < 1e-2


def test_truncated_inference_is_gradient_steps_then_the_rule():
    """Oracle: the steps taken one by one with the public force of the clamped program."""
    p, params, x, y = net("f(Wz)")
    found = grad("f(Wz)", un.PredictiveCoding(steps=4, eta=0.1))
    z = un.relax(p, params, un.Phase.free(x)).state
    z = {k: z[k] for k in ("z1", "z2", "z3")}
    held = un.Phase({"x": x, "y": y})
    for _ in range(4):
        z = {k: z[k] + 0.1 * v for k, v in p.clamped.force(z, params, held).items()}
    for k, v in p.clamped.rule(z, params, held).items():
        np.testing.assert_allclose(found.grad[k], v.mean(axis=0), rtol=1e-9, atol=1e-13)
    force = np.sqrt(sum(np.sum(v**2, axis=1) for v in p.clamped.force(z, params, held).values()))
    size = np.sqrt(sum(np.sum(v**2, axis=1) for v in z.values()))
    np.testing.assert_allclose(found.equilibria[0].residual, force / np.maximum(1, size), rtol=1e-9)
    assert set(found.status) == {"truncated"} and not found.equilibria[0].converged
    far = grad("f(Wz)", un.PredictiveCoding(steps=2000))
    assert un.relative_error(far.grad, grad("f(Wz)", un.PredictiveCoding()).grad) < 1e-9


def test_incremental_is_what_a_sweep_of_small_updates_adds_up_to():
    """Oracle: the sweep itself, weights moved at every step; they part in proportion to α."""
    p, params, x, y = net("f(Wz)")
    found = grad("f(Wz)", un.IncrementalPC(6, eta=0.1)).grad
    held = un.Phase({"x": x, "y": y})
    first = un.relax(p, params, un.Phase.free(x)).state

    def sweep(alpha):
        theta, z = dict(params), {k: first[k] for k in ("z1", "z2", "z3")}
        for _ in range(6):
            rule, force = p.clamped.rule(z, theta, held), p.clamped.force(z, theta, held)
            z = {k: z[k] + 0.1 * v for k, v in force.items()}
            theta = {k: theta[k] - alpha * rule[k].mean(axis=0) for k in theta}
        return {k: (params[k] - theta[k]) / (6 * alpha) for k in theta}

    near, far = (un.relative_error(sweep(a), found) for a in (1e-4, 1e-3))
    assert far / near == pytest.approx(10, rel=0.05) and near < 1e-2
    apart = [
        un.relative_error(grad("f(Wz)", un.IncrementalPC(k)).grad,
                          grad("f(Wz)", un.PredictiveCoding()).grad)
        for k in (200, 400)
    ]  # fmt: skip
    assert apart[0] / apart[1] == pytest.approx(2, rel=0.02)  # bias O(1/K)


def test_skips_are_taken_by_one_and_refused_by_the_other():
    """Two paths of different length deliver the error at two times."""
    a, b, c = un.axes("n0 n1 n2")
    x, z1, z2 = un.var("x", a), un.var("z1", b), un.var("z2", b)
    z3, w1 = un.var("z3", c), un.var("W1", b, a)
    w2, w3, v = un.var("W2", b, b), un.var("W3", c, b), un.var("V", c, b)
    tanh = un.fn("tanh")
    layer = un.energies.Layer
    energy = un.energies.layered(
        [layer(z1, tanh(w1 @ x)), layer(z2, tanh(w2 @ z1)), layer(z3, w3 @ z2 + v @ z1)],
        [w1, w2, w3, v], [x], sizes={a: 3, b: 4, c: 2},
    )  # fmt: skip
    p = un.emit(energy, un.costs.squared())
    rng = np.random.default_rng(0)
    here = (p, p.init(0), rng.normal(size=(4, 3)), rng.normal(size=(4, 2)))
    exact = un.Implicit()(*here).grad  # with E = 0 at rest, the gradient of the forward net
    assert un.relative_error(un.FixedPrediction()(*here).grad, exact) < 1e-10
    with pytest.raises(InputError, match=r"energy: expected a chain.*a skip to z3"):
        un.ZeroDivergence()(*here)


@pytest.mark.parametrize(
    "estimator",
    [un.FixedPrediction(), un.ZeroDivergence(), un.IncrementalPC(), un.PredictiveCoding(steps=3)],
    ids=str,
)
def test_an_energy_without_layers_is_refused(program, estimator):
    """On a Hopfield net there are no predictions to fix."""
    p = program("hopfield")
    with pytest.raises(InputError, match="energy: expected a sum of prediction errors"):
        estimator(p, params_of(p), *data_of(p))


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: un.FixedPrediction(0), "steps"), (lambda: un.FixedPrediction(gamma=2.0), "gamma"),
        (lambda: un.ZeroDivergence(0.0), "gamma"), (lambda: un.ZeroDivergence(delay=-1), "delay"),
        (lambda: un.IncrementalPC(0), "steps"), (lambda: un.IncrementalPC(3, eta=0.0), "eta"),
        (lambda: un.PredictiveCoding(steps=0), "steps"), (lambda: un.Richardson(0.1, 3), "order"),
        (lambda: un.PredictiveCoding(steps=3, eta=-1.0), "eta"),
        (lambda: un.Nodes(0.1, (1, 0)), "nodes"), (lambda: un.Nodes(0.1, (1, 1)), "nodes"),
        (lambda: un.Nodes(0.1, ()), "nodes"),
    ],
)  # fmt: skip
def test_a_bad_setting_gets_one_sentence(make, word):
    """Settings are checked before anything is compiled."""
    with pytest.raises(InputError, match=f"{word}: expected"):
        make()
