"""Oracles: closed forms of linear nets, Newton's rest points, autodiff of a net written by hand."""

import numpy as np
import pytest

import unified as un
from tests.dynamics.nets import rng
from unified.base.errors import InputError
from unified.dynamics.error_coordinates import ErrorCoordinates
from unified.dynamics.relax import phase_values
from unified.dynamics.solve import start_state
from unified.dynamics.system import System

SIZES = [4, 6, 5, 3]
BATCH = 5
NETS = {
    "f(Wz), full": dict(convention="f(Wz)", precision="full"),
    "Wf(z), diagonal": dict(convention="Wf(z)", precision="diagonal"),
    "skip": dict(convention="f(Wz)", skip=[(1, 3)]),
    "linear, full": dict(f="identity", precision="full"),
}
METHOD = un.GaussNewton()


@pytest.fixture(scope="module")
def net():
    """A function: the program of a net by name, its parameters and data."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = un.emit(un.energies.predictive(SIZES, **NETS[name]), un.costs.squared())
        return made[name], params_of(made[name]), *data()

    return get


def params_of(program, gain=1.0):
    """Weights with biases, and precisions that are not the identity."""
    r = rng(3)
    found = {}
    for p in program.model.params:
        value = program.init(3)[p.name]
        noise = 0.3 * r.normal(size=value.shape)
        if p.symmetric:
            found[p.name] = value + noise @ noise.T
        else:
            positive = np.abs(value + noise) + 0.1
            found[p.name] = positive if p.name[0] == "P" else gain * value + noise
    return found


def data(scale=1.0, batch=BATCH):
    r = rng(4)
    return r.normal(size=(batch, SIZES[0])), scale * r.normal(size=(batch, SIZES[-1]))


def phases(x, y):
    return {
        "clamped": un.Phase.clamped(x, y), "nudged": un.Phase.nudged(x, y, 0.7),
        "gently": un.Phase.nudged(x, y, 0.1),
        "pushed away": un.Phase.nudged(x, y, -0.05),
    }  # fmt: skip


def coordinates(program, params, phase):
    """The error coordinates of a phase, and its first state."""
    values, _ = phase_values(program, params, phase)
    system = System(program, values)
    return ErrorCoordinates(system), system.begin(start_state(program, values))


def up(params, layer):
    """W_{L:layer+1} of the linear net."""
    found = np.eye(SIZES[-1])
    for k in range(len(SIZES) - 1, layer, -1):
        found = found @ params[f"W{k}"]
    return found


@pytest.mark.parametrize("beta", [None, 0.7])
def test_one_step_is_the_equilibrium_of_a_linear_net(net, beta):
    """The method claims C4 turned into an algorithm; then C4's rest point must come out at once."""
    program, params, x, y = net("linear, full")
    phase = un.Phase.clamped(x, y) if beta is None else un.Phase.nudged(x, y, beta)
    rest = un.relax(program, params, phase, un.GaussNewton(max_steps=1), 1e-11)
    assert np.all(rest.steps == 1)
    cov = {k: np.linalg.inv(params[f"P{k}"]) for k in (1, 2, 3)}
    noise = cov[3] + (0.0 if beta is None else np.eye(3) / beta)
    s = noise + sum(up(params, k) @ cov[k] @ up(params, k).T for k in (1, 2))
    forward = x
    for k in (1, 2, 3):
        forward = forward @ params[f"W{k}"].T + params[f"b{k}"]
    r = y - forward
    pull = np.linalg.solve(s, r.T).T
    half_dets = 0.5 * sum(np.linalg.slogdet(params[f"P{k}"])[1] for k in (1, 2, 3))
    energy = 0.5 * np.sum(r * pull, axis=1) - half_dets
    np.testing.assert_allclose(rest.energy, energy, rtol=0, atol=1e-12)
    z1 = x @ params["W1"].T + params["b1"] + pull @ up(params, 1) @ cov[1]
    np.testing.assert_allclose(rest.state["z1"], z1, rtol=0, atol=1e-12)


def newton_step(program, params, phase, rest):
    """How far Newton's method would still go, and the least eigenvalue of its matrix.

    From generated force and Hessian, solved by NumPy: nothing of the method under test.
    """
    if phase.is_clamped:
        program, phase = program.clamped, un.Phase.free({"x": phase.x, "y": phase.y})
    force = program.force(rest.state, params, phase)
    force = np.concatenate([force[s.name] for s in program.model.states], axis=1)
    hessian = program.hessian(rest.state, params, phase)
    step = np.linalg.solve(hessian, force[..., None])
    return np.max(np.abs(step)), np.min(np.linalg.eigvalsh(hessian))


