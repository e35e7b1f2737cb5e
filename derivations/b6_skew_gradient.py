"""Units that ascend: equilibrium propagation at a saddle.

In τ ds/dt = −M ∂F/∂s with M = diag(±1) some units descend F and others ascend it.  The rest
points are those of F, so B1 holds word for word with ∂E/∂θ; only the whole ∂F/∂s, nudge included,
must pass through M.  With H_uu ≻ 0 ≻ H_vv the rest point is stable for all time constants.
Any smooth E and C enter as Taylor polynomials with free coefficients: H, E3, M, M2 and c, D, C3,
d, N are their derivatives at the free rest point, which is moved to the origin.
Reference: Brayton & Moser (1964), Quart. Appl. Math. 22, 1, on indefinite metrics; Yanagida
(2002), J. Differ. Equ. 179, 311, on skew-gradient systems; EP part derived here.
It breaks if the nudge bypasses M, and for costs on ascending units the bounds of B3 turn around.
"""

from __future__ import annotations

import sympy

from derivations import _jet
from derivations._jet import REST, beta, s, theta
from unified.symbolic import (
    Axis,
    Claim,
    Expr,
    Series,
    Step,
    derivative,
    fn,
    inv,
    let,
    outer,
    var,
)  # fmt: skip

E, C = _jet.energy(), _jet.cost()
F = E + beta * C
M = var("G", _jet.n, _jet.n)  # any invertible metric; diag(±1) for the skew gradient
_force = M @ derivative(F, s)
_response = -beta * (inv(_jet.H) @ _jet.c)


def _branch(lhs: Expr, rhs: Expr, field: Expr, words: str) -> Series:
    return Series(lhs, rhs, words, beta=beta, order=1, branch=(s, field))


SKEW = Claim(
    "B6", "equilibrium propagation does not see the metric",
    statement=r"\tau\dot s = -M\,\partial F/\partial s:\quad \frac{ds_\beta}{d\beta} = "
    r"-(MH)^{-1}M\nabla C = -H^{-1}\nabla C",
    assumptions=REST,
    steps=[
        Step(
            -inv(M @ _jet.H) @ M @ _jet.c, -inv(_jet.H) @ _jet.c,
            "M cancels: rest points are those of F, for every invertible M",
        ),
        _branch(s, _response, _force, "so is the response to the nudge"),
        _branch(
            derivative(F, theta),
            derivative(E, theta) + beta * (_jet.c_theta - _jet.M @ inv(_jet.H) @ _jet.c), _force,
            "and the contrast is the gradient of the cost, as in B1",
        ),
        _branch(
            s, -beta * (inv(_jet.H) @ inv(M) @ _jet.c),
            M @ derivative(E, s) + beta * derivative(C, s),
            "a nudge that bypasses M is answered by −H⁻¹M⁻¹∇C: for M = diag(±1) the wrong sign "
            "for the ascending units",
        ),
    ],
    breaks_when=["the nudge does not pass through M", "H is singular",
                 "−τ⁻¹MH is not Hurwitz: the network does not settle"],
    refute=[
        _branch(s, -beta * (inv(_jet.H) @ M @ _jet.c), _force, "M left in the response"),
        _branch(
            s, _response, M @ derivative(E, s) + beta * derivative(C, s),
            "a nudge that bypasses the metric",
        ),
        _branch(s, -1 * _response, _force, "sign"),
    ],
    source="derived here",
)  # fmt: skip

a, b = Axis("m"), Axis("k")
u, v = var("u", a), var("v", b)
K, X = var("K", a, b), var("X", b, b)
W = var("W", b, b, symmetric=True)
rho = fn(sympy.Function("rho"))
ru, rv = rho(u), rho(v)
COUPLING = ru @ K @ rv - rv @ W @ rv / 2

