"""A flow that is killed in the middle of a write: `python interrupted_flow.py FILE METHOD`."""

import sys

import numpy as np

import unified as un
from tests.kill import die_writing
from unified.learning import checkpoint as store

KILLED_IN = 3
mf = un.meanfield


def run(path, method, key=1, a=1.0):
    """One small flow by each kind of method."""
    F = mf.Quadratic(a) + mf.Interaction(mf.Quadratic(0.5)) + mf.Entropy(0.3)
    mu = mf.GaussianMeasure(0.5, 0.4)
    if method == "langevin":
        return mf.solve_flow(F, mu.to_particles(20, key=0), 1.0, method, dt=0.05, key=key,
                             saves=5, checkpoint=path)  # fmt: skip
    grid = mu.to_grid(np.linspace(-4, 5, 40))
    return mf.solve_flow(F, grid, 1.0, method, dt=0.05, saves=5, checkpoint=path)


def killed(path, method):
    """Run until the process kills itself, half of a checkpoint written."""
    die_writing(store, KILLED_IN)
    run(path, method)


if __name__ == "__main__":
    killed(*sys.argv[1:])
