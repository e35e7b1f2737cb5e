"""The fields of the library: networks whose feedback is not their feedforward transposed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from unified.base.errors import bad_input
from unified.energies.field import Field
from unified.energies.hopfield import hopfield
from unified.energies.net import layer_axes
from unified.symbolic.axis import Axis
from unified.symbolic.build import add, elementwise, var
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.scalar import fn

CONVENTIONS = ("f(Wz)", "Wf(z)", "hopfield")


def asymmetric(sizes: Sequence[int], rho: Any = "tanh") -> Field:
    """The layered Hopfield net with feedback weights of its own, input clamped.

    Equation: ṡ_l = −s_l + ρ'(s_l)⊙(W_lᵀρ(s_{l-1}) + B_lρ(s_{l+1}) + b_l), ρ(s_0) := x, no feedback
    into the last layer; B_l = W_{l+1} for all l gives the gradient flow of `energies.hopfield`.
    Shapes: x (n0), s_l and b_l (n_l), W_l (n_{l-1}, n_l), B_l (n_l, n_{l+1}).
    Raises: InputError for bad sizes or an unknown nonlinearity.
    Reference: Scellier et al. (2018), arXiv:1808.04873.
    """
    law: Any = fn(rho)
    twin = hopfield(sizes, rho)  # of the same states, weights, biases and forward pass
    states, x = twin.states, twin.inputs[0]
    back = [var(f"B{k}", a.axes[0], b.axes[0]) for k, (a, b) in enumerate(pairwise(states), 1)]
    rates = [x, *(law(s) for s in states)]
    velocity: dict[Var, Expr] = {}
    for k, s in enumerate(states, start=1):
        drive = rates[k - 1] @ twin.param(f"W{k}") + twin.param(f"b{k}")
        if k < len(states):
            drive = drive + back[k - 1] @ rates[k + 1]
        velocity[s] = elementwise(law.law.diff(), s) * drive - s
    return Field(
        velocity, [*twin.params, *back], [x], sizes=twin.sizes, initial=twin.initial,
        start=twin.start, name="asymmetric",
    )  # fmt: skip


def asymmetric_recurrent(
    n: int, inputs: int | None = None, rho: Any = "tanh", convention: str = "f(Wz)"
) -> Field:
    """The dense recurrent net with any weight matrix.

    Equation: with a = Ws + Ux + b ("f(Wz)") ṡ = −s + ρ(a); ("Wf(z)") ṡ = −s + Wρ(s) + Ux + b;
    ("hopfield") ṡ = −s + ρ'(s)⊙(Wρ(s) + Ux + b), for W = Wᵀ the flow of `energies.recurrent`.
    Shapes: s, b (n), W (n, n), U (n, m), x (m), the input term only with `inputs`.
    Raises: InputError for bad sizes, an unknown nonlinearity or convention.
    Reference: Amari (1972); Sompolinsky, Crisanti & Sommers (1988), PRL 61, 259.
    """
    if convention not in CONVENTIONS:
        raise bad_input("convention", "one of " + ", ".join(CONVENTIONS), convention, "choose one")
    (a,) = layer_axes([n], least=1)
    law: Any = fn(rho)
    s, w, b = var("s", a), var("W", a, a), var("b", a)
    sizes = {a: n}
    params: list[Var] = [w, b]
    ins: list[Var] = []
    drive: Expr = b
    if inputs is not None:
        layer_axes([inputs], least=1)
        m = Axis("m0")
        u, x = var("U", a, m), var("x", m)
        drive = drive + u @ x
        sizes[m] = inputs
        params.append(u)
        ins.append(x)
    if convention == "f(Wz)":
        pull = law(add(w @ s, drive))
    elif convention == "Wf(z)":
        pull = add(w @ law(s), drive)
    else:
        pull = elementwise(law.law.diff(), s) * add(w @ law(s), drive)
    return Field({s: pull - s}, params, ins, sizes=sizes, name="asymmetric_recurrent")
