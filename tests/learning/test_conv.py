"""Oracles for image-like states: implicit gradients, finite differences, one sample at a time."""

import numpy as np
import optax
import pytest

import unified as un

SHAPE, CLASSES, BATCH = (5, 4, 2), 3, 3


def net(name):
    """A tiny conv net with its parameters and data, by energy."""
    energy = getattr(un.energies, name)(SHAPE, [3, 2], stride=[2, 1], classes=CLASSES)
    program = un.emit(energy, un.costs.squared())
    rng = np.random.default_rng(0)
    params = {k: 0.4 * v + 0.05 * (v.ndim == 1) for k, v in program.init(0).items()}
    x = 0.5 * rng.normal(size=(BATCH, *SHAPE))
    return program, params, x, np.eye(CLASSES)[rng.integers(0, CLASSES, BATCH)]


@pytest.fixture(scope="module", params=["conv_hopfield", "conv_predictive"])
def conv(request):
    """A tiny conv net of each kind, with its exact gradient."""
    program, params, x, y = net(request.param)
    return program, params, x, y, un.Implicit()(program, params, x, y)


def test_centered_gradients_are_exact_to_second_order(conv):
    """A contrast that sums a kernel over the wrong places still points roughly downhill."""
    program, params, x, y, exact = conv
    far, near = (un.Centered(beta=b)(program, params, x, y).grad for b in (1e-3, 5e-4))
    errors = [un.relative_error(g, exact.grad) for g in (far, near)]
    # One output of unit curvature h alone has the relative bias (β/h)² = 1e-6 at the first.
    assert errors[0] <= 3e-6 and errors[1] <= 1e-6
    assert errors[0] / errors[1] == pytest.approx(4.0, abs=0.01)
    best = {k: (4 * near[k] - far[k]) / 3 for k in near}
    assert un.relative_error(best, exact.grad) <= 1e-9


def test_holomorphic_gradients_are_exact(conv):
    """Complex states must pass through patches and their sums unchanged."""
    program, params, x, y, exact = conv
    found = un.Holomorphic(radius=0.05, points=8)(program, params, x, y)
    assert un.relative_error(found.grad, exact.grad) <= 1e-9


def test_the_exact_gradient_is_that_of_finite_differences(conv):
    """Both could share a wrong Hessian-vector product; the loss itself does not use one."""
    program, params, x, y, exact = conv
    rng = np.random.default_rng(1)
    along = {k: rng.normal(size=v.shape) for k, v in params.items()}

    def loss(step):
        moved = {k: v + step * along[k] for k, v in params.items()}
        rest = un.relax(program, moved, un.Phase.free(x), tol=1e-13, certify=False)
        return 0.5 * np.sum((list(rest.state.values())[-1] - y) ** 2) / len(x)

    h = 1e-4
    want = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
    got = sum(np.sum(exact.grad[k] * v) for k, v in along.items())
    assert got == pytest.approx(want, rel=1e-8)


@pytest.mark.parametrize(
    "method",
    [un.FixedPoint(max_steps=400), pytest.param(un.Newton(linear="cg"), marks=pytest.mark.slow)],
)
def test_methods_reach_the_same_rest_point_sample_by_sample(conv, method):
    """Sweeps over image-like layers could leak from one sample, or stop short of rest."""
    program, params, x, y, _ = conv
    phase = un.Phase.nudged(x, y, 0.2)
    want = un.relax(program, params, phase)
    together = un.relax(program, params, phase, method)
    alone = un.relax(program, params, un.Phase.nudged(x[1], y[1], 0.2), method)
    for name, value in want.state.items():
        np.testing.assert_allclose(together.state[name], value, atol=1e-8)
        np.testing.assert_allclose(alone.state[name], together.state[name][1], atol=1e-12)
    assert want.certificate.method == "dense" and np.all(want.certificate.lambda_min > 0)
    assert np.shape(alone.state[program.model.states[0].name]) == want.state[
        program.model.states[0].name].shape[1:]  # fmt: skip


def test_wrong_gradients_are_told_apart(conv):
    """Negative control: a kernel gradient flipped in space must not pass the bar above."""
    *_, exact = conv
    flipped = exact.grad | {"K2": exact.grad["K2"][::-1, ::-1]}
    assert un.relative_error(flipped, exact.grad) > 1e-2


@pytest.mark.slow
def test_a_conv_hopfield_net_learns_digits():
    """Everything may be exact on three samples and still not train."""
    data = un.data.load()
    x, seen = (v.reshape(-1, 8, 8, 1) for v in (data.x_train, data.x_test))
    energy = un.energies.conv_hopfield((8, 8, 1), [16])
    program = un.emit(energy, un.costs.squared(), dtype="float32")
    estimator = un.Centered(beta=0.1, method=un.FixedPoint(max_steps=200), tol=1e-4)
    found = un.fit(
        program, estimator, x, data.y_train, key=0, epochs=3, optimizer=optax.adam(3e-3),
        test=(seen, data.y_test),
    )  # fmt: skip
    assert found.test_error[-1] < 0.1 and found.loss[-1] < 0.8 * found.loss[0]
