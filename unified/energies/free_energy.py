"""The free energy of a quadratic energy: how precisions are learned without running away."""

from __future__ import annotations

from unified.base.errors import bad_input
from unified.energies.energy import Energy
from unified.symbolic.build import add, inv, logdet
from unified.symbolic.nodes import Expr, Var, Zero


def free_energy(energy: Energy, *, observed: bool = True) -> Energy:
    """A quadratic energy plus half the log-determinant of its hidden Hessian.

    Equation: E + ½ log det H, H = ∂²E/∂h² over the hidden states h: all but the output, which is
    clamped, or (`observed=False`, where data enter as inputs alone) all. For a linear predictive
    energy the value at rest is −log p(data) up to a constant, and its rules carry the posterior
    covariance: that of a precision is ½(εεᵀ + Cov ε − Π⁻¹), where the bare energy lacks Cov ε and
    a hidden Π diverges.
    Shapes: states, parameters and inputs are those of `energy`; H does not depend on states, so
    rest points are the same.
    Raises: InputError for an energy that is not quadratic in its hidden states.
    Reference: MacKay (1992), Neural Computation 4, 415; theory page C1.
    """
    hidden = [s for s in energy.states if not (observed and s is energy.output)]
    rows: dict[tuple[Var, Var], Expr] = {}
    for a in hidden:
        for b in hidden:
            block = energy.hessian(a, b)
            met = sorted(s.name for s in block.free.intersection(energy.states))
            if met:
                raise bad_input(
                    "energy", "one that is quadratic in its hidden states",
                    f"a Hessian that depends on {', '.join(met)}",
                    "use f='identity', or the Laplace evidence of un.inference",
                )  # fmt: skip
            rows[a, b] = block
    return Energy(
        add(energy.expr, *(0.5 * logdet(d) for d in _pivots(hidden, rows)), flatten=False),
        energy.states, energy.params, energy.inputs, output=energy.output, sizes=energy.sizes,
        initial=energy.initial, start=energy.start, positive=energy.positive,
        name=f"free_energy_of_{energy.name}",
    )  # fmt: skip


def _pivots(states: list[Var], rows: dict[tuple[Var, Var], Expr]) -> list[Expr]:
    """The pivots of a block matrix eliminated from its last state: log det H is their sum."""
    found = []
    rows = dict(rows)
    for k in range(len(states) - 1, -1, -1):
        pivot = rows[states[k], states[k]]
        found.append(pivot)
        near = [s for s in states[:k] if not isinstance(rows[s, states[k]], Zero)]
        for a in near:
            for b in near:
                gone = rows[a, states[k]] @ inv(pivot) @ rows[states[k], b]
                rows[a, b] = add(rows[a, b], -gone, flatten=False)
    return found
