"""One step of a dense associative memory is softmax attention, and it lowers the energy.

E = −(1/κ) log Σ exp(κΞs) + ½|s|² is convex minus convex; the convex–concave step minimises it with
the concave part replaced by its tangent and reads s⁺ = Ξᵀ softmax(κΞs): attention with the state
as query and the patterns as keys and values.  The energy falls by exactly ½|s−s⁺|² + KL/κ.
Reference: Ramsauer et al. (2021), arXiv:2008.02217; Krotov & Hopfield (2016), arXiv:1606.01164;
Yuille & Rangarajan (2003), Neural Computation 15, 915, for the procedure.
It breaks if the step is damped per unit, if keys and values differ, and for κ ≤ 0.
"""

from __future__ import annotations

from unified.symbolic import (
    Axis,
    Claim,
    Step,
    derivative,
    einsum,
    eye,
    let,
    log,
    logsumexp,
    ones,
    outer,
    scalar,
    softmax,
    var,
)  # fmt: skip

n, k, batch = Axis("n"), Axis("k"), Axis("q")  # units, patterns, queries
s, t = var("s", n), var("t", n)
Xi = var("Xi", k, n)
kappa = scalar("kappa")
S = var("S", batch, n)


def energy(v):
    """−(1/κ) logsumexp(κΞv) + ½|v|²."""
    return v.sq() / 2 - logsumexp(kappa * (Xi @ v)) / kappa


def weights(v):
    """How much of each pattern is recalled: softmax(κΞv)."""
    return softmax(kappa * (Xi @ v))


STEP = Xi.T @ weights(s)
ATTENTION = softmax(kappa * (S @ Xi.T)) @ Xi  # queries S, keys and values Ξ

ATTENTION_CLAIM = Claim(
    "A5", "the dense associative memory step is softmax attention",
    statement=r"s^+ = \Xi^\top\mathrm{softmax}(\kappa\,\Xi s)",
    steps=[
        Step(
            derivative(energy(s), s), s - Xi.T @ weights(s),
            "the gradient: the convex part gives s, the concave part the recalled pattern",
        ),
        Step(
            derivative(t.sq() / 2 - logsumexp(kappa * (Xi @ s)) / kappa
                       - (Xi.T @ weights(s)) @ (t - s), t),
            t - STEP,
            "convex–concave step: the concave part replaced by its tangent at s, minimised at s⁺",
        ),
        Step(
            ATTENTION, outer(ones(batch), STEP),
            "every row of softmax(κSΞᵀ)Ξ, attention with 1/√d in κ, is that step of its query",
            assume=[let(S, outer(ones(batch), s))],
        ),
        Step(
            derivative(energy(s), Xi), -outer(weights(s), s),
            "the local rule is Hebbian: recalled weight times state",
        ),
        Step(
            derivative(derivative(energy(s), s), s),
            eye(n) - kappa * (
                einsum("ki,k,kj->ij", Xi, weights(s), Xi) - outer(STEP, STEP)
            ),
            "the Hessian is 1 − κ times the covariance of the patterns under the recall weights",
            latex=r"\frac{\partial^2E}{\partial s^2} = 1-\kappa\bigl(\Xi^\top"
            r"\operatorname{diag}(p)\Xi-s^+s^{+\top}\bigr),\quad p=\mathrm{softmax}(\kappa\Xi s)",
        ),
    ],
    breaks_when=[
        "κ ≤ 0: the log-sum-exp part is no longer concave in E",
        "keys and values differ: attention then has no energy",
        "a damped or per-unit step: still a descent direction, no longer attention",
    ],
    refute=[
        Step(derivative(energy(s), s), s + Xi.T @ weights(s), "sign of the recalled pattern"),
        Step(
            derivative(energy(s), s), s - kappa * (Xi.T @ weights(s)),
            "the inverse temperature left in front",
        ),
        Step(derivative(energy(s), s), s - Xi.T @ softmax(Xi @ s), "κ dropped in the softmax"),
        Step(
            derivative(derivative(energy(s), s), s),
            eye(n) - kappa * einsum("ki,k,kj->ij", Xi, weights(s), Xi), "the mean dropped",
        ),
    ],
    source="Ramsauer et al. (2021), arXiv:2008.02217",
)  # fmt: skip

p, p_next = var("p", k), var("p_next", k)
_named = [let(p, weights(s)), let(p_next, weights(t)), let(t, STEP)]
DIVERGENCE = (p * (log(p) - log(p_next))).sum()

DESCENT_CLAIM = Claim(
    "A5-descent", "the step lowers the energy by a square and a divergence",
    statement=r"E(s)-E(s^+) = \tfrac12|s-s^+|^2+\tfrac1\kappa\mathrm{KL}(p\|p^+) \ge 0,\quad "
    r"p = \mathrm{softmax}(\kappa\Xi s)",
    steps=[
        Step(
            log(weights(s)), kappa * (Xi @ s) - logsumexp(kappa * (Xi @ s)),
            "the logarithm of a softmax",
        ),
        Step(
            DIVERGENCE,
            logsumexp(kappa * (Xi @ t)) - logsumexp(kappa * (Xi @ s))
            - kappa * (p @ Xi @ (t - s)),
            "the divergence is how far logsumexp rises above its tangent", assume=_named[:2],
        ),
        Step(p @ Xi, t, "and that tangent has the slope s⁺", assume=_named),
        Step(
            energy(s) - energy(t), (s - t).sq() / 2 + DIVERGENCE / kappa,
            "put together: ½|s|² − ½|s⁺|² + s⁺·(s⁺−s) is ½|s−s⁺|²", assume=_named,
        ),
    ],
    breaks_when=["κ ≤ 0", "the step is not the full step s⁺ = Ξᵀp"],
    refute=[
        Step(
            energy(s) - energy(t), (s - t).sq() / 2 - DIVERGENCE / kappa, "sign", assume=_named,
        ),
        Step(energy(s) - energy(t), (s - t).sq() / 2, "divergence dropped", assume=_named),
        Step(
            energy(s) - energy(t),
            (s - t).sq() / 2 + (p_next * (log(p_next) - log(p))).sum() / kappa,
            "the divergence the other way round", assume=_named,
        ),
    ],
    source="Yuille & Rangarajan (2003); the exact gap is derived here",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (ATTENTION_CLAIM, DESCENT_CLAIM)
