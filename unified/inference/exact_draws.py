"""Independent draws of a normal law through the factors of its Hessian."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.dynamics.hessian import FactoredHessian
from unified.dynamics.system import System
from unified.inference.gaussian import gaussian_law
from unified.inference.problem import Problem


def exact_draws(problem: Problem, chains: int, draws: int, key: int) -> Any:
    """Independent draws (chains, draws, N) of p ∝ exp(−F/T), F quadratic in the states.

    Equation: s = mean + √T 𝓛⁻ᵀξ with H = 𝓛𝓛ᵀ, block bidiagonal for a chain of layers: the cost of
    a draw is linear in depth. Image-like states go through a dense factorisation.
    Raises: InputError for an F that is not quadratic, or not positive definite.
    Reference: Rue (2001), J. R. Stat. Soc. B 63, 325.
    """
    program = problem.program
    require_quadratic(problem)
    if any(s.ndim != 1 for s in program.model.states):
        law = gaussian_law(problem)
        noise = np.random.default_rng(key).standard_normal((chains, draws, problem.size))
        return law.mean + noise @ np.linalg.cholesky(law.cov).T
    import jax

    with program.precision:
        run = program.jit(("exact draws", chains, draws), lambda v, t, k: _draw(
            program, problem.shapes, v, t, (chains, draws), k))  # fmt: skip
        heat = program.dtype.type(problem.temperature)
        found = run(problem.values, heat, jax.random.key(key))
        return problem.stack({k: np.asarray(v)[:, :, 0, 0] for k, v in found.items()})


def require_quadratic(problem: Problem) -> None:
    """Raise InputError unless F is quadratic in the states."""
    if not problem.program.kernels.quadratic:
        raise bad_input("method", "'nuts' or 'langevin' for an energy that is not quadratic",
                        "'exact'", "choose one")  # fmt: skip


def _draw(program: Any, shapes: Any, values: Any, heat: Any, lead: Any, key: Any) -> Any:
    import jax.numpy as jnp

    system = System(program, values)
    kind = values["beta"].dtype
    mean = {k: jnp.zeros((1, 1, *shape), kind) for k, shape in shapes.items()}
    system.begin(mean)
    factored = FactoredHessian.of(system, mean)
    for _ in range(2):  # the second step refines the first against rounding
        move = factored.solve(system, system.gradient(mean))
        mean = {k: v - move[k] for k, v in mean.items()}
    noise = factored.sample(system, lead, key=key, temperature=heat)
    return {k: mean[k] + v for k, v in noise.items()}
