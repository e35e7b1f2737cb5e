"""Symmetric block-tridiagonal matrices: factorised once, then solved, sampled and inverted.

No matrix is factorised in a batch (see `batched`): blocks are taken one by one, and all right
sides that meet the same block are the rows of one product or one triangular solve (rows, because
that is how samples lie in memory).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from unified.dynamics import batched


class BlockTridiagonal(NamedTuple):
    """A symmetric block-tridiagonal matrix H.

    Equation: H_ll = `diagonal`[l], H_{l,l+1} = `upper`[l] = H_{l+1,l}ᵀ, all other blocks zero.
    Shapes: (*lead, n_l, n_l) and (*lead, n_l, n_{l+1}); a leading axis on which a block does not
    depend has size 1 there, and is then worked on once.
    """

    diagonal: tuple[Any, ...]
    upper: tuple[Any, ...]

    def factor(self) -> Factor:
        """H = 𝓛𝓛ᵀ, 𝓛 block bidiagonal (from the first complex block on: H = 𝓛𝓤).

        Equation: S_1 = H_11, S_{l+1} = H_{l+1,l+1} − H_{l+1,l} S_l⁻¹ H_{l,l+1}; det H = Π det S_l.
        Blocks are eliminated from the first on, so what only the last one varies in (a nudge of
        the output) costs one block.
        Reference: Golub & Van Loan (2013), 4.5; George, Ikramov, Kucherov (2002) for complex H.
        """
        import jax.numpy as jnp

        pivots: list[Pivot] = []
        links: list[tuple[Any, Any]] = []
        rest = self.diagonal[0]
        for k, own in enumerate(self.diagonal):
            if k:
                left, right = links[-1]
                rest = own - batched.over_stacks(lambda a, b: a @ b.T, left, right)
            pivots.append(Pivot.of(rest))
            if k < len(self.upper):
                lower = jnp.swapaxes(self.upper[k], -1, -2)
                right = pivots[-1].half(lower)
                links.append((right if pivots[-1].order is None else lower, right))
        definite = pivots[0].good
        for p in pivots[1:]:
            definite = jnp.logical_and(definite, p.good)
        return Factor(tuple(pivots), tuple(links), definite)


class Pivot(NamedTuple):
    """One block S on the diagonal of the elimination: S = LLᵀ, or S = PLU if complex."""

    matrix: Any
    order: Any  # of the rows of a PLU; None for LLᵀ

    @classmethod
    def of(cls, block: Any) -> Pivot:
        """The factors of a block; LLᵀ is NaN if there is none."""
        import jax.numpy as jnp
        from jax.scipy.linalg import lu_factor

        if jnp.iscomplexobj(block):
            return cls(*batched.over_stacks(lu_factor, block))
        return cls(batched.over_stacks(jnp.linalg.cholesky, block), None)

    @property
    def good(self) -> Any:
        """Whether S = LLᵀ is positive definite (S = PLU: invertible), per lead."""
        import jax.numpy as jnp

        return jnp.all(jnp.isfinite(self.entries) & (self.entries != 0), axis=-1)

    @property
    def entries(self) -> Any:
        """The diagonal of L, or of U."""
        import jax.numpy as jnp

        return jnp.diagonal(self.matrix, axis1=-2, axis2=-1)

    def half(self, right: Any) -> Any:
        """right L⁻ᵀ (PLU: right S⁻¹), row by row."""
        from jax.lax.linalg import triangular_solve
        from jax.scipy.linalg import lu_solve

        if self.order is None:
            return batched.over_rows(
                lambda a, b: triangular_solve(a, b, lower=True, transpose_a=True), right,
                self.matrix,
            )  # fmt: skip
        return batched.over_rows(
            lambda a, p, b: lu_solve((a, p), b.T).T, right, self.matrix, self.order
        )

    def finish(self, half: Any) -> Any:
        """half L⁻¹ (PLU: itself), so that finish(half(r)) = r S⁻¹."""
        from jax.lax.linalg import triangular_solve

        if self.order is not None:
            return half
        return batched.over_rows(lambda a, b: triangular_solve(a, b, lower=True), half, self.matrix)


class Factor(NamedTuple):
    """The factors of a block-tridiagonal H; `definite` tells where H is positive definite.

    Where it is not, everything read off the factors is NaN. (Of a complex H `definite` only tells
    that no pivot was singular.)
    """

    pivots: tuple[Pivot, ...]
    links: tuple[tuple[Any, Any], ...]
    definite: Any

    def solve(self, right: Sequence[Any]) -> tuple[Any, ...]:
        """H⁻¹ right. Shapes: a vector (*lead, n_l) per block, more leads than H has if need be."""
        halves: list[Any] = []
        for k, (p, r) in enumerate(zip(self.pivots, right, strict=True)):
            rest = r[..., None, :]
            if k:
                left = self.links[k - 1][0]
                rest = rest - batched.over_rows(lambda a, b: b @ a.T, halves[-1], left)
            halves.append(p.half(rest))
        return self._finish(halves)

    def color(self, noise: Sequence[Any]) -> tuple[Any, ...]:
        """𝓛⁻ᵀ noise: unit normal numbers become a draw from N(0, H⁻¹). Shapes as `solve`."""
        return self._finish([e[..., None, :] for e in noise])

    def _finish(self, halves: Sequence[Any]) -> tuple[Any, ...]:
        found = [self.pivots[-1].finish(halves[-1])]
        for p, half, (_, right) in zip(
            self.pivots[-2::-1], halves[-2::-1], self.links[::-1], strict=True
        ):
            found.append(p.finish(half - batched.over_rows(lambda a, b: b @ a, found[-1], right)))
        return tuple(x[..., 0, :] for x in found[::-1])

    @property
    def logdet(self) -> Any:
        """log det H per lead (complex: one of its logarithms)."""
        import jax.numpy as jnp

        total: Any = 0.0
        for p in self.pivots:
            if p.order is None:
                total = total + 2.0 * jnp.sum(jnp.log(p.entries), axis=-1)
                continue
            swaps = jnp.sum(p.order != jnp.arange(p.order.shape[-1]), axis=-1)
            total = total + jnp.sum(jnp.log(p.entries), axis=-1)
            total = total + 1j * jnp.pi * (swaps % 2)
        return total

    def sample(
        self, shape: tuple[int, ...] = (), *, key: Any, temperature: float = 1.0
    ) -> tuple[Any, ...]:
        """Independent draws from N(0, T·H⁻¹), H real.

        Equation: √T 𝓛⁻ᵀ ξ, ξ standard normal. Shapes: (*shape, *lead, n_l) per block.
        """
        import jax
        import jax.numpy as jnp

        lead = self.definite.shape
        noise = []
        for p, k in zip(self.pivots, jax.random.split(key, len(self.pivots)), strict=True):
            full = (*shape, *lead, p.matrix.shape[-1])
            noise.append(jnp.sqrt(temperature) * jax.random.normal(k, full, p.matrix.dtype))
        return self.color(noise)

    def inverse_blocks(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The blocks (l, l) and (l, l+1) of H⁻¹: covariances of layers and of neighbours.

        Equation: Σ_LL = S_L⁻¹; with G_l = S_l⁻¹H_{l,l+1}: Σ_{l,l+1} = −G_lΣ_{l+1,l+1},
        Σ_ll = S_l⁻¹ − Σ_{l,l+1}G_lᵀ.
        Reference: Takahashi, Fagan, Chin (1973).
        """
        import jax.numpy as jnp

        own: list[Any] = []
        side: list[Any] = []
        for k, p in reversed(list(enumerate(self.pivots))):
            eye = jnp.eye(p.matrix.shape[-1], dtype=p.matrix.dtype)
            here = p.finish(p.half(jnp.broadcast_to(eye, p.matrix.shape)))
            if own:
                gain = p.finish(self.links[k][1])  # G_lᵀ
                side.append(-jnp.swapaxes(gain, -1, -2) @ own[-1])
                here = here - side[-1] @ gain
            own.append(here)
        return tuple(own[::-1]), tuple(side[::-1])
