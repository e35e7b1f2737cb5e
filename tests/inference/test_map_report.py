"""Oracle: formulas of Gaussians, and pm.find_MAP; off the Gaussians, the first order in T."""

import numpy as np
import pytest

from tests.inference.laws import SQUARED, bell, chain, pair
from unified.base.errors import InputError
from unified.inference import map_report


def test_map_is_the_rest_point_exactly_for_gaussians():
    """D1: the claim of the whole toolkit, relaxation = MAP = posterior mean, by three routes."""
    energy, cost, params, x, y = bell()
    found = map_report(energy, cost, params, x, y, beta=0.7, temperature=0.5, pymc=False)
    hand = np.linalg.solve(params["A"] + 0.7 * np.eye(20), params["b"] + params["U"] @ x + 0.7 * y)
    assert np.max(np.abs(found.map - hand)) <= 1e-12 and found.distance("closed_form") <= 1e-12
    assert found.mean is None and "MAP = mean" in repr(found)
    deep = map_report(*chain(), beta=0.7, temperature=0.5, pymc=False)
    assert deep.distance("closed_form") <= 1e-12


def test_off_the_gaussians_three_places():
    """D3: a report that called the MAP the mean would hide a bias of a tenth of a deviation."""
    found = map_report(*pair(), temperature=0.2, key=0, pymc=False, draws=2000)
    gap = (found.mean - found.mean_predicted) / found.mean_se
    first = (found.mean - found.map) / found.mean_se
    assert np.max(np.abs(first)) > 4
    assert np.linalg.norm(gap) < 0.6 * np.linalg.norm(first)
    apart = np.abs(found.mean_predicted - found.marginal_predicted) / found.sd
    assert np.max(apart) > 0.02  # the grid of test_laplace has the exact places
    assert np.max(np.abs(found.marginal - found.marginal_predicted) / found.marginal_se) < 6
    assert set(found.to_xarray().data_vars) >= {"map", "mean", "marginal", "sd_laplace"}
    assert "marginal modes vs MAP" in repr(found)
    with pytest.raises(InputError, match="key"):
        map_report(*pair(), pymc=False)


@pytest.mark.slow
@pytest.mark.parametrize("net", [bell, chain, pair])
def test_pymc_finds_the_same_mode(net):
    """The rest point must be what PyMC, which knows nothing of relaxation, calls the MAP."""
    found = map_report(*net(), temperature=0.2, key=0, draws=2000)
    assert found.distance("pymc") < 1e-6


def test_cost_is_the_shared_one():
    """The laws of these tests share one cost, so that a program is compiled once."""
    assert bell()[1] is SQUARED is pair()[1]
