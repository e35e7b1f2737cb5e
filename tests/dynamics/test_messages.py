"""What layers tell each other once must be what each of them would work out for itself."""

import numpy as np
import pytest

import unified as un
from unified.dynamics.messages import Messages
from unified.dynamics.solve import Rest, relax_arrays
from unified.dynamics.system import System

NETS = {
    "chain": un.energies.hopfield([3, 6, 4, 2]),
    "skip": un.energies.hopfield([3, 6, 4, 2], skip=[(1, 3)]),
    "wide and narrow": un.energies.hopfield([3, 16, 16, 2]),
}


def made(name, betas, batch=5, seed=0):
    import jax.numpy as jnp

    program = un.emit(NETS[name], un.costs.squared())
    r = np.random.default_rng(seed)
    with program.precision:
        raw = {**program.init(seed), "x": r.normal(size=(batch, 3)), "y": r.normal(size=(batch, 2))}
        values = {k: jnp.asarray(v) for k, v in {**raw, "beta": np.asarray(betas)}.items()}
        sizes = {s.name: program.model.sizes[s.axes[0]] for s in program.model.states}
        state = {k: jnp.asarray(r.normal(size=(len(betas), batch, n))) for k, n in sizes.items()}
    return program, values, state


@pytest.mark.parametrize("name", NETS)
def test_messages_give_the_gradient_and_the_curvature(name):
    """Sweeps stop by what messages say; a part left out or counted twice is a wrong rest point."""
    program, values, state = made(name, [0.0, 0.3])
    with program.precision:
        system = System(program, values)
        system.begin(state)
        messages = Messages(system, state)
        read = messages.read(state, {n: messages.of(n, state[n]) for n in state})
        grad = system.gradient(state)
        for n in state:
            np.testing.assert_allclose(read[n][0], grad[n], rtol=0, atol=1e-13)
            np.testing.assert_allclose(
                read[n][1], system.layer_curvature(n, state), rtol=0, atol=1e-13
            )


@pytest.mark.parametrize("name", NETS)
def test_messages_of_one_nudge_serve_another(name):
    """Nudged phases go on from what the free one told; with its β told they rest elsewhere."""
    program, values, state = made(name, [0.0])
    nudged = {**values, "beta": np.asarray([0.2, -0.2])}
    method = un.FixedPoint(300)
    with program.precision:
        free = relax_arrays(program, values, state, method, 1e-10, keep=True)
        assert free.told is not None
        start = {k: np.repeat(v, 2, axis=0) for k, v in free.state.items()}
        options = {"backward": True}
        fresh = relax_arrays(program, nudged, start, method, 1e-10, **options)
        again = relax_arrays(program, nudged, start, method, 1e-10, told=free.told, **options)
        assert isinstance(again, Rest) and np.all(again.residual <= 1e-10)
        assert np.array_equal(fresh.steps, again.steps) and np.all(again.steps > 0)
        for k in state:
            np.testing.assert_allclose(again.state[k], fresh.state[k], rtol=0, atol=1e-13)


def test_a_step_costs_each_product_once():
    """The speed of sweeps is this: one product up and one down per matrix, residual included."""
    import jax

    program, values, state = made("chain", [0.0])
    with program.precision:
        system = System(program, values)
        system.begin(state)
        messages = Messages(system, state)

        def products(function, *args):
            return str(jax.make_jaxpr(function)(*args)).count("dot_general")

        assert [products(lambda v, n=n: messages.of(n, v), state[n]) for n in messages.names] == [
            1, 2, 1,
        ]  # fmt: skip
        told = {n: messages.of(n, state[n]) for n in messages.names}
        assert products(messages.read, state, told) == 0


def test_samples_that_settle_slowly_move_farther(monkeypatch):
    """A batch waits for its slowest samples; with one ω for all they took more than twice the
    sweeps. The rest point must not depend on how far anyone moved on the way."""
    from unified.dynamics import sweeps

    program = un.emit(un.energies.hopfield([8, 30, 30, 30, 5]), un.costs.squared())
    r = np.random.default_rng(0)
    params = {k: v * (1.6 if k in ("W2", "W3", "W4") else 1.0) for k, v in program.init(0).items()}
    phase = un.Phase.free(r.normal(size=(16, 8)))
    found = []
    for most in (sweeps.FARTHEST, sweeps.OVER):
        monkeypatch.setattr(sweeps, "FARTHEST", most)
        method = un.FixedPoint(400 + len(found))  # compiled once for each
        found.append(un.relax(program, params, phase, method, tol=1e-10, certify=False))
    own, same = found
    assert np.max(own.steps) < 0.6 * np.max(same.steps)
    for k in own.state:
        np.testing.assert_allclose(own.state[k], same.state[k], rtol=0, atol=1e-7)
