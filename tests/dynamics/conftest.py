"""Programs shared by the tests of this folder: compiling them is what takes time."""

import pytest

import unified as un
from tests.dynamics import nets


def emitted(energy, cost=None):
    return un.emit(energy, un.costs.squared() if cost is None else cost)


@pytest.fixture(scope="session")
def well():
    """The tilted double well."""
    return emitted(nets.double_well())


@pytest.fixture(scope="session")
def loop():
    """A linear recurrent net with an input."""
    return emitted(un.energies.recurrent(5, 2, rho="identity"))


@pytest.fixture(scope="session")
def gaussian():
    """A linear-Gaussian energy."""
    return emitted(un.energies.linear_gaussian(4, 3))


@pytest.fixture(scope="session")
def layered():
    """A small layered Hopfield net."""
    return emitted(un.energies.hopfield([3, 6, 4, 2]))


@pytest.fixture(scope="session")
def coding():
    """A small nonlinear PC net with full precisions."""
    return emitted(un.energies.predictive([3, 5, 2], precision="full"))


@pytest.fixture(scope="session")
def linear_coding():
    """A small linear PC net."""
    return emitted(un.energies.predictive([3, 5, 4, 2], f="identity"))
