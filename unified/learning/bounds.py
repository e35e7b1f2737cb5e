"""Integrated losses: what finite nudges learn exactly, and how they enclose the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.phase import Phase
from unified.dynamics.relax import phase_values
from unified.learning.exact import hessian_solve
from unified.learning.nudging import Centered


@dataclass(frozen=True)
class IntegratedLoss:
    """The losses of finite nudges beside the loss itself.

    Equation: L_β = (V(β) − V(0))/β = (1/β)∫₀^β C(s_b) db, V(β) = F at the nudged rest point;
    `lower` = L_β ≤ `loss` = C(s_0) ≤ L_{−β} = `upper`; `gap` = β ∂Cᵀ/∂s H⁻¹ ∂C/∂s, which is
    upper − lower up to O(β³).
    Shapes: every field but β is (batch,), in units of the cost.
    """

    beta: float
    lower: Any
    loss: Any
    upper: Any
    gap: Any

    def __repr__(self) -> str:
        low, mid, high = (float(np.mean(v)) for v in (self.lower, self.loss, self.upper))
        return (
            f"IntegratedLoss(beta={self.beta:g}: batch means {low:.6g} <= loss {mid:.6g} <= "
            f"{high:.6g}; first-order gap {float(np.mean(self.gap)):.3g})"
        )


def integrated_loss(
    program: Program,
    params: Mapping[str, Any],
    x: Any,
    y: Any,
    beta: float,
    *,
    tol: float | None = None,
) -> IntegratedLoss:
    """L_β, C(s_0) and L_{−β} per sample.

    Equation: L_β ≤ C(s_0) ≤ L_{−β}, as V is concave along a branch of minima
    (V″ = −∂Cᵀ/∂s H⁻¹ ∂C/∂s ≤ 0). The gradient of L_β is `OneSided(beta)`, that of
    ½(L_β + L_{−β}) is `Centered(beta)`, exactly, at every β.
    Shapes: x (batch, n0), y (batch, ny); β > 0, `tol` the residual of every phase.
    Raises: ConvergenceError if a sample does not rest at a minimum in some phase (past the guard
    at −β there is no bound); InputError for β that is not positive, or arrays that do not fit.
    Reference: Laborieux & Zenke (2022), arXiv:2209.00530; theory page B3.
    """
    if not np.real(beta) > 0:
        raise bad_input("beta", "a positive number", beta, "both signs are used anyway")
    estimator = Centered(beta, tol=tol)
    free, toward, away = estimator(program, params, x, y).equilibria
    with program.precision:
        values, _ = phase_values(program, params, Phase(x, y))
        state = {k: v[None] for k, v in free.state.items()}
        cost, product = program.jit("response", lambda v, s: _response(program, v, s))(
            values, state
        )
    return IntegratedLoss(
        float(beta), (toward.energy - free.energy) / beta, np.asarray(cost),
        (free.energy - away.energy) / beta, beta * np.asarray(product),
    )  # fmt: skip


def _response(program: Program, values: Any, state: Any) -> tuple[Any, Any]:
    """C and ∂Cᵀ/∂s H⁻¹ ∂C/∂s per sample at a free rest point (traceable)."""
    import jax.numpy as jnp

    at = {**values, **state, "beta": jnp.zeros((1,), program.dtype)}
    slope = program.module.call("cost_gradient", at)
    moved = hessian_solve(program, at, state, slope)
    product: Any = 0.0
    for k, v in slope.items():
        product = product + jnp.sum(v * moved[k], axis=tuple(range(2, v.ndim)))
    return program.module.call("cost", at)["C"][0], product[0]
