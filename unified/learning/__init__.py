"""Floor 5: gradient estimators, references, fitting."""

from unified.learning.clamping import Contrastive, PredictiveCoding
from unified.learning.compare import cosine, measure_order, relative_error
from unified.learning.evaluate import error_rate, predict
from unified.learning.exact import Implicit, Unrolled
from unified.learning.finite import FiniteDifference, directional_differences, random_directions
from unified.learning.fit import FitResult, fit
from unified.learning.gradient import AbstractEstimator, GradientEstimate
from unified.learning.nudging import Centered, Holomorphic, OneSided

__all__ = [
    "AbstractEstimator", "Centered", "Contrastive", "FiniteDifference", "FitResult",
    "GradientEstimate", "Holomorphic", "Implicit", "OneSided", "PredictiveCoding", "Unrolled",
    "cosine", "directional_differences", "error_rate", "fit", "measure_order", "predict",
    "random_directions", "relative_error",
]  # fmt: skip
