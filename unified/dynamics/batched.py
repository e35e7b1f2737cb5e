"""Linear algebra over batches of small matrices, one matrix at a time.

JAX's own batched factorisations split a batch over the very threads they run on; with two cores
several of them in one program wait for each other for ever (seen with jaxlib 0.10.2). Small
systems are eliminated in vectorised steps, larger ones are handed to LAPACK one by one.
"""

from __future__ import annotations

from typing import Any

SMALL = 16


def solve(matrix: Any, right: Any) -> tuple[Any, Any]:
    """matrix⁻¹ right, and whether the matrix is positive definite, per matrix.

    Equation: symmetric elimination without pivoting, stable where the real part is positive
    definite; definite iff every pivot is positive (complex: iff its real part is).
    Shapes: matrix (..., n, n) symmetric, right (..., n); the answers (..., n) and (...).
    Reference: Golub & Van Loan (2013), 4.1; Higham (1998) for the complex case.
    """
    import jax.numpy as jnp

    if matrix.shape[-1] <= SMALL:
        return _eliminate(matrix, right)
    shape = jnp.broadcast_shapes(matrix.shape[:-2], right.shape[:-1])
    n = matrix.shape[-1]
    matrices = jnp.broadcast_to(matrix, (*shape, n, n)).reshape(-1, n, n)
    rights = jnp.broadcast_to(right, (*shape, n)).reshape(-1, n)
    found, good = _one_by_one(_solve_one, (matrices, rights))
    return found.reshape(*shape, n), good.reshape(shape)


def definite(matrix: Any) -> Any:
    """Whether each real symmetric matrix (..., n, n) is positive definite."""
    import jax.numpy as jnp

    return solve(matrix, jnp.zeros(matrix.shape[:-1], matrix.dtype))[1]


def smallest_eigenvalue(matrix: Any) -> Any:
    """The smallest eigenvalue of each real symmetric matrix (..., n, n)."""
    import jax.numpy as jnp

    n = matrix.shape[-1]
    found = _one_by_one(lambda a: jnp.linalg.eigvalsh(a)[0], matrix.reshape(-1, n, n))
    return found.reshape(matrix.shape[:-2])


def _one_by_one(function: Any, arrays: Any) -> Any:
    from jax import lax

    return lax.map(function, arrays)


def _solve_one(pair: Any) -> Any:
    import jax.numpy as jnp
    from jax.scipy.linalg import cho_solve

    a, b = pair
    if jnp.iscomplexobj(a):
        found = jnp.linalg.solve(a, b)
        return found, jnp.all(jnp.isfinite(found))
    factor = jnp.linalg.cholesky(a)
    good = jnp.all(jnp.isfinite(factor))
    safe = jnp.where(good, factor, jnp.eye(a.shape[0], dtype=a.dtype))
    return cho_solve((safe, True), b), good


def _eliminate(matrix: Any, right: Any) -> tuple[Any, Any]:
    """Gauss–Jordan elimination of the augmented matrix, a column of all of them at a time.

    A loop, not unrolled: it runs as fast, and compiles in a fifth of the time.
    """
    import jax.numpy as jnp
    from jax import lax

    n = matrix.shape[-1]
    lead = jnp.broadcast_shapes(matrix.shape[:-2], right.shape[:-1])
    kind = jnp.result_type(matrix, right)
    both = jnp.concatenate(
        [jnp.broadcast_to(matrix, (*lead, n, n)), jnp.broadcast_to(right, (*lead, n))[..., None]],
        axis=-1,
    ).astype(kind)

    def column(k: Any, carry: Any) -> Any:
        both, good = carry
        row = lax.dynamic_slice_in_dim(both, k, 1, axis=-2)
        pivot = lax.dynamic_slice_in_dim(row, k, 1, axis=-1)
        good = good & (pivot[..., 0, 0].real > 0)
        row = row / jnp.where(pivot == 0, 1.0, pivot)
        left = lax.dynamic_slice_in_dim(both, k, 1, axis=-1)
        here = (jnp.arange(n) == k)[:, None]
        return jnp.where(here, row, both - left * row), good

    both, good = lax.fori_loop(0, n, column, (both, jnp.ones(lead, bool)))
    answer = both[..., -1]
    return answer, good & jnp.all(jnp.isfinite(answer), axis=-1)
