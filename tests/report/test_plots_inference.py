"""Oracle: the numbers read back from the drawn artists."""

import numpy as np
import pytest
import xarray as xr

from unified.base.errors import InputError
from unified.report.figures import new_axes, png_bytes
from unified.report.plots_inference import (
    plot_energy_slice,
    plot_mean_cost,
    plot_mode_weights,
    plot_posterior_forest,
)  # fmt: skip

FOREST = {"unit": ["s[0]", "s[1]"], "mean": [0.1, -0.4], "sd": [0.3, 0.2], "map": [0.12, -0.5],
          "others": {"marginal mode": [0.2, -0.45]}}  # fmt: skip
COST = xr.Dataset(
    {"betas": ("node", [1.0, 0.0, 0.5]), "means": ("node", [1.0, 3.0, 1.5]),
     "se": ("node", [0.1, 0.2, 0.1]), "value": -3.5}
)  # fmt: skip
X = np.linspace(-2, 2, 41)
SLICE = {"position": X, "energy": {"F": 5 + X**2}, "marks": {"MAP": 0.0, "mean": 0.3},
         "temperature": 0.5, "along": "s[0]"}  # fmt: skip
WELLS = xr.Dataset(
    {"weight": ("mode", [0.7, 0.3]), "se": ("mode", [0.02, 0.02]),
     "laplace": ("mode", [0.75, 0.25]), "exact": ("mode", [0.69, 0.31]),
     "energy": ("mode", [-0.8, -0.6]), "runs": (("run", "mode"), np.full((8, 2), 0.5))}
)  # fmt: skip
ALL = [(plot_posterior_forest, FOREST), (plot_mean_cost, COST), (plot_energy_slice, SLICE),
       (plot_mode_weights, WELLS)]  # fmt: skip


@pytest.mark.parametrize(("plot", "data"), ALL)
def test_draws_with_labels_and_a_legend_beside_the_data(plot, data):
    """A plot without units, or with its legend over the data, cannot go into a report."""
    ax = new_axes()
    assert plot(data, ax=ax) is ax
    assert "units" in ax.get_xlabel() + ax.get_ylabel() or "share" in ax.get_ylabel()
    assert png_bytes(ax).startswith(b"\x89PNG")
    box = ax.get_legend().get_window_extent()
    assert box.y0 >= ax.get_window_extent().y1 - 1


def test_what_is_drawn_is_what_was_given():
    """A forest whose diamonds are another unit's would agree or disagree by accident."""
    ax = plot_posterior_forest(FOREST)
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(lines["rest point (MAP)"].get_xdata(), FOREST["map"])
    np.testing.assert_array_equal(lines["rest point (MAP)"].get_ydata(), [0, 1])
    segments = ax.collections[0].get_segments()
    np.testing.assert_allclose([s[:, 0] for s in segments], [[-0.5, 0.7], [-0.8, 0.0]])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["s[0]", "s[1]"]
    cost = plot_mean_cost(COST)
    np.testing.assert_array_equal(cost.lines[0].get_xdata(), [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(cost.lines[0].get_ydata(), [3.0, 1.5, 1.0])
    assert "−3.5 nats" in cost.get_legend().get_texts()[0].get_text()
    level = plot_energy_slice(SLICE)
    np.testing.assert_allclose(level.lines[0].get_ydata(), X**2 / 0.5)
    assert level.lines[2].get_xdata()[0] == 0.3


def test_bad_data_gets_one_sentence():
    """Rows that do not belong together must not be drawn side by side."""
    with pytest.raises(InputError, match="one mean, sd and map per unit"):
        plot_posterior_forest(FOREST | {"sd": [0.3]})
    many = {k: np.zeros(41) for k in ("mean", "sd", "map")}
    with pytest.raises(InputError, match="at most 40 units"):
        plot_posterior_forest(many)
    with pytest.raises(InputError, match="an entry 'weight'"):
        plot_mode_weights({"se": [0.1]})
