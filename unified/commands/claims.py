"""The claims of the derivations book: finding them, and choosing among them by pattern."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from unified.base.errors import InputError, bad_input
from unified.symbolic.certificate import Certificate
from unified.symbolic.claims import Claim


@dataclass(frozen=True)
class Entry:
    """A claim, the module that states it, and that module's account of it."""

    claim: Claim
    module: str
    doc: str


def discover() -> list[Entry]:
    """Every claim of the `derivations` package: lemmas first, then by module name.

    A module states `CLAIM` or `CLAIMS`; names that start with `_` or `test` are helpers.
    Raises: InputError if a module states none, or two claims share an id.
    """
    package = importlib.import_module("derivations")
    names = sorted(m.name for m in pkgutil.iter_modules(package.__path__))
    found: list[Entry] = []
    for name in sorted(names, key=lambda n: (not n.startswith("l0"), n)):
        if name.startswith(("_", "test")) or name == "conftest":
            continue
        module = importlib.import_module(f"derivations.{name}")
        stated = getattr(module, "CLAIMS", None) or (getattr(module, "CLAIM", None),)
        claims = [c for c in stated if isinstance(c, Claim)]
        if len(claims) != len(stated):
            raise bad_input(
                f"derivations.{name}", "CLAIM: Claim or CLAIMS: tuple of them", "neither",
                "state one, or start the file's name with _",
            )  # fmt: skip
        found += [Entry(c, name, module.__doc__ or "") for c in claims]
    count = Counter(e.claim.id.lower() for e in found)
    twice = sorted(name for name, times in count.items() if times > 1)
    if twice:
        raise bad_input("id", "one claim per id", f"several {', '.join(twice)}", "rename one")
    return found


def select(entries: Iterable[Entry], pattern: str | None) -> list[Entry]:
    """The claims whose id (or module) is the pattern, begins with it, or matches it as a glob.

    Raises: InputError if there is none.
    """
    known = list(entries)
    if pattern is None:
        return known
    p = pattern.lower()
    chosen = [
        e for e in known
        if any(n.startswith(p) or fnmatchcase(n, p) for n in (e.claim.id.lower(), e.module.lower()))
    ]  # fmt: skip
    if not p or not chosen:
        ids = ", ".join(e.claim.id for e in known)
        raise bad_input("--only", "the beginning of a claim's id or a pattern such as 'C*'",
                        repr(pattern), f"choose from {ids}")  # fmt: skip
    return chosen


def check(entry: Entry) -> tuple[Certificate, str]:
    """The certificate of a claim, and what went wrong if it could not even be stated.

    A step that cannot be decided at all (unequal axes, a singular matrix on every draw) must not
    stop the other claims: the certificate is then undecided.
    """
    try:
        return entry.claim.check(), ""
    except InputError as error:
        c = entry.claim
        return Certificate(c.id, c.title, "undecided", "numeric", (), None, 0.0, (), ()), str(error)
