"""`unified validate`: every estimator against an exact gradient, and broken ones that must fail."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unified.base.errors import InputError, bad_input
from unified.base.files import check_writable_dir

if TYPE_CHECKING:
    import xarray as xr

    from unified.learning.gradient import AbstractEstimator

NAME = "validate"
HELP = "validate every gradient estimator statistically; exit status 0 only if all hold"
NETS = "hopfield,predictive"
DIRECTIONS = 4


@dataclass(frozen=True)
class Entry:
    """An estimator, what it is compared with, and the verdict it must get."""

    label: str
    estimator: AbstractEstimator
    reference: AbstractEstimator
    expected: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `unified validate`."""
    add = parser.add_argument
    add("--seeds", type=int, default=8, metavar="N", help="independent seeds (default: 8)")
    add("--nets", metavar="NAME,...", default=NETS,
        help="among hopfield, recurrent, predictive (default: hopfield,predictive)")  # fmt: skip
    add("--only", metavar="NAME", help="estimators whose label begins so, or 'broken'")
    add("--margin", type=float, default=1e-2, metavar="D",
        help="relative error up to which gradients agree (default: 0.01)")  # fmt: skip
    add("--out", metavar="DIR", help="folder for report.html, results.json and figures")
    add("--json", metavar="FILE", help="write the table to FILE")


def run(args: argparse.Namespace) -> int:
    """Validate, print a line per estimator and net, write; 0 only if every verdict is as expected.

    Raises: InputError for options out of range, or files that cannot be written.
    """
    from unified.commands import validate_report
    from unified.commands.small_nets import make_net, parse_nets
    from unified.report.results import all_passed
    from unified.report.validation import check_margin
    from unified.report.validation_verdict import LEAST_SEEDS

    begun = time.perf_counter()
    if args.seeds < LEAST_SEEDS:
        raise bad_input("--seeds", f"at least {LEAST_SEEDS}", str(args.seeds),
                        "fewer cannot decide; use 8")  # fmt: skip
    check_margin(args.margin)
    names = parse_nets(args.nets)
    if args.json is not None:
        check_writable_dir(Path(args.json).parent, "--json")
    out = None if args.out is None else check_writable_dir(args.out)
    entries, left_out = _entries(args.only)
    nets = [make_net(name) for name in names]
    print(f"{'estimator':<36} {'net':<11}{'cosine':^25} {'slope':^21} {'p':>7}  verdict")
    cache: dict[Any, Any] = {}
    datasets, rows, checks = {}, [], []
    for entry in entries:
        found, refused = _validate(entry, nets, args, cache)
        for name, sentence in refused.items():
            print(f"{entry.label:<36} {name:<11}refused: {sentence}", flush=True)
        if found is not None:
            datasets[entry.label] = found
            more = validate_report.rows_of(entry, found)
            rows += more
            checks += [validate_report.check(row, args.margin) for row in more]
            for row in more:
                print(validate_report.told(row), flush=True)
    for sentence in left_out:
        print(f"not validated: {sentence}")
    seconds = time.perf_counter() - begun
    validate_report.write(args, out, datasets, rows, checks, seconds)
    failed = [c.id for c in checks if not c.passed]
    if failed or not all_passed(checks):
        told = ", ".join(failed) or "no estimator"
        print(f"validate: expected honest estimators to agree and broken ones to disagree, got "
              f"{told} otherwise; see the lines marked ✗.", file=sys.stderr)  # fmt: skip
        return 1
    print(f"All {len(checks)} verdicts are as they must be; {seconds:.1f} s.")
    return 0


def _entries(only: str | None) -> tuple[list[Entry], list[str]]:
    """What is validated, and for the rest a sentence each."""
    from unified.commands.estimator_registry import registry
    from unified.commands.validate_controls import broken
    from unified.learning import FiniteDifference, Implicit, Unrolled

    exact = Implicit()
    found, left_out = [], []
    for c in registry():
        e = c.estimator
        if e is None:
            left_out.append(c.refusal)
        elif isinstance(e, FiniteDifference):
            continue  # Implicit is compared with it
        elif isinstance(e, Unrolled):
            found.append(Entry("Unrolled, 300 steps", Unrolled(300), exact, "agrees"))
        elif isinstance(e, Implicit):
            found.append(Entry(c.label, e, FiniteDifference(), "agrees"))
        elif e.exact_for == "loss":
            found.append(Entry(c.label, e, exact, "agrees"))
        elif type(e).__name__ in OWN_OBJECTIVE:
            found.append(Entry(f"{c.label}, own", e, FiniteDifference(of=e), "agrees"))
        else:
            left_out.append(f"{c.label} estimates {e.exact_for}; see unified compare.")
    found += [Entry(str(b), b, exact, "disagrees") for b in broken()]
    if only is not None:
        chosen = [e for e in found if e.label.lower().startswith(only.lower())]
        if not chosen or not only:
            raise bad_input("--only", "the beginning of a label", repr(only),
                            "choose from " + ", ".join(e.label for e in found))  # fmt: skip
        return chosen, []
    return found, left_out


# Estimators of something else than the loss whose own objective is a function of the parameters.
OWN_OBJECTIVE = ("Contrastive", "PredictiveCoding")


def _validate(entry: Entry, nets: Any, args: argparse.Namespace,
              cache: dict[Any, Any]) -> tuple[xr.Dataset | None, dict[str, str]]:  # fmt: skip
    """The validation on the nets that the estimator accepts, and why the others are refused."""
    from unified.learning.gradient import prepare
    from unified.report.validation import validate_cases
    from unified.report.validation_cases import make_cases

    cases, refused = [], {}
    for net in nets:
        try:
            prepare(net.program, entry.estimator)
            key = (net.name, entry.reference)
            if key not in cache:
                cache[key] = make_cases(
                    entry.reference, {net.name: net.program}, {net.name: net.data},
                    range(args.seeds), params={net.name: net.params}, directions=DIRECTIONS,
                )  # fmt: skip
            cases += cache[key]
        except InputError as error:
            refused[net.name] = str(error)
    return (validate_cases(entry.estimator, cases, margin=args.margin) if cases else None), refused
