"""Learning at a temperature: fluctuations in the place of a nudge, and Boltzmann learning.

With the law p ∝ exp(−F/T) the free energy Φ = −T log Σ exp(−F/T) plays the part of V:
∂Φ/∂β = ⟨C⟩, ∂Φ/∂θ = ⟨∂F/∂θ⟩, so d⟨C⟩_0/dθ = ∂_β⟨∂F/∂θ⟩_β = −Cov_0(∂E/∂θ, C)/T + ⟨∂C/∂θ⟩: a
gradient without a nudge.  At finite β the contrast is the gradient of −T log(Z_β/Z_0), which at
β = T = 1 is the negative log evidence (Fisher's identity).
Reference: Callen & Welton (1951), Phys. Rev. 83, 34; Ackley, Hinton & Sejnowski (1985), Cognitive
Science 9, 147; Massar & Mognetti (2025) on thermal equilibrium propagation.
It breaks if the noise does not sample the Gibbs law (a metric that is not positive definite, a
missing Itô drift).  States are a sum over symbolically many microstates; an integral is its limit.
"""

from __future__ import annotations

import sympy

from unified.symbolic import (
    Axis,
    Claim,
    Expr,
    Step,
    derivative,
    exp,
    log,
    logsumexp,
    scalar,
    softmax,
    substitute,
    var,
)  # fmt: skip

_half = sympy.Rational(1, 2)
k = Axis("k")  # the microstates
e, dE, cost, dC = var("E", k), var("dE", k), var("C", k), var("dC", k)
theta, beta, T = scalar("theta"), scalar("beta"), scalar("T")
E, C = e + theta * dE, cost + theta * dC  # to first order in a parameter, at any of its values
F = E + beta * C
PHI = -T * logsumexp(-F / T)
p = softmax(-F / T)


def mean(x: Expr) -> Expr:
    """⟨x⟩_β."""
    return p @ x


def covariance(x: Expr, y: Expr) -> Expr:
    """⟨xy⟩ − ⟨x⟩⟨y⟩."""
    return mean(x * y) - mean(x) * mean(y)


_free = {beta: 0 * beta}
_p0 = substitute(p, _free)
_spread = C - mean(C)
_dF = dE + beta * dC

