"""Metrics: how the force becomes motion, τ ds/dt = −M ∂F/∂s."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unified.base.errors import bad_input

if TYPE_CHECKING:
    from unified.codegen.program import Program
    from unified.dynamics.system import System

State = dict[str, Any]
Times = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class AbstractMetric:
    """The metric M, with its time constants τ, in which a network moves.

    Equation: τ ds/dt = −M ∂F/∂s, F = E + βC: the whole force, nudge included, passes through M,
    so rest points, and with them every gradient, are those of F. At a rest point the motion is
    linearised by −τ⁻¹MH, H = ∂²F/∂s∂s, and the point is stable iff that is Hurwitz. The spectrum
    of MH is that of a matrix symmetric in the form M⁻¹, so a stable H has the inertia of M
    (Sylvester's law for M ≻ 0: stable iff H ≻ 0, whatever τ).
    Shapes: `rates` τ⁻¹M per unit, broadcastable to the states.
    Reference: Brayton & Moser (1964); Carlson & Schneider (1963), J. Math. Anal. Appl. 6, 430.
    """

    @property
    def named(self) -> tuple[str, ...]:
        """The states this metric names."""
        return ()

    def ascends(self, name: str) -> bool:
        """Whether the units of this state climb F instead of descending it."""
        return False

    def definite(self, names: Iterable[str]) -> bool:
        """Whether M ≻ 0 on these states: then what is stable is a minimum of F."""
        return not any(self.ascends(n) for n in names)

    @abstractmethod
    def rates(self, system: System, state: State) -> State:
        """The diagonal of τ⁻¹M for every state."""

    def velocity(self, system: System, state: State, grad: State) -> State:
        """ds/dt = −τ⁻¹M ∂F/∂s."""
        rates = self.rates(system, state)
        return {n: -rates[n] * g for n, g in grad.items()}

    def check(self, program: Program) -> None:
        """Raise InputError for states the program does not have, or sizes that do not fit."""
        model = program.model
        known = {s.name: s for s in model.states}
        for name in self.named:
            if name not in known:
                raise bad_input("metric", f"states among {', '.join(known)}", repr(name),
                                "name the states of the energy")  # fmt: skip

    def abscissa(self, lowest: Any) -> Any:
        """The slowest rate max Re λ(−τ⁻¹MH), M ≻ 0, from the least eigenvalue of (τ⁻¹M)^½H(·)^½."""
        return -lowest


@dataclass(frozen=True)
class Identity(AbstractMetric):
    """Gradient flow: ds/dt = −∂F/∂s."""

    def rates(self, system: System, state: State) -> State:
        return dict.fromkeys(system.names, 1.0)


@dataclass(frozen=True)
class TimeConstants(AbstractMetric):
    """Gradient flow with a time constant for every layer or unit.

    Equation: τ ds/dt = −∂F/∂s. Shapes: `tau` maps states to a number or one number per unit
    (states left out: 1), in the unit in which times are then measured.
    Raises: InputError for a time constant that is not positive.
    """

    tau: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "tau", times(self.tau))

    @property
    def named(self) -> tuple[str, ...]:
        return tuple(n for n, _ in self.tau)

    def rates(self, system: System, state: State) -> State:
        return scaled(system, dict.fromkeys(system.names, 1.0), self.tau)


@dataclass(frozen=True)
class SkewGradient(AbstractMetric):
    """Some units descend F, the others climb it: an excitatory-inhibitory net, a saddle at rest.

    Equation: τ du/dt = −∂F/∂u, τ dv/dt = +∂F/∂v for the states v in `ascending`. With
    H_uu ≻ 0 ≻ H_vv a rest point is stable for all τ; otherwise that depends on τ and is measured.
    Energies bound the loss as they do for M ≻ 0 while the cost reads descending units, and the
    other way round where it reads ascending ones; there β > 0 is the destabilising nudge.
    Shapes: `tau` as in `TimeConstants`.
    Raises: InputError for no ascending state or a time constant that is not positive.
    Reference: Yanagida (2002), J. Differ. Equ. 179, 311.
    """

    ascending: tuple[str, ...] = ("v",)
    tau: Any = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "ascending", state_names("ascending", self.ascending))
        object.__setattr__(self, "tau", times(self.tau))

    @property
    def named(self) -> tuple[str, ...]:
        return (*self.ascending, *(n for n, _ in self.tau))

    def ascends(self, name: str) -> bool:
        return name in self.ascending

    def rates(self, system: System, state: State) -> State:
        signs = {n: -1.0 if self.ascends(n) else 1.0 for n in system.names}
        return scaled(system, signs, self.tau)


@dataclass(frozen=True)
class Momentum(AbstractMetric):
    """Units with inertia: they overshoot, and ring down to the same rest points.

    Equation: m d²s/dt² = −∂F/∂s − γ ds/dt; every eigenvalue λ of H gives the two rates
    (−γ ± √(γ² − 4mλ))/2m, so a rest point is stable iff H ≻ 0.
    Raises: InputError for a mass or damping that is not positive.
    Reference: Polyak (1964), USSR Comput. Math. Math. Phys. 4, 1.
    """

    damping: float = 1.0
    mass: float = 1.0

    def __post_init__(self) -> None:
        for name in ("damping", "mass"):
            if not (_number(getattr(self, name)) and getattr(self, name) > 0):
                raise bad_input(name, "a positive number", getattr(self, name),
                                "without it nothing settles")  # fmt: skip

    def rates(self, system: System, state: State) -> State:
        return dict.fromkeys(system.names, 1.0)

    def acceleration(self, force: Any, speed: Any) -> Any:
        """d²s/dt² from −∂F/∂s and ds/dt."""
        return (force - self.damping * speed) / self.mass

    def abscissa(self, lowest: Any) -> Any:
        import jax.numpy as jnp

        root = jnp.sqrt(jnp.maximum(self.damping**2 - 4 * self.mass * lowest, 0.0))
        return (root - self.damping) / (2 * self.mass)


def require_metric(metric: AbstractMetric | None, program: Program) -> AbstractMetric:
    """The metric, Identity for None, checked against a program. Raises: InputError."""
    if metric is None:
        return Identity()
    if not isinstance(metric, AbstractMetric):
        raise bad_input("metric", "a metric such as un.SkewGradient(('v',))", metric, "pass one")
    metric.check(program)
    return metric


def _number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and np.isfinite(value)


def state_names(argument: str, names: Any) -> tuple[str, ...]:
    found = (names,) if isinstance(names, str) else tuple(names)
    if not found or not all(isinstance(n, str) for n in found):
        raise bad_input(argument, "names of states", repr(names), "use e.g. ('v',)")
    return found


def times(tau: Any) -> Times:
    """Time constants as hashable pairs. Raises: InputError."""
    if not isinstance(tau, Mapping):
        try:
            tau = dict(tau)
        except (TypeError, ValueError) as err:
            raise bad_input("tau", "time constants by state", repr(tau),
                            "use e.g. {'v': 0.5}") from err  # fmt: skip
    found = []
    for name, value in sorted(tau.items()):
        array = np.asarray(value)
        good = array.dtype.kind in "iuf" and array.ndim < 2 and array.size > 0
        if not (good and np.all(np.isfinite(array)) and np.all(array > 0)):
            raise bad_input(f"tau of {name}", "positive numbers", value,
                            "a unit cannot run backwards in time; use un.SkewGradient for units "
                            "that ascend")  # fmt: skip
        found.append((name, tuple(map(float, array)) if array.ndim else float(array)))
    return tuple(found)


def scaled(system: System, rates: State, times: Times) -> State:
    """Rates divided by the time constants."""
    for name, tau in times:
        if name not in rates:
            continue  # held at its target
        value = np.asarray(tau)
        shape = system.shapes[name]
        if value.ndim and value.shape != shape:
            raise bad_input(f"tau of {name}", f"a number or {shape} numbers", f"{len(tau)}",
                            "give one per unit")  # fmt: skip
        rates[name] = rates[name] / (tau if not value.ndim else value.astype(system.program.dtype))
    return rates
