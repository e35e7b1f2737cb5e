"""`unified infer`: the posterior of a net on one digit, by relaxation, by PyMC, by closed forms."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unified.base.errors import bad_input
from unified.base.files import check_writable_dir

if TYPE_CHECKING:
    from unified.commands.infer_net import Subject
    from unified.commands.infer_study import Finding, Step
    from unified.report import Report

NAME = "infer"
HELP = "check relaxation as inference on one digit: MAP, posterior, evidence, temperature, PyMC"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `unified infer`."""
    add = parser.add_argument
    add("--out", metavar="DIR", help="folder for report.html, results.json and figures")
    add("--json", metavar="FILE", help="write the results to FILE")
    add("--quick", action="store_true",
        help="PyMC's optimiser only, no NUTS and no annealed particles: these compile for minutes")
    add("--seed", type=int, default=0, metavar="N", help="seed of all draws (default: 0)")
    add("--image", type=int, metavar="N",
        help="test image (default: the one whose own label the net gives nearest to even odds)")


def run(args: argparse.Namespace) -> int:
    """Run every step, print, write; 0 only if every check held.

    Raises: InputError for options out of range, or files that cannot be written.
    """
    begun = time.perf_counter()
    if not 0 <= args.seed < 2**31:
        raise bad_input("--seed", "a whole number from 0 to 2**31 - 1", str(args.seed), "use 0")
    if args.json is not None:
        check_writable_dir(Path(args.json).parent, "--json")
    out = None if args.out is None else check_writable_dir(args.out)

    from unified.commands.infer_net import make_subject
    from unified.commands.infer_study import Study, tried
    from unified.data import load
    from unified.report import all_passed, environment, write_results

    data = load("digits", center=True)
    if args.image is not None and not 0 <= args.image < len(data.x_test):
        raise bad_input("--image", f"a number from 0 to {len(data.x_test) - 1}", str(args.image),
                        "leave it out")  # fmt: skip
    subject = make_subject(data, args.image)
    print(told(subject), flush=True)
    study = Study(subject, out, args.seed, whole=not args.quick)
    findings = []
    for step in steps(whole=study.whole):
        findings.append(tried(step, study))
        show(findings[-1])
    checks = [c for f in findings for c in f.checks]
    seconds = time.perf_counter() - begun
    facts: dict[str, Any] = {
        "quick": args.quick, "seed": args.seed, "image": subject.number, "label": subject.label,
        "beta": subject.net.beta, "temperature": subject.net.temperature,
        "steps": {f.title: f.facts for f in findings},
        "figures": [name for f in findings for name in f.figures],
    }  # fmt: skip
    files = {args.json, None if out is None else out / "results.json"} - {None}
    for path in files:
        write_results(path, checks, [], environment(), seconds, **facts)
    if out is not None:
        page(subject, findings).write(out / "report.html")
    failed = [c for c in checks if not c.passed]
    if failed or not all_passed(checks):
        said = "; ".join(f"{c.id} ({c.claim}: {c.value})" for c in failed)
        print(f"infer: expected every check to hold, got {len(failed)} of {len(checks)} failed or "
              f"inconclusive: {said}; see the lines marked ✗.", file=sys.stderr)  # fmt: skip
        return 1
    print(f"All {len(checks)} checks held; {seconds:.1f} s.")
    return 0


def steps(*, whole: bool) -> list[Step]:
    """The steps of the study, in order; the dear ones only if `whole`."""
    from unified.commands.infer_evidence import evidence, gradient
    from unified.commands.infer_posterior import draws, mode, temperature
    from unified.commands.infer_twin import twin

    return [twin, mode, draws, temperature, evidence, *([gradient] if whole else [])]


def told(subject: Subject) -> str:
    """The net and its image in one sentence."""
    net = subject.net
    widths = "-".join(map(str, net.params["W2"].shape[::-1]))
    rival = int(max((p, k) for k, p in enumerate(subject.forward) if k != subject.label)[1])
    return (
        f"Predictive net {len(net.x)}-{widths} (test error {100 * subject.test_error:.1f} %) on "
        f"test image {subject.number}, a {subject.label}: the forward pass gives that label "
        f"{subject.forward[subject.label]:.2f} and {rival} {subject.forward[rival]:.2f}; "
        f"β = {net.beta:g}, T = {net.temperature:g}."
    )


def show(finding: Finding) -> None:
    """Print a finding's checks."""
    print(f"\n== {finding.title}")
    for c in finding.checks:
        value = "" if c.value is None else f": {c.value:.3g} (against {c.tolerance:.3g})"
        print(f"{'✓' if c.passed else '✗'} {c.claim}{value}", flush=True)


def introduce(report: Report, subject: Subject) -> None:
    """What is studied, on the page."""
    report.text(
        told(subject) + "\n\nThe states of the net given the image are random: noise of variance "
        "T in every unit. A nudge by the label makes their law a posterior, its rest point the "
        "most probable state. First layer: whitened principal components; output: softmax "
        "regression on their `tanh`."
    )
    report.formula(subject.net.energy.latex("energy"), "Energy")
    ax = _picture(subject)
    report.figure(ax, f"Test image {subject.number}, a {subject.label}, minus the mean image.")


def page(subject: Subject, findings: list[Finding]) -> Report:
    """The whole report."""
    from unified.report import Report

    report = Report("Relaxation as inference")
    report.section("The net and the image")
    introduce(report, subject)
    for finding in findings:
        report.section(finding.title)
        finding.write(report)
    report.section("Every check").checks([c for f in findings for c in f.checks])
    return report


def _picture(subject: Subject) -> bytes:
    import numpy as np

    from unified.report import new_axes, png_bytes

    ax = new_axes(1.8, 1.8)
    side = int(np.sqrt(len(subject.image)))
    ax.imshow(np.reshape(subject.image[: side * side], (side, side)), cmap="gray")
    ax.set_axis_off()
    return png_bytes(ax, dpi=100)
