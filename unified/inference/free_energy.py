"""Parameter gradients under a Gaussian law of the states: means, covariances, free energies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.codegen.dense import assemble
from unified.inference.laplace import LaplaceLaw
from unified.inference.problem import Problem

Gradient = dict[str, Any]


@dataclass(frozen=True)
class LawGradients:
    """Gradients by θ at one nudge, from a mean m and a covariance Σ (= T·H⁻¹ of a Laplace law).

    Equation: `rule` ∂F/∂θ(m); `spread` ½ tr(Σ ∂_θF″), so that ⟨∂F/∂θ⟩ = rule + spread if F is
    quadratic in s; `fluctuation` −Cov(∂F/∂θ, C)/T + ⟨∂C/∂θ⟩ by Isserlis' theorem,
    Cov = ∇_s(∂F/∂θ)ᵀΣ∇C + ½ tr(∂_θF″ΣC″Σ); `free` ∂_θ[F(s*) + (T/2) log det H], differentiated
    through the rest point and the determinant.
    Shapes: dicts as the parameters.
    Reference: Isserlis (1918), Biometrika 12, 134; theory page B7.
    """

    rule: Gradient
    spread: Gradient
    fluctuation: Gradient
    free: Gradient

    @property
    def mean(self) -> Gradient:
        """⟨∂F/∂θ⟩ under the Gaussian law."""
        return {k: v + self.spread[k] for k, v in self.rule.items()}


def law_gradients(law: LaplaceLaw) -> LawGradients:
    """All of them, exact if the energy and cost are quadratic in the states."""
    problem = law.problem
    program = problem.program
    has_cost = program.cost_model is not None
    with program.precision:
        run = problem.jit("law gradients", lambda *a: _gradients(problem, *a))
        heat = program.dtype.type(problem.temperature)
        found = run(problem.values, law.mean, law.inverse, heat)
        rule, spread, fluctuation, free = (
            {k: np.asarray(v) for k, v in part.items()} for part in found
        )
    return LawGradients(rule, spread, fluctuation if has_cost else {}, free)


def _gradients(problem: Problem, values: Any, mean: Any, inverse: Any, heat: Any) -> Any:
    """(rule, spread, fluctuation, free) (traceable)."""
    import jax
    import jax.numpy as jnp

    program = problem.program
    own = {p.name: p for p in program.model.params}
    fixed = {k: v for k, v in values.items() if k not in own}
    cov = heat * inverse

    def level(theta: Any, s: Any, beta: Any) -> Any:
        state = {k: v[None, None] for k, v in problem.unstack(s).items()}
        return program.core("energy", {**fixed, **theta, **state, "beta": beta})["F"][0, 0]

    def bend(theta: Any, s: Any, beta: Any) -> Any:
        state = {k: v[None, None] for k, v in problem.unstack(s).items()}
        return assemble(program, {**fixed, **theta, **state, "beta": beta})[0, 0]

    def by_theta(function: Callable[[Any], Any]) -> Gradient:
        found = jax.grad(function)({k: values[k] for k in own})
        return {k: (g + g.T) / 2 if own[k].symmetric else g for k, g in found.items()}

    now = values["beta"]
    slope = jax.grad(level, argnums=1)
    theta0 = {k: values[k] for k in own}

    def free(theta: Any) -> Any:
        s = mean - inverse @ slope(theta, mean, now)  # the rest point, to first order in θ
        return level(theta, s, now) + 0.5 * heat * jnp.linalg.slogdet(bend(theta, s, now))[1]

    rule = by_theta(lambda t: level(t, mean, now))
    spread = by_theta(lambda t: 0.5 * jnp.sum(bend(t, mean, now) * cov))
    if program.cost_model is None:
        return rule, spread, {}, by_theta(free)
    one, none = jnp.ones_like(now), jnp.zeros_like(now)

    def cost(what: Any, theta: Any) -> Any:
        return what(theta, mean, one) - what(theta, mean, none)

    pull = cov @ cost(slope, theta0)
    turn = cov @ cost(bend, theta0) @ cov
    along = by_theta(
        lambda t: slope(t, mean, now) @ pull + 0.5 * jnp.sum(bend(t, mean, now) * turn)
    )
    direct = by_theta(lambda t: cost(level, t) + 0.5 * jnp.sum(cost(bend, t) * cov))
    fluctuation = {k: direct[k] - v / heat for k, v in along.items()}
    return rule, spread, fluctuation, by_theta(free)
