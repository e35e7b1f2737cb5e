"""A rotating pair of units loses its rest point in a Hopf bifurcation, and goes round.

ṡ = −s + W tanh s with W = [[g, −k], [k, g]]: the Jacobian at 0 is W − 1, with eigenvalues
g − 1 ± ik, so the origin turns unstable at g = 1.  In polar coordinates, to third order in the
radius and averaged over a turn, ṙ = (g−1)r − (g/4)r³ and φ̇ = k(1 − r²/4): a stable cycle of
radius 2√((g−1)/g) and frequency k/g, to leading order in g − 1.
Reference: Kuznetsov (2004), Elements of Applied Bifurcation Theory, section 3.5; Guckenheimer &
Holmes (1983), section 4.1, for averaging.
What stays numeric: the whole cycle away from g = 1, and the gain g*(k) at which it ends on rest
points (theory A4).  It breaks for k = 0, where nothing turns and rest points appear at once.
"""

from __future__ import annotations

import sympy

from unified.symbolic import (
    Axis,
    Claim,
    Step,
    derivative,
    eye,
    let,
    scalar,
    substitute,
    tanh,
    var,
)  # fmt: skip
from unified.symbolic.build import zeros

n = Axis("n")
s, W, Rot = var("s", n), var("W", n, n), var("R", n, n)
gain, turn = scalar("g"), scalar("k")
FIELD = W @ tanh(s) - s
JACOBIAN = substitute(derivative(FIELD, s), {s: zeros(n)})
_pair = [let(W, gain * eye(n) + turn * Rot)]

g, k, r, phi = sympy.symbols("g k r phi")
x, y = r * sympy.cos(phi), r * sympy.sin(phi)


def _sigmoid(u: sympy.Expr) -> sympy.Expr:
    """tanh to third order."""
    return u - u**3 / 3


_dx = -x + g * _sigmoid(x) - k * _sigmoid(y)
_dy = -y + k * _sigmoid(x) + g * _sigmoid(y)


def _mean(e: sympy.Expr) -> sympy.Expr:
    """The average over one turn, by SymPy."""
    whole = sympy.integrate(sympy.expand(e), (phi, 0, 2 * sympy.pi)) / (2 * sympy.pi)
    return sympy.expand(sympy.simplify(whole))


RADIAL = _mean((x * _dx + y * _dy) / r)
ANGULAR = _mean((x * _dy - y * _dx) / r**2)
_square = 4 * (g - 1) / g  # r² on the cycle
_slope = sympy.expand(sympy.diff(RADIAL, r))
_trace, _det = 2 * g - 2, (g - 1) ** 2 + k**2
_u = sympy.Symbol("u")
_THIRD = sympy.diff(sympy.tanh(_u), _u, 3).subs(_u, 0)

CLAIM = Claim(
    "A4", "a rotating pair of units has a limit cycle past g = 1",
    statement=r"\lambda = g-1\pm ik,\quad r_{\text{cycle}} \to 2\sqrt{(g-1)/g},\quad "
    r"\omega \to k/g\quad (g \to 1^+)",
    steps=[
        Step(JACOBIAN, W - eye(n), "tanh has slope 1 at 0: the Jacobian there is W − 1, any size",
             latex=r"\partial\dot s/\partial s\,\big|_0 = W-1"),
        Step((JACOBIAN - (gain - 1) * eye(n)) @ (JACOBIAN - (gain - 1) * eye(n)),
             turn**2 * (Rot @ Rot),
             "with W = g + kR: J − (g−1) squares to k²R², and R² = −1 for a quarter "
             "turn, so the eigenvalues are g − 1 ± ik", assume=_pair,
             latex=r"\bigl(J-(g-1)\bigr)^2 = k^2R^2"),
        Step(sympy.Matrix([[g - 1, -k], [k, g - 1]]).trace(), _trace,
             "the trace changes sign at g = 1",
             latex=r"\operatorname{tr}J = 2(g-1)"),
        Step(sympy.Matrix([[g - 1, -k], [k, g - 1]]).det(), _det,
             "while the determinant stays positive: a Hopf point, not a fold",
             latex=r"\det J = (g-1)^2+k^2"),
        Step(_THIRD, -2, "tanh u = u − u³/3 + O(u⁵): the cubic that limits the radius",
             latex=r"\tanh'''(0) = -2"),
        Step(RADIAL, (g - 1) * r - g * r**3 / 4,
             "averaged over a turn: ⟨cos⁴ + sin⁴⟩ = 3/4, and the terms of k cancel",
             latex=r"\langle\dot r\rangle = (g-1)r-\tfrac g4r^3"),
        Step(ANGULAR, k - k * r**2 / 4, "the turning slows as the radius grows",
             latex=r"\langle\dot\varphi\rangle = k\bigl(1-\tfrac{r^2}4\bigr)"),
        Step(((g - 1) - g * _square / 4), 0, "the averaged radius rests at r² = 4(g−1)/g",
             latex=r"(g-1)-\tfrac g4r^2 = 0\ \text{at}\ r^2 = \tfrac{4(g-1)}g"),
        Step(sympy.expand((_slope + 2 * g - 2).subs(r**2, _square) * g), 0,
             "and is stable there: ∂⟨ṙ⟩/∂r = −2(g−1) < 0",
             latex=r"\partial\langle\dot r\rangle/\partial r = -2(g-1)"),
        Step(sympy.simplify((k - k * _square / 4) * g), k, "where it turns with frequency k/g",
             latex=r"g\,\langle\dot\varphi\rangle = k\ \text{at}\ r^2 = \tfrac{4(g-1)}g"),
    ],
    breaks_when=[
        "k = 0: nothing turns; two rest points appear on each axis at g = 1",
        "g − 1 of order one: averaging and the cubic both fail; beyond g*(k) there are rest points",
        "W symmetric: an energy exists, and no cycle can",
    ],
    refute=[
        Step(RADIAL, (g - 1) * r - g * r**3 / 3, "the cubic of one unit, not averaged"),
        Step(RADIAL, (g - 1) * r + g * r**3 / 4, "a subcritical sign: no stable cycle"),
        Step(ANGULAR, k + 0 * r, "the frequency k of the linear net kept"),
        Step((JACOBIAN - (gain - 1) * eye(n)) @ (JACOBIAN - (gain - 1) * eye(n)), turn**2 * eye(n),
             "real eigenvalues g − 1 ± k, as a symmetric coupling would have", assume=_pair),
    ],
    source="Kuznetsov (2004), Elements of Applied Bifurcation Theory; the averages are by SymPy",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (CLAIM,)
