"""`unified verify`: every claim of the derivations, checked again from nothing."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from unified.base.files import atomic_write_text, check_writable_dir

NAME = "verify"
HELP = "check every theorem and its wrong versions; exit status 0 only if all hold"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `unified verify`."""
    parser.add_argument("--only", metavar="PATTERN", help="ids that begin so, or match: C, 'D*'")
    parser.add_argument("--json", metavar="FILE", help="write the verdicts to FILE")


def run(args: argparse.Namespace) -> int:
    """Check, print a line per claim, write; 0 only if every claim is true.

    Raises: InputError for a pattern that no claim matches, or a file that cannot be written.
    """
    from unified.commands import claims
    from unified.report.derivation import how

    if args.json is not None:
        check_writable_dir(Path(args.json).parent, "--json")
    begun = time.perf_counter()
    entries = claims.select(claims.discover(), args.only)
    wide = max(len(e.claim.id) for e in entries)
    print(f"{'':>{2 * len(str(len(entries))) + 4}} {'claim':<{wide}}  verdict    level    dims  "
          f"error ≤  seconds  theorem")  # fmt: skip
    records = []
    for k, entry in enumerate(entries, start=1):
        found, fault = claims.check(entry)
        records.append(found.to_json())
        bound = "" if found.error_bound is None else f"{found.error_bound:.0e}"
        sets = "all" if found.level == "proved" else str(sum(1 for d in found.dims if d) or "–")
        print(f"{'✓' if found else '✗'} {k:>{len(str(len(entries)))}}/{len(entries)}  "
              f"{found.id:<{wide}}  {found.verdict:<9}  {found.level:<7}  {sets:>4}  {bound:>7}  "
              f"{found.seconds:>7.2f}  {found.title}", flush=True)  # fmt: skip
        if fault:
            print(f"      {fault}")
        for bad in found.failures:
            wanted = "" if bad.expected == "true" else "must be refuted, but "
            print(f"      {bad.reason}: {wanted}{bad.proof.verdict} ({how(bad)})")
    if args.json is not None:
        atomic_write_text(args.json, json.dumps(records, indent=1, ensure_ascii=False) + "\n")
    bad_ids = [r["id"] for r in records if r["verdict"] != "true"]
    count, seconds = len(records), time.perf_counter() - begun
    if bad_ids:
        print(f"verify: expected every claim to hold, got {', '.join(bad_ids)} of {count} that do "
              "not; see the lines marked ✗.", file=sys.stderr)  # fmt: skip
        return 1
    print(f"All {count} claims hold, every wrong version refuted; {seconds:.1f} s.")
    return 0
