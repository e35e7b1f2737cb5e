"""Whether Markov chains have mixed: split R-hat and effective sample size."""

from __future__ import annotations

from typing import Any

RHAT, ESS = 1.01, 400.0  # the gate: below the one, at least the other


def halves(x: Any) -> Any:
    """Every chain cut in two, so that a drift counts as a disagreement of chains."""
    import jax.numpy as jnp

    half = x.shape[1] // 2
    return jnp.concatenate([x[:, :half], x[:, x.shape[1] - half :]])


def split_rhat(x: Any) -> Any:
    """Split R-hat, the square root of the pooled over the mean within-chain variance.

    Equation: √(((n−1)/n W + B/n)/W) over the m half chains of n draws: W the mean of their
    variances, B/n the variance of their means; 1 for chains of one law, NaN where nothing moves.
    Shapes: x (chains, draws, ...), the answer (...).
    Reference: Gelman et al. (2013), Bayesian Data Analysis, 11.4.
    """
    import jax.numpy as jnp

    x = halves(x)
    n = x.shape[1]
    within = jnp.mean(jnp.var(x, axis=1, ddof=1), axis=0)
    between = jnp.var(jnp.mean(x, axis=1), axis=0, ddof=1)
    return jnp.sqrt((within * (n - 1) / n + between) / within)


def effective_size(x: Any) -> Any:
    """How many independent draws would know the mean of x as well.

    Equation: mn/τ over the m half chains of n draws, τ = 1 + 2Σ_t ρ_t with
    ρ_t = 1 − (W − mean autocovariance at lag t)/((n−1)/n W + B/n), so that chains that disagree
    count as correlated; the sum runs over Geyer's initial monotone sequence of pairs of lags, and
    the answer is at most mn log₁₀ mn. NaN where nothing moves.
    Shapes: x (chains, draws, ...), the answer (...).
    Reference: Geyer (1992), Statistical Science 7, 473; Vehtari et al. (2021), arXiv:1903.08008.
    """
    import jax.numpy as jnp
    from jax import lax

    x = halves(x)
    chains, n = x.shape[:2]
    means = jnp.mean(x, axis=1)
    lags = _autocovariance(x - means[:, None])
    within = jnp.mean(lags[:, 0], axis=0) * n / (n - 1)
    pooled = within * (n - 1) / n + jnp.var(means, axis=0, ddof=1)
    rho = 1 - (within - jnp.mean(lags, axis=0)) / pooled
    rho = rho.at[0].set(1.0)
    pairs = rho[0 : n - 1 : 2] + rho[1:n:2]
    positive = jnp.cumprod(pairs > 0, axis=0)
    tau = 2 * jnp.sum(positive * lax.cummin(pairs, axis=0), axis=0) - 1
    total = chains * n
    # Chains that overshoot may beat independent draws, but not by as much as noise can feign.
    size = total / jnp.maximum(tau, 1 / jnp.log10(total))
    return jnp.where(within > 0, size, jnp.nan)


def _autocovariance(x: Any) -> Any:
    """Σ_i x_i x_{i+t}/n along axis 1 for every lag t, padded so that no end meets a beginning."""
    import jax.numpy as jnp

    n = x.shape[1]
    size = 1 << (2 * n - 1).bit_length()
    wave = jnp.fft.rfft(x, size, axis=1)
    power = wave.real**2 + wave.imag**2
    return jnp.fft.irfft(power, size, axis=1)[:, :n] / n


def diagnose(x: Any) -> tuple[Any, Any]:
    """(R-hat, effective size) of x (chains, draws, batch, ...), one sample of the batch at a time.

    Transforms of all samples at once would take several times the memory of the draws.
    """
    import jax.numpy as jnp
    from jax import lax

    def one(sample: Any) -> tuple[Any, Any]:
        return split_rhat(sample), effective_size(sample)

    rhat, size = lax.map(one, jnp.moveaxis(x, 2, 0))
    return rhat, size


def mixed(rhat: Any, size: Any) -> Any:
    """Whether every quantity of a sample passed the gate (NaN does not).

    Shapes: rhat, size (batch, quantities); the answer (batch,).
    """
    import jax.numpy as jnp

    return jnp.all((rhat < RHAT) & (size >= ESS), axis=-1)
