"""The loop that every method shares: save points, checkpoints, progress, and its checks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.base.files import check_writable_dir
from unified.learning import checkpoint as store
from unified.meanfield.functional import AbstractFunctional, part
from unified.meanfield.measures import AbstractMeasure
from unified.meanfield.result import STATUS, FlowResult, mass_of

State = dict[str, Any]
FLOW = "F(0) − F(t) = ∫∫|∇δF/δμ|²dμ dt, integrated by the rule of the steps"


@dataclass(frozen=True)
class Plan:
    """When to step, in units of τ, and when to save.

    Equation: n steps of dt = t1/τn; save k is after `marks[k]` steps, at t1·marks[k]/n. `t1` is in
    units of time.
    """

    t1: float
    dt: float
    marks: Any
    tau: float

    @classmethod
    def of(cls, t1: float, dt: float | None, saves: int, tau: float) -> Plan:
        """The longest equal steps up to dt that end at t1, and at most `saves` saves after 0.

        Without a dt a step is what lies between two saves, for methods that divide it themselves.
        """
        span = t1 / tau
        n = saves if dt is None else max(1, int(np.ceil(span / dt - 1e-9)))
        marks = np.unique(np.rint(np.linspace(0, n, saves + 1)).astype(int))
        return cls(t1, span / n, marks, tau)

    @property
    def ts(self) -> Any:
        """The times of the saves, in units of time: to the last bit those of np.linspace."""
        asked = np.linspace(0, self.t1, len(self.marks))
        found = self.t1 * self.marks / self.marks[-1]
        return np.where(np.abs(found - asked) <= 1e-12 * self.t1, asked, found)


class AbstractStepper(ABC):
    """One method on one functional.

    A state is a dict of NumPy arrays that holds all that the next step depends on, so that a run
    that resumes from it is bit-identical; "dissipated" is ∫∫|∇δF/δμ|²dμdt so far. "spent" is what
    F has lost by the identity that the method's own steps obey, said by `certifies`; where it is
    left out they obey that of the flow.
    """

    name: str
    citation: str
    certifies: str = FLOW
    noisy: bool = False
    adaptive: bool = False

    def __init__(self, functional: AbstractFunctional) -> None:
        self.functional = functional

    @abstractmethod
    def start(self, mu0: Any) -> State:
        """The state of the first measure. Raises: InputError for a kind it cannot start from."""

    @abstractmethod
    def advance(self, state: State, first: int, last: int, dt: float) -> State:
        """The state after steps `first` to `last`."""

    @abstractmethod
    def measure(self, state: State) -> Any:
        """The measure of a state."""

    def energy(self, measure: AbstractMeasure) -> float:
        """F, or what of it the method's measures can evaluate."""
        return self.functional.value(measure)

    @property
    def energy_kind(self) -> str:
        """What `energy` is."""
        return "F"

    def details(self, state: State) -> dict[str, Any]:
        """What else was measured."""
        return {}

    def identity(self) -> tuple[Any, ...]:
        """What makes a run of this method the run it is, besides its measure and times."""
        return (self.name, *self.functional.identity())


class ParticleStepper(AbstractStepper):
    """What methods on particles share: their energy leaves out internal energies."""

    def energy(self, measure: AbstractMeasure) -> float:
        """The energy of the terms that particles feel."""
        return part(self.functional, False).value(measure)

    @property
    def energy_kind(self) -> str:
        """F, or F without the entropy."""
        inside = any(t.internal for t in self.functional.terms) and self.functional.temperature > 0
        return "F without internal energy" if inside else "F"


@dataclass
class History:
    """The saves so far, and their way to disk and back."""

    states: list[State] = field(default_factory=list)

    def save(self, path: Path, run: str) -> None:
        names = sorted(self.states[0])
        leaves = [np.asarray(s[n]) for s in self.states for n in names]
        store.save(path, leaves, {"run": run, "names": names})

    @classmethod
    def load(cls, path: Path, run: str) -> History:
        leaves, facts = store.load(path, run)
        names = facts["names"]
        rows = [leaves[k : k + len(names)] for k in range(0, len(leaves), len(names))]
        return cls([dict(zip(names, row, strict=True)) for row in rows])


def follow(stepper: AbstractStepper, mu0: Any, plan: Plan, *, checkpoint: str | Path | None,
           progress: bool, throw: bool) -> FlowResult:  # fmt: skip
    """Run a method through its saves."""
    first = stepper.start(mu0)
    path = None if checkpoint is None else Path(checkpoint)
    history = History([first])
    if path is not None:
        check_writable_dir(path.parent, "checkpoint")
        run = store.fingerprint(
            *stepper.identity(), stepper.energy(stepper.measure(first)), plan.dt, plan.tau,
            plan.marks, *(first[k] for k in sorted(first)),
        )  # fmt: skip
        if path.exists():
            history = History.load(path, run)
    bar = _bar(progress, len(plan.marks) - 1, len(history.states) - 1, stepper.name)
    status = "completed"
    for k in range(len(history.states), len(plan.marks)):
        state = stepper.advance(history.states[-1], plan.marks[k - 1], plan.marks[k], plan.dt)
        if not _sound(state):
            status = "non_finite"
            break
        stepper.functional.certify(stepper.measure(state))
        history.states.append(state)
        if path is not None:
            history.save(path, run)
        if bar is not None:
            bar.update()
    if bar is not None:
        bar.close()
    result = _result(stepper, history.states, plan, status)
    if throw and not result.completed:
        at = f"t = {result.ts[-1]:g}"
        kept = "" if path is None else f" (the last good state, {at}, is kept in {path})"
        raise ConvergenceError(
            f"solve_flow: expected a flow that completes, got {result.status} after {at}{kept}; "
            f"{STATUS[result.status]}.", (result.status,),
        )  # fmt: skip
    return result


def _sound(state: State) -> bool:
    kept = (v for k, v in state.items() if k not in ("dissipated", "spent"))
    return all(np.all(np.isfinite(v)) for v in kept if np.asarray(v).dtype.kind == "f")


def _result(stepper: AbstractStepper, states: list[State], plan: Plan, status: str) -> FlowResult:
    measures = tuple(stepper.measure(s) for s in states)
    energy = np.array([stepper.energy(m) for m in measures])
    if status == "completed" and not stepper.noisy and stepper.functional.descends:
        rise = float(np.max(np.diff(energy), initial=0.0))
        if rise > 1e-6 * float(np.ptp(energy)) + 1e-7 * float(np.max(np.abs(energy))):
            status = "energy_rose"
    return FlowResult(
        plan.ts[: len(states)], measures, energy,
        np.array([float(s["dissipated"]) for s in states]),
        np.array([mass_of(m) for m in measures]), status, stepper.name,
        repr(stepper.functional), np.nan if stepper.adaptive else plan.dt * plan.tau,
        stepper.citation, stepper.energy_kind,
        stepper.details(states[-1]), stepper.certifies,
        np.array([float(s["spent" if "spent" in s else "dissipated"]) for s in states]),
    )  # fmt: skip


def _bar(progress: bool, total: int, done: int, name: str) -> Any:
    if not progress:
        return None
    from tqdm import tqdm

    return tqdm(total=total, initial=done, desc=name, unit="save")


def wrong_measure(method: str, wanted: str, got: Any, remedy: str) -> Exception:
    """The error for a measure that a method cannot start from."""
    return bad_input("mu0", f"{wanted}, for method '{method}'", type(got).__name__, remedy)
