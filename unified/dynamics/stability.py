"""Whether a rest point is stable in its metric: minima by λ_min, saddles by the whole spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from unified.codegen.program import Program
from unified.dynamics import batched
from unified.dynamics.curvature import DENSE, lambda_min
from unified.dynamics.metric import AbstractMetric, Identity, Momentum
from unified.dynamics.system import State, System


class Stability(NamedTuple):
    """What is known of rest points, on phase and batch axes (traceable).

    `lowest` λ_min(H); `abscissa` max Re λ(−τ⁻¹MH), NaN where only its sign is known; `inertia`
    the numbers of positive and of negative eigenvalues of H, on a last axis; `stable` the verdict.
    """

    lowest: Any
    abscissa: Any
    inertia: Any
    stable: Any


def stability(
    program: Program, values: Mapping[str, Any], state: State, metric: AbstractMetric,
    *, measure: bool = True,
) -> Stability:  # fmt: skip
    """The certificate of rest points in a metric (traceable).

    Equation: for M ≻ 0 stable iff λ_min(H) > 0 (Sylvester's law). Else stable if H_uu ≻ 0 ≻ H_vv
    over descending u and ascending v, by Cholesky factorisation; where that fails (with `measure`,
    up to 300 units, always) iff max Re λ(−τ⁻¹MH) < 0 by more than rounding, N·ε|τ⁻¹MH|.
    Reference: Golub & Van Loan (2013), chapters 7 and 8.
    """
    import jax.numpy as jnp

    system = System(program, values, metric=metric)
    system.begin(state)
    unknown = jnp.full(state[system.names[0]].shape[:2], jnp.nan)
    if system.descends:
        lowest, _ = lambda_min(program, values, state)
        if isinstance(metric, Identity | Momentum):
            return Stability(lowest, metric.abscissa(lowest), None, lowest > 0)
        scaled = unknown
        if sum(map(system.width, system.names)) <= DENSE:
            root = jnp.sqrt(system.rates(state))
            dense = root[..., :, None] * system.dense(state) * root[..., None, :]
            scaled = batched.smallest_eigenvalue(dense)
        return Stability(lowest, metric.abscissa(scaled), None, lowest > 0)
    hessian, rates = system.dense(state), system.rates(state)
    n = rates.shape[-1]
    up = np.repeat([system.metric.ascends(k) for k in system.names],
                   [system.width(k) for k in system.names])  # fmt: skip
    found = batched.each(
        lambda pair: _saddle(pair[0], pair[1], up, measure and n <= DENSE),
        (hessian.reshape(-1, n, n), rates.reshape(-1, n)),
    )
    return Stability(*(v.reshape(*unknown.shape, *v.shape[1:]) for v in found))


def _saddle(hessian: Any, rates: Any, up: Any, measure: bool) -> Stability:
    """The certificate of one rest point at which the units `up` ascend."""
    import jax.numpy as jnp
    from jax import lax

    n, kind = hessian.shape[-1], hessian.dtype
    signs = jnp.where(up[:, None], -1.0, 1.0).astype(kind)
    # Both blocks at once: what couples them is left out, what ascends turned round.
    apart = jnp.where(up[:, None] == up, signs * hessian, 0.0)
    monotone = jnp.all(jnp.isfinite(jnp.linalg.cholesky(apart)))
    turned = -rates[:, None] * hessian
    slack = n * jnp.finfo(kind).eps * jnp.linalg.norm(turned)
    plus, minus = jnp.sum(~up), jnp.sum(up)  # the inertia of M, which a stable H shares

    def spectrum() -> Any:
        safe = jnp.where(jnp.isfinite(turned), turned, 0.0)
        whole = jnp.where(jnp.isfinite(hessian), hessian, 0.0)
        slowest = jnp.max(jnp.linalg.eigvals(safe).real).astype(kind)
        own = jnp.linalg.eigvalsh(whole)
        zero = n * jnp.finfo(kind).eps * jnp.linalg.norm(whole)
        counts = jnp.stack([jnp.sum(own > zero), jnp.sum(own < -zero)])
        return own[0], slowest, counts, slowest < -slack

    def told() -> Any:
        none = jnp.full((), jnp.nan, kind)
        return none, none, jnp.stack([plus, minus]), jnp.ones((), bool)

    if measure:
        lowest, slowest, counts, settled = spectrum()
    else:
        lowest, slowest, counts, settled = lax.cond(monotone, told, spectrum)
    right = jnp.all(counts == jnp.stack([plus, minus]))
    finite = jnp.all(jnp.isfinite(turned))
    return Stability(lowest, slowest, counts, finite & right & (settled | monotone))

