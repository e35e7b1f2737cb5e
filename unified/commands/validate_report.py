"""What `unified validate` prints and writes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unified.report import Check, Report, environment, save_png, write_results
from unified.report.plots_validation import plot_validation_intervals, plot_validation_scatter

NUMBERS = ("relative_error", "cosine", "slope", "intercept", "pearson")


def rows_of(entry: Any, found: Any) -> list[dict[str, Any]]:
    """One row per network: the intervals, p-values and verdict."""
    rows = []
    for name in found["network"].values:
        at = found.sel(network=name)
        row: dict[str, Any] = {
            "estimator": entry.label, "net": str(name), "reference": found.attrs["reference"],
            "estimates": found.attrs["estimates"], "declared_order": found.attrs["declared_order"],
            "seeds": int(at["seeds_used"]), "verdict": str(at["network_verdict"].values),
            "expected": entry.expected, "reason": str(at["network_reason"].values),
            "p_agree": float(at["p_agree"]), "p_disagree": float(at["p_disagree"]),
            "declared_bias": float(at["declared_bias"].mean()),
            "unexplained_error": float(at["unexplained_error"].mean()),
            "residual": float(at["residual"].max()),
        }  # fmt: skip
        for quantity in NUMBERS:
            centre, low, high = at[f"{quantity}_interval"].values.tolist()
            row |= {quantity: centre, f"{quantity}_low": low, f"{quantity}_high": high}
        rows.append(row)
    return rows


def told(row: Mapping[str, Any]) -> str:
    """A row as one line."""
    p = row["p_agree"] if row["verdict"] != "disagrees" else row["p_disagree"]
    mark = "✓" if row["verdict"] == row["expected"] else "✗"
    more = "" if mark == "✓" else f": {row['reason']}"
    return (
        f"{row['estimator']:<36} {row['net']:<11}"
        f"[{row['cosine_low']:>11.8f},{row['cosine_high']:>11.8f}] "
        f"[{row['slope_low']:>9.6f},{row['slope_high']:>9.6f}] {p:>7.0e}  "
        f"{mark} {row['verdict']}{more}"
    )


def check(row: Mapping[str, Any], margin: float) -> Check:
    """The check of a row: an honest estimator agrees, a broken one is caught."""
    id = f"validate.{row['estimator']}.{row['net']}".replace(" ", "_")
    claim = f"{row['net']}: {row['estimator']} agrees with {row['reference']}, mean relative error"
    if row["expected"] == "disagrees":
        claim = f"{row['net']}: {row['estimator']} is caught: its error is shown to be larger"
    return Check(id, claim, "numeric", row["relative_error"], margin,
                 row["verdict"] == row["expected"])  # fmt: skip


def write(args: argparse.Namespace, out: Path | None, datasets: Mapping[str, Any],
          rows: Sequence[Mapping[str, Any]], checks: Sequence[Check],
          seconds: float) -> None:  # fmt: skip
    """The table as JSON where it was asked for, and the folder with page and figures."""
    place = environment()
    facts: dict[str, Any] = {"rows": rows, "margin": args.margin, "seeds": args.seeds}
    if args.json is not None:
        write_results(args.json, checks, [], place, seconds, **facts)
    if out is None:
        return
    write_results(out / "results.json", checks, [], place, seconds, **facts)
    page = Report("Validation of gradient estimators")
    page.section("Verdicts").text(
        f"{args.seeds} independent seeds per net. *Agrees* and *disagrees* both need evidence: "
        f"t tests at level 0.025 per side against a margin of {args.margin:g} on relative error, "
        "angle, slope and intercept, Holm-corrected; whatever neither test decides is "
        "*inconclusive*. Broken estimators are negative controls: they have to be caught."
    )
    page.checks(checks)
    page.section("Numbers").table(
        [[r["estimator"], r["net"], r["relative_error"], f"{r['cosine_low']:.8f}",
          f"{r['slope_low']:.6f} to {r['slope_high']:.6f}", r["declared_order"],
          r["declared_bias"], r["unexplained_error"],
          r["p_agree"], r["p_disagree"], r["verdict"]] for r in rows],
        ["estimator", "net", "relative error", "cosine, low end", "slope", "declared order",
         "bias it predicts", "error without it", "p agree", "p disagree", "verdict"],
        "Means and 95 % intervals over seeds; the bias is predicted from half the nudge",
    )  # fmt: skip
    for quantity in ("relative_error", "slope", "cosine"):
        ax = plot_validation_intervals(datasets, quantity)
        page.figure(save_png(ax, out / f"{quantity}.png"), f"Intervals over seeds: "
                    f"{quantity.replace('_', ' ')}; the shaded band is the margin.")  # fmt: skip
    page.section("Entry by entry")
    for k, (label, found) in enumerate(datasets.items(), start=1):
        path = save_png(plot_validation_scatter(found), out / f"scatter_{k}.png")
        page.figure(path, f"{label}: entries of the estimate against those of the reference.")
    page.write(out / "report.html")
