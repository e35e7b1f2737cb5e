"""Fluctuation–dissipation in closed form, and the first correction at a small temperature.

For a quadratic energy and cost every mean and covariance is a formula: the gradient of ⟨C⟩_0 and
its two rival expressions (a covariance at β = 0, a response to the nudge) are compared directly.
For any smooth energy, ⟨C⟩_0 = C(s_0) + (T/2)[tr H⁻¹C'' − ∇CᵀH⁻¹(E''':H⁻¹)] + O(T²).
Any smooth E and C enter as Taylor polynomials with free coefficients: H, E3, M, M2 and c, D, C3,
d, N are their derivatives at the free rest point, which is moved to the origin.
Reference: Isserlis (1918), Biometrika 12, 134; MacKay (2003), chapter 27, for Laplace's method.
It breaks where H + βQ is not positive definite, and at temperatures near the barriers.
"""

from __future__ import annotations

from derivations import _jet
from unified.symbolic import (
    Axis,
    Claim,
    Expr,
    Series,
    Step,
    derivative,
    directional,
    einsum,
    inv,
    logdet,
    positive_definite,
    scalar,
    substitute,
    var,
)  # fmt: skip

beta, T = scalar("beta"), scalar("T")
n = Axis("n")
s, b, q, v = var("s", n), var("b", n), var("q", n), var("v", n)
H, Q = var("H", n, n, symmetric=True), var("Q", n, n, symmetric=True)
G = var("G", n, n, symmetric=True)
_E, _C = s @ H @ s / 2 - b @ s, s @ Q @ s / 2 - q @ s
_F = _E + beta * _C
_mode = inv(H + beta * Q) @ (b + beta * q)
_mu = inv(H) @ b
GAUSS = substitute(_F, {s: _mode}) + T / 2 * logdet(H + beta * Q)
MEAN_COST = substitute(_C, {s: _mu}) + T / 2 * einsum("ij,ji->", Q, inv(H))
_slope = Q @ _mu - q

GAUSSIAN = Claim(
    "B7-Gaussian", "the same in closed form for a quadratic energy and cost",
    statement=r"\langle C\rangle_0 = C(\mu)+\tfrac T2\mathrm{tr}\,QH^{-1},\quad "
    r"\mathrm{Cov}_0(\tfrac12s^\top Gs,C) = \tfrac{T^2}2\mathrm{tr}\,GH^{-1}QH^{-1}+T(G\mu)^\top "
    r"H^{-1}\nabla C(\mu)",
    assumptions=[positive_definite(H)],
    steps=[
        Step(
            derivative(GAUSS, beta),
            substitute(_C, {s: _mode}) + T / 2 * einsum("ij,ji->", Q, inv(H + beta * Q)),
            "Φ = F(m_β) + (T/2) log det H_β + const for a Gaussian; its slope is ⟨C⟩_β",
            latex=r"\frac{\partial\Phi}{\partial\beta} = C(m_\beta)+\tfrac "
            r"T2\operatorname{tr}Q(H+\beta Q)^{-1}",
        ),
        Step(
            substitute(derivative(GAUSS, beta), {beta: 0 * beta}), MEAN_COST,
            "at β = 0: the cost of the mean plus half T times the trace",
            latex=r"\frac{\partial\Phi}{\partial\beta}(0) = C(\mu)+\tfrac "
            r"T2\operatorname{tr}QH^{-1},\quad \mu=H^{-1}b",
        ),
        Step(
            directional(GAUSS, {H: G}),
            _mode @ G @ _mode / 2 + T / 2 * einsum("ij,ji->", G, inv(H + beta * Q)),
            "∂Φ/∂θ = ⟨½sᵀGs⟩_β along a direction G of H: mean and covariance both count",
            latex=r"\frac{\partial\Phi}{\partial H}\cdot G = \tfrac12m_\beta^\top "
            r"Gm_\beta+\tfrac T2\operatorname{tr}G(H+\beta Q)^{-1}",
        ),
        Step(
            directional(MEAN_COST, {H: G}),
            -(T**2 / 2 * einsum("ij,ji->", G @ inv(H), Q @ inv(H))
              + T * (G @ _mu @ inv(H) @ _slope)) / T,
            "the gradient of ⟨C⟩_0 is −Cov(½sᵀGs, C)/T, the covariance by Isserlis' theorem",
        ),
        Step(
            directional(MEAN_COST, {b: v}), v @ inv(H) @ _slope,
            "and for the bias +Cov(s, C)/T = H⁻¹∇C(μ): no temperature left",
        ),
        Series(
            directional(GAUSS, {H: G}),
            substitute(directional(GAUSS, {H: G}), {beta: 0 * beta})
            + beta * directional(MEAN_COST, {H: G}),
            "the response of ⟨∂E/∂θ⟩ to the nudge is that same gradient", beta=beta, order=1,
            latex=r"\frac{\partial\Phi}{\partial H}\cdot G\,\Big|_\beta = "
            r"\frac{\partial\Phi}{\partial H}\cdot "
            r"G\,\Big|_0+\beta\,\frac{\partial\langle C\rangle_0}{\partial H}\cdot "
            r"G+O(\beta^2)",
        ),
    ],
    breaks_when=["H + βQ is not positive definite"],
    refute=[
        Step(
            directional(GAUSS, {H: G}), _mode @ G @ _mode / 2,
            "the covariance dropped: the rule at the mode",
            latex=r"\frac{\partial\Phi}{\partial H}\cdot G \neq \tfrac12m_\beta^\top Gm_\beta",
        ),
        Step(
            directional(MEAN_COST, {H: G}),
            (T**2 / 2 * einsum("ij,ji->", G @ inv(H), Q @ inv(H))
             + T * (G @ _mu @ inv(H) @ _slope)) / T, "sign",
        ),
        Step(
            directional(MEAN_COST, {H: G}), -(G @ _mu @ inv(H) @ _slope), "trace term dropped",
        ),
    ],
    source="Isserlis (1918), Biometrika 12, 134; closed form derived here",
)  # fmt: skip

