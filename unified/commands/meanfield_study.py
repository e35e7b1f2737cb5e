"""What a part of `unified meanfield` hands back, and how its numbers become checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unified.report import Check


@dataclass(frozen=True)
class Study:
    """Checks, a table of rows, and the series that figures are drawn from."""

    checks: list[Check]
    rows: list[dict[str, Any]]
    series: dict[str, Any] = field(default_factory=dict)

    def printed(self) -> None:
        """One line per check."""
        for c in self.checks:
            print(f"  {'✓' if c.passed else '✗'} {c.claim}: {told(c)}", flush=True)


def told(check: Check) -> str:
    """Value and tolerance of a check in a few characters."""
    value = "–" if check.value is None else f"{check.value:.3g}"
    return value if check.tolerance is None else f"{value} (at most {check.tolerance:.3g})"


def slope(at: Sequence[float], errors: Sequence[float]) -> float:
    """The fitted exponent of errors against `at`, by least squares in logarithms."""
    return float(np.polyfit(np.log(at), np.log(errors), 1)[0])


def order(id: str, claim: str, found: float, declared: float, tolerance: float) -> Check:
    """The check that a fitted exponent is the declared one."""
    told = f"{claim} {declared:g}, fitted {found:.3f}; distance from it"
    return Check.at_most(id, told, abs(found - declared), tolerance)
