"""One step of the Kalman filter is linear predictive coding with the past state left free.

The energy of a step has three errors: the past state against its prior N(m, P), the new state
against A times the past one, the observation against C times the new one.  Minimised over both
states it gives the Kalman mean, and the Schur complement of its Hessian the Kalman covariance.
With the past frozen at m, as many predictive-coding accounts have it, the process noise Q stands
where P⁻ = APAᵀ + Q belongs: the gain is too small, by nothing only if P = 0.
Reference: Kalman (1960), J. Basic Eng. 82, 35; Millidge et al. (2021), arXiv:2102.10021, for the
frozen version; Rao & Ballard (1997), Neural Computation 9, 721.
It breaks for a nonlinear f (extended filters), and where the past is frozen or has no prior.
"""

from __future__ import annotations

from derivations._chain import named
from unified.energies import linear_gaussian_chain
from unified.symbolic import (
    Axis,
    Claim,
    Step,
    derivative,
    eye,
    inv,
    let,
    logdet,
    substitute,
    symmetric,
    var,
)  # fmt: skip

n, k = Axis("n"), Axis("k")
past, z, m = var("past", n), var("z", n), var("m", n)
y = var("y", k)
A, C = var("A", n, n), var("C", k, n)
P, Q, R = (var(c, a, a) for c, a in (("P", n), ("Q", n), ("R", k)))
ahead, K = var("ahead", n, n), var("K", n, k)  # P⁻ and the gain
pi, q, r = inv(P), inv(Q), inv(R)
_prior, _move, _look = past - m, z - A @ past, y - C @ z
E = (_prior @ pi @ _prior + _move @ q @ _move + _look @ r @ _look) / 2
LAG = inv(pi + A.T @ q @ A) @ (pi @ m + A.T @ q @ z)  # the past state that fits z best
MEAN = A @ m + K @ (y - C @ A @ m)
LATE = inv(pi + A.T @ q @ A) @ (pi @ m + A.T @ q @ MEAN)
SCHUR = q + C.T @ r @ C - q @ A @ inv(pi + A.T @ q @ A) @ A.T @ q
FROZEN = A @ m + Q @ C.T @ inv(C @ Q @ C.T + R) @ (y - C @ A @ m)
_named = [
    let(K, ahead @ C.T @ inv(C @ ahead @ C.T + R)), let(ahead, A @ P @ A.T + Q),
    symmetric(P), symmetric(Q), symmetric(R),
]  # fmt: skip
_profile = substitute(E, {past: LAG})
_gap = z - A @ m

STEP = Claim(
    "C5", "a Kalman step is linear predictive coding with the past state free",
    statement=r"\arg\min_{z}\min_{z_{t-1}}E = Am+K(y-CAm),\quad K = P^-C^\top(CP^-C^\top+R)^{-1},"
    r"\quad P^- = APA^\top+Q,\quad (H/H_{pp})^{-1} = (1-KC)P^-",
    assumptions=_named,
    steps=[
        Step(substitute(derivative(E, past), {past: LAG}), 0,
             "given the new state, the past one rests between its prior and what the new says"),
        Step(
            _profile, (_gap @ inv(ahead) @ _gap + _look @ r @ _look) / 2,
            "eliminating it leaves the predicted law N(Am, APAᵀ + Q): both noises, not Q alone",
            latex=r"\min_{z_{t-1}}E = \tfrac12(z-Am)^\top(P^-)^{-1}(z-Am)"
            r"+\tfrac12(y-Cz)^\top R^{-1}(y-Cz)",
        ),
        Step(substitute(derivative(_profile, z), {z: MEAN}), 0,
             "that energy rests at the Kalman mean: prediction plus gain times innovation",
             latex=r"\partial_z\min_{z_{t-1}}E\,\big|_{z=Am+K(y-CAm)} = 0"),
        Step(substitute(derivative(E, past), {past: LATE, z: MEAN}), 0,
             "so both forces vanish there: for the past state,"),
        Step(substitute(derivative(E, z), {past: LATE, z: MEAN}), 0, "and for the new one"),
        Step(LATE, m + P @ A.T @ inv(ahead) @ (MEAN - A @ m),
             "the past state has moved by the smoother's gain: it is revised, not stored",
             latex=r"z_{t-1}^* = m+PA^\top(P^-)^{-1}(z^*-Am)"),
        Step(inv(SCHUR), (eye(n) - K @ C) @ ahead,
             "the Schur complement of the Hessian is the inverse of the updated covariance"),
        Step(substitute(derivative(substitute(E, {past: m}), z), {z: FROZEN}), 0,
             "with the past frozen at m the same step has the gain of Q alone",
             latex=r"\arg\min_zE\,\big|_{z_{t-1}=m} = Am+QC^\top(CQC^\top+R)^{-1}(y-CAm)"),
    ],
    breaks_when=[
        "the past state frozen at its mean: right only if P = 0",
        "the prior precision of the past dropped: the past then follows the new state for nothing",
        "a nonlinear prediction: the extended Kalman filter is one Gauss–Newton step of it",
    ],
    refute=[
        Step(FROZEN, MEAN, "the past frozen: the gain with Q in place of APAᵀ + Q",
             latex=r"Am+QC^\top(CQC^\top+R)^{-1}(y-CAm) \neq Am+K(y-CAm)"),
        Step(_profile, (_gap @ q @ _gap + _look @ r @ _look) / 2,
             "the past eliminated without widening the law of the new state"),
        Step(inv(q + C.T @ r @ C), (eye(n) - K @ C) @ ahead,
             "the Hessian's own block, past frozen, as the inverse covariance"),
    ],
    source="Kalman (1960), J. Basic Eng. 82, 35; the frozen variant after arXiv:2102.10021",
)  # fmt: skip

