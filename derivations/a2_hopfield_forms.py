"""The two Hopfield energies, their fields, and why they only go down.

Additive: E = ½|s|² − ½ρᵀWρ − bᵀρ with field −s + ρ'⊙(Wρ+b), a gradient flow.  Cohen–Grossberg:
E = −½ρᵀWρ − bᵀρ + Σ∫^{ρ_i}ρ⁻¹ with field −s + Wρ + b, a flow in the metric 1/ρ'.  The layered
network is the additive one with W block tridiagonal.
Reference: Hopfield (1984), PNAS 81, 3088; Cohen & Grossberg (1983), IEEE Trans. SMC 13, 815;
Scellier & Bengio (2017), arXiv:1602.05179, for the additive form.
It breaks if W ≠ Wᵀ, and for Cohen–Grossberg if ρ is not increasing.
"""

from __future__ import annotations

import sympy

from unified.energies import hopfield, recurrent
from unified.symbolic import Claim, Step, derivative, einsum, fn, substitute, symmetric, var

_HALF = sympy.Rational(1, 2)
_z = sympy.Symbol("z")
_R = sympy.Function("R")  # R' = ρ, so that ∫ρ needs no integral sign
_law = sympy.Lambda(_z, sympy.Derivative(_R(_z), _z))
integral, rho = fn(_R), fn(_law)

ADDITIVE = recurrent(2, rho=_law)  # sizes are defaults; the axes are symbolic
s, b, W = (ADDITIVE.variables[name] for name in ("s", "b", "W"))
(n0,) = s.axes
tau, X = var("tau", n0), var("X", n0, n0)
rate, slope = rho(s), derivative(rho(s).sum(), s)

GROSSBERG = (s * rate - integral(s)).sum() - rate @ W @ rate / 2 - b @ rate
FIELD = W @ rate + b - s

LAYERED = hopfield([2, 3, 4, 5], rho=_law)
_x, s1, s2, s3 = (LAYERED.variables[name] for name in ("x", "s1", "s2", "s3"))
W2, W3, b2 = (LAYERED.variables[name] for name in ("W2", "W3", "b2"))


def _slope(v):
    return derivative(rho(v).sum(), v)


ADDITIVE_FORM = Claim(
    "A2-additive", "the additive Hopfield energy and its descent",
    statement=r"\tau\odot\dot s = -\nabla E = -s+\rho'\odot(W\rho+b),\qquad "
    r"\dot E = -\sum_i \tau_i \dot s_i^2 \le 0",
    steps=[
        Step(-ADDITIVE.grad("s"), slope * (W @ rate + b) - s, "differentiate; W = Wᵀ"),
        Step(
            ADDITIVE.grad("s") @ (-ADDITIVE.grad("s") / tau),
            -((tau**_HALF * (ADDITIVE.grad("s") / tau)).sq()),
            "chain rule with ṡ = −∇E/τ: minus a sum of squares of √τ ṡ",
            latex=r"\nabla E^\top\dot s = -\lVert\sqrt\tau\odot\dot s\rVert^2,\quad \dot s = "
            r"-\nabla E\oslash\tau",
        ),
        Step(
            LAYERED.grad("s2"), s2 - _slope(s2) * (W2.T @ rho(s1) + W3 @ rho(s3) + b2),
            "layered: a hidden layer hears the layer below and the layer above",
        ),
        Step(
            LAYERED.hessian("s1", "s2"), -einsum("i,ij,j->ij", _slope(s1), W2, _slope(s2)),
            "neighbouring layers meet through W",
        ),
        Step(LAYERED.hessian("s1", "s3"), 0, "others do not: W is block tridiagonal"),
    ],
    breaks_when=["W ≠ Wᵀ: the field then has no energy", "τ_i ≤ 0 for some unit"],
    refute=[
        Step(
            derivative(substitute(ADDITIVE.expr, {W: X}), s), s - slope * (X @ rate + b),
            "symmetry of W dropped",
        ),
        Step(-ADDITIVE.grad("s"), slope * (W @ rate) + b - s, "the bias without its slope"),
        Step(
            ADDITIVE.grad("s") @ (-ADDITIVE.grad("s") / tau),
            -((ADDITIVE.grad("s") / tau).sq()), "time constants dropped",
            latex=r"\nabla E^\top\dot s \neq -\lVert\dot s\rVert^2",
        ),
    ],
    source="Hopfield (1984), PNAS 81, 3088; Scellier & Bengio (2017), arXiv:1602.05179",
)  # fmt: skip

