"""The functions of a predictive energy in error coordinates, derived from its layers.

Every state is its prediction plus an error, z_l = μ_l(z below) + ε_l, so the errors of the hidden
layers are coordinates of the whole net, in which the energy is a sum of squares but for the misfit
of the observed layer (the clamped one, or the output a squared cost reads).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from unified.energies.cost import Cost
from unified.energies.energy import Energy
from unified.energies.layered import Layer
from unified.symbolic.axis import Axis, Index, indices
from unified.symbolic.build import add, inv, power
from unified.symbolic.canonical import TooLarge, canonical
from unified.symbolic.contract import contract
from unified.symbolic.diff import gradients
from unified.symbolic.nodes import Expr, Var, Zero
from unified.symbolic.transform import substitute

ROWS = Axis("_row")  # several adjoints at once: one for every unit of the observed layer
COVARIANCE = "covariance_"  # functions of this name do not change while a phase relaxes
Outputs = dict[str, Expr]


def obstacle(energy: Energy, cost: Cost | None) -> tuple[str, str, str, str] | None:
    """Why an energy has no error coordinates: argument, expected, got, remedy; None if it has."""
    layers, states = energy.layers, set(energy.states)
    if {layer.state for layer in layers} - set(energy.inputs) != states or not layers:
        return ("energy", "one made of layers with predictions, for error coordinates",
                f"'{energy.name}' without them", "use un.energies.predictive or another method")
    rough = [layer.state.name for layer in layers if layer.state.ndim != 1]
    if rough:
        return ("energy", "layers that are vectors, for error coordinates",
                f"other axes in {', '.join(rough)}", "use un.Newton or un.FixedPoint")
    loose = [layer.state.name for layer in layers
             if layer.precision is not None and layer.precision.free & states]
    if loose:
        return ("energy", "precisions that no state changes, for error coordinates",
                f"others at {', '.join(loose)}", "use un.Newton")
    held = [layer.state.name for layer in layers if layer.state not in states]
    if cost is None and len(held) != 1:
        return ("program", "one clamped layer or a squared cost, for error coordinates",
                f"{len(held)} clamped layers and no cost", "emit it with un.costs.squared()")
    if cost is not None and held:
        return ("program", "either a clamped layer or a cost, for error coordinates", "both",
                "leave one out")
    if cost is not None and not _squared(energy, cost):
        return ("cost", "un.costs.squared() on the output state, for error coordinates",
                f"'{cost.name}'", "use un.Newton, or clamp the output")
    return None  # fmt: skip


def _squared(energy: Energy, cost: Cost) -> bool:
    if cost.target.axes != energy.output.axes:
        return False
    try:
        return isinstance(canonical(cost.expr - 0.5 * (energy.output - cost.target).sq()), Zero)
    except TooLarge:
        return False


@dataclass(frozen=True)
class ErrorKernels:
    """The derivations in error coordinates for an energy `obstacle` has nothing against.

    Equation: z_l = μ_l(z) + ε_l; r = y − μ_L; adjoint rows a_l = Σ_m a_m ∂μ_m/∂z_l over the layers
    m that read z_l, which makes K_l = ∂μ_L/∂ε_l out of a_L = 1.
    Shapes: ε_l as z_l; r as y; a_l (rows, n_l).
    """

    energy: Energy
    observed: Layer
    target: Var
    errors: Mapping[str, Var]
    rows: Mapping[str, Var]

    @classmethod
    def of(
        cls, energy: Energy, cost: Cost | None, fresh: Callable[[str], str]
    ) -> ErrorKernels | None:
        """The kernels, with variables named by `fresh`; None if there is an obstacle."""
        if obstacle(energy, cost) is not None:
            return None
        wanted = None if cost is None else energy.output
        observed = next(
            layer for layer in energy.layers
            if (layer.state not in energy.states if wanted is None else layer.state is wanted)
        )  # fmt: skip
        target = observed.state if cost is None else cost.target
        named = {layer.state.name: layer.state for layer in energy.layers}
        errors = {n: Var.make(fresh(f"e_{n}"), s.axes) for n, s in named.items()}
        rows = {n: Var.make(fresh(f"a_{n}"), (ROWS, *s.axes)) for n, s in named.items()}
        return cls(energy, observed, target, errors, rows)

    @property
    def variables(self) -> tuple[Var, ...]:
        """Arguments of these functions beyond those of the program."""
        return (*self.errors.values(), *self.rows.values())

    @cached_property
    def free(self) -> tuple[Layer, ...]:
        """The layers whose errors are coordinates: all but the observed one."""
        return tuple(layer for layer in self.energy.layers if layer is not self.observed)

    @cached_property
    def seen(self) -> tuple[Layer, ...]:
        """The layers the observed prediction depends on, the nearest to the observed one first."""
        readers = [self.observed]
        for layer in reversed(self.free):
            if any(layer.state in m.prediction.free for m in readers):
                readers.append(layer)
        return tuple(readers[1:])

    @cached_property
    def forward(self) -> bool:
        """Whether the first states are the forward pass, which makes no errors."""
        first = self.energy.start
        states = [layer.state for layer in self.energy.layers if layer.state.name in first]
        known = {s: first[s.name] for s in states}
        return len(known) == len(self.energy.states) and all(
            isinstance(substitute(layer.error, known), Zero)
            for layer in self.energy.layers if layer.state in known
        )  # fmt: skip

    @cached_property
    def functions(self) -> list[tuple[str, str, Outputs]]:
        """Name, description and outputs of every function, one sample at a time."""
        free = [layer.state.name for layer in self.free]
        found: list[tuple[str, str, Outputs]] = [
            ("errors", "z - mu(z) of every free layer, y - mu(z) of the observed one",
             {n: layer.error for n, layer in zip(free, self.free, strict=True)}
             | {self.observed.state.name: self.target - self.observed.prediction}),
            ("misfit", "y - mu of the observed layer, from the errors",
             {"r": self.target - self._unfolded[self.observed.state.name][1]}),
            ("unfold", "the states, from the errors",
             {s.name: self._unfolded[s.name][0] for s in self.energy.states}),
        ]  # fmt: skip
        for layer in self.seen:
            n = layer.state.name
            doc = f"rows of adjoints of {n}, from those of the layers that read it"
            found.append((f"adjoint_{n}", doc, {n: self._adjoint(layer)}))
        for layer in self.energy.layers:
            n, p = layer.state.name, layer.precision
            if p is not None:
                weighed = self._weighed(n, p)
                found.append((f"weigh_{n}", f"rows times the precision of {n}", {n: weighed}))
                cov = power(p, -1) if p.ndim == 1 else inv(p)
                found.append((f"{COVARIANCE}{n}", f"the covariance of {n}", {n: cov}))
        return found

    @cached_property
    def _unfolded(self) -> dict[str, tuple[Expr, Expr]]:
        """Every layer's state and prediction as expressions in the errors."""
        values: dict[Var, Expr] = {}
        found = {}
        for layer in self.energy.layers:
            s = layer.state
            known = {v: e for v, e in values.items() if v in layer.prediction.free}
            mean = substitute(layer.prediction, known)
            state: Expr = s  # a clamped layer is data
            if s in self.energy.states:
                state = values[s] = add(mean, self.errors[s.name], flatten=False)
            found[s.name] = state, mean
        return found

    def _adjoint(self, layer: Layer) -> Expr:
        """Σ_m a_m ∂μ_m/∂z over the layers m between this one and the observed one."""
        terms = []
        for m in (self.observed, *self.seen):
            if layer.state in m.prediction.free:
                row, ix = Index(ROWS), indices(m.state.axes)
                a = self.rows[m.state.name]
                along = contract(1, [(a, (row, *ix)), (m.prediction, ix)], (row,))
                terms += gradients(along, [layer.state])
        return add(*terms, flatten=False)

    def _weighed(self, name: str, p: Expr) -> Expr:
        """Rows times Π."""
        a = self.rows[name]
        row, i = indices(a.axes)
        if p.ndim == 1:
            return contract(1, [(a, (row, i)), (p, (i,))], (row, i))
        j = Index(i.axis)
        return contract(1, [(a, (row, i)), (p, (i, j))], (row, j))
