"""An energy for any fixed-point network: the squared residual.

E = ½|s − g(s, θ)|² vanishes at a fixed point of g, symmetric or not.  Nudging it is equilibrium
propagation of an energy, so its gradient is the exact one of the asymmetric network, and since
∂E/∂θ = 0 at the free phase a single nudged phase is enough.
Reference: least-squares (target) energies in Scellier (2021), arXiv:2103.09985; predictive coding
with f(Wz) is the case of a feedforward g (Whittington & Bogacz, 2017).
It breaks where 1 − ∂g/∂s is singular: the free minimum is then not isolated.
"""

from __future__ import annotations

import sympy

from unified.symbolic import (
    Axis,
    Claim,
    Series,
    Step,
    derivative,
    einsum,
    eye,
    fn,
    inv,
    let,
    outer,
    scalar,
    substitute,
    var,
)  # fmt: skip

n, p = Axis("n"), Axis("p")
s, theta, u = var("s", n), var("theta", p), var("u", p)
beta, t = scalar("beta"), scalar("t")
G, G2 = var("G", n, n), var("G2", n, n, n)
P, P2 = var("P", n, p), var("P2", n, n, p)
c, D, C0 = var("c", n), var("D", n, n, symmetric=True), scalar("C0")
REST = [let(s, 0 * s), let(theta, 0 * theta)]  # the fixed point is the origin
I = eye(n)

g = (G @ s + einsum("ijk,j,k->i", G2, s, s) / 2 + P @ theta
     + einsum("ija,j,a->i", P2, s, theta))  # fmt: skip
E = (s - g).sq() / 2
C = C0 + c @ s + s @ D @ s / 2
_theta = {theta: 0 * theta}
F = substitute(E + beta * C, _theta)
RULE = substitute(derivative(E, theta), _theta)
GRADIENT = P.T @ inv(I - G.T) @ c  # of C at the fixed point
_branch = (s, derivative(F, s))
_H = (I - G.T) @ (I - G)

GENERAL = Claim(
    "B5-least-squares", "one nudged phase of ½|s − g(s)|² gives the exact asymmetric gradient",
    statement=r"E=\tfrac12|s-g(s,\theta)|^2:\quad \frac1\beta\frac{\partial E}{\partial\theta}"
    r"(s_\beta) \to \Bigl(\frac{\partial g}{\partial\theta}\Bigr)^\top"
    r"\Bigl(1-\frac{\partial g}{\partial s}\Bigr)^{-\top}\nabla C = \frac{dC}{d\theta}",
    assumptions=REST,
    steps=[
        Series(
            C, C0 + t * (u @ GRADIENT),
            "the gradient of the cost at the fixed point s = g(s, θ), by the implicit function "
            "theorem", beta=t, order=1, branch=(s, substitute(s - g, {theta: t * u})),
        ),
        Step(
            derivative(derivative(substitute(E, _theta), s), s), _H,
            "the Hessian at the fixed point is a square: a minimum for any G without eigenvalue 1",
            latex=r"\frac{\partial^2E}{\partial s^2}(s_0) = (1-G)^\top(1-G)",
        ),
        Step(RULE, 0, "the rule vanishes in the free phase, as the residual does"),
        Series(
            s, -beta * (inv(I - G) @ inv(I - G.T) @ c), "linear response −H⁻¹∇C", beta=beta,
            order=1, branch=_branch,
        ),
        Series(
            substitute(s - g, _theta), -beta * (inv(I - G.T) @ c),
            "so the residual becomes the error (1−G)⁻ᵀ∇C", beta=beta, order=1, branch=_branch,
        ),
        Series(
            RULE, beta * GRADIENT, "and the rule −(∂g/∂θ)ᵀ(s − g) the gradient", beta=beta,
            order=1, branch=_branch,
        ),
    ],
    breaks_when=[
        "1 is an eigenvalue of ∂g/∂s", "the relaxation of E, of condition number squared, is slow",
        "β not small: one phase is of order 1, the centered pair of order 2 (B3-orders)",
        "other minima of E with a residual that are no fixed points",
    ],
    refute=[
        Series(
            RULE, -beta * GRADIENT, "sign", beta=beta, order=1, branch=_branch,
        ),
        Series(
            RULE, beta * (P.T @ inv(I - G) @ c), "a transpose", beta=beta, order=1,
            branch=_branch,
        ),
        Series(
            RULE, beta * GRADIENT, "exact at finite β", beta=beta, order=2, branch=_branch,
        ),
    ],
    source="derived here",
)  # fmt: skip

rho = fn(sympy.Function("rho"))
W, b = var("W", n, n), var("b", n)  # W need not be symmetric
drive = W @ s + b
slope = derivative(rho(b).sum(), b)
SLOPE = substitute(slope, {b: drive})
LEAST = (s - rho(drive)).sq() / 2
eps, potential = var("eps", n), var("a", n)
_eps = let(eps, s - rho(drive))
DIAGONAL = einsum("i,ij->ij", SLOPE, I)

NETWORK = Claim(
    "B5-least-squares-net", "the same for a recurrent network with any weights",
    statement=r"E=\tfrac12|\varepsilon|^2,\ \varepsilon=s-\rho(Ws+b):\quad \dot s = -\varepsilon+W^"
    r"\top(\rho'\odot\varepsilon),\quad \frac{\partial E}{\partial W} = "
    r"-(\rho'\odot\varepsilon)s^\top",
    assumptions=[_eps],
    steps=[
        Step(
            derivative(LEAST, s), eps - W.T @ (SLOPE * eps),
            "descent: every unit sees its own error and the errors it causes, through Wᵀ",
        ),
        Step(derivative(LEAST, W), -outer(SLOPE * eps, s), "the rule is local: error times state"),
        Step(derivative(LEAST, b), -(SLOPE * eps), "and for the bias"),
        Step(
            derivative(derivative(LEAST, s), s),
            (I - W.T @ DIAGONAL) @ (I - DIAGONAL @ W),
            "at a fixed point (a bias with ε = 0) the Hessian is (1−G)ᵀ(1−G), G = diag(ρ')W",
            assume=[let(s, rho(potential)), let(b, potential - W @ rho(potential))],
            latex=r"\frac{\partial^2E}{\partial s^2} = "
            r"(1-W^\top\operatorname{diag}(\rho'))(1-\operatorname{diag}(\rho')W)",
        ),
    ],
    breaks_when=["as B5-least-squares"],
    refute=[
        Step(derivative(LEAST, s), eps - W @ (SLOPE * eps), "a transpose"),
        Step(derivative(LEAST, W), outer(SLOPE * eps, s), "sign"),
        Step(derivative(LEAST, W), -outer(eps, s), "the slope dropped"),
        Step(
            derivative(derivative(LEAST, s), s), (I - W.T @ DIAGONAL) @ (I - DIAGONAL @ W),
            "the Hessian away from the fixed point",
            latex=r"\frac{\partial^2E}{\partial s^2} \neq "
            r"(1-W^\top\operatorname{diag}(\rho'))(1-\operatorname{diag}(\rho')W)",
        ),
    ],
    source="Scellier (2021), arXiv:2103.09985; Whittington & Bogacz (2017)",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (GENERAL, NETWORK)
