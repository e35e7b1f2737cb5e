"""Oracle: the numbers read back from the drawn artists."""

import numpy as np
import pytest

from unified.base.errors import InputError
from unified.report.figures import new_axes, png_bytes
from unified.report.plots_meanfield import (
    plot_flow_densities,
    plot_flow_energy,
    plot_flow_particles,
    plot_phase_diagram,
)

T = np.linspace(0, 1, 8)
X = np.linspace(-1, 1, 5)
RHO = np.random.default_rng(0).random((8, 5))
PATHS = np.random.default_rng(1).random((8, 30, 2))
ENERGY = {"time": T, "energy": {"fv": 2 - T, "jko": 3 - T**2}, "dissipated": {"fv": T}}
PHASE = {"control": X, "order": X**2, "exact_control": X, "exact_order": X**2, "critical": 0.3}
ALL = [
    (plot_flow_densities, {"time": T, "x": X, "density": RHO, "exact": RHO[-1]}),
    (plot_flow_particles, {"time": T, "x": PATHS}),
    (plot_flow_particles, {"time": T, "x": PATHS[..., :1]}),
    (plot_flow_energy, ENERGY),
    (plot_phase_diagram, PHASE),
]


@pytest.mark.parametrize(("plot", "data"), ALL)
def test_draws_on_given_or_new_axes_with_labels(plot, data):
    """A figure without labels cannot be read; one on other axes than asked for is lost."""
    ax = new_axes()
    assert plot(data, ax=ax) is ax and plot(data) is not ax
    assert ax.get_xlabel() and ax.get_ylabel() and ax.get_legend() is not None
    assert png_bytes(ax, dpi=40).startswith(b"\x89PNG")


def test_the_numbers_are_the_data():
    """First and last density, end points of paths, and energy lost are what was handed in."""
    ax = plot_flow_densities(ALL[0][1], curves=3)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), RHO[0])
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), RHO[-1])
    ax = plot_flow_particles(ALL[1][1])
    np.testing.assert_array_equal(ax.lines[-1].get_xydata(), PATHS[-1])
    ax = plot_flow_energy(ENERGY)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), T)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), T)  # the dissipation of "fv"
    np.testing.assert_allclose(ax.lines[2].get_ydata(), T**2)


def test_bad_data_is_named():
    """A missing entry is said, not drawn as nothing."""
    with pytest.raises(InputError, match="'exact_control'"):
        plot_phase_diagram({"control": X, "order": X, "exact_order": X})
    with pytest.raises(InputError, match="shape \\(time, x\\)"):
        plot_flow_densities({"time": T, "x": X, "density": PATHS})
    with pytest.raises(InputError, match="time, particle, dim"):
        plot_flow_particles({"time": T, "x": RHO})
