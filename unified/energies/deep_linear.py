"""Deep linear predictive coding, in the scalings that keep its limits of depth and width."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from unified.base.errors import bad_input
from unified.energies.energy import Energy
from unified.energies.initial import Initial
from unified.energies.layered import Layer, layered
from unified.energies.net import layer_axes
from unified.energies.predictive import precision_of
from unified.symbolic.build import scale, var
from unified.symbolic.nodes import Expr, Var

SCALINGS = ("standard", "width", "depth")


def deep_linear(
    sizes: Sequence[int], scaling: str = "standard", precision: str = "identity"
) -> Energy:
    """The deep linear predictive-coding energy without biases, input clamped.

    Equation: E = Σ_l ½ε_lᵀΠ_lε_l − ½log det Π_l with ε_l = z_l − M_l z_{l-1} and, by `scaling`,
    "standard": M_l = W_l, entries drawn with variance 1/n_{l-1};
    "width": M_l = W_l/√n_{l-1}, entries drawn with variance 1 (so a step on W is 1/n on M);
    "depth": a residual net, M_1 = W_1/√n_0, M_l = 1 + W_l/√(n L) for 1 < l < L, M_L = W_L/n,
    entries drawn with variance 1: the singular values of the map to any layer stay bounded as L
    grows, where those of "standard" spread exponentially. κ(H) still grows like L² in all three.
    Shapes: x (n0), z_l (n_l), W_l (n_l, n_{l-1}), Π_l as in `predictive`; "depth" needs hidden
    layers of one size n.
    Raises: InputError for bad sizes, an unknown scaling, or hidden sizes that differ in "depth".
    Reference: Saxe et al. (2014), arXiv:1312.6120; Innocenti et al. (2024), arXiv:2408.11979,
    and (2025), arXiv:2505.13124, for the depth scaling; theory page C4.
    """
    if scaling not in SCALINGS:
        known = "'standard', 'width' or 'depth'"
        raise bad_input("scaling", known, repr(scaling), "choose one")
    axs = layer_axes(sizes)
    top = len(axs) - 1
    if scaling == "depth":
        if len(set(sizes[1:-1])) > 1:
            raise bad_input("sizes", "hidden layers of one size, for a residual net", repr(sizes),
                            "make them equal or use another scaling")  # fmt: skip
        axs[1:-1] = axs[1:2] * (top - 1)  # one axis: layers are added to each other
    x: Var = var("x", axs[0])
    below: Var = x
    layers: list[Layer] = []
    weights: list[Var] = []
    precisions: list[Var] = []
    initial: dict[str, Initial] = {}
    for k in range(1, top + 1):
        z, w = var(f"z{k}", axs[k]), var(f"W{k}", axs[k], axs[k - 1])
        prediction: Expr = scale(_gain(scaling, k, sizes), w @ below)
        if scaling == "depth" and 1 < k < top:
            prediction = prediction + below
        p, drawn = precision_of(precision, z, f"P{k}")
        unit = scaling == "standard"
        initial |= {w.name: Initial("normal", 1.0, fan=1) if unit else Initial("entries")} | drawn
        precisions += [] if p is None else [p]
        weights.append(w)
        layers.append(Layer(z, prediction, p))
        below = z
    return layered(
        layers, [*weights, *precisions], [x], sizes=dict(zip(axs, sizes, strict=True)),
        initial=initial, name="deep_linear",
    )  # fmt: skip


def _gain(scaling: str, layer: int, sizes: Sequence[int]) -> sympy.Expr:
    """What multiplies W_l, an exact number."""
    n, top = sizes[layer - 1], len(sizes) - 1
    if scaling == "standard":
        return sympy.Integer(1)
    if scaling == "depth" and layer == top:
        return sympy.Rational(1, n)
    inner = scaling == "depth" and layer > 1
    return 1 / sympy.sqrt(n * (top if inner else 1))
