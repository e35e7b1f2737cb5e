"""Wide networks: features on the circle, learning curves of flows, orders in β and N.

Each function draws only, and returns the axes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from unified.base.errors import bad_input
from unified.report.figures import DASHES, GREY, MARKERS, PALETTE, legend_above, new_axes, tidy
from unified.report.tables import numbers, require


def plot_circle_features(
    start: tuple[ArrayLike, ArrayLike], end: tuple[ArrayLike, ArrayLike], *,
    teacher: ArrayLike | None = None, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """ReLU features as points in the plane, where they began and where they are: direction of
    the input weights, at a distance of what it carries as a share of the largest.

    Args:
        start: directions (N, 2) and what they carry (N,), as `conic.features` gives them.
        end: the same after the flow.
        teacher: directions (K, 2) of the teacher's features, drawn as rays.
        ax: axes to draw on; new ones when omitted.
    """
    ax = tidy(ax or new_axes(5.2, 5.2))
    parts = [(numbers(d), numbers(c)) for d, c in (start, end)]
    for direction, carried in parts:
        if direction.ndim != 2 or direction.shape[1] != 2 or carried.shape != direction.shape[:1]:
            got = f"{direction.shape}, {carried.shape}"
            raise bad_input("features", "directions (N, 2) and numbers (N,)", got,
                            "use a net with d=2")  # fmt: skip
    turn = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(turn), np.sin(turn), color=GREY, linewidth=0.7)
    for k, v in enumerate(numbers(teacher) if teacher is not None else ()):
        v = 1.15 * v / np.linalg.norm(v)
        ax.plot([0, v[0]], [0, v[1]], color=PALETTE[6], linewidth=1, linestyle=DASHES[2],
                label=None if k else "teacher")  # fmt: skip
    for (direction, carried), name, filled in zip(parts, ("start", "end"), (False, True),
                                                  strict=True):  # fmt: skip
        for sign, colour in ((1, PALETTE[0]), (-1, PALETTE[1])):
            which = np.sign(carried) == sign
            share = np.abs(carried[which]) / (np.max(np.abs(carried)) or 1.0)
            at = direction[which] * share[:, None]
            look: dict[str, Any] = {"color": colour, "linestyle": "none", "markersize": 4}
            look |= {"marker": MARKERS[0 if sign > 0 else 1]}
            look |= {} if filled else {"markerfacecolor": "none", "alpha": 0.4}
            label = f"{name}, a {'>' if sign > 0 else '<'} 0"
            ax.plot(at[:, 0], at[:, 1], label=label if np.any(which) else None, **look)
    ax.set_aspect("equal")
    ax.set_xlabel(r"$w_1/|w|$ times share of $|a||w|$")
    ax.set_ylabel(r"$w_2/|w|$ times share of $|a||w|$")
    legend_above(ax, columns=3)
    return ax


def plot_flow_risks(data: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Risk against time of flows under several kinds of credit, particles on their closed ODEs.

    Args:
        data: ``risk``, a dict from credit to (T,); ``ts`` (T,); optional ``closed``, a dict from
            credit to (S,), with ``closed_ts`` (S,), drawn as lines.
        ax: axes to draw on; new ones when omitted.
    """
    require(data, "risk")
    require(data, "ts")
    ax = tidy(ax or new_axes())
    ts, closed = numbers(data["ts"]), data.get("closed", {})
    for i, (credit, risk) in enumerate(data["risk"].items()):
        look: dict[str, Any] = {"color": PALETTE[i % 7]}
        lone = credit not in closed
        ax.plot(ts, numbers(risk), marker=MARKERS[i % 7], markersize=4, linewidth=1,
                linestyle=DASHES[i % 7] if lone else "none", label=f"{credit}, particles",
                **look)  # fmt: skip
        if not lone:
            ax.plot(numbers(data["closed_ts"]), numbers(closed[credit]), linestyle=DASHES[i % 7],
                    linewidth=1, label=f"{credit}, moments", **look)  # fmt: skip
    ax.set_yscale("log")
    ax.set_xlabel("time")
    ax.set_ylabel("risk")
    legend_above(ax, columns=4)
    return ax


def plot_credit_gaps(data: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Distance of a velocity from backprop's against the number of neurons, with fitted slopes.

    Args:
        data: ``neurons`` (K,) and ``gap``, a dict from label to (K,) relative distances.
        ax: axes to draw on; new ones when omitted.
    """
    require(data, "neurons")
    require(data, "gap")
    ax = tidy(ax or new_axes())
    count = numbers(data["neurons"])
    for i, (label, gap) in enumerate(data["gap"].items()):
        y = numbers(gap)
        slope = np.polyfit(np.log(count), np.log(y), 1)[0]
        ax.plot(count, y, color=PALETTE[i % 7], marker=MARKERS[i % 7], linestyle=DASHES[i % 7],
                label=f"{label}: slope {slope:.2f}")  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("neurons")
    ax.set_ylabel("relative distance from backprop")
    legend_above(ax, columns=2)
    return ax
