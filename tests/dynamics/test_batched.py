"""Oracle: NumPy's linear algebra, one matrix at a time; and a clock."""

import subprocess
import sys

import jax
import numpy as np
import pytest

from tests.tolerances import TOL
from unified.dynamics import batched

CLOSE = TOL["float64"].derived


def matrices(n, seed, shift, batch=(2, 3)):
    """Symmetric matrices with spectrum in shift + [−1, 1], and right-hand sides."""
    r = np.random.default_rng(seed)
    a = r.normal(size=(*batch, n, n))
    a = a + np.swapaxes(a, -1, -2)
    a = a / np.abs(np.linalg.eigvalsh(a)).max(axis=-1)[..., None, None]
    return a + shift * np.eye(n), r.normal(size=(*batch, n))


@pytest.mark.parametrize("n", [1, 5, batched.SMALL, batched.SMALL + 1])
def test_solutions_and_definiteness_are_numpys(n):
    """Newton, the adjoint of Implicit and the guard of every estimator stand on this."""
    with jax.enable_x64(True):
        a, b = matrices(n, n, 1.2)
        solve = jax.jit(batched.solve)
        found, good = solve(a, b)
        exact = np.linalg.solve(a, b[..., None])[..., 0]
        np.testing.assert_allclose(found, exact, rtol=CLOSE, atol=CLOSE)
        assert np.all(np.asarray(good))
        if n > 1:
            indefinite, _ = matrices(n, n, 0.0)
            assert not np.any(np.asarray(solve(indefinite, b)[1]))
        np.testing.assert_allclose(
            batched.smallest_eigenvalue(a), np.linalg.eigvalsh(a)[..., 0], rtol=CLOSE
        )


@pytest.mark.parametrize("n", [5, 20])
def test_complex_symmetric_systems_are_solved(n):
    """Holomorphic nudges need them; a conjugate too many would still look like a solution."""
    with jax.enable_x64(True):
        a, b = matrices(n, n, 1.5)
        a = a + 0.3j * matrices(n, n + 1, 0.0)[0]
        found, _ = jax.jit(batched.solve)(a, b.astype(complex))
        exact = np.linalg.solve(a, b[..., None].astype(complex))[..., 0]
        np.testing.assert_allclose(found, exact, rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize("n", [3, 24])
def test_one_bad_matrix_leaves_the_others_alone(n):
    """A NaN spreading through a batch would lose every sample for the sake of one."""
    with jax.enable_x64(True):
        a, b = matrices(n, 1, 1.5, batch=(4,))
        exact = np.linalg.solve(a, b[..., None])[..., 0]
        a[1], a[2] = 0.0, np.nan
        found, good = jax.jit(batched.solve)(a, b)
        assert np.asarray(good).tolist() == [True, False, False, True]
        np.testing.assert_allclose(np.asarray(found)[[0, 3]], exact[[0, 3]], rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize("n", [1, 5, batched.SMALL, batched.SMALL + 1])
def test_pivoted_solutions_are_numpys(n):
    """Jacobians of fields are neither symmetric nor definite: without a row exchange the zero in
    the corner, or a tiny pivot further in, would spoil every digit."""
    with jax.enable_x64(True):
        r = np.random.default_rng(n)
        a, b = r.normal(size=(2, 3, n, n)), r.normal(size=(2, 3, n))
        if n > 1:
            a[..., 0, 0], a[0, :, 1, :2] = 0.0, [0.0, 1e-14]
        found, good = jax.jit(batched.solve_pivoted)(a, b)
        exact = np.linalg.solve(a, b[..., None])[..., 0]
        np.testing.assert_allclose(found, exact, rtol=1e3 * CLOSE, atol=1e3 * CLOSE)
        assert np.all(np.asarray(good))
        a[0, 0] = 0.0
        _, good = jax.jit(batched.solve_pivoted)(a, b)
        assert not np.asarray(good)[0, 0] and np.all(np.asarray(good).ravel()[1:])


SCRIPT = """
import numpy as np, unified as un
program = un.emit(un.energies.predictive([16, 24, 5]), un.costs.squared())
params = program.init(0)
rng = np.random.default_rng(0)
for k in range(40):
    x, y = rng.normal(size=(32, 16)), np.eye(5)[rng.integers(5, size=32)]
    un.Centered(0.01)(program, params, x, y)
print("done")
"""


def test_batches_past_the_small_size_do_not_deadlock():
    """JAX's batched factorisations once waited for each other for ever on two cores."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=150, check=False
    )
    assert done.stdout.strip() == "done", done.stderr[-2000:]
