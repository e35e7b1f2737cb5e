"""What checking a claim gives: a certificate, or the step that failed with its counterexample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unified.symbolic.proof import Level, Proof, Verdict

_ORDER = {"true": 0, "undecided": 1, "false": 2}


@dataclass(frozen=True)
class Checked:
    """One step of a claim, or one wrong version, with its proofs (several for a series)."""

    reason: str
    latex: str | None
    expected: Verdict
    proofs: tuple[Proof, ...]

    @property
    def proof(self) -> Proof:
        """The proof that decides: the worst one (a series is refuted by any of its orders)."""
        return max(self.proofs, key=lambda p: _ORDER[p.verdict])

    @property
    def ok(self) -> bool:
        """True if the verdict is the expected one."""
        return self.proof.verdict == self.expected

    def __repr__(self) -> str:
        p = self.proof
        want = "" if self.expected == "true" else " (must be refuted)"
        return f"{'✓' if self.ok else '✗'} {self.reason}{want}: {p!r}"


@dataclass(frozen=True)
class Certificate:
    """The checked claim: verdict, weakest level of its steps, and every step's proof."""

    id: str
    title: str
    verdict: Verdict
    level: Level
    dims: tuple[Mapping[str, int], ...]
    error_bound: float | None
    seconds: float
    steps: tuple[Checked, ...]
    refutations: tuple[Checked, ...]

    def __bool__(self) -> bool:
        """True only for the verdict "true"."""
        return self.verdict == "true"

    @property
    def failures(self) -> tuple[Checked, ...]:
        """The steps that are not true and the wrong versions that were not refuted."""
        return tuple(c for c in (*self.steps, *self.refutations) if not c.ok)

    def to_json(self) -> dict[str, Any]:
        """The record `unified verify --json` writes."""
        return {
            "id": self.id, "title": self.title, "verdict": self.verdict, "level": self.level,
            "dims": [dict(d) for d in self.dims], "error_bound": self.error_bound,
            "seconds": self.seconds,
        }  # fmt: skip

    def _repr_latex_(self) -> str:
        """The chain of equalities, one step a line."""
        lines = [c.latex or c.proof._repr_latex_().strip("$") for c in self.steps]
        return "$\\begin{array}{l}" + r" \\ ".join(lines) + "\\end{array}$"

    def __repr__(self) -> str:
        bound = "" if self.error_bound is None else f", error ≤ {self.error_bound:.1e}"
        how = f"({self.level}{bound}, {self.seconds:.2f} s)"
        head = f"{self.id}  {self.title}: {self.verdict} {how}"
        return "\n".join([head, *(f"  {c!r}" for c in (*self.steps, *self.refutations))])
