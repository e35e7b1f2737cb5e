"""E7. Predictive coding and equilibrium propagation inside a wide two-layer net.

In words: relax the hidden activities and the output of f = cAσ(Wx) under hidden precision γ_h and
output precision γ_o.  What is left is half the squared error weighted by S⁻¹, where S is the
output's own variance 1/β + 1/γ_o and what the hidden layer could explain away, (c²/γ_h)AAᵀ.  With
c = α/N and one output that is α²Q/(Nγ_h), Q = (1/N)Σa_i²: at fixed precisions it dies out like
1/N and predictive coding is backpropagation; with γ = Nγ_h/γ_o kept, S = 1 + Q/γ survives in
the limit.  For linear neurons, white inputs and a linear teacher, each of these flows closes on a
few moments, as does feedback alignment.

Source: Whittington & Bogacz (2017) for the energy; Mei, Montanari & Nguyen (2018),
arXiv:1804.06561, for the scaling; Lillicrap et al. (2016) for feedback alignment.
What breaks it: 1/β + 1/γ_o + Q/(Nγ_h) < 0, a nudge against the target past what the output can
bear; inputs that are not white, or a teacher that is not linear, for the closed flows.
"""

from __future__ import annotations

import sympy

from derivations._chain import at
from unified.symbolic import (
    Axis,
    Claim,
    Expr,
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
    var,
)  # fmt: skip

n, d, k = Axis("n"), Axis("d"), Axis("k")
beta, gh, go, c = scalar("beta"), scalar("gamma_h"), scalar("gamma_o"), scalar("c")
h, o, x, y = var("h", n), var("o", k), var("x", d), var("y", k)
A, W = var("A", k, n), var("W", n, d)
S, r = var("S", k, k, symmetric=True), var("r", k)
_f = sympy.Function("sigma")
_v = sympy.Symbol("v")
sigma = fn(_f)(W @ x)  # abstract: what is proved holds for every activation
slope = fn(sympy.Lambda(_v, sympy.Derivative(_f(_v), _v)))(W @ x)

E = gh * (h - sigma).sq() / 2 + go * (o - c * (A @ h)).sq() / 2
F = E + beta * (y - o).sq() / 2
pull = inv(S) @ r
REST = {"o": y - pull / beta, "h": sigma + (c / gh) * (A.T @ pull)}
MEANING = [
    let(S, (1 / beta + 1 / go) * eye(k) + (c**2 / gh) * (A @ A.T)), let(r, y - c * (A @ sigma)),
]  # fmt: skip

ELIMINATED = Claim(
    "E7-eliminated", "The eliminated-activity energy of a two-layer net, any activation",
    statement=(
        r"E^* = \tfrac12 r^\top S^{-1} r,\quad S = (\tfrac1\beta+\tfrac1{\gamma_o})1"
        r"+\tfrac{c^2}{\gamma_h}AA^\top,\quad r = y - cA\sigma(Wx)"
    ),
    assumptions=MEANING,
    steps=[
        Step(at(derivative(F, h), **REST), 0, "the hidden activities rest at σ + (c/γ_h)AᵀS⁻¹r",
             latex=r"\left.\partial F/\partial h\right|_* = 0"),
        Step(at(derivative(F, o), **REST), 0, "the output rests where its residual is S⁻¹r/β",
             latex=r"\left.\partial F/\partial o\right|_* = 0"),
        Step(at(F, **REST), r @ inv(S) @ r / 2, "the energy at rest",
             latex=r"F^* = \tfrac12 r^\top S^{-1} r"),
        Step(at(derivative(E, A), **REST), -c * outer(pull, REST["h"]),
             "the rule of the output weights: S⁻¹r times the relaxed activity",
             latex=r"\left.\partial E/\partial A\right|_* = -c\,S^{-1}r\,h^{*\top}"),
        Step(at(derivative(E, W), **REST), -c * outer(slope * (A.T @ pull), x),
             "the rule of the input weights: S⁻¹r sent back through A and σ'",
             latex=r"\left.\partial E/\partial W\right|_* = "
                   r"-c\,(\sigma'\odot A^\top S^{-1}r)\,x^\top"),
    ],
    breaks_when=[
        "β < 0 beyond −1/(1/γ_o + largest eigenvalue of (c²/γ_h)AAᵀ): the rest point is a saddle",
        "β → 0: E* vanishes, and E*/β tends to the plain squared error",
    ],
    refute=[
        Step(at(F, **REST), r @ r / 2, "the plain squared error"),
        Step(at(F, **REST), r @ inv(S - eye(k) / go) @ r / 2, "the output's own variance left out"),
        Step(at(derivative(E, W), **REST), -c * outer(A.T @ pull, x), "the slope σ' dropped"),
        Step(at(derivative(E, A), **REST), -c * outer(pull, sigma),
             "the activity of the forward pass in place of the relaxed one"),
    ],
)  # fmt: skip

