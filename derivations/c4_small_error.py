"""C4, nonlinear. For a small error F* = ½rᵀS⁻¹r + O(|r|³), with Jacobians in S.

In words: near its forward pass a nonlinear predictive net is a linear one: along the branch of
rest points its energy is half the error squared in S⁻¹ to second order, and its rule
backpropagates S⁻¹r to first.  All units are stacked in one vector, so any depth and any graph.

Source: theory page C4; the branch by the implicit function theorem, Dieudonné (1969), 10.2.
What breaks it: errors that are not small, 1 − J singular.
"""

from derivations._chain import diag, f, slope
from unified.symbolic import (
    Axis,
    Claim,
    Series,
    axes,
    derivative,
    eye,
    inv,
    let,
    outer,
    scalar,
    var,
)

beta, t = scalar("beta"), scalar("t")
n, m = axes("n m")
assert isinstance(n, Axis) and isinstance(m, Axis)
z, u, b, r = var("z", n), var("u", n), var("b", n), var("r", m)
W, D, S = var("W", n, n), var("D", m, n), var("S", m, m)
P = var("P", n, n, symmetric=True)
eps = z - f(W @ z + b)
y0 = D @ f(u)  # the output of the forward pass z = f(u)
total = eps @ P @ eps / 2 + beta * (y0 + t * r - D @ z).sq() / 2
J = diag(slope(u)) @ W
reach = D @ inv(eye(n) - J)
lam = inv(S) @ r
BRANCH = (z, derivative(total, z))

CLAIM = Claim(
    "C4-small-error",
    "Nonlinear chain or graph: F* = ½rᵀS⁻¹r to second order in the error",
    statement=(
        r"y = \mu + t r:\quad F^* = \tfrac{t^2}{2} r^\top S^{-1} r + O(t^3),\quad "
        r"S = \tfrac{1}{\beta} I + D(I-J)^{-1} P^{-1} (I-J)^{-\top} D^\top,\quad "
        r"\partial F/\partial W = -t\,(f' \odot (I-J)^{-\top} D^\top S^{-1} r)\, z^\top + O(t^2)"
    ),
    assumptions=[
        let(z, f(u)), let(b, u - W @ f(u)), let(S, eye(m) / beta + reach @ inv(P) @ reach.T),
    ],
    breaks_when=["errors that are not small: the third order carries f''", "1 − J singular"],
    steps=[
        Series(total, t * t * (r @ lam) / 2, "the energy along the branch, second order in the "
               "error", beta=t, order=2, branch=BRANCH),
        Series(derivative(total, W), -t * outer(slope(u) * (reach.T @ lam), z),
               "the rule along the branch: backpropagation of S⁻¹r", beta=t, order=1,
               branch=BRANCH),
        Series(eps, t * (inv(P) @ reach.T @ lam), "the errors along the branch", beta=t, order=1,
               branch=BRANCH),
    ],
    refute=[
        Series(total, t * t * r.sq() / 2, "the plain squared error", beta=t, order=2,
               branch=BRANCH),
        Series(derivative(total, W), -t * outer(slope(u) * (reach.T @ r), z),
               "backpropagation of r", beta=t, order=1, branch=BRANCH),
        Series(total, t * t * (r @ lam) / 2, "exact to third order", beta=t, order=3,
               branch=BRANCH),
    ],
)  # fmt: skip
