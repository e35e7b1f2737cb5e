"""Oracle: one sample at a time; and the array library's own dtype rules."""

import numpy as np
import pytest

import unified as un
from tests.codegen.oracle import eager
from tests.tolerances import TOL

RNG = np.random.default_rng(8)
X, Y = RNG.normal(size=(5, 3)), np.eye(2)[[0, 1, 1, 0, 1]]
STATE = {"s1": RNG.normal(size=(5, 4)), "s2": RNG.normal(size=(5, 2))}
ENERGY = un.energies.hopfield([3, 4, 2])


@pytest.fixture(scope="module", params=["jax", "numpy"])
def program(request):
    """A net with a cost, in each backend; not compiled, so that a test takes milliseconds."""
    made = un.emit(ENERGY, un.costs.squared(), backend=request.param)
    eager(made)
    return made


def every(program, state, params, phase):
    """All answers of a program as a flat dict of arrays."""
    whole = ("energy", "cost", "hessian")
    found = {kind: getattr(program, kind)(state, params, phase) for kind in whole}
    for kind in ("force", "rule"):
        answer = getattr(program, kind)(state, params, phase)
        found.update({f"{kind} {k}": v for k, v in answer.items()})
    answer = program.hvp(state, params, phase, state)
    return found | {f"hvp {k}": v for k, v in answer.items()}


def test_a_batch_is_its_samples(program):
    """A sum over the batch hidden anywhere would make results depend on who is beside whom."""
    params = program.init(1)
    whole = every(program, STATE, params, un.Phase.nudged(X, Y, 0.3))
    for k in range(5):
        state = {name: v[k] for name, v in STATE.items()}
        one = every(program, state, params, un.Phase.nudged(X[k], Y[k], 0.3))
        for name, v in one.items():
            assert v.shape == whole[name].shape[1:], name
            np.testing.assert_allclose(whole[name][k], v, rtol=1e-14, atol=1e-14)


def test_a_batch_of_one_keeps_its_axis(program):
    """Code written for batches would break on the last, partial one."""
    params = program.init(1)
    one = every(program, {k: v[:1] for k, v in STATE.items()}, params, un.Phase.free(X[:1]))
    assert one["hessian"].shape == (1, 6, 6) and one["energy"].shape == (1,)
    assert one["rule W1"].shape == (1, 3, 4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["jax", "numpy"])
def test_answers_have_the_programs_dtype_and_no_flag_is_set(backend, dtype):
    """A constant that lifts float32 to float64 halves the speed; a global flag breaks others."""
    import jax

    program = un.emit(ENERGY, un.costs.squared(), backend=backend, dtype=dtype)
    eager(program)
    found = every(program, STATE, program.init(1), un.Phase.nudged(X, Y, 0.3))
    assert {v.dtype for v in found.values()} == {np.dtype(dtype)}
    assert {v.dtype for v in program.init(0).values()} == {np.dtype(dtype)}
    assert not jax.config.jax_enable_x64
    assert jax.numpy.ones(1).dtype == np.float32


def test_float32_is_float64_to_its_own_precision():
    """A cancellation in the generated order of operations would show here first."""
    one, two = (un.emit(ENERGY, un.costs.squared(), backend="numpy", dtype=d)
                for d in ("float32", "float64"))  # fmt: skip
    params = two.init(1)
    small = every(one, STATE, params, un.Phase.nudged(X, Y, 0.3))
    for name, v in every(two, STATE, params, un.Phase.nudged(X, Y, 0.3)).items():
        tol = TOL["float32"].exact
        np.testing.assert_allclose(small[name], v, rtol=tol, atol=tol)


def test_initial_parameters_depend_on_the_key_only():
    """Seeds that repeat, or do not, decide what an error bar over seeds means."""
    import jax

    program = un.emit(ENERGY)
    one, again, other = program.init(3), program.init(3), program.init(4)
    assert all(np.array_equal(one[k], again[k]) for k in one)
    assert not np.array_equal(one["W1"], other["W1"])
    keyed = program.init(jax.random.key(3)), program.init(jax.random.key(3))
    assert np.array_equal(keyed[0]["W1"], keyed[1]["W1"])
