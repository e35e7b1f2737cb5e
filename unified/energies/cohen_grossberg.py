"""The Cohen–Grossberg energy: the net whose field is −s + Wρ(s) + b."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from unified.base.errors import bad_input
from unified.energies.energy import Energy
from unified.energies.net import Skips, layer_net
from unified.symbolic.build import add, elementwise, total
from unified.symbolic.integral import antiderivative
from unified.symbolic.scalar import ScalarFn, X, fn


def cohen_grossberg(sizes: Sequence[int], rho: Any = "tanh", skip: Skips = ()) -> Energy:
    """The layered Cohen–Grossberg energy, input clamped.

    Equation: E = −Σ_l ρ(s_{l-1})ᵀ W_l ρ(s_l) − Σ_l b_lᵀ ρ(s_l) + Σ_i ∫^{ρ(s_i)} ρ⁻¹, ρ(s_0) := x,
    every (k, l) of `skip` adding −ρ(s_k)ᵀ W_{k,l} ρ(s_l); in terms of the state the integral is
    sρ(s) − ∫₀ˢρ. So ∂E/∂s = ρ'(s) ⊙ (s − Wρ − b), and τ ds/dt = −(1/ρ') ∂E/∂s is the net
    −s + Wρ(s) + b, along which dE/dt = −Σ τ_i ρ'_i ṡ_i² ≤ 0.
    Shapes: x (n0), s_l (n_l), W_l (n_{l-1}, n_l), W_{k,l} (n_k, n_l), b_l (n_l).
    Relaxation starts from the forward pass s_l = W_lᵀρ(s_{l-1}) + b_l.
    Raises: InputError for a ρ without an antiderivative in closed form or one that falls
    somewhere, bad sizes or skips.
    Reference: Cohen & Grossberg (1983), IEEE Trans. SMC 13, 815; theory page A2.
    """
    law = fn(rho)
    curve: ScalarFn = law.law  # type: ignore[attr-defined]
    integral = antiderivative(curve)
    _rises(curve)
    net = layer_net(sizes, skip)
    wells = (total(s * law(s)) - total(elementwise(integral, s)) for s in net.states)
    return Energy(
        add(*wells, *net.coupling(law)), net.states, net.params, [net.x], sizes=net.sizes,
        initial=net.initial, start=net.forward(law, lambda drive: drive), name="cohen_grossberg",
    )  # fmt: skip


def _rises(rho: ScalarFn) -> None:
    """Raise InputError if ρ falls at one of some points: 1/ρ' is then no metric."""
    slope = rho.diff().expr
    for k in range(-12, 13):
        at = sympy.Rational(k, 4)
        value = sympy.N(slope.subs(X, at))
        if value.is_number and (value.is_real is False or value < 0):
            raise bad_input(
                "rho", "a rising function", f"{rho.expr} with slope {value} at {at}".replace(
                    "x_", "x"), "use e.g. tanh or sigmoid",
            )  # fmt: skip
