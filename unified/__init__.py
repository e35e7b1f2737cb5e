"""Write an energy once; get its dynamics, its learning rules, and how well they agree.

``import unified as un`` is light: every public name is found in a table and imported at its
first use (PEP 562), so neither SymPy nor JAX is loaded before it is needed, and no global flag
is ever set.
"""

from unified.base.lazy import lazy_names

__version__ = "0.1.0"

_SYMBOLIC = (
    "axes var scalar fn inv logdet eye ones einsum outer conv pool logsumexp softmax exp log tanh "
    "derivative substitute prove Proof symmetric positive_definite invertible orthogonal let "
    "Claim Step Series coefficients"
)
_DYNAMICS = (
    "Phase relax Exact Newton GaussNewton FixedPoint Flow Equilibrium Identity TimeConstants "
    "CohenGrossberg SkewGradient Momentum classify_motion Motion velocity jacobian "
    "sample GibbsSample"
)
_LEARNING = (
    "OneSided Centered Richardson Nodes Holomorphic Contrastive Coupled Implicit Unrolled "
    "RecurrentBackprop PredictiveCoding IncrementalPC FixedPrediction ZeroDivergence "
    "integrated_loss IntegratedLoss transient Transient "
    "VectorField Augmented Dyadic homeostasis Homeostasis "
    "FluctuationDissipation ThermalNudge ThermalEstimate "
    "FiniteDifference fit FitResult GradientEstimate cosine relative_error measure_order "
    "directional_differences random_directions predict error_rate"
)

# Public name -> "module" or "module:attribute".
_EXPORTS: dict[str, str] = {
    **{name: f"unified.symbolic:{name}" for name in _SYMBOLIC.split()},
    "Energy": "unified.energies.energy:Energy",
    "Cost": "unified.energies.cost:Cost",
    "Field": "unified.energies.field:Field",
    "fields": "unified.energies.fields",
    "energies": "unified.energies",
    "costs": "unified.energies.costs",
    "convert": "unified.energies.convert",
    "emit": "unified.codegen:emit",
    "Program": "unified.codegen:Program",
    **{name: f"unified.dynamics:{name}" for name in _DYNAMICS.split()},
    **{name: f"unified.learning:{name}" for name in _LEARNING.split()},
    "validate_gradient": "unified.report.validation:validate_gradient",
    "data": "unified.data",
    "inference": "unified.inference",
    "meanfield": "unified.meanfield",
    "report": "unified.report",
    "errors": "unified.base.errors",
}

__all__ = ["__version__", *_EXPORTS]

__getattr__, __dir__ = lazy_names(__name__, _EXPORTS)
