"""Coupled learning: the output held part of the way towards the target."""

from __future__ import annotations

from dataclasses import dataclass

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.learning.clamping import clamped_energy, clamped_rest, clamped_rule
from unified.learning.gradient import AbstractEstimator, Raw, Values, contrast, mean_cost, rest_at
from unified.learning.nudging import real_nudge


@dataclass(frozen=True)
class Coupled(AbstractEstimator):
    """The output held a fraction β of the way from its free value to the target.

    Equation: (∂E/∂θ(s_held) − ∂E/∂θ(s_free))/β with s_held,o = s_o + β(y − s_o). For β → 0 (bias
    O(β)) it is what a nudge with the force ((H⁻¹)_oo)⁻¹(y − s_o) teaches, (∂²E/∂θ∂s)H⁻¹ of it: not
    the gradient of the loss, whose force is −∂C/∂s_o, nor of any loss in general; `objective`
    is the contrast E_held − E_free over β, whose gradient it is with the held value kept fixed.
    Raises: InputError for β outside (0, 1], or a target that is not as the output state.
    Reference: Stern, Hexner, Rocks, Liu (2021), Phys. Rev. X 11, 021045; theory page B3.
    """

    beta: float = 0.01

    def __post_init__(self) -> None:
        real_nudge(self.beta)
        if not 0 < self.beta <= 1:
            raise bad_input("beta", "a fraction in (0, 1]", self.beta, "use e.g. 0.01")

    @property
    def order(self) -> int:
        return 1

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free", "clamped part of the way")

    @property
    def exact_for(self) -> str:
        return "E_held - E_free over beta at a fixed held value"

    @property
    def conditions(self) -> tuple[str, ...]:
        return (*super().conditions, "the target is a value of the output state")

    def check(self, program: Program) -> None:
        out, target = program.model.output, program.target
        if target is None or target.axes != out.axes:
            raise bad_input("target", f"one over the axes of {out.name}, to hold it there",
                            "another", "use a nudged estimator")  # fmt: skip

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        free = rest_at(program, values, self, [0.0])
        assert program.target is not None
        name = program.target.name
        out = free.state[program.model.output.name][0]
        held = {name: out + self.beta * (values[name] - out)}
        rest = clamped_rest(program, {**values, **held}, self, free)
        one = jnp.ones((1,), program.dtype)
        below = contrast(program, values, free.state, 0 * one, one)
        above = clamped_rule(program, {**values, **held}, rest)
        grad = {k: (above[k] - below[k]) / self.beta for k in above}
        energy = program.core("energy", {**values, **free.state, "beta": 0 * one})["F"]
        rise = clamped_energy(program, {**values, **held}, rest) - jnp.mean(energy)
        loss = mean_cost(program, values, free.state)
        weights = (-one / self.beta, one / self.beta)
        return Raw(grad, loss, rise / self.beta, (free, rest), weights, held)
