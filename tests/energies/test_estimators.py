"""Every estimator on the new energies, against the exact gradient and finite differences of it."""

import numpy as np
import pytest

import unified as un
from tests.energies.nets import ENERGIES, data_of, params_of

# The richest energy of each family; the others differ by terms that test_sympy has checked.
FAST = ("cohen-grossberg", "dense memory", "coding, diagonal")
SLOW = ("cohen-grossberg, skips", "hopfield, skips", "coding, skips", "coding, skips inside",
        "deep linear", "deep linear, depth", "quadratic chain", "free energy", "state space",
        "dense memory, constant")  # fmt: skip
NETS = [*FAST, *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)]


@pytest.fixture(scope="module")
def case():
    """A function: program, parameters and data of a net, made once."""
    made = {}

    def get(name):
        if name not in made:
            program = un.emit(ENERGIES[name](), un.costs.squared())
            made[name] = (program, params_of(program), *data_of(program))
        return made[name]

    return get


@pytest.mark.parametrize("name", NETS)
def test_the_exact_gradient_is_the_slope_of_the_loss(case, name):
    """Relaxed again at moved parameters: nothing of the energy's derivatives is used twice."""
    program, params, x, y = case(name)
    exact = un.Implicit()(program, params, x, y)
    directions = un.random_directions(params, len(params) + 1, seed=0)
    slopes = un.directional_differences(program, params, x, y, directions)
    sums = [sum(np.sum(exact.grad[k] * d[k]) for k in d) for d in directions]
    np.testing.assert_allclose(sums, slopes, atol=1e-9)


@pytest.mark.parametrize("name", NETS)
def test_centered_nudges_find_it_to_second_order(case, name):
    """An energy whose rule or force is off by a factor would keep the first digit only."""
    program, params, x, y = case(name)
    exact = un.Implicit()(program, params, x, y).grad
    errors = [un.relative_error(un.Centered(b)(program, params, x, y).grad, exact)
              for b in (1e-3, 4e-3)]  # fmt: skip
    assert errors[0] < 1e-4 and errors[1] / errors[0] == pytest.approx(16, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_holomorphic_nudges_find_it_to_many_digits(case, name):
    """Complex states go through every function of an energy; one that is not analytic shows."""
    program, params, x, y = case(name)
    exact = un.Implicit()(program, params, x, y).grad
    found = un.Holomorphic(0.005, 8)(program, params, x, y).grad
    assert un.relative_error(found, exact) < 1e-8


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in (*FAST, *SLOW) if "memory" not in n])
def test_clamped_coding_is_the_gradient_of_the_equilibrated_energy(case, name):
    """The rule of one clamped phase, on any energy, is exact for what it says it is exact for.

    (A dense memory is one state, the output: clamped, nothing would be left to relax.)
    """
    program, params, x, y = case(name)
    of = un.PredictiveCoding()
    found = of(program, params, x, y).grad
    directions = un.random_directions(params, len(params) + 1, seed=1)
    slopes = un.directional_differences(program, params, x, y, directions, of=of)
    sums = [sum(np.sum(found[k] * d[k]) for k in d) for d in directions]
    np.testing.assert_allclose(sums, slopes, atol=1e-9)


@pytest.mark.parametrize("name", ["deep linear", "coding, skips inside"])
def test_one_phase_coding_reads_skips_and_refuses_precisions(case, name):
    """Where the forward pass is the rest point one phase is enough; a precision's rule is not."""
    program, params, x, y = case(name)
    rule = un.PredictiveCoding(0.01)
    if program.model.positive:
        with pytest.raises(un.errors.InputError, match="a rule for P1, P2, P3 that does not"):
            rule(program, params, x, y)
        return
    exact = un.Implicit()(program, params, x, y).grad
    errors = [un.relative_error(un.PredictiveCoding(b)(program, params, x, y).grad, exact)
              for b in (1e-3, 2e-3)]  # fmt: skip
    assert errors[0] < 0.02 and errors[1] / errors[0] == pytest.approx(2, rel=0.05)
