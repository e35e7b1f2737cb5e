"""The nudged rest point to first order, and why its contrast is the implicit-function gradient.

ds_β/dβ = −H⁻¹∂C/∂s.  The gradient of C(s_0(θ)) by the implicit function theorem is
∂C/∂θ − (∂²E/∂θ∂s)H⁻¹∂C/∂s; equilibrium propagation solves for H⁻¹∂C/∂s by letting the network
relax, and reads the rest off locally.  Dimensions are symbolic, ρ and the cost abstract.
Any smooth E and C enter as Taylor polynomials with free coefficients: H, E3, M, M2 and c, D, C3,
d, N are their derivatives at the free rest point, which is moved to the origin.
Reference: Scellier & Bengio (2019), arXiv:1711.08416; Almeida (1987) and Pineda (1987), Phys. Rev.
Lett. 59, 2229, for the adjoint equation.
It breaks where H is singular.
"""

from __future__ import annotations

import sympy

from derivations._jet import (
    REST,
    H,
    M,
    beta,
    c,
    c_theta,
    cost,
    energy,
    s,
    theta,
)  # fmt: skip
from derivations._jet import n as n_jet
from unified.energies import recurrent
from unified.symbolic import (
    Axis,
    Claim,
    Series,
    Step,
    derivative,
    directional,
    fn,
    inv,
    let,
    scalar,
    substitute,
    var,
)  # fmt: skip

t = scalar("t")
E, C = energy(), cost()
u = var("u", *theta.axes)
_line = {theta: t * u}
shift = var("delta", n_jet)  # δ = ds/dβ

GENERAL = Claim(
    "B2", "linear response, and EP equals the implicit-function gradient",
    statement=r"\frac{ds_\beta}{d\beta} = -H^{-1}\frac{\partial C}{\partial s},\quad \frac{d}"
    r"{d\theta}C(s_0) = \frac{\partial C}{\partial\theta}-\frac{\partial^2E}{\partial\theta"
    r"\partial s}H^{-1}\frac{\partial C}{\partial s}",
    assumptions=REST,
    steps=[
        Step(
            H @ shift + derivative(C, s), 0,
            "differentiate ∂E/∂s + β∂C/∂s = 0 by β: Hδ + ∂C/∂s = 0",
            assume=[let(shift, -inv(H) @ c)],
        ),
        Series(
            s, -beta * (inv(H) @ derivative(C, s)), "so the state responds by −H⁻¹∂C/∂s",
            beta=beta, order=1, branch=(s, derivative(E + beta * C, s)),
        ),
        Series(
            s, -t * (inv(H) @ M.T @ u), "a parameter moves the free rest point by −H⁻¹∂²E/∂s∂θ",
            beta=t, order=1, branch=(s, substitute(derivative(E, s), _line)),
        ),
        Series(
            substitute(C, _line), C + t * (u @ c_theta) + t * (u @ M @ shift),
            "the implicit-function gradient is then read off the response δ, because H = Hᵀ",
            beta=t, order=1, branch=(s, substitute(derivative(E, s), _line)),
            assume=[let(shift, -inv(H) @ c)],
        ),
        Series(
            derivative(E + beta * C, theta),
            derivative(E, theta) + beta * (derivative(C, theta) + M @ shift),
            "and the contrast of ∂F/∂θ is that same vector", beta=beta, order=1,
            branch=(s, derivative(E + beta * C, s)), assume=[let(shift, -inv(H) @ c)],
        ),
    ],
    breaks_when=["H is singular", "the two phases do not converge: see the residual bound B8"],
    refute=[
        Series(
            s, beta * (inv(H) @ derivative(C, s)), "sign of the response", beta=beta, order=1,
            branch=(s, derivative(E + beta * C, s)),
        ),
        Series(
            s, -beta * (H @ derivative(C, s)), "H in place of its inverse", beta=beta, order=1,
            branch=(s, derivative(E + beta * C, s)),
        ),
        Series(
            substitute(C, _line), C + t * (u @ M @ shift), "the explicit ∂C/∂θ dropped", beta=t,
            order=1, branch=(s, substitute(derivative(E, s), _line)),
            assume=[let(shift, -inv(H) @ c)],
        ),
    ],
    source="Scellier & Bengio (2019), arXiv:1711.08416",
)  # fmt: skip

