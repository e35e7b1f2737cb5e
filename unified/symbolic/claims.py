"""A claim: a chain of equalities, each checked alone, with wrong versions that must fail."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy

from unified.base.errors import InputError, bad_input
from unified.symbolic.assume import Assumption
from unified.symbolic.build import as_expr
from unified.symbolic.certificate import Certificate, Checked
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.proof import RANK, Level, Proof, Verdict
from unified.symbolic.prove import prove
from unified.symbolic.series import coefficients


@dataclass(frozen=True)
class Step:
    """One equality lhs = rhs with its reason in words; `assume` adds to the claim's assumptions.

    Sides may be array expressions, numbers, or SymPy scalars (their symbols become scalars).
    """

    lhs: Any
    rhs: Any
    reason: str
    latex: str | None = None
    assume: Sequence[Assumption] = ()

    def proofs(self, assume: Sequence[Assumption]) -> list[Proof]:
        """The equalities this step stands for, decided."""
        both = (*assume, *self.assume)
        return [prove(_read(self.lhs), _read(self.rhs), assume=both)]

    def exprs(self) -> list[Expr]:
        """The array expressions of the step."""
        return [x for x in map(_read, (self.lhs, self.rhs)) if isinstance(x, Expr)]


@dataclass(frozen=True)
class Series(Step):
    """lhs = rhs + O(β^{order+1}): the derivatives at β = 0 agree up to `order`.

    Equation: dᵏlhs/dβᵏ = dᵏrhs/dβᵏ at β = 0, k = 0..order.  With `branch=(s, g)` the state s in
    lhs follows g(s, β) = 0, by repeated implicit differentiation, and s in rhs is its value at
    β = 0 (use let(b, …) to make g(s, 0) = 0 hold where that is needed).
    Multiply by β first if a side has 1/β.
    """

    beta: Var | None = None
    order: int = 1
    branch: tuple[Var, Expr] | None = None

    def proofs(self, assume: Sequence[Assumption]) -> list[Proof]:
        if self.beta is None:
            raise bad_input("beta", "the scalar to expand in", "None", "pass beta=…")
        sides = [
            coefficients(as_expr(_read(side)), self.beta, self.order, branch)
            for side, branch in ((self.lhs, self.branch), (self.rhs, None))
        ]
        both = (*assume, *self.assume)
        return [prove(a, b, assume=both) for a, b in zip(*sides, strict=True)]


_ID = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


def _read(side: Any) -> Any:
    if isinstance(side, sympy.Expr) and not side.is_number:
        from unified.symbolic.from_sympy import read_matrix_expr

        return read_matrix_expr(side).expr
    return side


@dataclass(frozen=True)
class Claim:
    """A theorem: what holds, under which assumptions, when it breaks, and why it is true.

    `statement` is text or LaTeX; `breaks_when` names parameter conditions under which a formula
    fails; `refute` lists wrong versions (a sign, a transpose, a dropped term).  If `variables` is
    given, a step that uses any other is refused by name.
    Raises: InputError for a bad id, no steps, or an undeclared variable.
    """

    id: str
    title: str
    steps: Sequence[Step]
    statement: str = ""
    assumptions: Sequence[Assumption] = ()
    breaks_when: Sequence[str] = ()
    refute: Sequence[Step] = ()
    variables: Sequence[Var] | None = None
    source: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not _ID.fullmatch(self.id):
            raise bad_input("id", "a short name such as 'B2' or 'D1-flow'", repr(self.id), "rename")
        if not self.steps:
            raise bad_input("steps", "at least one Step", "none", "add Step(lhs, rhs, reason)")
        if self.variables is None:
            return
        known = {*self.variables, *(a.var for a in self.assumptions)}
        for step in (*self.steps, *self.refute):
            used = {v for x in step.exprs() for v in x.free}
            strangers = sorted(v.name for v in used - known - {a.var for a in step.assume})
            if strangers:
                raise InputError(
                    f"claim {self.id}: expected only declared variables, got "
                    f"{', '.join(strangers)} in step '{step.reason}'; list them under variables."
                )

    def check(self) -> Certificate:
        """Decide every step and every wrong version.

        The verdict is "true" iff every step is true and every wrong version is refuted;
        "undecided" if a step or a wrong version is, and nothing contradicts the claim; else
        "false".  The level is the weakest of the steps', the bound the sum of theirs.
        Raises: AxisError or InputError of a step, with the claim and the step named.
        """
        start = time.perf_counter()
        steps = tuple(self._checked(s, "true") for s in self.steps)
        refuted = tuple(self._checked(s, "false") for s in self.refute)
        every = (*steps, *refuted)
        verdict: Verdict = "true"
        if any(c.proof.verdict not in (c.expected, "undecided") for c in every):
            verdict = "false"
        elif any(c.proof.verdict == "undecided" for c in every):
            verdict = "undecided"
        proofs = [p for c in steps for p in c.proofs]
        level: Level = max((p.level for p in proofs), key=RANK.__getitem__)
        bounds = [p.error_bound for p in proofs if p.error_bound is not None]
        dims = max((p.dims for p in proofs), key=len)
        return Certificate(
            self.id, self.title, verdict, level, dims, sum(bounds) if bounds else None,
            time.perf_counter() - start, steps, refuted,
        )  # fmt: skip

    def _checked(self, step: Step, expected: Verdict) -> Checked:
        try:
            found = step.proofs(self.assumptions)
        except InputError as error:
            raise type(error)(f"claim {self.id}, step '{step.reason}': {error}") from error
        return Checked(step.reason, step.latex, expected, tuple(found))
