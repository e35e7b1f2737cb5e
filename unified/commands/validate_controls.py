"""Negative controls of a validation: estimators with one mistake each, which it must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.phase import Phase
from unified.learning.gradient import AbstractEstimator, GradientEstimate, Raw, Values
from unified.learning.nudging import Centered, OneSided

Arrays = dict[str, Any]
BETA = 1e-3
EARLY = 0.3  # of its way to the nudged rest point, where an interrupted phase stopped


@dataclass(frozen=True)
class Broken(AbstractEstimator):
    """An estimator with a mistake; it reports whatever a working one would report.

    Raises: InputError for a mistake that is not in MISTAKES, or one the energy cannot make.
    """

    mistake: str = "phases swapped"

    def __post_init__(self) -> None:
        if self.mistake not in MISTAKES:
            raise bad_input("mistake", f"one of {', '.join(MISTAKES)}", self.mistake, "choose one")

    @property
    def order(self) -> int:
        return 2

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free", "nudged", "nudged against")

    def core(self, program: Program, values: Values) -> Raw:
        raise bad_input("Broken", "a call from outside JAX", "a traced one", "call it directly")

    def __call__(self, program: Program, params: Mapping[str, Any], x: Any, y: Any, *,
                 throw: bool = True) -> GradientEstimate:  # fmt: skip
        honest = Centered(BETA)(program, params, x, y, throw=throw)
        grad = MISTAKES[self.mistake](program, dict(params), x, y, honest)
        return replace(honest, grad=grad, estimator=self)

    def __str__(self) -> str:
        return f"broken: {self.mistake}"


def _swapped(p: Program, params: Arrays, x: Any, y: Any, honest: GradientEstimate) -> Arrays:
    return {k: -v for k, v in honest.grad.items()}


def _wrong_sign(p: Program, params: Arrays, x: Any, y: Any, honest: GradientEstimate) -> Arrays:
    """The nudge pushes away from the target; the contrast is divided as if it pulled."""
    away = OneSided(-BETA)(p, params, x, y)
    return {k: -v for k, v in away.grad.items()}


def _half(p: Program, params: Arrays, x: Any, y: Any, honest: GradientEstimate) -> Arrays:
    return {k: 2 * v for k, v in honest.grad.items()}


def _zeroed(p: Program, params: Arrays, x: Any, y: Any, honest: GradientEstimate) -> Arrays:
    last = p.model.params[-1].name
    return honest.grad | {last: 0 * honest.grad[last]}


def _interrupted(p: Program, params: Arrays, x: Any, y: Any, honest: GradientEstimate) -> Arrays:
    """The phase at +β stopped early, and said that it had converged."""
    free, toward, away = (e.state for e in honest.equilibria)
    early = {k: free[k] + EARLY * (toward[k] - free[k]) for k in free}
    return _contrast(p, params, x, y, [(early, BETA, 1), (away, -BETA, -1)])


def _no_slope(p: Program, params: Arrays, x: Any, y: Any, honest: GradientEstimate) -> Arrays:
    """The derivative of tanh forgotten wherever the rule meets it.

    Hopfield and recurrent rules hold rates: their change ρ'Δs becomes Δs. Predictive rules hold
    ε⊙f'(a)⊗z: the factor f' of the hidden layers is left out (layers that are linear have none).
    """
    if p.model.name == "predictive":
        return _no_slope_predictive(p, params, x, y, honest)
    free, toward, away = (e.state for e in honest.equilibria)
    moved = [
        {k: free[k] + (at[k] - free[k]) / (1 - np.tanh(free[k]) ** 2) for k in free}
        for at in (toward, away)
    ]
    return _contrast(p, params, x, y, [(moved[0], BETA, 1), (moved[1], -BETA, -1)])


def _no_slope_predictive(p: Program, params: Arrays, x: Any, y: Any,
                         honest: GradientEstimate) -> Arrays:  # fmt: skip
    names = [s.name for s in p.model.states]
    grad = dict(honest.grad)
    for l in range(1, len(names)):  # hidden layers; the last one predicts linearly
        total: list[Any] = [0.0, 0.0]
        for e, sign in zip(honest.equilibria[1:], (1, -1), strict=True):
            below = x if l == 1 else e.state[names[l - 2]]
            drive = below @ params[f"W{l}"].T + params[f"b{l}"]
            eps = e.state[names[l - 1]] - np.tanh(drive)
            total[0] = total[0] - sign * eps.T @ below / len(x)
            total[1] = total[1] - sign * eps.mean(axis=0)
        grad[f"W{l}"], grad[f"b{l}"] = (t / (2 * BETA) for t in total)
    return grad


def _contrast(p: Program, params: Arrays, x: Any, y: Any, phases: Any) -> Arrays:
    """(1/2β) Σ ± batch mean of ∂F/∂θ at given states."""
    found = {k: np.zeros(np.shape(v)) for k, v in params.items()}
    for state, beta, sign in phases:
        rule = p.rule(state, params, Phase(x, y, beta))
        found = {k: v + sign * np.mean(rule[k], axis=0) / (2 * BETA) for k, v in found.items()}
    return found


MISTAKES: dict[str, Callable[[Program, Arrays, Any, Any, GradientEstimate], Arrays]] = {
    "missing slope rho'": _no_slope,
    "a phase stopped early": _interrupted,
    "phases swapped": _swapped,
    "wrong sign of beta": _wrong_sign,
    "half beta in the denominator": _half,
    "a rule that is zero": _zeroed,
}


def broken() -> list[Broken]:
    """Every mistake."""
    return [Broken(mistake=m) for m in MISTAKES]
