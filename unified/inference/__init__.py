"""Nudged relaxation as MAP inference, and the posterior around it, checked against PyMC.

Every function takes the same leading arguments, `(E, C, params, x, y, *, beta, temperature)`, and
reads them as the law p(s | x, y) ∝ exp(−(E + βC)/T) of one sample. Each is imported at first use.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from unified.base.lazy import lazy_names

if TYPE_CHECKING:  # else the module of that name would be meant
    from unified.inference.posterior import posterior as posterior

# Public name -> "module:attribute".
_EXPORTS: dict[str, str] = {
    "Problem": "unified.inference.problem:Problem",
    "to_pymc": "unified.inference.pymc_model:to_pymc",
    "gaussian_law": "unified.inference.gaussian:gaussian_law",
    "map_estimate": "unified.inference.mode:map_estimate",
    "find_map_pymc": "unified.inference.mode:find_map_pymc",
    "posterior": "unified.inference.posterior:posterior",
    "save_posterior": "unified.inference.draws:save_posterior",
    "load_posterior": "unified.inference.draws:load_posterior",
    "compare_posterior": "unified.inference.compare:compare_posterior",
    "laplace": "unified.inference.laplace:laplace",
    "evidence": "unified.inference.evidence:evidence",
    "modes": "unified.inference.modes:modes",
    "evidence_by_output": "unified.inference.evidence_wells:evidence_by_output",
    "expansion": "unified.inference.expansion:expansion",
    "mode_weights": "unified.inference.weights:mode_weights",
    "chain_visits": "unified.inference.weights:chain_visits",
    "RankOne": "unified.inference.rank_one:RankOne",
    "thermal_gradients": "unified.inference.thermal:thermal_gradients",
    "map_report": "unified.inference.map_report:map_report",
}

__all__ = [*_EXPORTS]


class _Package(ModuleType):
    """A package whose functions are not hidden by the modules of the same name they live in."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _EXPORTS and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

__getattr__, __dir__ = lazy_names(__name__, _EXPORTS)
