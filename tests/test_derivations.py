"""Oracle: every theorem of the library holds, and every wrong version of it is refuted."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import time
from pathlib import Path
from types import ModuleType

import pytest

import derivations
from unified.symbolic import Claim, Step, einsum, prove, var
from unified.symbolic.axis import Axis

NAMES = sorted(
    m.name for m in pkgutil.iter_modules(derivations.__path__) if not m.name.startswith("_")
)
LONGEST = 3.0  # seconds of processor time for one claim
WORST_BOUND = 1e-15  # chance that a false step passed the exact tier
ALLOWED = ("unified.symbolic", "unified.energies", "derivations", "sympy")


def module(name: str) -> ModuleType:
    """A file of the book."""
    return importlib.import_module(f"derivations.{name}")


def claims_of(name: str) -> tuple[Claim, ...]:
    """The claims a file exposes, as CLAIMS or as CLAIM."""
    found = module(name)
    many = getattr(found, "CLAIMS", None)
    return (found.CLAIM,) if many is None else tuple(many)


CLAIMS = [c for name in NAMES for c in claims_of(name)]
ALL = [pytest.param(c, id=c.id) for c in CLAIMS]


@pytest.mark.parametrize("claim", ALL)
def test_the_claim_is_true_and_its_wrong_versions_are_not(claim):
    """A theorem of the book that is false, or says nothing, makes the rest worthless."""
    begun = time.process_time()  # of this process: a busy machine must not decide
    found = claim.check()
    spent = time.process_time() - begun
    assert found.failures == ()
    assert found.verdict == "true"
    assert found.level in ("proved", "exact"), "analysis belongs into series, not into float64"
    assert (found.error_bound or 0.0) < WORST_BOUND
    assert not any(
        p.verdict == "undecided" for c in (*found.steps, *found.refutations) for p in c.proofs
    )
    assert spent < LONGEST


@pytest.mark.parametrize("claim", ALL)
def test_the_claim_can_be_read(claim):
    """A certificate without words, limits or wrong versions convinces nobody."""
    assert claim.title and claim.statement and claim.breaks_when
    assert len(claim.refute) >= 2
    reasons = [s.reason for s in (*claim.steps, *claim.refute)]
    assert all(reasons) and len(set(reasons)) == len(reasons)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_stands_on_floors_one_and_two_only(name):
    """A derivation that needed the code it justifies would be a circle."""
    found = module(name)
    assert found.__doc__ and len(found.__doc__.splitlines()) >= 4
    for node in ast.walk(ast.parse(Path(found.__file__ or "").read_text(encoding="utf-8"))):
        used: list[str] = []
        if isinstance(node, ast.Import):
            used = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            used = [node.module or ""]
        for one in used:
            known = one in ("__future__", "functools") or any(
                one == a or one.startswith(a + ".") for a in ALLOWED
            )
            assert known, f"{name} imports {one}"


def test_ids_are_unique_and_the_promised_theorems_are_there():
    """`unified verify --only` finds claims by id; a missing one is a promise not kept."""
    ids = [c.id for c in CLAIMS]
    assert len(set(ids)) == len(ids)
    for wanted in ("L0", "A1", "A2", "A3", "A5", "B1", "B2", "B3", "B4", "B5", "B6", "B7"):
        assert any(i.startswith(wanted) for i in ids), wanted


def test_negative_control_a_broken_claim_is_false():
    """A checker that never says no proves nothing: break a theorem of the book in two ways."""
    good = next(c for c in CLAIMS if c.id == "L0-Woodbury")
    wrong = Claim("x", "a wrong step", [*good.steps, good.refute[0]], assumptions=good.assumptions)
    found = wrong.check()
    assert found.verdict == "false"
    assert [c.reason for c in found.failures] == [good.refute[0].reason]
    empty = Claim("x", "a wrong version that is true", good.steps, refute=[good.steps[-1]],
                  assumptions=good.assumptions)  # fmt: skip
    assert empty.check().verdict == "false"
    n = Axis("n")
    A = var("A", n, n)
    assert not Claim("x", "t", [Step(A, A.T, "a transpose dropped")]).check()
    assert prove(einsum("ii->", A), einsum("ii->", A.T))
