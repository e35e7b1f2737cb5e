"""C4, continued. The activity Hessian, and the saddle at zero weights.

In words: the Hessian of a chain in its activities is block-tridiagonal; with orthogonal weights
its condition number is cot²(π/2L).  At zero weights the equilibrated energy has a direction of
negative curvature in the last layer at every depth, where the plain loss is flat for two or more
hidden layers.

Source: Innocenti et al. (2024), arXiv:2408.11979 (strict saddles); Innocenti et al. (2025),
arXiv:2505.13124 (conditioning).
What breaks it: r = 0 at the origin (no data, no curvature); weights that are not orthogonal.
"""

import sympy

from derivations._chain import at, chain
from unified.symbolic import (
    Axis,
    Claim,
    Expr,
    Series,
    Step,
    Var,
    axes,
    derivative,
    einsum,
    eye,
    inv,
    orthogonal,
    outer,
    scalar,
    substitute,
    symmetric,
    var,
)  # fmt: skip

beta, t = scalar("beta"), scalar("t")

# --- the activity Hessian ------------------------------------------------------------------------
NET = chain(3, linear=True)
V = NET.variables
k = axes("k")
assert isinstance(k, Axis)
Q2, Q3 = var("Q2", k, k), var("Q3", k, k)
v1, v2 = var("v1", k), var("v2", k)
square = (v1.sq() + (v2 - Q2 @ v1).sq() + (Q3 @ v2).sq()) / 2  # clamped, unit precisions, W_l = Q_l
here, now, turn = (scalar(a) for a in ("sin_j", "cos_j", "cos_1"))
step_ = scalar("sin_1")
tan = sympy.Symbol("t")
cosine = (1 - tan**2) / (1 + tan**2)

HESSIAN = Claim(
    "C4-hessian",
    "The activity Hessian is block-tridiagonal; orthogonal weights: κ = cot²(π/2L)",
    statement=(
        r"H_{ll} = P_l + W_{l+1}^\top P_{l+1} W_{l+1},\quad H_{l,l+1} = -W_{l+1}^\top P_{l+1},"
        r"\quad \kappa = \cot^2(\pi/2L)"
    ),
    assumptions=[orthogonal(Q2), orthogonal(Q3)],
    breaks_when=[
        "weights not orthogonal: κ then grows with the spread of their singular values",
        "output not clamped: the end of the path is free and κ is another",
    ],
    steps=[
        Step(NET.hessian("z1", "z1"), V["P1"] + V["W2"].T @ V["P2"] @ V["W2"],
             "a state meets itself in its own error and in the one it predicts"),
        Step(NET.hessian("z1", "z2"), -(V["W2"].T @ V["P2"]), "neighbours meet in one error"),
        Step(NET.hessian("z1", "z3"), 0, "no error contains two states that are not neighbours"),
        Step(square, v1.sq() + (Q2.T @ v2).sq() - v1 @ (Q2.T @ v2),
             "clamped, orthogonal: in the frame w_1 = z_1, w_2 = Q_2ᵀz_2 the form is that of a "
             "path, with 2 on the diagonal and −1 beside it, times the identity"),
        Step(2 * here - (here * turn - now * step_) - (here * turn + now * step_),
             (2 - 2 * turn) * here,
             "on a path sin(jθ) is an eigenvector with eigenvalue 2 − 2cos θ (addition theorem; "
             "the ends fix θ = kπ/L, k = 1..L − 1)",
             latex=r"2 \sin j\theta - \sin (j-1)\theta - \sin (j+1)\theta = "
                   r"(2 - 2\cos\theta) \sin j\theta"),
        Step((2 + 2 * cosine) / (2 - 2 * cosine), 1 / tan**2,
             "largest over smallest, cos((L−1)π/L) = −cos(π/L), with t = tan(π/2L)",
             latex=r"\kappa = \frac{2 + 2\cos(\pi/L)}{2 - 2\cos(\pi/L)} = \cot^2(\pi/2L)"),
    ],
    refute=[
        Step(NET.hessian("z1", "z1"), V["P1"] + V["W2"].T @ V["W2"], "feedback without precision"),
        Step(NET.hessian("z1", "z2"), -(V["P1"] @ V["W2"].T), "the precision of the wrong layer"),
        Step(square, v1.sq() + (Q2.T @ v2).sq() - v1 @ (Q2 @ v2), "Q not transposed"),
        Step((2 + 2 * cosine) / (2 - 2 * cosine), 1 / tan, "cot in place of cot²"),
    ],
)  # fmt: skip


