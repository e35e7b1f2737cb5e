"""Predictive-coding schedules that compute backpropagation exactly."""

from __future__ import annotations

from dataclasses import dataclass

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.system import System
from unified.learning.gradient import (
    AbstractEstimator,
    Raw,
    Values,
    mean_cost,
    stopped,
)  # fmt: skip
from unified.learning.layers import Predictions, State, forward_pass, require_layers
from unified.learning.recurrent import linear_relaxation


def _check_rate(gamma: float) -> None:
    if not 0 < gamma < 2:
        raise bad_input("gamma", "a rate between 0 and 2", gamma, "use 1.0")


def _output_errors(program: Program, values: Values, state: State) -> tuple[State, State]:
    """−∂C/∂z for every layer and the batch mean of ∂C/∂θ, at the forward pass."""
    import jax.numpy as jnp

    one = jnp.ones((1,), program.dtype)
    at = {**values, **state, "beta": 0 * one, "weight": one}
    slopes = program.module.call("cost_gradient", at)
    return {k: -v for k, v in slopes.items()}, program.module.call("cost_rule", at)


@dataclass(frozen=True)
class FixedPrediction(AbstractEstimator):
    """Predictive coding with the predictions and their slopes frozen at the forward pass.

    Equation: a_l ← a_l + γ(Σ_m J_mᵀ a_m − a_l), a_l = Π_lε_l, J_m = ∂μ_m/∂z_l at the forward pass,
    the output error held at a_L = −∂C/∂z_L (y − μ_L for squared error); rule −(∂μ_l/∂θ)ᵀ a_l. These
    are steps of inference preconditioned by Π_l⁻¹. At rest it is backpropagation, exactly, for any
    precisions and skips; γ = 1 is at rest after L − 1 steps. `steps` cuts it off (status
    truncated); without it errors relax until they rest.
    Raises: InputError for γ outside (0, 2), steps < 1, or an energy that is not layered.
    Reference: Whittington & Bogacz (2017); Millidge, Tschantz, Buckley (2022); theory page C3.
    """

    steps: int | None = None
    gamma: float = 1.0

    def __post_init__(self) -> None:
        _check_rate(self.gamma)
        if self.steps is not None and self.steps < 1:
            raise bad_input("steps", "at least 1, or None for all it takes", self.steps, "raise it")

    @property
    def takes_metric(self) -> bool:
        return False

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free", "errors at fixed predictions")

    @property
    def conditions(self) -> tuple[str, ...]:
        if self.steps is None:
            return ("a layered energy",)
        return ("a layered energy", f"at least L - 1 layers of steps ({self.steps}) at gamma = 1")

    def check(self, program: Program) -> None:
        require_layers(program)

    def core(self, program: Program, values: Values) -> Raw:
        free = forward_pass(program, values, self.tolerance(program))
        z = free.state
        chain = Predictions(program, values)
        source, direct = _output_errors(program, values, z)

        def drift(a: State) -> State:
            back = chain.feedback(z, a)
            return {k: a[k] - back[k] - source[k] for k in a}

        system = System(program, {**values, "beta": free.beta})
        system.begin(z)
        tol = self.tolerance(program)
        limit = 10_000 if self.steps is None else self.steps
        a, residual, code, steps = linear_relaxation(drift, source, system.norm, self.gamma,
                                                     tol, limit)  # fmt: skip
        errors = stopped(z, residual, steps, tol, free.beta)
        if self.steps is None:
            errors = errors._replace(code=code)
        rule = chain.rule(z, a)
        loss = mean_cost(program, values, z)
        return Raw({k: direct[k] + rule[k] for k in rule}, loss, loss, (free, errors))


@dataclass(frozen=True)
class ZeroDivergence(AbstractEstimator):
    """Zero-divergence inference learning: each weight is read when the error first reaches it.

    Equation: from the forward pass with z_L held at μ_L − Π_L⁻¹∂C/∂z_L (y for squared error),
    z_l ← z_l − γΠ_l⁻¹ ∂E/∂z_l for all l < L at once; the rule −(∂μ_l/∂θ)ᵀΠ_lε_l of layer l is read
    at step L − l. γ = 1: backpropagation, exactly; else layer l has γ^{L−l} times its share.
    `synchronous=False` (layers from the output down, one after another) and `delay` (reading
    that many steps late) break it, on purpose.
    The last state is not at rest, and says so (truncated).
    Raises: InputError for γ outside (0, 2), delay < 0, an energy that is not a layered chain, or a
    cost of other states than the last.
    Reference: Song, Lukasiewicz, Xu, Bogacz (2020), NeurIPS; theory page C3.
    """

    gamma: float = 1.0
    synchronous: bool = True
    delay: int = 0

    def __post_init__(self) -> None:
        _check_rate(self.gamma)
        if self.delay < 0:
            raise bad_input("delay", "0 or more steps", self.delay, "use 0")

    @property
    def takes_metric(self) -> bool:
        return False

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free", "output held")

    @property
    def conditions(self) -> tuple[str, ...]:
        return ("a layered chain", "the cost reads the last layer only", "gamma = 1",
                "layers move at once", "layer l is read after L - l steps")  # fmt: skip

    def check(self, program: Program) -> None:
        require_layers(program, chain=True)

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        free = forward_pass(program, values, self.tolerance(program))
        chain = Predictions(program, values)
        source, direct = _output_errors(program, values, free.state)
        names = chain.names
        shift = chain.unweigh(source)[names[-1]]
        z = {**free.state, names[-1]: free.state[names[-1]] + shift}

        def errors(z: State) -> State:
            mu = chain.predictions(z)
            return {n: z[n] - mu[n] for n in names}

        def move(z: State, only: tuple[str, ...]) -> State:
            eps = errors(z)
            pull = chain.unweigh(chain.feedback(z, chain.weigh(eps)))
            return {n: z[n] + self.gamma * (pull[n] - eps[n]) if n in only else z[n] for n in z}

        seen: list[tuple[State, State]] = []
        for _ in range(len(names) + self.delay):
            seen.append((z, chain.weigh(errors(z))))
            groups = [names[:-1]] if self.synchronous else [(n,) for n in names[-2::-1]]
            for group in groups:
                z = move(z, group)
        last = seen[-1][0]
        # Layer l, read at its own time, is one phase of a single contrast.
        times = [len(names) - 1 - k + self.delay for k in range(len(names))]
        there = {n: jnp.concatenate([seen[t][0][n] for t in times]) for n in z}
        only = {
            n: jnp.concatenate([
                a if k == j else jnp.zeros_like(a)
                for j, a in enumerate(seen[t][1][n] for t in times)
            ])
            for k, n in enumerate(names)
        }  # fmt: skip
        rule = chain.rule(there, only)
        system = System(program, {**values, "beta": free.beta})
        system.begin(last)
        hidden = {n: g if n != names[-1] else 0 * g for n, g in system.gradient(last).items()}
        done = stopped(last, system.residual(last, hidden), len(seen) - 1,
                       self.tolerance(program), free.beta)  # fmt: skip
        loss = mean_cost(program, values, free.state)
        return Raw({k: direct[k] + rule[k] for k in rule}, loss, loss, (free, done))
