"""What a phase that has not quite settled does to the gradient, to first order in its residual.

A state whose force is not zero but −ρ is off by H⁻¹ρ, and its rule by ∂²E/∂θ∂s H⁻¹ρ.  A contrast
divides that by the nudge: the smaller β, the better the phases must settle.  The same linear solve
that states the error removes it to second order.
Any smooth F enters as a Taylor polynomial with free coefficients at its rest point, which is moved
to the origin: H and E3 are its second and third derivatives, M and M2 the mixed ones.
Reference: Kantorovich's theorem bounds what is dropped here; Laborieux et al. (2021),
arXiv:2006.03824, for the trade between β and the residual.
It breaks if the residual is not small against λ_min²/|F'''|, and if λ_min(H) ≤ 0.
"""

from __future__ import annotations

from derivations import _jet
from unified.symbolic import (
    Axis,
    Claim,
    Expr,
    Series,
    Step,
    derivative,
    einsum,
    eye,
    inv,
    let,
    orthogonal,
    positive_definite,
    scalar,
    var,
)  # fmt: skip

eps, beta = scalar("epsilon"), scalar("beta")
rho = var("r", _jet.n)  # the residual ∂F/∂s of an unfinished phase, in units of ε
F = _jet.energy()
_FORCE = derivative(F, _jet.s)
_BRANCH = (_jet.s, _FORCE - eps * rho)
_RULE = derivative(F, _jet.theta)
_ERROR = _jet.M @ inv(_jet.H) @ rho
_MIXED = derivative(_RULE, _jet.s)
_REPAIRED = _RULE - _MIXED @ inv(derivative(_FORCE, _jet.s)) @ _FORCE


def _along(lhs: Expr, rhs: Expr, words: str, order: int = 1, latex: str | None = None) -> Series:
    return Series(lhs, rhs, words, latex=latex, beta=eps, order=order, branch=_BRANCH)


n = Axis("n")
r, lam, low = var("r", n), var("lambda_", n), scalar("low")
Q, H = var("Q", n, n), var("H", n, n)
_modes = [let(H, Q @ einsum("ij,i->ij", eye(n), lam) @ Q.T), orthogonal(Q)]
_part = Q.T @ r

p, q = Axis("p"), Axis("q")
up, down = var("up", q), var("down", q)
Mu, Md = var("Mu", p, q), var("Md", p, q)
Hu, Hd = var("Hu", q, q, symmetric=True), var("Hd", q, q, symmetric=True)
g_up, g_down = var("g_up", p), var("g_down", p)
_measured = (g_up + Mu @ inv(Hu) @ up - g_down - Md @ inv(Hd) @ down) / (2 * beta)

CLAIM = Claim(
    "B8", "the gradient error of unconverged phases, to first order",
    statement=r"\Delta g = \frac{1}{2\beta}\bigl[M_+H_+^{-1}\rho_+-M_-H_-^{-1}\rho_-\bigr]"
    r"+O(\rho^2),\quad |\Delta g| \le \frac{\|M\|(|\rho_+|+|\rho_-|)}{2\beta\lambda_{\min}(H)}",
    assumptions=_jet.REST,
    steps=[
        _along(_jet.s, eps * (inv(_jet.H) @ rho),
               "a state whose gradient is ερ instead of 0 is off by εH⁻¹ρ",
               latex=r"s(\varepsilon) = s_*+\varepsilon H^{-1}\rho+O(\varepsilon^2)"),
        _along(_RULE, _jet.E_theta + eps * _ERROR, "so its rule is off by ε∂²E/∂θ∂s H⁻¹ρ",
               latex=r"\frac{\partial F}{\partial\theta}(s(\varepsilon)) = "
               r"\frac{\partial F}{\partial\theta}(s_*)+\varepsilon MH^{-1}\rho+O(\varepsilon^2)"),
        Step(_measured - (g_up - g_down) / (2 * beta),
             (Mu @ inv(Hu) @ up - Md @ inv(Hd) @ down) / (2 * beta),
             "a centered contrast carries both errors, divided by 2β",
             assume=[positive_definite(Hu), positive_definite(Hd)]),
        Step(
            r @ r / low**2 - (inv(H) @ r) @ (inv(H) @ r),
            ((1 / low**2 - lam**-2) * _part * _part).sum(),
            "in the eigenvectors of H: |H⁻¹ρ|² falls short of |ρ|²/λ_min² by a sum of terms that "
            "are not negative, which is the bound", assume=_modes,
            latex=r"\frac{|\rho|^2}{\lambda_{\min}^2}-|H^{-1}\rho|^2 = "
            r"\sum_i\Bigl(\frac1{\lambda_{\min}^2}-\frac1{\lambda_i^2}\Bigr)(q_i^\top\rho)^2 \ge 0",
        ),
        _along(_REPAIRED, _jet.E_theta + 0 * eps * _ERROR,
               "with M and H of the unfinished state, subtracting MH⁻¹ρ leaves no first order",
               latex=r"\frac{\partial F}{\partial\theta}-MH^{-1}\frac{\partial F}{\partial s}"
               r"\,\Big|_{s(\varepsilon)} = \frac{\partial F}{\partial\theta}(s_*)"
               r"+O(\varepsilon^2)"),
    ],
    breaks_when=[
        "|ρ| is not small against λ_min²/|F'''|: the second order is no longer small",
        "β → 0 at a fixed residual: the error grows like 1/β",
        "λ_min(H) ≤ 0: the rest point is no minimum, and the bound says nothing",
    ],
    refute=[
        _along(_RULE, _jet.E_theta - eps * _ERROR, "the sign of the error",
               latex=r"\frac{\partial F}{\partial\theta} \neq \frac{\partial F}{\partial\theta}"
               r"(s_*)-\varepsilon MH^{-1}\rho"),
        _along(_RULE, _jet.E_theta + eps * (_jet.M @ rho), "the residual taken as displacement",
               latex=r"\frac{\partial F}{\partial\theta} \neq \frac{\partial F}{\partial\theta}"
               r"(s_*)+\varepsilon M\rho"),
        _along(_RULE, _jet.E_theta + eps * _ERROR, "the first order is all there is", order=2,
               latex=r"\frac{\partial F}{\partial\theta} \neq \frac{\partial F}{\partial\theta}"
               r"(s_*)+\varepsilon MH^{-1}\rho\quad\text{to } O(\varepsilon^2)"),
        Step(_measured - (g_up - g_down) / (2 * beta),
             (Mu @ inv(Hu) @ up + Md @ inv(Hd) @ down) / (2 * beta),
             "errors of the two phases added: they are subtracted, and may cancel"),
    ],
    source="first-order perturbation of the rest point; derived here for any smooth energy",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (CLAIM,)
