"""Credit in a wide net: how the error at the output becomes a velocity of its neurons.

Relaxing the activities of E = ½γ_h Σ_i(h_i − σ_i)² + ½γ_o|o − (α/N)Σ a_ih_i|² + ½β|y − o|² leaves
E* = ½rᵀS⁻¹r with S = (1/β + 1/γ_o)·1 + κQ, Q = (1/N)Σ a_ia_iᵀ, κ = α²/(Nγ_h) (theory page E7).
Every rule here is a sum of such phases with weights c: contrasts of EP, or one phase of PC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input

CREDITS = ("bp", "ep", "pc", "fa")
SCHEMES = ("centered", "one-sided")


@dataclass(frozen=True)
class Precision:
    """How precise the hidden activities and the output are.

    Attributes: hidden: γ_h, or γ = Nγ_h/γ_o where `scaled` (then γ_o = 1); output: γ_o.
    """

    hidden: float
    output: float
    scaled: bool

    @classmethod
    def read(cls, value: Any) -> Precision:
        """From a pair (γ_h, γ_o), or a number γ = Nγ_h/γ_o that stays as N grows.

        Raises: InputError unless all are positive and finite.
        """
        parts = np.atleast_1d(np.asarray(value, dtype=float)) if _numeric(value) else np.zeros(0)
        good = parts.shape in ((1,), (2,)) and bool(np.all((parts > 0) & np.isfinite(parts)))
        if not good:
            raise bad_input("precision", "positive (γ_h, γ_o), or one positive γ = Nγ_h/γ_o", value,
                            "use e.g. (1.0, 1.0)")  # fmt: skip
        if len(parts) == 1:
            return cls(float(parts[0]), 1.0, True)
        return cls(float(parts[0]), float(parts[1]), False)

    def whole(self, n: int) -> float:
        """Nγ_h for n neurons."""
        return self.hidden if self.scaled else n * self.hidden


@dataclass(frozen=True)
class Phases:
    """Rest points at several nudges: Σ_j c_j ∂E*_j, with S_j = s_j·1 + κQ.

    `signs` are those of the nudges: a phase nudged by β has a minimum only if sign(β)·S ≻ 0.
    """

    weights: tuple[float, ...]
    offsets: tuple[float, ...]
    kappa: float
    signs: tuple[int, ...] = (1,)


def phases_of(
    credit: str, scheme: str, beta: float | None, precision: Precision, n: int, alpha: float
) -> Phases:
    """The phases of a credit rule on n neurons; bp and fa have one without hidden activities."""
    if credit in ("bp", "fa"):
        return Phases((1.0,), (1.0,), 0.0)
    kappa = alpha**2 / precision.whole(n)
    own = 1 / precision.output
    if credit == "pc":  # in units of the precision that the output has in all
        s = own + (0.0 if beta is None else 1 / beta)
        return Phases((s,), (s,), kappa)
    assert beta is not None
    if scheme == "one-sided":
        return Phases((1 / beta,), (1 / beta + own,), kappa)
    half = 1 / (2 * beta)
    return Phases((half, -half), (1 / beta + own, -1 / beta + own), kappa, (1, -1))


@dataclass(frozen=True)
class Response:
    """What the output sends back: r̄ (M, k) to every neuron, and B (k, k) that acts on its a.

    Equation: r̄ = q⊙Σ_j c_jS_j⁻¹r, B = κΣ_j c_jΣ_m q_m p_jmp_jmᵀ with p_j = S_j⁻¹r, q the weights of
    samples; value = ½Σ_j c_jΣ_m q_m rᵀS_j⁻¹r.
    """

    pulled: Any
    bias: Any
    value: Any
    settled: Any


def respond(r: Any, q: Any, second: Any, phases: Phases) -> Response:
    """The response to errors r (M, k) of samples weighted by q (M,), given Q (k, k); traceable.

    A nudge against the target (β < 0) needs −S positive definite: past that the rest point is
    no minimum, `settled` is false and the numbers are NaN.
    """
    import jax.numpy as jnp

    from unified.dynamics.batched import solve

    k = r.shape[1]
    pulled: Any = 0.0
    value: Any = 0.0
    bias, settled = jnp.zeros((k, k), r.dtype), jnp.asarray(True)
    for c, s, sign in zip(phases.weights, phases.offsets, phases.signs, strict=True):
        if phases.kappa == 0:
            p = r / s
        else:
            matrix = sign * (s * jnp.eye(k, dtype=r.dtype) + phases.kappa * second)
            found, good = solve(matrix, r)
            p = jnp.where(jnp.all(good), sign * found, jnp.nan)
            settled = settled & jnp.all(good)
            bias = bias + phases.kappa * c * (p * q[:, None]).T @ p
        pulled = pulled + c * p
        value = value + 0.5 * c * jnp.sum(q[:, None] * r * p)
    return Response(pulled * q[:, None], bias, value, settled)


def _numeric(value: Any) -> bool:
    try:
        return np.asarray(value).dtype.kind in "iuf"
    except (TypeError, ValueError):
        return False
