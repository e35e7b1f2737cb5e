"""Oracle: JAX's autodiff of nets written out by hand, and proofs of the derived derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.tolerances import TOL
from unified.base.errors import InputError
from unified.codegen.functions import array_functions
from unified.meanfield.networks import ACTIVATIONS, TwoLayer
from unified.symbolic import axes, prove, scalar, tanh, var

BY_HAND = {
    "linear": lambda u: u, "relu": jax.nn.relu, "tanh": jnp.tanh, "erf": jax.scipy.special.erf,
    "quadratic": jnp.square,
}  # fmt: skip


def by_hand(net, theta, x):
    """f of equal neurons, one neuron and one sample at a time."""

    def neuron(t, sample):
        if net.activation == "quadratic":
            return jnp.square(t @ sample)[None]
        return t[: net.outputs] * BY_HAND[net.activation](t[net.outputs :] @ sample)

    both = jax.vmap(jax.vmap(neuron, (0, None)), (None, 0))(theta, x)
    f = net.alpha * jnp.mean(both, axis=1)
    return f if net.outputs > 1 else f[:, 0]


@pytest.mark.parametrize(("activation", "outputs"), [*((a, 1) for a in ACTIVATIONS), ("tanh", 3)])
def test_outputs_and_pulls_are_those_of_autodiff(activation, outputs):
    """Every flow of every credit rule stands on these two generated functions."""
    net = TwoLayer(3, activation, 1.7, outputs=outputs)
    rng = np.random.default_rng(0)
    theta, x = net.draw(7, seed=1), rng.standard_normal((5, 3))
    r = rng.standard_normal((5, outputs) if outputs > 1 else 5)
    with jax.enable_x64(True):
        want, back = jax.vjp(lambda t: by_hand(net, t, x), jnp.asarray(theta))
        pulled = np.asarray(back(jnp.asarray(r))[0])
        found = net.alpha / len(theta) * np.asarray(net.pull(theta, x, jnp.asarray(r)))
    np.testing.assert_allclose(net.predict(theta, x), want, rtol=TOL["float64"].exact)
    np.testing.assert_allclose(found, pulled, rtol=TOL["float64"].derived, atol=1e-14)
    if activation in ("tanh", "erf"):  # control: without σ' the pull on w is another one
        wrong = np.einsum("mk,nk,md->nd", r.reshape(5, -1), theta[:, :outputs], x)
        wrong *= net.alpha / len(theta)
        assert np.max(np.abs(wrong - pulled[:, outputs:])) > 0.1 * np.max(np.abs(pulled))


def test_the_derivatives_of_a_neuron_are_derived():
    """LaTeX that is typed in by hand drifts away from what the code computes."""
    neuron = TwoLayer(3, "tanh").neuron
    names = {v.name: v for v in neuron.output.free}
    a, w, x = names["a"], names["w"], names["x"]
    assert prove(neuron.by_a, tanh(w @ x)).level == "proved"
    assert prove(neuron.by_w, a * (1 - tanh(w @ x) * tanh(w @ x)) * x).level == "proved"
    assert not prove(neuron.by_w, a * x)
    text = TwoLayer(3, "tanh").latex()
    assert r"\partial_w\varphi = a \left(1 - \tanh^{2}\left(w^\top x\right)\right) \, x" in text
    assert r"\partial_a" not in TwoLayer(3, "quadratic").latex()


def test_weights_of_particles_count():
    """A particle of double weight must be two particles, or weighted flows are wrong."""
    net = TwoLayer(2, "relu")
    theta, x = net.draw(4, seed=0), np.random.default_rng(1).standard_normal((6, 2))
    double = net.predict(np.vstack([theta, theta[:1]]), x)
    weighted = net.predict(theta, x, np.array([2, 1, 1, 1]) / 5)
    np.testing.assert_allclose(double, weighted, rtol=TOL["float64"].exact)


def test_draws_are_prefixes_and_pairs_cancel():
    """A study in N that redraws its neurons compares different nets; α needs f = 0 at first."""
    net = TwoLayer(2, "tanh", 100.0)
    np.testing.assert_array_equal(net.draw(10, seed=3)[:4], net.draw(4, seed=3))
    x = np.random.default_rng(1).standard_normal((6, 2))
    paired = net.draw(10, seed=3, paired=True)
    assert np.max(np.abs(net.predict(paired, x))) < 1e-13 * np.max(np.abs(paired)) * 100
    assert np.max(np.abs(net.predict(net.draw(10, seed=3), x))) > 1


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: TwoLayer(3, "sigmoid"), "activation: expected one of linear, relu"),
        (lambda: TwoLayer(0), "d: expected a whole number"),
        (lambda: TwoLayer(3, alpha=0.0), "alpha: expected a positive number"),
        (lambda: TwoLayer(3, "quadratic", outputs=2), "outputs: expected 1"),
        (lambda: TwoLayer(3).predict(np.zeros((4, 3)), np.zeros((2, 3))), "particles: expected"),
        (lambda: TwoLayer(3).predict(np.zeros((4, 4)), np.zeros((2, 2))), "x: expected shape"),
        (lambda: TwoLayer(3).draw(0, seed=0), "n: expected a whole number"),
        (lambda: TwoLayer(3).draw(3, seed=0, paired=True), "paired: expected an even n"),
    ],
)
def test_bad_input_is_one_sentence(make, word):
    """A shape error from deep inside XLA tells a user nothing."""
    with pytest.raises(InputError) as caught:
        make()
    assert word in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_array_functions_agree_between_backends_and_name_what_is_missing():
    """Generated code for plain arrays is shared by all nets; NumPy is its oracle."""
    n, m = axes("n m")
    W, v, c = var("W", n, m), var("v", m), scalar("c")
    outputs = {"go": {"y": c * tanh(W @ v), "total": (W @ v).sum()}}
    rng = np.random.default_rng(0)
    values = {"W": rng.standard_normal((3, 2)), "v": rng.standard_normal(2), "c": 1.5}
    with jax.enable_x64(True):
        found = array_functions(outputs, [W, v, c]).call("go", values)
    same = array_functions(outputs, [W, v, c], "numpy").call("go", values)
    np.testing.assert_allclose(found["y"], 1.5 * np.tanh(values["W"] @ values["v"]), rtol=1e-14)
    np.testing.assert_allclose(same["total"], found["total"], rtol=1e-14)
    with pytest.raises(InputError, match="inputs: expected every variable of go, got no c"):
        array_functions(outputs, [W, v])
