"""The Cohen–Grossberg metric: units slowed down where they respond."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from unified.base.errors import bad_input
from unified.dynamics.metric import AbstractMetric, State, scaled, state_names, times
from unified.symbolic.scalar import ScalarFn, X, scalar_fn

if TYPE_CHECKING:
    from unified.codegen.program import Program
    from unified.dynamics.system import System


@dataclass(frozen=True)
class CohenGrossberg(AbstractMetric):
    """Units slowed down where they respond: ds/dt = −(1/ρ'(s)) ∂F/∂s.

    Equation: M = 1/ρ'(s) elementwise on `states` (None: all), 1 elsewhere; with the energy of
    Cohen and Grossberg this is τ ds/dt = −s + Wρ(s) + b.
    Raises: InputError for a ρ that does not increase strictly (relu, clip), where M is infinite.
    Reference: Cohen & Grossberg (1983), IEEE Trans. SMC 13, 815.
    """

    rho: Any = "tanh"
    states: tuple[str, ...] | None = None
    tau: Any = ()

    def __post_init__(self) -> None:
        law = getattr(self.rho, "law", None) or scalar_fn(self.rho)
        _check_increasing(law)
        object.__setattr__(self, "rho", law)
        object.__setattr__(self, "tau", times(self.tau))
        if self.states is not None:
            object.__setattr__(self, "states", state_names("states", self.states))

    @property
    def named(self) -> tuple[str, ...]:
        return (*(self.states or ()), *(n for n, _ in self.tau))

    def rates(self, system: System, state: State) -> State:
        import jax.numpy as jnp

        chosen = system.names if self.states is None else self.states
        slope = _slope_program(self.rho)
        found: State = {}
        for n in system.names:
            found[n] = 1.0
            if n in chosen:
                flat = state[n].reshape(*state[n].shape[:2], -1)
                slopes = slope.module.call("grad_s", {"s": flat})["s"]
                found[n] = 1.0 / jnp.broadcast_to(slopes, flat.shape).reshape(state[n].shape)
        return scaled(system, found, self.tau)


def _check_increasing(law: ScalarFn) -> None:
    """Raise InputError unless ρ is smooth and increases strictly."""
    grid = np.linspace(-3.0, 3.0, 25)
    rising = not law.abstract and law.smooth
    rising = rising and all(float(law.diff().expr.subs(X, float(g)).evalf()) > 0 for g in grid)
    if not rising:
        raise bad_input(
            "rho", "a smooth, strictly increasing function", f"{law.expr}".replace("x_", "x"),
            "its slope divides the force; use e.g. tanh or softplus",
        )  # fmt: skip


@lru_cache(maxsize=64)
def _slope_program(law: ScalarFn) -> Program:
    """Generated code for ρ': the derivative of Σ ρ(s_i)."""
    from unified.codegen.program import emit
    from unified.energies.energy import Energy
    from unified.symbolic.axis import Axis
    from unified.symbolic.build import elementwise, total, var

    s = var("s", Axis("n"))
    return emit(Energy(total(elementwise(law, s)), [s], name="slope"))
