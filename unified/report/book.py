"""The book of derivations: every theorem, every energy, on one page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unified.report.derivation import LEVELS, claim_blocks, in_words
from unified.report.energy_sheet import energy_blocks
from unified.report.html import Report
from unified.report.results import Check
from unified.report.writers import to_page
from unified.symbolic.certificate import Certificate
from unified.symbolic.claims import Claim
from unified.symbolic.prove import BOUND

# A claim, its certificate, the sentence that stopped it (or ""), and its module's account.
Chapter = tuple[Claim, Certificate, str, str]


def book(chapters: Sequence[Chapter], energies: Iterable[str]) -> Report:
    """One self-contained page: levels of proof, all verdicts, derivations, energies with code."""
    page = Report("Derivations")
    page.section("Verdicts")
    page.text(
        "Every claim below is a chain of equalities over arrays of symbolic size. Each link was "
        "decided on its own when this page was made, and beside each claim stand wrong versions "
        "of it that had to be refuted. The value of an exact verdict is the bound on the "
        "probability that a false claim would have passed."
    )
    page.table([[word.partition(": ")[0], word.partition(": ")[2]] for word in LEVELS.values()],
               header=["level", "what it means"])  # fmt: skip
    page.checks(_check(found) for _, found, _, _ in chapters)
    last = ""
    for claim, found, fault, doc in chapters:
        words = "" if doc == last else in_words(doc)  # claims of one file share its account
        last = doc
        if fault:
            page.section(f"{claim.id} · {claim.title}").text(f"Could not be checked: {fault}")
        else:
            to_page(claim_blocks(claim, found, words), page)
    for name in energies:
        to_page(energy_blocks(name), page)
    return page


def _check(found: Certificate) -> Check:
    allowed = None if found.error_bound is None else BOUND
    return Check(found.id, found.title, found.level, found.error_bound, allowed, bool(found))
