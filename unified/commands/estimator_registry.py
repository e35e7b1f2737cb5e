"""Every estimator of the library, ready to run: new ones appear here by themselves."""

from __future__ import annotations

import inspect
import math
import pkgutil
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from importlib import import_module
from typing import Any

from unified.learning.gradient import AbstractEstimator
from unified.report.validation_measures import nudge_name, nudged

# Nudges by declared order: bias well below a percent, rounding well below the bias.
NUDGES = {1: 1e-3, 2: 5e-3}
SMALL_RADIUS = 0.03
# Settings without a default that a table may choose.
CHOSEN: dict[str, Any] = {"key": 0, "temperature": 0.01, "beta": 1e-3}
ENTRIES = 300  # above which entry-by-entry differences take too long for a table


@dataclass(frozen=True)
class Candidate:
    """An estimator under its label, or the sentence that says why there is none."""

    label: str
    estimator: AbstractEstimator | None
    refusal: str = ""


def estimator_classes() -> list[type[AbstractEstimator]]:
    """Every concrete estimator class of `unified.learning`, by name, exact ones first."""
    package = import_module("unified.learning")
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"unified.learning.{module.name}")
    found = {
        c for c in _below(AbstractEstimator)
        if c.__module__.startswith("unified.learning.") and not inspect.isabstract(c)
        and not c.__name__.startswith(("Abstract", "_"))
    }  # fmt: skip
    return sorted(found, key=lambda c: (c.__name__ != "Implicit", c.__name__))


def _below(cls: type[Any]) -> Iterator[type[Any]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _below(sub)


def registry() -> list[Candidate]:
    """One candidate per class; a clamping one whose nudge may be finite has a nudged twin."""
    return [candidate for cls in estimator_classes() for candidate in _candidates(cls)]


def _candidates(cls: type[AbstractEstimator]) -> Iterator[Candidate]:
    given: dict[str, Any] = {"limit": ENTRIES} if "limit" in {f.name for f in fields(cls)} else {}
    for f in fields(cls):
        if f.init and f.default is MISSING and f.default_factory is MISSING:
            if f.name not in CHOSEN:
                yield Candidate(cls.__name__, None, f"{cls.__name__} needs {f.name}; make one "
                                "and call it directly.")  # fmt: skip
                return
            given[f.name] = CHOSEN[f.name]
    plain = cls(**given)
    name = nudge_name(plain)
    if name is None:
        yield Candidate(cls.__name__, plain)
        return
    if math.isinf(getattr(plain, name)):
        yield Candidate(f"{cls.__name__} clamped", plain)
    twin = nudged(plain, CHOSEN["beta"])
    nudge = SMALL_RADIUS if twin.order is None else NUDGES.get(twin.order, SMALL_RADIUS)
    yield Candidate(f"{cls.__name__} {'r' if name == 'radius' else 'β'}={nudge:g}",
                    nudged(plain, nudge))  # fmt: skip
