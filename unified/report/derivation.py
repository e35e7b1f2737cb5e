"""A derivation as a list of blocks: what every writer (terminal, LaTeX, Markdown, HTML) prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import sympy

from unified.report.abbreviate import abbreviate
from unified.symbolic.assume import Assumption
from unified.symbolic.build import as_expr
from unified.symbolic.certificate import Certificate, Checked
from unified.symbolic.claims import Claim, Series, Step
from unified.symbolic.latex import latex
from unified.symbolic.latex_scalar import name_tex

Kind = Literal["heading", "part", "text", "formula", "code", "items", "table"]
_LONG = 110  # characters of LaTeX on one line before a formula is broken at its equals sign
LEVELS = {
    "proved": "proved: both sides have one canonical form, in every dimension",
    "exact": "exact: equal modulo the prime 2⁶¹ − 1 on random draws in several dimensions",
    "numeric": "numeric: float64 agreement within the stated tolerance",
}


@dataclass(frozen=True)
class Block:
    """One piece of a derivation; `body` is text, LaTeX, code, or lines of items."""

    kind: Kind
    body: str
    caption: str = ""


def _sides(step: Step) -> tuple[str, str, list[str]]:
    """Both sides as LaTeX, and what the names stand for that keep them short."""
    given = (step.lhs, step.rhs)
    if any(isinstance(x, sympy.Basic) for x in given):
        left, right = (sympy.latex(x) if isinstance(x, sympy.Basic) else latex(as_expr(x))
                       for x in given)  # fmt: skip
        return left, right, []
    sides, names = abbreviate(*(as_expr(x) for x in given))
    left, right = (latex(x) for x in sides)
    return left, right, [f"{name_tex(v.name)} = {latex(x)}" for v, x in names]


def equation(step: Step, sign: str = "=") -> tuple[str, list[str]]:
    """The equality of a step as LaTeX, its own or both sides printed; and lines of names in it."""
    if step.latex is not None and sign == "=":
        return step.latex, []
    left, right, names = _sides(step)
    if isinstance(step, Series):
        beta = "" if step.beta is None else name_tex(step.beta.name)
        power = f"^{{{step.order + 1}}}" if step.order else ""
        right = rf"{right} + O({beta}{power})" if right != r"0" else f"O({beta}{power})"
    if len(left) + len(right) <= _LONG:
        return f"{left} {sign} {right}", names
    return rf"\begin{{split}}& {left} \\ & \quad {sign} {right}\end{{split}}", names


def meaning(a: Assumption) -> str:
    """One assumption as LaTeX."""
    if a.expr is not None:
        return f"{name_tex(a.var.name)} = {latex(a.expr)}"
    return rf"{name_tex(a.var.name)} \text{{ {a.kind}}}"


def stacked(lines: list[str]) -> str:
    """Several formulas, one a line."""
    if len(lines) == 1:
        return lines[0]
    return r"\begin{split}" + r" \\ ".join("& " + line for line in lines) + r"\end{split}"


def how(c: Checked) -> str:
    """How a step was decided, in a few words."""
    p = c.proof
    if p.verdict == "undecided":
        return f"undecided: {p.note}"
    if p.verdict == "true":
        worst = max((q.error_bound or 0.0 for q in c.proofs), default=0.0)
        weakest = max((q.level for q in c.proofs), key=list(LEVELS).index)
        return f"exact, error ≤ {worst:.0e}" if weakest == "exact" else weakest
    at = p.counterexample
    where = "" if at is None else ", ".join(f"{k} = {v}" for k, v in at.dims.items())
    order = c.proofs.index(p)
    return (
        "differs" + (f" at order {order}" if len(c.proofs) > 1 else "")
        + (f", counterexample at {where}" if where else ", counterexample found")
    )  # fmt: skip


def verdict(found: Certificate) -> str:
    """The verdict of a claim in one line."""
    bound = "" if found.error_bound is None else f", error ≤ {found.error_bound:.1e}"
    sets = f", {len(found.dims)} dimension sets" if any(found.dims) else ""
    return f"{found.verdict} · {found.level}{bound}{sets} · {found.seconds:.2f} s"


def is_latex(text: str) -> bool:
    """Whether a statement is a formula rather than words."""
    return "\\" in text


def claim_blocks(claim: Claim, found: Certificate, words: str = "") -> Iterator[Block]:
    """The derivation of a claim: statement, assumptions, steps, refuted versions, limits.

    `words` is the account that its module gives.
    """
    yield Block("heading", claim.title, claim.id)
    yield Block("text", f"Verdict: {verdict(found)}")
    if words:
        yield Block("text", words)
    if claim.statement:
        yield Block("formula" if is_latex(claim.statement) else "text", claim.statement, "Claim")
    if claim.assumptions:
        yield Block("part", "Assumptions and abbreviations")
        yield Block("formula", stacked(list(dict.fromkeys(map(meaning, claim.assumptions)))))
    yield Block("part", "Derivation")
    for k, (step, c) in enumerate(zip(claim.steps, found.steps, strict=True), start=1):
        mark = "" if c.ok else "FAILED: "
        shown, names = equation(step)
        yield Block("formula", shown, f"{k}. {mark}{step.reason} [{how(c)}]")
        if step.assume and (k == 1 or step.assume != claim.steps[k - 2].assume):
            names += [meaning(a) for a in step.assume]
        if names:
            yield Block("formula", stacked(names), "where")
    if claim.refute:
        yield Block("part", "Wrong versions, refuted")
        for step, c in zip(claim.refute, found.refutations, strict=True):
            mark = "" if c.ok else "NOT REFUTED: "
            shown, names = equation(step, r"\neq")
            yield Block("formula", shown, f"{mark}{step.reason} [{how(c)}]")
            if names:
                yield Block("formula", stacked(names), "where")
    if claim.breaks_when:
        yield Block("part", "Breaks when")
        yield Block("items", "\n".join(claim.breaks_when))


def in_words(doc: str | None) -> str:
    """The account of a derivation's docstring: its paragraphs, each on one line."""
    paragraphs = re.split(r"\n\s*\n", (doc or "").strip())
    return "\n\n".join(" ".join(p.split()) for p in paragraphs)