# --- the origin ----------------------------------------------------------------------------------
def origin(top: int) -> tuple[Expr, Expr, list[Var], Expr, Var, Var]:
    """F*, the plain loss, the weights (up from the input), S_0, the target and the input."""
    net = chain(top, linear=True)
    w = [net.variables[f"W{l}"] for l in range(1, top + 1)]
    p = [net.variables[f"P{l}"] for l in range(1, top + 1)]
    x: Var = net.variables["x"]
    y = var("y", *net.states[-1].axes)
    start = inv(p[-1]) + eye(y.axes[0]) / beta
    cov, path = start, eye(y.axes[0])
    output: Expr = x
    for weight, q in zip(w[:0:-1], p[-2::-1], strict=True):
        path = path @ weight
        cov = cov + path @ inv(q) @ path.T
    for weight in w:
        output = weight @ output
    r = y - output
    return r @ inv(cov) @ r / 2, r.sq() / 2, w, start, p[-2], x


def second(form: Expr, a: Var, b: Var, w: list[Var]) -> Expr:
    """∂²form/∂a∂b with every weight at zero."""
    zero = {v: 0 * v for v in w}
    return substitute(derivative(derivative(form, a), b), zero)


F2, L2, w2, S2, p2, x2 = origin(2)
F3, L3, w3, S3, p3, x3 = origin(3)
y_ = next(v for v in F2.free if v.name == "y")
y3_ = next(v for v in F3.free if v.name == "y")
one_hidden = eye(w2[0].axes[0])
pull2, pull3 = inv(S2) @ y_, inv(S3) @ y3_
a_, b_ = var("a", *y3_.axes), var("b", w3[2].axes[1])
ray = {w3[0]: 0 * w3[0], w3[1]: 0 * w3[1], w3[2]: t * outer(a_, b_)}

SADDLE = Claim(
    "C4-origin",
    "Zero weights: a strict saddle of F* at every depth, flat for the loss",
    statement=(
        r"\partial^2 F^*/\partial W_L^2 = -(S_0^{-1} yy^\top S_0^{-1}) \otimes P_{L-1}^{-1},\quad "
        r"S_0 = P_L^{-1} + \tfrac{1}{\beta} I,"
        r"\quad \partial^2 F^*/\partial W_2 \partial W_1 = -(S_0^{-1} y x^\top)"
        r"\text{ for one hidden layer}"
    ),
    assumptions=[symmetric(p) for p in (p2, p3)],
    breaks_when=[
        "biases: y is then the target minus what the biases already give",
        "Σ_yy = 0: the curvature vanishes with the targets", "P_{L−1} → ∞: as for the plain loss",
    ],
    steps=[
        Step(second(F2, w2[1], w2[1], w2), -einsum("i,j,ab->iajb", pull2, pull2, inv(p2)),
             "one hidden layer, last block: curvature of S⁻¹ alone, as r does not change"),
        Step(second(F2, w2[1], w2[0], w2), -einsum("i,ab,c->iabc", pull2, one_hidden, x2),
             "one hidden layer, cross block: from the output W_2W_1x"),
        Step(second(F2, w2[0], w2[0], w2), 0, "the first block is zero"),
        Step(second(F3, w3[2], w3[2], w3), -einsum("i,j,ab->iajb", pull3, pull3, inv(p3)),
             "two hidden layers, last block: the same"),
        *(Step(second(F3, w3[i], w3[j], w3), 0,
               f"two hidden layers, block W_{i + 1}, W_{j + 1}: zero")
          for i, j in ((0, 0), (1, 1), (1, 0), (2, 0), (2, 1))),
        Series(at(F3, **{v.name: e for v, e in ray.items()}),
               y3_ @ pull3 / 2 - t * t * (a_ @ pull3) ** 2 * (b_ @ inv(p3) @ b_) / 2,
               "so along W_L = t abᵀ F* falls: −½t²(aᵀS_0⁻¹y)²(bᵀP_{L−1}⁻¹b) < 0, a strict saddle",
               beta=t, order=2),
        *(Step(second(L3, w3[i], w3[j], w3), 0,
               f"plain loss, two hidden layers, block W_{i + 1}, W_{j + 1}: flat")
          for i, j in ((0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2))),
    ],
    refute=[
        Step(second(F2, w2[1], w2[1], w2), einsum("i,j,ab->iajb", pull2, pull2, inv(p2)),
             "the last block with the sign of a minimum"),
        Step(second(F2, w2[1], w2[1], w2), -einsum("i,j,ab->iajb", pull2, pull2, p2),
             "the precision in place of its inverse"),
        Step(second(F3, w3[2], w3[2], w3), 0, "a flat origin, as for the plain loss"),
        Step(second(L2, w2[1], w2[0], w2), 0, "a flat origin of the loss with one hidden layer"),
    ],
)  # fmt: skip

CLAIMS = (HESSIAN, SADDLE)
