"""Phases: what is clamped and how strongly the output is nudged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input


@dataclass(frozen=True)
class Phase:
    """One condition under which a network relaxes.

    Equation: F = E + βC with x (and y) held; free β = 0; clamped: output state held at y.
    Shapes: x (n0) or (batch, n0), y (ny) or (batch, ny); several inputs as a dict by name; β is
    dimensionless, real or complex, one number (an array of them relaxes one phase each).
    Raises: InputError for a β that is zero, not finite or not a number.
    Reference: Scellier & Bengio (2017), arXiv:1602.05179.
    """

    x: Any = None
    y: Any = None
    beta: Any = 0.0
    kind: str = "free"

    @classmethod
    def free(cls, x: Any = None) -> Phase:
        """β = 0: only the input is held."""
        return cls(x)

    @classmethod
    def nudged(cls, x: Any, y: Any, beta: Any) -> Phase:
        """The output is pulled to the target with strength β (pushed away for β < 0)."""
        value = check_beta(beta)
        if y is None:
            raise bad_input("y", "a target to pull the output to", "none", "pass y")
        return cls(x, y, value, "nudged")

    @classmethod
    def clamped(cls, x: Any, y: Any) -> Phase:
        """The output state is held at the target."""
        if y is None:
            raise bad_input("y", "a target to clamp the output at", "none", "pass y")
        return cls(x, y, 0.0, "clamped")

    @property
    def is_clamped(self) -> bool:
        """True if the output state is held at the target."""
        return self.kind == "clamped"


def check_beta(beta: Any) -> Any:
    """β if it is a finite, nonzero number. Raises: InputError."""
    try:
        array = np.asarray(beta)
        good = array.dtype.kind in "iufc" and bool(np.all(np.isfinite(array)))
    except TypeError:
        good = False
    if not good:
        raise bad_input("beta", "a finite number", repr(beta), "choose e.g. beta=0.01")
    if np.any(array == 0):
        raise bad_input("beta", "a nonzero number", repr(beta), "use Phase.free for beta=0")
    return beta
