"""`unified meanfield`: wide networks as Wasserstein flows, against everything known of them."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from unified.base.errors import bad_input
from unified.base.files import check_writable_dir

NAME = "meanfield"
HELP = "follow flows of measures and of wide nets by every method, against closed forms"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `unified meanfield`."""
    add = parser.add_argument
    add("--out", metavar="DIR", help="folder for report.html, results.json, figures and a GIF")
    add("--json", metavar="FILE", help="write the checks and tables to FILE")
    add("--quick", action="store_true", help="fewer settings: about a third of the time")
    add("--seed", type=int, default=0, metavar="N", help="of particles and noise (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Run the study, print a line per check, write; 0 only if every check held.

    Raises: InputError for a negative seed, or files that cannot be written.
    """
    begun = time.perf_counter()
    if args.seed < 0:
        raise bad_input("--seed", "a number of at least 0", str(args.seed), "use --seed 0")
    if args.json is not None:
        check_writable_dir(Path(args.json).parent, "--json")
    out = None if args.out is None else check_writable_dir(args.out)

    from unified.commands import meanfield_report
    from unified.commands.meanfield_flows import compare_methods
    from unified.commands.meanfield_games import play
    from unified.commands.meanfield_many import many_particles
    from unified.commands.meanfield_nets import train_nets
    from unified.commands.meanfield_phase import transitions
    from unified.report import all_passed

    parts = {
        "flows": ("One functional, every method", lambda: compare_methods(args.quick, args.seed)),
        "many": ("As many particles as one likes", lambda: many_particles(args.quick, args.seed)),
        "games": ("Steps and games", lambda: play(args.quick)),
        "phase": ("Phase transitions", lambda: transitions(args.quick)),
        "nets": ("A net is a flow of its neurons", lambda: train_nets(args.quick, args.seed)),
    }
    studies = {}
    for name, (title, study) in parts.items():
        print(f"== {title}", flush=True)
        studies[name] = study()
        studies[name].printed()
    seconds = time.perf_counter() - begun
    meanfield_report.write(args, out, studies, seconds)
    checks = [c for s in studies.values() for c in s.checks]
    if not all_passed(checks):
        failed = ", ".join(c.id for c in checks if not c.passed) or "no check at all"
        print(f"meanfield: expected every check to hold, got {failed}; see the lines marked ✗.",
              file=sys.stderr)  # fmt: skip
        return 1
    print(f"All {len(checks)} checks held; {seconds:.1f} s.")
    return 0
