"""Oracle: finite differences, hand-written gradients, JAX through an unrolled loop."""

import numpy as np
import pytest

import unified as un
from tests.learning.nets import data_of, params_of
from tests.tolerances import TOL

CLOSE = TOL["float64"].derived


@pytest.mark.parametrize("net", ["hopfield", "recurrent", "coding", "coding, Wf"])
def test_implicit_is_the_finite_difference_of_the_loss(program, estimate, net):
    """Implicit is the reference every learning rule is judged by."""
    exact = estimate(net, un.Implicit())
    check = estimate(net, un.FiniteDifference(step=1e-3))
    assert un.relative_error(check.grad, exact.grad) < 1e-7
    for p in program(net).model.params:
        if p.symmetric:
            np.testing.assert_allclose(exact.grad[p.name], exact.grad[p.name].T, atol=1e-14)


@pytest.mark.parametrize(
    ("net", "rule"),
    [
        ("hopfield", un.Contrastive()), ("coding, Wf", un.Contrastive()),
        ("coding", un.PredictiveCoding()), ("coding, Wf", un.PredictiveCoding()),
    ],
)  # fmt: skip
def test_clamping_rules_are_gradients_of_their_own_objective(program, estimate, net, rule):
    """They are not the loss gradient, so this is the only exact statement about them."""
    p = program(net)
    params = params_of(p)
    directions = un.random_directions(params, len(params) + 3, seed=5)
    slopes = un.directional_differences(p, params, *data_of(p), directions, of=rule, step=1e-3)
    grad = estimate(net, rule).grad
    for d, slope in zip(directions, slopes, strict=True):
        along = sum(
            float(np.sum((d[k] + d[k].T) / 2 * grad[k] if q.symmetric else d[k] * grad[k]))
            for q in p.model.params for k in [q.name]
        )  # fmt: skip
        assert slope == pytest.approx(along, rel=1e-7, abs=1e-9)


def test_the_gradient_of_a_linear_gaussian_net_is_the_one_by_hand(program, estimate):
    """An error shared by the estimator and its own finite differences would show here."""
    p = program("gaussian")
    params, (x, y) = params_of(p), data_of(p)
    a = params["A"]
    s = np.linalg.solve(a, (params["b"] + x @ params["U"].T).T).T
    g = np.linalg.solve(a, (s - y).T).T  # H⁻¹∂C/∂s
    half = -g.T @ s / 4
    byhand = {"A": (half + half.T) / 2, "b": g.mean(axis=0), "U": g.T @ x / 4}
    found = estimate("gaussian", un.Implicit())
    assert un.relative_error(found.grad, byhand) < CLOSE
    assert found.loss == pytest.approx(np.mean(0.5 * np.sum((s - y) ** 2, axis=1)), rel=CLOSE)
    # Nudged at β the quadratic net moves exactly: the bias of one nudge is known, not just O(β).
    beta = 0.01
    moved = np.linalg.solve(a + beta * np.eye(3), (params["b"] + x @ params["U"].T + beta * y).T).T
    one = estimate("gaussian", un.OneSided(beta))
    np.testing.assert_allclose(one.grad["b"], -(moved - s).mean(axis=0) / beta, rtol=1e-8)


def test_linear_predictive_coding_is_the_one_by_hand(program, estimate):
    """Clamped PC descends ½rᵀS⁻¹r, not the loss; the difference must be this one."""
    p = program("linear coding")
    params, (x, y) = params_of(p), data_of(p)
    w1, w2 = params["W1"], params["W2"]
    z1 = x @ w1.T + params["b1"]
    r = y - (z1 @ w2.T + params["b2"])
    s = np.eye(2) + w2 @ w2.T
    e = np.linalg.solve(s, r.T).T
    hidden = z1 + e @ w2
    byhand = {
        "W2": -e.T @ hidden / 4, "b2": -e.mean(axis=0),
        "W1": -(e @ w2).T @ x / 4, "b1": -(e @ w2).mean(axis=0),
    }  # fmt: skip
    held = estimate("linear coding", un.PredictiveCoding())
    assert un.relative_error(held.grad, byhand) < CLOSE
    assert held.objective == pytest.approx(np.mean(0.5 * np.sum(r * e, axis=1)), rel=CLOSE)
    # Nudged at β with a free output of unit precision, C3: the error is β(1 + β + βW₂W₂ᵀ)⁻¹r.
    beta = 0.01
    e = np.linalg.solve((1 + beta) * np.eye(2) + beta * w2 @ w2.T, r.T).T
    nudged = estimate("linear coding", un.PredictiveCoding(beta))
    np.testing.assert_allclose(nudged.grad["b2"], -e.mean(axis=0), rtol=1e-8)
    np.testing.assert_allclose(nudged.grad["b1"], -(e @ w2).mean(axis=0), rtol=1e-8)


def test_unrolling_from_rest_tends_to_the_implicit_gradient(estimate):
    """Truncated backpropagation is geometric in its steps; anything else is a wrong adjoint."""
    exact = estimate("hopfield", un.Implicit())
    errors = [
        un.relative_error(estimate("hopfield", un.Unrolled(k, eta=0.4)).grad, exact.grad)
        for k in (10, 20, 80)
    ]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-8
    assert errors[1] < 1.5 * errors[0] ** 2 or errors[1] < errors[0] / 5


def test_unrolling_from_the_start_is_autodiff_through_the_loop(program, estimate):
    """Here JAX differentiates the very steps, one after another: no adjoint of ours involved."""
    import jax
    import jax.numpy as jnp

    p = program("recurrent")
    params, (x, y) = params_of(p), data_of(p)
    steps, eta = 6, 0.3

    def loss(theta):
        data = {"x": x, "y": y, "beta": jnp.zeros(1)}
        s = {"s": jnp.zeros((1, 4, 4))}
        for _ in range(steps):
            force = p.core("force", {**theta, **data, **s})
            s = {"s": s["s"] + eta * force["s"]}
        return jnp.mean(p.core("cost", {**theta, **data, **s})["C"])

    with p.precision:
        value, grad = jax.value_and_grad(loss)({k: jnp.asarray(v) for k, v in params.items()})
    grad = {k: np.asarray(v) for k, v in grad.items()}
    grad["W"] = (grad["W"] + grad["W"].T) / 2
    found = estimate("recurrent", un.Unrolled(steps, eta=eta, start="begin"))
    assert un.relative_error(found.grad, grad) < 1e-12
    assert found.loss == pytest.approx(float(value), rel=1e-13)


def test_directions_are_unit_and_cover_every_parameter(program):
    """Differences along directions that skip a parameter would pass whatever its gradient is."""
    params = params_of(program("hopfield"))
    found = un.random_directions(params, 6, seed=0)
    assert len(found) == 6
    for d in found:
        assert sum(float(np.sum(v**2)) for v in d.values()) == pytest.approx(1)
    for k in params:
        assert any(np.any(d[k] != 0) for d in found[: len(params)])
