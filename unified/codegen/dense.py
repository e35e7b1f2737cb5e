"""The dense Hessian over the stacked states, put together from generated blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unified.codegen.program import Program


def assemble(program: Program, values: Mapping[str, Any], names: tuple[str, ...] = ()) -> Any:
    """(phase, batch, N, N) from the upper blocks; diagonal ones come as vectors.

    Equation: H_ij = ∂²F/∂s_i∂s_j. `names` restricts it to some states.
    """
    if program.backend == "jax":
        import jax.numpy as xp
    else:
        import numpy as xp  # type: ignore[no-redef]
    blocks = program.core("hessian", values)
    states = [s.name for s in program.model.states if not names or s.name in names]
    some = values[states[0]]
    lead = some.shape[:2]
    sizes = {s: values[s].shape[2:] for s in states}
    rows = []
    for k, a in enumerate(states):
        row = []
        for m, b in enumerate(states):
            shape = (*lead, *sizes[a], *sizes[b])
            found = blocks.get(f"{a}|{b}" if k <= m else f"{b}|{a}")
            if found is None:
                row.append(xp.zeros(shape, some.dtype))
                continue
            if k == m and program.kernels.structure.kinds[a, a] == "diagonal":
                found = found[..., None] * xp.eye(sizes[a][0], dtype=some.dtype)
            elif k > m:
                found = xp.swapaxes(found, -1, -2)
            row.append(xp.broadcast_to(found, shape))
        rows.append(xp.concatenate(row, axis=-1))
    return xp.concatenate(rows, axis=-2)
