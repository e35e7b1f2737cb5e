"""Equilibrium propagation of vector fields: the plain rule, and the one with an extra force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.equilibrium import failures
from unified.dynamics.field_relax import field_start, judge_field, move_to_rest, stable
from unified.dynamics.field_system import Augmented as AugmentedSystem
from unified.dynamics.field_system import FieldSystem, zero_costates
from unified.dynamics.phase import Phase
from unified.dynamics.relax import relax
from unified.dynamics.solve import Rest
from unified.learning.estimate import GradientEstimate, Raw
from unified.learning.gradient import AbstractEstimator, Values, contrast, mean_cost, rest_at
from unified.learning.nudging import real_nudge

Build = Callable[[Program, Values], FieldSystem]


def field_rest(
    program: Program, values: Values, estimator: AbstractEstimator, beta: Any, begin: Any = None,
    build: Build | None = None,
) -> Rest:  # fmt: skip
    """Relax a field at the nudges `beta`; what rests unstably gets a status (traceable)."""
    import jax.numpy as jnp

    if estimator.metric is not None:
        raise bad_input("metric", "none for a field", estimator.metric, "write it into the field")
    beta = jnp.asarray(beta).astype(program.dtype)
    values = {**values, "beta": beta}
    system = FieldSystem(program, values, backward=begin is not None) if build is None else (
        build(program, values)
    )  # fmt: skip
    start = field_start(program, values)
    if begin is not None:
        start = {k: jnp.broadcast_to(begin[k], v.shape) for k, v in start.items()}
    rest = move_to_rest(system, start, estimator.method, estimator.tolerance(program))
    if estimator.certify:
        good = stable(system, rest.state)
        rest = rest._replace(code=judge_field(rest.code, good, beta))
    return rest


def sensitivity(program: Program, values: Values, state: Any, costate: Any, beta: float) -> Any:
    """The batch mean of −aᵀ ∂f/∂θ + β ∂C/∂θ at a state, a the co-state (traceable).

    Equation: ∂L/∂θ of the Lagrangian −aᵀf + βC; for an energy f = −∂E/∂s.
    """
    import jax.numpy as jnp

    one = jnp.ones((1,), program.dtype)
    if program.field is not None:
        pairs = zip(program.field.states, program.field.costates, strict=True)
        full = {**state, **{a.name: costate[s.name] for s, a in pairs}}
        return contrast(program, values, full, beta * one, one)
    names = program.kernels.directions
    at = {**values, **state, "beta": 0 * one, "weight": one}
    mixed = program.module.call("mixed", {**at, **{names[k].name: v for k, v in costate.items()}})
    direct = program.module.call("cost_rule", at) if program.target is not None else {}
    return {k: v + beta * direct.get(k, 0.0) for k, v in mixed.items()}


@dataclass(frozen=True)
class AbstractFieldEstimator(AbstractEstimator):
    """An estimator for fields, symmetric or not; an energy counts as the field −∂E/∂s."""

    beta: float = 0.01

    def __post_init__(self) -> None:
        real_nudge(self.beta)

    @property
    def takes_fields(self) -> bool:
        return True

    @property
    def takes_metric(self) -> bool:
        return False

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free", "nudged", "nudged against")

    def rest(self, program: Program, values: Values, beta: Any, begin: Any = None,
             build: Build | None = None) -> Rest:  # fmt: skip
        """A settled phase: of the field, or of the energy as every estimator relaxes it."""
        if program.field is None:
            return rest_at(program, values, self, beta, begin)
        return field_rest(program, values, self, beta, begin, build)

    def __call__(
        self, program: Program, params: Mapping[str, Any], x: Any, y: Any, *, throw: bool = True
    ) -> GradientEstimate:
        found = super().__call__(program, params, x, y, throw=throw and program.field is None)
        if throw and program.field is not None:
            tol = self.tolerance(program)
            if not found.equilibria[0].converged:  # to say what the state does instead
                relax(program, params, Phase.free(x), self.method, tol)
            for k, rest in enumerate(found.equilibria, start=1):
                place = f"{type(self).__name__}, phase {k}"
                failures(rest.status, rest.residual, rest.tol, place)
        return found


@dataclass(frozen=True)
class AbstractNudgedField(AbstractFieldEstimator):
    """Two opposite nudges, the rule taken at the free phase.

    Equation: ∂C/∂θ − (∂f/∂θ(s_0))ᵀ (s_β − s_{−β})/2β.
    """

    @property
    def order(self) -> int:
        return 2

    def nudged_system(self, free: Any) -> Build | None:
        """What moves in the nudged phases; None: the field itself."""
        return None

    def core(self, program: Program, values: Values) -> Raw:
        b = self.beta
        free = self.rest(program, values, [0.0])
        build = self.nudged_system(free.state)
        pair = self.rest(program, values, [b, -b], free.state, build)
        response = {k: (v[:1] - v[1:]) / (2.0 * b) for k, v in pair.state.items()}
        grad = sensitivity(program, values, free.state, response, 1.0)
        loss = mean_cost(program, values, free.state)
        held = held_costates(program, values)
        return Raw(grad, loss, loss, (free, pair), held=held)


@dataclass(frozen=True)
class VectorField(AbstractNudgedField):
    """Equilibrium propagation of a field, as if its Jacobian were symmetric.

    Equation: ∂C/∂θ − (∂f/∂θ(s_0))ᵀ (s_β − s_{−β})/2β. It tends to ∂C/∂θ − (∂f/∂θ)ᵀJ⁻¹∂C/∂s: off
    the gradient by 2(∂f/∂θ)ᵀJ⁻¹J_aJ⁻ᵀ∂C/∂s, whatever β, and exact to O(β²) where J = Jᵀ.
    Raises: InputError for β that is 0 or not finite.
    Reference: Scellier et al. (2018), arXiv:1808.04873; theory page B5.
    """

    @property
    def conditions(self) -> tuple[str, ...]:
        return ("the free rest point is stable", "the Jacobian there is symmetric")


@dataclass(frozen=True)
class Augmented(AbstractNudgedField):
    """The same with a force that turns the Jacobian of the nudged phases into its transpose.

    Equation: ṡ = f(s) − β ∂C/∂s − 2J_a(s − s_0), J_a that of the free rest point: the rule of
    `VectorField` then tends to the gradient, bias O(β²), for any J. The force takes one product
    with J and one with Jᵀ; for an energy it is 0.
    Raises: InputError for β that is 0 or not finite.
    Reference: theory page B5 (derivation b5_asymmetric), after Scellier et al. (2018).
    """

    @property
    def conditions(self) -> tuple[str, ...]:
        return ("the free rest point is stable",)

    def nudged_system(self, free: Any) -> Build | None:
        return lambda program, values: AugmentedSystem(program, values, free)


def held_costates(program: Program, values: Values) -> dict[str, Any]:
    """Co-states 0, with which the Lagrangian of a phase is βC."""
    import jax.numpy as jnp

    return zero_costates(program, {**values, "beta": jnp.zeros((1,), program.dtype)})
