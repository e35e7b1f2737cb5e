"""Predictive-coding energies from their predictions: any layers, any precisions, skips allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from unified.base.errors import bad_input
from unified.energies.energy import Energy
from unified.energies.initial import Initial
from unified.symbolic.axis import Axis
from unified.symbolic.build import add, logdet, total
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.scalar import fn
from unified.symbolic.transform import substitute


@dataclass(frozen=True)
class Layer:
    """One layer of a predictive energy: a state, what predicts it, and how precisely.

    Equation: term ½εᵀΠε − ½log det Π with ε = state − prediction; Π = 1 for precision None, a
    vector over the state's axis for a diagonal Π, a matrix otherwise.
    """

    state: Var
    prediction: Expr
    precision: Expr | None = None

    @property
    def error(self) -> Expr:
        """ε = state − prediction."""
        return self.state - self.prediction

    @property
    def term(self) -> Expr:
        """What this layer adds to the energy."""
        eps, p = self.error, self.precision
        if p is None:
            return 0.5 * eps.sq()
        if p.axes == eps.axes:
            return 0.5 * total(p * eps * eps) - 0.5 * total(fn("log")(p))
        return 0.5 * (eps @ p @ eps) - 0.5 * logdet(p)

    def replaced(self, values: Mapping[Var, Expr], state: Var) -> Layer:
        """The same layer over other variables."""
        p = self.precision
        known = {v: e for v, e in values.items() if v in self.prediction.free}
        return Layer(state, substitute(self.prediction, known), p)


def layered(
    layers: Sequence[Layer],
    params: Iterable[Var],
    inputs: Iterable[Var] = (),
    *,
    output: Var | str | None = None,
    sizes: Mapping[Axis, int] | None = None,
    initial: Mapping[str, Initial] | None = None,
    name: str = "predictive",
) -> Energy:
    """The predictive-coding energy of layers given by their predictions.

    Equation: E = Σ_l ½ε_lᵀΠ_lε_l − ½log det Π_l, ε_l = z_l − μ_l(z below, x; θ).
    Shapes: μ_l has the axes of z_l; a layer may read any states before it in the list (skips).
    A layer whose z is one of the inputs is an observation: its z is given, not relaxed.
    Relaxation starts from the forward pass z_l = μ_l, where E is smallest if nothing is observed.
    Raises: InputError if a prediction reads its own or a later state, or axes do not fit.
    Reference: Rao & Ballard (1999); theory page C1.
    """
    if not layers:
        raise bad_input("layers", "at least one Layer", "none", "add Layer(z, prediction)")
    inputs = tuple(inputs)
    start: dict[Var, Expr] = {}
    states = [layer.state for layer in layers if layer.state not in inputs]
    later = set(states)
    for layer in layers:
        z, p = layer.state, layer.precision
        if layer.prediction.axes != z.axes:
            raise bad_input(f"prediction of {z.name}", f"axes {z.axes}", layer.prediction.axes,
                            "transpose it")  # fmt: skip
        ahead = sorted(v.name for v in layer.prediction.free & later)
        if ahead:
            raise bad_input(
                f"prediction of {z.name}", "only states of layers before it",
                f"also {', '.join(ahead)}", "order the layers from the input up",
            )  # fmt: skip
        if p is not None and p.axes not in (z.axes, (*z.axes, *z.axes)):
            raise bad_input(f"precision of {z.name}", f"axes {z.axes} or twice these", p.axes,
                            "give a vector or a square matrix over its axis")  # fmt: skip
        known = {v: e for v, e in start.items() if v in layer.prediction.free}
        if z in later:
            start[z] = substitute(layer.prediction, known)
            later.discard(z)
    return Energy(
        add(*(layer.term for layer in layers)), states, params, inputs,
        output=output, sizes=sizes, initial=initial, layers=layers,
        start={z.name: e for z, e in start.items()}, name=name,
    )  # fmt: skip