# --- the library's own chain of two states is this step, after its first observation ------------
NET = linear_gaussian_chain(2, 2, 1)
z0, z1, y0, y1, m0, A_, C_, P0, P_Q, P_R = named(NET, "z0 z1 y0 y1 m0 A C P0 P_Q P_R")
_seen = P0 + C_.T @ P_R @ C_  # the prior of the step: m0 and P0 updated by y0
_mean = inv(_seen) @ (P0 @ m0 + C_.T @ P_R @ y0)
_first = y0 - C_ @ m0
_e0, _e1, _e2 = z0 - _mean, z1 - A_ @ z0, y1 - C_ @ z1
_evidence = _first @ inv(inv(P_R) + C_ @ inv(P0) @ C_.T) @ _first / 2

CHAIN = Claim(
    "C5-chain", "the state-space energy of the library is a chain of such steps",
    statement=r"E(z_0,z_1) = -\log p(y_0)+\tfrac12\varepsilon_0^\top\Lambda\varepsilon_0"
    r"+\tfrac12\varepsilon_1^\top Q^{-1}\varepsilon_1+\tfrac12\varepsilon_y^\top R^{-1}"
    r"\varepsilon_y+\text{const},\quad \Lambda = P_0+C^\top R^{-1}C",
    assumptions=[symmetric(P0), symmetric(P_Q), symmetric(P_R)],
    steps=[
        Step(
            NET.expr + logdet(P0) / 2 + logdet(P_Q) / 2 + logdet(P_R),
            (_e0 @ _seen @ _e0 + _e1 @ P_Q @ _e1 + _e2 @ P_R @ _e2) / 2 + _evidence,
            "the first observation updates the prior; what remains is one step, and the evidence "
            "of that observation",
        ),
    ],
    breaks_when=["an observation that depends on two states at once"],
    refute=[
        Step(
            NET.expr + logdet(P0) / 2 + logdet(P_Q) / 2 + logdet(P_R),
            (_e0 @ _seen @ _e0 + _e1 @ P_Q @ _e1 + _e2 @ P_R @ _e2) / 2,
            "the evidence of the first observation dropped",
        ),
        Step(
            NET.expr + logdet(P0) / 2 + logdet(P_Q) / 2 + logdet(P_R),
            (_e0 @ P0 @ _e0 + _e1 @ P_Q @ _e1 + _e2 @ P_R @ _e2) / 2 + _evidence,
            "the updated mean with the precision it had before",
        ),
    ],
    source="Rauch, Tung, Striebel (1965), AIAA Journal 3, 1445",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (STEP, CHAIN)