FLUCTUATION = Claim(
    "B7", "fluctuation–dissipation: the gradient of ⟨C⟩ without a nudge",
    statement=r"\frac{d\langle C\rangle_0}{d\theta} = \partial_\beta\Bigl\langle\frac{\partial F}"
    r"{\partial\theta}\Bigr\rangle_\beta = -\frac1T\mathrm{Cov}_0\Bigl(\frac{\partial E}"
    r"{\partial\theta},C\Bigr)+\Bigl\langle\frac{\partial C}{\partial\theta}\Bigr\rangle_0",
    steps=[
        Step(derivative(PHI, beta), mean(C), "Φ' = ⟨C⟩: the envelope theorem with noise",
            latex=r"\frac{\partial\Phi}{\partial\beta} = \langle C\rangle_\beta",
        ),
        Step(derivative(PHI, theta), mean(_dF), "and by θ it is the mean of the local quantity",
            latex=r"\frac{\partial\Phi}{\partial\theta} = \Bigl\langle\frac{\partial "
            r"F}{\partial\theta}\Bigr\rangle_\beta",
        ),
        Step(
            derivative(mean(C), theta), derivative(mean(_dF), beta),
            "mixed derivatives of Φ: the gradient of the cost is the response to the nudge",
            latex=r"\frac{\partial}{\partial\theta}\langle C\rangle_\beta = "
            r"\frac{\partial}{\partial\beta}\Bigl\langle\frac{\partial "
            r"F}{\partial\theta}\Bigr\rangle_\beta",
        ),
        Step(
            derivative(mean(C), theta), -covariance(_dF, C) / T + mean(dC),
            "written out: a covariance, at every β; at β = 0 no nudge is needed",
            latex=r"\frac{\partial}{\partial\theta}\langle C\rangle_\beta = "
            r"-\frac1T\mathrm{Cov}_\beta\Bigl(\frac{\partial "
            r"F}{\partial\theta},C\Bigr)+\Bigl\langle\frac{\partial "
            r"C}{\partial\theta}\Bigr\rangle_\beta",
        ),
        Step(
            derivative(derivative(PHI, beta), beta), -covariance(C, C) / T,
            "the same for the cost itself: Φ'' = −Var(C)/T",
            latex=r"\frac{\partial^2\Phi}{\partial\beta^2} = -\frac1T\mathrm{Var}_\beta(C)",
        ),
        Step(
            covariance(C, C), (p**_half * _spread).sq(),
            "a sum of squares, so Φ is concave and L_β ≤ ⟨C⟩_0 ≤ L_{−β}",
            latex=r"\mathrm{Var}_\beta(C) = \sum_s\bigl(\sqrt{p_s}\,(C_s-\langle "
            r"C\rangle)\bigr)^2",
        ),
    ],
    breaks_when=["T = 0 (B1 takes over)", "samples not from the Gibbs law of F",
                 "Z diverges at −β: no negative nudge then"],
    refute=[
        Step(derivative(mean(C), theta), covariance(_dF, C) / T + mean(dC), "sign",
            latex=r"\frac{\partial}{\partial\theta}\langle C\rangle_\beta \neq "
            r"+\frac1T\mathrm{Cov}_\beta\Bigl(\frac{\partial "
            r"F}{\partial\theta},C\Bigr)+\Bigl\langle\frac{\partial "
            r"C}{\partial\theta}\Bigr\rangle_\beta",
        ),
        Step(derivative(mean(C), theta), -covariance(_dF, C) / T, "∂C/∂θ dropped",
            latex=r"\frac{\partial}{\partial\theta}\langle C\rangle_\beta \neq "
            r"-\frac1T\mathrm{Cov}_\beta\Bigl(\frac{\partial F}{\partial\theta},C\Bigr)",
        ),
        Step(derivative(mean(C), theta), -mean(_dF * C) / T + mean(dC), "product of means dropped",
            latex=r"\frac{\partial}{\partial\theta}\langle C\rangle_\beta \neq "
            r"-\frac1T\Bigl\langle\frac{\partial "
            r"F}{\partial\theta}C\Bigr\rangle_\beta+\Bigl\langle\frac{\partial "
            r"C}{\partial\theta}\Bigr\rangle_\beta",
        ),
        Step(derivative(mean(C), theta), -covariance(_dF, C) + mean(dC), "1/T dropped",
            latex=r"\frac{\partial}{\partial\theta}\langle C\rangle_\beta \neq "
            r"-\mathrm{Cov}_\beta\Bigl(\frac{\partial "
            r"F}{\partial\theta},C\Bigr)+\Bigl\langle\frac{\partial "
            r"C}{\partial\theta}\Bigr\rangle_\beta",
        ),
    ],
    source="Callen & Welton (1951), Phys. Rev. 83, 34; Kubo (1966), Rep. Prog. Phys. 29, 255",
)  # fmt: skip

_PHI0, _MEAN0 = substitute(PHI, _free), _p0 @ dE
_prior = exp(-E) / exp(-E).sum()
_posterior = exp(-E) * exp(-C) / (exp(-E) * exp(-C)).sum()
EVIDENCE = _prior @ exp(-C)
DIVERGENCE = (_p0 * (log(_p0) - log(p))).sum()

