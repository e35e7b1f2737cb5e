"""A penalty that makes a Jacobian symmetric, from products with random vectors only.

E[|Jε|² − εᵀJ²ε] = 2‖J_a‖²_F for noise with E εεᵀ = 1: minimising it removes what makes the
vector-field rule wrong (B5-error), without ever forming J.
Reference: Laborieux & Zenke (2024), arXiv:2309.02214; trace estimator: Hutchinson (1990).
It breaks if the noise is not white.
"""

from __future__ import annotations

from unified.symbolic import Axis, Claim, Expr, Step, derivative, einsum, var

n = Axis("n")
J = var("J", n, n)
J_a = (J - J.T) / 2
noise, Sigma = var("noise", n), var("Sigma", n, n, symmetric=True)
_S, _A = (J + J.T) / 2, J_a


def _trace(x: Expr) -> Expr:
    return einsum("ii->", x)


def _squares(x: Expr) -> Expr:
    return (x * x).sum()


CLAIM = Claim(
    "B5-homeostasis", "a penalty that needs only Jacobian–vector products",
    statement=r"\mathrm{E}\bigl[|J\varepsilon|^2-\varepsilon^\top J^2\varepsilon\bigr] = "
    r"2\|J_a\|_F^2,\qquad \mathrm{E}\,\varepsilon\varepsilon^\top = 1",
    steps=[
        Step(
            (J @ noise).sq() - noise @ J @ J @ noise,
            einsum("ij,i,j->", J.T @ J - J @ J, noise, noise),
            "a quadratic form: its mean is the trace against E εεᵀ",
        ),
        Step(
            _trace(J.T @ J - J @ J), _trace((J.T - J) @ J),
            "for E εεᵀ = 1 the trace itself",
        ),
        Step(
            _trace(J.T @ J), _squares(_S) + _squares(_A),
            "symmetric and antisymmetric matrices are orthogonal: |J|² = |J_s|² + |J_a|²",
        ),
        Step(_trace(J @ J), _squares(_S) - _squares(_A), "and tr J² has the minus sign"),
        Step(_trace(J.T @ J - J @ J), 2 * _squares(_A), "subtract"),
        Step(
            derivative(2 * _squares(_A), J), 4 * J_a, "its gradient only touches J_a",
        ),
    ],
    breaks_when=["E εεᵀ is not the identity"],
    refute=[
        Step(_trace(J.T @ J - J @ J), _squares(_A), "factor 2 dropped"),
        Step(_trace(J.T @ J - J @ J), 2 * _squares(_S), "the symmetric part"),
        Step(_trace(J.T @ J + J @ J), 2 * _squares(_A), "sign"),
        Step(
            _trace((J.T @ J - J @ J) @ Sigma), 2 * _squares(_A), "any covariance of the noise",
        ),
    ],
    source="Laborieux & Zenke (2024), arXiv:2309.02214",
)  # fmt: skip
