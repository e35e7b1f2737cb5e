"""Oracle: the JAX program of the same energy, and PyTensor differentiating the printed energy."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

import unified as un
from tests.codegen.oracle import answers, eager, point, split, worst
from unified.base.errors import InputError
from unified.base.pymc_versions import interpreted

CLOSE = 1e-10  # the bar of values and gradients against JAX
e = un.energies
ENERGIES = {
    "hopfield": e.hopfield([2, 3, 2]),
    "hopfield, sigmoid": e.hopfield([2, 2, 2], rho="sigmoid"),
    "hopfield, skip": e.hopfield([2, 3, 2, 2], rho="hard_sigmoid", skip=[(1, 3)]),
    "recurrent": e.recurrent(3, 2),
    "cohen_grossberg": e.cohen_grossberg([2, 3, 2]),
    "dense_memory": e.dense_memory(4, 3, 2),
    "predictive": e.predictive([2, 2, 3]),
    "predictive, diagonal": e.predictive([2, 3, 2], "relu", precision="diagonal"),
    "predictive, full": e.predictive([2, 2, 2], precision="full"),
    "predictive, Wf": e.predictive([2, 3, 2], convention="Wf(z)", precision="full"),
    "free_energy": e.free_energy(e.predictive([2, 3, 2], "identity", "diagonal")),
    "deep_linear": e.deep_linear([2, 3, 3, 2], "depth"),
    "linear_gaussian": e.linear_gaussian(3, 2),
    "quadratic_chain": e.quadratic_chain([2, 3, 2]),
    "linear_gaussian_chain": e.linear_gaussian_chain(3, 2, 2, 1),
    "excitatory_inhibitory": e.excitatory_inhibitory(3, 2, 2),
    "conv_predictive": e.conv_predictive((4, 4, 1), [2], classes=2),
    "conv_hopfield": e.conv_hopfield((4, 4, 1), [2, 2], classes=2),
}
SLOW = {"conv_hopfield", "recurrent", "hopfield, sigmoid", "predictive", "deep_linear",
        "linear_gaussian_chain", "excitatory_inhibitory", "quadratic_chain"}  # fmt: skip
WHOLE = ("dense_memory", "predictive, full")
COSTS = {"squared": un.costs.squared(), "cross_entropy": un.costs.cross_entropy()}


@pytest.fixture(autouse=True)
def quick():
    """PyTensor without a C compiler: the same graph, run operation by operation."""
    with interpreted():
        yield


def drawn(program, seed):
    """A point of the program with precisions made positive definite."""
    values = point(program, {a.name: k for a, k in program.model.sizes.items()}, seed)
    for p in program.model.params:
        if p.symmetric:
            values[p.name] = values[p.name] + 4 * np.eye(len(values[p.name]))
        elif p in program.model.positive:
            values[p.name] = np.abs(values[p.name]) + 0.5
    return values


def graph_of(program, values):
    """F and −∂F/∂s by PyTensor's own derivative of the printed energy, as one vector."""
    state, params, phase, _ = split(program, values)
    symbols = {k: pt.tensor(k, shape=v.shape, dtype="float64") for k, v in state.items()}
    energy = program.energy(symbols, params, phase)
    slopes = pytensor.grad(energy, list(symbols.values()))
    found = pytensor.function(list(symbols.values()), [-energy, *slopes])(*state.values())
    return -np.concatenate([np.ravel(g) for g in found])


def check_graph(energy, cost):
    program = un.emit(energy, cost, backend="pytensor")
    values = drawn(program, seed=5)
    jax = un.emit(energy, cost)
    eager(jax)
    state, params, phase, _ = split(jax, values)
    told = [jax.energy(state, params, phase), *jax.force(state, params, phase).values()]
    told = np.concatenate([np.ravel(v) for v in told])
    np.testing.assert_allclose(graph_of(program, values), told, rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in ENERGIES]
)
def test_library_energies_and_gradients_agree_with_jax(name):
    """A posterior would be sampled from another energy than the one that relaxes."""
    check_graph(ENERGIES[name], COSTS["squared"])


def test_cross_entropy_agrees_with_jax():
    """The other cost: its log-sum-exp is spelled by hand."""
    check_graph(ENERGIES["hopfield"], COSTS["cross_entropy"])


def check_all(name, cost):
    """Every kind of function, run on numbers."""
    jax = un.emit(ENERGIES[name], cost)
    eager(jax)
    program = un.emit(ENERGIES[name], cost, backend="pytensor")
    values = drawn(program, seed=6)
    errors = worst(answers(program, values), answers(jax, values))
    assert max(errors.values()) < CLOSE, errors


@pytest.mark.parametrize("name", WHOLE)
def test_functions_on_numbers_agree_with_jax(name):
    """`program.force(...)` of this backend would be another function than that of the others."""
    check_all(name, COSTS["squared"])


@pytest.mark.slow
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("name", ENERGIES)
def test_every_function_of_the_library_agrees_with_jax(name, cost):
    """As above, all of them."""
    check_all(name, COSTS[cost])


def test_numbers_are_compiled_once_per_shape(monkeypatch):
    """A compilation at every call would make the backend unusable in a loop."""
    program = un.emit(e.linear_gaussian(3, 2), backend="pytensor", cache=False)
    made = []
    compile_ = pytensor.function
    monkeypatch.setattr(pytensor, "function", lambda *a, **k: made.append(a) or compile_(*a, **k))
    params = {"A": np.eye(3), "b": np.ones(3), "U": np.zeros((3, 2))}
    rows = np.arange(12.0).reshape(4, 3)
    for n, shift in ((4, 0.0), (4, 1.0)):
        phase = un.Phase.free(np.zeros((n, 2)))
        found = program.energy({"s": rows + shift}, params, phase)
        want = 0.5 * np.sum((rows + shift) ** 2, 1) - np.sum(rows + shift, 1)
        np.testing.assert_allclose(found, want, rtol=1e-14)
        if not shift:
            count = len(made)
    assert len(made) == count > 0


def test_what_a_graph_cannot_do_is_said():
    """A dense Hessian of symbols, or single precision, would fail somewhere inside PyTensor."""
    program = un.emit(e.linear_gaussian(3, 2), backend="pytensor")
    params = {"A": np.eye(3), "b": np.ones(3), "U": np.zeros((3, 2))}
    free = un.Phase.free(np.zeros(2))
    with pytest.raises(InputError, match="dense Hessian, got PyTensor variables"):
        program.hessian({"s": pt.vector("s")}, params, free)
    with pytest.raises(InputError, match="'float64' for PyTensor"):
        un.emit(e.linear_gaussian(3, 2), backend="pytensor", dtype="float32")


def test_what_is_fixed_is_named_alike_in_every_backend():
    """`to_pymc` hands NumPy's hoisted values to the PyTensor functions by name."""
    for name in ("hopfield", "dense_memory", "conv_predictive"):
        one, two = (
            un.emit(ENERGIES[name], COSTS["squared"], backend=b) for b in ("numpy", "pytensor")
        )
        assert one.module.signatures == two.module.signatures
