"""Floor 4: phases, relaxation methods, equilibria with certificates."""

from unified.dynamics.cohen_grossberg import CohenGrossberg
from unified.dynamics.cycles import Motion, classify_motion
from unified.dynamics.equilibrium import Certificate, Equilibrium
from unified.dynamics.exact import Exact
from unified.dynamics.field_system import jacobian, velocity
from unified.dynamics.gauss_newton import GaussNewton
from unified.dynamics.langevin import GibbsSample, sample
from unified.dynamics.methods import Flow, Newton
from unified.dynamics.metric import (
    AbstractMetric,
    Identity,
    Momentum,
    SkewGradient,
    TimeConstants,
)  # fmt: skip
from unified.dynamics.phase import Phase
from unified.dynamics.relax import relax
from unified.dynamics.sweeps import FixedPoint

__all__ = [
    "AbstractMetric", "Certificate", "CohenGrossberg", "Equilibrium", "Exact", "FixedPoint", "Flow",
    "GaussNewton", "GibbsSample", "Identity", "Momentum", "Motion", "Newton", "Phase",
    "SkewGradient", "TimeConstants", "classify_motion", "jacobian", "relax", "sample", "velocity",
]  # fmt: skip
