"""Checks, and the file ``results.json`` that machines read."""

import json
import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from unified.base.errors import bad_input
from unified.base.files import atomic_write_text

LEVELS = ("proved", "exact", "numeric")
TRAINING_KEYS = ("rule", "energy", "dataset", "seed", "epochs", "test_error", "seconds")
_PACKAGES = (
    "unified", "numpy", "scipy", "sympy", "jax", "jaxlib", "optax", "scikit-learn", "pymc",
    "pytensor", "arviz", "nutpie",
)  # fmt: skip


@dataclass(frozen=True)
class Check:
    """One claim and what came of it.

    Attributes:
        id: short and unique within a run, e.g. ``"gradient.hopfield.centered"``.
        claim: a sentence that is true or false.
        level: ``"proved"`` (canonical form), ``"exact"`` (prime field) or ``"numeric"``.
        value: what was measured, or None where there is nothing to measure.
        tolerance: what ``value`` was compared with, or None.
        passed: whether the claim held.

    Raises:
        InputError: an unknown level, or a pass whose value or tolerance is NaN or infinite.
    """

    id: str
    claim: str
    level: str
    value: float | None
    tolerance: float | None
    passed: bool

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise bad_input("level", "one of " + ", ".join(LEVELS), repr(self.level), "choose one")
        for field in ("value", "tolerance"):
            number = getattr(self, field)
            if number is not None:
                object.__setattr__(self, field, float(number))
        object.__setattr__(self, "passed", bool(self.passed))
        numbers = [n for n in (self.value, self.tolerance) if n is not None]
        if self.passed and not all(map(math.isfinite, numbers)):
            got = f"value {self.value} and tolerance {self.tolerance}"
            raise bad_input(self.id, "finite numbers in a passed check", got, "mark it failed")

    @classmethod
    def at_most(
        cls, id: str, claim: str, value: float, tolerance: float, level: str = "numeric"
    ) -> "Check":
        """Passed when ``value`` is finite and ``value <= tolerance``."""
        value, tolerance = float(value), float(tolerance)
        passed = math.isfinite(value) and math.isfinite(tolerance) and value <= tolerance
        return cls(id, claim, level, value, tolerance, passed)

    @classmethod
    def holds(cls, id: str, claim: str, passed: bool, level: str = "numeric") -> "Check":
        """A claim with nothing to measure, such as a proof."""
        return cls(id, claim, level, None, None, passed)


def all_passed(checks: Iterable[Check]) -> bool:
    """True when there is at least one check and every one passed."""
    listed = list(checks)
    return bool(listed) and all(check.passed for check in listed)


def failed_first(checks: Iterable[Check]) -> list[Check]:
    """The checks, failed ones first, each part in the order given."""
    return sorted(checks, key=lambda check: check.passed)


def environment() -> dict[str, Any]:
    """Versions and machine kind; no user, host or folder names."""
    packages: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": packages,
        "cpus": os.cpu_count(),
    }


def write_results(
    path: str | os.PathLike[str],
    checks: Sequence[Check],
    training: Sequence[Mapping[str, Any]],
    environment: Mapping[str, Any],
    seconds: float,
    **extra: Any,
) -> Path:
    """Write ``results.json`` atomically, as strict JSON.

    Args:
        path: the file.
        checks: see :class:`Check`; ids must differ.
        training: one mapping per trained net with the keys ``rule, energy, dataset, seed,
            epochs, test_error, seconds`` (``test_error`` a fraction in [0, 1]); more are allowed.
        environment: see :func:`environment`.
        seconds: wall time of the whole run.
        extra: further top-level entries.

    NumPy numbers and arrays are accepted everywhere; NaN and infinity become ``null``.

    Raises:
        InputError: ids that repeat, or a training row that lacks a key.
    """
    ids = [check.id for check in checks]
    repeated = sorted({i for i in ids if ids.count(i) > 1})
    if repeated:
        raise bad_input("checks", "ids that differ", f"{repeated[0]!r} twice", "rename one")
    for number, row in enumerate(training):
        missing = [key for key in TRAINING_KEYS if key not in row]
        if missing:
            expected = "the keys " + ", ".join(TRAINING_KEYS)
            raise bad_input(f"training[{number}]", expected, f"no {missing[0]!r}", "add it")
    document = {
        "checks": [asdict(check) for check in checks],
        "training": [dict(row) for row in training],
        "environment": dict(environment),
        "seconds": seconds,
        **extra,
    }
    return atomic_write_text(path, json.dumps(_plain(document), indent=1, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    """Turn ``value`` into what strict JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return str(value)
