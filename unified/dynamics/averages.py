"""Averages of parameter gradients over many sampled states, and their standard errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from unified.codegen.program import Program

SEGMENTS = 20  # independent stretches of chain, whose scatter is the standard error


def pullback(
    program: Program, values: Mapping[str, Any], state: Any, beta: Any
) -> Callable[..., Any]:
    """The map from weights (phase, batch) to Σ w ∂F/∂θ + Σ v ∂C/∂θ over all states (traceable).

    One reverse sweep through the generated energy and cost: weights may differ between samples,
    and no parameter-sized array per draw is ever made, as the outer products of `contrast` would.
    """
    import jax

    own = {p.name: p for p in program.model.params}
    rest = {k: v for k, v in values.items() if k not in own} | state | {"beta": beta}

    def told(theta: Any) -> Any:
        at = {**rest, **theta}
        return program.core("energy", at)["F"], program.core("cost", at)["C"]

    _, back = jax.vjp(told, {k: values[k] for k in own})

    def weighted(w: Any, v: Any) -> dict[str, Any]:
        (found,) = back((w, v))
        return {k: (g + g.T) / 2 if own[k].symmetric else g for k, g in found.items()}

    return weighted


def stretches(x: Any) -> Any:
    """Draws (chains, draws, ...) as (stretches, draws of each, ...).

    What does not fill the last stretch of a chain is left out at its beginning.
    """
    chains, draws = x.shape[:2]
    each = -(-SEGMENTS // chains)
    size = draws // each
    return x[:, draws - each * size :].reshape(chains * each, size, *x.shape[2:])


def averaged(terms: Callable[[Any], tuple[Any, Any]], pieces: Any) -> tuple[Any, Any]:
    """The mean of a + b over pieces, and the standard error of the mean of a (traceable).

    `terms` gives (a, b) of one piece; only sums over pieces are kept.
    """
    import jax
    import jax.numpy as jnp
    from jax import lax

    count = jax.tree.leaves(pieces)[0].shape[0]

    def step(carry: Any, piece: Any) -> Any:
        mean, square, more, k = carry
        a, b = terms(piece)
        new = {n: m + (a[n] - m) / k for n, m in mean.items()}
        square = {n: q + (a[n] - mean[n]) * (a[n] - new[n]) for n, q in square.items()}
        return (new, square, {n: v + b[n] / count for n, v in more.items()}, k + 1), None

    first = jax.eval_shape(lambda p: terms(jax.tree.map(lambda v: v[0], p))[0], pieces)
    zero = {n: jnp.zeros(v.shape, v.dtype) for n, v in first.items()}
    (mean, square, more, _), _ = lax.scan(step, (zero, zero, zero, 1), pieces)
    error = {n: jnp.sqrt(q / (count * (count - 1))) for n, q in square.items()}
    return {n: mean[n] + more[n] for n in mean}, error
