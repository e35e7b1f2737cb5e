"""Additive Hopfield energies: layered, and densely recurrent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from unified.energies.energy import Energy
from unified.energies.net import Skips, layer_axes, layer_net
from unified.symbolic.axis import Axis
from unified.symbolic.build import add, power, var
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.scalar import X, fn


def hopfield(sizes: Sequence[int], rho: Any = "tanh", skip: Skips = ()) -> Energy:
    """The layered additive Hopfield energy, input clamped.

    Equation: E = Σ_l ½|s_l|² − Σ_l ρ(s_{l-1})ᵀ W_l ρ(s_l) − Σ_l b_lᵀ ρ(s_l), with ρ(s_0) := x;
    every (k, l) of `skip` adds −ρ(s_k)ᵀ W_{k,l} ρ(s_l).
    Shapes: x (n0), s_l (n_l), W_l (n_{l-1}, n_l), W_{k,l} (n_k, n_l), b_l (n_l); energy
    dimensionless, per sample.
    Raises: InputError for bad sizes, an unknown nonlinearity, or a skip that does not jump up
    over a layer.
    Relaxation starts from a forward pass in which every layer solves s = ρ'(s)·drive with ρ'
    expanded to second order.
    Reference: Hopfield (1984); Scellier & Bengio (2017), arXiv:1602.05179.
    """
    law = fn(rho)
    net = layer_net(sizes, skip)
    return Energy(
        add(*(0.5 * s.sq() for s in net.states), *net.coupling(law)),
        net.states, net.params, [net.x], sizes=net.sizes, initial=net.initial,
        start=net.forward(law, lambda drive: _settled(law, drive)), name="hopfield",
    )  # fmt: skip


def _settled(law: Any, drive: Expr) -> Expr:
    """The rest point of s = ρ'(s)·drive with ρ'(s) ≈ p + q s² (exact for a linear ρ).

    Equation: s = 2pa/(1 + √(1 − 4pq a²)) for q ≤ 0; the drive itself where ρ has no such expansion.
    """
    slope = law.law.expr.diff(X)
    p, r, q = (slope.diff(X, k).subs(X, 0) / sympy.factorial(k) for k in range(3))
    if not (law.law.smooth and p.is_positive and r == 0 and q.is_nonpositive):
        return drive
    return 2 * p * drive * power(1 + power(1 - 4 * p * q * drive * drive, sympy.S.Half), -1)


def recurrent(n: int, inputs: int | None = None, rho: Any = "tanh") -> Energy:
    """The dense recurrent Hopfield energy with a symmetric weight matrix.

    Equation: E = ½|s|² − ½ρ(s)ᵀWρ(s) − (b + Ux)ᵀρ(s), W = Wᵀ (the input term only if `inputs`).
    Shapes: s, b (n), W (n, n) symmetric, U (n, m), x (m).
    Raises: InputError for bad sizes; a run with an asymmetric W is refused.
    Reference: Hopfield (1984), PNAS 81, 3088.
    """
    (a,) = layer_axes([n], least=1)
    law = fn(rho)
    s, b, w = var("s", a), var("b", a), var("W", a, a, symmetric=True)
    rate = law(s)
    expr = 0.5 * s.sq() - 0.5 * (rate @ w @ rate) - b @ rate
    params: list[Var] = [w, b]
    sizes = {a: n}
    ins: list[Var] = []
    if inputs is not None:
        layer_axes([inputs], least=1)
        m = Axis("m0")
        u, x = var("U", a, m), var("x", m)
        expr = expr - rate @ u @ x
        params.append(u)
        sizes[m] = inputs
        ins.append(x)
    return Energy(expr, [s], params, ins, sizes=sizes, name="recurrent")
