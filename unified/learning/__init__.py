"""Floor 5: gradient estimators, references, fitting."""

from unified.learning.asymmetric import Augmented, VectorField
from unified.learning.bounds import IntegratedLoss, integrated_loss
from unified.learning.clamping import Contrastive
from unified.learning.compare import cosine, measure_order, relative_error
from unified.learning.coupled import Coupled
from unified.learning.dyadic import Dyadic
from unified.learning.evaluate import error_rate, predict
from unified.learning.exact import Implicit, Unrolled
from unified.learning.finite import FiniteDifference, directional_differences, random_directions
from unified.learning.fit import FitResult, fit
from unified.learning.gradient import AbstractEstimator, GradientEstimate
from unified.learning.holomorphic import Holomorphic
from unified.learning.homeostasis import Homeostasis, homeostasis
from unified.learning.nudging import Centered, Nodes, OneSided, Richardson
from unified.learning.predictive import IncrementalPC, PredictiveCoding
from unified.learning.recurrent import RecurrentBackprop
from unified.learning.schemes import FixedPrediction, ZeroDivergence
from unified.learning.thermal import FluctuationDissipation, ThermalEstimate, ThermalNudge
from unified.learning.transient import Transient, transient

__all__ = [
    "AbstractEstimator",
    "Augmented",
    "Centered",
    "Contrastive",
    "Coupled",
    "Dyadic",
    "FiniteDifference",
    "FitResult",
    "FixedPrediction",
    "FluctuationDissipation",
    "GradientEstimate",
    "Holomorphic",
    "Homeostasis",
    "Implicit",
    "IncrementalPC",
    "IntegratedLoss",
    "Nodes",
    "OneSided",
    "PredictiveCoding",
    "RecurrentBackprop",
    "Richardson",
    "ThermalEstimate",
    "ThermalNudge",
    "Transient",
    "Unrolled",
    "VectorField",
    "ZeroDivergence",
    "cosine",
    "directional_differences",
    "error_rate",
    "fit",
    "homeostasis",
    "integrated_loss",
    "measure_order",
    "predict",
    "random_directions",
    "relative_error",
    "transient",
]  # fmt: skip
