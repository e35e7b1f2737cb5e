"""Real nudges: the derivative in β read off rest points at a few of its values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.phase import check_beta
from unified.learning.gradient import (
    AbstractEstimator,
    Raw,
    Values,
    contrast,
    joined,
    mean_cost,
    rest_at,
)  # fmt: skip


def real_nudge(beta: Any) -> None:
    """Raise InputError unless β is one finite real number other than 0."""
    check_beta(beta)
    if np.iscomplexobj(beta):
        raise bad_input("beta", "a real number", beta, "use un.Holomorphic for complex nudges")
    if np.ndim(beta):
        raise bad_input("beta", "one number", beta, "make one estimator per nudge")


def slope_weights(points: tuple[float, ...]) -> tuple[float, list[float]]:
    """The weights of f(0) and of f at the nonzero points that read off f′(0).

    Equation: Σ_k w_k p_k^j = δ_{j1} for j = 0..N (a Vandermonde system), solved by Lagrange:
    w_k = (1/p_k) Π_{j≠k} p_j/(p_j − p_k), w_0 = −Σ_k 1/p_k.
    """
    weights = [math.prod(q / (q - p) for q in points if q != p) / p for p in points]
    return -math.fsum(1 / p for p in points), weights


@dataclass(frozen=True)
class AbstractNudged(AbstractEstimator):
    """The free phase and real nudges β·c for the `nodes` c of a subclass.

    Equation: Σ_k w_k ∂F/∂θ(s_{βc_k}) / β with the weights that read off the slope of the
    polynomial through all nodes and the free phase: N nonzero nodes have bias O(β^N), symmetric
    ones without any use of the free phase.
    """

    beta: float = 0.01

    def __post_init__(self) -> None:
        real_nudge(self.beta)

    @property
    def nodes(self) -> tuple[float, ...]:
        """The nudges in units of β."""
        raise NotImplementedError

    @property
    def order(self) -> int:
        return len(self.nodes)

    @property
    def phases(self) -> tuple[str, ...]:
        told = {1.0: "nudged", -1.0: "nudged against"}
        return ("free", *(told.get(c, f"nudged {c:g} beta") for c in self.nodes))

    @property
    def conditions(self) -> tuple[str, ...]:
        reach = [0.0, *(float(c * self.beta) for c in self.nodes)]
        return (
            f"the free minimum stays one for every beta from {min(reach):g} to {max(reach):g}",
            f"it has {self.order + 1} derivatives in beta there",
        )

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        b = self.beta
        first, weights = slope_weights(self.nodes)
        free = rest_at(program, values, self, [0.0], keep=True)
        # All nudges side by side: matrix products of many rows cost less than many of few.
        points = jnp.stack([jnp.asarray(c * b, program.dtype) for c in self.nodes])
        nudged = rest_at(program, values, self, points, free.state, told=free.told)
        rests = (free._replace(told=None), nudged)
        shares = [jnp.asarray(w, program.dtype) / b for w in ([first], weights)]
        used = (0, 1) if first else (1,)
        beta = jnp.concatenate([rests[k].beta for k in used])
        weight = jnp.concatenate([shares[k] for k in used])
        grad = contrast(program, values, joined(*(rests[k].state for k in used)), beta, weight)
        loss = mean_cost(program, values, free.state)
        terms = tuple(shares[k] if k in used else None for k in range(2))
        return Raw(grad, loss, loss, rests, terms)


@dataclass(frozen=True)
class OneSided(AbstractNudged):
    """The free phase and one nudge.

    Equation: (∂F/∂θ(s_β) − ∂F/∂θ(s_0))/β, bias O(β); exactly the gradient of L_β
    (`integrated_loss`) at every β.
    Raises: InputError for β that is 0 or not finite.
    Reference: Scellier & Bengio (2017), arXiv:1602.05179.
    """

    @property
    def nodes(self) -> tuple[float, ...]:
        return (1.0,)


@dataclass(frozen=True)
class Centered(AbstractNudged):
    """Two opposite nudges.

    Equation: (∂F/∂θ(s_β) − ∂F/∂θ(s_{−β}))/2β, bias O(β²).
    Raises: InputError for β that is 0 or not finite; a sample whose Hessian at −β is not positive
    definite gets the status nudge_too_negative.
    Reference: Laborieux et al. (2021), arXiv:2006.03824.
    """

    @property
    def nodes(self) -> tuple[float, ...]:
        return (1.0, -1.0)


@dataclass(frozen=True)
class Richardson(AbstractNudged):
    """A contrast at β and at β/2, its leading bias extrapolated away.

    Equation: order 4: (4·Centered(β/2) − Centered(β))/3; order 2: 2·OneSided(β/2) − OneSided(β).
    Raises: InputError for β that is 0 or not finite, or an order other than 2 and 4; a sample past
    the guard gets the status nudge_too_negative.
    Reference: Richardson (1911); theory page B3.
    """

    order: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order not in (2, 4):
            remedy = "use 4 (two-sided), 2 (one-sided), or un.Nodes for other orders"
            raise bad_input("order", "2 or 4", repr(self.order), remedy)

    @property
    def nodes(self) -> tuple[float, ...]:
        return (1.0, 0.5) if self.order == 2 else (1.0, -1.0, 0.5, -0.5)


@dataclass(frozen=True)
class Nodes(AbstractNudged):
    """Any real nudges β·c, weighted to cancel as many orders of bias as there are nodes.

    Equation: Σ_k w_k ∂F/∂θ(s_{βc_k})/β, Σ_k w_k c_k^j = δ_{j1}, j = 0..N, c_0 = 0 the free phase;
    bias O(β^N) for N nodes. Symmetric nodes have w_0 = 0: the free phase then only serves as start.
    Raises: InputError for β that is 0 or not finite, or nodes that are 0, repeated or not finite.
    Reference: Fornberg (1988); theory page B3.
    """

    nodes: tuple[float, ...] = (1.0, -1.0, 2.0, -2.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        nodes = tuple(float(c) for c in np.ravel(np.asarray(self.nodes, dtype=float)))
        good = all(math.isfinite(c) and c != 0 for c in nodes)
        if not nodes or not good or len(set(nodes)) < len(nodes):
            remedy = "the free phase is always there; list other multiples of beta"
            raise bad_input("nodes", "distinct finite nonzero multiples of beta", nodes, remedy)
        object.__setattr__(self, "nodes", nodes)
