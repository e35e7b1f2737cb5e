"""The dense Hessian over the stacked states, put together from generated blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from unified.codegen.program import Program


def assemble(program: Program, values: Mapping[str, Any]) -> Any:
    """(phase, batch, N, N) from the upper blocks; diagonal ones come as vectors.

    Equation: H_ij = ∂²F/∂s_i∂s_j over all states side by side. Zero blocks are never touched.
    """
    blocks = program.core("hessian", values)
    names = [s.name for s in program.model.states]
    stops = np.cumsum([values[n].shape[-1] for n in names])
    at = {n: slice(stop - values[n].shape[-1], stop) for n, stop in zip(names, stops, strict=True)}
    some = values[names[0]]
    lead = some.shape[:2]
    whole: Any
    if program.backend == "jax":
        import jax.numpy as jnp

        whole = jnp.zeros((*lead, stops[-1], stops[-1]), some.dtype)

        def put(where: Any, block: Any, more: bool = False) -> None:
            nonlocal whole
            whole = whole.at[where].add(block) if more else whole.at[where].set(block)
    else:
        whole = np.zeros((*lead, stops[-1], stops[-1]), some.dtype)

        def put(where: Any, block: Any, more: bool = False) -> None:
            whole[where] = whole[where] + block if more else block

    for pair, block in blocks.items():
        a, b = pair.split("|")
        kind = program.kernels.structure.kinds[a, a]
        if b == "+" or (a == b and kind == "diagonal"):
            entries = np.arange(at[a].start, at[a].stop)
            put((..., entries, entries), block, b == "+")
            continue
        put((..., at[a], at[b]), block)
        if a != b:
            put((..., at[b], at[a]), block.swapaxes(-1, -2))
    return whole
