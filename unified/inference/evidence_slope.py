"""The slope of the evidence: an estimate of log Z by weighted particles, differentiated by θ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.dynamics.averages import SEGMENTS
from unified.dynamics.mixing import ESS
from unified.dynamics.system import System
from unified.inference.free_energy import Gradient
from unified.inference.modes import modes_of
from unified.inference.problem import Problem
from unified.inference.smc import reference_of
from unified.inference.tails import TAIL, pareto_tail

LENGTHS = 0.8 * 0.5 ** np.arange(6)  # time of a step, tried on particles that are then left out
OWN = 0x5E1F  # keeps the particles' noise apart from that of chains with the same key


@dataclass(frozen=True)
class EvidenceSlope:
    """∂_θ of −T log(Z_b/Z_a)/(b − a), and log(Z_b/Z_a) itself, from the same particles.

    Equation: u_0 ~ N(0, 1), then K steps u' = a u − (1 − a)λ_k∇g(u) + √(1 − a²)ξ, a = exp(−h),
    λ_k = k/(K + 1), of g(u; θ) = F(m + Lu; θ)/T − ½|u|² − log det L. The ratio w of the density of
    the path run backwards from exp(−g) to that of its running has the mean Z(θ)(2π)^{−N/2},
    whatever h is, so that ∂_θ log Z = ⟨∂_θw⟩/⟨w⟩ with all noise held. m(θ), L(θ) are rest point
    and root of T·H⁻¹ and move with θ: for a normal law w does not vary, and the slope is exact.
    Where several wells were found, N(m, LLᵀ) covers them all, and stays.
    No mean of ∂F/∂θ over a chain and no covariance with C goes into it.
    Shapes: `gradient`, `se` dicts as the parameters; `ess`, `tail` (2,) of the weights at a and b;
    `length` h (2,). `status` is "converged" or a sentence.
    Reference: Jarzynski (1997), PRL 78, 2690; Neal (2001), Stat. Comput. 11, 125; Thin et al.
    (2021), ICML, PMLR 139.
    """

    gradient: Gradient
    se: Gradient
    log_ratio: float
    error: float
    ess: Any
    tail: Any
    length: Any
    status: str


@dataclass(frozen=True)
class Particles:
    """Weighted particles at one nudge: shares of SEGMENTS batches in Z and in ∂_θZ.

    Shapes: `logs` log w (SEGMENTS, P); `slopes` ∂_θ log Z plus what each batch adds, whose mean
    over batches is ∂_θ log Z to first order in the noise, a dict (SEGMENTS, ...).
    """

    logs: Any
    log_integral: float
    shares: Any
    slopes: Gradient
    length: float

    @property
    def ess(self) -> float:
        """(Σw)²/Σw²."""
        w = np.exp(self.logs - np.max(self.logs))
        return float(np.sum(w) ** 2 / np.sum(w**2))


def evidence_slope(
    problem: Problem, a: float, b: float, *, key: int, particles: int, stages: int
) -> EvidenceSlope:
    """The slope between two nudges, SEGMENTS batches of `particles` at either, in common noise."""
    low, high = (weighted(problem.at(v), key, particles, stages) for v in (a, b))
    per = problem.temperature / (b - a)
    pieces = {k: -per * (v - low.slopes[k]) for k, v in high.slopes.items()}
    root = np.sqrt(SEGMENTS)
    shares = high.shares - low.shares
    ess = np.array([p.ess for p in (low, high)])
    tail = np.array([pareto_tail(p.logs) for p in (low, high)])
    fine = np.all(np.isfinite([low.log_integral, high.log_integral]))
    status = "converged"
    if not fine or np.min(ess) < ESS or np.max(tail) >= TAIL:
        status = (
            f"weights are too uneven (effective size {np.min(ess):.0f} of "
            f"{SEGMENTS * particles}, at least {ESS:.0f}; tail index {np.max(tail):.2f}, below "
            f"{TAIL}); use more stages= or draws="
        )
    return EvidenceSlope(
        {k: v.mean(axis=0) for k, v in pieces.items()},
        {k: v.std(axis=0, ddof=1) / root for k, v in pieces.items()},
        high.log_integral - low.log_integral, float(np.std(shares, ddof=1) / root), ess, tail,
        np.array([low.length, high.length]), status,
    )  # fmt: skip


def weighted(problem: Problem, key: int, particles: int, stages: int) -> Particles:
    """Weighted particles of one law. The step is the one that evens the weights of a trial most."""
    import jax

    found = modes_of(problem, key=key)
    moving = len(found.laws) == 1
    law = found.laws[0]
    mean, cov = (law.mean, law.cov) if moving else reference_of(found)
    program = problem.program
    root = np.linalg.cholesky(cov)
    own = {p.name for p in program.model.params}
    theta = {k: v for k, v in problem.values.items() if k in own}
    fixed = {k: v for k, v in problem.values.items() if k not in own}

    def one(theta: Any, fixed: Any, *rest: Any) -> Any:
        logs, back = jax.vjp(lambda t: log_weights(problem, particles, stages, t, fixed, *rest),
                             theta)  # fmt: skip
        high = logs.max()
        return logs, high, back(jax.numpy.exp(logs - high))[0]

    with program.precision:
        run = problem.jit(("evidence slope", particles, stages), one)
        kind = program.dtype.type
        first = jax.random.fold_in(jax.random.key(key), OWN)

        def batch(length: float, k: int) -> Any:
            seed = jax.random.fold_in(first, k)
            return run(theta, fixed, kind(problem.temperature), mean, root, kind(moving),
                       kind(length), seed)  # fmt: skip

        trial = [_even(np.asarray(batch(h, SEGMENTS)[0])) for h in LENGTHS]
        length = float(LENGTHS[int(np.argmax(trial))])
        done = [batch(length, k) for k in range(SEGMENTS)]
        logs, high, raw = (jax.tree.map(lambda *v: np.stack([np.asarray(x) for x in v]), *part)
                           for part in zip(*done, strict=True))  # fmt: skip
    top = np.max(high)
    sums = np.sum(np.exp(logs - top), axis=1)
    scale = np.exp(high - top) / np.mean(sums)
    shares = sums / np.mean(sums)
    slopes = {}
    for p in program.model.params:
        part = _as(scale, raw[p.name]) * raw[p.name]
        part = (part + np.swapaxes(part, 1, 2)) / 2 if p.symmetric else part
        mean_slope = part.mean(axis=0)
        slopes[p.name] = mean_slope + part - _as(shares, part) * mean_slope
    level = float(top + np.log(np.mean(sums) / particles) + 0.5 * problem.size * np.log(2 * np.pi))
    return Particles(logs, level, shares, slopes, length)


def log_weights(problem: Problem, count: int, stages: int, theta: Any, fixed: Any, heat: Any,
                mean: Any, root: Any, moving: Any, length: Any, key: Any) -> Any:  # fmt: skip
    """log w of `count` paths (count,), a smooth function of θ for given noise (traceable)."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    program, n = problem.program, problem.size
    values = {**fixed, **theta}

    def made(copies: int) -> System:
        system = System(program, {**values, "beta": jnp.repeat(values["beta"], copies)})
        system.shapes = problem.shapes
        return system

    single, many = made(1), made(count)
    # One Newton step for the rest point, one Newton–Schulz step for the root of T·H⁻¹: both end
    # where they began at the θ of the reference, and have the right slope there.
    away = single.flat(single.gradient(single.split(mean[None, None])))[0, 0]
    centre = mean - moving * root @ (root.T @ away) / heat
    bend = single.dense(single.split(centre[None, None]))[0, 0]
    off = moving * (root.T @ bend @ root / heat - jnp.eye(n, dtype=root.dtype))
    factor = root - 0.5 * root @ off
    volume = jnp.sum(jnp.log(jnp.diagonal(root))) - 0.5 * jnp.trace(off)

    def look(u: Any) -> tuple[Any, Any]:
        """g and ∇g at (count, N)."""
        state = many.split((centre + u @ factor.T)[:, None])
        level = many.energy(state)[:, 0] / heat - 0.5 * jnp.sum(u * u, axis=1) - volume
        return level, many.flat(many.gradient(state))[:, 0] @ factor / heat - u

    keep = jnp.exp(-length)
    spread = 1 - keep**2

    # The first step, at λ = 0, draws from N(0, 1) anew and weighs nothing.
    def step(carry: Any, at: Any) -> Any:
        u, _, slope, logs = carry
        share, noise = at
        ahead = keep * u - (1 - keep) * share * slope
        new = ahead + jnp.sqrt(spread) * noise
        level, turned = look(new)
        back = keep * new - (1 - keep) * share * turned
        more = jnp.sum((new - ahead) ** 2 - (u - back) ** 2, axis=1) / (2 * spread)
        more = more + 0.5 * jnp.sum(u * u - new * new, axis=1)
        return (new, level, turned, logs + more), None

    noise = jax.random.normal(key, (stages + 2, count, n), root.dtype)
    shares = jnp.arange(stages + 1, dtype=root.dtype) / (stages + 1)
    nothing = jnp.zeros(count, root.dtype)
    begin = (noise[0], nothing, jnp.zeros_like(noise[0]), nothing)
    (_, level, _, logs), _ = lax.scan(step, begin, (shares, noise[1:]))
    return logs - level


def _even(logs: Any) -> float:
    """The effective share of weights; 0 where they are not finite."""
    if not np.all(np.isfinite(logs)):
        return 0.0
    w = np.exp(logs - np.max(logs))
    return float(np.mean(w) ** 2 / np.mean(w**2))


def _as(x: Any, like: Any) -> Any:
    return x.reshape(-1, *(1,) * (like.ndim - 1))
