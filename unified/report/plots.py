"""Agreement of gradients, and the block pattern of a Hessian; draw only, return the axes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from unified.base.errors import bad_input
from unified.report.figures import GREY, MARKERS, PALETTE, legend_above, new_axes, tidy
from unified.report.tables import PlotData, numbers, per_label, require

KINDS = {
    "zero": ("#f4f4f4", ""),
    "identity": ("#F0E442", ""),
    "diagonal": ("#56B4E9", "\\\\\\"),
    "nonzero": ("#E69F00", "..."),
    "dense": ("#0072B2", ""),
}


def plot_gradient_agreement(data: PlotData, *, ax: Axes | None = None) -> Axes:
    """Relative error of each gradient estimator against each reference, on a log axis.

    Args:
        data: ``relative_error``, dimensions (estimator, reference), optional ``tolerance``
            (estimator); as a dict ``{"relative_error": {estimator: {reference: float}},
            "tolerance": {estimator: float}}``. A bare float instead of the inner dict is one
            unnamed reference. Errors that are zero are drawn at the left edge, as ``◁``; errors
            that are not finite at the right edge, as ``×``.
        ax: axes to draw on; new ones when omitted.
    """
    require(data, "relative_error")
    rows = {name: _inner(v) for name, v in per_label(data, "relative_error", "estimator").items()}
    limits = {n: float(numbers(v)) for n, v in per_label(data, "tolerance", "estimator").items()}
    ax = tidy(ax or new_axes(7.0, 1.6 + 0.42 * len(rows)))
    positive = [v for row in rows.values() for v in row.values() if 0 < v < np.inf]
    positive += [v for v in limits.values() if 0 < v < np.inf]
    low, high = min(positive, default=1e-16) / 4, max(positive, default=1.0) * 4
    references = list(dict.fromkeys(name for row in rows.values() for name in row))
    for j, reference in enumerate(references):
        shift = 0.22 * (j - (len(references) - 1) / 2)
        colour = PALETTE[j % 7]
        label = f"against {reference}" if reference else None
        ax.plot([], [], MARKERS[j % 7], color=colour, markersize=6.5, label=label)
        for i, row in enumerate(rows.values()):
            if reference not in row:
                continue
            value = row[reference]
            x, marker = value, MARKERS[j % 7]
            if not np.isfinite(value):
                x, marker = high, "x"
            elif value <= 0:
                x, marker = low, "<"
            style: dict[str, Any] = {"markersize": 6.5, "clip_on": False, "zorder": 3}
            ax.plot([x], [i + shift], marker, color=colour, **style)
    for k, (name, limit) in enumerate((n, v) for n, v in limits.items() if n in rows):
        i = list(rows).index(name)
        label = None if k else "tolerance"
        ax.plot([limit, limit], [i - 0.36, i + 0.36], color=GREY, linewidth=2, label=label)
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.grid(False, axis="y")
    ax.set_xlabel("relative error of the gradient")
    legend_above(ax)
    return ax


def plot_hessian_structure(structure: Any, *, ax: Axes | None = None) -> Axes:
    """Block pattern of a Hessian over the states: which blocks vanish, which are diagonal.

    Args:
        structure: what ``Energy.structure()`` returns (``states`` and ``kinds``); or
            ``{(row, column): kind}`` by state names; or ``{"names": [...], "kinds": [[...]]}``.
            Kinds: ``zero``, ``identity``, ``diagonal``, ``nonzero``, ``dense``; a pair that is
            not listed is zero.
        ax: axes to draw on; new ones when omitted.

    Raises:
        InputError: an unknown kind, or kinds that do not form a square over the names.
    """
    names, kinds = _blocks(structure)
    side = min(1.0 + 0.55 * len(names), 8.0)
    ax = ax or new_axes(side + 1.6, side)
    used = []
    for i, row in enumerate(kinds):
        for j, kind in enumerate(row):
            if kind not in KINDS:
                raise bad_input("structure", f"kinds among {', '.join(KINDS)}", kind, "rename it")
            face, hatch = KINDS[kind]
            box: dict[str, Any] = {"facecolor": face, "hatch": hatch, "edgecolor": "white"}
            ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, linewidth=1.5, **box))
            used.append(kind)
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_aspect("equal")
    ax.set_xticks(range(len(names)), names, rotation=0 if len(names) <= 12 else 90)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("state (column of H)")
    ax.set_ylabel("state (row of H)")
    keys = [
        Patch(facecolor=f, hatch=h, edgecolor="white" if h else "#bbbbbb", label=kind)
        for kind, (f, h) in KINDS.items()
        if kind in used
    ]
    look: dict[str, Any] = {"frameon": False, "fontsize": "small", "handleheight": 1.6}
    place = (1.02, 1.0)
    ax.legend(handles=keys, loc="upper left", bbox_to_anchor=place, borderaxespad=0.0, **look)
    return ax


def _inner(value: Any) -> dict[str, float]:
    """Errors by reference; one unnamed reference for a bare number."""
    if isinstance(value, Mapping):
        return {str(name): float(numbers(item)) for name, item in value.items()}
    if hasattr(value, "dims") and value.ndim == 1:
        labels = value[value.dims[0]].values.tolist()
        return {str(name): float(item) for name, item in zip(labels, value.values, strict=True)}
    return {"": float(numbers(value))}


def _blocks(structure: Any) -> tuple[list[str], list[list[str]]]:
    if not isinstance(structure, Mapping):
        names = [str(name) for name in structure.states]
        return names, [[structure.kinds.get((a, b), "zero") for b in names] for a in names]
    if "names" in structure and "kinds" in structure:
        names = [str(name) for name in structure["names"]]
        kinds: Sequence[Sequence[Any]] = structure["kinds"]
        if len(kinds) != len(names) or any(len(row) != len(names) for row in kinds):
            got = f"{len(kinds)} rows for {len(names)} names"
            raise bad_input("structure", "one row and one column per name", got, "complete it")
        return names, [[str(kind) for kind in row] for row in kinds]
    names = list(dict.fromkeys(str(name) for pair in structure for name in pair))
    by_pair = {(str(a), str(b)): str(kind) for (a, b), kind in structure.items()}
    return names, [[by_pair.get((a, b), "zero") for b in names] for a in names]
