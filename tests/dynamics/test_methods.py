"""One protocol for every method: the same rest point, measured, certified, sample by sample."""

import numpy as np
import pytest

import unified as un
from tests.dynamics.nets import rng, symmetric

METHODS = {
    "newton": un.Newton(linear="dense"),
    "newton, cg": un.Newton(linear="cg"),
    "sweeps": un.FixedPoint(max_steps=3000),
    "anderson": un.FixedPoint(max_steps=500, anderson=5),
    "flow": un.Flow(),
}
NETS = ("layered", "coding", "loop")
TOL = 1e-9


def case(name, program, seed=0, batch=16):
    """Parameters and a nudged phase under which this net has one minimum."""
    r = rng(seed)
    params = program.init(seed)
    if name == "loop":
        params = {"W": symmetric(5, seed, 0.7), "b": r.normal(size=5), "U": r.normal(size=(5, 2))}
    if name == "coding":
        params |= {f"P{k}": np.eye(n) + symmetric(n, k, 0.4) for k, n in ((1, 5), (2, 2))}
    inputs, outputs = program.model.inputs[0], program.model.output
    x = r.normal(size=(batch, program.model.sizes[inputs.axes[0]]))
    y = 0.5 * r.normal(size=(batch, program.model.sizes[outputs.axes[0]]))
    return params, un.Phase.nudged(x, y, 0.3)


def stacked(values):
    return np.concatenate([values[k] for k in sorted(values)], axis=-1)


@pytest.fixture(scope="session")
def rests(request):
    """Every method on every net, relaxed once."""
    found = {}

    def get(net, method):
        if (net, method) not in found:
            program = request.getfixturevalue(net)
            params, phase = case(net, program)
            rest = un.relax(program, params, phase, METHODS[method], TOL)
            found[net, method] = program, params, phase, rest
        return found[net, method]

    return get


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("net", NETS)
def test_every_method_finds_the_same_certified_rest_point(rests, net, method):
    """A method that rests elsewhere, or says so without measuring, gives gradients of nothing."""
    program, params, phase, rest = rests(net, method)
    assert rest.converged and rest.residual.shape == rest.status.shape == (16,)
    reference = rests(net, "newton")[-1]
    np.testing.assert_allclose(stacked(rest.state), stacked(reference.state), atol=20 * TOL)

    force = stacked(program.force(rest.state, params, phase))
    size = np.maximum(1.0, np.linalg.norm(stacked(rest.state), axis=1))
    measured = np.linalg.norm(force, axis=1) / size
    np.testing.assert_allclose(rest.residual, measured, rtol=1e-3, atol=1e-14)
    assert np.all(measured <= TOL * (1 + 1e-6))
    energy = program.energy(rest.state, params, phase)
    np.testing.assert_allclose(rest.energy, energy, rtol=1e-12, atol=1e-12)
    lowest = np.linalg.eigvalsh(program.hessian(rest.state, params, phase))[:, 0]
    np.testing.assert_allclose(rest.certificate.lambda_min, lowest, rtol=1e-10)
    assert np.all(rest.steps >= 1) and rest.method in repr(METHODS[method])


@pytest.mark.parametrize("method", METHODS)
def test_a_sample_does_not_feel_its_batch(layered, rests, method):
    """Otherwise shuffling a data set, or the size of a minibatch, changes every result."""
    _, params, phase, whole = rests("layered", method)
    for k in (3, 11):
        alone = un.relax(
            layered, params, un.Phase.nudged(phase.x[k : k + 1], phase.y[k : k + 1], 0.3),
            METHODS[method], TOL,
        )  # fmt: skip
        assert alone.steps[0] == whole.steps[k]
        np.testing.assert_allclose(
            stacked(alone.state)[0], stacked(whole.state)[k], rtol=0, atol=1e-14
        )


def test_anderson_histories_of_square_batches_are_kept_apart(layered):
    """Memory, phases and batch of equal size were once confused: samples froze each other."""
    params, phase = case("layered", layered, batch=3)
    three = un.Phase.nudged(phase.x, phase.y, np.array([0.1, 0.2, 0.3]))
    method = un.FixedPoint(max_steps=500, anderson=3)
    whole = un.relax(layered, params, three, method, TOL)
    assert whole.residual.shape == (3, 3)
    alone = un.relax(layered, params, phase, method, TOL)
    assert np.array_equal(whole.steps[2], alone.steps)
    for k in alone.state:
        np.testing.assert_allclose(whole.state[k][2], alone.state[k], rtol=0, atol=1e-14)


def test_a_single_sample_has_no_batch_axis(layered):
    """Notebook users pass one vector and expect one number back."""
    params, phase = case("layered", layered)
    one = un.Phase.nudged(phase.x[3], phase.y[3], 0.3)
    rest = un.relax(layered, params, one, METHODS["newton"], TOL)
    assert rest.state["s1"].shape == (6,) and np.shape(rest.energy) == () == np.shape(rest.status)
    assert rest.converged and str(rest.status) == "converged"


def test_a_looser_tolerance_is_kept_to(layered):
    """A tolerance ignored costs time; one exceeded silently costs the gradient."""
    params, phase = case("layered", layered)
    for tol in (1e-3, 1e-6):
        rest = un.relax(layered, params, phase, METHODS["sweeps"], tol)
        assert np.all(rest.residual <= tol) and np.any(rest.residual > tol * 1e-3)
        assert rest.tol == tol


def test_a_warm_start_at_rest_takes_no_steps(rests, layered):
    """Nudged phases start at the free one; restarting from zero doubles the cost."""
    _, params, phase, rest = rests("layered", "newton")
    again = un.relax(layered, params, phase, METHODS["newton"], 1e-8, start=rest.state)
    assert np.all(again.steps == 0)
    np.testing.assert_array_equal(again.state["s1"], rest.state["s1"])


def test_clamping_holds_the_output_at_the_target(layered):
    """Contrastive learning would compare the free phase with some other phase."""
    params, phase = case("layered", layered)
    held = un.relax(layered, params, un.Phase.clamped(phase.x, phase.y), METHODS["newton"], TOL)
    assert set(held.state) == {"s1", "s2"}
    whole = held.state | {"s3": phase.y}
    force = layered.force(whole, params, un.Phase.free(phase.x))
    hidden = np.concatenate([force["s1"], force["s2"]], axis=1)
    assert np.max(np.abs(hidden)) < 1e-8
    np.testing.assert_allclose(
        held.energy, layered.energy(whole, params, un.Phase.free(phase.x)), rtol=1e-12
    )


def test_float32_reaches_its_own_tolerance():
    """Training runs in float32; a tolerance below rounding would end in max_steps for ever."""
    program = un.emit(un.energies.hopfield([3, 4, 2]), un.costs.squared(), dtype="float32")
    params, phase = case("layered", program)
    rest = un.relax(program, params, phase)
    assert rest.converged and rest.state["s1"].dtype == np.float32 and rest.tol == 1e-5
