"""Validations drawn: entries of the estimate against the reference, and intervals over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from unified.base.errors import bad_input
from unified.report.figures import DASHES, GREY, MARKERS, PALETTE, legend_above, new_axes, tidy
from unified.report.validation_statistics import line

# Colour and marker say the same as the word beside them.
LOOKS = {
    "agrees": (PALETTE[2], "o"),
    "inconclusive": (PALETTE[4], "D"),
    "disagrees": (PALETTE[1], "X"),
}
QUANTITIES = {
    "relative_error": "relative error of the gradient, mean over seeds",
    "slope": "slope of estimate on reference",
    "intercept": "intercept (rms of the reference)",
    "cosine": "1 − cosine of estimate and reference",
    "pearson": "correlation of projections over seeds",
}
FLOOR = 1e-16


def plot_validation_scatter(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Entries of the estimate against those of the reference, with the fitted line and y = x.

    Args:
        data: what ``validate_gradient`` returns; up to 200 entries per seed are drawn, in units
            of the rms of that seed's reference.
        ax: axes to draw on; new ones when omitted.
    """
    if "estimate" not in data or "reference" not in data:
        raise bad_input("data", "a validation", sorted(map(str, data)), "use un.validate_gradient")
    ax = tidy(ax or new_axes(5.6, 5.2))
    drawn = [np.zeros(0)]
    for i, name in enumerate(data["network"].values):
        at = data.sel(network=name)
        g, e = (at[k].values.ravel() for k in ("reference", "estimate"))
        g, e = (v[np.isfinite(g) & np.isfinite(e)] for v in (g, e))
        colour = PALETTE[i % 7]
        slope, offset = line(g, e)
        verdict = str(at["network_verdict"].values)
        ax.plot(g, e, MARKERS[i % 7], color=colour, markersize=3.5, alpha=0.45,
                markeredgewidth=0, zorder=2)  # fmt: skip
        label = f"{name}: slope {slope:.4g}, {verdict}" if g.size else f"{name}: nothing, {verdict}"
        ends = np.array([g.min(), g.max()]) if g.size else np.zeros(0)
        ax.plot(ends, offset + slope * ends, color=colour, linewidth=1.4, marker=MARKERS[i % 7],
                linestyle=DASHES[i % 7], markersize=5, label=label, zorder=3)  # fmt: skip
        drawn += [g]
    reach = np.concatenate(drawn)
    if reach.size:
        ends = np.array([reach.min(), reach.max()])
        ax.plot(ends, ends, color=GREY, linewidth=1, linestyle="--", label="equal", zorder=1)
    ax.set_xlabel(f"entry of the reference, {data.attrs.get('reference', '')} (rms = 1)")
    ax.set_ylabel("entry of the estimate")
    legend_above(ax, columns=1)
    return ax


def plot_validation_intervals(
    data: xr.Dataset | Mapping[str, xr.Dataset], quantity: str = "relative_error",
    *, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Intervals over seeds per estimator and network, with the margin and the verdicts (forest).

    Args:
        data: one validation, or several by label.
        quantity: ``relative_error``, ``slope``, ``intercept``, ``cosine`` (drawn as 1 − cosine) or
            ``pearson``; the first and the fourth on a log axis, where an end that is not positive
            is drawn at its left edge.
        ax: axes to draw on; new ones when omitted.
    """
    if quantity not in QUANTITIES:
        raise bad_input("quantity", f"one of {', '.join(QUANTITIES)}", repr(quantity), "choose one")
    if isinstance(data, xr.Dataset):
        data = {str(data.attrs.get("estimator", "")): data}
    rows = [(f"{label} · {name}", found.sel(network=name), found.attrs)
            for label, found in data.items() for name in found["network"].values]  # fmt: skip
    if not rows:
        raise bad_input("data", "at least one validation", "none", "run un.validate_gradient")
    ax = tidy(ax or new_axes(8.4, 1.3 + 0.27 * len(rows)))
    log = quantity in ("relative_error", "cosine")
    spans = [np.asarray(at[f"{quantity}_interval"].values, float) for _, at, _ in rows]
    if quantity == "cosine":
        spans = [np.array([1 - c, 1 - high, 1 - low]) for c, low, high in spans]
    margin = float(rows[0][2]["margin"])
    if log:
        seen = np.concatenate(spans)
        edge = max(FLOOR, np.min(seen[seen > 0], initial=margin) / 4)
        spans = [np.maximum(s, edge) for s in spans]
        ax.set_xscale("log")
    _margin(ax, quantity, margin)
    for i, ((_, at, _), (centre, low, high)) in enumerate(zip(rows, spans, strict=True)):
        verdict = str(at["network_verdict"].values)
        colour, marker = LOOKS[verdict]
        ax.plot([low, high], [i, i], color=colour, linewidth=2, solid_capstyle="butt")
        ax.plot([centre], [i], marker, color=colour, markersize=5.5)
        ax.text(1.02, i, verdict, transform=ax.get_yaxis_transform(), color=colour, va="center",
                fontsize="small")  # fmt: skip
    ax.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize="small")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(False, axis="y")
    ax.set_xlabel(QUANTITIES[quantity])
    return ax


def _margin(ax: Axes, quantity: str, margin: float) -> None:
    """The range of agreement as a band; none for correlations, on which no verdict rests."""
    look: dict[str, Any] = {"color": "#009E73", "alpha": 0.12, "linewidth": 0, "zorder": 0}
    if quantity == "relative_error":
        ax.axvspan(0, margin, **look)
    elif quantity == "cosine":
        ax.axvspan(0, 1 - np.sqrt(1 - margin**2), **look)
    elif quantity in ("slope", "intercept"):
        middle = 1.0 if quantity == "slope" else 0.0
        ax.axvspan(middle - margin, middle + margin, **look)
