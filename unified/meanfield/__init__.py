"""Wide networks: Wasserstein gradient flows of one functional, by every method.

Every public name is found in a table and imported at its first use, as in `unified` itself.
"""

from unified.base.lazy import lazy_names

_MEASURES = "ParticleMeasure GaussianMeasure load_measure"

# Public name -> "module" or "module:attribute".
_EXPORTS: dict[str, str] = {
    **{name: f"unified.meanfield.measures:{name}" for name in _MEASURES.split()},
    "GridMeasure": "unified.meanfield.grid:GridMeasure",
    "AbstractFunctional": "unified.meanfield.functional:AbstractFunctional",
    "Sum": "unified.meanfield.functional:Sum",
    "Entropy": "unified.meanfield.internal:Entropy",
    "Power": "unified.meanfield.internal:Power",
    "Potential": "unified.meanfield.potential:Potential",
    "Quadratic": "unified.meanfield.potential:Quadratic",
    "Interaction": "unified.meanfield.interaction:Interaction",
    "solve_flow": "unified.meanfield.flow:solve_flow",
    "FlowResult": "unified.meanfield.result:FlowResult",
    "solve_game": "unified.meanfield.games:solve_game",
    "Risk": "unified.meanfield.risk:Risk",
    "TwoLayer": "unified.meanfield.networks:TwoLayer",
    "linear_net_flow": "unified.meanfield.closed_nets:linear_net_flow",
    "memory_needed": "unified.meanfield.memory:memory_needed",
    "closed_nets": "unified.meanfield.closed_nets",
    "conic": "unified.meanfield.conic",
    "teachers": "unified.meanfield.teachers",
    "closed_forms": "unified.meanfield.closed_forms",
    "distances": "unified.meanfield.distances",
    "games": "unified.meanfield.games",
}

__all__ = list(_EXPORTS)

__getattr__, __dir__ = lazy_names(__name__, _EXPORTS)
