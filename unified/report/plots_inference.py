"""Posteriors, evidence and wells. Each function draws only, and returns the axes.

Data is an ``xarray.Dataset`` or a plain dict with the same names, as in ``plots_lines``.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from unified.base.errors import bad_input
from unified.report.figures import DASHES, GREY, MARKERS, PALETTE, legend_above, new_axes, tidy
from unified.report.tables import PlotData, numbers, per_label, require

MOST = 40  # rows of a forest that can be told apart


def plot_posterior_forest(data: PlotData, *, ax: Axes | None = None) -> Axes:
    """Posterior mean and interval of every unit, with the rest point of the nudged phase.

    Args:
        data: ``mean``, ``sd`` of the draws and ``map``, the relaxed state, dimension (unit); as a
            dict ``{"unit": names, "mean": array, "sd": array, "map": array}``; ``interval``, in
            standard deviations, is optional (2). Any further per-unit entries of ``others``
            (``{label: array}``) are drawn as markers of their own.
        ax: axes to draw on; new ones when omitted.
    """
    for name in ("mean", "sd", "map"):
        require(data, name)
    mean, sd, rest = (numbers(data[name]) for name in ("mean", "sd", "map"))
    units = list(map(str, np.asarray(data["unit"]) if "unit" in data else range(len(mean))))
    sizes = [len(units), len(mean), len(sd), len(rest)]
    if len(set(sizes)) > 1:
        raise bad_input("data", "one mean, sd and map per unit", str(sizes), "align them")
    if len(mean) > MOST:
        raise bad_input("data", f"at most {MOST} units, to be told apart", len(mean),
                        "draw some of them, e.g. data.isel(unit=slice(0, 20))")  # fmt: skip
    wide = float(numbers(data["interval"])) if "interval" in data else 2.0
    ax = tidy(ax or new_axes(6.4, 1.5 + 0.24 * len(mean)))
    rows = np.arange(len(mean))
    ax.errorbar(mean, rows, xerr=wide * sd, fmt="o", color=PALETTE[0], markersize=4, linewidth=1.4,
                label=f"posterior mean ± {wide:g} sd")  # fmt: skip
    look: dict[str, Any] = {"linestyle": "none", "markersize": 8, "markerfacecolor": "none"}
    ax.plot(rest, rows, marker="D", color=PALETTE[1], label="rest point (MAP)", **look)
    for k, (label, value) in enumerate(per_label(data, "others", "other").items(), start=2):
        ax.plot(numbers(value), rows, marker=MARKERS[k % 7], color=PALETTE[k % 7], label=label,
                linestyle="none", markersize=5)  # fmt: skip
    ax.set_yticks(rows, units)
    ax.set_ylim(len(mean) - 0.4, -0.6)
    ax.grid(False, axis="y")
    ax.set_xlabel("state of the unit (units of the activity)")
    legend_above(ax, columns=2)
    return ax


def plot_mean_cost(data: PlotData, *, ax: Axes | None = None) -> Axes:
    """The mean cost ⟨C⟩ along the nudge, its integral shaded: −T times the log evidence.

    Args:
        data: ``betas``, ``means``, optionally ``se`` (node) and ``value`` (log evidence, nats), as
            in ``un.inference.evidence(..., method="ti").to_xarray()``.
        ax: axes to draw on; new ones when omitted.
    """
    require(data, "betas")
    require(data, "means")
    ax = tidy(ax or new_axes())
    betas, means = numbers(data["betas"]), numbers(data["means"])
    order = np.argsort(betas)
    betas, means = betas[order], means[order]
    errors = numbers(data["se"])[order] if "se" in data else np.zeros(len(betas))
    label = "area = T × (−log evidence)"
    if "value" in data:
        told = f"{float(numbers(data['value'])):.4g}".replace("-", "−")
        label += f", log evidence {told} nats"
    ax.fill_between(betas, 0.0, means, color=PALETTE[0], alpha=0.15, linewidth=0, label=label)
    ax.plot(betas, means, color=PALETTE[0], linewidth=1.4)
    look: dict[str, Any] = {"color": PALETTE[0], "markersize": 4, "fmt": "o", "capsize": 2}
    known = "nodes of the quadrature"
    if np.any(errors > 0):
        known += " ± 2 s.e."
    ax.errorbar(betas, means, yerr=2 * errors, label=known, **look)
    ax.set_xlim(min(0.0, float(betas[0])), None)
    ax.set_ylim(0.0, None)
    ax.set_xlabel("nudge strength β")
    ax.set_ylabel("mean cost ⟨C⟩ (units of energy)")
    legend_above(ax, columns=1)
    return ax


def plot_energy_slice(data: PlotData, *, ax: Axes | None = None) -> Axes:
    """The energy along one unit, or one direction, with the places that claim to be the answer.

    Args:
        data: ``position`` (point,) and ``energy`` {label: (point,)}, dimension (curve) in a
            dataset: F along the line, in units of T if ``temperature`` is given; ``marks``
            {label: position}, dimension (mark): MAP, mean, marginal mode. ``along`` names the
            direction.
        ax: axes to draw on; new ones when omitted.
    """
    require(data, "position")
    require(data, "energy")
    ax = tidy(ax or new_axes())
    position = numbers(data["position"])
    heat = float(numbers(data["temperature"])) if "temperature" in data else None
    curves = per_label(data, "energy", "curve")
    for k, (label, value) in enumerate(curves.items()):
        level = numbers(value)
        level = (level - level.min()) / (heat or 1.0)
        ax.plot(position, level, color=PALETTE[k % 7], linestyle=DASHES[k % 7], label=label)
    marks = per_label(data, "marks", "mark")
    for k, (label, value) in enumerate(marks.items(), start=len(curves)):
        at = float(numbers(value))
        ax.axvline(at, color=PALETTE[k % 7], linestyle=DASHES[k % 7], linewidth=1.2,
                   label=f"{label} {at:.3g}")  # fmt: skip
    ax.set_ylim(0.0, None)
    along = str(data["along"]) if "along" in data else "the slice"
    ax.set_xlabel(f"state along {along} (units of the activity)")
    ax.set_ylabel("F − min F (units of T)" if heat else "F − min F (units of energy)")
    legend_above(ax)
    return ax


def plot_mode_weights(data: PlotData, *, ax: Axes | None = None) -> Axes:
    """The share of every well: annealed runs with their error, Laplace mixture, exact if known.

    Args:
        data: ``weight``, ``se``, ``laplace`` (mode), optional ``runs`` (run, mode), ``exact``
            (mode) and ``energy`` (mode), as ``un.inference.mode_weights(...).to_xarray()``.
        ax: axes to draw on; new ones when omitted.
    """
    for name in ("weight", "se", "laplace"):
        require(data, name)
    weight, se, laplace = (numbers(data[name]) for name in ("weight", "se", "laplace"))
    ax = tidy(ax or new_axes(max(4.6, 2.6 + 0.9 * len(weight)), 4.0))
    at = np.arange(len(weight))
    look: dict[str, Any] = {"linestyle": "none", "markersize": 6}
    if "runs" in data:
        runs = numbers(data["runs"])
        spread = np.linspace(-0.3, -0.1, len(runs))
        for k, row in enumerate(runs):
            ax.plot(at + spread[k], row, ".", color=GREY, markersize=4,
                    label=None if k else f"each of {len(runs)} runs")  # fmt: skip
    ax.errorbar(at, weight, yerr=2 * se, fmt="o", color=PALETTE[0], markersize=6, capsize=4,
                label="annealed runs ± 2 s.e.")  # fmt: skip
    ax.plot(at + 0.22, laplace, marker="s", color=PALETTE[1], label="Laplace mixture", **look)
    if "exact" in data:
        exact = numbers(data["exact"])
        ax.hlines(exact, at - 0.32, at + 0.32, color=PALETTE[2], linewidth=2, label="exact")
    names = [f"well {k + 1}" for k in range(len(weight))]
    if "energy" in data:
        names = [f"{n}\nF = {e:.3g}" for n, e in zip(names, numbers(data["energy"]), strict=True)]
    ax.set_xticks(at, names)
    ax.set_xlim(-0.6, len(weight) - 0.4)
    ax.set_ylim(0.0, 1.05 * max(1e-3, float(np.max([*(weight + 2 * se), *laplace]))))
    ax.yaxis.set_major_locator(MaxNLocator(6))
    ax.grid(False, axis="x")
    ax.set_ylabel("share of the law (1 = all)")
    legend_above(ax, columns=2)
    return ax
