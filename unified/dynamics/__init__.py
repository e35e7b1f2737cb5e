"""Floor 4: phases, relaxation methods, equilibria with certificates."""

from unified.dynamics.equilibrium import Certificate, Equilibrium
from unified.dynamics.methods import FixedPoint, Flow, Newton
from unified.dynamics.phase import Phase
from unified.dynamics.relax import relax

__all__ = ["Certificate", "Equilibrium", "FixedPoint", "Flow", "Newton", "Phase", "relax"]
