"""The smallest Hessian eigenvalue at a state: dense for small systems, Lanczos for large ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from unified.codegen.dense import assemble
from unified.codegen.program import Program
from unified.dynamics import batched
from unified.dynamics.hessian import FactoredHessian, has_one_hessian
from unified.dynamics.system import State, System

DENSE = 300


def lambda_min(program: Program, values: Mapping[str, Any], state: State) -> tuple[Any, str]:
    """λ_min of (the real part of) ∂²F/∂s∂s per phase and sample, and how it was found (traceable).

    Equation: min over |v|=1 of vᵀHv. Lanczos values are from above, to the size of the last
    residual, over min(N, 80) fully reorthogonalised steps; where one H ≻ 0 serves all samples it
    is factorised, and they are those of H⁻¹, whose largest eigenvalue stands out.
    Reference: Golub & Van Loan (2013), chapter 10.
    """
    import jax.numpy as jnp

    if has_one_hessian(program):
        whole = state[program.model.states[0].name].shape[:2]
        data = {v.name for v in program.kernels.data}
        values = {k: v[:1] if k in data else v for k, v in values.items()}
        one, how = _measured(program, values, {k: v[:, :1] for k, v in state.items()})
        return jnp.broadcast_to(one, whole), how
    return _measured(program, values, state)


def _measured(program: Program, values: Mapping[str, Any], state: State) -> tuple[Any, str]:
    """λ_min for every phase and sample there is."""
    system = System(program, values)
    system.begin(state)
    total = sum(map(system.width, system.names))
    if total <= DENSE:
        dense = assemble(program, {**system.fixed, **state})
        return batched.smallest_eigenvalue(dense.real), "dense"
    if has_one_hessian(program):
        return _inverse_lanczos(system, state, total), "lanczos"
    return _lanczos(partial(system.product, state), system, state, total), "lanczos"


def _inverse_lanczos(system: System, state: State, total: int) -> Any:
    """−1/λ_min(−H⁻¹) where H is positive definite, else λ_min(H) itself."""
    import jax.numpy as jnp
    from jax import lax

    factored = FactoredHessian.of(system, state, real=True)

    def turned(direction: State) -> State:
        return {k: -v for k, v in factored.solve(system, direction).items()}

    return lax.cond(
        jnp.all(factored.factor.definite),
        lambda: -1.0 / _lanczos(turned, system, state, total),
        lambda: _lanczos(partial(system.product, state), system, state, total),
    )


def _lanczos(product: Callable[[State], State], system: System, state: State, total: int) -> Any:
    """The smallest eigenvalue of a symmetric operator on states."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    steps = min(total, 80)
    some = state[system.names[0]]
    lead, kind = some.shape[:2], some.real.dtype
    first = jax.random.normal(jax.random.key(0), (total,), kind)
    v = jnp.broadcast_to(first / jnp.linalg.norm(first), (*lead, total))
    basis = jnp.zeros((steps, *lead, total), kind)

    def step(k: Any, carry: Any) -> Any:
        basis, v, alphas, betas, scale, alive = carry
        basis = basis.at[k].set(v)
        w = system.flat(product(system.split(v))).real
        alpha = jnp.sum(w * v, axis=-1)
        for _ in range(2):  # twice is enough: full reorthogonalisation
            w = w - jnp.einsum("sabi,sab->abi", basis, jnp.einsum("sabi,abi->sab", basis, w))
        beta = jnp.sqrt(jnp.sum(w * w, axis=-1))
        # The Krylov space may be exhausted early: the rest repeats the first quotient, uncoupled.
        alphas = alphas.at[k].set(jnp.where(alive, alpha, alphas[0]))
        scale = jnp.maximum(scale, jnp.abs(alpha) + beta)
        alive = alive & (beta > tiny * scale)
        beta = jnp.where(alive, beta, 0.0)
        v = jnp.where(alive[..., None], w / jnp.where(alive, beta, 1.0)[..., None], 0.0)
        return basis, v, alphas, betas.at[k].set(beta), scale, alive

    zeros = jnp.zeros((steps, *lead), kind)
    tiny = 16 * jnp.finfo(kind).eps
    begin = (basis, v, zeros, zeros, jnp.zeros(lead, kind), jnp.ones(lead, bool))
    _, _, alphas, betas, *_ = lax.fori_loop(0, steps, step, begin)
    main = jnp.moveaxis(alphas, 0, -1)[..., None] * jnp.eye(steps, dtype=kind)
    side = jnp.moveaxis(betas[:-1], 0, -1)
    off = jnp.zeros((*lead, steps, steps), kind)
    index = jnp.arange(steps - 1)
    off = off.at[..., index, index + 1].set(side).at[..., index + 1, index].set(side)
    return batched.smallest_eigenvalue(main + off)
