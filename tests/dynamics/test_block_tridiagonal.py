"""Oracle: the same matrices assembled and handed to NumPy's dense linear algebra."""

from functools import partial

import jax
import numpy as np
import pytest
from scipy.stats import norm

from unified.dynamics.block_tridiagonal import BlockTridiagonal

WIDTHS = [(4,), (3, 5), (3, 5, 1, 4), (6, 2, 2, 7, 3)]


@pytest.fixture(autouse=True)
def double():
    """Double precision, locally."""
    with jax.enable_x64(True):
        yield


def blocks(widths, seed, leads=None, kind=float):
    """Random blocks of a symmetric matrix, positive definite if real, with their leading axes."""
    r = np.random.default_rng(seed)
    leads = [(1, 1)] * len(widths) if leads is None else leads

    def normal(*shape):
        found = r.normal(size=shape)
        return found + 0.3j * r.normal(size=shape) if kind is complex else found

    diagonal, upper = [], []
    for k, (n, lead) in enumerate(zip(widths, leads, strict=True)):
        a = normal(*lead, n, n)
        diagonal.append(a @ a.swapaxes(-1, -2) + (2 + 3 * k) * np.eye(n))
        if k:
            upper.append(normal(*np.minimum(leads[k - 1], lead), widths[k - 1], n) / 3)
    return BlockTridiagonal(tuple(diagonal), tuple(upper))


def dense(h, at=(0, 0)):
    """The whole matrix at one place of the leading axes."""

    def one(block):
        return block[tuple(min(i, n - 1) for i, n in zip(at, block.shape, strict=False))]

    widths = [d.shape[-1] for d in h.diagonal]
    stops = np.cumsum([0, *widths])
    whole = np.zeros((stops[-1], stops[-1]), h.diagonal[-1].dtype)
    for k, d in enumerate(h.diagonal):
        here = slice(stops[k], stops[k + 1])
        whole[here, here] = one(d)
        if k:
            above = slice(stops[k - 1], stops[k])
            whole[above, here] = one(h.upper[k - 1])
            whole[here, above] = one(h.upper[k - 1]).T
    return whole


def vectors(widths, seed, lead):
    r = np.random.default_rng(seed)
    return [r.normal(size=(*lead, n)) for n in widths]


@jax.jit
def read(h, right):
    """Everything read off the factors, compiled in one piece."""
    factor = h.factor()
    return factor.solve(right), factor.logdet, factor.inverse_blocks(), factor.definite


@partial(jax.jit, static_argnums=2)
def draw(h, key, shape, temperature=1.0):
    return h.factor().sample(shape, key=key, temperature=temperature)


