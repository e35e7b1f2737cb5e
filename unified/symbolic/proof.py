"""The result of a proof: a verdict, how it was reached, and what would reproduce it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from unified.symbolic.nodes import Expr

Verdict = Literal["true", "false", "undecided"]
Level = Literal["proved", "exact", "numeric"]
RANK: dict[str, int] = {"proved": 0, "exact": 1, "numeric": 2}


@dataclass(frozen=True)
class Counterexample:
    """One point at which the two sides differ.

    `kind` says in which algebra ("field": integers modulo 2⁶¹ − 1, or "float64"); `entry` is the
    index of the entry, `values` the variables as nested lists.
    """

    kind: Literal["field", "float64"]
    dims: Mapping[str, int]
    seed: str
    entry: tuple[int, ...]
    lhs: Any
    rhs: Any
    values: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        at = f" entry {list(self.entry)}" if self.entry else ""
        where = "mod 2⁶¹−1" if self.kind == "field" else "in float64"
        return f"{dict(self.dims)}, seed {self.seed!r},{at} {where}: {self.lhs} ≠ {self.rhs}"


@dataclass(frozen=True)
class Proof:
    """What became of one equality.

    Equation: verdict "true" at level proved (same canonical form), exact (equal modulo 2⁶¹ − 1;
    a false equality passes at the worst of `dims` with probability at most `error_bound`) or
    numeric (float64 within the tolerance in `note`); "false" comes with a `counterexample`.
    """

    lhs: Expr
    rhs: Expr
    verdict: Verdict
    level: Level
    dims: tuple[Mapping[str, int], ...]
    error_bound: float | None
    counterexample: Counterexample | None
    seconds: float
    note: str = ""
    assume: tuple[Any, ...] = ()

    def __bool__(self) -> bool:
        """True only for the verdict "true"."""
        return self.verdict == "true"

    def replay(self) -> tuple[Any, Any]:
        """Both sides evaluated again at the counterexample, whole arrays.

        Raises: InputError if there is no counterexample.
        """
        from unified.symbolic.prove import replay

        return replay(self)

    @property
    def evidence(self) -> str:
        """How the verdict was reached, in a few words."""
        if self.verdict == "false":
            return f"counterexample at {self.counterexample}"
        if self.level == "proved":
            return "same canonical form, all dimensions"
        where = f"{len(self.dims)} dimension sets"
        if self.level == "exact":
            return f"equal mod 2⁶¹−1 on {where}, error ≤ {self.error_bound:.1e}"
        return f"float64 on {where}"

    def __repr__(self) -> str:
        label = f"{self.verdict}, {self.level}" if self.verdict != "undecided" else "undecided"
        note = f"; {self.note}" if self.note else ""
        return f"Proof({label}: {self.evidence}{note}; {self.seconds:.3f} s)"

    def _repr_latex_(self) -> str:
        from unified.symbolic.latex import latex

        sign = {"true": "=", "false": r"\neq", "undecided": r"\overset{?}{=}"}[self.verdict]
        words = self.level if self.verdict != "undecided" else "undecided"
        return (
            f"$\\displaystyle {latex(self.lhs)} {sign} {latex(self.rhs)} "
            f"\\quad\\text{{({words})}}$"
        )
