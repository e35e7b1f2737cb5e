"""Predictive-coding energies: layers of Gaussian predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unified.base.errors import bad_input
from unified.energies.energy import Energy
from unified.energies.initial import Initial
from unified.energies.layered import Layer, layered
from unified.energies.net import Skips, check_skips, layer_axes
from unified.symbolic.build import add, var
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.scalar import fn

PRECISIONS = ("identity", "diagonal", "full")


def precision_of(kind: str, state: Var, name: str) -> tuple[Var | None, dict[str, Initial]]:
    """A precision of this kind for a state, drawn as the identity.

    Shapes: "diagonal" as the state, "full" its axis twice, "identity" none.
    Raises: InputError for an unknown kind.
    """
    if kind not in PRECISIONS:
        known = "'identity', 'diagonal' or 'full'"
        raise bad_input("precision", known, repr(kind), "choose one")
    if kind == "identity":
        return None, {}
    if kind == "diagonal":
        return var(name, *state.axes), {name: Initial("ones")}
    return var(name, *state.axes, *state.axes, symmetric=True), {name: Initial("identity")}


def predictive(
    sizes: Sequence[int],
    f: Any = "tanh",
    precision: str = "identity",
    convention: str = "f(Wz)",
    skip: Skips = (),
) -> Energy:
    """The layered predictive-coding energy, input clamped.

    Equation: E = Σ_l ½ε_lᵀΠ_lε_l − ½log det Π_l, ε_l = z_l − μ_l, with μ_l = f(W_l z_{l-1} + b_l)
    for convention "f(Wz)" (the last prediction is linear) and μ_l = W_l f(z_{l-1}) + b_l for
    "Wf(z)" (the input enters linearly); every (k, l) of `skip` adds W_{k,l} z_k, or W_{k,l} f(z_k),
    to what W_l brings. Π_l = 1 for precision "identity"; "diagonal" and "full" are parameters,
    learned by ½(ε_lε_lᵀ − Π_l⁻¹) as any other: a hidden one needs `free_energy` (theory C1).
    Shapes: x = z_0 (n0), z_l, b_l (n_l), W_l (n_l, n_{l-1}), W_{k,l} (n_l, n_k), Π_l (n_l) or
    (n_l, n_l) symmetric.
    Raises: InputError for an unknown convention or precision, bad sizes or skips; a run with a
    precision that is not positive (definite) is refused.
    Reference: Rao & Ballard (1999); Whittington & Bogacz (2017), Neural Computation 29, 1229.
    """
    if convention not in ("f(Wz)", "Wf(z)"):
        raise bad_input("convention", "'f(Wz)' or 'Wf(z)'", repr(convention), "choose one")
    axs = layer_axes(sizes)
    law = fn(f)
    top = len(axs) - 1
    x = var("x", axs[0])
    weights = {(k - 1, k): var(f"W{k}", axs[k], axs[k - 1]) for k in range(1, top + 1)}
    weights |= {(a, b): var(f"W{a}_{b}", axs[b], axs[a]) for a, b in check_skips(skip, top)}
    initial = {w.name: Initial("normal", 1.0, fan=1) for w in weights.values()}
    layers: list[Layer] = []
    biases: list[Var] = []
    precisions: list[Var] = []
    outs: list[Expr] = [x]  # what a layer sends up
    for k in range(1, top + 1):
        z, b = var(f"z{k}", axs[k]), var(f"b{k}", axs[k])
        drive = add(*(w @ outs[i] for (i, j), w in weights.items() if j == k), b)
        linear = convention == "Wf(z)" or k == top
        p, drawn = precision_of(precision, z, f"P{k}")
        layers.append(Layer(z, drive if linear else law(drive), p))
        outs.append(z if convention == "f(Wz)" else law(z))
        biases.append(b)
        precisions += [] if p is None else [p]
        initial |= drawn
    return layered(
        layers, [*weights.values(), *biases, *precisions], [x],
        sizes=dict(zip(axs, sizes, strict=True)), initial=initial,
    )  # fmt: skip