KINDS = ("clamped", "nudged", "pushed away")
RESTS = [("f(Wz), full", p) for p in KINDS] + [("Wf(z), diagonal", p) for p in KINDS[1:]]
MORE = [("Wf(z), diagonal", "clamped"), ("skip", "nudged")]


@pytest.mark.parametrize(
    ("name", "phase"),
    [*RESTS, *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE)],
)
def test_it_rests_where_newton_rests(net, name, phase):
    """A rest point of another energy (a precision or slope forgotten) teaches another net."""
    program, params, x, y = net(name)
    at = phases(x, y)[phase]
    rest = un.relax(program, params, at, METHOD, 1e-12, certify=False)
    distance, least = newton_step(program, params, at, rest)
    assert distance < 1e-10 and least > 0


@pytest.mark.parametrize("name", ["f(Wz), full", "Wf(z), diagonal", "skip"])
def test_the_jacobian_is_that_of_the_net(net, name):
    """A wrong K still descends, by backtracking, but slowly: only its entries show the fault."""
    import jax
    import jax.numpy as jnp

    program, params, x, y = net(name)
    first = name[0] != "W"

    def out(eps, p, row):
        z = low = jnp.asarray(row)
        for k in (1, 2, 3):
            if first:
                z = p[f"W{k}"] @ z + p[f"b{k}"]
                z = z if k == 3 else jnp.tanh(z)
                z = z + p["W1_3"] @ low if k == 3 and "W1_3" in p else z
            else:
                z = p[f"W{k}"] @ (z if k == 1 else jnp.tanh(z)) + p[f"b{k}"]
            z = z if k == 3 else z + eps[f"z{k}"]
            low = z if k == 1 else low
        return z

    with program.precision:
        net_, start = coordinates(program.clamped, params, un.Phase.free({"x": x, "y": y}))
        eps = {n: 0.3 * rng(7).normal(size=v.shape) for n, v in start.items()}
        misfit = net_.misfit(eps)
        k = net_.jacobian(net_.states(eps, misfit))
        for i in range(BATCH):
            at = {n: jnp.asarray(e[0, i]) for n, e in eps.items()}
            np.testing.assert_allclose(misfit[0, i], y[i] - out(at, params, x[i]), atol=1e-12)
            wanted = jax.jacobian(out)(at, params, x[i])
            for n in wanted:
                found = np.broadcast_to(k[n], (1, BATCH, *wanted[n].shape))[0, i]
                np.testing.assert_allclose(found, wanted[n], rtol=0, atol=1e-12)


@pytest.fixture(scope="module")
def strong():
    """A net with saturated units and far targets, where whole steps overshoot."""
    program = un.emit(un.energies.predictive(SIZES), un.costs.squared())
    return program, params_of(program, gain=4.0), *data(scale=6.0, batch=24)


def energies(program, params, x, y, steps):
    """F after every step, (steps + 1, batch): with backtracking, and of whole steps."""
    held = program.clamped
    phase = un.Phase.free({"x": x, "y": y})
    with program.precision:
        net_, state = coordinates(held, params, phase)
        damped, whole = [], []
        import jax

        none = np.zeros((1, len(x)), bool)

        def damp(s):
            at = net_.errors(s)
            return METHOD._descend(net_, s, at, net_.gradient(s, *at), none)[0]

        step = jax.jit(damp)

        def bare(s):
            eps, r = net_.errors(s)
            best, _ = net_.minimiser(s, eps, r)
            return net_.states(best, net_.misfit(best))

        bare = jax.jit(bare)
        calm, wild = state, state
        for _ in range(steps + 1):
            damped.append(np.asarray(net_.system.energy(calm))[0])
            whole.append(np.asarray(net_.system.energy(wild))[0])
            calm, wild = step(calm), bare(wild)
    return np.array(damped), np.array(whole)


def test_no_step_raises_the_energy_of_any_sample(strong):
    """Inference that climbs may settle at a worse minimum than the forward pass it began from."""
    damped, whole = energies(*strong, 12)
    rises = np.diff(damped, axis=0)
    assert np.all(rises <= 1e-13 * np.abs(damped[:-1]))
    assert np.all(damped[-1] < 0.5 * damped[0])
    # The control: without backtracking some sample climbs, and some never comes to rest.
    assert np.max(np.diff(whole, axis=0)) > 0.1
    assert np.max(np.abs(whole[-1] - whole[-2])) > 1e-3