RULES = Claim(
    "B6-rules", "Hebbian for inhibition among ascending units, anti-Hebbian for the coupling",
    statement=r"E\ni\rho(u)^\top K\rho(v)-\tfrac12\rho(v)^\top W\rho(v):\quad \Delta K\propto "
    r"-\Delta[\rho(u)\rho(v)^\top],\quad \Delta W\propto+\tfrac12\Delta[\rho(v)\rho(v)^\top]",
    steps=[
        Step(-derivative(COUPLING, K), -outer(ru, rv), "ΔK ∝ −∂E/∂K: minus the contrast"),
        Step(
            -derivative(COUPLING, W), outer(rv, rv) / 2,
            "ΔW ∝ −∂E/∂W: plus half the contrast",
        ),
        Step(
            -derivative(COUPLING, u), -(derivative(ru.sum(), u) * (K @ rv)),
            "u descends: v inhibits u through K",
        ),
        Step(
            derivative(COUPLING, v), derivative(rv.sum(), v) * (K.T @ ru - W @ rv),
            "v ascends: u excites v through Kᵀ, and v inhibits itself through W",
        ),
    ],
    breaks_when=["W ≠ Wᵀ", "the two signs of K are learnt apart: they must stay transposes"],
    refute=[
        Step(-derivative(COUPLING, K), outer(ru, rv), "Hebbian for the coupling"),
        Step(-derivative(COUPLING, W), -outer(rv, rv) / 2, "anti-Hebbian for W"),
        Step(
            derivative(COUPLING, v), derivative(rv.sum(), v) * (K.T @ ru + W @ rv),
            "sign of the inhibition among v",
        ),
        Step(
            derivative(ru @ K @ rv - rv @ X @ rv / 2, v),
            derivative(rv.sum(), v) * (K.T @ ru - X @ rv), "symmetry of W dropped",
        ),
    ],
    source="derived here",
)  # fmt: skip

P, N = var("P", a, a), var("N", b, b)
U, V = var("U", a, a, symmetric=True), var("V", b, b, symmetric=True)
tu, tv = var("tau_u", a), var("tau_v", b)
cu, cv = var("cu", a), var("cv", b)
_speed_u, _speed_v = -(U @ u + K @ v) / tu, (K.T @ u + V @ v) / tv
_POWER = (tu * u) @ _speed_u + (tv * v) @ _speed_v
_signs = [let(U, P @ P.T), let(V, -N @ N.T)]
SCHUR_U = U - K @ inv(V) @ K.T  # ((H⁻¹)_uu)⁻¹
SCHUR_V = V - K.T @ inv(U) @ K

STABILITY = Claim(
    "B6-stability", "H_uu ≻ 0 ≻ H_vv: stable for all time constants; and the bounds",
    statement=r"\tfrac{d}{dt}\tfrac12(u^\top\tau_uu+v^\top\tau_vv) = -u^\top H_{uu}u+v^\top "
    r"H_{vv}v < 0,\qquad V'' = -\nabla_uC^\top(H^{-1})_{uu}\nabla_uC",
    steps=[
        Step(
            _POWER, -(u @ U @ u) + v @ V @ v,
            "the distance weighted by τ: what v takes from u through K, u gets from v; it cancels",
        ),
        Step(
            _POWER, -((P.T @ u).sq()) - (N.T @ v).sq(),
            "minus two squares, whatever the time constants", assume=_signs,
        ),
        Step(
            U @ (inv(SCHUR_U) @ cu) + K @ (-inv(V) @ K.T @ inv(SCHUR_U) @ cu), cu,
            "eliminating v, a force on u meets the stiffness H_uu − K H_vv⁻¹ Kᵀ",
        ),
        Step(
            -(cu @ inv(SCHUR_U) @ cu),
            -(cu @ inv(P @ P.T + (K @ inv(N.T)) @ (K @ inv(N.T)).T) @ cu),
            "which is ≻ 0: for a cost on descending units V'' ≤ 0 and L_β ≤ C ≤ L_{−β} are kept",
            assume=_signs,
        ),
        Step(
            -(cv @ inv(SCHUR_V) @ cv),
            cv @ inv(N @ N.T + (K.T @ inv(P.T)) @ (K.T @ inv(P.T)).T) @ cv,
            "for a cost on ascending units V'' ≥ 0: the bounds are reversed", assume=_signs,
        ),
    ],
    breaks_when=[
        "H_uu or H_vv is indefinite: stability then depends on the time constants",
        "the cost reads both kinds of units: no sign is left",
    ],
    refute=[
        Step(_POWER, -(u @ U @ u) - v @ V @ v, "sign of H_vv"),
        Step(
            (tu * u) @ _speed_u - (tv * v) @ _speed_v, -(u @ U @ u) + v @ V @ v,
            "the indefinite distance",
        ),
        Step(
            -(cv @ inv(SCHUR_V) @ cv),
            -(cv @ inv(N @ N.T + (K.T @ inv(P.T)) @ (K.T @ inv(P.T)).T) @ cv),
            "bounds kept for ascending units", assume=_signs,
        ),
        Step(u @ U @ u, (P @ u).sq(), "a transpose", assume=_signs),
    ],
    source="derived here; Yanagida (2002) on skew-gradient systems",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (SKEW, RULES, STABILITY)
