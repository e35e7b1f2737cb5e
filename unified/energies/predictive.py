"""Predictive-coding energies: a chain of Gaussian predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unified.base.errors import bad_input
from unified.energies.energy import Energy
from unified.energies.hopfield import layer_axes
from unified.energies.initial import Initial
from unified.energies.layered import Layer, layered
from unified.symbolic.axis import Axis
from unified.symbolic.build import var
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.scalar import fn


def predictive(
    sizes: Sequence[int],
    f: Any = "tanh",
    precision: str = "identity",
    convention: str = "f(Wz)",
) -> Energy:
    """The layered predictive-coding energy, input clamped.

    Equation: E = Σ_l ½ε_lᵀΠ_lε_l − ½log det Π_l, ε_l = z_l − μ_l, with μ_l = f(W_l z_{l-1} + b_l)
    for convention "f(Wz)" (the last prediction is linear) and μ_l = W_l f(z_{l-1}) + b_l for
    "Wf(z)" (the input enters linearly); Π_l = 1 for precision "identity".
    Shapes: x = z_0 (n0), z_l, b_l (n_l), W_l (n_l, n_{l-1}), Π_l (n_l, n_l) symmetric.
    Raises: InputError for an unknown convention or precision.
    Reference: Rao & Ballard (1999); Whittington & Bogacz (2017), Neural Computation 29, 1229.
    """
    if convention not in ("f(Wz)", "Wf(z)"):
        raise bad_input("convention", "'f(Wz)' or 'Wf(z)'", repr(convention), "choose one")
    if precision not in ("identity", "full"):
        raise bad_input("precision", "'identity' or 'full'", repr(precision), "choose one")
    axs = layer_axes(sizes)
    law = fn(f)
    x = var("x", axs[0])
    states = [var(f"z{k}", a) for k, a in enumerate(axs) if k]
    weights = [var(f"W{k}", axs[k], axs[k - 1]) for k in range(1, len(axs))]
    biases = [var(f"b{k}", axs[k]) for k in range(1, len(axs))]
    initial: dict[str, Initial] = {}
    layers: list[Layer] = []
    below: Expr = x
    for k, (z, w, b) in enumerate(zip(states, weights, biases, strict=True), start=1):
        initial[w.name] = Initial("normal", 1.0, fan=1)
        if convention == "f(Wz)":
            drive = w @ below + b
            prediction = drive if k == len(states) else law(drive)
        else:
            prediction = w @ (below if k == 1 else law(below)) + b
        p = None
        if precision == "full":
            p = var(f"P{k}", axs[k], axs[k], symmetric=True)
            initial[p.name] = Initial("identity")
        layers.append(Layer(z, prediction, p))
        below = z
    precisions = [layer.precision for layer in layers if isinstance(layer.precision, Var)]
    return layered(
        layers, [*weights, *biases, *precisions], [x], sizes=dict(zip(axs, sizes, strict=True)),
        initial=initial,
    )  # fmt: skip


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
