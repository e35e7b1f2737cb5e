"""The dense Hessian over the stacked states, put together from generated blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from unified.codegen.program import Program


def as_matrix(block: Any, rows: tuple[int, ...], cols: tuple[int, ...]) -> Any:
    """A Hessian block over the units of two layers (or a diagonal one) in row-major order."""
    if len(rows) < 2 and len(cols) < 2:
        return block
    own = (*rows, *cols)
    lead = block.shape[: max(0, block.ndim - len(own))]
    if block.shape[len(lead) :] != own:  # some of its axes only broadcast
        block = block + np.zeros((*lead, *own), block.dtype)
    widths = (math.prod(rows), math.prod(cols)) if cols else (math.prod(rows),)
    return block.reshape(*lead, *widths)


def assemble(program: Program, values: Mapping[str, Any]) -> Any:
    """(phase, batch, N, N) from the upper blocks; diagonal ones come as arrays of their layer.

    Equation: H_ij = ∂²F/∂s_i∂s_j over all states side by side. Zero blocks are never touched.
    """
    blocks = program.core("hessian", values)
    names = [s.name for s in program.model.states]
    shapes = {n: tuple(values[n].shape[2:]) for n in names}
    stops = np.cumsum([math.prod(shapes[n]) for n in names])
    starts = dict(zip(names, [0, *stops], strict=False))
    at = {n: slice(starts[n], stop) for n, stop in zip(names, stops, strict=True)}
    some = values[names[0]]
    lead = some.shape[:2]
    kind = np.result_type(some.dtype, *(b.dtype for b in blocks.values()))  # a nudge may be complex
    whole: Any
    if program.backend == "jax":
        import jax.numpy as jnp

        whole = jnp.zeros((*lead, stops[-1], stops[-1]), kind)

        def put(where: Any, block: Any, more: bool = False) -> None:
            nonlocal whole
            whole = whole.at[where].add(block) if more else whole.at[where].set(block)
    else:
        whole = np.zeros((*lead, stops[-1], stops[-1]), kind)

        def put(where: Any, block: Any, more: bool = False) -> None:
            whole[where] = whole[where] + block if more else block

    for pair, block in blocks.items():
        a, b = pair.split("|")
        diagonal = b == "+" or (a == b and program.kernels.structure.kinds[a, a] == "diagonal")
        block = as_matrix(block, shapes[a], () if diagonal else shapes[b])
        if diagonal:
            entries = np.arange(at[a].start, at[a].stop)
            put((..., entries, entries), block, b == "+")
            continue
        put((..., at[a], at[b]), block)
        if a != b:
            put((..., at[b], at[a]), block.swapaxes(-1, -2))
    return whole
