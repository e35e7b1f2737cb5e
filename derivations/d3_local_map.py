"""Nonlinear nets: a nudged rest point is a local MAP, and how far that is from mean and marginal.

With prior ∝ exp(−E/T) and likelihood ∝ exp(−βC/T), −log posterior is F/T: its modes are the rest
points of F and its Laplace precision is H/T.  Both are approximate.  To first order in T the mean
lies at s* − (T/2) H⁻¹(F''':H⁻¹), the covariance is T H⁻¹, and the mode of a marginal lies at
o* − T S⁻¹ ∂/∂o ½log det H_hh: three different places as soon as a third derivative is not zero.
Any smooth F enters as a Taylor polynomial with free coefficients at its rest point, which is moved
to the origin.
Reference: Tierney & Kadane (1986), JASA 81, 82; MacKay (2003), chapter 27.
It breaks at T comparable to the barrier around s*, and where H is singular.
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
    einsum,
    inv,
    let,
    logdet,
    scalar,
    substitute,
    var,
)  # fmt: skip
from unified.symbolic.build import zeros

T, eps = scalar("T"), scalar("epsilon")
v = var("v", _jet.n)  # a direction: the sources are J = εv
F = _jet.energy()
_TILTED = F - eps * (v @ _jet.s)
_BRANCH = (_jet.s, derivative(_TILTED, _jet.s))
_HESSIAN = derivative(derivative(F, _jet.s), _jet.s)
_cubic = _jet.cube(_jet.E3, _jet.s)
_third = derivative(derivative(derivative(_cubic, _jet.s), _jet.s), _jet.s)
_drift = einsum("ijk,jk->i", _third, inv(_jet.H))
_VOLUME = T / 2 * logdet(_HESSIAN)
_WIDTH = v @ inv(_jet.H) @ v
_PULL = v @ inv(_jet.H) @ _drift
_BASE = T / 2 * logdet(_jet.H)
beta = _jet.beta
_post = (_jet.energy() + beta * _jet.cost()) / T


def _tilt(lhs: Expr, rhs: Expr, words: str, order: int, latex: str) -> Series:
    return Series(lhs, rhs, words, latex=latex, beta=eps, order=order, branch=_BRANCH)


MOMENTS = Claim(
    "D3", "nudged rest points are local MAPs; the mean is elsewhere, by a third derivative",
    statement=r"-\log p(s|y) = F/T+\text{const},\quad \langle s\rangle = s_*-\tfrac T2H^{-1}"
    r"(F''':H^{-1})+O(T^2),\quad \mathrm{Cov} = TH^{-1}+O(T^2)",
    assumptions=_jet.REST,
    steps=[
        Step(derivative(_post, _jet.s), derivative(_jet.energy() + beta * _jet.cost(), _jet.s) / T,
             "the score of the posterior is the force of F over T: same zeros, whatever T",
             latex=r"\nabla(-\log p) = \tfrac1T\,\partial F/\partial s"),
        Step(derivative(derivative(_post, _jet.s), _jet.s), (_jet.H + beta * _jet.D) / T,
             "and its curvature at the mode is H/T, the Laplace precision",
             latex=r"\nabla\nabla(-\log p)\,\big|_{s_*} = H/T"),
        _tilt(_TILTED, -(eps**2) * _WIDTH / 2,
              "a source J = εv makes Φ(ε) its generating function; without the volume term "
              "−∂²Φ/∂ε² is vᵀH⁻¹v: the covariance is TH⁻¹", 2,
              r"\min_s(F-\varepsilon v^\top s) = -\tfrac{\varepsilon^2}2v^\top H^{-1}v"
              r"+O(\varepsilon^3)"),
        _tilt(_TILTED + _VOLUME, _BASE + eps * T / 2 * _PULL,
              "with it −∂Φ/∂ε is the mean: the volume around the mode pulls it down the slope of "
              "log det H", 1,
              r"\Phi(\varepsilon) = \tfrac T2\log\det H+\varepsilon\tfrac T2v^\top H^{-1}"
              r"(F''':H^{-1})+O(\varepsilon^2)"),
    ],
    breaks_when=[
        "T comparable to the barrier around s*: other minima take part",
        "H singular or indefinite: the rest point is no mode",
        "exact, not approximate, iff F is quadratic (D1)",
    ],
    refute=[
        _tilt(_TILTED + _VOLUME, _BASE + 0 * eps * _PULL, "mean = mode: third derivative dropped",
              1, r"\langle s\rangle \neq s_*"),
        _tilt(_TILTED + _VOLUME, _BASE - eps * T / 2 * _PULL, "the shift with the other sign", 1,
              r"\langle s\rangle \neq s_*+\tfrac T2H^{-1}(F''':H^{-1})"),
        Step(derivative(derivative(_post, _jet.s), _jet.s), (_jet.H + beta * _jet.D) * T,
             "precision TH: temperature the wrong way up",
             latex=r"\nabla\nabla(-\log p)\,\big|_{s_*} \neq TH"),
    ],
    source="Tierney & Kadane (1986), JASA 81, 82; derived here for any smooth energy",
)  # fmt: skip

# --- a marginal: hidden units integrated out, F(h, o) around its rest point -----------------------
a, b = Axis("a"), Axis("b")
h, o = var("h", a), var("o", b)
Hhh, Hho, Hoo = var("Hhh", a, a, symmetric=True), var("Hho", a, b), var("Hoo", b, b, symmetric=True)
G = var("G", a, a, b)  # the third derivatives that matter: F_hho
Ghhh, Ghoo, Gooo = var("Ghhh", a, a, a), var("Ghoo", a, b, b), var("Gooo", b, b, b)


def _cube(x: Expr) -> Expr:
    return _jet.cube(Ghhh, x)


_F = (
    h @ Hhh @ h / 2 + h @ Hho @ o + o @ Hoo @ o / 2 + einsum("ijk,i,j,k->", G, h, h, o) / 2
    + _cube(h) + einsum("ijk,i,j,k->", Ghoo, h, o, o) / 2
    + einsum("ijk,i,j,k->", Gooo, o, o, o) / 6
)  # fmt: skip
u = var("u", b)  # where the marginal is looked at: o = εu
_at = {o: eps * u}
_slope_h = -(inv(Hhh) @ Hho @ u)  # how h gives way
_Fhhh = derivative(derivative(derivative(_cube(h), h), h), h)
_turn = (
    einsum("ij,ijk,k->", inv(Hhh), G, u) + einsum("ij,ijk,k->", inv(Hhh), _Fhhh, _slope_h)
)  # fmt: skip
_hh = derivative(derivative(_F, h), h)
_marginal = _F + T / 2 * logdet(_hh)


def _slice(lhs: Expr, rhs: Expr, words: str, order: int, latex: str) -> Series:
    return Series(
        substitute(lhs, _at), rhs, words, latex=latex, beta=eps, order=order,
        branch=(h, substitute(derivative(_F, h), _at)), assume=[let(h, zeros(a))],
    )  # fmt: skip


_schur = Hoo - Hho.T @ inv(Hhh) @ Hho
MARGINAL = Claim(
    "D3-marginal", "the mode of a marginal is neither the joint mode's part nor the mean",
    statement=r"-T\log p(o) = \min_hF+\tfrac T2\log\det H_{hh}+\text{const}+O(T^2),\quad "
    r"o_{\text{marg}} = o_*-T\,S^{-1}\,\nabla_o\tfrac12\log\det H_{hh}(h(o),o)+O(T^2),\quad "
    r"S = H_{oo}-H_{oh}H_{hh}^{-1}H_{ho}",
    steps=[
        _slice(_F, eps**2 * (u @ _schur @ u) / 2,
               "hidden units follow; the profile of F has the Schur complement as its curvature",
               2, r"\min_hF(h,\varepsilon u) = \tfrac{\varepsilon^2}2u^\top Su+O(\varepsilon^3)"),
        _slice(_marginal, T / 2 * logdet(Hhh) + eps * T / 2 * _turn,
               "integrating them out adds ½T log det H_hh, which has a slope at the joint mode: "
               "directly, and through how h gives way", 1,
               r"\tfrac T2\log\det H_{hh}+\varepsilon\tfrac T2\bigl[H_{hh}^{-1}:F_{hho}u"
               r"-H_{hh}^{-1}:F_{hhh}H_{hh}^{-1}H_{ho}u\bigr]"),
    ],
    breaks_when=["H_hh singular", "no third derivative of F touches h: then all three agree"],
    refute=[
        _slice(_marginal, T / 2 * logdet(Hhh) + 0 * eps * _turn, "marginal mode = joint mode", 1,
               r"\nabla_o\tfrac12\log\det H_{hh} \neq 0"),
        _slice(_F, eps**2 * (u @ Hoo @ u) / 2, "hidden units held where they were", 2,
               r"\min_hF(h,\varepsilon u) \neq \tfrac{\varepsilon^2}2u^\top H_{oo}u"),
    ],
    source="Tierney & Kadane (1986), JASA 81, 82",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (MOMENTS, MARGINAL)
