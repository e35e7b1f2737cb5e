"""Programs and estimates shared by the tests of this folder: compiling is what takes time."""

import pytest

from tests.learning import nets


@pytest.fixture(scope="session")
def program():
    """A function: the program of a small net by name, made once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = nets.NETS[name]()
        return made[name]

    return get


@pytest.fixture(scope="session")
def estimate(program):
    """A function: the estimate of an estimator on a net at its own parameters and data."""
    made = {}

    def get(name, estimator):
        if (name, estimator) not in made:
            p = program(name)
            made[name, estimator] = estimator(p, nets.params_of(p), *nets.data_of(p))
        return made[name, estimator]

    return get
