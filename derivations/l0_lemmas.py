"""The lemmas of linear algebra that every other derivation leans on.

Woodbury: the inverse of a low-rank update, through an inverse of the small side.  Push-through:
(1 + UV)⁻¹U = U(1 + VU)⁻¹.  Schur determinant: det(A + UCV) = det A · det C · det(C⁻¹ + VA⁻¹U).
Reference: Henderson & Searle (1981), SIAM Review 23, 53; Horn & Johnson (2013), 0.7–0.8.
They break where one of the inverses in them does not exist.
"""

from __future__ import annotations

from unified.symbolic import (
    Axis,
    Claim,
    Step,
    derivative,
    directional,
    einsum,
    eye,
    inv,
    invertible,
    logdet,
    scalar,
    var,
)  # fmt: skip

n, m = Axis("n"), Axis("m")
A, B, G = var("A", n, n), var("B", n, n), var("G", n, n)
C, U, V = var("C", m, m), var("U", n, m), var("V", m, n)
t = scalar("t")
I, J = eye(n), eye(m)
SMALL = inv(C) + V @ inv(A) @ U
UPDATED = A + U @ C @ V

WOODBURY = Claim(
    "L0-Woodbury", "the inverse of a low-rank update",
    statement=r"(A+UCV)^{-1} = A^{-1} - A^{-1}U(C^{-1}+VA^{-1}U)^{-1}VA^{-1}",
    assumptions=[invertible(A), invertible(C)],
    steps=[
        Step(UPDATED @ inv(A) @ U, U @ C @ SMALL, "collect UC on the left"),
        Step(
            UPDATED @ (inv(A) - inv(A) @ U @ inv(SMALL) @ V @ inv(A)), I,
            "by the line above the correction removes exactly UCVA⁻¹: a right inverse",
        ),
        Step(
            inv(UPDATED), inv(A) - inv(A) @ U @ inv(SMALL) @ V @ inv(A),
            "a right inverse of a square matrix is its inverse",
        ),
    ],
    breaks_when=["A, C or C⁻¹ + VA⁻¹U is singular"],
    refute=[
        Step(inv(UPDATED), inv(A) + inv(A) @ U @ inv(SMALL) @ V @ inv(A), "sign of the correction"),
        Step(
            inv(UPDATED), inv(A) - inv(A) @ U @ inv(C + V @ inv(A) @ U) @ V @ inv(A),
            "C in place of C⁻¹ inside",
        ),
    ],
    source="Henderson & Searle (1981), SIAM Review 23, 53",
)  # fmt: skip

PUSH_THROUGH = Claim(
    "L0-push-through", "a factor may be pushed through an inverse",
    statement=r"(1+UV)^{-1}U = U(1+VU)^{-1}",
    steps=[
        Step(U @ (J + V @ U), (I + U @ V) @ U, "both are U + UVU"),
        Step(
            inv(I + U @ V) @ U, U @ inv(J + V @ U),
            "multiply by (1+UV)⁻¹ from the left and by (1+VU)⁻¹ from the right",
        ),
        Step(
            inv(A + V.T @ C @ V) @ V.T @ C, inv(A) @ V.T @ inv(inv(C) + V @ inv(A) @ V.T),
            "the same between a precision and its gain: precision form = gain form",
        ),
        Step(
            inv(A) - inv(B), inv(A) @ (B - A) @ inv(B),
            "and the resolvent identity, by expanding the right-hand side",
        ),
    ],
    breaks_when=["1 + UV is singular (1 + VU then is, too)"],
    refute=[
        Step(inv(I + U @ V) @ U, U @ inv(J - V @ U), "sign"),
        Step(inv(A) - inv(B), inv(A) @ (A - B) @ inv(B), "sign of the resolvent identity"),
    ],
    source="Henderson & Searle (1981), SIAM Review 23, 53",
)  # fmt: skip

_PATH, _TURNED = logdet(I + t * (U @ V)), logdet(J + t * (V @ U))

SCHUR = Claim(
    "L0-Schur", "the determinant of a low-rank update",
    statement=r"\log\det(A+UCV) = \log\det A+\log\det C+\log\det(C^{-1}+VA^{-1}U)",
    assumptions=[invertible(A), invertible(C)],
    steps=[
        Step(
            derivative(logdet(A), A), inv(A).T, "Jacobi's formula: the gradient of log det",
        ),
        Step(
            directional(einsum("ii->", B @ inv(A)), {A: G}),
            -einsum("ii->", B @ inv(A) @ G @ inv(A)),
            "and of an inverse, for later use: d(A⁻¹) = −A⁻¹ dA A⁻¹",
        ),
        Step(
            derivative(_PATH, t), derivative(_TURNED, t),
            "along 1 + tUV and 1 + tVU both log dets grow alike: push-through under the trace",
        ),
        Step(
            logdet(I + U @ V), logdet(J + V @ U),
            "they start alike (log det 1 = 0), so they are equal: Sylvester",
        ),
        Step(
            logdet(UPDATED), logdet(A) + logdet(I + inv(A) @ U @ C @ V),
            "take A out: the determinant of a product",
        ),
        Step(
            logdet(UPDATED), logdet(A) + logdet(C) + logdet(SMALL),
            "Sylvester with A⁻¹U and CV, then take C out",
        ),
    ],
    breaks_when=["A or C is singular", "the sign of a determinant matters: these are log |det|"],
    refute=[
        Step(logdet(UPDATED), logdet(A) - logdet(C) + logdet(SMALL), "sign of log det C"),
        Step(logdet(UPDATED), logdet(A) + logdet(SMALL), "log det C dropped"),
        Step(derivative(logdet(A), A), inv(A), "transpose dropped"),
    ],
    source="Horn & Johnson (2013), Matrix Analysis, 0.8.5",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (WOODBURY, PUSH_THROUGH, SCHUR)
