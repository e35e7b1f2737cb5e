"""What `unified meanfield` draws and writes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unified.commands.meanfield_phase import KURAMOTO_T, self_consistent
from unified.commands.meanfield_study import Study
from unified.meanfield import closed_forms
from unified.report import (
    Report,
    environment,
    plot_beta_order,
    plot_circle_features,
    plot_credit_gaps,
    plot_flow_densities,
    plot_flow_energy,
    plot_flow_risks,
    plot_phase_diagram,
    plot_relaxation,
    save_gif,
    save_png,
    write_results,
)

FRAMES = "features.gif"


def write(args: argparse.Namespace, out: Path | None, studies: Mapping[str, Study],
          seconds: float) -> None:  # fmt: skip
    """The numbers as JSON where asked for, and the folder with page, figures and animation."""
    checks = [c for s in studies.values() for c in s.checks]
    place = environment()
    facts = {"rows": {name: s.rows for name, s in studies.items()}, "quick": args.quick,
             "seed": args.seed}  # fmt: skip
    if args.json is not None:
        write_results(args.json, checks, [], place, seconds, **facts)
    if out is None:
        return
    page = Report("Wide networks as Wasserstein gradient flows")
    page.section("Checks").checks(checks)
    sections = {"flows": flows_section, "many": many_section, "games": games_section,
                "phase": phase_section, "nets": nets_section}  # fmt: skip
    drawn = [name for part, section in sections.items()
             for name in section(page, studies[part], out)]  # fmt: skip
    page.write(out / "report.html")
    write_results(out / "results.json", checks, [], place, seconds, figures=drawn, **facts)


def flows_section(page: Report, study: Study, out: Path) -> list[str]:
    """One functional by every method: formulas, table, densities, energy."""
    page.section("One functional, every method").text(
        "A quadratic potential, a quadratic attraction and entropy. The law stays Gaussian and is "
        "known at every time, so each method is held to its own error law: none but integration "
        "for moments and for particles without noise, h for JKO steps, Δx² for finite volumes, "
        "an exact discrete law for Euler–Maruyama. An implicit step misses the identity of the "
        "flow, F(0) − F(t) = ∫∫|∇δF/δμ|²dμ dt, by O(dt), and obeys one of its own without that "
        "error."
    ).formula(study.series["latex"], "the functional, its first variation and its velocity")
    page.table(
        [[r["method"], r["error"], r["law"], r["fitted"], r["gap"], r["certificate"],
          r["certifies"], r["citation"]] for r in study.rows],
        ["method", "W₂ from the law", "error law", "fitted order", "off the flow's identity",
         "off its own", "which is", "from"],
        "W₂ at the finest setting; particles without noise are compared with their own moments",
    )  # fmt: skip
    flows = study.series["flows"]
    grid = flows["fv"].to_xarray()
    exact = np.exp(study.series["law"].log_density(grid["x"].values[:, None]))
    data = {"density": grid["density"].values, "x": grid["x"].values,
            "time": grid["time"].values, "exact": exact}  # fmt: skip
    names = ["densities.png", "energy.png"]
    page.figure(save_png(plot_flow_densities(data), out / names[0]),
                "Finite volumes: the density over time; dashed: the exact last one.")  # fmt: skip
    shown = {k: f for k, f in flows.items() if k != "langevin"}
    energy = {"time": {k: f.ts for k, f in shown.items()},
              "energy": {k: f.energy for k, f in shown.items()},
              "dissipated": {k: f.dissipated for k, f in shown.items()}}  # fmt: skip
    page.figure(save_png(plot_flow_energy(energy), out / names[1]),
                "Energy lost (lines) and dissipation integrated along the flow (marks); particles "
                "at T = 0 have no entropy to keep up, and lose more.")  # fmt: skip
    return names


def many_section(page: Report, study: Study, out: Path) -> list[str]:
    """Finitely many particles: errors as powers of N."""
    page.section("As many particles as one likes").text(
        "N particles miss the law by chance: linear statistics, and the distance W₂, by 1/√N. "
        "Particles that attract each other are off from those of the limit by 1/√N too, and their "
        "second moment is biased by 1/N, which shows where both are moved by the same noise. Every "
        "power is fitted over many replicas, and has an error of its own."
    ).table(study.rows)  # fmt: skip
    gap = {r["error"]: [v for k, v in r.items() if k.startswith("N = ")] for r in study.rows}
    ax = plot_credit_gaps({"neurons": study.series["counts"], "gap": gap})
    ax.set(xlabel="particles", ylabel="error")
    page.figure(save_png(ax, out / "many.png"), "Errors of N particles, and W₂ of "
                "as many independent draws. The legend fits all points alike; the table weighs "
                "each by its own error.")  # fmt: skip
    return ["many.png"]


def games_section(page: Report, study: Study, out: Path) -> list[str]:
    """Steps of other kinds, and games: errors and their orders, a game's course and its crowd."""
    page.section("Steps and games").text(
        "JKO steps in quantiles and by entropic transport, against Gaussian steps in closed form. "
        "A mean-field game with quadratic costs has a closed form; of a game with coupling the "
        "exploitability is known at every play, and bounds how far its cost is from the least. A "
        "JKO step of length h is the game with no running cost, F as terminal cost and horizon h."
    ).table(study.rows)  # fmt: skip
    game = study.series["game"]
    above = game.values - game.value
    ax = plot_relaxation({"residual": {"exploitability": game.exploitability,
                                       "cost above the last": above}})  # fmt: skip
    ax.set(xlabel="play", ylabel="cost")
    page.figure(save_png(ax, out / "game.png"), "What a player gains by leaving the crowd, at "
                "every play of it, and how far its cost was still above the last.")  # fmt: skip
    crowd = game.to_xarray()
    data = {k: crowd[k].values for k in ("density", "x", "time")}
    page.figure(save_png(plot_flow_densities(data), out / "crowd.png"),
                "The crowd of that game on its way to its goal at 1.")  # fmt: skip
    return ["game.png", "crowd.png"]


