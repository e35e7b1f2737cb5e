"""The nudged energies bound the cost from both sides.

L_β = (V(β) − V(0))/β is computed from two phases, without ever evaluating the cost at the free
rest point.  V is concave in β, at global minima and along a branch of minima, so
L_β ≤ C(s_0) ≤ L_{−β}; the two close in on the cost with a gap β∇CᵀH⁻¹∇C.
Any smooth E and C enter as Taylor polynomials with free coefficients: H, E3, M, M2 and c, D, C3,
d, N are their derivatives at the free rest point, which is moved to the origin.
Reference: Scellier (2021), arXiv:2103.09985; Meulemans et al. (2022), arXiv:2207.01332; concavity
of a minimum over linear functions: Boyd & Vandenberghe (2004), 3.2.3.
It breaks if the two phases rest on different branches of local minima, or at a saddle.
"""

from __future__ import annotations

from derivations._jet import C0, REST, D, H, beta, c, cost, energy, s
from unified.symbolic import (
    Claim,
    Series,
    Step,
    derivative,
    inv,
    let,
    positive_definite,
    substitute,
    var,
)  # fmt: skip

P = var("P", *H.axes)  # H = PPᵀ ≻ 0 makes every quadratic form of H⁻¹ a square
_F = energy() + beta * cost()
_BRANCH = (s, derivative(_F, s))
_MINUS = substitute(_F, {beta: -beta})
_MINUS_BRANCH = (s, derivative(_MINUS, s))
_SQUARE = (inv(P) @ c).sq()
_minimum = let(H, P @ P.T)

BRANCH = Claim(
    "B3-bounds", "the bounds along a branch of minima",
    statement=r"L_\beta = \frac{V(\beta)-V(0)}\beta \le C(s_0) \le L_{-\beta},\qquad "
    r"L_{-\beta}-L_\beta = \beta\,\nabla C^\top H^{-1}\nabla C+O(\beta^3)",
    assumptions=REST,
    steps=[
        Series(
            _F, beta * C0 - beta**2 / 2 * (c @ inv(H) @ c),
            "V' = C and V'' = −∇CᵀH⁻¹∇C, at β = 0 and, F_β in place of E, at every β",
            beta=beta, order=2, branch=_BRANCH,
            latex=r"V(\beta) = \beta C_0-\tfrac{\beta^2}{2}c^\top H^{-1}c+O(\beta^3)",
        ),
        Step(
            -(c @ inv(H) @ c), -_SQUARE,
            "at a minimum H = PPᵀ: V'' is minus a square, so V is concave and its mean slope L_β "
            "lies below V'(0) = C(s_0) for β > 0, above it for β < 0", assume=[_minimum],
        ),
        Series(
            cost(), C0 - beta * _SQUARE,
            "the same seen on the cost: a nudge never raises it", beta=beta, order=1,
            branch=_BRANCH, assume=[_minimum],
        ),
        Series(
            _MINUS, -beta * C0 - beta**2 / 2 * (c @ inv(H) @ c),
            "the negative nudge: C(s_0) changes sign, V'' does not; subtract: the gap", beta=beta,
            order=2, branch=_MINUS_BRANCH,
            latex=r"V(-\beta) = -\beta C_0-\tfrac{\beta^2}{2}c^\top H^{-1}c+O(\beta^3)",
        ),
    ],
    breaks_when=[
        "the phases rest on different branches of local minima",
        "H + β'C'' is singular or indefinite for some β' between 0 and ±β",
        "some units ascend (B6-bounds): the bounds hold for costs on descending units only",
    ],
    refute=[
        Series(
            _F, beta * C0 + beta**2 / 2 * (c @ inv(H) @ c), "V convex: bounds exchanged",
            beta=beta, order=2, branch=_BRANCH,
            latex=r"V(\beta) \neq \beta C_0+\tfrac{\beta^2}{2}c^\top H^{-1}c+O(\beta^3)",
        ),
        Series(
            cost(), C0 - beta / 2 * _SQUARE, "half of the decrease of the cost", beta=beta,
            order=1, branch=_BRANCH, assume=[_minimum],
        ),
        Step(-(c @ inv(H) @ c), -((inv(P.T) @ c).sq()), "a transpose", assume=[_minimum]),
    ],
    source="Scellier (2021), arXiv:2103.09985",
)  # fmt: skip

