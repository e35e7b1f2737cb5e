"""Oracle: the JAX program of the same energy, and PyTensor differentiating the printed energy."""

import numpy as np
import pytest

import unified as un
from tests.codegen.oracle import answers, eager, point, split, worst
from unified.base.errors import InputError

pytensor = pytest.importorskip("pytensor")
CLOSE = 1e-10  # the bar of values and gradients against JAX
e = un.energies
ENERGIES = {
    "hopfield": e.hopfield([2, 3, 2]),
    "hopfield, sigmoid": e.hopfield([2, 2, 2], rho="sigmoid"),
    "hopfield, hard": e.hopfield([2, 2, 2], rho="hard_sigmoid"),
    "hopfield, skip": e.hopfield([2, 3, 2, 2], skip=[(1, 3)]),
    "recurrent": e.recurrent(3, 2),
    "cohen_grossberg": e.cohen_grossberg([2, 3, 2]),
    "dense_memory": e.dense_memory(4, 3, 2),
    "predictive": e.predictive([2, 2, 3]),
    "predictive, relu": e.predictive([2, 3, 2], "relu"),
    "predictive, diagonal": e.predictive([2, 3, 2], precision="diagonal"),
    "predictive, full": e.predictive([2, 2, 2], precision="full"),
    "predictive, Wf": e.predictive([2, 3, 2], convention="Wf(z)", precision="full"),
    "free_energy": e.free_energy(e.predictive([2, 3, 2], "identity", "diagonal")),
    "deep_linear": e.deep_linear([2, 3, 3, 2], "depth"),
    "linear_gaussian": e.linear_gaussian(3, 2),
    "quadratic_chain": e.quadratic_chain([2, 3, 2]),
    "linear_gaussian_chain": e.linear_gaussian_chain(3, 2, 2, 1),
    "excitatory_inhibitory": e.excitatory_inhibitory(3, 2, 2),
    "conv_hopfield": e.conv_hopfield((4, 4, 1), [2, 2]),
    "conv_predictive": e.conv_predictive((4, 4, 1), [2, 2]),
    "layered": e.layered([e.Layer("s1", 3, source="x", size=2), e.Layer("s2", 2)])
    if False else e.hopfield([2, 2, 2, 2], rho="tanh"),
}  # fmt: skip


def drawn(program, seed):
    """A point of the program with precisions made positive definite."""
    dims = {a.name: k for a, k in program.model.sizes.items()}
    values = point(program, dims, seed)
    for p in program.model.params:
        if p.symmetric:
            values[p.name] = values[p.name] + 4 * np.eye(len(values[p.name]))
        elif p in program.model.positive:
            values[p.name] = np.abs(values[p.name]) + 0.5
    return values


def gradient_graph(program, values):
    """−∂F/∂s by PyTensor's own derivative of the printed energy, as one vector."""
    import pytensor.tensor as pt

    state, params, phase, _ = split(program, values)
    symbols = {k: pt.tensor(k, shape=v.shape, dtype="float64") for k, v in state.items()}
    energy = program.energy(symbols, params, phase)
    slopes = pytensor.grad(energy, list(symbols.values()))
    run = pytensor.function(list(symbols.values()), slopes)
    return -np.concatenate([np.ravel(g) for g in run(*state.values())])


@pytest.mark.parametrize("cost", ["squared", "cross_entropy"])
@pytest.mark.parametrize("name", ENERGIES)
def test_library_energies_agree_with_jax(name, cost):
    """A posterior would be sampled from another energy than the one that relaxes."""
    energy, cost = ENERGIES[name], getattr(un.costs, cost)()
    jax = un.emit(energy, cost, cache=False)
    eager(jax)
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        program = un.emit(energy, cost, backend="pytensor", cache=False)
        values = drawn(program, seed=5)
        told = answers(jax, values)
        errors = worst(answers(program, values), told)
        assert max(errors.values()) < CLOSE, errors
        np.testing.assert_allclose(
            gradient_graph(program, values), told["force"], rtol=CLOSE, atol=CLOSE
        )