_descent = derivative(GROSSBERG, s) @ (FIELD / tau)

GROSSBERG_FORM = Claim(
    "A2-Cohen-Grossberg", "the Cohen–Grossberg energy and its descent",
    statement=r"\tau\odot\dot s = -s+W\rho+b,\quad E = -\tfrac12\rho^\top W\rho-b^\top\rho+"
    r"\sum_i\int^{\rho_i}\rho^{-1},\quad \dot E = -\sum_i\tau_i\rho'_i\dot s_i^2 \le 0",
    steps=[
        Step(
            derivative((s * rate - integral(s)).sum(), s), s * slope,
            "∫^ρ ρ⁻¹ = sρ − ∫^s ρ by parts (R' = ρ): its slope is ρ⁻¹(ρ(s))·ρ' = sρ'",
        ),
        Step(derivative(GROSSBERG, s), -(slope * FIELD), "so the gradient is −ρ' times the field"),
        Step(
            _descent, -(tau * slope * (FIELD / tau) * (FIELD / tau)).sum(),
            "chain rule with ṡ = field/τ",
        ),
        Step(
            _descent, -(((tau * slope) ** _HALF * (FIELD / tau)).sq()),
            "where ρ' ≥ 0 this is minus a sum of squares",
            latex=r"\nabla E^\top\dot s = -\lVert\sqrt{\tau\odot\rho'}\odot\dot "
            r"s\rVert^2,\quad \dot s = (-s+W\rho+b)\oslash\tau",
        ),
    ],
    breaks_when=[
        "W ≠ Wᵀ", "ρ decreases somewhere: E may rise", "τ_i ≤ 0 for some unit",
        "ρ' = 0 on an interval: E no longer sees those units",
    ],
    refute=[
        Step(derivative(GROSSBERG, s), slope * FIELD, "sign of the field"),
        Step(derivative(GROSSBERG, s), -FIELD, "the metric 1/ρ' dropped"),
        Step(
            derivative(substitute(GROSSBERG, {W: X}), s),
            -(slope * (X @ rate + b - s)), "symmetry of W dropped",
        ),
        Step(
            derivative((s * rate + integral(s)).sum(), s), s * slope, "sign of the integral",
        ),
    ],
    source="Cohen & Grossberg (1983), IEEE Trans. SMC 13, 815; Hopfield (1984)",
)  # fmt: skip

CONVERSE = Claim(
    "A2-symmetric-part", "an energy only ever sees the symmetric part of its weights",
    statement=r"\tfrac12\rho^\top X\rho = \tfrac12\rho^\top\tfrac{X+X^\top}{2}\rho",
    steps=[
        Step(
            derivative(substitute(ADDITIVE.expr, {W: X}), s),
            s - slope * ((X + X.T) / 2 @ rate + b),
            "the gradient of ρᵀXρ is that of its transpose: X enters as (X + Xᵀ)/2",
        ),
        Step(
            derivative(substitute(ADDITIVE.expr, {W: X}), s), s - slope * (X @ rate + b),
            "so the field of the network itself comes out iff X = Xᵀ", assume=[symmetric(X)],
        ),
    ],
    refute=[
        Step(rate @ X @ rate, rate @ (X - X.T) @ rate, "the antisymmetric part"),
        Step(
            derivative(substitute(ADDITIVE.expr, {W: X}), s), s - slope * (X.T @ rate + b),
            "a transpose",
        ),
    ],
    breaks_when=["nothing: it holds for every X"],
    source="Hopfield (1982), PNAS 79, 2554",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (ADDITIVE_FORM, GROSSBERG_FORM, CONVERSE)
