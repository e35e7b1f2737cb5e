"""When the rest point of a linear network is stable, and how slowly it is reached.

E = ½sᵀ(1−W)s − bᵀs with W = Wᵀ rests at (1−W)⁻¹b, stably iff λ_max(W) < 1, and the slowest mode
decays at the rate 1 − λ_max.  The general field −s + Ws + b has the same rest point and is stable
iff every eigenvalue of W has real part below 1.
Reference: Strogatz (2015), Nonlinear Dynamics and Chaos, chapter 5; Hirsch & Smale (1974).
It breaks at λ = 1 (a line of rest points, or none), and for W ≠ Wᵀ if λ_max of the symmetric part
is used: a non-normal network may be stable with that above 1.
"""

from __future__ import annotations

from unified.symbolic import (
    Axis,
    Claim,
    Step,
    derivative,
    einsum,
    exp,
    eye,
    fn,
    inv,
    let,
    orthogonal,
    outer,
    scalar,
    substitute,
    var,
)  # fmt: skip

n = Axis("n")
s, b, q0 = var("s", n), var("b", n), var("q", n)
W = var("W", n, n, symmetric=True)
Q, lam = var("Q", n, n), var("lambda_", n)
time = scalar("t")
I = eye(n)
E = s @ (I - W) @ s / 2 - b @ s
REST = inv(I - W) @ b
_modes = [let(W, Q @ einsum("ij,i->ij", I, lam) @ Q.T), orthogonal(Q)]
_decay = exp(-(1 - lam) * time)

SYMMETRIC = Claim(
    "A3", "rest point, stability and slowest rate of a quadratic energy",
    statement=r"s_* = (1-W)^{-1}b,\quad \text{stable iff}\ \lambda_{\max}(W)<1,\quad "
    r"\text{slowest rate}\ 1-\lambda_{\max}",
    steps=[
        Step(derivative(E, s), (I - W) @ s - b, "the gradient; W = Wᵀ"),
        Step(substitute(derivative(E, s), {s: REST}), 0, "it vanishes at (1−W)⁻¹b"),
        Step(
            E - substitute(E, {s: REST}), (s - REST) @ (I - W) @ (s - REST) / 2,
            "complete the square around the rest point",
        ),
        Step(
            (s - REST) @ (I - W) @ (s - REST) / 2,
            ((1 - lam) * (Q.T @ (s - REST)) * (Q.T @ (s - REST))).sum() / 2,
            "in the eigenvectors W = QΛQᵀ: a sum of (1−λ_i)q_i²/2, with a minimum iff all λ_i < 1",
            assume=_modes,
        ),
        Step(
            derivative(REST + Q @ (_decay * q0), time), b - (I - W) @ (REST + Q @ (_decay * q0)),
            "each mode decays by itself as exp(−(1−λ_i)t): the slowest rate is 1 − λ_max",
            assume=_modes,
        ),
    ],
    breaks_when=["λ_max(W) = 1: a line of rest points or none", "W ≠ Wᵀ (A3-general)"],
    refute=[
        Step(substitute(derivative(E, s), {s: inv(I + W) @ b}), 0, "sign of W in the rest point"),
        Step(
            E - substitute(E, {s: REST}), (s - REST) @ (I - W) @ (s - REST), "the half dropped",
        ),
        Step(
            derivative(REST + Q @ (exp(-(1 + lam) * time) * q0), time),
            b - (I - W) @ (REST + Q @ (exp(-(1 + lam) * time) * q0)), "rate 1 + λ", assume=_modes,
        ),
    ],
    source="Strogatz (2015), Nonlinear Dynamics and Chaos, chapter 5",
)  # fmt: skip

# A general W that turns and stretches the plane of u and v: W u = αu + ωv, W v = αv − ωu.
G, X = var("G", n, n), var("X", n, n)
u, v = var("u", n), var("v", n)
alpha, omega = scalar("alpha"), scalar("omega")
_uu, _uv, _vv = u @ u, u @ v, v @ v
_area = _uu * _vv - _uv * _uv
_du, _dv = (_vv * u - _uv * v) / _area, (_uu * v - _uv * u) / _area  # the dual pair of (u, v)
_plane = let(
    X,
    G @ (I - outer(u, _du) - outer(v, _dv))
    + outer(alpha * u + omega * v, _du) + outer(alpha * v - omega * u, _dv),
)  # fmt: skip
_cos, _sin = fn("cos")(omega * time), fn("sin")(omega * time)
_growth = exp((alpha - 1) * time)
MODE = _growth * (_cos * u + _sin * v)
MATE = _growth * (_cos * v - _sin * u)
GENERAL_REST = inv(I - X) @ b

