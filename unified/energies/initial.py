"""How parameters are drawn before learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from unified.symbolic.nodes import Var


@dataclass(frozen=True)
class Initial:
    """A law for one parameter: `normal` (scaled), `entries`, `zeros`, `ones`, `identity`.

    Equation: normal has standard deviation gain/√n_fan, n_fan the size of axis `fan`, or
    gain/(√n_0+√n_1) with fan=None (expected spectral norm `gain`); symmetric laws are
    symmetrised to the same spectral norm; `entries` is normal with standard deviation gain;
    `ones` and `identity` are scaled by the gain.
    Shapes: given when it is drawn.
    """

    law: str = "normal"
    gain: float = 1.0
    fan: int | None = None
    symmetric: bool = False

    def draw(self, rng: Any, shape: tuple[int, ...]) -> Any:
        """An array of this law; `rng` is a NumPy Generator."""
        import numpy as np

        if self.law == "zeros":
            return np.zeros(shape)
        if self.law == "ones":
            return np.full(shape, self.gain)
        if self.law == "entries":
            return self.gain * rng.standard_normal(shape)
        if self.law == "identity":
            return self.gain * np.eye(shape[0])
        if self.fan is None:
            spread = sum(np.sqrt(n) for n in shape) if shape else 1.0
        else:
            spread = np.sqrt(shape[self.fan])
        w = rng.standard_normal(shape) * (self.gain / spread)
        return (w + w.T) / np.sqrt(2.0) if self.symmetric else w


def default_initial(p: Var) -> Initial:
    """Zeros for vectors and scalars; spectral norm one half for matrices."""
    if p.ndim < 2:
        return Initial("zeros")
    return Initial("normal", 0.5, symmetric=p.symmetric)
