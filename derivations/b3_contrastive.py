"""What clamped phases minimise: contrastive learning and coupled learning.

Clamping the outputs gives the gradient of E_clamped − E_free, which is ½rᵀAr with
A = ((H⁻¹)_oo)⁻¹ for a quadratic energy.  Coupled learning clamps to a point a fraction η of the
way; that is a nudge by the constant force Ar.  Neither is the loss ½|r|², whose force is r.
Reference: Movellan (1991), Connectionist Models; Baldi & Pineda (1991), Neural Computation 3, 526;
Stern et al. (2021), Phys. Rev. X 11, 021045 (coupled learning).
It breaks where H_hh or A is singular.
"""

from __future__ import annotations

from unified.symbolic import (
    Axis,
    Claim,
    Expr,
    Series,
    Step,
    derivative,
    eye,
    inv,
    outer,
    scalar,
    substitute,
    var,
)  # fmt: skip

m, k = Axis("m"), Axis("k")
so, sh, bo, bh, y = var("so", m), var("sh", k), var("bo", m), var("bh", k), var("y", m)
Hoo, Hhh = var("Hoo", m, m, symmetric=True), var("Hhh", k, k, symmetric=True)
K = var("K", m, k)
beta, eta = scalar("beta"), scalar("eta")
E = so @ Hoo @ so / 2 + so @ K @ sh + sh @ Hhh @ sh / 2 - bo @ so - bh @ sh
A = Hoo - K @ inv(Hhh) @ K.T  # ((H⁻¹)_oo)⁻¹, the stiffness of the outputs
a = bo - K @ inv(Hhh) @ bh
FREE = inv(A) @ a
r = y - FREE
NUDGED = inv(A + beta * eye(m)) @ (a + beta * y)
GAP, LOSS = r @ A @ r / 2, r.sq() / 2


def at(x: Expr, outputs: Expr) -> Expr:
    """x with the outputs held somewhere and the hidden units relaxed."""
    return substitute(x, {so: outputs, sh: inv(Hhh) @ (bh - K.T @ outputs)})


def contrast(outputs: Expr) -> Expr:
    """The difference of the local quantity ∂E/∂K = s_o s_hᵀ from the free phase."""
    return at(derivative(E, K), outputs) - at(derivative(E, K), FREE)


def _forced(force: Expr) -> Expr:
    """The outputs under a constant force on them."""
    return inv(A) @ (a + eta * force)


CONTRASTIVE = Claim(
    "B3-contrastive", "the clamped contrast is the gradient of the energy gap, not of the loss",
    statement=r"E(s_{\rm clamped})-E(s_0) = \tfrac12r^\top A r,\quad A=((H^{-1})_{oo})^{-1},\quad "
    r"r=y-s_o",
    steps=[
        Step(at(derivative(E, sh), y), 0, "the hidden units rest at H_hh⁻¹(b_h − Kᵀs_o)"),
        Step(
            at(derivative(E, so), y), A @ y - a,
            "then the outputs feel a spring of stiffness A, the Schur complement",
        ),
        Step(at(derivative(E, so), FREE), 0, "which is at rest at A⁻¹a: the free phase"),
        Step(at(E, y) - at(E, FREE), GAP, "what the clamp costs",
            latex=r"E(s_{\rm clamped})-E(s_0) = \tfrac12r^\top Ar",
        ),
        Step(
            contrast(y), derivative(GAP, K),
            "the contrast of ∂E/∂θ is the gradient of that gap: here for the weights K",
            latex=r"s_os_h^\top\big|_{\rm clamped}-s_os_h^\top\big|_0 = "
            r"\frac{\partial}{\partial K}\tfrac12r^\top Ar",
        ),
        Step(-r, derivative(GAP, bo), "and for the output bias (∂E/∂b = −s)"),
        Step(
            derivative(LOSS, bo), -inv(A) @ r,
            "the gradient of the loss has A⁻¹r in the place of r = A⁻¹(Ar)",
            latex=r"\frac{\partial}{\partial b_o}\tfrac12\lVert r\rVert^2 = -A^{-1}r",
        ),
        Step(
            NUDGED - FREE, inv(A) @ inv(eye(m) / beta + inv(A)) @ r,
            "a finite nudge exerts (1/β + A⁻¹)⁻¹r: βr as β → 0, and the clamp's Ar as β → ∞",
            latex=r"s_o^\beta-s_o^0 = A^{-1}\bigl(\tfrac1\beta+A^{-1}\bigr)^{-1}r",
        ),
    ],
    breaks_when=[
        "A = 1: the clamped contrast then is the gradient of the loss",
        "the clamped and the free phase lie on two branches", "H_hh is singular",
    ],
    refute=[
        Step(contrast(y), derivative(LOSS, K), "the clamped contrast taken for the loss",
            latex=r"s_os_h^\top\big|_{\rm clamped}-s_os_h^\top\big|_0 \neq "
            r"\frac{\partial}{\partial K}\tfrac12\lVert r\rVert^2",
        ),
        Step(r, derivative(GAP, bo), "phases exchanged"),
        Step(at(E, y) - at(E, FREE), r @ inv(A) @ r / 2, "A for its inverse",
            latex=r"E(s_{\rm clamped})-E(s_0) \neq \tfrac12r^\top A^{-1}r",
        ),
        Step(at(derivative(E, so), y), Hoo @ y - a, "hidden units not relaxed"),
    ],
    source="Movellan (1991); Baldi & Pineda (1991), Neural Computation 3, 526",
)  # fmt: skip

