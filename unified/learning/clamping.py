"""Rules that clamp or nudge the output once: contrastive learning and predictive coding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.phase import check_beta
from unified.dynamics.solve import Rest
from unified.learning.gradient import (
    AbstractEstimator,
    Raw,
    Values,
    contrast,
    mean_cost,
    rest_at,
)  # fmt: skip
from unified.symbolic.nodes import Expr, Zero
from unified.symbolic.transform import substitute


def clamped_rest(program: Program, values: Values, estimator: Any, free: Rest | None) -> Rest:
    """The rest point with the output held at the target, from the free hidden states."""
    inner = program.clamped
    begin = None if free is None else {s.name: free.state[s.name] for s in inner.model.states}
    return rest_at(inner, values, estimator, [0.0], begin)


def clamped_rule(program: Program, values: Values, rest: Rest) -> dict[str, Any]:
    """The batch mean of ∂E/∂θ with the output held; zero for parameters that dropped out."""
    import jax.numpy as jnp

    inner = program.clamped
    one = jnp.ones((1,), program.dtype)
    found = contrast(inner, values, rest.state, 0 * one, one)
    return {p.name: found.get(p.name, jnp.zeros_like(values[p.name])) for p in program.model.params}


def clamped_energy(program: Program, values: Values, rest: Rest) -> Any:
    """The batch-mean energy at the clamped rest point."""
    import jax.numpy as jnp

    beta = jnp.zeros((1,), program.dtype)
    return jnp.mean(program.clamped.core("energy", {**values, **rest.state, "beta": beta})["F"])


@dataclass(frozen=True)
class Contrastive(AbstractEstimator):
    """Clamped minus free: contrastive Hebbian learning.

    Equation: ∂E/∂θ(s_clamped) − ∂E/∂θ(s_free), exactly the gradient of E_clamped − E_free (which
    is not the loss; both vanish together).
    Raises: InputError as every estimator.
    Reference: Movellan (1991); Xie & Seung (2003), Neural Computation 15, 441.
    """

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free", "clamped")

    @property
    def exact_for(self) -> str:
        return "E_clamped - E_free"

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        free = rest_at(program, values, self, [0.0])
        held = clamped_rest(program, values, self, free)
        one = jnp.ones((1,), program.dtype)
        below = contrast(program, values, free.state, 0 * one, one)
        above = clamped_rule(program, values, held)
        energy = program.core("energy", {**values, **free.state, "beta": 0 * one})["F"]
        objective = clamped_energy(program, values, held) - jnp.mean(energy)
        loss = mean_cost(program, values, free.state)
        return Raw({k: above[k] - below[k] for k in above}, loss, objective, (free, held))


@dataclass(frozen=True)
class PredictiveCoding(AbstractEstimator):
    """Predictive coding: one phase with the output nudged or, for β = ∞, clamped.

    Equation: clamped: ∂E/∂θ(z*), exactly the gradient of the equilibrated energy E*; nudged:
    ∂E/∂θ(z_β)/β, which tends to the loss gradient with bias O(β), since the free phase is the
    forward pass, where E and its rule vanish. Where the forward pass is no rest point (not a PC
    energy), a free phase is relaxed first, to read the loss.
    Raises: InputError for β that is 0 or not a number; for finite β, an energy whose rule does not
    vanish after a forward pass (learned precisions, energies without one).
    Reference: Whittington & Bogacz (2017); theory page C3.
    """

    beta: float = math.inf

    def __post_init__(self) -> None:
        if self.beta != math.inf:
            _finite_beta(self.beta)

    @property
    def clamps(self) -> bool:
        """True if the output is clamped rather than nudged."""
        # A finite nudge may be traced, and then cannot be compared.
        return isinstance(self.beta, float) and self.beta == math.inf

    @property
    def order(self) -> int | None:
        return None if self.clamps else 1

    @property
    def phases(self) -> tuple[str, ...]:
        return ("clamped",) if self.clamps else ("nudged",)

    @property
    def exact_for(self) -> str:
        return "equilibrated energy" if self.clamps else "loss"

    def check(self, program: Program) -> None:
        if self.clamps:
            return
        model = program.model
        forward: dict[Any, Expr] = {s: model.start[s.name] for s in model.states if model.start}
        left = [p for p, r in model.rules.items() if not forward or _survives(r, forward)]
        if left:
            raise bad_input(
                "energy", "one whose rule vanishes after a forward pass, for one-phase learning",
                f"a rule for {', '.join(left)} that does not", "use un.OneSided or un.Centered",
            )  # fmt: skip

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        free = {k: v for k, v in values.items() if k != "beta"}
        from unified.dynamics.solve import start_state

        start = start_state(program, {**free, "beta": jnp.zeros((1,), program.dtype)})
        before: tuple[Rest, ...] = ()
        if not _rests(program):  # the loss is read at a free rest point, wherever that is
            before = (rest_at(program, values, self, [0.0]),)
            start = before[0].state
        loss = mean_cost(program, values, start)
        if self.clamps:
            rest = clamped_rest(program, values, self, None)
            grad = clamped_rule(program, values, rest)
            return Raw(grad, loss, clamped_energy(program, values, rest), (*before, rest))
        rest = rest_at(program, values, self, [self.beta])
        beta = jnp.asarray([self.beta], program.dtype)
        grad = contrast(program, values, rest.state, beta, 1.0 / beta)
        return Raw(grad, loss, loss, (rest,))


def _finite_beta(beta: Any) -> None:
    check_beta(beta)
    if np.ndim(beta):
        raise bad_input("beta", "one number", beta, "make one estimator per nudge")
    if np.iscomplexobj(beta):
        raise bad_input("beta", "a real number or inf", beta, "use its modulus")


def _rests(program: Program) -> bool:
    """True if the forward pass is a rest point of the free energy by construction."""
    model = program.model
    forward: dict[Any, Expr] = {s: model.start[s.name] for s in model.states if model.start}
    return bool(forward) and not any(_survives(g, forward) for g in model.gradient.values())


def _survives(rule: Expr, forward: dict[Any, Expr]) -> bool:
    """False if the rule is structurally zero at the forward pass."""
    return not isinstance(substitute(rule, forward), Zero)
