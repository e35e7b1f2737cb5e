"""D4. The evidence is the nudged cost, averaged along the nudge.

In words: switching the nudge on from 0 to β integrates the mean cost to the difference of two
free energies, and for a Gaussian likelihood that difference is −log p(y) up to the likelihood's
normaliser.  Its gradient is the finite-β contrast of the mean local rules: Boltzmann learning.
A contrast of rules at the two rest points lacks the difference of the covariances.

Source: Ackley, Hinton & Sejnowski (1985), Cognitive Science 9, 147; Gelman & Meng (1998),
Statistical Science 13, 163, for the integration along a path.
What breaks it: a cost that is not minus a log-likelihood (its normaliser then depends on s), an
energy without a normalisable prior.
"""

import sympy

from unified.symbolic import (
    Assumption,
    Claim,
    Expr,
    Step,
    axes,
    derivative,
    einsum,
    inv,
    let,
    log,
    logdet,
    ones,
    outer,
    positive_definite,
    scalar,
    substitute,
    var,
)  # fmt: skip

n, m = axes("n m")
s, b, y, r = var("s", n), var("b", n), var("y", m), var("r", m)
A, R = var("A", n, n, symmetric=True), var("R", m, m, symmetric=True)
D, S, H = var("D", m, n), var("S", m, m), var("H", n, n)
mean0, mean1, gap = var("s_0", n), var("s_beta", n), var("eps", m)
beta, T = scalar("beta"), scalar("T")
N, M = ones(n).sum(), ones(m).sum()
LOG_2PI = sympy.log(2 * sympy.pi)

E = s @ A @ s / 2 - b @ s
C = (y - D @ s) @ inv(R) @ (y - D @ s) / 2
F = E + beta * C
hess = A + beta * D.T @ inv(R) @ D
rest = inv(hess) @ (b + beta * D.T @ inv(R) @ y)
free = inv(A) @ b
PHI = substitute(F, {s: rest}) + T * logdet(hess) / 2 - T * N * (LOG_2PI + log(T)) / 2
PHI_0 = substitute(E, {s: free}) + T * logdet(A) / 2 - T * N * (LOG_2PI + log(T)) / 2
normaliser = (logdet(R) + M * (LOG_2PI + log(T) - log(beta))) / 2  # ½ log det(2πTR/β)
EVIDENCE = (PHI - PHI_0) / T + normaliser
abbreviations: list[Assumption] = [
    let(mean0, free), let(mean1, rest), let(H, hess), let(r, y - D @ inv(A) @ b),
    let(S, T * (D @ inv(A) @ D.T + R / beta)), let(gap, y - D @ rest),
]  # fmt: skip


def tr(a: Expr) -> Expr:
    """tr a."""
    return einsum("ii->", a)


mean_cost = substitute(C, {s: rest}) + T * tr(inv(hess) @ D.T @ inv(R) @ D) / 2
moment1 = outer(mean1, mean1) + T * inv(H)
moment0 = outer(mean0, mean0) + T * inv(A)

