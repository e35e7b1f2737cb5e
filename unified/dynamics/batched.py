"""Linear algebra over batches of small matrices, one matrix at a time.

JAX's own batched factorisations split a batch over the very threads they run on; with two cores
several of them in one program wait for each other for ever (seen with jaxlib 0.10.2). Small
systems are eliminated in vectorised steps, larger ones are handed to LAPACK one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

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
    found, good = each(_solve_one, (matrices, rights))
    return found.reshape(*shape, n), good.reshape(shape)


def solve_pivoted(matrix: Any, right: Any) -> tuple[Any, Any]:
    """matrix⁻¹ right for matrices that need not be definite, and whether it is finite.

    Equation: elimination with row pivoting; past 16 unknowns LU, one matrix at a time.
    Shapes: matrix (..., n, n), right (..., n); the answers (..., n) and (...).
    Reference: Golub & Van Loan (2013), 3.4.
    """
    import jax.numpy as jnp

    if matrix.shape[-1] <= SMALL:
        found, _ = _eliminate(matrix, right, pivoted=True)
        return found, jnp.all(jnp.isfinite(found), axis=-1)
    shape = jnp.broadcast_shapes(matrix.shape[:-1], right.shape)
    n = shape[-1]
    matrices = jnp.broadcast_to(matrix, (*shape, n)).reshape(-1, n, n)
    rights = jnp.broadcast_to(right, shape).reshape(-1, n)
    found = each(lambda pair: jnp.linalg.solve(*pair), (matrices, rights))
    found = found.reshape(shape)
    return found, jnp.all(jnp.isfinite(found), axis=-1)


def definite(matrix: Any) -> Any:
    """Whether each real symmetric matrix (..., n, n) is positive definite."""
    import jax.numpy as jnp

    return solve(matrix, jnp.zeros(matrix.shape[:-1], matrix.dtype))[1]


def smallest_eigenvalue(matrix: Any) -> Any:
    """The smallest eigenvalue of each real symmetric matrix (..., n, n)."""
    import jax.numpy as jnp

    n = matrix.shape[-1]
    found = each(lambda a: jnp.linalg.eigvalsh(a)[0], matrix.reshape(-1, n, n))
    return found.reshape(matrix.shape[:-2])


def each(function: Any, arrays: Any) -> Any:
    """`function` of every matrix (leading axis) in turn."""
    from jax import lax

    return lax.map(function, arrays)


def over_stacks(operation: Callable[..., Any], *stacks: Any) -> Any:
    """An operation on single matrices, over stacks of them (leading axes of size 1 repeat)."""
    import jax
    import jax.numpy as jnp

    lead = jnp.broadcast_shapes(*(s.shape[:-2] for s in stacks))
    count = math.prod(lead)
    flat = [jnp.broadcast_to(s, (*lead, *s.shape[-2:])).reshape(count, *s.shape[-2:])
            for s in stacks]  # fmt: skip
    if count == 1:
        found = jax.tree.map(lambda x: x[None], operation(*(s[0] for s in flat)))
    else:
        found = each(lambda given: operation(*given), tuple(flat))
    return jax.tree.map(lambda x: x.reshape(*lead, *x.shape[1:]), found)


def over_rows(operation: Callable[..., Any], right: Any, matrix: Any, *more: Any) -> Any:
    """operation(matrix, *more, rows) over leads; where `matrix` has a lead of size 1, all the right
    sides along it are rows of one call.

    Shapes: matrix (*lead, n, m), right (*more leads, *lead, k, n).
    """
    import jax.numpy as jnp
    from jax import lax

    sizes = (1,) * (right.ndim - matrix.ndim) + matrix.shape[:-2]
    mapped = [k for k, n in enumerate(sizes) if n > 1]
    joined = [k for k, n in enumerate(sizes) if n == 1]
    wanted = [max(n, right.shape[k]) for k, n in enumerate(sizes)]
    order = (*mapped, *joined)
    last = len(order)
    right = jnp.broadcast_to(right, (*wanted, *right.shape[-2:]))
    moved = jnp.transpose(right, (*order, last, last + 1))
    count = math.prod(sizes)
    flat = moved.reshape(count, -1, right.shape[-1])
    given = [m.reshape(count, *m.shape[matrix.ndim - 2 :]) for m in (matrix, *more)]
    split = jnp.iscomplexobj(flat) and not jnp.iscomplexobj(matrix)
    if split:  # a real matrix takes real and imaginary parts as rows below each other
        flat = jnp.concatenate([flat.real, flat.imag], axis=1)
    if count == 1:
        found = operation(*(g[0] for g in given), flat[0])[None]
    else:
        found = each(lambda args: operation(*args), (*given, flat))
    if split:
        real, imaginary = jnp.split(found, 2, axis=1)
        found = lax.complex(real, imaginary)
    found = found.reshape(*moved.shape[:-1], found.shape[-1])
    return jnp.transpose(found, (*np.argsort(order), last, last + 1))


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


def _eliminate(matrix: Any, right: Any, *, pivoted: bool = False) -> tuple[Any, Any]:
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
        if pivoted:
            both = _raised(both, k)
        row = lax.dynamic_slice_in_dim(both, k, 1, axis=-2)
        pivot = lax.dynamic_slice_in_dim(row, k, 1, axis=-1)
        good = good & (pivot[..., 0, 0].real > 0)
        row = row / (pivot if pivoted else jnp.where(pivot == 0, 1.0, pivot))
        left = lax.dynamic_slice_in_dim(both, k, 1, axis=-1)
        here = (jnp.arange(n) == k)[:, None]
        return jnp.where(here, row, both - left * row), good

    both, good = lax.fori_loop(0, n, column, (both, jnp.ones(lead, bool)))
    answer = both[..., -1]
    return answer, good & jnp.all(jnp.isfinite(answer), axis=-1)


def _raised(both: Any, k: Any) -> Any:
    """The rows with the largest entry of column k, at or below row k, brought to row k."""
    import jax.numpy as jnp
    from jax import lax

    at = jnp.arange(both.shape[-2])
    size = jnp.abs(lax.dynamic_slice_in_dim(both, k, 1, axis=-1)[..., 0])
    best = jnp.argmax(jnp.where(at >= k, size, -1.0), axis=-1, keepdims=True)
    order = jnp.where(at == k, best, jnp.where(at == best, k, at))
    return jnp.take_along_axis(both, order[..., None], axis=-2)
