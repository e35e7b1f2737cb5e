"""Beyond Laplace: what third and fourth derivatives add at the next order in T."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.codegen.dense import assemble
from unified.inference.laplace import LaplaceLaw
from unified.inference.problem import Problem

LARGEST = 200  # units: the third derivatives are N³ numbers


@dataclass(frozen=True)
class Expansion:
    """The next order in T at a mode, R with H⁻¹ = RRᵀ, T̃ = F‴[R, R, R] in whitened directions.

    Equation: log ∫exp(−F/T) = Laplace + T·c + O(T²),
    c = ⅛Σ_k(Σ_a T̃_aak)² + (1/12)Σ T̃_abc² − ⅛Σ_ab F⁗[R_a, R_a, R_b, R_b]; the mean lies at
    s* − (T/2)H⁻¹(F‴:H⁻¹), the mode of unit i's marginal at s*_i plus that plus
    (T/2)F‴[σ, σ, σ]/σ_i, σ = H⁻¹e_i.
    Shapes: `third` (N, N, N), `root` R (N, N), `fourth` the double trace, a number.
    Reference: Tierney & Kadane (1986), JASA 81, 82; Bender & Orszag (1978), 6.4; theory page D3.
    """

    law: LaplaceLaw
    root: Any
    third: Any
    fourth: float

    @property
    def log_integral(self) -> float:
        """T·c, what the next order adds to log ∫exp(−F/T)ds."""
        traced = np.einsum("aak->k", self.third)
        c = traced @ traced / 8 + np.sum(self.third**2) / 12 - self.fourth / 8
        return self.law.problem.temperature * float(c)

    @property
    def mean_shift(self) -> Any:
        """⟨s⟩ − s* to first order in T, (N,)."""
        heat = self.law.problem.temperature
        return -0.5 * heat * self.root @ np.einsum("aak->k", self.third)

    @property
    def marginal_shift(self) -> Any:
        """Modes of the marginals of single units minus s*, to first order in T, (N,)."""
        r, heat = self.root, self.law.problem.temperature
        skew = np.einsum("abc,ia,ib,ic->i", self.third, r, r, r, optimize=True)
        return self.mean_shift + 0.5 * heat * skew / np.sum(r * r, axis=1)


def expansion(law: LaplaceLaw) -> Expansion | None:
    """The next order at a mode; None beyond 200 units, where it would not fit.

    Reference: as `Expansion`; derivatives are taken of the generated Hessian by JAX.
    """
    problem = law.problem
    if problem.size > LARGEST:
        return None
    root = np.linalg.cholesky(law.inverse)
    if law.exact:
        return Expansion(law, root, np.zeros((problem.size,) * 3), 0.0)
    program = problem.program
    with program.precision:
        third, fourth = problem.jit("expansion", lambda *a: _derivatives(problem, *a))(
            problem.values, law.mean, root
        )
        third, fourth = np.asarray(third), float(np.sum(np.asarray(fourth)))
    return Expansion(law, root, third, fourth)


def _derivatives(problem: Problem, values: Any, mean: Any, root: Any) -> Any:
    """F‴ in whitened directions, and Σ_a F⁗[R_a, R_a, R_k, R_k] for every k (traceable)."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    def hessian(flat: Any) -> Any:
        own = {k: v[None, None] for k, v in problem.unstack(flat).items()}
        return assemble(problem.program, {**values, **own})[0, 0]

    def along(r: Any) -> tuple[Any, Any]:
        def slope(flat: Any) -> Any:
            return jax.jvp(hessian, (flat,), (r,))[1]

        third, fourth = jax.jvp(slope, (mean,), (r,))
        return root.T @ third @ root, jnp.sum(root * (fourth @ root))

    third, fourth = lax.map(along, root.T)
    return jnp.moveaxis(third, 0, -1), fourth
