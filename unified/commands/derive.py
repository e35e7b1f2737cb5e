"""`unified derive`: one derivation, one energy, or the whole book."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from unified.base.errors import bad_input
from unified.base.files import atomic_write_text, check_writable_dir

NAME = "derive"
HELP = "print a theorem's derivation or what follows from an energy; --book writes all of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `unified derive`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a claim (B2, D1) or an energy")
    kind = parser.add_mutually_exclusive_group()
    for style in ("latex", "markdown", "html"):
        kind.add_argument(f"--{style}", dest="style", action="store_const", const=style,
                          help=f"as {style} instead of terminal text")  # fmt: skip
    kind.add_argument("--book", metavar="FILE", help="write every derivation to one HTML page")
    kind.add_argument("--list", action="store_true", help="list the names and stop")
    parser.add_argument("--out", metavar="FILE", help="write to FILE instead of the terminal")


def run(args: argparse.Namespace) -> int:
    """Print or write what was asked; 0 only if what is shown holds.

    Raises: InputError for an unknown name, or a file that cannot be written.
    """
    from unified.commands import claims
    from unified.report.energy_sheet import energy_makers

    for option, target in (("--out", args.out), ("--book", args.book)):
        if target is not None:
            check_writable_dir(Path(target).parent, option)
    entries = claims.discover()
    energies = list(energy_makers())
    if args.list:
        for e in entries:
            print(f"{e.claim.id:<16} {e.claim.title}")
        for name in energies:
            print(f"{name:<16} energy")
        return 0
    if args.book is not None:
        return _book(args.book, entries, energies)
    return _one(args, entries, energies)


def _one(args: argparse.Namespace, entries: list, energies: list[str]) -> int:
    from unified.report.derivation import claim_blocks, in_words
    from unified.report.energy_sheet import energy_blocks
    from unified.report.html import Report
    from unified.report.writers import to_latex, to_markdown, to_page, to_text

    by_id = {e.claim.id.lower(): e for e in entries}
    wanted = (args.name or "").lower()
    holds = True
    if wanted in by_id:
        entry = by_id[wanted]
        found = entry.claim.check()
        holds = bool(found)
        blocks = list(claim_blocks(entry.claim, found, in_words(entry.doc)))
    elif wanted in energies:
        blocks = list(energy_blocks(wanted))
    else:
        raise _unknown(args.name, [e.claim.id for e in entries] + energies)
    if args.style == "html":
        page = Report(f"{blocks[0].caption} · {blocks[0].body}")
        text = to_page(blocks, page).html()
    else:
        text = {"latex": to_latex, "markdown": to_markdown}.get(args.style or "", to_text)(blocks)
    if args.out is None:
        sys.stdout.write(text)
    else:
        atomic_write_text(args.out, text)
        print(f"Wrote {args.out}.")
    return 0 if holds else 1


def _unknown(name: str | None, known: list[str]) -> Exception:
    if name is None:
        return bad_input("NAME", "a claim, an energy, --book FILE or --list", "nothing",
                         "run `unified derive --list` for the names")  # fmt: skip
    near = difflib.get_close_matches(name.lower(), [k.lower() for k in known], 4, 0.4)
    close = [k for k in known if k.lower() in near or k.lower().startswith(name.lower()[:1])]
    remedy = f"did you mean {', '.join(close[:8])}" if close else "run `unified derive --list`"
    return bad_input("NAME", "the name of a claim or an energy", repr(name), remedy)


def _book(path: str, entries: list, energies: list[str]) -> int:
    from unified.commands import claims
    from unified.report.book import book

    checked = []
    for k, entry in enumerate(entries, start=1):
        found, fault = claims.check(entry)
        checked.append((entry.claim, found, fault, entry.doc))
        mark = "✓" if found else "✗"
        print(f"{mark} {k}/{len(entries)}  {found.id}  {found.seconds:.2f} s", flush=True)
    book(checked, energies).write(path)
    bad = [found.id for _, found, _, _ in checked if not found]
    print(f"Wrote {path}: {len(entries)} theorems, {len(energies)} energies.")
    if bad:
        print(f"derive: expected every claim to hold, got {', '.join(bad)} that do not; the book "
              "shows them first.", file=sys.stderr)  # fmt: skip
    return 1 if bad else 0
