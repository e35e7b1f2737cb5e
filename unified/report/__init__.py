"""What was claimed, what was measured: figures, one HTML page, and results.json."""

from unified.report.animation import animate_flow, save_gif
from unified.report.figures import new_axes, png_bytes, save_png
from unified.report.html import Report
from unified.report.plots import plot_gradient_agreement, plot_hessian_structure
from unified.report.plots_inference import (
    plot_energy_slice,
    plot_mean_cost,
    plot_mode_weights,
    plot_posterior_forest,
)
from unified.report.plots_lines import (
    fitted_order,
    plot_beta_order,
    plot_learning_curves,
    plot_relaxation,
)
from unified.report.plots_meanfield import (
    plot_flow_densities,
    plot_flow_energy,
    plot_flow_particles,
    plot_phase_diagram,
)
from unified.report.plots_networks import (
    plot_circle_features,
    plot_credit_gaps,
    plot_flow_risks,
)
from unified.report.plots_validation import plot_validation_intervals, plot_validation_scatter
from unified.report.results import Check, all_passed, environment, failed_first, write_results

__all__ = [
    "Check",
    "Report",
    "all_passed",
    "animate_flow",
    "environment",
    "failed_first",
    "fitted_order",
    "new_axes",
    "plot_beta_order",
    "plot_circle_features",
    "plot_credit_gaps",
    "plot_energy_slice",
    "plot_flow_densities",
    "plot_flow_energy",
    "plot_flow_particles",
    "plot_flow_risks",
    "plot_gradient_agreement",
    "plot_hessian_structure",
    "plot_learning_curves",
    "plot_mean_cost",
    "plot_mode_weights",
    "plot_phase_diagram",
    "plot_posterior_forest",
    "plot_relaxation",
    "plot_validation_intervals",
    "plot_validation_scatter",
    "png_bytes",
    "save_gif",
    "save_png",
    "write_results",
]
