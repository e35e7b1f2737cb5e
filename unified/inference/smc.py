"""Annealing: particles led from a Gaussian reference to a law, whose integral they weigh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unified.base.errors import bad_input
from unified.dynamics.langevin import check_key
from unified.dynamics.system import System
from unified.inference.problem import Problem

if TYPE_CHECKING:
    from unified.inference.modes import Modes

KEEP, WANTED, RUNS = 0.7, 0.6, 8  # effective share kept by a stage; acceptance; runs at least
STAGES = 200  # beyond which a run has lost its way, and its integral is NaN


@dataclass(frozen=True)
class Annealed:
    """Independent runs of annealed particles.

    Shapes: `log_integrals` log ∫exp(−F/T) of every run (R,), `particles` (R, P, N), `stages`,
    `acceptance` (of the moves of the last stage) (R,).
    """

    log_integrals: Any
    particles: Any
    stages: Any
    acceptance: Any

    @property
    def log_integral(self) -> float:
        """log of the mean over runs of their ∫exp(−F/T); NaN if one broke off."""
        if not np.all(np.isfinite(self.log_integrals)):
            return float("nan")
        return float(np.logaddexp.reduce(self.log_integrals) - np.log(len(self.log_integrals)))

    @property
    def error(self) -> float:
        """Its standard error, from the scatter between runs."""
        share = np.exp(self.log_integrals - self.log_integral)
        return float(np.std(share, ddof=1) / np.sqrt(len(share)))


def reference_of(found: Modes, inflation: float = 2.0) -> tuple[Any, Any]:
    """Mean and covariance of a Gaussian that covers all wells found, evenly weighted."""
    count = len(found.laws)
    mean, cov = found.moments(np.full(count, 1 / count))
    return mean, cov * (1.0 if found.laws[0].exact else inflation)


def anneal(
    problem: Problem, mean: Any, cov: Any, *, key: int, runs: int = RUNS, particles: int = 1024,
    moves: int = 5,
) -> Annealed:  # fmt: skip
    """Lead particles from N(mean, cov) =: q to p ∝ exp(−F/T), and weigh ∫exp(−F/T) on the way.

    Equation: laws q^{1−λ}exp(−λF/T), λ raised from 0 to 1; systematic resampling; `moves`
    Metropolis-adjusted Langevin steps per stage. A run of its own, which is then left out, plans
    the rest: each λ so that 70 % of the effective particles are kept, the covariance of the
    particles as the preconditioner, the steps as long as acceptance 0.6 allows. Particles that
    chose their own plan would weigh too little, by more than runs differ: with the plan fixed
    the mean of every run's ∫exp(−F/T) is the integral, for any number of particles.
    Shapes: mean (N,), cov (N, N), in units of the stacked states.
    Raises: InputError for fewer than 8 runs or settings out of range.
    Reference: Neal (2001), Stat. Comput. 11, 125; Del Moral, Doucet & Jasra (2006), JRSS B 68, 411.
    """
    check_key(key)
    for name, value, least in (("runs", runs, RUNS), ("particles", particles, 64),
                               ("moves", moves, 1)):  # fmt: skip
        if not isinstance(value, int | np.integer) or value < least:
            raise bad_input(name, f"a whole number of at least {least}", value, "raise it")
    import jax

    program = problem.program
    root = np.linalg.cholesky(np.asarray(cov))
    with program.precision:
        run = problem.jit(
            ("anneal", particles, moves), lambda *a: _run(problem, particles, moves, *a)
        )
        first, *keys = jax.random.split(jax.random.key(key), runs + 1)
        given = (problem.values, program.dtype.type(problem.temperature), mean, root)
        n, kind = problem.size, program.dtype
        none = (np.zeros(STAGES, kind), np.zeros(STAGES, kind), np.zeros((STAGES, n, n), kind))
        *_, plan = run(*given, none, True, first)
        found = [run(*given, plan, False, k)[:-1] for k in keys]
        parts = (np.stack([np.asarray(v) for v in part]) for part in zip(*found, strict=True))
        return Annealed(*parts)


def _run(problem: Problem, count: int, moves: int, values: Any, heat: Any, mean: Any, root: Any,
         plan: Any, making: Any, key: Any) -> Any:  # fmt: skip
    """One run (traceable): (log integral, particles (P, N), stages, acceptance, plan).

    The plan is λ, step length and preconditioner by stage; `making` it, or following it.
    """
    import jax
    import jax.numpy as jnp
    from jax import lax
    from jax.scipy.linalg import solve_triangular
    from jax.scipy.special import logsumexp

    system = System(problem.program, {**values, "beta": jnp.repeat(values["beta"], count)})
    system.shapes = problem.shapes
    n = problem.size
    inverse = solve_triangular(root, jnp.eye(n, dtype=root.dtype), lower=True)
    constant = -0.5 * n * jnp.log(2 * jnp.pi) - jnp.sum(jnp.log(jnp.diagonal(root)))

    def look(flat: Any) -> Any:
        """log q, −F/T and their gradients at (P, N)."""
        state = system.split(flat[:, None])
        white = (flat - mean) @ inverse.T
        low = -system.energy(state)[:, 0] / heat
        slope = -system.flat(system.gradient(state))[:, 0] / heat
        return constant - 0.5 * jnp.sum(white**2, axis=1), low, -white @ inverse, slope

    def raised(old: Any, gap: Any) -> Any:
        """The λ at which the effective share of the particles has fallen to KEEP."""

        def share(new: Any) -> Any:
            w = (new - old) * gap
            return jnp.exp(2 * logsumexp(w) - logsumexp(2 * w)) / count

        def halve(_: Any, ends: Any) -> Any:
            low, high = ends
            middle = (low + high) / 2
            fine = share(middle) >= KEEP
            return jnp.where(fine, middle, low), jnp.where(fine, high, middle)

        low, high = lax.fori_loop(0, 40, halve, (old, jnp.ones_like(old)))
        return jnp.where(share(jnp.ones_like(old)) >= KEEP, 1.0, jnp.maximum(low, high * 1e-12))

    def move(level: Any, factor: Any) -> Any:
        def step(carry: Any, k: Any) -> Any:
            flat, seen, length, _ = carry
            first, second = jax.random.split(k)
            noise = jax.random.normal(first, flat.shape, flat.dtype)

            def tilted(at: Any) -> tuple[Any, Any]:
                return ((1 - level) * at[0] + level * at[1],
                        ((1 - level) * at[2] + level * at[3]) @ factor)  # fmt: skip

            here, slope = tilted(seen)
            new = flat + (0.5 * length**2 * slope + length * noise) @ factor.T
            ahead = look(new)
            there, back = tilted(ahead)
            turned = noise + 0.5 * length * (slope + back)
            odds = there - here + 0.5 * jnp.sum(noise**2 - turned**2, axis=1)
            taken = jnp.log(jax.random.uniform(second, odds.shape, odds.dtype)) < odds
            rate = jnp.mean(jnp.where(jnp.isfinite(odds), jnp.exp(jnp.minimum(odds, 0.0)), 0.0))
            flat = jnp.where(taken[:, None], new, flat)
            seen = tuple(
                jnp.where(taken.reshape(-1, *(1,) * (a.ndim - 1)), a, b)
                for a, b in zip(ahead, seen, strict=True)
            )
            grown = jnp.where(making, jnp.exp(rate - WANTED), 1.0)
            return (flat, seen, length * grown, rate), None

        return step

    def stage(carry: Any) -> Any:
        flat, seen, level, total, length, _, stages, plan = carry
        levels, lengths, factors = plan
        gap = seen[1] - seen[0]
        gap = jnp.where(jnp.isfinite(gap), gap, -jnp.inf)
        new = jnp.where(making, raised(level, gap), levels[stages])
        length = jnp.where(making, length, lengths[stages])
        w = (new - level) * gap
        total = total + logsumexp(w) - jnp.log(count)
        draw, *keys = jax.random.split(jax.random.fold_in(key, stages), moves + 1)
        ladder = (jnp.arange(count) + jax.random.uniform(draw, (), flat.dtype)) / count
        pick = jnp.searchsorted(jnp.cumsum(jax.nn.softmax(w)), ladder)
        pick = jnp.minimum(pick, count - 1)
        flat, seen = flat[pick], tuple(a[pick] for a in seen)
        away = flat - jnp.mean(flat, axis=0)
        spread = away.T @ away / count
        ridge = 1e-9 * jnp.trace(spread) / n
        own = jnp.linalg.cholesky(spread + ridge * jnp.eye(n, dtype=flat.dtype))
        factor = jnp.where(making, own, factors[stages])
        begin = (flat, seen, length, jnp.ones((), flat.dtype))
        (flat, seen, length, rate), _ = lax.scan(move(new, factor), begin, jnp.stack(keys))
        plan = (levels.at[stages].set(new), lengths.at[stages].set(length),
                factors.at[stages].set(factor))  # fmt: skip
        return flat, seen, new, total, length, rate, stages + 1, plan

    flat = mean + jax.random.normal(jax.random.fold_in(key, 2**30), (count, n), root.dtype) @ root.T
    zero = jnp.zeros((), root.dtype)
    begun = jnp.zeros((), jnp.int32)
    first = (flat, look(flat), zero, zero, zero + n ** (-1 / 6), zero, begun, plan)
    done = lax.while_loop(lambda c: (c[2] < 1) & (c[6] < STAGES), stage, first)
    flat, _, level, total, _, rate, stages, plan = done
    return jnp.where(level >= 1, total, jnp.nan), flat, stages, rate, plan
