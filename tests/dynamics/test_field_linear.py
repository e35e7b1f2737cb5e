"""Oracle: NumPy's dense algebra on the Jacobian, GMRES on all units, and counted steps."""

import jax
import numpy as np
import pytest

import unified as un
from tests.tolerances import TOL
from unified.dynamics import linear
from unified.dynamics.field_linear import Reduced, remaining_units, split_layers
from unified.dynamics.field_system import Augmented, Costates, FieldSystem
from unified.dynamics.relax import phase_values

CLOSE = TOL["float64"].derived


def net_of(sizes, cost):
    """A layered net, what three samples of it need at a nudge, and random states."""
    program = un.emit(un.fields.asymmetric(sizes), cost)
    r = np.random.default_rng(0)
    params = {k: v + 0.3 * r.normal(size=v.shape) for k, v in program.init(0).items()}
    x, y = r.normal(size=(3, sizes[0])), np.eye(sizes[-1])[r.integers(sizes[-1], size=3)]
    values, _ = phase_values(program, params, un.Phase.nudged(x, y, 0.3))
    return program, values, {f"s{k}": r.normal(size=(1, 3, n)) for k, n in enumerate(sizes) if k}


@pytest.mark.parametrize(("kind", "cost"), [
    (FieldSystem, un.costs.squared()), (FieldSystem, un.costs.cross_entropy()),
    (Augmented, un.costs.cross_entropy()), (Costates, un.costs.squared()),
], ids=["field squared", "field cross entropy", "augmented", "costates"])  # fmt: skip
def test_eliminating_layers_solves_the_whole_system(kind, cost):
    """A layer wrongly taken for diagonal would leave Newton steps that never get to rest."""
    with jax.enable_x64(True):
        program, values, state = net_of([3, 7, 4, 2], cost)
        shift = np.array([[0.0, 0.4, 2.0]])
        f = {n: 1.0 + np.cos(v) for n, v in state.items()}

        def run(state, shift):
            system = kind(program, values) if kind is FieldSystem else kind(program, values, state)
            system.begin(state)
            reduced = Reduced(system, state, shift)
            both = [system.flat(reduced.solve(f, rtol)) for rtol in (None, 1e-14 + 0 * shift)]
            return system.jacobian(system.flat(state)), both, system.flat(f)

        jacobian, both, right = jax.jit(run)(state, shift)
        matrix = shift[..., None, None] * np.eye(13) - np.asarray(jacobian)
        exact = np.linalg.solve(matrix, np.asarray(right)[..., None])[..., 0]
        for found in both:
            np.testing.assert_allclose(found, exact, rtol=1e3 * CLOSE, atol=1e3 * CLOSE)


def test_which_layers_are_eliminated():
    """Softmax ties the outputs to each other: only the widest layer may go then, else two go."""
    with jax.enable_x64(True):
        found = []
        for cost in (un.costs.squared(), un.costs.cross_entropy()):
            program, values, state = net_of([3, 7, 4, 2], cost)
            found.append(FieldSystem(program, values))
            found[-1].begin(state)
        plain, tied = found
        assert split_layers(plain) == (("s1", "s3"), ("s2",)) and remaining_units(plain) == 4
        assert split_layers(tied) == (("s1",), ("s2", "s3")) and remaining_units(tied) == 6


