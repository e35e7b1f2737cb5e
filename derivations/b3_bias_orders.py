"""How fast each estimator's bias vanishes with the nudge.

The value V(β) = F(s_β) has V' = C, V'' = −∇CᵀH⁻¹∇C, and g(β) = ∂F/∂θ(s_β) has the gradient as
its first derivative.  An estimator is a formula for g'(0) from a few nudges: one-sided has order
1, centered 2, N ≥ 2 points on a circle in the complex plane N; real nodes reach N if they are N
symmetric ones with N even, or N besides the free phase.
Any smooth E and C enter as Taylor polynomials with free coefficients: H, E3, M, M2 and c, D, C3,
d, N are their derivatives at the free rest point, which is moved to the origin.
Reference: Laborieux et al. (2021), arXiv:2006.03824 (centered); Laborieux & Zenke (2022),
arXiv:2209.00530 (holomorphic); Fornberg (1988), Math. Comp. 51, 699, for real nodes.
It breaks where H is singular within the circle of radius |β|: the Taylor series then diverges.
"""

from __future__ import annotations

import sympy

from derivations._jet import (
    C0,
    E3,
    M2,
    REST,
    D,
    E_theta,
    H,
    M,
    N,
    beta,
    c,
    c_theta,
    cost,
    cube,
    energy,
    s,
    theta,
)  # fmt: skip
from unified.symbolic import (
    Axis,
    Claim,
    Expr,
    Series,
    Step,
    derivative,
    einsum,
    inv,
    let,
    scalar,
    substitute,
    var,
)  # fmt: skip

_F = energy() + beta * cost()
_BRANCH = (s, derivative(_F, s))
delta, second = var("delta", *s.axes), var("a", *s.axes)  # first and second derivative of s_β
_bend = 2 * derivative(cube(E3, delta), delta) + 2 * (D @ delta)  # E'''δδ + 2C''δ
_RESPONSES = (let(delta, -inv(H) @ c), let(second, -inv(H) @ _bend))
_THIRD = einsum("ijk,i,j,k->", E3, delta, delta, delta)


def _value(second_sign: int, factor: int) -> Expr:
    return (beta * C0 - second_sign * beta**2 / 2 * (c @ inv(H) @ c)
            + beta**3 / 6 * (_THIRD + factor * (delta @ D @ delta)))  # fmt: skip


VALUE = Claim(
    "B3-value", "the value function to third order in the nudge",
    statement=r"V(\beta) = V(0)+\beta C(s_0)-\tfrac{\beta^2}2\nabla C^\top H^{-1}\nabla C+"
    r"\tfrac{\beta^3}6\bigl(E'''\delta^3+3\delta^\top C''\delta\bigr)+O(\beta^4),\quad "
    r"\delta=-H^{-1}\nabla C",
    assumptions=[*REST, *_RESPONSES],
    steps=[
        Series(
            s, beta * delta + beta**2 / 2 * second, "the branch to second order: H a + E'''δδ + "
            "2C''δ = 0", beta=beta, order=2, branch=_BRANCH,
        ),
        Series(
            cost(), C0 + beta * (c @ delta) + beta**2 / 2 * (delta @ D @ delta + c @ second),
            "the cost along it, which is V'", beta=beta, order=2, branch=_BRANCH,
        ),
        Step(
            delta @ D @ delta + c @ second, _THIRD + 3 * (delta @ D @ delta),
            "c = −Hδ turns the second term into E'''δ³ + 2δᵀC''δ",
        ),
        Series(
            _F, _value(1, 3), "integrated: the value to third order", beta=beta, order=3,
            branch=_BRANCH,
            latex=r"V(\beta) = \beta C_0-\tfrac{\beta^2}{2}c^\top "
            r"H^{-1}c+\tfrac{\beta^3}{6}\bigl(E_3\delta\delta\delta+3\delta^\top "
            r"D\delta\bigr)+O(\beta^4)",
        ),
        Series(
            derivative(_F, theta),
            E_theta + beta * (c_theta + M @ delta) + beta**2 / 2 * (
                M @ second + einsum("aij,i,j->a", M2, delta, delta) + 2 * (N @ delta)),
            "the local quantity to second order: its β² term is the one-sided bias",
            beta=beta, order=2, branch=_BRANCH,
        ),
    ],
    breaks_when=["H is singular", "E or C is not smooth at s_0 (clipped units at the corner)"],
    refute=[
        Series(_F, _value(-1, 3), "sign of V''", beta=beta, order=3, branch=_BRANCH,
            latex=r"V(\beta) \neq \beta C_0+\tfrac{\beta^2}{2}c^\top "
            r"H^{-1}c+\tfrac{\beta^3}{6}\bigl(E_3\delta\delta\delta+3\delta^\top "
            r"D\delta\bigr)+O(\beta^4)",
        ),
        Series(_F, _value(1, 2), "factor of V'''", beta=beta, order=3, branch=_BRANCH,
            latex=r"V(\beta) \neq \beta C_0-\tfrac{\beta^2}{2}c^\top "
            r"H^{-1}c+\tfrac{\beta^3}{6}\bigl(E_3\delta\delta\delta+2\delta^\top "
            r"D\delta\bigr)+O(\beta^4)",
        ),
        Series(
            derivative(_F, theta),
            E_theta + beta * (c_theta + M @ delta) + beta**2 / 2 * (M @ second + 2 * (N @ delta)),
            "∂³E/∂θ∂s² dropped", beta=beta, order=2, branch=_BRANCH,
        ),
    ],
    source="Scellier (2021), arXiv:2103.09985, chapter 2",
)  # fmt: skip

