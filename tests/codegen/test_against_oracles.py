"""Oracle: explicit SymPy instances (50 digits) and JAX differentiating the energy."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings

import unified as un
from tests.codegen.oracle import answers, autodiff, eager, point, truth, worst
from tests.strategies import energies
from tests.symbolic.test_energy import LIBRARY, sizes_of
from tests.tolerances import TOL

CLOSE = TOL["float64"].exact
CALM = dict(deadline=None, database=None, suppress_health_check=list(HealthCheck))
CONCRETE = {k: e for k, e in LIBRARY.items() if k != "hopfield"} | {
    "hopfield": un.energies.hopfield([2, 3, 2]),
    "hopfield, sigmoid": un.energies.hopfield([2, 2, 2], rho="sigmoid"),
}


def check_numpy(made):
    energy, dims = made
    program = un.emit(energy, un.costs.squared(), backend="numpy", cache=False)
    values = point(program, dims, seed=1)
    errors = worst(answers(program, values), truth(program, dims, values))
    assert max(errors.values()) < CLOSE, (errors, energy)


def check_jax(made):
    energy, dims = made
    numpy = un.emit(energy, un.costs.squared(), backend="numpy", cache=False)
    program = un.emit(energy, un.costs.squared(), cache=False)
    values = point(program, dims, seed=2)
    eager(program)
    ours = answers(program, values)
    errors = worst(ours, answers(numpy, values))
    assert max(errors.values()) < CLOSE, (errors, energy)
    errors = worst(ours, autodiff(program, values))
    assert max(errors.values()) < CLOSE, (errors, energy)


@seed(20)
@settings(max_examples=25, **CALM)
@given(energies())
def test_random_energies_in_numpy_agree_with_sympy(made):
    """A wrong derivative in generated code trains every user's own energy wrongly."""
    check_numpy(made)


@seed(21)
@settings(max_examples=4, **CALM)
@given(energies())
def test_random_energies_in_jax_agree_with_numpy_and_autodiff(made):
    """The two printers could spell one operation differently, or share a wrong derivative."""
    check_jax(made)


@pytest.mark.slow
@seed(22)
@settings(max_examples=200, **CALM)
@given(energies(depth=4))
def test_many_random_energies_in_numpy_agree_with_sympy(made):
    """Rare combinations of nodes (a diagonal inside an inverse) are only met in numbers."""
    check_numpy(made)


@pytest.mark.slow
@seed(23)
@settings(max_examples=200, **CALM)
@given(energies())
def test_many_random_energies_in_jax_agree_with_numpy_and_autodiff(made):
    """As above, for the backend that trains."""
    check_jax(made)


@pytest.mark.parametrize("cost", [un.costs.squared(), un.costs.cross_entropy()])
@pytest.mark.parametrize("name", CONCRETE)
def test_library_energies_agree_with_sympy(name, cost):
    """These are the formulas nearly everybody will train with."""
    energy = CONCRETE[name]
    program = un.emit(energy, cost, backend="numpy", cache=False)
    dims = sizes_of(energy)
    values = point(program, dims, seed=3)
    for p in energy.params:  # a precision must be positive definite
        if p.symmetric:
            values[p.name] = values[p.name] + 4 * np.eye(len(values[p.name]))
    errors = worst(answers(program, values), truth(program, dims, values))
    assert max(errors.values()) < CLOSE, errors
