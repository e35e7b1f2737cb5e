"""Oracle: every energy written out entry by entry, SymPy's derivatives, 50 digits."""

import numpy as np
import pytest

import unified as un
from tests.codegen.oracle import answers, point, truth, worst
from tests.energies.nets import ENERGIES, params_of
from tests.tolerances import TOL


@pytest.mark.parametrize("name", ENERGIES)
def test_generated_code_agrees_with_sympy(name):
    """A wrong force, rule or Hessian of one energy would only show as learning that stalls."""
    energy = ENERGIES[name]()
    program = un.emit(energy, un.costs.squared(), backend="numpy", cache=False)
    dims = {a.name: n for a, n in energy.sizes.items()}
    values = point(program, dims, seed=3) | params_of(program)
    errors = worst(answers(program, values), truth(program, dims, values))
    assert max(errors.values()) < TOL["float64"].exact, errors


def test_every_energy_of_the_library_is_listed_and_told_by_the_command():
    """What `unified energies` does not know, its readers will not find."""
    from unified.commands.energies import SIZES

    makers = {n for n in SIZES if callable(getattr(un.energies, n))}
    assert {"cohen_grossberg", "dense_memory", "deep_linear", "quadratic_chain",
            "linear_gaussian_chain"} <= makers  # fmt: skip


@pytest.mark.parametrize("scale", [1.0, 40.0, 400.0])
def test_the_cohen_grossberg_well_does_not_overflow(scale):
    """log cosh written as SymPy does is NaN from x = 400 on, long before a net is broken."""
    program = un.emit(un.energies.cohen_grossberg([1, 2]), backend="numpy", cache=False)
    params = {"W1": np.zeros((1, 2)), "b1": np.zeros(2)}
    s = scale * np.array([-1.0, 1.0])
    found = program.energy({"s1": s}, params, un.Phase.free(np.zeros(1)))
    want = 2 * (scale * np.tanh(scale) - np.logaddexp(scale, -scale) + np.log(2))
    assert found == pytest.approx(want, rel=1e-12)