FISHER = Claim(
    "B7-Fisher", "the finite-β contrast is the gradient of a log evidence",
    statement=r"\langle\partial_\theta F\rangle_\beta-\langle\partial_\theta F\rangle_0 = "
    r"-T\,\partial_\theta\log\frac{Z_\beta}{Z_0}\ \overset{\beta=T=1}=\ -\partial_\theta\log "
    r"\sum_s p_0(s)e^{-C(s)}",
    steps=[
        Step(
            derivative(PHI - _PHI0, theta), mean(_dF) - _MEAN0,
            "Φ(β) − Φ(0) = −T log(Z_β/Z_0), differentiated by θ",
            latex=r"\frac{\partial}{\partial\theta}\bigl(\Phi(\beta)-\Phi(0)\bigr) = "
            r"\Bigl\langle\frac{\partial "
            r"F}{\partial\theta}\Bigr\rangle_\beta-\Bigl\langle\frac{\partial "
            r"E}{\partial\theta}\Bigr\rangle_0",
        ),
        Step(
            exp(-(E + C)).sum() / exp(-E).sum(), EVIDENCE,
            "at β = T = 1 the ratio is Σ p_0 e^{−C}, the evidence if e^{−C} is a likelihood",
        ),
        Step(
            -derivative(log(EVIDENCE), theta), _posterior @ (dE + dC) - _prior @ dE,
            "Fisher's identity: posterior mean minus prior mean of the local quantity",
            latex=r"-\frac{\partial}{\partial\theta}\log\sum_sp_0(s)e^{-C(s)} = "
            r"\Bigl\langle\frac{\partial(E+C)}{\partial\theta}\Bigr\rangle_{\rm "
            r"posterior}-\Bigl\langle\frac{\partial E}{\partial\theta}\Bigr\rangle_{\rm "
            r"prior}",
        ),
        Step(
            _posterior, exp(-(E + C)) / exp(-(E + C)).sum(),
            "the posterior being the Gibbs law of the nudged phase: Bayes' rule",
        ),
        Step(
            PHI - _PHI0, beta * (_p0 @ C) - T * DIVERGENCE,
            "the bound with its gap: ⟨C⟩_0 − L_β = (T/β) KL(p_0‖p_β) ≥ 0 for β > 0; for β < 0 "
            "the sign turns",
            latex=r"\Phi(\beta)-\Phi(0) = \beta\langle C\rangle_0-T\,\mathrm{KL}(p_0\|p_\beta)",
        ),
    ],
    breaks_when=["e^{−C} is not normalised in y by a constant: then not the evidence of y",
                 "β or T ≠ 1: a tempered evidence"],
    refute=[
        Step(derivative(PHI - _PHI0, theta), _MEAN0 - mean(_dF), "phases exchanged",
            latex=r"\frac{\partial}{\partial\theta}\bigl(\Phi(\beta)-\Phi(0)\bigr) \neq "
            r"\Bigl\langle\frac{\partial "
            r"E}{\partial\theta}\Bigr\rangle_0-\Bigl\langle\frac{\partial "
            r"F}{\partial\theta}\Bigr\rangle_\beta",
        ),
        Step(derivative(PHI - _PHI0, theta), mean(_dF), "free phase dropped",
            latex=r"\frac{\partial}{\partial\theta}\bigl(\Phi(\beta)-\Phi(0)\bigr) \neq "
            r"\Bigl\langle\frac{\partial F}{\partial\theta}\Bigr\rangle_\beta",
        ),
        Step(PHI - _PHI0, beta * (_p0 @ C) + T * DIVERGENCE, "sign of the divergence",
            latex=r"\Phi(\beta)-\Phi(0) \neq \beta\langle "
            r"C\rangle_0+T\,\mathrm{KL}(p_0\|p_\beta)",
        ),
        Step(
            PHI - _PHI0, beta * (_p0 @ C) - T * (p * (log(p) - log(_p0))).sum(),
            "the divergence the other way round",
            latex=r"\Phi(\beta)-\Phi(0) \neq \beta\langle "
            r"C\rangle_0-T\,\mathrm{KL}(p_\beta\|p_0)",
        ),
    ],
    source="Ackley, Hinton & Sejnowski (1985); Fisher (1925), Proc. Camb. Phil. Soc. 22, 700",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (FLUCTUATION, FISHER)
