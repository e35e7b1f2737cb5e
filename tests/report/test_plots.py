"""Oracle: the numbers read back from the drawn artists, and power laws made here."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from unified.base.errors import InputError
from unified.report import (
    fitted_order,
    new_axes,
    plot_beta_order,
    plot_gradient_agreement,
    plot_hessian_structure,
    plot_learning_curves,
    plot_relaxation,
    png_bytes,
)

BETA = np.logspace(-4, 0, 9)
ERRORS = np.random.default_rng(0).uniform(0.01, 0.5, (2, 3, 5))
CURVES = xr.Dataset(
    {"test_error": (("rule", "seed", "epoch"), ERRORS)},
    coords={"rule": ["EP", "PC"], "epoch": np.arange(1, 6)},
)
AGREE = {"relative_error": {"A": {"exact": 1e-3, "fd": 1e-2}, "B": {"exact": 0.0, "fd": np.nan}}}
ORDER = {"beta": BETA, "relative_error": {"A": BETA, "B": BETA**2}, "declared_order": {"A": 1}}
TRACE = {"residual": {"free": np.geomspace(1, 1e-9, 20)}, "tolerance": 1e-8}
BLOCKS = {("s1", "s1"): "diagonal", ("s1", "s2"): "dense", ("s2", "s2"): "identity"}
ALL = [
    (plot_learning_curves, CURVES),
    (plot_learning_curves, {"test_error": {"EP": ERRORS[0], "PC": ERRORS[1, 0]}}),
    (plot_gradient_agreement, AGREE | {"tolerance": {"A": 1e-2}}),
    (plot_gradient_agreement, {"relative_error": {"A": 1e-3}}),
    (plot_beta_order, ORDER),
    (plot_relaxation, TRACE),
    (plot_hessian_structure, BLOCKS),
    (plot_hessian_structure, SimpleNamespace(states=("s1", "s2"), kinds=BLOCKS)),
]


@pytest.mark.parametrize(("plot", "data"), ALL)
def test_draws_on_given_or_new_axes_with_labels(plot, data):
    """A plot that opens windows or hides its axes' names cannot go into a report."""
    ax = new_axes()
    assert plot(data, ax=ax) is ax
    assert (ax.get_xlabel() and ax.get_ylabel()) or plot is plot_gradient_agreement
    assert png_bytes(plot(data)).startswith(b"\x89PNG")


@pytest.mark.parametrize(("plot", "data"), ALL)
def test_legend_covers_no_data(plot, data):
    """A legend over the curves hides the result."""
    ax = plot(data)
    png_bytes(ax)
    legend = ax.get_legend()
    if legend is not None:
        box, inside = legend.get_window_extent(), ax.get_window_extent()
        assert box.y0 >= inside.y1 - 1 or box.x0 >= inside.x1 - 1
        assert box.x1 <= ax.figure.bbox.x1 + 1


def test_learning_curve_draws_the_mean_in_percent():
    """A wrong axis of the mean would show seeds as epochs."""
    shuffled = CURVES.transpose("epoch", "rule", "seed")
    for data in (CURVES, shuffled):
        lines = plot_learning_curves(data).get_lines()
        for line, errors in zip(lines, ERRORS, strict=True):
            np.testing.assert_allclose(line.get_ydata(), 100 * errors.mean(axis=0))


def test_dataset_and_dict_draw_the_same():
    """The two documented inputs must not mean two things."""
    data = xr.Dataset(
        {"relative_error": (("estimator", "reference"), [[1e-3, 1e-2], [1e-5, 1e-4]])},
        coords={"estimator": ["A", "B"], "reference": ["exact", "fd"]},
    )
    plain = {"A": {"exact": 1e-3, "fd": 1e-2}, "B": {"exact": 1e-5, "fd": 1e-4}}
    first, second = (
        [line.get_xydata() for line in plot_gradient_agreement(d).get_lines()]
        for d in (data, {"relative_error": plain})
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_fitted_order_leaves_out_the_rounding_branch():
    """Points where the error grows again as β shrinks would halve the slope."""
    error = 0.1 * BETA**2 + 3e-13 / BETA
    assert abs(fitted_order(BETA, error) - 2) < 0.05


def test_fitted_order_does_not_flatter():
    """Leaving points out must never turn order 1 into order 2."""
    error = np.where(BETA > 0.05, BETA**2, 0.05 * BETA)
    assert abs(fitted_order(BETA, error) - 1) < 0.1


@pytest.mark.parametrize("order", [1, 2, 8])
def test_fitted_order_of_a_power_law_with_rounding(order):
    """A slope bent by rounding would fail a right estimator, or pass a wrong one."""
    error = 0.3 * BETA**order * (1 + 0.1 * BETA) + 1e-16
    assert abs(fitted_order(BETA, error) - order) < 0.1
    assert abs(fitted_order(-BETA[::-1], error[::-1]) - order) < 0.1


def test_fitted_order_without_points():
    """A slope from nothing would be a made-up number."""
    assert np.isnan(fitted_order(BETA, np.full(9, 1e-15)))
    assert np.isnan(fitted_order([0.1], [0.1]))
    assert np.isnan(fitted_order([0.1, 0.1], [0.1, 0.2]))
    assert "no slope" in " ".join(
        plot_beta_order({"beta": BETA, "relative_error": {"A": 0 * BETA}})
        .get_legend_handles_labels()[1]
    )


def test_bad_data_is_named():
    """A KeyError from inside a plot does not say what to pass."""
    with pytest.raises(InputError, match="'test_error'"):
        plot_learning_curves({})
    with pytest.raises(InputError, match="kinds among"):
        plot_hessian_structure({("a", "a"): "purple"})
    with pytest.raises(InputError, match="one row and one column"):
        plot_hessian_structure({"names": ["a"], "kinds": []})


def test_no_global_switch():
    """Importing the report must not take away a notebook's own backend."""
    code = (
        "import sys, unified.report, matplotlib as m\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert dict.__getitem__(m.rcParams, 'backend') is m.rcsetup._auto_backend_sentinel\n"
    )
    environment = {"PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