def test_hard_samples_come_to_rest_whatever_their_batch(strong):
    """Where the misfit stays large Newton must finish, for these samples and no others."""
    program, params, x, y = strong
    phase = un.Phase.clamped(x, y)
    rest = un.relax(program, params, phase, METHOD, 1e-11, certify=False)
    distance, least = newton_step(program, params, phase, rest)
    assert distance < 1e-9 and least > 0
    for i in (0, 5):
        one = un.Phase.clamped(x[i : i + 1], y[i : i + 1])
        alone = un.relax(program, params, one, METHOD, 1e-11, certify=False)
        assert alone.steps[0] == rest.steps[i]
        np.testing.assert_allclose(alone.state["z1"][0], rest.state["z1"][i], rtol=0, atol=1e-10)


def test_it_may_start_anywhere(net):
    """Errors remembered from a forward pass, and not measured, would be those of another state."""
    program, params, x, y = net("f(Wz), full")
    phase = un.Phase.nudged(x, y, 0.7)
    rest = un.relax(program, params, phase, METHOD, certify=False)
    start = {n: v + 0.1 for n, v in rest.state.items()}
    again = un.relax(program, params, phase, METHOD, start=start, certify=False)
    assert np.max(again.steps) > 0
    np.testing.assert_allclose(again.state["z2"], rest.state["z2"], rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["f(Wz), full", "skip"])
def test_passes_after_a_gentle_nudge_leave_a_force_of_third_order(net, name):
    """The cheap first step is only worth it if it nearly arrives: 10 backward sweeps cost more.

    The nudge is O(β); the first pass leaves O(β²), the second, along the secant, O(β³).
    """
    program, params, x, y = net(name)

    def left(beta, **more):
        phase = un.Phase.nudged(x, y, beta)
        method = un.GaussNewton(max_steps=1)
        rest = un.relax(program, params, phase, method, 1e-14, throw=False, certify=False, **more)
        force = program.force(rest.state, params, phase)
        return rest, np.sqrt(sum(np.sum(f**2, axis=-1) for f in force.values()))

    (_, coarse), (rest, fine) = left(4e-3), left(2e-3)
    assert np.all(np.abs(np.log2(coarse / fine) - 3.0) < 0.3)
    # The residual told is that of the state returned, though no forward pass measured it.
    size = np.sqrt(sum(np.sum(s**2, axis=-1) for s in rest.state.values()))
    np.testing.assert_allclose(rest.residual, fine / np.maximum(1, size), rtol=1e-4, atol=1e-15)
    # From elsewhere the secant has no first point, and the residual is still the true one.
    start = {n: v + 0.01 for n, v in rest.state.items()}
    rest, force = left(2e-3, start=start)
    size = np.sqrt(sum(np.sum(s**2, axis=-1) for s in rest.state.values()))
    np.testing.assert_allclose(rest.residual, force / np.maximum(1, size), rtol=1e-4, atol=1e-15)


def test_predictive_coding_learns_with_it(net):
    """A method that relax takes and estimators do not is of no use in training."""
    program, params, x, y = net("f(Wz), full")
    rest = un.relax(program, params, un.Phase.clamped(x, y), METHOD, 1e-12, certify=False)
    found = un.PredictiveCoding(method=METHOD, certify=False)(program, params, x, y).grad
    rule = program.clamped.rule(rest.state, params, un.Phase.free({"x": x, "y": y}))
    assert un.relative_error(found, {k: v.mean(axis=0) for k, v in rule.items()}) < 1e-9


def test_float32_reaches_its_tolerance():
    """Energies equal to rounding must not be taken for a step that climbs."""
    program = un.emit(un.energies.predictive([20, 64, 64, 10]), un.costs.squared(), dtype="float32")
    r = rng(5)
    x, y = r.normal(size=(16, 20)), r.normal(size=(16, 10))
    rest = un.relax(program, program.init(0), un.Phase.clamped(x, y), METHOD, certify=False)
    assert rest.converged and rest.tol == 1e-5 and rest.state["z1"].dtype == np.float32


def refused(program, phase, match, method=METHOD):
    with pytest.raises(InputError, match=match) as caught:
        un.relax(program, program.init(0), phase, method)
    assert str(caught.value).count(". ") == 0


def test_what_has_no_error_coordinates_is_refused(net):
    """An inapplicable method that runs returns the rest point of another problem."""
    program, _, x, y = net("f(Wz), full")
    hopfield = un.emit(un.energies.hopfield(SIZES), un.costs.squared())
    refused(hopfield, un.Phase.free(x), "layers with predictions")
    entropy = un.emit(un.energies.predictive(SIZES), un.costs.cross_entropy())
    refused(entropy, un.Phase.nudged(x, y, 0.1), "squared")
    refused(un.emit(un.energies.predictive(SIZES)), un.Phase.free(x), "clamped layer")
    refused(program, un.Phase.nudged(x, y, 0.1 + 0.1j), "real nudge")
    with pytest.raises(InputError, match="halvings"):
        un.GaussNewton(halvings=-1)