@pytest.mark.parametrize("size", ["n", "n m"])
def test_fields_without_such_layers_and_without_others(size):
    """The two ends: one dense layer, and units that meet nobody."""
    with jax.enable_x64(True):
        axes = un.axes(size)
        axes = axes if isinstance(axes, tuple) else (axes,)
        s, w = un.var("s", *axes), un.var("W", axes[0], axes[0])
        shape = (3, 2)[: len(axes)]
        r = np.random.default_rng(1)
        given = {"W": 0.3 * r.normal(size=(3, 3)), "beta": np.zeros(1)}
        start = {"s": r.normal(size=(1, 1, *shape))}
        tanh, sizes = un.fn("tanh"), dict(zip(axes, shape, strict=True))
        for field, left in ((un.Field({s: w @ tanh(s) - s}, [w], sizes=sizes), np.prod(shape)),
                            (un.Field({s: tanh(s) - 2 * s}, sizes=sizes), 0)):  # fmt: skip
            program = un.emit(field)

            def run(state, program=program, left=left):
                system = FieldSystem(program, given)
                system.begin(state)
                assert remaining_units(system) == left
                solved = Reduced(system, state, np.zeros((1, 1))).solve(state)
                return system.jacobian(system.flat(state)), system.flat(solved)

            jacobian, found = map(np.asarray, jax.jit(run)(start))
            product = (-jacobian @ found[..., None])[..., 0]
            np.testing.assert_allclose(product.reshape(-1), start["s"].reshape(-1),
                                       atol=100 * CLOSE)  # fmt: skip


@pytest.fixture(scope="module")
def sharp():
    """A net as training leaves it: feedback so strong that sweeps hardly contract, or expand."""
    program = un.emit(un.fields.asymmetric([8, 70, 6]), un.costs.squared())
    r = np.random.default_rng(2)
    w1, w2 = 0.5 * r.normal(size=(8, 70)) / 8**0.5, r.normal(size=(70, 6)) / 70**0.5
    params = program.init(0) | {"W1": w1, "W2": w2}
    params["B1"] = 0.5 * r.normal(size=(70, 6)) / 70**0.5 - 0.6 * w2
    return program, params, r.normal(size=(16, 8)), np.eye(6)[r.integers(6, size=16)]


def test_a_sharp_net_rests_after_a_few_newton_steps(sharp):
    """Training spends its time here: some samples content with sweeps, others in need of GMRES over
    all units, the batch once took 22 steps, almost every one at the price of both."""
    program, params, x, y = sharp
    phase = un.Phase.free(x)
    found = un.Dyadic(0.5, tol=1e-6, certify=False)(program, params, x, y)
    free, apart = found.equilibria
    state = {n: free.state[n] for n in ("s1", "s2")}
    whole = un.jacobian(program, state, params, phase)
    own = -np.einsum("bii->bi", whole)
    there, back = whole[:, :70, 70:] / own[:, :70, None], whole[:, 70:, :70] / own[:, 70:, None]
    radius = np.abs(np.linalg.eigvals(back @ there)).max(axis=1)
    # What makes the case hard, at rest points that are stable.
    assert np.min(radius) < 0.6 < np.max(radius)
    assert np.all(np.linalg.eigvals(whole).real < -0.9)
    assert free.steps.max() <= 4
    assert np.all(apart.steps == 1)  # co-states obey a linear equation, whatever the net
    pull = np.concatenate([np.zeros((16, 70)), 0.5 * (state["s2"] - y)], axis=1)
    exact = np.linalg.solve(np.swapaxes(whole, 1, 2), pull[..., None])[..., 0]
    costate = np.concatenate([apart.state["adj_s1"], apart.state["adj_s2"]], axis=1)
    np.testing.assert_allclose(costate, exact, atol=1e-6)
    other = un.relax(program, params, phase, un.Newton(linear="cg"), tol=1e-6, certify=False)
    assert other.steps.max() <= 8
    for n in state:
        np.testing.assert_allclose(state[n], other.state[n], atol=1e-5)


def test_what_the_energies_eliminate_is_unchanged():
    """One rule for energies and fields; both directions of a coupling count."""
    with jax.enable_x64(True):
        program = un.emit(un.energies.hopfield([3, 7, 4, 2]), un.costs.squared())
        values, _ = phase_values(program, program.init(0), un.Phase.free(np.zeros((1, 3))))
        system = un.dynamics.system.System(program, values)
        system.begin({f"s{k}": np.zeros((1, 1, n)) for k, n in ((1, 7), (2, 4), (3, 2))})
        assert linear.eliminated(system) == ("s1", "s3")