# A quadratic energy and cost, origin at the free rest point: everything in closed form.
E, C = s @ H @ s / 2, C0 + c @ s + s @ D @ s / 2
F = E + beta * C
_PULL = H + beta * D
_PUSH = H - beta * D
_REST = -beta * (inv(_PULL) @ c)
_V = substitute(F, {s: _REST})
_V_MINUS = substitute(substitute(F, {beta: -beta}), {s: beta * (inv(_PUSH) @ c)})
_LOWER, _UPPER = _V / beta, -_V_MINUS / beta  # V(0) = 0
Q, R = var("Q", *H.axes), var("R", *H.axes)

QUADRATIC = Claim(
    "B3-bounds-quadratic", "the bounds in closed form, at any nudge",
    statement=r"C(s_0)-L_\beta = \tfrac\beta2\nabla C^\top(H+\beta C'')^{-1}\nabla C,\quad "
    r"L_{-\beta}-C(s_0) = \tfrac\beta2\nabla C^\top(H-\beta C'')^{-1}\nabla C",
    assumptions=[positive_definite(H)],
    steps=[
        Step(
            substitute(derivative(F, s), {s: _REST}), 0, "the nudged rest point −β(H+βC'')⁻¹∇C",
        ),
        Step(
            C0 - _LOWER, beta / 2 * (c @ inv(_PULL) @ c), "below the cost by a quadratic form",
            latex=r"C_0-L_\beta = \tfrac\beta2c^\top(H+\beta D)^{-1}c",
        ),
        Step(
            _UPPER - C0, beta / 2 * (c @ inv(_PUSH) @ c), "above the cost by another",
            latex=r"L_{-\beta}-C_0 = \tfrac\beta2c^\top(H-\beta D)^{-1}c",
        ),
        Step(
            C0 - _LOWER, beta / 2 * (inv(Q) @ c).sq(), "a square where H + βC'' = QQᵀ ≻ 0",
            assume=[let(H, Q @ Q.T - beta * D)],
            latex=r"C_0-L_\beta = \tfrac\beta2\lVert Q^{-1}c\rVert^2",
        ),
        Step(
            _UPPER - C0, beta / 2 * (inv(R) @ c).sq(),
            "and where H − βC'' = RRᵀ ≻ 0, which limits the negative nudge",
            assume=[let(H, R @ R.T + beta * D)],
            latex=r"L_{-\beta}-C_0 = \tfrac\beta2\lVert R^{-1}c\rVert^2",
        ),
        Series(
            -_V_MINUS - _V, beta**2 * (c @ inv(H) @ c),
            "the gap is β∇CᵀH⁻¹∇C to first order (times β to clear the denominators)",
            beta=beta, order=3,
            latex=r"\beta(L_{-\beta}-L_\beta) = \beta^2c^\top H^{-1}c+O(\beta^4)",
        ),
        Step(
            substitute(F, {s: 0 * s}), beta * C0,
            "at global minima it takes one line: V(β) ≤ F(s_0, β) = V(0) + βC(s_0), for β of "
            "either sign",
        ),
    ],
    breaks_when=["H − βC'' is not positive definite: L_{−β} is then no bound"],
    refute=[
        Step(C0 - _LOWER, -beta / 2 * (c @ inv(_PULL) @ c), "sign of the lower gap",
            latex=r"C_0-L_\beta \neq -\tfrac\beta2c^\top(H+\beta D)^{-1}c",
        ),
        Step(_UPPER - C0, beta / 2 * (c @ inv(_PULL) @ c), "the same gap on both sides",
            latex=r"L_{-\beta}-C_0 \neq \tfrac\beta2c^\top(H+\beta D)^{-1}c",
        ),
        Step(C0 - _LOWER, beta / 2 * (c @ inv(H) @ c), "C'' dropped",
            latex=r"C_0-L_\beta \neq \tfrac\beta2c^\top H^{-1}c",
        ),
        Series(
            -_V_MINUS - _V, beta**2 / 2 * (c @ inv(H) @ c), "half the gap", beta=beta,
            order=2,
            latex=r"\beta(L_{-\beta}-L_\beta) \neq \tfrac{\beta^2}2c^\top H^{-1}c+O(\beta^3)",
        ),
    ],
    source="Scellier (2021), arXiv:2103.09985; closed form derived here",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (BRANCH, QUADRATIC)
