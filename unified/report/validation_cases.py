"""What a validation compares with: independent seeds, their reference gradients, and differences.

A case is one network at the parameters and data of one seed. Its reference gradient is measured
once and checked against finite differences of the reference's own objective, so that one set of
cases can serve many estimators.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.codegen.program import Program
from unified.data import Dataset
from unified.learning.exact import Implicit
from unified.learning.finite import (
    FiniteDifference,
    directional_differences,
    random_directions,
)  # fmt: skip
from unified.learning.gradient import AbstractEstimator, GradientEstimate, prepare

Arrays = dict[str, Any]
# Steps of the finite differences; truncation falls and rounding grows along the ladder.
LADDER = tuple(0.025 * 4.0**-k for k in range(7))
PAST = 30.0  # how far past the best step a ladder is followed, in its error
SAMPLES = 16  # of a data set, drawn anew for every seed
_STREAM = 7919  # directions must not repeat the random numbers that made the parameters


@dataclass(frozen=True)
class Differences:
    """Finite differences along random directions, each at its own best step.

    Shapes: `slopes`, `errors` and `steps` one number per direction; `errors` estimates truncation
    plus rounding; NaN where no step gave two neighbouring finite values.
    """

    directions: tuple[Arrays, ...]
    slopes: Any
    errors: Any
    steps: Any


@dataclass(frozen=True)
class Case:
    """One network at one seed: parameters, data, the reference gradient and its differences.

    `pair` is a Gaussian direction (not normalised): projections of two gradients on it correlate
    over seeds as the cosine between them. `fault` says why there is no reference.
    """

    network: str
    program: Program
    seed: int
    params: Arrays
    x: Any
    y: Any
    pair: Arrays
    reference: GradientEstimate | None
    differences: Differences | None
    fault: str = ""


def best_differences(
    slope: Callable[[float], float], ladder: Iterable[float] = LADDER
) -> tuple[float, float, float]:
    """A slope at the step where it depends least on the step: (slope, error, step).

    Equation: over a ladder h_0 > h_1 > ..., the h_j with the least
    max(|D_j − D_{j−1}|, |D_j − D_{j+1}|): truncation makes the first large, rounding the second.
    The error is that maximum. NaN where no step has finite neighbours.
    Reference: Ridders (1982), Adv. Eng. Software 4, 75.
    """
    steps, found, best = list(ladder), [], (math.nan, math.inf, math.nan)
    for h in steps:
        found.append(slope(h))
        if len(found) > 2:
            before, at, after = found[-3:]
            error = max(abs(at - before), abs(at - after))
            if error < best[1]:
                best = (at, error, steps[len(found) - 2])
            elif error > PAST * best[1]:
                break  # rounding has taken over
    return best if math.isfinite(best[1]) else (math.nan, math.nan, math.nan)


def measure_differences(
    program: Program, params: Arrays, x: Any, y: Any, count: int, seed: int, of: AbstractEstimator
) -> Differences:
    """Differences of an estimator's objective along random directions, steps chosen one by one."""
    directions = random_directions(params, count, seed + _STREAM)

    def slope(d: Arrays, h: float) -> float:
        try:
            found = directional_differences(program, params, x, y, [d], of=of, step=h)
        except ConvergenceError:  # a long step may leave the region where the net comes to rest
            return float("nan")
        return float(found[0])

    rows = [best_differences(lambda h, d=d: slope(d, h)) for d in directions]  # type: ignore[misc]
    slopes, errors, steps = np.array(rows).T
    return Differences(tuple(directions), slopes, errors, steps)


def make_cases(
    reference: AbstractEstimator,
    program: Program | Mapping[str, Program],
    data: Any,
    seeds: Iterable[int],
    *,
    params: Callable[[int], Mapping[str, Any]] | Mapping[str, Any] | None = None,
    directions: int = 8,
) -> list[Case]:
    """One case per network and seed, in that order.

    Raises: InputError for seeds that repeat or are none, networks without data, a program in
    float32, or a reference that does not apply.
    """
    programs = {program.model.name: program} if isinstance(program, Program) else dict(program)
    if not programs:
        raise bad_input("program", "at least one program", "an empty mapping", "add one")
    if not isinstance(reference, AbstractEstimator):
        raise bad_input("reference", "an estimator such as un.Implicit()", reference, "pass one")
    if isinstance(directions, bool) or not isinstance(directions, int) or directions < 1:
        raise bad_input("directions", "a number of at least 1", directions, "use e.g. 8")
    found = []
    for name, each in programs.items():
        if each.dtype != np.float64:
            raise bad_input(f"program {name}", "float64, to be validated", each.dtype.name,
                            "emit with dtype='float64'")  # fmt: skip
        prepare(each, reference)
        own = _of_network(params, name) or each.init
        for seed in check_seeds(seeds):
            found.append(_case(reference, name, each, _of_network(data, name), seed, own,
                               directions))  # fmt: skip
    return found


def _case(reference: AbstractEstimator, name: str, program: Program, data: Any, seed: int,
          draw: Callable[[int], Mapping[str, Any]], directions: int) -> Case:  # fmt: skip
    rng = np.random.default_rng([seed, _STREAM])
    x, y = _draw_data(data(seed) if callable(data) else data, rng)
    params = dict(draw(seed))
    pair = {k: rng.standard_normal(np.shape(v)) for k, v in params.items()}
    of: AbstractEstimator = reference
    if isinstance(reference, FiniteDifference):
        of = reference.of or Implicit()
    try:
        along = measure_differences(program, params, x, y, directions, seed, of)
        if isinstance(reference, FiniteDifference) and np.isfinite(along.steps).all():
            reference = replace(reference, step=float(np.median(along.steps)))
        estimate = reference(program, params, x, y)
    except ConvergenceError as error:
        return Case(name, program, seed, params, x, y, pair, None, None, str(error))
    return Case(name, program, seed, params, x, y, pair, estimate, along)


def check_seeds(seeds: Iterable[int]) -> list[int]:
    """The seeds as a list. Raises: InputError if there are none, one repeats or is no number."""
    listed = [seeds] if isinstance(seeds, int | str) else list(seeds)
    whole = [s for s in listed
             if isinstance(s, int | np.integer) and not isinstance(s, bool) and s >= 0]  # fmt: skip
    if len(whole) != len(listed) or not listed or isinstance(seeds, int | str):
        raise bad_input("seeds", "several whole numbers of at least 0", seeds, "use e.g. range(10)")
    if len(set(whole)) != len(whole):
        raise bad_input("seeds", "numbers that differ", seeds,
                        "a repeated seed is a copy, not a sample; drop it")  # fmt: skip
    return [int(s) for s in whole]


def _of_network(value: Any, name: str) -> Any:
    """What a mapping by network says about one of them; anything else serves them all."""
    if not isinstance(value, Mapping):
        return value
    if name not in value:
        raise bad_input(f"data of {name}", "an entry for every network", f"{sorted(value)}",
                        "add it")  # fmt: skip
    return value[name]


def _draw_data(data: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """The data as given, or rows of a data set that this seed draws."""
    if isinstance(data, Dataset):
        rows = rng.permutation(len(data.x_train))[:SAMPLES]
        return data.x_train[rows], data.y_train[rows]
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise bad_input("data", "a pair (x, y), a function of the seed that gives one, or a "
                        "un.data dataset", data, "pass (x, y)")  # fmt: skip
    return data[0], data[1]
