"""The risk of a weighted net, its first variation and its velocity, by the array calculus."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from unified.meanfield.networks import ACTIVATIONS, TwoLayer
from unified.symbolic.axis import Axis
from unified.symbolic.build import einsum, scalar, var
from unified.symbolic.diff import derivative
from unified.symbolic.latex import latex
from unified.symbolic.nodes import Expr
from unified.symbolic.scalar import fn

NAMES = {"mu": r"\mu", "X": "X", "q": "q"}
TOLD = {
    "bp": r"r &= y - f",
    "ep": r"r &\to \tfrac{1}{2\beta}(S_{\beta}^{-1}-S_{-\beta}^{-1})(y-f),\quad "
          r"S_{\pm\beta} = (\pm\tfrac1\beta+\tfrac1{\gamma_o})1+\tfrac{\alpha^2}{N\gamma_h}Q",
    "pc": r"r &\to s\,S^{-1}(y-f),\quad S = s1+\tfrac{\alpha^2}{N\gamma_h}Q,\ "
          r"s=\tfrac1{\gamma_o}+\tfrac1\beta",
    "fa": r"\dot w &= \alpha\textstyle\sum_m q_m (b\cdot r_m)\,\sigma'(w\cdot x_m)\,x_m,\quad "
          r"\dot b = 0",
}  # fmt: skip


class Derived(NamedTuple):
    """The risk of N weighted neurons on M weighted samples, and its derivatives."""

    risk: Expr
    variation: Expr
    by_a: Expr | None
    by_w: Expr


@cache
def derived(activation: str) -> Derived:
    """½Σ_m q_m(y_m − αΣ_i μ_iφ_im)² and its derivatives in μ_i (the first variation), a_i, w_i.

    Shapes: weights of particles mu (n), a (n), W (n, d), X (m, d), y and q (m).
    """
    n, m, d = Axis("n"), Axis("m"), Axis("d")
    mu, a, W, X = var("mu", n), var("a", n), var("W", n, d), var("X", m, d)
    y, q, alpha = var("y", m), var("q", m), scalar("alpha")
    hidden = fn(ACTIVATIONS[activation])(W @ X.T)
    plain = activation == "quadratic"
    f = alpha * (einsum("i,im->m", mu, hidden) if plain else
                 einsum("i,i,im->m", mu, a, hidden))  # fmt: skip
    r = y - f
    risk = einsum("m,m,m->", q, r, r) / 2
    by_a = None if plain else derivative(risk, a)
    return Derived(risk, derivative(risk, mu), by_a, derivative(risk, W))


def risk_lines(net: TwoLayer, credit: str) -> list[str]:
    """The functional, its first variation and μ_i times the velocity, aligned at &."""
    found = derived(net.activation)
    neuron = net.neuron
    lines = [
        rf"f_\mu &= \alpha\int\varphi\,d\mu,\quad \varphi = {latex(neuron.output)}",
        rf"\mathcal{{F}} &= {latex(found.risk)} + \int v\,d\mu",
        rf"\frac{{\delta\mathcal{{F}}}}{{\delta\mu}} &= {latex(found.variation)} + v",
        rf"\mu\,\dot w &= {latex(-found.by_w)} - \mu\nabla_w v",
    ]
    if found.by_a is not None:
        lines.append(rf"\mu\,\dot a &= {latex(-found.by_a)} - \mu\nabla_a v")
    return [*lines, TOLD[credit]]
