"""Oracle: closed forms of the mode, PyMC's optimiser, and one that is cut short."""

import numpy as np
import pytest

import unified as un
from tests.inference.cases import WIDE, deep_linear, hopfield, linear_gaussian
from unified.base.errors import ConvergenceError, InputError
from unified.base.pymc_versions import interpreted


@pytest.fixture(autouse=True)
def quick():
    """PyTensor without a C compiler."""
    with interpreted():
        yield


@pytest.mark.parametrize(
    "case", [linear_gaussian(WIDE, 20, 10), deep_linear()], ids=["n=20, m=10", "chain"]
)
def test_the_nudged_rest_point_is_the_posterior_mean(case):
    """Theory D1: this is what "relaxation is inference" means."""
    rest = un.inference.map_estimate(*case.given, **case.settings)
    assert np.max(np.abs(case.problem.stack(rest.state) - case.mean)) <= 1e-12
    assert rest.converged and float(rest.certificate.lambda_min) > 0


def test_temperature_does_not_move_the_mode_and_beta_does():
    """A mode that follows T would be a mean."""
    case = hopfield()
    cold, warm = (
        un.inference.map_estimate(*case.given, beta=0.7, temperature=t) for t in (0.1, 10.0)
    )
    strong = un.inference.map_estimate(*case.given, beta=2.0)
    for k in cold.state:
        np.testing.assert_array_equal(cold.state[k], warm.state[k])
    assert np.max(np.abs(cold.state["s2"] - strong.state["s2"])) > 0.01


def test_find_map_agrees_and_is_less_exact():
    """The comparison is with PyMC's own optimiser, not with a second copy of ours."""
    case = deep_linear()
    found = un.inference.find_map_pymc(*case.given, **case.settings)
    ours = un.inference.map_estimate(*case.given, **case.settings)
    errors = [np.max(np.abs(case.problem.stack(f.state) - case.mean)) for f in (found, ours)]
    assert found.converged and 1e2 * errors[1] < errors[0] < 1e-6
    assert found.residual > float(ours.residual)


def test_find_map_that_stopped_at_its_limit_is_reported():
    """PyMC returns the point it had, as if it were the mode."""
    case = deep_linear()
    found = un.inference.find_map_pymc(*case.given, **case.settings, maxeval=3, throw=False)
    assert found.status == "stopped at its evaluation limit" and not found.converged
    assert found.residual > 1e-6
    with pytest.raises(ConvergenceError, match=r"evaluation limit.*maxeval.*map_estimate"):
        un.inference.find_map_pymc(*case.given, **case.settings, maxeval=3)
    with pytest.raises(InputError, match="maxeval"):
        un.inference.find_map_pymc(*case.given, maxeval=0)
