"""The theorem of equilibrium propagation, by exchanging two derivatives.

V(β, θ) = F at the rest point of F = E + βC.  The envelope theorem gives ∂V/∂β = C and
∂V/∂θ = ∂F/∂θ, both read at the rest point; since ∂²V/∂β∂θ = ∂²V/∂θ∂β, the derivative of the
*cost* by a parameter is the response of a *local* quantity to the nudge:
dC(s_0)/dθ = lim (1/β)(∂F/∂θ(s_β) − ∂F/∂θ(s_0)).
Any smooth E and C enter as Taylor polynomials with free coefficients: H, E3, M, M2 and c, D, C3,
d, N are their derivatives at the free rest point, which is moved to the origin.
Reference: Scellier & Bengio (2017), arXiv:1602.05179; Scellier (2021), arXiv:2103.09985.
It breaks where H is singular on the path from 0 to β, and where the two phases rest on different
branches.
"""

from __future__ import annotations

import sympy

from derivations._jet import (
    C0,
    E3,
    M2,
    REST,
    H,
    M,
    beta,
    c,
    c_theta,
    cost,
    cube,
    energy,
    p,
    s,
    theta,
)  # fmt: skip
from unified.energies import hopfield
from unified.symbolic import (
    Claim,
    Series,
    Step,
    derivative,
    einsum,
    fn,
    inv,
    let,
    outer,
    scalar,
    substitute,
    symmetric,
    var,
)  # fmt: skip

t, u = scalar("t"), var("u", p)  # θ moves along the direction u: θ = t u
E, C = energy(), cost()
F = E + beta * C
_line = {theta: t * u}
E_line, C_line = substitute(E, _line), substitute(C, _line)
NUDGED = (s, derivative(F, s))  # the branch s_β at θ = 0
FREE = (s, derivative(E_line, s))  # the branch s_0(θ) at β = 0
GRADIENT = c_theta - M @ inv(H) @ c  # dC(s_0)/dθ, as both sides will give it

CLAIM_THEOREM = Claim(
    "B1", "the equilibrium propagation theorem by mixed partial derivatives",
    statement=r"\frac{d}{d\theta}C(s_0) = \lim_{\beta\to0}\frac1\beta\Bigl(\frac{\partial F}"
    r"{\partial\theta}(s_\beta)-\frac{\partial F}{\partial\theta}(s_0)\Bigr),\quad F=E+\beta C",
    assumptions=REST,
    steps=[
        Series(
            F, E + beta * C, "envelope in β: moving the rest point costs nothing, V' = C(s_0)",
            beta=beta, order=1, branch=NUDGED,
            latex=r"F(s_\beta) = E(s_0)+\beta\,C(s_0)+O(\beta^2)",
        ),
        Series(
            E_line, t * (u @ derivative(E, theta)),
            "envelope in θ, along any direction u: dV/dθ = ∂E/∂θ at the rest point",
            beta=t, order=1, branch=FREE,
            latex=r"E(s_0(tu),tu) = t\,u^\top\frac{\partial E}{\partial\theta}(s_0)+O(t^2)",
        ),
        Series(
            C_line, C0 + t * (u @ GRADIENT),
            "one order of the mixed derivative: the cost of the free rest point, moved by θ",
            beta=t, order=1, branch=FREE,
            latex=r"C(s_0(tu),tu) = C(s_0)+t\,u^\top(d-MH^{-1}c)+O(t^2)",
        ),
        Series(
            u @ derivative(F, theta), u @ derivative(E, theta) + beta * (u @ GRADIENT),
            "the other order: ∂F/∂θ at the rest point, moved by the nudge; the same vector",
            beta=beta, order=1, branch=NUDGED,
            latex=r"u^\top\frac{\partial F}{\partial\theta}(s_\beta) = u^\top\frac{\partial "
            r"E}{\partial\theta}(s_0)+\beta\,u^\top(d-MH^{-1}c)+O(\beta^2)",
        ),
        Step(
            derivative(derivative(F, s), theta), derivative(derivative(F, theta), s).T,
            "why they agree: ∂²F/∂θ∂s is one array, and H = Hᵀ",
        ),
    ],
    breaks_when=[
        "H = ∂²E/∂s² is singular at s_0, or H + β'C'' for some β' between 0 and β",
        "the nudged phase settles on another branch than the free phase",
        "a negative nudge with H − |β|C'' not positive definite: the flow leaves the rest point",
        "H ≠ Hᵀ: forces without an energy (B5)",
    ],
    refute=[
        Series(
            C_line, C0 + t * (u @ (c_theta + M @ inv(H) @ c)), "sign of the response",
            beta=t, order=1, branch=FREE,
        ),
        Series(
            u @ derivative(E, theta), u @ derivative(E, theta) + beta * (u @ GRADIENT),
            "∂E/∂θ for ∂F/∂θ although the cost has θ", beta=beta, order=1, branch=NUDGED,
        ),
        Series(
            u @ derivative(F, theta), u @ derivative(E, theta) - beta * (u @ GRADIENT),
            "the two phases exchanged", beta=beta, order=1, branch=NUDGED,
        ),
    ],
    source="Scellier & Bengio (2017), arXiv:1602.05179",
)  # fmt: skip