NET = recurrent(2, rho=sympy.Function("rho"))  # the size is a default; the axis is symbolic
x, b, W = (NET.variables[name] for name in ("s", "b", "W"))
(n0,) = x.axes
m = Axis("m")
G, read, y = var("G", n0, n0, symmetric=True), var("D", m, n0), var("y", m)
rho, gamma = fn(sympy.Function("rho")), fn(sympy.Function("gamma"))
rate, slope = rho(x), derivative(rho(x).sum(), x)
LOSS = gamma(read @ x - y).sum()  # any smooth cost of any linear readout
HESSIAN = NET.hessian("s", "s")
RESPONSE = -inv(HESSIAN) @ derivative(LOSS, x)
AT_REST = let(b, x / slope - W @ rate)  # the bias at which the state x is a rest point
MOVED = substitute(NET.expr, {W: W + t * G})  # W moves along the symmetric direction G
_nudged = (x, derivative(NET.expr + beta * LOSS, x))
_free = (x, derivative(MOVED, x))

RECURRENT = Claim(
    "B2-recurrent", "the same for a recurrent Hopfield network, written out",
    statement=r"H = 1-\mathrm{diag}(\rho''\odot(W\rho+b))-\mathrm{diag}(\rho')W\mathrm{diag}"
    r"(\rho'),\quad \delta = -H^{-1}\nabla C,\quad \frac{dC}{dW}\cdot G = -(\rho'\odot\delta)^\top "
    r"G\rho",
    assumptions=[AT_REST],
    steps=[
        Step(derivative(NET.expr, x), 0, "this bias makes the state a rest point"),
        Series(
            x, x + beta * RESPONSE, "linear response of the network", beta=beta, order=1,
            branch=_nudged,
        ),
        Series(
            x, x + t * (inv(HESSIAN) @ (slope * (G @ rate))),
            "a change G of the weights drives every unit by ρ'⊙Gρ", beta=t, order=1, branch=_free,
        ),
        Series(
            LOSS, LOSS - t * ((slope * RESPONSE) @ G @ rate),
            "the implicit gradient along G: ∇C·H⁻¹(ρ'⊙Gρ), with H⁻¹ moved over to ∇C",
            beta=t, order=1, branch=_free,
            latex=r"C(s_0(W+tG)) = C(s_0)-t\,(\rho'\odot\delta)^\top G\rho+O(t^2),\quad "
            r"\delta=-H^{-1}\nabla C",
        ),
        Series(
            directional(NET.expr, {W: G}),
            directional(NET.expr, {W: G}) - beta * ((slope * RESPONSE) @ G @ rate),
            "the Hebbian contrast −½ρᵀGρ between the two rest points gives the same number",
            beta=beta, order=1, branch=_nudged,
            latex=r"-\tfrac12\rho^\top G\rho\,\big|_{s_\beta} = -\tfrac12\rho^\top "
            r"G\rho\,\big|_{s_0}-\beta\,(\rho'\odot\delta)^\top G\rho+O(\beta^2)",
        ),
    ],
    breaks_when=["H is singular", "ρ'(s) = 0 for a unit: no bias makes an arbitrary state rest"],
    refute=[
        Series(
            LOSS, LOSS + t * ((slope * RESPONSE) @ G @ rate), "sign", beta=t, order=1,
            branch=_free,
        ),
        Series(
            directional(NET.expr, {W: G}),
            directional(NET.expr, {W: G}) - beta * (RESPONSE @ G @ rate), "the slope dropped",
            beta=beta, order=1, branch=_nudged,
        ),
        Series(
            x, x + t * (inv(HESSIAN) @ (G @ rate)), "the drive without its slope", beta=t, order=1,
            branch=_free,
        ),
    ],
    source="Scellier & Bengio (2019); Pineda (1987), Phys. Rev. Lett. 59, 2229",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (GENERAL, RECURRENT)