_TOP = 6
_g = [var(f"g{j}", Axis("p")) for j in range(_TOP + 1)]  # the derivatives of any smooth g at 0
_G1 = _g[1]


def response(x: Expr, y: Expr | None = None) -> tuple[Expr, Expr]:
    """Real and imaginary part of g(x + iy), g a polynomial with the derivatives g_0, g_1, ...

    Complex numbers are pairs of real expressions, so that the proof stays over the rationals.
    """
    y = 0 * x if y is None else y
    real, imaginary = _g[0], 0 * _g[0]
    a, b = x, y
    for j in range(1, _TOP + 1):
        real = real + _g[j] * (a / sympy.factorial(j))
        imaginary = imaginary + _g[j] * (b / sympy.factorial(j))
        a, b = a * x - b * y, a * y + b * x
    return real, imaginary


def at(multiple: int) -> Expr:
    """g at a real multiple of β."""
    return response(multiple * beta)[0]


def circle(points: int) -> Expr:
    """β times the holomorphic estimate Σ_k g(β ω^k) ω^{−k}/(Nβ), ω = e^{2πi/N}; it is real."""
    total = 0 * _g[0]
    for k in range(points):
        angle = 2 * sympy.pi * sympy.Rational(k, points)
        cos, sin = sympy.cos(angle), sympy.sin(angle)
        real, imaginary = response(cos * beta, sin * beta)
        total = total + cos * real + sin * imaginary
    return total / points


def _bias(
    estimate: Expr, power: int, coefficient: sympy.Expr, words: str, shown: str, sign: str = "="
) -> Series:
    """β · estimate = β g_1 + coefficient · g_{power+1} β^{power+1}, nothing in between."""
    wanted = beta * _G1 + coefficient * beta ** (power + 1) * _g[power + 1]
    term = rf"{sympy.latex(coefficient)}\beta^{{{power + 1}}}g_{power + 1}"
    plus = "" if coefficient < 0 else "+"
    tex = rf"{shown} {sign} \beta g_1{plus}{term}+O(\beta^{{{power + 2}}})"
    return Series(estimate, wanted, words, latex=tex, beta=beta, order=power + 1)


_ONE, _TWO = r"g(\beta)-g(0)", r"\tfrac12\bigl(g(\beta)-g(-\beta)\bigr)"
_THREE, _FOUR = (
    rf"\tfrac1{k}\sum_{{k<{k}}}g(\beta\omega^k)\omega^{{-k}}" for k in (3, 4)
)  # fmt: skip
_REAL4 = r"\tfrac{1}{12}\bigl(8[g(\beta)-g(-\beta)]-[g(2\beta)-g(-2\beta)]\bigr)"
_NOT = r"\neq"
_REAL2 = r"\tfrac12\bigl(4g(\beta)-3g(0)-g(2\beta)\bigr)"
_RICHARDSON = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / 12
_FORWARD = (4 * at(1) - 3 * at(0) - at(2)) / 2
_Q = sympy.Rational