# Without symmetric H the two orders differ: the theorem is used, not only stated.
X = var("X", *H.axes)
_field = X @ s + derivative(cube(E3, s) + theta @ M @ s
                            + einsum("aij,a,i,j->", M2, theta, s, s) / 2, s)  # fmt: skip

CLAIM_NEED = Claim(
    "B1-needs-an-energy", "the exchange of derivatives is where symmetry enters",
    statement=r"\text{rest points of a field with Jacobian}\ X:\quad M X^{-1}c \ne M X^{-\top}c",
    assumptions=REST,
    steps=[
        Series(
            substitute(C, _line), C0 + t * (u @ (c_theta - M @ inv(X.T) @ c)),
            "the true gradient carries X⁻ᵀ", beta=t, order=1,
            branch=(s, substitute(_field, _line)),
        ),
        Series(
            u @ M @ s, -beta * (u @ M @ inv(X) @ c),
            "the contrast of the rule carries X⁻¹", beta=beta, order=1,
            branch=(s, _field + beta * derivative(C, s)),
        ),
        Step(M @ inv(X) @ c, M @ inv(X.T) @ c, "equal if X = Xᵀ", assume=[symmetric(X)]),
    ],
    breaks_when=["X = Xᵀ: then B1 holds"],
    refute=[
        Step(M @ inv(X) @ c, M @ inv(X.T) @ c, "without symmetry"),
        Series(
            substitute(C, _line), C0 + t * (u @ (c_theta - M @ inv(X) @ c)),
            "the contrast taken for the gradient", beta=t, order=1,
            branch=(s, substitute(_field, _line)),
        ),
    ],
    source="Scellier et al. (2018), arXiv:1808.04873",
)  # fmt: skip

NET = hopfield([2, 3, 4], rho=sympy.Function("rho"))  # sizes are defaults; the axes are symbolic
rho = fn(sympy.Function("rho"))
x, s1, s2 = (NET.variables[name] for name in ("x", "s1", "s2"))
r1, r2 = var("r1", *s1.axes), var("r2", *s2.axes)
_rates = [let(r1, rho(s1)), let(r2, rho(s2))]

CLAIM_RULE = Claim(
    "B1-local-rule", "for a layered Hopfield network the rule is Hebbian",
    statement=r"\Delta W_l \propto \frac1\beta\bigl(\rho_{l-1}^\beta\rho_l^{\beta\top}"
    r"-\rho_{l-1}^0\rho_l^{0\top}\bigr)",
    assumptions=_rates,
    steps=[
        Step(NET.rule("W2"), -outer(r1, r2), "a weight sees the rates of its two ends"),
        Step(NET.rule("W1"), -outer(x, r1), "the input acts by its values, not by rates"),
        Step(NET.rule("b2"), -r2, "a bias is a weight from a unit that is always 1"),
        Step(
            NET.mixed("W2", "s2"), -outer(r1, derivative(rho(s2), s2)),
            "its sensitivity ∂²E/∂W∂s is as local: the slope of one end, the rate of the other",
        ),
    ],
    breaks_when=["W shared between synapses: their rules add", "a cost with weights of its own"],
    refute=[
        Step(NET.rule("W2"), outer(r1, r2), "sign: anti-Hebbian"),
        Step(NET.rule("W1"), -outer(rho(x), r1), "a rate of the clamped input"),
        Step(NET.rule("W2"), -outer(s1, s2), "states in place of rates"),
    ],
    source="Scellier & Bengio (2017), arXiv:1602.05179",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (CLAIM_THEOREM, CLAIM_NEED, CLAIM_RULE)
