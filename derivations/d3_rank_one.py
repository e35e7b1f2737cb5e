"""D3. One auxiliary field makes the units of a rank-one Hopfield net independent.

In words: with W = cξξᵀ the units meet only through u = ξᵀρ(s), and a square in u is the least value
of a parabola in a field h.  Given h no two units meet, so the partition function, the moments and
the weights of the wells are integrals over h of products of one-dimensional integrals: an exact
reference for laws with several modes.  The field is u with noise of variance T/c.
Source: Hubbard (1959), Phys. Rev. Lett. 3, 77; Stratonovich (1957), Dokl. Akad. Nauk 115, 1097.
What breaks it: c < 0 (the field would be imaginary), a W of another rank (one field per rank), a W
whose diagonal was set to zero, which is another energy.
"""

from __future__ import annotations

import sympy

from unified.energies import recurrent
from unified.symbolic import (
    Claim,
    Step,
    derivative,
    einsum,
    eye,
    fn,
    outer,
    scalar,
    substitute,
    var,
)  # fmt: skip

NET = recurrent(2, rho=sympy.Function("rho"))  # sizes are defaults; the axes are symbolic
s, b, W = (NET.variables[name] for name in ("s", "b", "W"))
(n,) = s.axes
rho = fn(sympy.Function("rho"))(s)
xi, c, h = var("xi", n), scalar("c"), scalar("h")
u = xi @ rho
ENERGY = substitute(NET.expr, {W: c * outer(xi, xi)})
JOINT = s.sq() / 2 + c * h * h / 2 - (b + c * h * xi) @ rho
_slope = derivative(rho.sum(), s)
_bend = derivative(_slope.sum(), s)

CLAIM = Claim(
    "D3-rank-one", "the rank-one Hopfield net is solved by a one-dimensional integral",
    statement=r"E(s)+\tfrac c2(h-\xi^\top\rho)^2 = \tfrac c2h^2+\sum_i\bigl[\tfrac12s_i^2-(b_i+ch"
    r"\xi_i)\rho(s_i)\bigr],\quad Z = \sqrt{\tfrac c{2\pi T}}\int e^{-ch^2/2T}\prod_i z_i(h)\,dh",
    steps=[
        Step(ENERGY + c * (h - u) * (h - u) / 2, JOINT,
             "complete the square: the square of u is traded for a field, and "
             "∫exp(−c(h−u)²/2T)dh is √(2πT/c), whatever s is",
             latex=r"E(s)+\tfrac c2(h-u)^2 = \tfrac12|s|^2+\tfrac c2h^2-(b+ch\xi)^\top\rho(s)"),
        Step(derivative(derivative(JOINT, s), s),
             einsum("ij,j->ij", eye(n), 1 - (b + c * h * xi) * _bend),
             "given h no two units meet: the Hessian is diagonal, the law a product",
             latex=r"\partial_{s_i}\partial_{s_j}J = \delta_{ij}\bigl(1-(b_i+ch\xi_i)"
                   r"\rho''_i\bigr)"),
        Step(derivative(JOINT, h), c * (h - u),
             "given s the field is u with variance T/c, so its mean is that of the overlap",
             latex=r"\partial_hJ = c(h-u)"),
        Step(substitute(JOINT, {h: u}), ENERGY, "at its own mean the field returns the energy",
             latex=r"\min_hJ = E"),
        Step(derivative(substitute(JOINT, {h: u}), s), s - _slope * (b + c * u * xi),
             "modes of the joint law are rest points of the net",
             latex=r"\nabla E = s-\rho'\odot(b+cu\xi)"),
    ],
    breaks_when=[
        "c < 0: the field would be imaginary",
        "W of rank r: r fields, an r-dimensional integral",
        "W without its diagonal cξ_i²: the units keep a term each, and u² is not their coupling",
    ],
    refute=[
        Step(ENERGY - c * (h - u) * (h - u) / 2, JOINT, "the field with the other sign"),
        Step(ENERGY + c * (h - u) * (h - u), JOINT, "the half dropped"),
        Step(ENERGY + c * (rho * rho * xi * xi).sum() / 2 + c * (h - u) * (h - u) / 2, JOINT,
             "the diagonal of W left out"),
        Step(derivative(JOINT, h), h - u, "a field of variance T in place of T/c"),
    ],
    source="Hubbard (1959), Phys. Rev. Lett. 3, 77",
)  # fmt: skip
