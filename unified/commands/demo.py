"""`unified demo`: one energy, everything: derived, run, compared, trained and reported."""

from __future__ import annotations

import argparse
import time
from importlib import import_module

from unified.base.errors import bad_input
from unified.base.files import check_writable_dir

NAME = "demo"
HELP = "derive, run, compare and train two nets on handwritten digits, and write a report"
BIG = 10_000  # training images above which fewer passes over them do
# Modules of further sections, in order: see demo_part.
PARTS = ("unified.commands.demo_infer", "unified.commands.demo_meanfield")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--out", required=True, metavar="DIR", help="folder for results.json, report.html, *.png")
    add("--data", metavar="DIR", default="digits",
        help="folder with the four idx files of MNIST or Fashion-MNIST (default: the digits)")
    add("--seeds", type=int, default=3, metavar="N", help="nets trained per rule (default: 3)")
    add("--epochs", type=int, default=None, metavar="N",
        help="passes over the images (default: 20, or 2 for a large data set)")  # fmt: skip
    add("--quick", action="store_true",
        help="one seed, one epoch, few images; what training should reach is not checked")


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 if every check held, else 1."""
    begun = time.perf_counter()
    for name in ("seeds", "epochs"):
        value = getattr(args, name)
        if value is not None and value < 1:
            raise bad_input(f"--{name}", "a number of at least 1", str(value), f"use --{name} 3")
    out = check_writable_dir(args.out)

    from unified.commands import demo_derive, demo_gradients, demo_report, demo_train
    from unified.commands.demo_nets import make_nets, sizes_of
    from unified.commands.demo_train import BATCH
    from unified.data import load
    from unified.report import all_passed, environment, failed_first, write_results

    data = load(args.data, center=True)
    if len(data.x_train) < BATCH:
        raise bad_input("--data", f"at least {BATCH} training images", str(len(data.x_train)),
                        "use a larger set")
    print(data)
    seeds, epochs = args.seeds, args.epochs or (2 if len(data.x_train) >= BIG else 20)
    if args.quick:
        seeds, epochs = 1, 1
    nets = make_nets(sizes_of(data))
    derivations = [demo_derive.derive(net, out) for net in nets]
    gradients = [demo_gradients.compare(net, data, 32 if args.quick else 64) for net in nets]
    training = demo_train.train(nets, data, out, seeds, epochs, quick=args.quick)
    parts = [import_module(name).run(out, data, args.quick) for name in PARTS]

    lists = [p.checks for p in derivations] + [p.checks for p in gradients] + [training.checks]
    lists += [p.checks for p in parts]
    checks = [check for part in lists for check in part]
    facts = {
        "quick": args.quick,
        "training_checked": bool(training.checks),
        "gradients": {n.name: g.rows for n, g in zip(nets, gradients, strict=True)},
        "phases": {n.name: g.phases for n, g in zip(nets, gradients, strict=True)},
        "orders": {n.name: g.orders for n, g in zip(nets, gradients, strict=True)},
        "summary": training.summary,
        "parts": {p.title: p.facts for p in parts},
    }
    facts["figures"] = demo_report.figures(out, nets, gradients, training)
    facts["figures"] += [name for p in parts for name in p.figures]
    place = environment()
    demo_report.page(out, nets, data, gradients, training, parts, checks, place)
    seconds = time.perf_counter() - begun
    write_results(out / "results.json", checks, training.rows, place, seconds, **facts)
    demo_train.forget(out)

    print("\n== Checks")
    for check in failed_first(checks):
        if not check.passed:
            print(f"FAILED {check.id}: {check.claim} (value {check.value}, "
                  f"tolerance {check.tolerance})")  # fmt: skip
    held = sum(c.passed for c in checks)
    print(f"{held} of {len(checks)} checks held; {seconds:.0f} s; see {out / 'report.html'}")
    return 0 if all_passed(checks) else 1
