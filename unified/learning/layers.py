"""The predictions of a layered energy as functions of their own, generated like any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from unified.base.errors import bad_input
from unified.codegen.program import Program, emit
from unified.dynamics.solve import Rest, start_state
from unified.dynamics.system import System
from unified.energies.energy import Energy
from unified.learning.gradient import Values, stopped
from unified.symbolic.build import add, inv, power, total
from unified.symbolic.nodes import Expr, Var, Zero
from unified.symbolic.transform import substitute

State = dict[str, Any]
_MADE: WeakKeyDictionary[Program, Program] = WeakKeyDictionary()


def require_layers(program: Program, chain: bool = False) -> None:
    """Raise InputError unless the energy is a sum of prediction errors (a chain of them)."""
    model = program.model
    if not model.layers:
        raise bad_input(
            "energy", "a sum of prediction errors, with layers", f"{model.name} without",
            "build it with un.energies.predictive or from layers, or use un.Centered",
        )  # fmt: skip
    if left_by_forward(program, model.gradient):
        raise bad_input("energy", "one at rest after a forward pass", "one that is not",
                        "give it the forward pass as start")  # fmt: skip
    if not chain:
        return
    states = set(model.states)
    below: set[Var] = set()
    for layer in model.layers:
        if layer.prediction.free & states - below:
            raise bad_input("energy", "a chain, each layer predicted by the one before it",
                            f"a skip to {layer.state.name}", "use un.FixedPrediction")  # fmt: skip
        below = {layer.state}
    cost = program.cost_model
    read = cost.expr.free & states if cost is not None else set()
    if read - below:
        raise bad_input("cost", "one of the last layer only", "one of others too",
                        "use un.FixedPrediction")  # fmt: skip


def left_by_forward(program: Program, rules: Mapping[str, Expr]) -> list[str]:
    """The names of the expressions that are not structurally zero at the forward pass."""
    model = program.model
    if not model.start:
        return list(rules)
    forward: dict[Var, Expr] = {s: model.start[s.name] for s in model.states}
    return [k for k, r in rules.items() if not isinstance(substitute(r, forward), Zero)]


def forward_pass(program: Program, values: Values, tol: float) -> Rest:
    """The free rest point of a layered energy: where its errors, and with them its force, vanish.

    The residual is measured; H = AᵀΠA there is positive definite, as precisions are.
    """
    import jax.numpy as jnp

    values = {**values, "beta": jnp.zeros((1,), program.dtype)}
    system = System(program, values)
    z = system.begin(start_state(program, values))
    return stopped(z, system.residual(z, system.gradient(z)), 0, tol, values["beta"])


def _pairing(program: Program) -> Program:
    """The program of Q = Σ_l a_l·μ_l(z) + ½c_lΠ_lc_l + ½d_lΠ_l⁻¹d_l over states z, a, c, d.

    Its slopes are all a scheme needs: ∂Q/∂a_l = μ_l, ∂Q/∂z_l = Σ_m (∂μ_m/∂z_l)ᵀa_m,
    ∂Q/∂θ = Σ_l (∂μ_l/∂θ)ᵀa_l, ∂Q/∂c_l = Π_lc_l, ∂Q/∂d_l = Π_l⁻¹d_l.
    """
    model = program.model
    terms: list[Expr] = []
    extra: list[Var] = []
    for layer in model.layers:
        z, p = layer.state, layer.precision
        a, c, d = (Var.make(_name(program, k, z.name), z.axes) for k in "acd")
        extra.append(a)
        terms.append(total(a * layer.prediction))
        if p is not None:
            extra += [c, d]
            if p.axes == z.axes:
                terms += [0.5 * total(p * c * c), 0.5 * total(power(p, -1) * d * d)]
            else:
                terms += [0.5 * (c @ p @ c), 0.5 * (d @ inv(p) @ d)]
    expr = add(*terms)
    used = [z for z in model.states if z in expr.free]
    params = [p for p in model.params if p in expr.free]
    energy = Energy(expr, [*used, *extra], params, model.inputs, sizes=model.sizes,
                    name=f"{model.name}_predictions")  # fmt: skip
    return emit(energy, backend=program.backend, dtype=program.dtype.name)


def _name(program: Program, kind: str, name: str) -> str:
    taken = program.kernels.inputs
    found = f"{kind}_{name}"
    while found in taken:
        found += "_"
    return found


class Predictions:
    """Predictions, feedback and rules of a layered program on given data (traceable)."""

    def __init__(self, program: Program, values: Values) -> None:
        import jax.numpy as jnp

        if program not in _MADE:
            _MADE[program] = _pairing(program)
        self.program = _MADE[program]
        self.model = program.model
        self.params = {p.name: values[p.name] for p in program.model.params}
        self.names = tuple(layer.state.name for layer in program.model.layers)
        self.weighted = [layer.state.name for layer in program.model.layers
                         if layer.precision is not None]  # fmt: skip
        self.own = {(k, n): _name(program, k, n) for k in "acd" for n in self.names}
        known = self.program.kernels.inputs
        self.fixed = {k: v for k, v in values.items() if k in known}
        self.fixed["beta"] = jnp.zeros((1,), program.dtype)
        self.fixed |= self.program.drive(self.fixed)

    def _at(self, z: State, **parts: State) -> State:
        import jax.numpy as jnp

        none = {n: jnp.zeros_like(v) for n, v in z.items()}
        states = dict(z)
        for kind in "acd":
            part = parts.get(kind, none)
            states |= {self.own[kind, n]: part.get(n, none[n]) for n in self.names}
        return states

    def _slopes(self, z: State, **parts: State) -> State:
        force = self.program.module.call("force", {**self.fixed, **self._at(z, **parts)})
        return {k: -v for k, v in force.items()}

    def predictions(self, z: State) -> State:
        """μ_l(z) for every layer."""
        found = self._slopes(z)
        return {n: found[self.own["a", n]] for n in self.names}

    def feedback(self, z: State, a: State) -> State:
        """Σ_m (∂μ_m/∂z_l)ᵀ a_m for every layer l, zero for one that predicts nothing."""
        import jax.numpy as jnp

        found = self._slopes(z, a=a)
        return {n: found.get(n, jnp.zeros_like(z[n])) for n in self.names}

    def weigh(self, e: State) -> State:
        """Π_l e_l for every layer."""
        found = self._slopes(e, c=e)
        return {n: found[self.own["c", n]] if n in self.weighted else e[n] for n in self.names}

    def unweigh(self, a: State) -> State:
        """Π_l⁻¹ a_l for every layer."""
        found = self._slopes(a, d=a)
        return {n: found[self.own["d", n]] if n in self.weighted else a[n] for n in self.names}

    def rule(self, z: State, a: State) -> State:
        """−Σ_l batch mean of (∂μ_l/∂θ)ᵀ a_l, summed over phases; zero where nothing is predicted.

        The local rule of E without that of the precisions, on which the loss does not depend.
        """
        import jax.numpy as jnp

        some = next(iter(z.values()))
        weight = -jnp.ones(some.shape[:1], some.dtype)
        values = {**self.fixed, **self._at(z, a=a), "beta": 0 * weight, "weight": weight}
        found = self.program.module.call("contrast", values)
        return {k: found.get(k, jnp.zeros_like(v)) for k, v in self.params.items()}