# --- one linear output in mean-field units: f = (1/N)Σ a_i w_i·x, E xxᵀ = 1, y = v·x --------------
N, gamma, Q, C, B = (scalar(name) for name in ("N", "gamma", "Q", "C", "B"))
share, eps, kappa = scalar("S"), scalar("epsilon"), scalar("kappa")
a, b = var("a", n), var("b", n)
v, u, s, gap = var("v", d), var("u", d), var("s", d), var("r", d)
P = var("P", d, d, symmetric=True)
ratio = 1 + (a @ a) / (N * gamma)
miss = W.T @ a / N - v
_moments = [
    let(u, W.T @ a / N), let(Q, (a @ a) / N), let(P, W.T @ W / N), let(gap, W.T @ a / N - v),
    let(share, ratio), let(C, (a @ b) / N), let(s, W.T @ b / N), let(B, (b @ b) / N),
]  # fmt: skip
LOSS = miss.sq() / 2
RELAXED = LOSS / ratio
_da, _dw = -N * derivative(LOSS, a), -N * derivative(LOSS, W)
_pa, _pw = -N * derivative(RELAXED, a), -N * derivative(RELAXED, W)
_fw = -outer(b, miss)  # the error comes back through b


def _rates(da: Expr, dw: Expr) -> tuple[Expr, Expr, Expr]:
    """u', Q' and P' of particles that move at these velocities."""
    return (dw.T @ a + W.T @ da) / N, 2 * (a @ da) / N, (dw.T @ W + W.T @ dw) / N


def _both(p: Expr, q: Expr) -> Expr:
    return outer(p, q) + outer(q, p)


_bp, _pc, _fa = _rates(_da, _dw), _rates(_pa, _pw), _rates(_da, _fw)
_push = (gap @ gap) / (gamma * share * share)

FLOWS = Claim(
    "E7-flows", "Backprop, predictive coding and feedback alignment close on a few moments",
    statement=(
        r"F_{PC} = \tfrac12|r|^2/S,\ S = 1+Q/\gamma:\quad u' = -\tfrac1S(P+Q)r"
        r" + \tfrac{|r|^2}{\gamma S^2}u,\quad Q' = -\tfrac2S u\cdot r"
        r" + \tfrac{2|r|^2}{\gamma S^2}Q,\quad P' = -\tfrac1S(ru^\top+ur^\top)"
    ),
    assumptions=_moments,
    steps=[
        Step(_da, -(W @ gap), "backprop: a' = −Wr", latex=r"a' = -Wr"),
        Step(_dw, -outer(a, gap), "and w' = −ar", latex=r"W' = -ar^\top"),
        Step(_bp[0], -(P @ gap) - Q * gap, "so the mean map moves by P + Q",
             latex=r"u' = -(P+Q)r"),
        Step(_bp[1], -2 * (u @ gap), "Q moves with it", latex=r"Q' = -2u\cdot r"),
        Step(_bp[2], -_both(gap, u), "and so does P, at every N", latex=r"P' = -(ru^\top+ur^\top)"),
        Step(_pa, -(W @ gap) / share + _push * a,
             "predictive coding pulls a up: more output weight is more to explain away with",
             latex=r"a' = -\tfrac1S Wr + \tfrac{|r|^2}{\gamma S^2}a"),
        Step(_pw, -outer(a, gap) / share, "and divides the rest by S",
             latex=r"W' = -\tfrac1S ar^\top"),
        Step(_pc[0], -(P @ gap + Q * gap) / share + _push * u, "the mean map under PC"),
        Step(_pc[1], -2 * (u @ gap) / share + 2 * _push * Q, "Q under PC"),
        Step(_pc[2], -_both(gap, u) / share, "P under PC"),
        Step(_fa[0], -(P @ gap) - C * gap, "feedback alignment: C = ∫ab stands for Q",
             latex=r"u' = -(P+C)r"),
        Step((b @ _da) / N, -(s @ gap), "C moves with s = ∫bw", latex=r"C' = -s\cdot r"),
        Step(_fw.T @ b / N, -B * gap, "and s with the error alone", latex=r"s' = -Br"),
        Step(_fa[2], -_both(gap, s), "so that the flow closes at every N",
             latex=r"P' = -(rs^\top+sr^\top)"),
    ],
    breaks_when=[
        "inputs that are not white: the covariance enters every rate",
        "nonlinear neurons: more moments, as a rule infinitely many",
    ],
    refute=[
        Step(_pc[0], -(P @ gap + Q * gap) / share, "PC as backprop divided by S, without the pull"),
        Step(_pc[1], -2 * (u @ gap) / share + _push * Q, "half the pull on Q"),
        Step(_fa[0], -(P @ gap) - Q * gap, "feedback alignment as backprop"),
        Step(_fa[2], -_both(gap, u), "P under feedback alignment as under backprop"),
    ],
)  # fmt: skip

