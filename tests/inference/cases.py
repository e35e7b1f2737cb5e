"""Problems whose laws are known, written out by hand."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import unified as un
from unified.inference.problem import Problem


class Case(NamedTuple):
    """The leading arguments of every function, and the law: mean, covariance."""

    given: tuple[Any, ...]
    settings: dict[str, float]
    mean: Any = None
    cov: Any = None

    @property
    def problem(self):
        return Problem.of(*self.given, **self.settings)


SQUARED = un.costs.squared()  # one object each, so that programs and what they compile are shared
GAUSS, WIDE = un.energies.linear_gaussian(5, 3), un.energies.linear_gaussian(20, 10)
CHAIN = un.energies.deep_linear([3, 4, 3, 2])
HOPFIELD = un.energies.hopfield([2, 3, 2])


def linear_gaussian(energy=GAUSS, n=5, m=3, beta=0.7, temperature=0.5, seed=0):
    """Prior N(A⁻¹(b+Ux), T·A⁻¹), likelihood N(s, (T/β)·1): the mean and covariance of D1."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, n)) / np.sqrt(n)
    a = root @ root.T + 0.1 * np.eye(n)
    b, u = rng.standard_normal(n), rng.standard_normal((n, m))
    x, y = rng.standard_normal(m), rng.standard_normal(n)
    inverse = np.linalg.inv(a + beta * np.eye(n))
    given = (energy, SQUARED, {"A": a, "b": b, "U": u}, x, y)
    settings = {"beta": beta, "temperature": temperature}
    return Case(given, settings, inverse @ (b + u @ x + beta * y), temperature * inverse)


def deep_linear(beta=0.7, temperature=0.5, seed=0):
    """z_l ~ N(W_l z_{l-1}, T), y ~ N(z_L, T/β): the joint normal law, assembled block by block."""
    rng = np.random.default_rng(seed)
    sizes = [3, 4, 3, 2]
    w = [rng.standard_normal((q, p)) / np.sqrt(p) for p, q in pairwise(sizes)]
    x, y = rng.standard_normal(3), rng.standard_normal(2)
    # errors ε = Mz − k with M unit lower block bidiagonal
    n = sum(sizes[1:])
    big, k = np.eye(n), np.zeros(n)
    at = np.cumsum([0, *sizes[1:]])
    for layer in (1, 2):
        big[at[layer] : at[layer + 1], at[layer - 1] : at[layer]] = -w[layer]
    k[:4] = w[0] @ x
    h = big.T @ big
    right = big.T @ k
    h[at[2] :, at[2] :] += beta * np.eye(2)
    right[at[2] :] += beta * y
    params = {f"W{i + 1}": v for i, v in enumerate(w)}
    inverse = np.linalg.inv(h)
    given = (CHAIN, SQUARED, params, x, y)
    settings = {"beta": beta, "temperature": temperature}
    return Case(given, settings, inverse @ right, temperature * inverse)


def hopfield(beta=0.7, temperature=0.5, seed=0, gain=1.0):
    """A nonlinear net, whose law has no closed form."""
    rng = np.random.default_rng(seed)
    params = {
        "W1": rng.standard_normal((2, 3)), "W2": gain * rng.standard_normal((3, 2)),
        "b1": rng.standard_normal(3), "b2": rng.standard_normal(2),
    }  # fmt: skip
    given = (HOPFIELD, SQUARED, params, rng.standard_normal(2), rng.standard_normal(2))
    return Case(given, {"beta": beta, "temperature": temperature})


def normal_draws(mean, cov, seed, chains=4, draws=1000):
    """Independent draws (chains, draws, N)."""
    noise = np.random.default_rng(seed).standard_normal((chains, draws, len(mean)))
    return mean + noise @ np.linalg.cholesky(cov).T
