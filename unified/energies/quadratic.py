"""Quadratic energies: one well driven by an input, and a chain of layers with general blocks."""

from __future__ import annotations

from collections.abc import Sequence

from unified.energies.energy import Energy
from unified.energies.initial import Initial
from unified.energies.net import layer_axes, layer_net
from unified.symbolic.axis import Axis
from unified.symbolic.build import add, var


def linear_gaussian(n: int, m: int) -> Energy:
    """The linear-Gaussian energy: a quadratic well driven by an input.

    Equation: E = ½sᵀAs − (b + Ux)ᵀs, A = Aᵀ ≻ 0: prior N(A⁻¹(b+Ux), T·A⁻¹).
    Shapes: s, b (n), A (n, n), U (n, m), x (m).
    Raises: InputError for bad sizes.
    Reference: theory page D1; Bishop (2006), section 2.3.
    """
    layer_axes([n, m])
    a, c = Axis("n0"), Axis("m0")
    s, b, x = var("s", a), var("b", a), var("x", c)
    big, u = var("A", a, a, symmetric=True), var("U", a, c)
    expr = 0.5 * (s @ big @ s) - b @ s - s @ u @ x
    return Energy(
        expr, [s], [big, b, u], [x], sizes={a: n, c: m},
        initial={"A": Initial("identity")}, name="linear_gaussian",
    )  # fmt: skip


def quadratic_chain(sizes: Sequence[int]) -> Energy:
    """The layered quadratic energy with a general matrix in every layer, input clamped.

    Equation: E = Σ_l ½s_lᵀA_l s_l − Σ_l s_{l-1}ᵀW_l s_l − Σ_l b_lᵀs_l with s_0 := x: any
    block-tridiagonal quadratic form. With A_l = 1 it is `hopfield` with a linear ρ; it is the
    Hopfield side of `un.convert`, since a predictive chain has A_l = Π_l + W_{l+1}ᵀΠ_{l+1}W_{l+1}.
    Shapes: x (n0), s_l, b_l (n_l), A_l (n_l, n_l) symmetric, W_l (n_{l-1}, n_l).
    A rest point is a minimum iff the whole block matrix is positive definite, which needs every
    A_l ≻ 0 and more; the certificate of a relaxation says.
    Raises: InputError for bad sizes.
    Reference: theory page D2; Rue & Held (2005), Gaussian Markov Random Fields, chapter 2.
    """
    net = layer_net(sizes)
    own = [var(f"A{k}", *s.axes, *s.axes, symmetric=True) for k, s in enumerate(net.states, 1)]
    wells = (0.5 * (s @ a @ s) for s, a in zip(net.states, own, strict=True))
    return Energy(
        add(*wells, *net.coupling(lambda s: s)), net.states, [*own, *net.params], [net.x],
        sizes=net.sizes, initial=net.initial | {a.name: Initial("identity") for a in own},
        name="quadratic_chain",
    )  # fmt: skip
