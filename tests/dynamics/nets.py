"""Small energies with rest points known in closed form, and the data they are tested on."""

import numpy as np

import unified as un

DOT = un.axes("dot")


def rng(seed):
    """A generator of this test's own."""
    return np.random.default_rng(seed)


def symmetric(n, seed, norm):
    """A random symmetric matrix of this spectral norm."""
    a = rng(seed).normal(size=(n, n))
    a = a + a.T
    return norm * a / np.abs(np.linalg.eigvalsh(a)).max()


def double_well(tilt=True):
    """E = ¼(s² − 1)² − h s over one unit; h is an input, one per sample."""
    s, h, k = un.var("s", DOT), un.var("h", DOT), un.scalar("k")
    well = s * s - 1
    return un.Energy(0.25 * k * well.sq() - h @ s, [s], [k], [h], sizes={DOT: 1}, name="well")


def unbounded():
    """E = −½ k s² − h s: no minimum anywhere."""
    s, h, k = un.var("s", DOT), un.var("h", DOT), un.scalar("k")
    return un.Energy(-0.5 * k * s.sq() - h @ s, [s], [k], [h], sizes={DOT: 1}, name="hill")


def well_roots(h):
    """The real roots of s³ − s = h, ascending."""
    roots = np.roots([1.0, 0.0, -1.0, -h])
    return np.sort(roots[np.abs(roots.imag) < 1e-9].real)
