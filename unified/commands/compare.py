"""`unified compare`: every estimator of the library on one net, side by side."""

from __future__ import annotations

import argparse
import csv
import io
import math
import time
from pathlib import Path
from typing import Any

from unified.base.errors import bad_input
from unified.base.files import atomic_write_text, check_writable_dir

NAME = "compare"
HELP = "run every estimator on one net: error, order, phases, steps, time, memory"
DEFAULTS = {"hopfield": "16,32,4", "recurrent": "24,8", "predictive": "16,32,4"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `unified compare`."""
    add = parser.add_argument
    add("--net", default="hopfield", metavar="NAME",
        help="hopfield, recurrent or predictive (default: hopfield)")  # fmt: skip
    add("--sizes", metavar="N,N,...",
        help="units per layer (default: 16,32,4); 64,...,10 runs on the digits")  # fmt: skip
    add("--batch", type=int, default=16, metavar="N", help="samples (default: 16)")
    add("--seed", type=int, default=0, metavar="N", help="seed of parameters and data")
    add("--only", metavar="NAME", help="estimators whose label begins so")
    add("--out", metavar="DIR", help="folder for report.html, compare.json and compare.csv")
    add("--json", metavar="FILE", help="write the table to FILE")
    add("--csv", metavar="FILE", help="write the table to FILE as comma-separated values")


def run(args: argparse.Namespace) -> int:
    """Run, print, write; 0 unless the input is bad or no estimator gave a gradient.

    Raises: InputError for options out of range, or files that cannot be written.
    """
    from unified.commands.compare_table import compare_estimators
    from unified.commands.energies import parse_sizes
    from unified.commands.estimator_registry import registry
    from unified.commands.small_nets import MAKERS, make_net
    from unified.report import environment, write_results

    begun = time.perf_counter()
    if args.net not in MAKERS:
        raise bad_input("--net", "one of " + ", ".join(MAKERS), repr(args.net), "choose one")
    sizes = parse_sizes(args.net, DEFAULTS[args.net] if args.sizes is None else args.sizes)
    for name, least in (("batch", 1), ("seed", 0)):
        if getattr(args, name) < least:
            raise bad_input(f"--{name}", f"a number of at least {least}",
                            str(getattr(args, name)), f"use --{name} {max(least, 16)}")  # fmt: skip
    files = {"json": args.json, "csv": args.csv}
    for option, path in files.items():
        if path is not None:
            check_writable_dir(Path(path).parent, f"--{option}")
    out = None if args.out is None else check_writable_dir(args.out)
    candidates = [c for c in registry() if c.label.lower().startswith((args.only or "").lower())]
    if not candidates:
        raise bad_input("--only", "the beginning of a label", repr(args.only),
                        "choose from " + ", ".join(c.label for c in registry()))  # fmt: skip
    net = make_net(args.net, sizes, args.batch)
    params, (x, y), what = net.params(args.seed), net.data(args.seed), "Gaussian data"
    if (sizes[0], sizes[-1]) == (64, 10) and args.net != "recurrent":
        x, y, what = *_digits(args.batch, args.seed), "digits"
    told = f"{args.net} {','.join(map(str, sizes))}, {args.batch} samples of {what}, float64"
    print(f"{told}: {len(candidates)} estimators", flush=True)
    found = compare_estimators(candidates, net.program, params, x, y)
    rows = rows_of(found)
    for line in _lines(rows):
        print(line)
    facts: dict[str, Any] = {"table": rows, "net": told, **found.attrs}
    seconds = time.perf_counter() - begun
    if out is not None:
        files = {"json": args.json or out / "compare.json", "csv": args.csv or out / "compare.csv"}
        _page(rows, told, found).write(out / "report.html")
    if files["json"] is not None:
        write_results(files["json"], [], [], environment(), seconds, **facts)
    if files["csv"] is not None:
        atomic_write_text(files["csv"], _csv(rows))
    return 0 if any(math.isfinite(r["relative_error"]) for r in rows) else 1


def rows_of(found: Any) -> list[dict[str, Any]]:
    """The table as one mapping per estimator."""
    labels = [str(v) for v in found["estimator"].values]
    return [
        {"estimator": label, **{k: found[k].values[i].item() if hasattr(found[k].values[i], "item")
                                else found[k].values[i] for k in found.data_vars}}
        for i, label in enumerate(labels)
    ]  # fmt: skip


def _digits(batch: int, seed: int) -> tuple[Any, Any]:
    import numpy as np

    from unified.data import load

    data = load("digits", center=True)
    rows = np.random.default_rng(seed).permutation(len(data.x_train))[:batch]
    if len(rows) < batch:
        raise bad_input("--batch", f"at most {len(data.x_train)}", str(batch), "use fewer")
    return data.x_train[rows], data.y_train[rows]


def _number(value: float, form: str = ".2g") -> str:
    return "–" if not math.isfinite(value) else format(value, form)


def _lines(rows: list[dict[str, Any]]) -> list[str]:
    """The table for a terminal; a refused estimator shows its sentence."""
    wide = max(len(r["estimator"]) for r in rows)
    lines = [f"{'estimator':<{wide}}  {'error':>8} {'declared':>8} {'measured':>8} {'phases':>6} "
             f"{'steps':>6} {'ms':>8} {'× exact':>8} {'temp kB':>8}  gradient of"]  # fmt: skip
    for r in rows:
        if r["refusal"]:
            lines.append(f"{r['estimator']:<{wide}}  refused: {r['refusal']}")
            continue
        lost = "" if math.isfinite(r["relative_error"]) else f"  ({r['status']})"
        lines.append(
            f"{r['estimator']:<{wide}}  {_number(r['relative_error'], '.1e'):>8} "
            f"{_number(r['declared_order'], 'g'):>8} {_number(r['measured_order'], '.2f'):>8} "
            f"{len(r['phases'].split(', ')):>6} {_number(r['steps'], 'g'):>6} "
            f"{_number(1e3 * r['seconds'], '.2f'):>8} {_number(r['times_implicit'], '.2f'):>8} "
            f"{_number(r['temporary_bytes'] / 1024, '.0f'):>8}  {r['gradient_of']}{lost}"
        )
    return lines


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:  # an empty field, not "nan", where there is no number
        writer.writerow({k: "" if isinstance(v, float) and math.isnan(v) else v
                         for k, v in row.items()})  # fmt: skip
    return text.getvalue()


def _page(rows: list[dict[str, Any]], told: str, found: Any) -> Any:
    from unified.report import Report

    def cell(value: Any) -> Any:
        return None if isinstance(value, float) and math.isnan(value) else value

    page = Report("Gradient estimators side by side")
    page.section("Table").text(
        f"{told}. The error is relative, against the exact gradient of the loss (`Implicit`), "
        "whatever an estimator estimates. Steps add up the most relaxation steps of a sample over "
        "the phases. Times are medians of interleaved calls after warm-up. Memory is what the "
        "compiler's analysis of the estimate needs beside arguments and results.\n\n"
        f"Energy: `{found.attrs['energy']}`, fingerprint `{found.attrs['fingerprint']}`."
    )
    ran = [r for r in rows if not r["refusal"]]
    page.table(
        [[r["estimator"], r["gradient_of"], cell(r["relative_error"]), cell(r["declared_order"]),
          cell(r["measured_order"]), cell(r["steps"]), 1e3 * r["seconds"],
          cell(r["times_implicit"]), cell(r["temporary_bytes"] / 1024)] for r in ran],
        ["estimator", "gradient of", "error", "declared order", "measured order", "steps", "ms",
         "× Implicit", "temporary kB"],
    )  # fmt: skip
    page.section("Phases and conditions").table(
        [[r["estimator"], r["phases"], r["conditions"], r["status"], r["residual"]] for r in ran],
        ["estimator", "phases", "conditions", "status", "largest residual"],
    )  # fmt: skip
    refused = [r for r in rows if r["refusal"]]
    if refused:
        page.section("Refused").table([[r["estimator"], r["refusal"]] for r in refused],
                                      ["estimator", "why"])  # fmt: skip
    return page
