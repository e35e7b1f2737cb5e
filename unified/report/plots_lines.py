"""Curves: learning, relaxation, order in β. Each function draws only, and returns the axes.

Data is an ``xarray.Dataset`` or a plain dict with the same names, in which a labelled dimension
(rule, estimator, phase) is an inner dict.
"""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from unified.report.figures import DASHES, GREY, MARKERS, PALETTE, legend_above, new_axes, tidy
from unified.report.tables import PlotData, numbers, per_label, require


def plot_learning_curves(data: PlotData, *, ax: Axes | None = None) -> Axes:
    """Test error against epochs, the mean over seeds with a band of one standard deviation.

    Args:
        data: ``test_error``, fractions in [0, 1], dimensions (rule, seed, epoch); as a dict
            ``{"test_error": {rule: array (seeds, epochs) or (epochs,)}, "epoch": (epochs,)}``,
            where ``epoch`` may be left out (1, 2, ...).
        ax: axes to draw on; new ones when omitted.
    """
    require(data, "test_error")
    ax = tidy(ax or new_axes())
    everything = []
    for i, (rule, value) in enumerate(per_label(data, "test_error", "rule").items()):
        if isinstance(value, xr.DataArray):
            value = value.transpose(..., "epoch")
        errors = 100.0 * np.atleast_2d(numbers(value))
        epoch = numbers(data["epoch"]) if "epoch" in data else 1.0 + np.arange(errors.shape[1])
        mean, spread = errors.mean(axis=0), _spread(errors)
        look: dict[str, Any] = {"linestyle": DASHES[i % 7], "marker": MARKERS[i % 7]}
        every = max(1, len(epoch) // 10)
        look |= {"color": PALETTE[i % 7], "markersize": 4, "markevery": (i % every, every)}
        ax.plot(epoch, mean, label=rule, **look)
        low = np.maximum(mean - spread, 0.5 * errors.min(axis=0))
        ax.fill_between(epoch, low, mean + spread, color=PALETTE[i % 7], alpha=0.15, linewidth=0)
        everything.append(errors.ravel())
    values = np.concatenate(everything) if everything else np.ones(1)
    if values.min() > 0 and values.max() > 5 * values.min():
        _log_percent(ax)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    ax.set_ylabel("test error (%)")
    legend_above(ax)
    return ax


def plot_beta_order(data: PlotData, *, ax: Axes | None = None) -> Axes:
    """Relative gradient error against the nudge strength β, log-log, with fitted slopes.

    Args:
        data: ``relative_error``, dimensions (estimator, beta); coordinate or entry ``beta``;
            optional ``declared_order`` (estimator). As a dict ``{"beta": array or {estimator:
            array}, "relative_error": {estimator: array}, "declared_order": {estimator: int}}``.
        ax: axes to draw on; new ones when omitted.

    Filled points are those that :func:`fitted_order` used; the line is its fit.
    """
    require(data, "relative_error")
    require(data, "beta")
    ax = tidy(ax or new_axes(7.0, 4.4))
    declared = per_label(data, "declared_order", "estimator")
    own_beta = isinstance(data["beta"], dict)
    for i, (name, value) in enumerate(per_label(data, "relative_error", "estimator").items()):
        beta = np.abs(numbers(data["beta"][name] if own_beta else data["beta"]))
        error, colour = numbers(value), PALETTE[i % 7]
        slope, used, line = _fit(beta, error)
        label = f"{name}: slope {round(slope, 2) + 0.0:.2f}" if used.any() else f"{name}: no slope"
        if name in declared:
            label += f" (declared {int(declared[name])})"
        look: dict[str, Any] = {"color": colour, "markersize": 5, "marker": MARKERS[i % 7]}
        dash: Any = DASHES[i % 7]
        other = (error > 0) & np.isfinite(error) & ~used
        ax.plot([], [], linestyle=dash, linewidth=1, label=label, **look)
        ax.plot(beta[used], error[used], linestyle="none", **look)
        ax.plot(beta[other], error[other], linestyle="none", markerfacecolor="none", **look)
        if used.any():
            ax.plot(line[0], line[1], color=colour, linewidth=1, linestyle=dash)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("nudge strength |β|")
    ax.set_ylabel("relative error of the gradient")
    legend_above(ax, columns=2)
    return ax


def plot_relaxation(trace: PlotData, *, ax: Axes | None = None) -> Axes:
    """Residual of the force against relaxation steps, one curve per phase.

    Args:
        trace: ``residual``, dimensions (phase, step) or (phase, sample, step), as a dict
            ``{"residual": {phase: array (steps,) or (samples, steps)}, "tolerance": float}``;
            ``tolerance`` is optional. Of several samples the median is drawn, with a band from
            the smallest to the largest.
        ax: axes to draw on; new ones when omitted.
    """
    require(trace, "residual")
    ax = tidy(ax or new_axes())
    for i, (phase, value) in enumerate(per_label(trace, "residual", "phase").items()):
        if isinstance(value, xr.DataArray):
            value = value.transpose(..., "step")
        residual = np.atleast_2d(numbers(value))
        residual = np.where(residual > 0, residual, np.nan)
        steps = np.arange(residual.shape[1])
        seen = np.isfinite(residual).any(axis=0)
        residual, steps = residual[:, seen], steps[seen]
        colour = PALETTE[i % 7]
        middle = np.nanmedian(residual, axis=0)
        ax.plot(steps, middle, color=colour, linestyle=DASHES[i % 7], label=phase)
        if len(residual) > 1:
            low, high = np.nanmin(residual, axis=0), np.nanmax(residual, axis=0)
            ax.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
    if "tolerance" in trace:
        limit = float(numbers(trace["tolerance"]))
        ax.axhline(limit, color=GREY, linewidth=1, linestyle=":", label="tolerance")
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("relaxation step")
    ax.set_ylabel("residual of the force")
    legend_above(ax)
    return ax


def fitted_order(beta: ArrayLike, error: ArrayLike, floor: float = 1e-12) -> float:
    """Slope of log error against log |β| by least squares.

    Points that are not finite or not above ``floor`` do not count. Of the rest, only the longest
    run of neighbours counts whose local slopes stay within 0.3 of the median local slope (of two
    middle ones, that at larger |β|): at small |β| rounding makes the error, at large |β| higher
    orders do, and neither is the order sought.
    NaN when fewer than two points are left.
    """
    return _fit(numbers(beta), numbers(error), floor)[0]


def _fit(beta: Any, error: Any, floor: float = 1e-12) -> tuple[float, Any, Any]:
    """Slope, which points were used, and the ends of the fitted line as rows β, error."""
    used, size = np.zeros(len(error), dtype=bool), np.abs(beta)
    order = np.argsort(size)
    order = order[(np.isfinite(error) & (error > floor) & (size > 0))[order]]
    order = order[np.unique(size[order], return_index=True)[1]]
    if len(order) < 2:
        return float("nan"), used, np.empty((2, 0))
    x, y = np.log(size[order]), np.log(error[order])
    local = np.diff(y) / np.diff(x)
    typical = local[::-1][np.argmin(np.abs(local - np.median(local))[::-1])]
    start, stop = _longest_run(np.abs(local - typical) <= 0.3)
    used[order[start : stop + 1]] = True
    x, y = x[start : stop + 1], y[start : stop + 1]
    slope, constant = np.polyfit(x, y, 1)
    ends = x[[0, -1]]
    return float(slope), used, np.exp(np.stack([ends, constant + slope * ends]))


def _longest_run(flags: Any) -> tuple[int, int]:
    """Bounds of the longest run of true flags; empty where there is none."""
    best, start = (0, 0), 0
    for i, flag in enumerate([*flags, False]):
        if not flag:
            best = max(best, (start, i), key=lambda run: run[1] - run[0])
            start = i + 1
    return best


def _spread(errors: Any) -> Any:
    return errors.std(axis=0, ddof=1) if len(errors) > 1 else np.zeros(errors.shape[1])


def _log_percent(ax: Axes) -> None:
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
