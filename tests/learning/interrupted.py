"""A fit that is killed in the middle of a write: `python interrupted.py FILE`, used by a test."""

import sys
from functools import cache

import numpy as np

import unified as un
from tests.kill import die_writing
from unified.learning import checkpoint as store

EPOCHS, KILLED_IN = 5, 3


@cache
def net():
    """The program of every run: made once, so that it is compiled once."""
    return un.emit(un.energies.hopfield([3, 4, 2]), un.costs.squared())


def run(path, epochs=EPOCHS, estimator=None, rate=0.01, optimizer=None, key=7, seed=0, batch=8):
    """The fit, with everything that makes it this run as a default."""
    import optax

    program = net()
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(24, 3))
    y = np.eye(2)[(x[:, 0] > 0).astype(int)]
    return un.fit(
        program, un.OneSided(0.05) if estimator is None else estimator, x, y, key=key,
        epochs=epochs, batch_size=batch, checkpoint=path, test=(x, y),
        optimizer=optax.adam(rate) if optimizer is None else optimizer,
    )  # fmt: skip


def killed(path):
    """Fit until the process kills itself, half of a checkpoint written."""
    die_writing(store, KILLED_IN)
    run(path)


if __name__ == "__main__":
    killed(sys.argv[1])
