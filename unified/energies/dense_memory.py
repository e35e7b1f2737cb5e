"""The dense associative memory: a modern Hopfield net whose fast step is softmax attention."""

from __future__ import annotations

import math
from numbers import Real

from unified.base.errors import bad_input
from unified.energies.energy import Energy
from unified.energies.initial import Initial
from unified.energies.net import layer_axes
from unified.symbolic.axis import Axis
from unified.symbolic.build import as_expr, logsumexp, power, var
from unified.symbolic.nodes import Expr, Var


def dense_memory(
    n: int, patterns: int, inputs: int | None = None, *, kappa: float | None = None
) -> Energy:
    """The dense associative memory over stored patterns, with an optional input drive.

    Equation: E = ½|s|² − (1/κ) log Σ_k exp(κ (Ξs)_k) − (Ux)ᵀs (the last term only if `inputs`);
    one convex–concave step is s⁺ = Ξᵀ softmax(κΞs) + Ux, attention over the patterns.
    Shapes: s (n), Ξ `Xi` (patterns, n), U (n, m), x (m); κ > 0 is the parameter `kappa` of the
    program, or a constant if a number is given here.
    A rest point is a minimum where κ times the covariance of the patterns under their recall
    weights is below 1; relaxation starts from s = 0, or from s = Ux with `inputs`.
    Raises: InputError for bad sizes or κ ≤ 0.
    Reference: Krotov & Hopfield (2016), arXiv:1606.01164; Ramsauer et al. (2021),
    arXiv:2008.02217; theory page A5.
    """
    layer_axes([n, patterns] if inputs is None else [n, patterns, inputs])
    a, k = Axis("n0"), Axis("k0")
    s, xi = var("s", a), var("Xi", k, a)
    params: list[Var] = [xi]
    initial = {"Xi": Initial("normal", 1.0, fan=1)}
    sharp: Expr
    if kappa is None:
        sharp = var("kappa")
        params.append(sharp)
        initial["kappa"] = Initial("ones")
    else:
        if isinstance(kappa, bool) or not isinstance(kappa, Real) or not 0 < kappa < math.inf:
            raise bad_input("kappa", "a positive number", repr(kappa), "e.g. kappa=1")
        sharp = as_expr(kappa)
    expr = 0.5 * s.sq() - power(sharp, -1) * logsumexp(sharp * (xi @ s))
    sizes = {a: n, k: patterns}
    positive = [p for p in params if p is sharp]
    if inputs is None:
        return Energy(expr, [s], params, sizes=sizes, initial=initial, positive=positive,
                      name="dense_memory")  # fmt: skip
    m = Axis("m0")
    u, x = var("U", a, m), var("x", m)
    initial["U"] = Initial("normal", 1.0, fan=1)
    sizes[m] = inputs
    return Energy(
        expr - s @ u @ x, [s], [*params, u], [x], sizes=sizes, initial=initial,
        start={"s": u @ x}, positive=positive, name="dense_memory",
    )  # fmt: skip