# --- orders: β → 0 and N → ∞ --------------------------------------------------------------------
_minus = inv(eye(k) - beta * kappa * eye(k))
_plus = inv(eye(k) + beta * kappa * eye(k))
_wide = inv(eye(k) + eps * kappa * eye(k))

ORDERS = Claim(
    "E7-orders", "EP is backprop to order 1 or 2 in β, PC to order 1 in 1/N",
    statement=(
        r"\tfrac1\beta S_\beta^{-1}r = r - \beta\kappa r + O(\beta^2),\quad "
        r"\tfrac1{2\beta}(S_\beta^{-1} - S_{-\beta}^{-1})r = r + O(\beta^2),\quad "
        r"\kappa = \tfrac1{\gamma_o}+\tfrac{Q}{N\gamma_h}"
    ),
    steps=[
        Series(_plus @ r, r - beta * kappa * r, "one nudge: S_β = 1/β + κ, an error of order 1",
               beta=beta, order=1),
        Series((_plus @ r + _minus @ r) / 2, r, "two opposite nudges: no error of order 1",
               beta=beta, order=1),
        Series((_plus @ r + _minus @ r) / 2, r + (beta * kappa) ** 2 * r, "but one of order 2",
               beta=beta, order=2),
        Series(_wide @ r, r - eps * kappa * r,
               "PC at fixed precisions: S = 1 + κ/N with κ = γ_oQ/γ_h, so the gap is O(1/N)",
               beta=eps, order=1),
    ],
    breaks_when=[
        "γ = Nγ_h/γ_o kept: κ grows with N and the gap stays",
        "βκ ≥ 1: the phase at −β has no rest point",
    ],
    refute=[
        Series(_plus @ r, r, "one nudge exact to order 1", beta=beta, order=1),
        Series((_plus @ r + _minus @ r) / 2, r, "two nudges exact to order 2", beta=beta, order=2),
        Series(_wide @ r, r, "no gap at finite N", beta=eps, order=1),
    ],
)  # fmt: skip

# --- the quadratic net of E5 --------------------------------------------------------------------
M, Mstar, G = (var(name, d, d, symmetric=True) for name in ("M", "Mstar", "G"))
_D = W.T @ W / N - Mstar
# E (xᵀDx)² = tr(D)² + 2 tr(D²) for x ~ N(0, 1), by Isserlis (1918)
GAUSS = (einsum("ii->", _D) * einsum("ii->", _D) + 2 * einsum("ij,ji->", _D, _D)) / 2
_grow = -N * derivative(GAUSS, W)

QUADRATIC = Claim(
    "E5-quadratic", "The quadratic net closes on its matrix M = ∫wwᵀ",
    statement=r"M' = -2(GM+MG),\quad G = \operatorname{tr}(D)1+2D,\quad D = M-M^*",
    assumptions=[
        let(M, W.T @ W / N), let(G, einsum("ii->", _D) * eye(d) + 2 * _D),
    ],
    steps=[
        Step(_grow, -2 * (W @ G), "every neuron is multiplied by the same matrix",
             latex=r"w' = -2Gw"),
        Step((_grow.T @ W + W.T @ _grow) / N, -2 * (G @ M + M @ G),
             "so the flow closes, at every N", latex=r"M' = -2(GM+MG)"),
    ],
    breaks_when=["inputs that are not Gaussian: fourth moments differ, and G with them"],
    refute=[
        Step(_grow, -2 * (W @ (G - einsum("ii->", _D) * eye(d))), "the trace left out"),
        Step((_grow.T @ W + W.T @ _grow) / N, -4 * (G @ M), "G and M taken to commute"),
    ],
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (ELIMINATED, FLOWS, ORDERS, QUADRATIC)
