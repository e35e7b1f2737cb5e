"""Predictive coding: inference to rest, cut off, or with weights that learn meanwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.phase import check_beta
from unified.dynamics.solve import Rest, start_state
from unified.dynamics.system import System
from unified.learning.clamping import clamped_energy, clamped_rule
from unified.learning.gradient import (
    AbstractEstimator,
    Raw,
    Values,
    contrast,
    mean_cost,
    rest_at,
    stopped,
)  # fmt: skip
from unified.learning.layers import left_by_forward, require_layers


@dataclass(frozen=True)
class PredictiveCoding(AbstractEstimator):
    """Predictive coding: one phase with the output nudged or, for β = ∞, clamped.

    Equation: clamped: ∂E/∂θ(z*), exactly the gradient of the equilibrated energy E*; nudged:
    ∂E/∂θ(z_β)/β, which tends to the loss gradient with bias O(β), since the free phase is the
    forward pass, where E and its rule vanish. Where the forward pass is no rest point (not a PC
    energy), a free phase is relaxed first, to read the loss.
    With `steps`, inference is cut off: z ← z − η ∂F/∂z that many times from the forward pass, then
    the same rule, wherever that is; the residual says how far from rest, the status truncated.
    Raises: InputError for β that is 0 or not a number; for finite β, an energy whose rule does not
    vanish after a forward pass (learned precisions, energies without one); for steps, one that is
    not layered.
    Reference: Whittington & Bogacz (2017); theory page C3.
    """

    beta: float = math.inf
    steps: int | None = None
    eta: float = 0.1

    def __post_init__(self) -> None:
        if self.beta != math.inf:
            _finite_beta(self.beta)
        if self.steps is not None:
            _steps(self.steps, self.eta)

    @property
    def clamps(self) -> bool:
        """True if the output is clamped rather than nudged."""
        # A finite nudge may be traced, and then cannot be compared.
        return isinstance(self.beta, float) and self.beta == math.inf

    @property
    def takes_metric(self) -> bool:
        return self.steps is None

    @property
    def order(self) -> int | None:
        return None if self.clamps else 1

    @property
    def phases(self) -> tuple[str, ...]:
        return ("clamped",) if self.clamps else ("nudged",)

    @property
    def exact_for(self) -> str:
        return "equilibrated energy" if self.clamps else "loss"

    @property
    def conditions(self) -> tuple[str, ...]:
        found = ["the phase rests at a strict minimum"]
        if self.steps is not None:
            found.append(f"{self.steps} steps of {self.eta:g} bring it there")
        if not self.clamps:
            found.append("energy and rule vanish at the forward pass")
        return tuple(found)

    def check(self, program: Program) -> None:
        if self.steps is not None:
            require_layers(program)
        if self.clamps:
            return
        left = left_by_forward(program, program.model.rules)
        if left:
            raise bad_input(
                "energy", "one whose rule vanishes after a forward pass, for one-phase learning",
                f"a rule for {', '.join(left)} that does not", "use un.OneSided or un.Centered",
            )  # fmt: skip

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        start = start_state(program, {**values, "beta": jnp.zeros((1,), program.dtype)})
        before: tuple[Rest, ...] = ()
        # The loss is read at a free rest point, wherever that is.
        if left_by_forward(program, program.model.gradient):
            before = (rest_at(program, values, self, [0.0]),)
            start = before[0].state
        loss = mean_cost(program, values, start)
        unseen = (None,) * len(before)
        if self.clamps:
            rest = self._phase(program.clamped, values, 0.0)
            grad = clamped_rule(program, values, rest)
            objective, weight = clamped_energy(program, values, rest), jnp.ones_like(rest.beta)
            return Raw(grad, loss, objective, (*before, rest), (*unseen, weight))
        rest = self._phase(program, values, self.beta)
        weight = 1.0 / rest.beta
        grad = contrast(program, values, rest.state, rest.beta, weight)
        return Raw(grad, loss, loss, (*before, rest), (*unseen, weight))

    def _phase(self, program: Program, values: Values, beta: Any) -> Rest:
        if self.steps is None:
            return rest_at(program, values, self, [beta])
        return descend(program, values, beta, self.steps, self.eta, self.tolerance(program))[0]


@dataclass(frozen=True)
class IncrementalPC(AbstractEstimator):
    """Incremental predictive coding: weights learn during inference, not after it.

    Equation: (1/K) Σ_{t<K} ∂E/∂θ(z_t) along z_{t+1} = z_t − η ∂E/∂z(z_t), from the forward pass
    with the output clamped, at fixed θ: what the sweep θ ← θ − α ∂E/∂θ(z_t), one update with every
    step of inference, adds up to divided by −αK, to leading order in α. Not the gradient of any
    objective at finite K; for K → ∞ that of the equilibrated energy, with bias O(1/(ηK)).
    The last state is reported; it is truncated unless it happens to be at rest.
    Raises: InputError for steps < 1, η ≤ 0 or an energy that is not layered.
    Reference: Salvatori et al. (2024), ICLR, arXiv:2212.00720.
    """

    steps: int = 20
    eta: float = 0.1

    def __post_init__(self) -> None:
        _steps(self.steps, self.eta)

    @property
    def takes_metric(self) -> bool:
        return False

    @property
    def phases(self) -> tuple[str, ...]:
        return ("clamped",)

    @property
    def exact_for(self) -> str:
        return "equilibrated energy"

    @property
    def conditions(self) -> tuple[str, ...]:
        return ("a layered energy", f"{self.steps} steps of {self.eta:g} are many")

    def check(self, program: Program) -> None:
        require_layers(program)

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        inner = program.clamped
        start = start_state(program, {**values, "beta": jnp.zeros((1,), program.dtype)})
        loss = mean_cost(program, values, start)
        rest, mean = descend(inner, values, 0.0, self.steps, self.eta, self.tolerance(program),
                             learn=True)  # fmt: skip
        grad = {
            p.name: mean.get(p.name, jnp.zeros_like(values[p.name])) for p in program.model.params
        }
        return Raw(grad, loss, clamped_energy(program, values, rest), (rest,))


def descend(
    program: Program, values: Values, beta: Any, steps: int, eta: float, tol: float,
    learn: bool = False,
) -> tuple[Rest, dict[str, Any]]:  # fmt: skip
    """Gradient steps of inference from the forward pass; the mean of ∂F/∂θ before each if `learn`.

    Equation: z ← z − η ∂F/∂z, all layers at once (traceable).
    """
    import jax.numpy as jnp
    from jax import lax

    nudge = jnp.asarray([beta], program.dtype)
    values = {**values, "beta": nudge}
    system = System(program, values)
    first = system.begin(start_state(program, values))
    share = jnp.full((1,), 1.0 / steps, program.dtype)

    def step(carry: Any, _: Any) -> Any:
        z, mean = carry
        rule = contrast(program, values, z, nudge, share) if learn else {}
        slope = system.gradient(z)
        mean = {k: mean[k] + rule[k] for k in mean}
        return ({k: z[k] - eta * slope[k] for k in z}, mean), None

    params = program.model.params if learn else ()
    none = {p.name: jnp.zeros_like(values[p.name]) for p in params}
    (z, mean), _ = lax.scan(step, (first, none), None, length=steps)
    residual = system.residual(z, system.gradient(z))
    return stopped(z, residual, steps, tol, nudge), mean


def _steps(steps: int, eta: float) -> None:
    if steps < 1:
        raise bad_input("steps", "at least 1", steps, "take some steps")
    if not eta > 0:
        raise bad_input("eta", "a positive step", eta, "use e.g. 0.1")


def _finite_beta(beta: Any) -> None:
    check_beta(beta)
    if np.ndim(beta):
        raise bad_input("beta", "one number", beta, "make one estimator per nudge")
    if np.iscomplexobj(beta):
        raise bad_input("beta", "a real number or inf", beta, "use its modulus")
