"""Krylov methods for matrices known by their products only, every sample on its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from unified.dynamics import batched

Apply = Callable[[Any], Any]


class Krylov(NamedTuple):
    """An orthonormal basis (m+1, ..., N) with A V_m = V_{m+1} H, H of shape (..., m+1, m)."""

    basis: Any
    hessenberg: Any


def arnoldi(apply: Apply, first: Any, steps: int) -> Krylov:
    """The Krylov space of A at `first` by Gram–Schmidt done twice (traceable).

    Equation: span(v, Av, ..., A^m v). Shapes: first (..., N), samples on the leading axes.
    Reference: Saad (2003), Iterative Methods for Sparse Linear Systems, 6.3.
    """
    import jax.numpy as jnp
    from jax import lax

    kind, tiny = first.dtype, jnp.finfo(first.dtype).eps
    size = jnp.linalg.norm(first, axis=-1, keepdims=True)
    basis = jnp.zeros((steps + 1, *first.shape), kind)
    basis = basis.at[0].set(first / jnp.where(size > 0, size, 1.0))
    table = jnp.zeros((steps, steps + 1, *first.shape[:-1]), kind)  # column, row, samples

    def step(k: Any, carry: Any) -> Any:
        basis, table = carry
        w = apply(basis[k])
        whole = jnp.linalg.norm(w, axis=-1)
        column = jnp.zeros(table.shape[1:], kind)
        for _ in range(2):
            part = jnp.sum(basis * w, axis=-1)
            w = w - jnp.sum(basis * part[..., None], axis=0)
            column = column + part
        left = jnp.linalg.norm(w, axis=-1)
        left = jnp.where(left > 16 * tiny * whole, left, 0.0)  # the space may be exhausted
        w = jnp.where(left[..., None] > 0, w / jnp.where(left > 0, left, 1.0)[..., None], 0.0)
        return basis.at[k + 1].set(w), table.at[k].set(column.at[k + 1].set(left))

    basis, table = lax.fori_loop(0, steps, step, (basis, table))
    return Krylov(basis, jnp.moveaxis(table, (0, 1), (-1, -2)))


def gmres(apply: Apply, right: Any, rtol: Any, *, space: int = 12, restarts: int = 30) -> Any:
    """x with |Ax − right| ≤ rtol·|right|, or as near as the restarts get (traceable).

    Equation: in every cycle the least residual over a Krylov space, by its normal equations; what
    squaring the condition number loses the next cycle finds again.
    Shapes: right (..., N); rtol broadcasts to (...).
    Reference: Saad & Schultz (1986), SIAM J. Sci. Stat. Comput. 7, 856.
    """
    import jax.numpy as jnp
    from jax import lax

    m = min(space, right.shape[-1])
    size = jnp.linalg.norm(right, axis=-1)
    goal = jnp.maximum(rtol, 4 * jnp.finfo(right.dtype).eps) * size

    def going(carry: Any) -> Any:
        k, _, _, active = carry
        return (k < restarts) & jnp.any(active)

    def cycle(carry: Any) -> Any:
        k, x, r, active = carry
        found = arnoldi(apply, r, m)
        h = found.hessenberg
        gram = jnp.einsum("...ij,...ik->...jk", h, h)
        ridge = jnp.finfo(r.dtype).eps * jnp.trace(gram, axis1=-2, axis2=-1)
        gram = gram + (ridge + jnp.finfo(r.dtype).tiny)[..., None, None] * jnp.eye(m, dtype=r.dtype)
        start = jnp.linalg.norm(r, axis=-1)[..., None] * h[..., 0, :]
        y = batched.solve(gram, start)[0]
        moved = x + jnp.einsum("k...i,...k->...i", found.basis[:m], y)
        left = right - apply(moved)
        before, after = jnp.linalg.norm(r, axis=-1), jnp.linalg.norm(left, axis=-1)
        take = active & (after < before)
        x, r = jnp.where(take[..., None], moved, x), jnp.where(take[..., None], left, r)
        # A cycle that gains nothing is the last: the same space would come again.
        return k + 1, x, r, take & (after > goal) & (after < 0.9 * before)

    begin = (0, jnp.zeros_like(right), right, size > goal)
    return lax.while_loop(going, cycle, begin)[1]


def rightmost(apply: Apply, like: Any, steps: int = 60) -> Any:
    """An estimate of max Re λ(A) from a random Krylov space (traceable).

    Shapes: like (..., N) for the samples of A; the answer (...).
    Reference: Saad (2011), Numerical Methods for Large Eigenvalue Problems, chapter 6.
    """
    import jax
    import jax.numpy as jnp

    m = min(steps, like.shape[-1])
    first = jnp.broadcast_to(jax.random.normal(jax.random.key(0), like.shape[-1:], like.dtype),
                             like.shape)  # fmt: skip
    h = arnoldi(apply, first, m).hessenberg[..., :m, :]
    # Where the space was exhausted early, what is left over must not pass for eigenvalues 0.
    dead = jnp.all(h == 0, axis=-2)
    low = -jnp.sqrt(jnp.sum(h * h, axis=(-2, -1)))[..., None]
    return rightmost_dense(h + jnp.where(dead, low, 0.0)[..., None] * jnp.eye(m, dtype=h.dtype))


def rightmost_dense(matrix: Any) -> Any:
    """max Re λ of every real matrix (..., n, n)."""
    import jax.numpy as jnp

    n = matrix.shape[-1]
    safe = jnp.where(jnp.isfinite(matrix), matrix, 0.0).reshape(-1, n, n)
    found = batched.each(lambda a: jnp.max(jnp.linalg.eigvals(a).real), safe)
    return found.reshape(matrix.shape[:-2]).astype(matrix.dtype)