def phase_section(page: Report, study: Study, out: Path) -> list[str]:
    """Transitions: the table of critical temperatures and the diagrams."""
    page.section("Phase transitions").text(
        "In a double well with attraction k (Desai and Zwanzig) the symmetric state loses its "
        "stability at a critical temperature. It is found by bisection on whether a small "
        "magnetisation grows along the flow on a grid, from the same bracket for every k."
    ).table(study.rows)
    s = study.series
    names = []

    def figure(name: str, caption: str, data: dict[str, Any]) -> None:
        page.figure(save_png(plot_phase_diagram(data), out / name), caption)
        names.append(name)

    ks = np.linspace(0.3, max(3.2, *(r["attraction"] for r in study.rows)), 40)
    figure("critical.png", "Below the curve the wells are taken unevenly; marks: bisection.", {
        "control": [r["attraction"] for r in study.rows],
        "order": [r["critical"] for r in study.rows], "exact_control": ks,
        "exact_order": [closed_forms.desai_zwanzig_critical(float(k)) for k in ks],
        "control_name": "attraction k", "order_name": "critical temperature"})  # fmt: skip
    edge = closed_forms.desai_zwanzig_critical(1.0)
    heats = edge * (1 - np.linspace(0.9, 0.01, 40) ** 2)
    figure("magnetisation.png", "The mean that the flow settles at, k = 1.", {
        "control": s["heats"], "order": s["means"], "critical": edge,
        "exact_control": [*heats, edge, max(edge, *s["heats"])],
        "exact_order": [*(self_consistent(1.0, float(t)) for t in heats), 0.0, 0.0],
        "control_name": "temperature T", "order_name": "mean"})  # fmt: skip
    edge = 2 * KURAMOTO_T
    couplings = [min(s["couplings"]), *(edge + np.linspace(0, 1.3, 60) ** 2)]
    figure("kuramoto.png", "The order parameter r of noisy rotators.", {
        "control": s["couplings"], "order": s["orders"], "critical": edge,
        "exact_control": couplings, "exact_order": [closed_forms.kuramoto_order(c, KURAMOTO_T)
                                                    for c in couplings],
        "control_name": "coupling K", "order_name": "order r"})  # fmt: skip
    return names


