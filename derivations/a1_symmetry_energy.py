"""A field is the descent of an energy exactly when its Jacobian is symmetric.

On a star-shaped domain g = −∂E/∂s for some E iff ∂g/∂s is symmetric; E is then the integral
of −s·g along rays, and when the Jacobian is not symmetric, what is left over is shown.  A field f
derives from an energy in the metric M iff this holds for g = M⁻¹f.
Reference: Poincaré's lemma, e.g. Spivak (1965), Calculus on Manifolds, 4-11; Cohen & Grossberg
(1983), IEEE Trans. SMC 13, 815; Hopfield (1984), PNAS 81, 3088.
It breaks on domains that are not star-shaped: the vortex below has a symmetric Jacobian
everywhere but at its centre, and no energy.
"""

from __future__ import annotations

import sympy

from unified.energies import recurrent
from unified.symbolic import (
    Axis,
    Claim,
    Step,
    derivative,
    einsum,
    fn,
    scalar,
    substitute,
    var,
)  # fmt: skip

n, k = Axis("n"), Axis("k")
s, t, d = var("s", n), scalar("t"), var("d", n)
U, V, a = var("U", n, k), var("V", k, n), var("a", k)
A = var("A", n, n)
phi = fn(sympy.Function("phi"))

# Any smooth field: sums of plane waves U φ(Vs + a) are dense, and φ stays abstract.
g = U @ phi(V @ s + a)
J = derivative(g, s)


def on_ray(x):
    """x at the point ts of the ray through s."""
    return substitute(x, {s: t * s})


POTENTIAL = a @ phi(V @ s)  # and any smooth energy

THEOREM = Claim(
    "A1", "a field has an energy iff its Jacobian is symmetric",
    statement=(
        r"E(s) = -\int_0^1 s^\top g(ts)\,dt \;\Rightarrow\; -\nabla E = g - 2\int_0^1 t J_a(ts) s"
        r"\,dt,\quad J_a=\tfrac12(J-J^\top),\quad g = M^{-1}f"
    ),
    steps=[
        Step(
            derivative(derivative(POTENTIAL, s), s), derivative(derivative(POTENTIAL, s), s).T,
            "only if: the Jacobian of −∇E is −∂²E/∂s∂s, and second derivatives commute",
        ),
        Step(
            derivative(s @ on_ray(g), s), on_ray(g) + t * (on_ray(J).T @ s),
            "if: differentiate the integrand of the ray integral by s; Jᵀ appears",
        ),
        Step(
            derivative(t * on_ray(g), t), on_ray(g) + t * (on_ray(J) @ s),
            "the derivative of t·g(ts) along the ray; J appears; its integral over t is g(s)",
        ),
        Step(
            derivative(s @ on_ray(g), s) - derivative(t * on_ray(g), t),
            -2 * t * (on_ray((J - J.T) / 2) @ s),
            "subtract and integrate: −∇E is g but for the antisymmetric part along the ray",
            latex=r"\nabla_s\bigl(s^\top g(ts)\bigr)-\frac{d}{dt}\bigl(t\,g(ts)\bigr) = "
            r"-2t\,J_a(ts)\,s",
        ),
        Step(
            derivative(s @ A @ s / 2 + d @ s, s), A @ s + d - (A - A.T) @ s / 2,
            "for a linear field As + d the rays integrate in closed form: J_a s is left over",
        ),
    ],
    breaks_when=[
        "the domain is not star-shaped (A1-vortex)",
        "the Jacobian of f, not that of M⁻¹f, is tested although the metric is not a constant "
        "multiple of the identity",
    ],
    refute=[
        Step(derivative(s @ on_ray(g), s), on_ray(g) + t * (on_ray(J) @ s), "transpose dropped"),
        Step(
            derivative(s @ on_ray(g), s) - derivative(t * on_ray(g), t),
            2 * t * (on_ray((J - J.T) / 2) @ s), "sign of the remainder",
            latex=r"\nabla_s\bigl(s^\top g(ts)\bigr)-\frac{d}{dt}\bigl(t\,g(ts)\bigr) \neq "
            r"2t\,J_a(ts)\,s",
        ),
        Step(derivative(s @ A @ s / 2 + d @ s, s), A @ s + d, "remainder dropped"),
    ],
    source="Spivak (1965), Calculus on Manifolds, theorem 4-11",
)  # fmt: skip

ENERGY = recurrent(2, rho=sympy.Function("rho"))  # the size is a default; the axis is symbolic
x, b, W = (ENERGY.variables[name] for name in ("s", "b", "W"))
(n0,) = x.axes
w0 = var("w", n0)
X = var("X", n0, n0)  # a weight matrix that need not be symmetric
rho = fn(sympy.Function("rho"))
rate, slope = rho(x), derivative(rho(x).sum(), x)


def additive(w):
    """−s + ρ'⊙(wρ + b)."""
    return slope * (w @ rate + b) - x


