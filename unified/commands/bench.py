"""`unified bench`: the speed bars, as ratios measured in one run."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from unified.base.errors import bad_input
from unified.base.files import atomic_write_text
from unified.commands.timing import pin_threads

NAME = "bench"
HELP = "measure the speed bars and print them as ratios"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `unified bench`."""
    parser.add_argument("--json", metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--only", metavar="PART", help="one part: import, emit, code, ..., exact")


def bar(name: str, claim: str, value: float, limit: float, **more: Any) -> dict[str, Any]:
    """One measured bar."""
    return {"id": name, "claim": claim, "value": value, "limit": limit,
            "passed": bool(value <= limit), **more}  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure, print, write; exit status 0 only if every bar holds."""
    pin_threads()
    from unified.commands import (
        bench_accuracy,
        bench_calibration,
        bench_code,
        bench_conv,
        bench_evidence,
        bench_exact,
        bench_gradient,
        bench_inference,
        bench_meanfield,
        bench_posterior,
    )  # fmt: skip

    parts = {
        "import": _import_time,
        "emit": bench_code.emit_times,
        "code": bench_code.code_ratios,
        "conv": bench_conv.conv_ratios,
        "gradient": bench_gradient.gradient_ratios,
        "accuracy": bench_accuracy.accuracies,
        "exact": bench_exact.exact_inference,
        "inference": bench_inference.inference_ratios,
        "posterior": bench_posterior.posterior_bars,
        "calibration": bench_calibration.calibrations,
        "evidence": bench_evidence.evidences,
        "meanfield": bench_meanfield.wide_forces,
    }
    if args.only is not None and args.only not in parts:
        raise bad_input("--only", f"one of {', '.join(parts)}", args.only, "choose one")
    begun = time.perf_counter()
    bars: list[dict[str, Any]] = []
    for name, part in parts.items():
        if args.only in (None, name):
            for found in part():
                bars.append(found)
                mark = "ok  " if found["passed"] else "MISS"
                print(f"{mark} {found['id']:<34} {found['value']:>10.4g}  <= {found['limit']:<8g}"
                      f" {found['claim']}", flush=True)  # fmt: skip
    if args.json:
        from unified.report.results import environment

        text = {"bars": bars, "environment": environment(),
                "seconds": time.perf_counter() - begun}  # fmt: skip
        atomic_write_text(Path(args.json), json.dumps(text, indent=1))
    missed = [b["id"] for b in bars if not b["passed"]]
    if missed:
        print(f"bench: expected every bar to hold, missed {', '.join(missed)}.", file=sys.stderr)
    return 1 if missed else 0


def _import_time() -> list[dict[str, Any]]:
    """Seconds of `import unified` beyond an empty interpreter, and what it loads."""
    code = (
        "import sys, time; t = time.perf_counter(); import unified; "
        "print(time.perf_counter() - t, 'jax' in sys.modules or 'pymc' in sys.modules)"
    )
    times, heavy = [], 0
    for _ in range(20):
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                             check=True).stdout.split()  # fmt: skip
        times.append(float(out[0]))
        heavy += out[1] == "True"
    middle = sorted(times)[len(times) // 2]
    return [
        bar("import_seconds", "import unified, seconds", middle, 0.3),
        bar("import_heavy", "imports of jax or pymc by `import unified`", heavy, 0),
    ]
