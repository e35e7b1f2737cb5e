"""A further section of `unified demo`: what its module hands over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unified.report import Check, Report


@dataclass(frozen=True)
class Part:
    """One section: its checks, facts for results.json, files of figures, and its page.

    A module of `demo.PARTS` has `run(out, data, quick) -> Part`; `out` is the folder for figures.
    `write` adds the section to the page, its heading too.
    """

    title: str
    checks: list[Check]
    facts: dict[str, Any]
    figures: list[str]
    write: Callable[[Report], None]
