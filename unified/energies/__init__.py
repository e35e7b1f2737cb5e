"""Floor 2: the energies and costs of the library."""

from unified.energies import costs
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.energies.hopfield import hopfield, recurrent
from unified.energies.predictive import linear_gaussian, predictive

__all__ = [
    "Cost", "CostFamily", "Energy", "costs", "hopfield", "linear_gaussian", "predictive",
    "recurrent",
]  # fmt: skip
