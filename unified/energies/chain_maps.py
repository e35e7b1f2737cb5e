"""The two maps between chains and quadratic forms, and their adjoints, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input


@dataclass(frozen=True)
class ChainArrays:
    """A predictive chain: precisions Π_l, weights W_l (n_l, n_{l-1}), biases b_l; or slopes."""

    own: list[Any]
    weights: list[Any]
    biases: list[Any]


@dataclass(frozen=True)
class QuadraticArrays:
    """A quadratic chain: blocks A_l, couplings W_l (n_{l-1}, n_l), biases b_l; or slopes."""

    own: list[Any]
    weights: list[Any]
    biases: list[Any]


def _sym(m: Any) -> Any:
    return (m + m.T) / 2


def from_chain(chain: ChainArrays) -> QuadraticArrays:
    """Multiplied out: A_l = Π_l + W_{l+1}ᵀΠ_{l+1}W_{l+1}, and so on."""
    p, w, c = chain.own, chain.weights, chain.biases
    own, biases = [q.copy() for q in p], [q @ b for q, b in zip(p, c, strict=True)]
    for k in range(1, len(p)):
        own[k - 1] = _sym(own[k - 1] + w[k].T @ p[k] @ w[k])
        biases[k - 1] = biases[k - 1] - w[k].T @ p[k] @ c[k]
    return QuadraticArrays(own, [m.T @ q for m, q in zip(w, p, strict=True)], biases)


def chain_pullback(chain: ChainArrays, slope: QuadraticArrays) -> ChainArrays:
    """The adjoint of `from_chain`: slopes in A, W^H, b^H become slopes in Π, W, b."""
    p, w, c = chain.own, chain.weights, chain.biases
    own, weights, biases = [], [], []
    for k in range(len(p)):
        a, g, b = slope.own[k], slope.weights[k], slope.biases[k]
        dp = _sym(a) + _sym(w[k] @ g) + _sym(np.outer(b, c[k]))
        dw = p[k] @ g.T
        db = p[k] @ b
        if k:
            low, bias = _sym(slope.own[k - 1]), slope.biases[k - 1]
            dp = dp + w[k] @ low @ w[k].T - _sym(np.outer(w[k] @ bias, c[k]))
            dw = dw + 2 * p[k] @ w[k] @ low - np.outer(p[k] @ c[k], bias)
            db = db - p[k] @ w[k] @ bias
        own.append(dp)
        weights.append(dw)
        biases.append(db)
    return ChainArrays(own, weights, biases)


def to_chain(quadratic: QuadraticArrays) -> ChainArrays:
    """Block LDLᵀ from the output end. Raises: InputError naming a pivot that is not ≻ 0."""
    a, g, b = quadratic.own, quadratic.weights, quadratic.biases
    top = len(a)
    own: list[Any] = [None] * top
    weights, biases = list(own), list(own)
    pivot = _sym(a[-1])
    for k in range(top - 1, -1, -1):
        check_definite(pivot, k + 1, "the block matrix has to be")
        own[k] = pivot
        weights[k] = np.linalg.solve(pivot, g[k].T)
        above = g[k + 1] @ biases[k + 1] if k + 1 < top else 0.0
        biases[k] = np.linalg.solve(pivot, b[k] + above)
        if k:
            pivot = _sym(a[k - 1] - g[k] @ weights[k])
    return ChainArrays(own, weights, biases)


def quadratic_pullback(quadratic: QuadraticArrays, slope: ChainArrays) -> QuadraticArrays:
    """The adjoint of `to_chain`: slopes in Π, W, b become slopes in A, W^H, b^H."""
    g, top = quadratic.weights, len(quadratic.own)
    chain = to_chain(quadratic)
    own: list[Any] = []
    biases: list[Any] = []
    weights = [np.zeros_like(m) for m in g]
    toward = [np.array(b, dtype=float) for b in slope.biases]
    for k in range(top):
        p, w, c = chain.own[k], chain.weights[k], chain.biases[k]
        lifted = np.linalg.solve(p, slope.weights[k])
        biases.append(np.linalg.solve(p, toward[k]))
        dp = _sym(slope.own[k] - np.outer(biases[k], c) - lifted @ w.T)
        weights[k] += lifted.T
        if k:
            dp = dp + w @ own[k - 1] @ w.T
            weights[k] -= 2 * own[k - 1] @ w.T
        if k + 1 < top:
            weights[k + 1] += np.outer(biases[k], chain.biases[k + 1])
            toward[k + 1] += g[k + 1].T @ biases[k]
        own.append(dp)
    return QuadraticArrays(own, weights, biases)


def constant(chain: ChainArrays, x: Any) -> Any:
    """E_chain − E_quadratic: what is left at zero states."""
    first = x @ chain.weights[0].T + chain.biases[0]
    found = 0.5 * np.sum(first @ chain.own[0] * first, axis=-1)
    found = found + 0.5 * sum(
        b @ p @ b for p, b in zip(chain.own[1:], chain.biases[1:], strict=True)
    )
    return found - 0.5 * sum(np.linalg.slogdet(p)[1] for p in chain.own)


def constant_slope(chain: ChainArrays, x: Any) -> ChainArrays:
    """The gradient of the batch mean of `constant`; x (batch, n0)."""
    first = x @ chain.weights[0].T + chain.biases[0]
    mean = np.mean(first, axis=0)
    square = first.T @ first / len(first)
    pairs = list(zip(chain.own, chain.biases, strict=True))
    own = [0.5 * (np.outer(b, b) - np.linalg.inv(p)) for p, b in pairs]
    own[0] = 0.5 * (square - np.linalg.inv(chain.own[0]))
    weights = [np.zeros_like(w) for w in chain.weights]
    weights[0] = chain.own[0] @ first.T @ x / len(x)
    return ChainArrays(own, weights, [chain.own[0] @ mean, *(p @ b for p, b in pairs[1:])])


def check_definite(matrix: Any, layer: int, reason: str) -> None:
    """Raise InputError naming the layer if a matrix is not positive definite."""
    least = float(np.linalg.eigvalsh(matrix)[0])
    if not least > 0:
        raise bad_input(
            f"layer {layer}", "a positive definite precision", f"one with eigenvalue {least:.3g}",
            f"{reason} positive definite",
        )  # fmt: skip