_jF = _jet.energy() + _jet.beta * _jet.cost()
_jBRANCH = (_jet.s, derivative(_jF, _jet.s))
_LAPLACE = _jF + T / 2 * logdet(derivative(derivative(_jF, _jet.s), _jet.s))
_cubic = _jet.cube(_jet.E3, _jet.s)
_E3 = derivative(derivative(derivative(_cubic, _jet.s), _jet.s), _jet.s)
_drift = einsum("ijk,jk->i", _E3, inv(_jet.H))
_START = T / 2 * logdet(_jet.H)


def _small(trace: int, cubic: int) -> Expr:
    first = trace * einsum("ij,ji->", inv(_jet.H), _jet.D) - cubic * (
        _jet.c @ inv(_jet.H) @ _drift)  # fmt: skip
    return _START + _jet.beta * (_jet.C0 + T / 2 * first)


def _laplace(rhs: Expr, words: str, latex: str) -> Series:
    return Series(
        _LAPLACE, rhs, words, latex=latex, beta=_jet.beta, order=1, branch=_jBRANCH
    )  # fmt: skip


SMALL = Claim(
    "B7-small-T", "how far ⟨C⟩ is from C(s_0) at a small temperature",
    statement=r"\langle C\rangle_0 = C(s_0)+\tfrac T2\bigl[\mathrm{tr}\,H^{-1}C''-\nabla C^\top "
    r"H^{-1}(E''':H^{-1})\bigr]+O(T^2)",
    assumptions=_jet.REST,
    steps=[
        _laplace(
            _small(1, 1),
            "Laplace: Φ = F(s_β) + (T/2) log det H_β + const + O(T²); its slope at β = 0 has the "
            "curvature of the cost, and the shift of the mean off the mode by the third derivative",
            latex=r"\Phi(\beta) = \Phi(0)+\beta\Bigl(C_0+\tfrac "
            r"T2\bigl[\operatorname{tr}H^{-1}D-c^\top "
            r"H^{-1}(E_3:H^{-1})\bigr]\Bigr)+O(\beta^2)",
        ),
        Step(
            derivative(derivative(_jet.cost(), _jet.s), _jet.s), _jet.D, "here C'' at the origin",
        ),
    ],
    breaks_when=["H is singular", "T is not small against the barriers around s_0",
                 "further minima of comparable depth"],
    refute=[
        _laplace(_small(1, -1), "sign of the shift of the mean",
            latex=r"\Phi(\beta) \neq \Phi(0)+\beta\Bigl(C_0+\tfrac "
            r"T2\bigl[\operatorname{tr}H^{-1}D+c^\top "
            r"H^{-1}(E_3:H^{-1})\bigr]\Bigr)+O(\beta^2)",
        ),
        _laplace(_small(1, 0), "third derivative dropped",
            latex=r"\Phi(\beta) \neq \Phi(0)+\beta\Bigl(C_0+\tfrac "
            r"T2\operatorname{tr}H^{-1}D\Bigr)+O(\beta^2)",
        ),
        _laplace(_small(0, 1), "curvature of the cost dropped",
            latex=r"\Phi(\beta) \neq \Phi(0)+\beta\Bigl(C_0-\tfrac T2c^\top "
            r"H^{-1}(E_3:H^{-1})\Bigr)+O(\beta^2)",
        ),
    ],
    source="MacKay (2003), chapter 27; second-order term after Tierney & Kadane (1986)",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (GAUSSIAN, SMALL)
