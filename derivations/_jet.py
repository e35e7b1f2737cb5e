"""The general smooth energy and cost, as Taylor polynomials at a free rest point.

A statement of order k in β sees the derivatives of E and C at the free rest point up to a finite
order and nothing else.  With the origin moved to that point, E and C may be replaced by Taylor
polynomials with free coefficients: what is proved for these holds for every smooth E and C.
"""

from __future__ import annotations

from unified.symbolic import Axis, Expr, einsum, let, scalar, var
from unified.symbolic.build import zeros

n, p = Axis("n"), Axis("p")
s, theta = var("s", n), var("theta", p)
beta = scalar("beta")
H, E3 = var("H", n, n, symmetric=True), var("E3", n, n, n)
E_theta, M, M2 = var("e", p), var("M", p, n), var("M2", p, n, n)
c, D, C3 = var("c", n), var("D", n, n, symmetric=True), var("C3", n, n, n)
C0, c_theta, N = scalar("C0"), var("d", p), var("N", p, n)

REST = (let(s, zeros(n)), let(theta, zeros(p)))  # the free rest point is the origin


def cube(t: Expr, x: Expr) -> Expr:
    """Σ t_ijk x_i x_j x_k / 6, so that the symmetric part of t is the third derivative."""
    return einsum("ijk,i,j,k->", t, x, x, x) / 6


def energy() -> Expr:
    """E(s, θ) with ∂E/∂s = 0 at the origin; ∂E/∂θ = e, ∂²E/∂θ∂s = M, ∂²E/∂s² = H there."""
    bilinear = theta @ M @ s + einsum("aij,a,i,j->", M2, theta, s, s) / 2
    return s @ H @ s / 2 + cube(E3, s) + theta @ E_theta + bilinear


def cost() -> Expr:
    """C(s, θ) with the value C0, ∂C/∂s = c and ∂C/∂θ = d at the origin."""
    return C0 + c @ s + s @ D @ s / 2 + cube(C3, s) + theta @ c_theta + theta @ N @ s