GENERAL = Claim(
    "A3-general", "stability of the linear field with any W",
    statement=r"\dot s = -s+Ws+b\ \text{is stable iff}\ \max_i \mathrm{Re}\,\lambda_i(W) < 1",
    steps=[
        Step(X @ u, alpha * u + omega * v, "a pair of eigenvalues α ± iω is a plane that W turns",
             assume=[_plane]),
        Step(X @ v, alpha * v - omega * u, "and stretches", assume=[_plane]),
        Step(X @ GENERAL_REST + b - GENERAL_REST, 0, "the rest point is (1−W)⁻¹b as before"),
        Step(
            derivative(GENERAL_REST + MODE, time),
            X @ (GENERAL_REST + MODE) + b - (GENERAL_REST + MODE),
            "in that plane the deviation spirals with exp((α−1)t): it dies out iff α < 1",
            assume=[_plane],
            latex=r"s(t) = s_*+e^{(\alpha-1)t}(\cos\omega t\,u+\sin\omega t\,v):\quad \dot s "
            r"= -s+Ws+b",
        ),
        Step(
            MODE.sq() + MATE.sq(), _growth * _growth * (u.sq() + v.sq()),
            "with the mode a quarter turn ahead its squared length is exactly exp(2(α−1)t) times "
            "a constant; repeated eigenvalues only add powers of t",
            latex=r"\lVert m\rVert^2+\lVert\tilde m\rVert^2 = e^{2(\alpha-1)t}(\lVert u\rVert^2+"
            r"\lVert v\rVert^2),\quad \tilde m=e^{(\alpha-1)t}(\cos\omega t\,v-\sin\omega t\,u)",
        ),
    ],
    breaks_when=["Re λ = 1: linear terms decide nothing for the nonlinear network"],
    refute=[
        Step(
            derivative(GENERAL_REST + MODE, time),
            X.T @ (GENERAL_REST + MODE) + b - (GENERAL_REST + MODE), "a transpose",
            assume=[_plane],
            latex=r"s(t) = s_*+e^{(\alpha-1)t}(\cos\omega t\,u+\sin\omega t\,v):\quad \dot s "
            r"\neq -s+W^\top s+b",
        ),
        Step(
            derivative(MODE, time), X @ MODE, "the leak −s dropped", assume=[_plane],
            latex=r"m(t) = e^{(\alpha-1)t}(\cos\omega t\,u+\sin\omega t\,v):\quad \dot m \neq "
            r"Wm",
        ),
        Step(
            derivative(_growth * (_cos * u - _sin * v), time),
            X @ (_growth * (_cos * u - _sin * v)) - _growth * (_cos * u - _sin * v),
            "the wrong sense of rotation", assume=[_plane],
            latex=r"m(t) = e^{(\alpha-1)t}(\cos\omega t\,u-\sin\omega t\,v):\quad \dot m \neq "
            r"Wm-m",
        ),
    ],
    source="Hirsch & Smale (1974), Differential Equations, Dynamical Systems and Linear Algebra",
)  # fmt: skip

_lin = var("P", n, n)
LYAPUNOV = Claim(
    "A3-symmetric-part", "a certificate that needs no eigenvalues",
    statement=r"\tfrac{d}{dt}\tfrac12|s-s_*|^2 = -(s-s_*)^\top\bigl(1-\tfrac{W+W^\top}2\bigr)"
    r"(s-s_*)",
    steps=[
        Step(
            derivative((s - GENERAL_REST).sq() / 2, s) @ (X @ s + b - s),
            -((s - GENERAL_REST) @ (I - (X + X.T) / 2) @ (s - GENERAL_REST)),
            "the distance to the rest point sees only the symmetric part of W",
        ),
        Step(
            derivative((s - GENERAL_REST).sq() / 2, s) @ (X @ s + b - s),
            -((_lin.T @ (s - GENERAL_REST)).sq()),
            "if 1 minus that part is PPᵀ ≻ 0 the distance falls: sufficient, not necessary",
            assume=[let(X, I - _lin @ _lin.T + G - G.T)],
        ),
    ],
    breaks_when=[
        "λ_max((W+Wᵀ)/2) ≥ 1: nothing follows; a non-normal W may still be stable",
    ],
    refute=[
        Step(
            derivative((s - GENERAL_REST).sq() / 2, s) @ (X @ s + b - s),
            (s - GENERAL_REST) @ (I - (X + X.T) / 2) @ (s - GENERAL_REST), "sign",
        ),
        Step(
            derivative((s - GENERAL_REST).sq() / 2, s) @ (X @ s + b - s),
            -((s - GENERAL_REST) @ (I - X @ X.T) @ (s - GENERAL_REST)), "XXᵀ for the sum",
        ),
    ],
    source="Lyapunov (1892); Khalil (2002), Nonlinear Systems, 4.1",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (SYMMETRIC, GENERAL, LYAPUNOV)
