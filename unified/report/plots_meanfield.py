"""Flows of measures: clouds, densities, energy, a phase diagram. Draw only, return the axes."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from unified.base.errors import bad_input
from unified.report.figures import DASHES, GREY, MARKERS, PALETTE, legend_above, new_axes, tidy
from unified.report.tables import PlotData, numbers, per_label, require

TIMES = LinearSegmentedColormap.from_list("times", ["#56B4E9", "#0072B2", "#101820"])


def plot_flow_densities(data: PlotData, *, ax: Axes | None = None, curves: int = 6) -> Axes:
    """Densities in one dimension over time, light to dark, and optionally the exact last one.

    Args:
        data: ``density`` (time, x), ``x``, ``time``, as ``FlowResult.to_xarray()`` of a grid gives;
            optional ``exact`` (x,), drawn dashed.
        ax: axes to draw on; new ones when omitted.
        curves: at most so many times are drawn, the first and the last among them.

    Raises:
        InputError: a density that is not over one dimension.
    """
    for name in ("density", "x", "time"):
        require(data, name)
    rho, x, times = (numbers(data[k]) for k in ("density", "x", "time"))
    if rho.ndim != 2:
        raise bad_input("density", "shape (time, x)", f"{rho.shape}", "pick one dimension")
    ax = tidy(ax or new_axes())
    picked = np.unique(np.linspace(0, len(times) - 1, min(curves, len(times))).round().astype(int))
    for k in picked:
        colour = TIMES(k / max(len(times) - 1, 1))
        ax.plot(x, rho[k], color=colour, linewidth=1.6, label=f"t = {times[k]:.3g}")
    if "exact" in data:
        style: dict[str, Any] = {"linestyle": "--", "color": PALETTE[1], "linewidth": 1.6}
        ax.plot(x, numbers(data["exact"]), label="exact", **style)
    ax.set_xlabel("x")
    ax.set_ylabel("density")
    ax.set_ylim(bottom=0)
    legend_above(ax, columns=4)
    return ax


def plot_flow_particles(data: PlotData, *, ax: Axes | None = None, most: int = 400) -> Axes:
    """Particles in the plane: where they start, their paths, and where they end.

    Args:
        data: ``x`` (time, particle, dim), ``time``, as ``FlowResult.to_xarray()`` of particles
            gives. In one dimension the paths are drawn against time; of more than two the first
            two are shown.
        ax: axes to draw on; new ones when omitted.
        most: at most so many particles are drawn, evenly picked.
    """
    for name in ("x", "time"):
        require(data, name)
    x, times = numbers(data["x"]), numbers(data["time"])
    if x.ndim != 3:
        raise bad_input("x", "shape (time, particle, dim)", f"{x.shape}", "pass a particle flow")
    x = x[:, :: max(1, x.shape[1] // most)]
    flat = x.shape[2] == 1
    ax = tidy(ax or (new_axes() if flat else new_axes(5.2, 5.0)))
    across = np.broadcast_to(times[:, None], x.shape[:2]) if flat else x[..., 0]
    up = x[..., 0] if flat else x[..., 1]
    ax.plot(across, up, color=GREY, alpha=0.25, linewidth=0.6, zorder=1)
    for k, colour, name in ((0, PALETTE[5], "start"), (-1, PALETTE[0], "end")):
        look: dict[str, Any] = {"color": colour, "markersize": 4, "zorder": 3}
        ax.plot(across[k], up[k], MARKERS[0], label=f"{name}, t = {times[k]:.3g}", **look)
    ax.set_xlabel("t" if flat else "x1")
    ax.set_ylabel("x" if flat else "x2")
    if not flat:
        ax.set_aspect("equal", adjustable="datalim")
    legend_above(ax)
    return ax


def plot_flow_energy(data: PlotData, *, ax: Axes | None = None) -> Axes:
    """What a flow has lost, F(0) − F(t), beside what it has dissipated, for several methods.

    Args:
        data: ``energy`` (method, time) and ``time``, optional ``dissipated`` (method, time); as a
            dict ``{"time": {method: array} or array, "energy": {method: array}, "dissipated":
            {method: array}}``. Curves that agree lie on each other; dissipation is drawn as marks.
        ax: axes to draw on; new ones when omitted.
    """
    for name in ("energy", "time"):
        require(data, name)
    ax = tidy(ax or new_axes())
    spent = per_label(data, "dissipated", "method")
    common = not (isinstance(data["time"], dict))
    for i, (method, value) in enumerate(per_label(data, "energy", "method").items()):
        energy = numbers(value)
        times = numbers(data["time"] if common else data["time"][method])
        colour = PALETTE[i % 7]
        ax.plot(times, energy[0] - energy, color=colour, linestyle=DASHES[i % 7], label=method)
        if method in spent and np.all(np.isfinite(numbers(spent[method]))):
            look: dict[str, Any] = {"color": colour, "markersize": 4, "fillstyle": "none"}
            ax.plot(times, numbers(spent[method]), MARKERS[i % 7], **look)
    if spent:
        ax.plot([], [], MARKERS[0], color=GREY, fillstyle="none", label="dissipated")
    ax.set_xlabel("t")
    ax.set_ylabel("energy lost, F(0) − F(t)")
    legend_above(ax)
    return ax


def plot_phase_diagram(data: PlotData, *, ax: Axes | None = None) -> Axes:
    """An order parameter through a transition: measured marks, the exact curve, where it starts.

    Args:
        data: ``control`` (points,), ``order`` (points,), optional ``exact_control`` and
            ``exact_order`` (any,), optional ``critical``, a number; optional ``control_name`` and
            ``order_name``, text.
        ax: axes to draw on; new ones when omitted.
    """
    for name in ("control", "order"):
        require(data, name)
    ax = tidy(ax or new_axes())
    if "exact_order" in data:
        require(data, "exact_control")
        ends = numbers(data["exact_control"]), numbers(data["exact_order"])
        ax.plot(*ends, color=PALETTE[0], label="self-consistent")
    look: dict[str, Any] = {"color": PALETTE[1], "markersize": 5, "fillstyle": "none"}
    ax.plot(numbers(data["control"]), numbers(data["order"]), "o", label="flow", **look)
    if "critical" in data:
        at = float(numbers(data["critical"]))
        ax.axvline(at, color=GREY, linestyle=":", label=f"critical, {at:.4g}")
    ax.set_xlabel(str(data["control_name"]) if "control_name" in data else "control")
    ax.set_ylabel(str(data["order_name"]) if "order_name" in data else "order parameter")
    legend_above(ax)
    return ax
