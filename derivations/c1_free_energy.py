"""C1. The predictive-coding energy is −log p(z, y); its free energy adds ½ log det H.

In words: the energy with its log-determinants is minus the log of the joint density, so its
minimum is the MAP.  The Gaussian variational bound on −log p(y) is minimal at the MAP with
covariance H⁻¹, and there equals E* + ½ log det H up to a constant: the Laplace free energy,
exact when the chain is linear.  Its gradients are the local rules averaged over the posterior;
leaving the covariance out lets a hidden precision grow without bound.

Source: Friston (2005), Phil. Trans. R. Soc. B 360, 815; Bogacz (2017), J. Math. Psych. 76, 198;
Bishop (2006), Pattern Recognition and Machine Learning, chapters 2 and 10.
What breaks it: a nonlinear chain (the Laplace value is then an approximation), H not positive
definite.
"""

import sympy

from unified.energies import Energy
from unified.symbolic import (
    Claim,
    Expr,
    Series,
    Step,
    axes,
    derivative,
    einsum,
    inv,
    let,
    log,
    logdet,
    ones,
    outer,
    scalar,
    substitute,
    symmetric,
    var,
)  # fmt: skip

n, m = axes("n m")
z, mu, y, mean = var("z", n), var("mu", n), var("y", m), var("m_q", n)
W, P1, P2 = var("W", m, n), var("P1", n, n, symmetric=True), var("P2", m, m, symmetric=True)
Sig, H = var("Sigma", n, n, symmetric=True), var("H", n, n, symmetric=True)
g, c = var("g", n), scalar("c")
S, r, best, K = var("S", m, m), var("r", m), var("z_star", n), var("H_star", n, n)
e1, e2 = var("eps1", n), var("eps2", m)
p, q, t, d = (scalar(a) for a in ("p", "q", "t", "d"))
N, M = ones(n).sum(), ones(m).sum()
LOG_2PI = sympy.log(2 * sympy.pi)


def tr(a: Expr) -> Expr:
    """tr a."""
    return einsum("ii->", a)


def minus_log_normal(x: Expr, at: Expr, cov: Expr, size: Expr) -> Expr:
    """−log N(x; at, cov)."""
    off = x - at
    return off @ inv(cov) @ off / 2 + logdet(cov) / 2 + size * LOG_2PI / 2


ENERGY = Energy(
    (z - mu) @ P1 @ (z - mu) / 2 + (y - W @ z) @ P2 @ (y - W @ z) / 2
    - logdet(P1) / 2 - logdet(P2) / 2,
    states=[z], params=[W, P1, P2, mu], inputs=[y], name="two_layers",
)  # fmt: skip
E = ENERGY.expr

# --- the bound, for any quadratic energy ---------------------------------------------------------
well = z @ H @ z / 2 - g @ z + c
mean_well = tr(H @ (outer(mean, mean) + Sig)) / 2 - g @ mean + c  # <z> = m, <zzᵀ> = mmᵀ + Σ
entropy = logdet(Sig) / 2 + N * (1 + LOG_2PI) / 2
bound = mean_well - entropy
well_at = substitute(well, {z: mean})
floor = substitute(well, {z: inv(H) @ g}) + logdet(H) / 2 - N * LOG_2PI / 2

# --- the chain: everything at the MAP written out ------------------------------------------------
hess = P1 + W.T @ P2 @ W
map_ = inv(hess) @ (P1 @ mu + W.T @ P2 @ y)
FREE = substitute(E, {z: map_}) + logdet(hess) / 2
chain = [
    let(best, map_), let(K, hess), let(S, inv(P2) + W @ inv(P1) @ W.T), let(r, y - W @ mu),
    let(e1, best - mu), let(e2, y - W @ best),
]  # fmt: skip
cov = inv(K)

# --- one hidden unit: what the MAP does to its precision -----------------------------------------
hidden = d * d / (2 * (1 / p + 1 / q)) - log(p) / 2
full = d * d / (2 * (1 / p + 1 / q)) + log(1 / p + 1 / q) / 2
slow = substitute(p * derivative(hidden, p), {p: 1 / t})
SLOPE = (t * (d * q / (1 + q * t)) ** 2 - 1) / 2

