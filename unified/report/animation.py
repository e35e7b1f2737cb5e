"""Animated GIFs: one figure drawn again for every frame."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from unified.base.errors import bad_input
from unified.base.files import atomic_write_bytes
from unified.report.figures import new_axes
from unified.report.plots_meanfield import plot_flow_densities


def save_gif(
    draw: Callable[[Axes, int], Any], frames: int, path: str | os.PathLike[str], *,
    fps: float = 12.0, dpi: int = 72, size: tuple[float, float] = (5.2, 5.0),
) -> Path:  # fmt: skip
    """Write an animated GIF of frames 0 ... frames − 1, wholly or not at all.

    Args:
        draw: draws frame k on cleared axes, e.g. ``lambda ax, k: plot_x(data[k], ax=ax)``; limits
            that are not to jump have to be set by it.
        frames: how many there are.
        path: the file.
        fps: frames per second.
        dpi: pixels per inch.
        size: width and height in inches.

    Raises:
        InputError: less than one frame, or a rate that is not positive.
    """
    from matplotlib.animation import PillowWriter

    if frames < 1:
        raise bad_input("frames", "at least 1", frames, "save more states of the flow")
    if not fps > 0:
        raise bad_input("fps", "a positive number", fps, "use 12")
    ax = new_axes(*size)
    figure = ax.get_figure(root=True)
    assert figure is not None
    writer = PillowWriter(fps=fps)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:  # the writer of matplotlib wants a name
        name = Path(folder) / "frames.gif"
        with writer.saving(figure, str(name), dpi):
            for k in range(frames):
                ax.clear()
                draw(ax, k)
                if k == 0:  # margins are found once: they must not jump, and take long
                    figure.canvas.draw()
                    figure.set_layout_engine("none")
                writer.grab_frame()
        return atomic_write_bytes(path, name.read_bytes())


def animate_flow(flow: Any, path: str | os.PathLike[str], *, fps: float = 12.0) -> Path:
    """Write a flow of particles in the plane, or of a density on the line, as a GIF.

    Args:
        flow: a ``FlowResult`` whose measures are particles (the first two of more than two
            numbers are shown) or one-dimensional grids.
        path: the file.
        fps: saved measures shown per second.

    Raises:
        InputError: measures of another kind.
    """
    import numpy as np

    data = flow.to_xarray()
    if "density" in data and data["density"].ndim == 2:
        rho, x = data["density"].values, data["x"].values

        def draw(ax: Axes, k: int) -> None:
            now = {"density": rho[k : k + 1], "x": x, "time": flow.ts[k : k + 1]}
            plot_flow_densities(now, ax=ax)
            ax.set_ylim(0, 1.05 * float(np.max(rho[1:] if len(rho) > 1 else rho)))

        return save_gif(draw, len(rho), path, fps=fps, size=(6.0, 3.6))
    if "x" not in data or data["x"].ndim != 3 or data["x"].shape[2] < 2:
        raise bad_input("flow", "particles in the plane, or a density on the line",
                        ", ".join(map(str, data.dims)), "use save_gif")  # fmt: skip
    at = data["x"].values[..., :2]
    low, high = at.min(axis=(0, 1)), at.max(axis=(0, 1))
    pad = 0.05 * (high - low)

    def cloud(ax: Axes, k: int) -> None:
        ax.plot(at[k, :, 0], at[k, :, 1], "o", color="#0072B2", markersize=3, alpha=0.7)
        ax.set_xlim(low[0] - pad[0], high[0] + pad[0])
        ax.set_ylim(low[1] - pad[1], high[1] + pad[1])
        ax.set_title(f"t = {flow.ts[k]:.3g}", loc="left", fontsize="small")

    return save_gif(cloud, len(at), path, fps=fps)
