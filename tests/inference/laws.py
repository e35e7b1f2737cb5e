"""Small laws shared by the tests: the same objects everywhere, so that each compiles once."""

from functools import cache

import numpy as np

import unified as un
from unified.inference import RankOne
from unified.inference.problem import Problem

SQUARED = un.costs.squared()


@cache
def bell():
    """The linear-Gaussian net of the bars: n = 20 units, m = 10 inputs; (E, C, params, x, y)."""
    n, m = 20, 10
    rng = np.random.default_rng(0)
    a = rng.normal(size=(n, n))
    params = {"A": a @ a.T / n + 0.5 * np.eye(n), "b": rng.normal(size=n),
              "U": rng.normal(size=(n, m))}  # fmt: skip
    x, y = rng.normal(size=m), rng.normal(size=n)
    return un.energies.linear_gaussian(n, m), SQUARED, params, x, y


@cache
def chain():
    """A linear predictive chain: 20 hidden units, 10 outputs, full precisions."""
    energy = un.energies.predictive([4, 20, 10], f="identity", precision="full")
    rng = np.random.default_rng(1)
    params = {}
    for p in energy.params:
        shape = tuple(energy.sizes[a] for a in p.axes)
        noise = rng.normal(size=shape) / np.sqrt(shape[-1])
        params[p.name] = noise @ noise.T + np.eye(shape[0]) if p.name[0] == "P" else noise
    return energy, SQUARED, params, rng.normal(size=4), rng.normal(size=10)


@cache
def pair():
    """A layered Hopfield net of two units with one minimum that is no parabola."""
    energy = un.energies.hopfield([1, 1, 1])
    params = {"W1": [[0.9]], "W2": [[1.1]], "b1": [0.3], "b2": [-0.2]}
    return (energy, SQUARED, {k: np.array(v) for k, v in params.items()}, np.array([0.7]),
            np.array([0.6]))  # fmt: skip


@cache
def coder():
    """A predictive net of two units whose prediction saturates."""
    energy = un.energies.predictive([1, 1, 1], convention="Wf(z)")
    params = {"W1": [[1.0]], "b1": [0.2], "W2": [[2.0]], "b2": [0.0]}
    return (energy, SQUARED, {k: np.array(v) for k, v in params.items()}, np.array([0.5]),
            np.array([1.0]))  # fmt: skip


@cache
def double(n=8):
    """A rank-one Hopfield net with two wells of unequal weight."""
    rng = np.random.default_rng(0)
    xi = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    return RankOne(xi, 1.8 / n, 0.03 * xi + 0.02 * rng.normal(size=n))


def of(net, beta=1.0, temperature=1.0):
    """The problem of one of the laws above."""
    if isinstance(net, RankOne):
        return Problem.of(net.energy, SQUARED, net.params, beta=beta, temperature=temperature)
    return Problem.of(*net, beta=beta, temperature=temperature)


@cache
def grid(points=401, reach=7.0):
    """States of two units on a square grid (points², 2) and the area of a cell."""
    axis, step = np.linspace(-reach, reach, points, retstep=True)
    both = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return both, step**2


def integral(problem):
    """log ∫exp(−F/T) of a law of two units and its probabilities on the grid, by the trapezoid."""
    states, cell = grid()
    low = -problem.evaluate("energy", states)["F"] / problem.temperature
    total = np.logaddexp.reduce(low)
    return total + np.log(cell), np.exp(low - total)
