"""Step 6 of the demo: the figures and the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unified.commands.demo_derive import function_source
from unified.commands.demo_gradients import RESIDUAL, Comparison, candidates
from unified.commands.demo_nets import Net
from unified.commands.demo_part import Part
from unified.commands.demo_train import Training
from unified.data import Dataset
from unified.report import (
    Check,
    Report,
    plot_beta_order,
    plot_gradient_agreement,
    plot_hessian_structure,
    plot_learning_curves,
    plot_relaxation,
    save_png,
)  # fmt: skip


def figures(
    out: Path, nets: Sequence[Net], gradients: Sequence[Comparison], training: Training
) -> list[str]:
    """Draw everything; the names of the files."""
    names = []

    def save(ax: Any, name: str) -> None:
        names.append(save_png(ax, out / f"{name}.png").name)

    for net, found in zip(nets, gradients, strict=True):
        save(plot_hessian_structure(net.energy.structure()), f"{net.name}_hessian")
        save(plot_relaxation({"residual": found.traces, "tolerance": RESIDUAL}),
             f"{net.name}_relaxation")  # fmt: skip
        save(plot_gradient_agreement(_agreement(net, found)), f"{net.name}_gradients")
        save(plot_beta_order({
            "beta": {k: v["betas"] for k, v in found.orders.items()},
            "relative_error": {k: v["errors"] for k, v in found.orders.items()},
            "declared_order": {k: v["declared"] for k, v in found.orders.items()},
        }), f"{net.name}_orders")  # fmt: skip
    save(plot_learning_curves({"test_error": training.curves}), "learning_curves")
    return names


def _agreement(net: Net, found: Comparison) -> dict[str, Any]:
    errors = {}
    for row in found.rows:
        own = {"finite differences": row["finite"]}
        if row["estimator"] != "Implicit":
            own = {"Implicit": row["relative_error"], **own}
        errors[row["estimator"]] = own
    bars = {label: bar for label, _, bar in candidates(net)}
    return {"relative_error": errors, "tolerance": bars}


def page(
    out: Path, nets: Sequence[Net], data: Dataset, gradients: Sequence[Comparison],
    training: Training, parts: Sequence[Part], checks: Sequence[Check], place: dict[str, Any],
) -> None:  # fmt: skip
    """Write report.html."""
    report = Report("One energy, everything")
    report.text(
        f"Two nets of shape {'-'.join(str(n) for n in nets[0].energy.sizes.values())} on "
        f"{data.name}: {len(data.x_train)} training and {len(data.x_test)} test images. Each is "
        "one energy; its dynamics, learning rules, Hessian and programs below were derived from "
        "it, not written."
    )
    for net, found in zip(nets, gradients, strict=True):
        _net(report, out, net, found)
    _training(report, out, training)
    for part in parts:
        part.write(report)
    report.section("Every check").text(
        "`proved`: both sides have one canonical form, for all sizes. `exact`: equal modulo a "
        "prime on random draws, with a bounded error. `numeric`: float64 agreement with an "
        "independent computation."
    )
    report.checks(checks)
    versions = [{"package": k, "version": v} for k, v in place["packages"].items()]
    report.section("Environment").text(
        f"Python {place['python']}, {place['platform']}, {place['cpus']} processors."
    )
    report.table(versions)
    report.write(out / "report.html")


def _net(report: Report, out: Path, net: Net, found: Comparison) -> None:
    energy = net.energy
    report.section(net.title)
    for what in ("energy", "dynamics", "rules", "hessian"):
        report.formula(energy.latex(what), _CAPTIONS[what])
    report.figure(out / f"{net.name}_hessian.png", "Blocks of the Hessian over the states.")
    report.code(function_source(net, "force", "rule"),
                f"Generated JAX; all of it is in {net.name}_program.py")  # fmt: skip
    report.text("Phases relaxed in float64, with the smallest eigenvalue of the Hessian there.")
    report.table(found.phases,
                 caption="Phases at rest: worst sample of the batch")  # fmt: skip
    report.figure(out / f"{net.name}_relaxation.png",
                  "Residual while relaxing: median of the batch, band from best to worst.")
    report.table(
        [[r["estimator"], r["objective"], _cosine(r["cosine"]), r["relative_error"], r["finite"]]
         for r in found.rows],
        ["estimator", "gradient of", "cosine", "error vs Implicit", "error vs differences"],
        "Gradients of the batch mean: cosine and relative error against the exact loss gradient; "
        "the last column compares with finite differences of the estimator's own objective",
    )  # fmt: skip
    report.figure(out / f"{net.name}_gradients.png",
                  "Relative errors against Implicit and against finite differences of the "
                  "estimator's own objective; the tolerance is for the former, or for the latter "
                  "where that objective is not the loss.")
    report.table(
        [[k, v["declared"], v["slope"]] for k, v in found.orders.items()],
        ["estimator", "declared order", "measured order"], "Order of the bias in the nudge",
    )  # fmt: skip
    report.figure(out / f"{net.name}_orders.png", "Bias against the strength of the nudge.")


_CAPTIONS = {
    "energy": "Energy, as declared",
    "dynamics": "Dynamics, derived",
    "rules": "Local learning rules, derived",
    "hessian": "Hessian, derived",
}


def _cosine(value: float) -> str:
    return f"{value:.8f}"


def _training(report: Report, out: Path, training: Training) -> None:
    report.section("Training").text(
        f"Same start, order of images, optimiser and number of steps for every rule; "
        f"{training.seeds} seeds, {training.epochs} epochs."
        + ("" if training.checks else " A quick run: what training reached is not checked.")
    )
    report.table(
        [[s["net"], 100 * s["mean"], None if s["sd"] is None else 100 * s["sd"], s["seeds"]]
         for s in training.summary],
        ["net, rule", "test error, mean (%)", "s.d. (%)", "seeds"], "Test error",
    )  # fmt: skip
    report.figure(out / "learning_curves.png",
                  "Test error while learning: mean over seeds, band of one standard deviation.")
    keys = ("energy", "rule", "estimator", "seed", "epochs", "test_error", "loss", "seconds")
    report.table([{k: row[k] for k in keys} for row in training.rows], caption="Every net")
