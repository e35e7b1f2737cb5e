"""D1. Nudged equilibrium propagation is MAP inference in a linear-Gaussian model.

In words: with a quadratic energy and a squared cost, F/T is minus the log posterior of a Gaussian
prior and likelihood, up to a constant that is printed here.  Its rest point is the MAP, which for
a Gaussian is the posterior mean; its curvature over T is the posterior precision; and the nudged
flow is T times the flow of the predictive-coding energy, term by term.

Source: Bishop (2006), section 2.3, for the posterior; theory page D1 for the correspondence.
What breaks it: A or A + βDᵀR⁻¹D not positive definite (no prior, or no posterior), and a
nonlinear energy (then MAP, mean and marginal mode differ).
"""

import sympy

from unified.energies import Cost, linear_gaussian
from unified.symbolic import (
    Claim,
    Expr,
    Step,
    axes,
    derivative,
    inv,
    let,
    logdet,
    ones,
    positive_definite,
    scalar,
    substitute,
    var,
)  # fmt: skip

n = linear_gaussian(2, 2).states[0].axes[0]
m = axes("m")
MODEL = linear_gaussian(2, 2)
s, A, U, x, bias = (MODEL.variables[k] for k in ("s", "A", "U", "x", "b"))
b, mu, y = var("b_x", n), var("mu", n), var("y", m)
D, R = var("D", m, n), var("R", m, m, symmetric=True)
H, S = var("H", n, n), var("S", m, m)
beta, T = scalar("beta"), scalar("T")
LOG_2PI = sympy.log(2 * sympy.pi)
N, M = ones(n).sum(), ones(m).sum()

COST = Cost((y - D @ s) @ inv(R) @ (y - D @ s) / 2, target=y)
F = MODEL.expr + beta * COST.expr
hess = A + beta * D.T @ inv(R) @ D
best = inv(H) @ (b + beta * D.T @ inv(R) @ y)
meaning = [let(b, bias + U @ x), let(mu, inv(A) @ b), let(H, hess)]


def minus_log_normal(at: Expr, mean: Expr, cov: Expr, size: Expr) -> Expr:
    """−log N(at; mean, cov)."""
    off = at - mean
    return off @ inv(cov) @ off / 2 + logdet(cov) / 2 + size * LOG_2PI / 2


prior = minus_log_normal(s, mu, T * inv(A), N)
likelihood = minus_log_normal(y, D @ s, T / beta * R, M)
constant = (
    (b @ inv(A) @ b) / T / 2 + logdet(T * inv(A)) / 2 + logdet(T / beta * R) / 2
    + (N + M) * LOG_2PI / 2
)
# the predictive-coding energy of the same model: two errors, two precisions
pc_prior = (s - mu) @ (A / T) @ (s - mu) / 2
pc_data = (y - D @ s) @ (beta / T * inv(R)) @ (y - D @ s) / 2
excess = s - best

CLAIM = Claim(
    "D1",
    "Nudged equilibrium propagation = MAP of a linear-Gaussian model = predictive coding",
    statement=(
        r"E = \tfrac12 s^\top A s - b^\top s,\quad C = \tfrac12 (y - Ds)^\top R^{-1} (y - Ds):\quad"
        r" F/T = -\log p(s, y) + \text{const},\quad p(s) = N(A^{-1}b,\, T A^{-1}),\quad "
        r"p(y|s) = N(Ds,\, \tfrac{T}{\beta} R),\quad "
        r"s_\beta = (A + \beta D^\top R^{-1} D)^{-1}(b + \beta D^\top R^{-1} y)"
    ),
    assumptions=[positive_definite(A), positive_definite(R), *meaning],
    breaks_when=[
        "A not positive definite: exp(−E/T) has no integral, there is no prior",
        "β ≤ −1/λ_max(R⁻¹DA⁻¹Dᵀ): H = A + βDᵀR⁻¹D loses positive definiteness",
        "T = 0: the rest point stays, the posterior shrinks to it",
        "E or C not quadratic: MAP ≠ mean ≠ marginal mode (D3)",
    ],
    steps=[
        Step(MODEL.expr / T, (s - mu) @ (A / T) @ (s - mu) / 2 - b @ inv(A) @ b / T / 2,
             "completing the square: E/T is the exponent of a Gaussian prior N(A⁻¹b, T·A⁻¹)"),
        Step(beta * COST.expr / T, likelihood - logdet(T / beta * R) / 2 - M * LOG_2PI / 2,
             "βC/T is the exponent of a Gaussian likelihood N(Ds, (T/β)R)"),
        Step(prior + likelihood - F / T, constant,
             "the two energies differ by this constant in s: same minima, same fluctuations, but "
             "it depends on A, b, R and β",
             latex=r"-\log p(s, y) - F/T = \tfrac{1}{2T} b^\top A^{-1} b + \tfrac12\log\det(T "
                   r"A^{-1}) + \tfrac12\log\det(\tfrac{T}{\beta}R) + \tfrac{n+m}{2}\log 2\pi"),
        Step(derivative(constant, s), 0, "indeed it does not contain s"),
        Step(derivative(F, s), T * derivative(pc_prior + pc_data, s),
             "so the gradients agree: the nudged flow is T times the flow of predictive coding"),
        Step(-MODEL.grad("s"), -(T * derivative(pc_prior, s)),
             "term by term: the free force is the prior's error, A(A⁻¹b − s)"),
        Step(-beta * derivative(COST.expr, s), beta * (D.T @ inv(R) @ (y - D @ s)),
             "term by term: the nudge is the data's error, carried back by Dᵀ"),
        Step(substitute(derivative(F, s), {s: best}), 0,
             "the nudged rest point: H s_β = b + βDᵀR⁻¹y"),
        Step(best, mu + inv(A) @ D.T @ inv(D @ inv(A) @ D.T + R / beta) @ (y - D @ mu),
             "the same in gain form: the prior mean plus a Kalman gain times the innovation"),
        Step(F, excess @ H @ excess / 2 + substitute(F, {s: best}),
             "F is a parabola about it: the posterior is Gaussian, so its mean is the MAP"),
        Step(derivative(derivative(F / T, s), s), H / T,
             "and its precision is H/T: covariance T(A + βDᵀR⁻¹D)⁻¹"),
        Step(T * inv(H), T * inv(A) - T * inv(A) @ D.T @ inv(D @ inv(A) @ D.T + R / beta)
             @ D @ inv(A), "which is the prior covariance less what the data explain (Woodbury)"),
    ],
    refute=[
        Step(best, inv(H) @ (b + beta * D.T @ y), "the rest point without the noise R"),
        Step(best, mu + inv(A) @ D.T @ inv(D @ inv(A) @ D.T + beta * R) @ (y - D @ mu),
             "the gain with βR in place of R/β"),
        Step(beta * COST.expr / T, (y - D @ s) @ inv(beta * T * R) @ (y - D @ s) / 2,
             "a likelihood of covariance βT·R"),
        Step(derivative(F, s), derivative(pc_prior + pc_data, s), "flows equal without T"),
        Step(F / T, pc_prior + pc_data, "energies equal without the constant"),
        Step(derivative(derivative(F / T, s), s), T * H, "a precision that grows with T"),
    ],
)  # fmt: skip