def plain(w):
    """−s + wρ + b."""
    return w @ rate + b - x


def turned(field):
    """The Jacobian minus its transpose, 2J_a."""
    jac = derivative(field, x)
    return jac - jac.T


HOPFIELD = Claim(
    "A1-Hopfield", "which Hopfield fields have an energy, and the energy rebuilt",
    statement=r"-s+\rho'\odot(W\rho+b)\ \text{is conservative iff}\ W=W^\top;\quad -s+W\rho+b\ "
    r"\text{is not, unless}\ \rho\ \text{is affine or}\ W\ \text{diagonal, but}\ "
    r"\rho'\odot(-s+W\rho+b)\ \text{is}",
    steps=[
        Step(
            turned(additive(X)), einsum("i,ij,j->ij", slope, X - X.T, slope),
            "additive field: 2J_a has the entries ρ'_i (W_ij − W_ji) ρ'_j, zero iff W = Wᵀ",
            latex=r"J-J^\top = \operatorname{diag}(\rho')(X-X^\top)\operatorname{diag}("
            r"\rho'),\quad f = -s+\rho'\odot(X\rho+b)",
        ),
        Step(
            turned(plain(W)),
            einsum("ij,j->ij", W, slope) - einsum("i,ij->ij", slope, W),
            "plain field, W = Wᵀ: W_ij (ρ'_j − ρ'_i) is left, zero only where the slopes agree",
        ),
        Step(
            turned(w0 * rate + b - x), 0,
            "so with self-connections only (W diagonal) the plain field does have an energy",
        ),
        Step(
            turned(slope * plain(W)), 0,
            "times ρ' it is symmetric: an energy in the metric M = 1/ρ'",
            latex=r"J-J^\top = 0,\quad f = \rho'\odot(-s+W\rho+b)",
        ),
        Step(
            derivative(substitute(ENERGY.expr, {x: t * x}), t),
            -(x @ substitute(additive(W), {x: t * x})),
            "rebuilt along rays: dE(ts)/dt = −s·f(ts) with the library's energy, so "
            "E(s) − E(0) = −∫ s·f(ts) dt",
        ),
        Step(-ENERGY.grad("s"), additive(W), "and back: the field of the rebuilt energy is f"),
    ],
    breaks_when=["W ≠ Wᵀ", "ρ' vanishes on an interval: the metric 1/ρ' is infinite there"],
    refute=[
        Step(turned(additive(X)), 0, "symmetry of W dropped",
            latex=r"J-J^\top \neq 0,\quad f = -s+\rho'\odot(X\rho+b)",
        ),
        Step(turned(plain(W)), 0, "the plain field taken for a gradient"),
        Step(turned(slope * plain(X)), 0, "symmetry of W dropped, metric 1/ρ'",
            latex=r"J-J^\top \neq 0,\quad f = \rho'\odot(-s+X\rho+b)",
        ),
        Step(
            turned(plain(W)), einsum("i,ij->ij", slope, W) - einsum("ij,j->ij", W, slope),
            "sign of the remainder",
            latex=r"J-J^\top \neq \operatorname{diag}(\rho')W-W\operatorname{diag}(\rho'),"
            r"\quad f = -s+W\rho+b",
        ),
    ],
    source="Hopfield (1984), PNAS 81, 3088; Cohen & Grossberg (1983)",
)  # fmt: skip

u, v = scalar("u"), scalar("v")
angle = scalar("phi_0")
_LEFT, _UP = -v / (u * u + v * v), u / (u * u + v * v)
_COS, _SIN = fn("cos")(angle), fn("sin")(angle)


def _on_circle(component):
    return substitute(component, {u: t * _COS, v: t * _SIN})


VORTEX = Claim(
    "A1-vortex", "a symmetric Jacobian is not enough off a star-shaped domain",
    statement=r"f = (-v, u)/(u^2+v^2):\ \partial_v f_u = \partial_u f_v,\ "
    r"\text{but}\ \oint f\cdot dl = 2\pi",
    steps=[
        Step(
            derivative(_LEFT, v), derivative(_UP, u),
            "the Jacobian is symmetric wherever the field is defined",
        ),
        Step(
            _on_circle(_LEFT) * derivative(t * _COS, angle)
            + _on_circle(_UP) * derivative(t * _SIN, angle), 1,
            "but along a circle of any radius t the work is 1 per radian, 2π around: no energy",
        ),
    ],
    breaks_when=["a domain that avoids the centre and is star-shaped: there the angle is −E"],
    refute=[
        Step(derivative(_LEFT, v), -derivative(_UP, u), "sign: the Jacobian is not antisymmetric"),
        Step(
            _on_circle(_LEFT) * derivative(t * _COS, angle)
            + _on_circle(_UP) * derivative(t * _SIN, angle), 0,
            "no work around the centre",
        ),
    ],
    source="Spivak (1965), Calculus on Manifolds, problem 4-21",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (THEOREM, HOPFIELD, VORTEX)
