"""Floor 2: the energies and costs of the library."""

from unified.energies import costs
from unified.energies.cohen_grossberg import cohen_grossberg
from unified.energies.convolution import conv_hopfield, conv_predictive
from unified.energies.cost import Cost, CostFamily
from unified.energies.deep_linear import deep_linear
from unified.energies.dense_memory import dense_memory
from unified.energies.energy import Energy
from unified.energies.excitatory_inhibitory import excitatory_inhibitory
from unified.energies.free_energy import free_energy
from unified.energies.hopfield import hopfield, recurrent
from unified.energies.layered import Layer, layered
from unified.energies.predictive import predictive
from unified.energies.quadratic import linear_gaussian, quadratic_chain
from unified.energies.state_space import linear_gaussian_chain

__all__ = [
    "Cost", "CostFamily", "Energy", "Layer", "cohen_grossberg", "conv_hopfield",
    "conv_predictive", "costs", "deep_linear", "dense_memory", "excitatory_inhibitory",
    "free_energy", "hopfield", "layered",
    "linear_gaussian", "linear_gaussian_chain", "predictive", "quadratic_chain", "recurrent",
]  # fmt: skip