CLAIM = Claim(
    "D4",
    "The evidence as an integral over the nudge, and its gradient as a finite contrast",
    statement=(
        r"-\log p(y) = \tfrac{1}{T}\int_0^\beta \langle C\rangle_{\beta'}\, d\beta' + \tfrac12\log"
        r"\det(2\pi T R/\beta),\quad -\partial_\theta \log p(y) = \tfrac{1}{T}\left(\langle "
        r"\partial_\theta E\rangle_\beta - \langle \partial_\theta E\rangle_0\right)"
    ),
    assumptions=[positive_definite(A), positive_definite(R), *abbreviations],
    breaks_when=[
        "C not quadratic in s: ∫exp(−βC/T)dy must not depend on s, else a normaliser is missing",
        "θ in C (D, R): β⟨∂C/∂θ⟩ joins the contrast, and for R the normaliser's own gradient",
        "T → 0 at fixed β: the mean rules become the rules at the MAP, the T-terms vanish",
    ],
    steps=[
        Step(F, (s - mean1) @ H @ (s - mean1) / 2 + substitute(F, {s: rest}),
             "F is a parabola: ∫exp(−F/T)ds = exp(−F(s_β)/T) (2πT)^{n/2} det H^{−1/2}, so "
             "Φ_β = F(s_β) + (T/2) log det H − (Tn/2) log 2πT",
             latex=r"F(s) = F(s_\beta) + \tfrac12 (s - s_\beta)^\top H (s - s_\beta)"),
        Step(substitute(PHI, {beta: 0 * beta}), PHI_0, "without nudge: the prior's free energy",
             latex=r"\Phi_\beta \to \Phi_0 \text{ for } \beta \to 0"),
        Step(derivative(PHI, beta), mean_cost,
             "the mean cost under N(s_β, T H⁻¹) is the slope of the free energy; integrate it",
             latex=r"\frac{d\Phi_\beta}{d\beta} = C(s_\beta) + \tfrac{T}{2}\operatorname{tr}("
                   r"H^{-1} D^\top R^{-1} D) = \langle C\rangle_\beta"),
        Step(EVIDENCE, r @ inv(S) @ r / 2 + logdet(S) / 2 + M * LOG_2PI / 2,
             "Gaussian closed form: −log N(y; DA⁻¹b, S) with S = T(DA⁻¹Dᵀ + R/β)",
             latex=r"\frac{\Phi_\beta - \Phi_0}{T} + \tfrac12\log\det\frac{2\pi T R}{\beta} = "
                   r"\tfrac12 r^\top S^{-1} r + \tfrac12\log\det 2\pi S"),
        Step(T * derivative(EVIDENCE, A), (moment1 - moment0) / 2,
             "∂E/∂A = ½ssᵀ: the gradient of the evidence is the contrast of its means",
             latex=r"-T\,\partial_A \log p(y) = \tfrac12\left(\langle ss^\top\rangle_\beta - "
                   r"\langle ss^\top\rangle_0\right)"),
        Step(T * derivative(EVIDENCE, b), mean0 - mean1, "∂E/∂b = −s: the same for the bias",
             latex=r"-T\,\partial_b \log p(y) = -(s_\beta - s_0)"),
        Step(T * derivative(EVIDENCE, D), -beta * inv(R) @ (outer(gap, mean1) - T * D @ inv(H)),
             "a parameter of the cost adds β⟨∂C/∂D⟩ = −βR⁻¹⟨(y − Ds)sᵀ⟩",
             latex=r"-T\,\partial_D \log p(y) = -\beta R^{-1}\left(\varepsilon s_\beta^\top - "
                   r"T D H^{-1}\right)"),
        Step(T * derivative(EVIDENCE, A)
             - (outer(mean1, mean1) - outer(mean0, mean0)) / 2, T * (inv(H) - inv(A)) / 2,
             "the contrast of the rules at the two rest points lacks this: "
             "(T/2) tr[(H_β⁻¹ − H_0⁻¹)∂_θA]",
             latex=r"-T\,\partial_A\log p(y) - \tfrac12(s_\beta s_\beta^\top - s_0 s_0^\top) = "
                   r"\tfrac{T}{2}\left(H_\beta^{-1} - H_0^{-1}\right)"),
    ],
    refute=[
        Step(EVIDENCE - normaliser, r @ inv(S) @ r / 2 + logdet(S) / 2 + M * LOG_2PI / 2,
             "without the likelihood's normaliser"),
        Step(T * derivative(EVIDENCE, A), (outer(mean1, mean1) - outer(mean0, mean0)) / 2,
             "the rule at the MAP taken for the gradient of the evidence"),
        Step(derivative(PHI, beta), substitute(C, {s: rest}), "the cost at rest for the mean cost"),
        Step(derivative(EVIDENCE, A), (moment1 - moment0) / 2, "the contrast without 1/T"),
    ],
)  # fmt: skip