COUPLED = Claim(
    "B3-coupled", "coupled learning is a nudge by the force Ar",
    statement=r"\lim_{\eta\to0}\tfrac1\eta\bigl(\partial_\theta E(s_\eta)-\partial_\theta E(s_0)"
    r"\bigr)\ \text{is EP with the output force}\ ((H^{-1})_{oo})^{-1}(y-s_o)",
    steps=[
        Step(
            _forced(A @ r), FREE + eta * r,
            "a constant force ηAr puts the outputs a fraction η of the way to the target",
            latex=r"s_o(\text{force }\eta Ar) = A^{-1}(a+\eta Ar) = s_o^0+\eta r",
        ),
        Step(
            contrast(FREE + eta * r), contrast(_forced(A @ r)),
            "so the two rules agree, for a quadratic energy at every η",
            latex=r"\Delta[s_os_h^\top]\big|_{\text{clamp }\eta} = "
            r"\Delta[s_os_h^\top]\big|_{\text{force }\eta Ar}",
        ),
        Series(
            contrast(FREE + eta * r),
            eta * (outer(r, at(sh, FREE)) - outer(FREE, inv(Hhh) @ K.T @ r)),
            "to first order: outputs move by ηr and take the hidden units along", beta=eta,
            order=1,
            latex=r"\Delta[s_os_h^\top] = \eta\bigl(r\,s_h^{0\top}-s_o^0(H_{hh}^{-1}K^\top "
            r"r)^\top\bigr)+O(\eta^2)",
        ),
        Series(
            contrast(NUDGED), beta * derivative(LOSS, K),
            "EP with the loss ½|r|² has the force βr and gives the loss gradient", beta=beta,
            order=1,
            latex=r"\Delta[s_os_h^\top]\big|_{\text{nudge }\beta} = "
            r"\beta\,\frac{\partial}{\partial K}\tfrac12\lVert r\rVert^2+O(\beta^2)",
        ),
    ],
    breaks_when=["A is singular: no force holds the outputs", "η not small and E not quadratic"],
    refute=[
        Series(
            contrast(FREE + eta * r), eta * derivative(LOSS, K),
            "coupled learning taken for the gradient of the loss", beta=eta, order=1,
            latex=r"\Delta[s_os_h^\top]\big|_{\text{clamp }\eta} \neq "
            r"\eta\,\frac{\partial}{\partial K}\tfrac12\lVert r\rVert^2+O(\eta^2)",
        ),
        Series(
            contrast(FREE + eta * r), eta * derivative(GAP, K),
            "coupled learning at small η taken for the clamped contrast", beta=eta, order=1,
            latex=r"\Delta[s_os_h^\top]\big|_{\text{clamp }\eta} \neq "
            r"\eta\,\frac{\partial}{\partial K}\tfrac12r^\top Ar+O(\eta^2)",
        ),
        Step(_forced(inv(A) @ r), FREE + eta * r, "A for its inverse in the force",
            latex=r"s_o(\eta A^{-1}r) \neq s_o^0+\eta r",
        ),
    ],
    source="Stern et al. (2021), Phys. Rev. X 11, 021045",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (CONTRASTIVE, COUPLED)
