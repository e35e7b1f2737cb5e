"""Forces without an energy: how wrong the vector-field rule is, and two exact corrections.

For ṡ = f(s, θ) − β∇C with Jacobian J at the free rest point the gradient needs J⁻ᵀ∇C, and the
nudged rest point gives J⁻¹∇C: the error is J⁻¹ − J⁻ᵀ = −2J⁻¹J_aJ⁻ᵀ.  Adding −2J_a(s − s_0) to the
second phase turns J into Jᵀ (augmented; centered it is exact to O(β²)).  Carrying the difference
in its own variable, ḋ = J(m)ᵀd − β∇C(m), is exact at every β (dyadic).
Reference: Scellier et al. (2018), arXiv:1808.04873 (vector field); Laborieux & Zenke (2024),
arXiv:2309.02214 (its error); Høier, Staudt & Zach (2023), arXiv:2302.01228 (dyadic).
It breaks where J is singular, or Jᵀ − 2βC'' is not Hurwitz.
"""

from __future__ import annotations

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
    scalar,
    substitute,
    symmetric,
    var,
)  # fmt: skip

n, p = Axis("n"), Axis("p")
s, theta, u = var("s", n), var("theta", p), var("u", p)
beta, t = scalar("beta"), scalar("t")
J, F2, F3 = var("J", n, n), var("F2", n, n, n), var("F3", n, n, n, n)
P, P2 = var("P", n, p), var("P2", n, n, p)  # ∂f/∂θ at the rest point, and how it varies
c, D, C0 = var("c", n), var("D", n, n, symmetric=True), scalar("C0")
REST = [let(s, 0 * s), let(theta, 0 * theta)]  # the free rest point is the origin

# Any smooth field, as its Taylor polynomial at the rest point; any smooth cost likewise.
f = (J @ s + einsum("ijk,j,k->i", F2, s, s) / 2 + einsum("ijkl,j,k,l->i", F3, s, s, s) / 6
     + P @ theta + einsum("ija,j,a->i", P2, s, theta))  # fmt: skip
C = C0 + c @ s + s @ D @ s / 2
J_a = (J - J.T) / 2
_slope = substitute(derivative(C, s), {theta: 0 * theta})
_field = substitute(f, {theta: 0 * theta})
_line = substitute(f, {theta: t * u})
VECTOR_FIELD = _field - beta * _slope
AUGMENTED = VECTOR_FIELD - 2 * (J_a @ s)
RESPONSE = inv(J.T) @ c
SECOND = inv(J.T) @ (2 * (D @ RESPONSE) - einsum("ijk,j,k->i", F2, RESPONSE, RESPONSE))


def _branch(lhs: Expr, rhs: Expr, field: Expr, order: int, words: str) -> Series:
    return Series(lhs, rhs, words, beta=beta, order=order, branch=(s, field))


ERROR = Claim(
    "B5-error", "the vector-field rule and its error",
    statement=r"-\bigl(\tfrac{\partial f}{\partial\theta}\bigr)^\top J^{-1}\nabla C\ "
    r"\text{for}\ -\bigl(\tfrac{\partial f}{\partial\theta}\bigr)^\top J^{-\top}\nabla C,\qquad "
    r"J^{-1}-J^{-\top} = -2J^{-1}J_aJ^{-\top}",
    assumptions=REST,
    steps=[
        Series(
            s, -t * (inv(J) @ P @ u), "a parameter moves the rest point by −J⁻¹∂f/∂θ", beta=t,
            order=1, branch=(s, _line),
        ),
        Series(
            C, C0 - t * (u @ P.T @ inv(J).T @ c), "so the gradient of the cost carries J⁻ᵀ",
            beta=t, order=1, branch=(s, _line),
        ),
        _branch(s, beta * (inv(J) @ c), VECTOR_FIELD, 1, "the nudge moves it by J⁻¹∇C"),
        _branch(
            -(P.T @ s), -beta * (P.T @ inv(J) @ c), VECTOR_FIELD, 1,
            "so the rule −(∂f/∂θ)ᵀ(s_β − s_0)/β carries J⁻¹",
        ),
        Step(
            inv(J) - inv(J.T), -2 * (inv(J) @ J_a @ inv(J.T)),
            "the difference: J⁻¹(Jᵀ − J)J⁻ᵀ, and Jᵀ − J = −2J_a",
        ),
        Step(
            -(P.T @ inv(J) @ c) + P.T @ inv(J.T) @ c, 2 * (P.T @ inv(J) @ J_a @ inv(J.T) @ c),
            "the error of the rule is linear in the antisymmetric part",
        ),
        Step(inv(J) @ c, inv(J.T) @ c, "and zero if J = Jᵀ", assume=[symmetric(J)]),
    ],
    breaks_when=["J is singular", "f − β∇C is not stable at its rest point"],
    refute=[
        Step(inv(J) - inv(J.T), 2 * (inv(J) @ J_a @ inv(J.T)), "sign"),
        Step(inv(J) - inv(J.T), -2 * (inv(J) @ J_a @ inv(J)), "a transpose"),
        Series(
            C, C0 - t * (u @ P.T @ inv(J) @ c), "the rule taken for the gradient", beta=t,
            order=1, branch=(s, _line),
        ),
    ],
    source="Scellier et al. (2018), arXiv:1808.04873",
)  # fmt: skip