def nets_section(page: Report, study: Study, out: Path) -> list[str]:
    """Nets: four credits on their closed equations, orders, gaps, features and the animation."""
    s = study.series
    page.section("A net is a flow of its neurons").text(
        "A two-layer linear net of finitely many neurons, moved by backprop, by EP and PC (their "
        "activities eliminated, which is checked against relaxed ones), and by feedback alignment. "
        "The closed equations of its moments hold at every number of neurons. EP follows "
        "backprop's; PC with γ = Nγ_h/γ_o fixed follows "
        "its own, of another energy; feedback alignment follows no gradient at all."
    ).table(study.rows)  # fmt: skip
    names = ["credits.png", "orders.png", "widths.png", "features.png"]
    flows = s["flows"]
    risks = {"ts": flows["bp"]["flow"].ts, "risk": {c: f["risk"] for c, f in flows.items()},
             "closed_ts": flows["bp"]["dense"],
             "closed": {c: f["curve"] for c, f in flows.items() if c != "ep"}}  # fmt: skip
    page.figure(save_png(plot_flow_risks(risks), out / names[0]),
                "Risk: particles on the closed equations of their moments.")  # fmt: skip
    widest = max(r["neurons"] for r in s["orders"])
    rows = {r["scheme"]: r for r in s["orders"] if r["neurons"] == widest}
    orders = {"beta": {k: r["betas"] for k, r in rows.items()},
              "relative_error": {k: r["errors"] for k, r in rows.items()},
              "declared_order": {"one-sided": 1, "centered": 2}}  # fmt: skip
    page.figure(save_png(plot_beta_order(orders), out / names[1]),
                f"EP's velocity against backprop's, {widest} neurons.")  # fmt: skip
    page.figure(save_png(plot_credit_gaps(s["gaps"]), out / names[2]),
                "PC's velocity against backprop's as the net widens.")  # fmt: skip
    circle = s["circle"]
    found = circle["features"]
    page.figure(save_png(plot_circle_features(found[0], found[-1], teacher=circle["teacher"]),
                         out / names[3]),
                "ReLU neurons before and after the flow, and the three of their teacher; "
                f"{FRAMES} shows it in motion.")  # fmt: skip
    save_gif(lambda ax, k: _frame(ax, circle, k), len(found), out / FRAMES)
    return [*names, FRAMES]


def _frame(ax: Any, circle: dict[str, Any], k: int) -> None:
    """One frame: all on the scale of the last, so that growth is seen."""
    most = float(np.max(np.abs(circle["features"][-1][1])))
    direction, carried = circle["features"][k]
    at = direction * (np.abs(carried) / most)[:, None]
    for sign, colour in ((1, "#0072B2"), (-1, "#D55E00")):
        which = np.sign(carried) == sign
        ax.plot(*at[which].T, "o" if sign > 0 else "s", color=colour, markersize=4, alpha=0.7)
    for v in circle["teacher"]:
        ray = 1.15 * v / np.linalg.norm(v)
        ax.plot([0, ray[0]], [0, ray[1]], color="#666666", linewidth=1, linestyle="-.")
    ax.set(xlim=(-1.2, 1.2), ylim=(-1.2, 1.2), aspect="equal")
    ax.set_title(f"t = {circle['flow'].ts[k]:.1f}   risk {circle['flow'].energy[k]:.3f}",
                 loc="left", fontsize="medium")  # fmt: skip