def flat(parts):
    return np.concatenate([np.asarray(p) for p in parts], axis=-1)


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_solve_determinant_and_inverse_are_the_dense_ones(widths):
    """Every exact rest point, evidence and posterior covariance is read off these factors."""
    h = blocks(widths, 0)
    whole, right = dense(h), vectors(widths, 1, (1, 9))
    solved, logdet, (own, side), definite = read(h, right)
    assert np.linalg.eigvalsh(whole)[0] > 0 and bool(definite.all())
    expected = np.linalg.solve(whole, flat(right)[0].T).T
    np.testing.assert_allclose(flat(solved)[0], expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(logdet, np.linalg.slogdet(whole)[1], rtol=1e-13)
    inverse, stops = np.linalg.inv(whole), np.cumsum([0, *widths])
    for k, block in enumerate(own):
        here = slice(stops[k], stops[k + 1])
        np.testing.assert_allclose(block[0, 0], inverse[here, here], rtol=0, atol=1e-13)
        if k:
            above = slice(stops[k - 1], stops[k])
            np.testing.assert_allclose(side[k - 1][0, 0], inverse[above, here], rtol=0, atol=1e-13)


@pytest.mark.parametrize(("leads", "kind"), [
    ([(1, 1), (1, 1), (3, 1)], complex), ([(3, 1), (1, 1), (3, 1)], float),
    ([(1, 1), (1, 4), (1, 1)], float), ([(3, 4), (3, 1), (1, 4)], complex),
], ids=str)  # fmt: skip
def test_blocks_shared_over_leading_axes_are_repeated(leads, kind):
    """A nudge varies one block, data another; a mixed-up axis would swap phases or samples."""
    widths = (3, 5, 2)
    h = blocks(widths, 2, leads)
    if kind is complex:  # as under complex nudges: only the last block leaves the real line
        turned = h.diagonal[-1] + 0.5j * np.eye(2)
        h = h._replace(diagonal=(*h.diagonal[:-1], turned))
    right = vectors(widths, 3, (3, 4))
    found, logdets, (own, _), _ = read(h, right)
    found, logdets = flat(found), np.broadcast_to(logdets, (3, 4))
    for p in range(3):
        for b in range(4):
            whole = dense(h, (p, b))
            expected = np.linalg.solve(whole, flat(right)[p, b])
            np.testing.assert_allclose(found[p, b], expected, rtol=0, atol=1e-13)
            at = tuple(min(i, n - 1) for i, n in zip((p, b), own[0].shape, strict=False))
            np.testing.assert_allclose(
                own[0][at], np.linalg.inv(whole)[:3, :3], rtol=0, atol=1e-13
            )  # fmt: skip
            np.testing.assert_allclose(np.exp(logdets[p, b]), np.linalg.det(whole), rtol=1e-12)


def test_a_complex_matrix_of_many_blocks_is_solved():
    """Complex nudges of a cost on all layers make every block complex."""
    h = blocks((3, 5, 2, 4), 4, kind=complex)
    right = vectors((3, 5, 2, 4), 5, (1, 6))
    expected = np.linalg.solve(dense(h), flat(right)[0].T).T
    np.testing.assert_allclose(flat(read(h, right)[0])[0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_indefinite_phase_is_named_and_gives_no_numbers(bad):
    """A solve past the guard would return a saddle as if it were a posterior mean."""
    widths = (3, 5, 2)
    h = blocks(widths, 6, [(1, 1), (1, 1), (3, 1)])
    lowest = np.linalg.inv(np.linalg.inv(dense(h, (bad, 0)))[-2:, -2:])  # the last Schur complement
    shift = np.zeros((3, 1, 2, 2))
    shift[bad] = -1.01 * np.linalg.eigvalsh(lowest)[0] * np.eye(2)
    assert np.linalg.eigvalsh(dense(h, (bad, 0)))[0] > 0  # before the shift
    h = h._replace(diagonal=(*h.diagonal[:-1], h.diagonal[-1] + shift))
    solved, logdet, _, definite = read(h, vectors(widths, 7, (3, 4)))
    assert np.asarray(definite)[:, 0].tolist() == [k != bad for k in range(3)]
    for k in range(3):
        assert np.isnan(flat(solved)[k]).all() == (k == bad)
        assert np.isnan(logdet[k, 0]) == (k == bad)


def test_coloured_identity_is_the_covariance():
    """The sampler is this map of white noise: its law is right iff this product is H⁻¹."""
    widths = (3, 5, 1, 4)
    h = blocks(widths, 8)
    eye = np.split(np.eye(13), np.cumsum(widths)[:-1], axis=1)
    coloured = flat(jax.jit(lambda h, e: h.factor().color(e))(h, [e[None] for e in eye]))[0]
    np.testing.assert_allclose(coloured.T @ coloured, np.linalg.inv(dense(h)), rtol=0, atol=1e-13)


def moments_hold(draws, covariance, level=1e-3):
    """Whether means and second moments pass z tests, Bonferroni over all of them."""
    count, n = draws.shape
    deviation = np.sqrt(np.diag(covariance))
    z = [draws.mean(axis=0) / deviation * np.sqrt(count)]
    for i in range(n):
        for j in range(i + 1):
            spread = np.sqrt(covariance[i, i] * covariance[j, j] + covariance[i, j] ** 2)
            gap = np.mean(draws[:, i] * draws[:, j]) - covariance[i, j]
            z.append([gap / spread * np.sqrt(count)])
    z = np.concatenate(z)
    return bool(np.max(np.abs(z)) < norm.isf(level / (2 * len(z))))


def test_draws_have_the_moments_of_the_posterior():
    """Boltzmann learning and posterior predictions average over these; controls must be caught."""
    widths, temperature = (2, 3, 2), 0.7
    h = blocks(widths, 9)
    key = jax.random.key(10)
    parts = draw(h, key, (200_000,), temperature)
    draws = flat(parts)[:, 0, 0]
    assert parts[1].shape == (200_000, 1, 1, 3)
    exact = temperature * np.linalg.inv(dense(h))
    assert moments_hold(draws, exact)
    assert not moments_hold(draws, 1.02 * exact)
    assert not moments_hold(draws, np.diag(np.diag(exact)))
    assert not moments_hold(draws + 0.02 * np.sqrt(exact[0, 0]), exact)
    assert np.array_equal(draws, flat(draw(h, key, (200_000,), temperature))[:, 0, 0])
    other = flat(draw(h, jax.random.key(11), (200_000,), temperature))[:, 0, 0]
    assert not np.any(draws[:100] == other[:100])


def test_draws_of_several_phases_are_independent_and_each_its_own():
    """Phases drawn with the same noise would make their difference look certain."""
    h = blocks((2, 3), 12, [(1, 1), (2, 1)])
    draws = flat(draw(h, jax.random.key(13), (100_000,)))[:, :, 0]
    for k in range(2):
        assert moments_hold(draws[:, k], np.linalg.inv(dense(h, (k, 0))))
    mixed = np.mean(draws[:, 0] * draws[:, 1], axis=0) / np.prod(np.std(draws, axis=0), axis=0)
    assert np.max(np.abs(mixed)) < 5 / np.sqrt(100_000)
