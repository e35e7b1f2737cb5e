"""The section of the demo on wide networks: a flow by several methods, a transition, a net."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unified.commands import meanfield_flows, meanfield_nets, meanfield_phase
from unified.commands.demo_part import Part
from unified.commands.meanfield_study import told
from unified.data import Dataset
from unified.meanfield import closed_forms
from unified.report import (
    Check,
    Report,
    plot_circle_features,
    plot_flow_densities,
    plot_flow_risks,
    save_png,
)

TITLE = "Wide networks as Wasserstein flows"
ATTRACTION = 1.0


def run(out: Path, data: Dataset, quick: bool) -> Part:
    """A little of `unified meanfield`; it needs no images. A quick demo leaves out the last two."""
    print(f"\n== {TITLE}")
    law = closed_forms.ornstein_uhlenbeck(
        meanfield_flows.A, meanfield_flows.B, meanfield_flows.T, meanfield_flows.START,
        meanfield_flows.END, meanfield_flows.K,
    )  # fmt: skip
    flows = [meanfield_flows.by_moments(law), meanfield_flows.by_volumes(law, quick=True)]
    critical, check = meanfield_phase.bisect(ATTRACTION)
    checks = [c for _, more, _ in flows for c in more] + [check]
    credits = ("bp", "pc") if quick else ("bp", "ep", "pc", "fa")
    nets = {c: meanfield_nets.particle_flow(c, meanfield_nets.NEURONS, 0) for c in credits}
    checks += [meanfield_nets.closed_check(c, f) for c, f in nets.items()]
    circle = None
    if not quick:
        checks += meanfield_nets.nudge_orders((100,), 0, (0.005, 0.01))[1]
        circle = meanfield_nets.circle_flow(60, 1)
        checks.append(meanfield_nets.circle_check(circle))
    checks = [_named(c) for c in checks]
    for c in checks:
        print(f"  {'✓' if c.passed else '✗'} {c.claim}: {told(c)}", flush=True)
    figures = ["flow_density.png", "flow_risks.png"] + ([] if quick else ["flow_features.png"])
    grid = flows[1][2].to_xarray()
    x = grid["x"].values
    save_png(plot_flow_densities({
        "density": grid["density"].values, "x": x, "time": grid["time"].values,
        "exact": np.exp(law.log_density(x[:, None])),
    }), out / figures[0])  # fmt: skip
    save_png(plot_flow_risks({
        "ts": nets["bp"]["flow"].ts, "risk": {c: f["risk"] for c, f in nets.items()},
        "closed_ts": nets["bp"]["dense"],
        "closed": {c: f["curve"] for c, f in nets.items() if c != "ep"},
    }), out / figures[1])  # fmt: skip
    if circle is not None:
        seen = circle["features"]
        save_png(plot_circle_features(seen[0], seen[-1], teacher=circle["teacher"]),
                 out / figures[2])  # fmt: skip

    def write(page: Report) -> None:
        page.section(TITLE).text(
            "Training a wide net moves the law of its neurons down the Wasserstein gradient of the "
            "risk, as any crowd moves under a potential, attraction and noise: one functional, "
            "followed by every method. `unified meanfield` compares all of them."
        ).formula(meanfield_flows.functional().latex(), "potential, attraction and entropy")
        page.figure(out / figures[0], "Finite volumes over time; dashed: the closed form.")
        page.table([critical], None, "A crowd in a double well: where it picks a side")
        page.figure(out / figures[1], "The risk of a linear net of 40 neurons: particles under "
                    "several kinds of credit on their closed equations.")  # fmt: skip
        if circle is not None:
            page.figure(out / figures[2], "ReLU neurons find the three of their teacher.")

    facts = {"critical": critical, "methods": [row for row, _, _ in flows],
             "credits": {c: f["apart"] for c, f in nets.items()}, "quick": quick}  # fmt: skip
    return Part(TITLE, checks, facts, figures, write)


def _named(check: Check) -> Check:
    """The check with an id that says which section it belongs to."""
    return Check(f"meanfield.{check.id}", check.claim, check.level, check.value, check.tolerance,
                 check.passed)  # fmt: skip