ORDERS = Claim(
    "B3-orders", "the order of the bias of every estimator, with its leading coefficient",
    statement=r"\text{one-sided: }\tfrac\beta2 g'';\quad \text{centered: }\tfrac{\beta^2}6g''';"
    r"\quad N\text{ points on a circle: }\tfrac{\beta^N}{(N+1)!}g^{(N+1)}",
    steps=[
        _bias(at(1) - at(0), 1, _Q(1, 2), "one-sided: order 1, leading bias βg''/2",
              _ONE),
        _bias((at(1) - at(-1)) / 2, 2, _Q(1, 6), "centered: even terms cancel, order 2",
              _TWO),
        Step(circle(2), (at(1) - at(-1)) / 2, "two points on the circle are the centered estimate",
            latex=r"\tfrac12\sum_{k=0}^{1}g\bigl(\beta(-1)^k\bigr)(-1)^k = "
            r"\tfrac12\bigl(g(\beta)-g(-\beta)\bigr)",
        ),
        _bias(circle(3), 3, _Q(1, 24), "three: Σ ω^{k(j−1)} = 0 unless j = 1, 4, ...: order 3",
              _THREE),
        _bias(circle(4), 4, _Q(1, 120), "four: order 4",
              _FOUR),
        _bias(_RICHARDSON, 4, -_Q(1, 30), "four symmetric real nodes: order 4 = N, N even",
              _REAL4),
        _bias(_FORWARD, 2, -_Q(1, 3), "two nonzero real nodes and the free phase: order 2 = N",
              _REAL2),
    ],
    breaks_when=[
        "H(β') is singular for some complex |β'| ≤ |β|: no Taylor series on the circle",
        "ρ is not holomorphic (clip, relu): complex nudges mean nothing",
        "N = 1: a single point on the circle is the phase itself and estimates nothing",
        "unconverged phases: an error of order 1/β (B8) beats every order",
    ],
    refute=[
        _bias(at(1) - at(0), 2, _Q(1, 6), "one-sided taken for order 2",
              _ONE, _NOT),
        _bias((at(1) - at(-1)) / 2, 2, -_Q(1, 6), "sign of the centered bias",
              _TWO, _NOT),
        _bias((at(1) - at(-1)) / 2, 3, _Q(1, 24), "centered taken for order 3",
              _TWO, _NOT),
        _bias(circle(3), 4, _Q(1, 120), "three points taken for order 4",
              _THREE, _NOT),
        _bias((at(1) + at(-1)) / 2, 2, _Q(1, 6), "sum in place of difference",
              r"\tfrac12\bigl(g(\beta)+g(-\beta)\bigr)", _NOT),
    ],
    source="Laborieux et al. (2021), arXiv:2006.03824; Laborieux & Zenke (2022), arXiv:2209.00530",
)  # fmt: skip

_d, _h, _c = scalar("D"), scalar("h"), scalar("c")
_shift = -beta * _c / (_h + beta * _d)
_mirror = substitute(_shift, {beta: -beta})

NEGATIVE = Claim(
    "B3-negative-nudge", "past the pole of a negative nudge the centered estimate turns around",
    statement=r"E=\tfrac h2s^2,\ C=cs+\tfrac D2s^2:\quad \frac{s_\beta-s_{-\beta}}{2\beta} = "
    r"-\frac ch\cdot\frac{h^2}{h^2-\beta^2D^2}",
    steps=[
        Step(_h * _shift + beta * (_c + _d * _shift), 0, "the nudged rest point"),
        Step(
            (_shift - _mirror) / (2 * beta), -_c / _h * (_h**2 / (_h**2 - beta**2 * _d**2)),
            "true response times a factor that is > 1 before β = h/D and negative past it",
        ),
    ],
    breaks_when=["β = h/D: h − βD = 0, no rest point at −β; past it none that is a minimum"],
    refute=[
        Step(
            (_shift - _mirror) / (2 * beta), -_c / _h * (_h**2 / (_h**2 + beta**2 * _d**2)),
            "sign: no pole",
        ),
        Step((_shift - _mirror) / (2 * beta), -_c / _h, "no bias at all"),
    ],
    source="Laborieux et al. (2021), arXiv:2006.03824; the factor is derived here",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (VALUE, ORDERS, NEGATIVE)