CLAIM = Claim(
    "C1",
    "Free energy of predictive coding from the Gaussian variational bound",
    statement=(
        "−log p(z, y) = E + const. For q = N(m, Σ) the bound ⟨E⟩_q − entropy is minimal at "
        "m = z*, Σ = H⁻¹, with value E(z*) + ½ log det H + const = −log p(y) for a linear chain. "
        "∂/∂P_l = ½(ε_lε_lᵀ + Cov ε_l − P_l⁻¹), ∂/∂W = −P_2⟨ε_2 zᵀ⟩."
    ),
    assumptions=[symmetric(Sig)],
    breaks_when=[
        "f nonlinear: E(z*) + ½ log det H is then Laplace's approximation, with error of the "
        "order of the third and fourth derivatives of E",
        "H(z*) not positive definite: the bound has no minimum there",
        "Cov ε left out of a hidden precision's gradient: the precision diverges",
    ],
    steps=[
        Step(minus_log_normal(z, mu, inv(P1), N) + minus_log_normal(y, W @ z, inv(P2), M),
             E + (N + M) * LOG_2PI / 2,
             "−log p(z, y) is the energy up to a constant: its minimum is the MAP"),
        Step(mean_well, well_at + tr(H @ Sig) / 2,
             "the mean of a quadratic energy under q: its value at the mean plus ½ tr HΣ"),
        Step(derivative(bound, mean), H @ mean - g,
             "the bound is stationary in m where the force vanishes: the MAP"),
        Step(derivative(bound, Sig), (H - inv(Sig)) / 2,
             "the bound is stationary in Σ at Σ = H⁻¹"),
        Step(substitute(bound, {mean: inv(H) @ g}), floor,
             "its value there is E* + ½ log det H − (n/2) log 2π", assume=[let(Sig, inv(H))]),
        Step(bound - floor,
             (mean - inv(H) @ g) @ H @ (mean - inv(H) @ g) / 2
             + (tr(H @ Sig) - N - logdet(H @ Sig)) / 2,
             "and what lies above it is KL(q | posterior): two terms ≥ 0, as t − 1 − log t ≥ 0 "
             "for every eigenvalue t of HΣ"),
        Step(FREE, r @ inv(S) @ r / 2 + logdet(S) / 2,
             "linear chain: E* + ½ log det H is −log N(y; Wμ, S) up to (m/2) log 2π", assume=chain,
             latex=r"E(z^*) + \tfrac12 \log\det H = \tfrac12 r^\top S^{-1} r "
                   r"+ \tfrac12 \log\det S"),
        Step(derivative(FREE, P1), (outer(e1, e1) + cov - inv(P1)) / 2,
             "hidden precision: error outer product plus posterior covariance", assume=chain,
             latex=r"\frac{d}{dP_1}\left(E^* + \tfrac12\log\det H\right) = \tfrac12\left("
                   r"\varepsilon_1\varepsilon_1^\top + H^{-1} - P_1^{-1}\right)"),
        Step(derivative(FREE, P2), (outer(e2, e2) + W @ cov @ W.T - inv(P2)) / 2,
             "output precision: Cov ε_2 = W H⁻¹ Wᵀ", assume=chain,
             latex=r"\frac{d}{dP_2}\left(E^* + \tfrac12\log\det H\right) = \tfrac12\left("
                   r"\varepsilon_2\varepsilon_2^\top + W H^{-1} W^\top - P_2^{-1}\right)"),
        Step(derivative(FREE, W), -(P2 @ (outer(e2, best) - W @ cov)),
             "weights: the local rule averaged over the posterior, ⟨ε_2 zᵀ⟩ = ε_2 z*ᵀ − W H⁻¹",
             assume=chain,
             latex=r"\frac{d}{dW}\left(E^* + \tfrac12\log\det H\right) = -P_2\left("
                   r"\varepsilon_2 z^{*\top} - W H^{-1}\right)"),
        Step(slow, SLOPE, "one hidden unit, d = y − μ, precisions p (hidden) and q (output), "
             "at the MAP: p·dE*/dp with t = 1/p"),
        Series(SLOPE, (t * (d * q) ** 2 - 1) / 2,
               "without Cov ε, p·dE*/dp → −½ as p → ∞ (t = 1/p): E* falls like −½ log p for ever",
               beta=t, order=1),
        Step(derivative(full, p),
             ((d / (1 + p / q)) ** 2 + 1 / (p + q) - 1 / p) / 2,
             "with Cov ε = 1/(p + q) and ε = d/(1 + p/q) the slope of the free energy"),
        Step(derivative(full, p), (d * d - 1 / p - 1 / q) / (2 * p * p * (1 / p + 1 / q) ** 2),
             "which vanishes at 1/p + 1/q = d²: a finite precision wherever d² > 1/q"),
    ],
    refute=[
        Step(derivative(FREE, P1), (outer(e1, e1) - inv(P1)) / 2,
             "hidden precision without Cov ε", assume=chain),
        Step(FREE, r @ inv(S) @ r / 2, "evidence without its log-determinant", assume=chain),
        Step(FREE - logdet(hess) / 2, r @ inv(S) @ r / 2 + logdet(S) / 2,
             "the energy at the MAP is not yet −log p(y)", assume=chain),
        Step(derivative(bound, Sig), (H + inv(Sig)) / 2, "entropy with the wrong sign"),
        Step(derivative(FREE, W), -(P2 @ outer(e2, best)), "weights at the MAP only",
             assume=chain),
    ],
)  # fmt: skip
