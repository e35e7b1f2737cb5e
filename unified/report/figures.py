"""Make, style and save figures without touching matplotlib's global state."""

import io
import os
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unified.base.files import atomic_write_bytes

# Okabe and Ito (2008): told apart by people with any common colour-vision deficiency.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)))
GREY = "#666666"


def new_axes(width: float = 6.4, height: float = 4.0) -> Axes:
    """New axes in a new figure of ``width`` × ``height`` inches, drawn by Agg."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots()


def tidy(ax: Axes) -> Axes:
    """Remove two spines and draw a faint grid behind the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, which="major", color="#dddddd", linewidth=0.7)
    ax.set_axisbelow(True)
    return ax


def legend_above(ax: Axes, columns: int = 3) -> None:
    """Put the legend above the axes, where it can hide no data."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        ax.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0.0, 1.01),
            ncols=min(columns, len(handles)),
            frameon=False,
            fontsize="small",
            borderaxespad=0.0,
        )


def png_bytes(ax: Axes, dpi: int = 150) -> bytes:
    """The figure of ``ax`` as a PNG, on white."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def save_png(ax: Axes, path: str | os.PathLike[str], dpi: int = 150) -> Path:
    """Write the figure of ``ax`` to ``path``, wholly or not at all."""
    return atomic_write_bytes(path, png_bytes(ax, dpi))
