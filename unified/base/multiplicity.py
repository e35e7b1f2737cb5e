"""Many tests at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from unified.base.errors import bad_input


def holm(p: ArrayLike) -> Any:
    """p-values adjusted so that rejecting those ≤ α errs at all with probability ≤ α.

    Equation: p̃_(k) = max_{j≤k} min(1, (m−j+1) p_(j)); valid under any dependence.
    Shapes: any; the result likewise. Raises: InputError for a p-value that is not in [0, 1].
    Reference: Holm (1979), Scand. J. Stat. 6, 65.
    """
    raw = np.asarray(p, float)
    flat = raw.ravel()
    if not np.all((flat >= 0) & (flat <= 1)):
        raise bad_input("p", "numbers from 0 to 1", flat.tolist(), "drop tests that were not made")
    order = np.argsort(flat, kind="stable")
    steps = np.maximum.accumulate(flat[order] * np.arange(flat.size, 0, -1))
    found = np.empty_like(flat)
    found[order] = np.minimum(1.0, steps)
    return found.reshape(raw.shape)
