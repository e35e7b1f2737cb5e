"""One inference problem: an energy, a cost and data, read as a probability law over states."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program, emit
from unified.dynamics.chains import check_temperature
from unified.dynamics.phase import Phase
from unified.dynamics.relax import phase_values, runnable
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy


@dataclass(frozen=True)
class Problem:
    """The law p(s | x, y) ∝ exp(−(E + βC)/T) of one sample, its arrays checked.

    Equation: prior ∝ exp(−E/T), likelihood ∝ exp(−βC/T); β = 0 is the prior alone.
    Shapes: params a dict by name; x, y one sample, without a batch axis. "Stacked" states are one
    vector (N): every state flattened, in the order of the energy.
    Raises: InputError for T ≤ 0, β that is not a finite real number, a batch, or arrays that
    do not fit.
    Reference: theory page D1–D3.
    """

    program: Program
    params: dict[str, Any]
    x: Any
    y: Any
    beta: float
    temperature: float

    @classmethod
    def of(
        cls, energy: Energy, cost: Cost | CostFamily | None, params: Mapping[str, Any],
        x: Any = None, y: Any = None, *, beta: float = 1.0, temperature: float = 1.0,
    ) -> Problem:  # fmt: skip
        """Check everything once. Without a cost there is nothing to nudge, and β is 0."""
        program = program_of(energy, cost)
        runnable(program)
        strength = _real(beta) if cost is not None else 0.0
        check_temperature(temperature)
        if strength and y is None:
            raise bad_input("y", "a target for the cost", "none", "pass y, or beta=0")
        phase = Phase.nudged(x, y, strength) if strength else Phase(x, y)
        values, batch = phase_values(program, params, phase)
        if batch is not None:
            raise bad_input("x, y", "one sample, without a batch axis", f"{batch} samples",
                            "call it once per sample")  # fmt: skip
        own = {p.name: np.asarray(values[p.name]) for p in program.model.params}
        return cls(program, own, x, y, strength, float(temperature))

    def at(self, beta: float) -> Problem:
        """The same problem at another nudge."""
        return Problem(self.program, self.params, self.x, self.y, _real(beta), self.temperature)

    @cached_property
    def phase(self) -> Phase:
        """The phase that relaxes to a mode of the law."""
        return Phase.nudged(self.x, self.y, self.beta) if self.beta else Phase(self.x, self.y)

    @cached_property
    def values(self) -> dict[str, Any]:
        """Parameters, data and β with phase and batch axes, as generated functions take them."""
        return phase_values(self.program, self.params, self.phase)[0]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every state."""
        found: dict[Any, int] = dict(self.program.model.sizes)
        for v in self.program.model.params:
            found |= dict(zip(v.axes, np.shape(self.params[v.name]), strict=True))
        for v in self.program.kernels.data:
            found |= dict(zip(v.axes, np.shape(self.values[v.name])[1:], strict=True))
        return {s.name: tuple(found[a] for a in s.axes) for s in self.program.model.states}

    @cached_property
    def size(self) -> int:
        """The number N of all units."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def stack(self, state: Mapping[str, Any]) -> Any:
        """States as one vector (..., N), leading axes kept."""
        parts = []
        for name, shape in self.shapes.items():
            value = np.asarray(state[name])
            lead = value.shape[: value.ndim - len(shape)]
            parts.append(value.reshape(*lead, -1))
        return np.concatenate(parts, axis=-1)

    def unstack(self, vector: Any) -> dict[str, Any]:
        """The states of a stacked vector (..., N), leading axes kept."""
        found, at = {}, 0
        for name, shape in self.shapes.items():
            n = int(np.prod(shape))
            found[name] = vector[..., at : at + n].reshape(*vector.shape[:-1], *shape)
            at += n
        return found

    @cached_property
    def numeric(self) -> Program:
        """The same functions in NumPy: nothing to compile, for draws of whatever number."""
        return program_of(self.program.model, self.program.cost_model, "numpy")

    def force(self, vector: Any) -> Any:
        """−∂F/∂s at one stacked state (N,), stacked."""
        return self.stack(self.evaluate("force", np.asarray(vector)[None]))[0]

    def evaluate(self, name: str, vectors: Any) -> dict[str, Any]:
        """A generated function ("energy", "cost", "force") at stacked states (K, N): (K, ...) each.

        Equation: "energy" gives F = E + βC as {"F": (K,)}, "cost" C as {"C": (K,)}.
        """
        vectors = np.asarray(vectors, self.program.dtype)
        # The states stand on the phase axis: then no data have to be repeated.
        lifted = {k: v[:, None] for k, v in self.unstack(vectors).items()}
        nudges = np.full(len(vectors), self.beta, self.program.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # far out F may be infinite
            found = self.numeric.core(name, {**self.values, **lifted, "beta": nudges})
        return {k: np.asarray(v)[:, 0] for k, v in found.items()}

    def jit(self, key: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that knows this problem's shapes, compiled once per program and shapes."""
        return self.program.jit((key, tuple(self.shapes.items())), function)

    @cached_property
    def units(self) -> list[str]:
        """A label per stacked unit, as s1[3]."""
        return [
            f"{name}[{','.join(map(str, at))}]"
            for name, shape in self.shapes.items() for at in np.ndindex(*shape)
        ]  # fmt: skip

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the law itself: expressions, parameters, data; not of β and T."""
        text = hashlib.sha256()
        cost = self.program.cost_model
        text.update(self.program.model.expr.digest + (cost.expr.digest if cost else b""))
        for name in sorted(set(self.values) - {"beta"}):
            text.update(name.encode() + np.ascontiguousarray(self.values[name]).tobytes())
        return text.hexdigest()[:16]


@lru_cache(maxsize=64)
def program_of(
    energy: Energy, cost: Cost | CostFamily | None, backend: str = "jax"
) -> Program:
    """The program of an energy, kept: what it has compiled serves the next call too."""
    return emit(energy, cost, backend=backend)


def _real(beta: Any) -> float:
    value = np.asarray(beta)
    if value.ndim or value.dtype.kind not in "iuf" or not np.isfinite(value):
        raise bad_input("beta", "one finite real number", repr(beta), "use e.g. beta=1.0")
    return float(value)