AUGMENTED_CLAIM = Claim(
    "B5-augmented", "with −2J_a(s − s_0) in the second phase the rule is exact",
    statement=r"\dot s = f(s)-\beta\nabla C-2J_a(s-s_0):\quad \frac{s_\beta-s_{-\beta}}{2\beta} = "
    r"J^{-\top}\nabla C+O(\beta^2)",
    assumptions=REST,
    steps=[
        Step(
            substitute(derivative(AUGMENTED, s), {beta: 0 * beta}), J.T,
            "the added force turns the Jacobian at s_0 into J − 2J_a = Jᵀ and leaves s_0 at rest",
        ),
        _branch(s, beta * (inv(J.T) @ c), AUGMENTED, 1, "so the response is J⁻ᵀ∇C"),
        _branch(
            -(P.T @ s), -beta * (P.T @ inv(J.T) @ c), AUGMENTED, 1,
            "and the rule is the gradient of the cost (B5-error)",
        ),
        _branch(
            s, beta * RESPONSE + beta**2 / 2 * SECOND, AUGMENTED, 2,
            "to second order: the bias of one nudge",
        ),
        _branch(
            s, -beta * RESPONSE + beta**2 / 2 * SECOND, substitute(AUGMENTED, {beta: -beta}), 2,
            "the opposite nudge has the same second order: centered it cancels, O(β²)",
        ),
    ],
    breaks_when=[
        "Jᵀ − βC'' is not Hurwitz (J and Jᵀ have the same eigenvalues, so small β is safe)",
        "J_a is taken at another point than s_0, or not held fixed",
    ],
    refute=[
        _branch(s, beta * (inv(J.T) @ c), VECTOR_FIELD - J_a @ s, 1, "half the correction"),
        _branch(s, beta * (inv(J.T) @ c), VECTOR_FIELD + 2 * (J_a @ s), 1, "its sign"),
        _branch(s, beta * (inv(J.T) @ c), AUGMENTED, 2, "one nudge taken for second order"),
    ],
    source="derived here, after Scellier et al. (2018), arXiv:1808.04873",
)  # fmt: skip

m, d = var("m", n), var("d", n)
_at_m = {s: m}
_JM = substitute(derivative(_field, s), _at_m)
_PM = substitute(derivative(f, theta), {s: m, theta: 0 * theta})
_CM = substitute(_slope, _at_m)
_SETTLED = beta * (inv(_JM.T) @ _CM)

DYADIC = Claim(
    "B5-dyadic", "a second variable for the difference: exact at every nudge",
    statement=r"\dot m = f(m),\quad \dot d = J(m)^\top d-\beta\nabla C(m):\quad "
    r"-\bigl(\tfrac{\partial f}{\partial\theta}\bigr)^\top \tfrac d\beta = \tfrac{dC}{d\theta}",
    steps=[
        Step(
            substitute(_JM.T @ d - beta * _CM, {d: _SETTLED}), 0,
            "d rests at βJ(m)⁻ᵀ∇C(m), wherever m is",
            latex=r"J(m)^\top d-\beta\nabla C(m) = 0,\quad d=\beta J(m)^{-\top}\nabla C(m)",
        ),
        Step(
            -(_PM.T @ _SETTLED) / beta, -(_PM.T @ inv(_JM.T) @ _CM),
            "the rule does not depend on β at all, and is the gradient once m rests (B5-error)",
            latex=r"-\Bigl(\frac{\partial f}{\partial\theta}(m)\Bigr)^\top\frac d\beta = "
            r"-\Bigl(\frac{\partial f}{\partial\theta}(m)\Bigr)^\top J(m)^{-\top}\nabla "
            r"C(m)",
        ),
        Step(
            -(_PM.T @ _SETTLED) / beta, -(P.T @ inv(J.T) @ c), "there it is −(∂f/∂θ)ᵀJ⁻ᵀ∇C",
            assume=[let(m, 0 * m)],
            latex=r"m=s_0:\quad-\Bigl(\frac{\partial f}{\partial\theta}\Bigr)^\top\frac "
            r"d\beta = -P^\top J^{-\top}c",
        ),
        Step(
            derivative(d @ substitute(_field, _at_m), m) - beta * _CM,
            _JM.T @ d - beta * _CM,
            "ṁ and ḋ come from the one function d·f(m) − βC(m): ṁ by d, ḋ by m",
            latex=r"\nabla_m\bigl(d^\top f(m)-\beta C(m)\bigr) = J(m)^\top d-\beta\nabla C(m)",
        ),
    ],
    breaks_when=["J(m)ᵀ must be available to the circuit: a vector–Jacobian product"],
    refute=[
        Step(substitute(_JM @ d - beta * _CM, {d: _SETTLED}), 0, "J for Jᵀ",
            latex=r"J(m)\,d-\beta\nabla C(m) \neq 0,\quad d=\beta J(m)^{-\top}\nabla C(m)",
        ),
        Step(
            -(_PM.T @ _SETTLED) / beta, -(_PM.T @ inv(_JM) @ _CM), "a transpose in the gradient",
            latex=r"-\Bigl(\frac{\partial f}{\partial\theta}(m)\Bigr)^\top\frac d\beta \neq "
            r"-\Bigl(\frac{\partial f}{\partial\theta}(m)\Bigr)^\top J(m)^{-1}\nabla "
            r"C(m)",
        ),
        Step((_PM.T @ _SETTLED) / beta, -(_PM.T @ inv(_JM.T) @ _CM), "sign"),
    ],
    source="Høier, Staudt & Zach (2023), arXiv:2302.01228; derived here",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (ERROR, AUGMENTED_CLAIM, DYADIC)
