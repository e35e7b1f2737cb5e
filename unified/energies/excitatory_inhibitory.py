"""Excitatory-inhibitory nets: one energy that some units descend and the others climb."""

from __future__ import annotations

from typing import Any

from unified.base.errors import bad_input
from unified.energies.energy import Energy
from unified.symbolic.axis import Axis
from unified.symbolic.build import add, var
from unified.symbolic.scalar import fn


def excitatory_inhibitory(
    n_e: int, n_i: int, inputs: int, rho: Any = "tanh", *, output: str = "u"
) -> Energy:
    """The energy of an excitatory-inhibitory rate net, for the metric `SkewGradient(("v",))`.

    Equation: E = ½|u|² − ½|v|² − ½ρ(u)ᵀW_eρ(u) + ρ(u)ᵀKρ(v) − ½ρ(v)ᵀW_iρ(v) − (b + Ux)ᵀρ(u)
    + cᵀρ(v), so that descending in u and climbing in v is
    τ_u du/dt = −u + ρ'(u)⊙(W_eρ(u) − Kρ(v) + b + Ux),
    τ_v dv/dt = −v + ρ'(v)⊙(Kᵀρ(u) − W_iρ(v) + c).
    Shapes: u, b (n_e), v, c (n_i), x (m), U (n_e, m), K (n_e, n_i), W_e (n_e, n_e) and W_i
    (n_i, n_i) symmetric; `output` u or v is the state a cost reads. Dale's law is K, W_e, W_i ≥ 0
    entry by entry; the energy is one for every sign.
    Raises: InputError for bad sizes, an unknown nonlinearity or output.
    Reference: Wilson & Cowan (1972); Seung et al. (1998), NeurIPS 10; theory page B6, F7.
    """
    for name, n in (("n_e", n_e), ("n_i", n_i), ("inputs", inputs)):
        if not isinstance(n, int) or n < 1:
            raise bad_input(name, "a positive integer", repr(n), "e.g. 4")
    if output not in ("u", "v"):
        raise bad_input("output", "'u' (descending) or 'v' (ascending)", repr(output), "choose one")
    law = fn(rho)
    e, i, m = Axis("n0"), Axis("n1"), Axis("m0")
    u, v, x = var("u", e), var("v", i), var("x", m)
    w_e, w_i = var("W_e", e, e, symmetric=True), var("W_i", i, i, symmetric=True)
    k, drive = var("K", e, i), var("U", e, m)
    b, c = var("b", e), var("c", i)
    ru, rv = law(u), law(v)
    expr = add(
        0.5 * u.sq(), -0.5 * v.sq(), -0.5 * (ru @ w_e @ ru), ru @ k @ rv, -0.5 * (rv @ w_i @ rv),
        -(b @ ru), -(ru @ drive @ x), c @ rv,
    )  # fmt: skip
    return Energy(
        expr, [u, v], [w_e, k, w_i, drive, b, c], [x], output=output,
        sizes={e: n_e, i: n_i, m: inputs}, name="excitatory_inhibitory",
    )  # fmt: skip
