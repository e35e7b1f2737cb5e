"""Flows and phase transitions known in closed form, to check solvers against."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.meanfield.measures import GaussianMeasure


def ornstein_uhlenbeck(A: Any, b: Any, T: float, mu0: GaussianMeasure, t: float,
                       K: Any = 0.0) -> GaussianMeasure:  # fmt: skip
    """The law at time t under ½(x−b)ᵀA(x−b), an interaction ½·½(x−y)ᵀK(x−y), and temperature T.

    Equation: m = b + e^{−tA}(m₀−b); Σ = e^{−tP}Σ₀e^{−tP} + 2T∫₀ᵗe^{−2sP}ds, P = A + K.
    Shapes: A, K (d, d) symmetric or numbers, b (d,) or a number.
    Reference: Risken (1989), 3.2; theory page E4.
    """
    d = mu0.dim
    a, k = (np.asarray(v, float) * (np.eye(d) if np.ndim(v) < 2 else 1.0) for v in (A, K))
    centre = np.broadcast_to(np.asarray(b, float), (d,))

    def decay(p: Any) -> Any:
        values, vectors = np.linalg.eigh(p)
        return (vectors * np.exp(-t * values)) @ vectors.T

    values, vectors = np.linalg.eigh(a + k)
    safe = np.where(values == 0, 1.0, values)
    noise = np.where(values == 0, 2 * t, -np.expm1(-2 * t * safe) / safe)
    spread = decay(a + k) @ mu0.sigma @ decay(a + k) + T * (vectors * noise) @ vectors.T
    return GaussianMeasure(centre + decay(a) @ (mu0.m - centre), spread)


def relative_entropy(mu: GaussianMeasure, nu: GaussianMeasure) -> float:
    """KL(μ|ν) of Gaussians; under a λ-convex potential at T it decays at least as e^{−2λt}.

    Reference: Bakry & Émery (1985), for the log-Sobolev inequality behind the decay.
    """
    inner = np.linalg.solve(nu.sigma, mu.sigma)
    away = nu.m - mu.m
    logs = np.linalg.slogdet(nu.sigma)[1] - np.linalg.slogdet(mu.sigma)[1]
    found = np.trace(inner) - mu.dim + away @ np.linalg.solve(nu.sigma, away) + logs
    return float(found) / 2


def barenblatt(x: Any, t: float, m: float, dim: int = 1) -> Any:
    """The source solution of ∂_tρ = Δρᵐ, of mass 1, at points (K,) for d = 1 or (K, d).

    Equation: ρ = t^{−α}(C − κ|x|²t^{−2α/d})₊^{1/(m−1)}, α = d/(d(m−1)+2), κ = α(m−1)/(2md).
    Raises: InputError unless m > 1 and t > 0. Reference: Barenblatt (1952); Vázquez (2007), 17.5.
    """
    if not (m > 1 and t > 0):
        raise bad_input("m, t", "m > 1 and t > 0", f"{m:g}, {t:g}", "choose others")
    alpha = dim / (dim * (m - 1) + 2)
    kappa = alpha * (m - 1) / (2 * m * dim)
    power = 1 / (m - 1)
    # Mass of (C − κ|x|²)₊^p: C^{p + d/2} κ^{−d/2} π^{d/2} Γ(p+1)/Γ(p+1+d/2).
    unit = kappa ** (-dim / 2) * math.pi ** (dim / 2) * math.gamma(power + 1)
    unit /= math.gamma(power + 1 + dim / 2)
    height = unit ** (-1 / (power + dim / 2))
    points = np.asarray(x, float)
    square = points**2 if points.ndim == 1 else np.sum(points**2, axis=1)
    core = np.maximum(height - kappa * square * t ** (-2 * alpha / dim), 0.0)
    return t**-alpha * core**power


def mckean_vlasov_variance(a: float, k: float, T: float, count: int) -> float:
    """The stationary variance of one of N particles, dx = −ax − k(x − mean x) + √(2T)dW.

    Equation: T/(a+k)·(1−1/N) + T/(aN): N − 1 modes at rate a + k, their mean at rate a.
    Reference: theory page E4.
    """
    return T / (a + k) * (1 - 1 / count) + T / (a * count)


def euler_maruyama(A: Any, h: float, T: float, sigma: Any) -> Any:
    """The covariance after one Euler–Maruyama step on ½xᵀAx, without time-step error.

    Equation: Σ⁺ = (I−hA)Σ(I−hA) + 2hT·I. Shapes: A, Σ (d, d). Reference: theory page E3.
    """
    step = np.eye(len(A)) - h * np.asarray(A)
    return step @ sigma @ step + 2 * h * T * np.eye(len(A))


def euler_maruyama_stationary(A: Any, h: float, T: float) -> Any:
    """The stationary covariance of Euler–Maruyama, T·A⁻¹(I − hA/2)⁻¹. Shapes: (d, d)."""
    a = np.asarray(A, float)
    return T * np.linalg.inv(a @ (np.eye(len(a)) - h * a / 2))


def desai_zwanzig_susceptibility(k: float, T: float) -> float:
    """k⟨x²⟩/T in the symmetric state of V = x⁴/4 − x²/2 with attraction k; critical at 1.

    Equation: ⟨·⟩ under exp(−(V + kx²/2)/T). Reference: Desai & Zwanzig (1978); Dawson (1983).
    """
    from scipy.integrate import quad

    def weight(x: float) -> float:
        return math.exp(-(x**4 / 4 + (k - 1) * x**2 / 2 - low) / T)

    low = -((1 - k) ** 2) / 4 if k < 1 else 0.0
    square = quad(lambda x: x * x * weight(x), 0, 12, limit=200)[0]
    return k * square / quad(weight, 0, 12, limit=200)[0] / T


def desai_zwanzig_critical(k: float) -> float:
    """The temperature below which V = x⁴/4 − x²/2 with attraction k magnetises.

    Equation: k⟨x²⟩_{m=0} = T. Reference: Dawson (1983), J. Stat. Phys. 31, 29.
    """
    from scipy.optimize import brentq

    return float(brentq(lambda T: desai_zwanzig_susceptibility(k, T) - 1, 1e-2 * k, 20 * k))


def kuramoto_order(K: float, T: float) -> float:
    """The order parameter r of identical noisy rotators, dθ = Kr sin(ψ−θ)dt + √(2T)dW.

    Equation: r = I₁(Kr/T)/I₀(Kr/T), the root above 0 for K > K_c = 2T, else 0.
    Reference: Bertini, Giacomin & Pakdaman (2010), J. Stat. Phys. 138, 270.
    """
    from scipy.optimize import brentq
    from scipy.special import ive

    if K <= 2 * T:
        return 0.0

    def gap(r: float) -> float:
        return float(ive(1, K * r / T) / ive(0, K * r / T)) - r

    low = min(0.5, 0.5 * math.sqrt(max(1 - 2 * T / K, 1e-12)))
    return float(brentq(gap, low, 1.0))


def entropic_transport(mu: GaussianMeasure, nu: GaussianMeasure, epsilon: float) -> float:
    """The entropic transport cost of two Gaussians in one dimension.

    Equation: min over plans of ∫|x−y|²dπ + ε KL(π|μ⊗ν) = (m−n)² + a² + b² − 2c −
    (ε/2)log(1 − c²/a²b²), c = (√(ε² + 16a²b²) − ε)/4 the covariance of the plan.
    Raises: InputError for more than one dimension. Reference: Janati, Muzellec, Peyré & Cuturi
    (2020), NeurIPS 33, 10468.
    """
    if mu.dim != 1 or nu.dim != 1:
        raise bad_input("mu, nu", "Gaussians in 1 d", f"{mu.dim} and {nu.dim} d", "project them")
    a, b = float(mu.sigma[0, 0]), float(nu.sigma[0, 0])
    c = (math.sqrt(epsilon**2 + 16 * a * b) - epsilon) / 4
    away = float((mu.m[0] - nu.m[0]) ** 2)
    return away + a + b - 2 * c - epsilon / 2 * math.log(1 - c * c / (a * b))
