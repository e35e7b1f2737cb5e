"""Small nets of the library with parameters and data of their own, for tables of estimators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen import Program, emit
from unified.energies import costs, hopfield, predictive, recurrent

MAKERS = {
    "hopfield": lambda s: hopfield(s),
    "recurrent": lambda s: recurrent(*s),
    "predictive": lambda s: predictive(s),
}
SHAPES = {"hopfield": [3, 5, 2], "recurrent": [4, 3], "predictive": [3, 5, 2]}
NOISE = 0.4  # added to the initial parameters: without it biases are zero and units nearly linear


@dataclass(frozen=True)
class SmallNet:
    """A program with the parameters and data that belong to a seed."""

    name: str
    program: Program
    batch: int = 8

    def params(self, seed: int) -> dict[str, Any]:
        """Initial parameters with noise, so that no bias is zero; symmetric where declared."""
        rng = np.random.default_rng([seed, 1])
        found = {}
        first = self.program.init(seed)
        for p in self.program.model.params:
            value = first[p.name]
            size = NOISE / np.sqrt(max(value.shape)) if value.ndim > 1 else NOISE
            noise = size * rng.standard_normal(value.shape)
            found[p.name] = value + ((noise + noise.T) / 2 if p.symmetric else noise)
        return found

    def data(self, seed: int) -> tuple[Any, Any]:
        """Gaussian inputs and targets in (-1, 1)."""
        rng = np.random.default_rng([seed, 2])
        sizes, target = self.program.model.sizes, self.program.target
        assert target is not None
        x = rng.standard_normal((self.batch, sizes[self.program.model.inputs[0].axes[0]]))
        return x, np.tanh(rng.standard_normal((self.batch, sizes[target.axes[0]])))


def make_net(name: str, sizes: Sequence[int] | None = None, batch: int = 8) -> SmallNet:
    """A small net by name. Raises: InputError for a name that is not in MAKERS."""
    if name not in MAKERS:
        raise bad_input("net", "one of " + ", ".join(MAKERS), repr(name), "choose one")
    energy = MAKERS[name](SHAPES[name] if sizes is None else list(sizes))
    return SmallNet(name, emit(energy, costs.squared()), batch)


def parse_nets(text: str | None) -> list[str]:
    """Names as asked for by --nets (default: all). Raises: InputError for an unknown one."""
    names = list(MAKERS) if text is None else [w.strip() for w in text.split(",")]
    for name in names:
        if name not in MAKERS:
            raise bad_input("--nets", "names among " + ", ".join(MAKERS), repr(text), "choose some")
    return list(dict.fromkeys(names))
