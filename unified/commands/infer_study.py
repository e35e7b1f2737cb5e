"""What the steps of `unified infer` share: the subject, the draws, and how a step is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError
from unified.base.pymc_versions import interpreted
from unified.commands.infer_net import Subject
from unified.inference.problem import Problem
from unified.report import Check, Report, save_png

CHAINS, WARMUP, DRAWS = 4, 200, 12000
FAMILY = 1e-3  # chance that a comparison rejects what is true
APART = 4.0  # standard errors between two estimates of one number that are still believed


@dataclass(frozen=True)
class Finding:
    """What a step found: checks, facts for machines, files of figures, its part of the page."""

    title: str
    checks: list[Check]
    facts: dict[str, Any]
    figures: list[str]
    write: Callable[[Report], None]


@dataclass
class Study:
    """A subject, the folder for figures (None: none are kept), a seed, and the dear steps.

    `whole`: PyMC's sampler is compiled too (half a minute per law), particles are annealed.
    """

    subject: Subject
    out: Path | None
    seed: int
    whole: bool

    @cached_property
    def problem(self) -> Problem:
        """The net's law."""
        return Problem.of(*self.subject.net.given, **self.subject.net.settings)

    @cached_property
    def report(self) -> Any:
        """MAP, mean and marginal modes of the net at its own temperature."""
        return self.report_at(self.subject.net.temperature)

    def report_at(self, temperature: float) -> Any:
        """The same at another."""
        from unified.inference.map_report import map_report

        net = self.subject.net
        return map_report(*net.given, beta=net.beta, temperature=temperature, key=self.seed,
                          pymc=False, draws=DRAWS, chains=CHAINS, warmup=WARMUP)  # fmt: skip

    def save(self, ax: Any, name: str) -> list[str]:
        """Keep a figure under the name infer_NAME.png; the names of the files written."""
        if self.out is None:
            return []
        return [save_png(ax, self.out / f"infer_{name}.png").name]

    def show(self, page: Report, files: list[str], caption: str) -> None:
        """Put a figure that was kept on the page."""
        for name in files:
            assert self.out is not None
            page.figure(self.out / name, caption)


Step = Callable[[Study], Finding]


def tried(step: Step, study: Study) -> Finding:
    """A step's finding; chains that do not mix or runs that disagree are a failed check."""
    try:
        return step(study)
    except ConvergenceError as err:
        told = f"inconclusive: {err}"
        check = Check.holds(f"infer.{step.__name__}.conclusive", told, False)
        return Finding(str(step.__doc__).split(":")[0], [check], {"inconclusive": str(err)}, [],
                       lambda page: _only(page, told))  # fmt: skip


def _only(page: Report, told: str) -> None:
    page.text(told)


def compared(id: str, claim: str, found: Any, expected: str = "agrees") -> Check:
    """The check that a comparison has the verdict it must have; its value the least adjusted p."""
    if found.verdict == "inconclusive":
        claim = f"{claim}: inconclusive, {found.reason}"
    return Check(id, claim, "numeric", float(np.min(found.tests.adjusted)), FAMILY,
                 found.verdict == expected)  # fmt: skip


def largest(difference: Any) -> float:
    """max|·|."""
    return float(np.max(np.abs(difference)))


def find_map(law: Any) -> Any:
    """pm.find_MAP at a tight tolerance, its graph run by Python: that compiles in seconds."""
    from unified.inference import find_map_pymc

    with interpreted():
        return find_map_pymc(*law.given, **law.settings, throw=False)
