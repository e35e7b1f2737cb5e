"""Following a flow accurately: an embedded Runge–Kutta pair, its tangent, and its periods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Vector = Callable[[Any], Any]
RTOL = 1e-9
FAR = 1e8
BLOCKS = 16
RETURNS = 8

# Dormand & Prince (1980): stages, then what the fifth order adds up, then its error.
_A = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_E = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)


def _total(weights: tuple[float, ...], slopes: list[Any]) -> Any:
    return sum(w * k for w, k in zip(weights, slopes, strict=True) if w)


def runge_kutta(flow: Vector, z: Any, h: Any) -> tuple[Any, Any, Any, Any]:
    """One step: the new state, its error, and the velocities at both ends."""
    slopes = [flow(z)]
    new = z
    for row in _A:
        new = z + h * _total(row, slopes)
        slopes.append(flow(new))
    return new, h * _total(_E, slopes), slopes[0], slopes[-1]


def settle(flow: Vector, z: Any, time: Any, limit: int = 200_000) -> tuple[Any, Any, Any]:
    """The state after `time`, the least step taken in its second half, and whether it got there.

    Shapes: z (phase, batch, N); the rest (phase, batch). Every sample has its own steps.
    """
    import jax.numpy as jnp
    from jax import lax

    def size(x: Any) -> Any:
        return jnp.linalg.norm(x, axis=-1)

    def going(carry: Any) -> Any:
        k, *_, active = carry
        return (k < limit) & jnp.any(active)

    def step(carry: Any) -> Any:
        k, z, t, h, least, active = carry
        last = t + h >= time
        now = jnp.where(last, time - t, h)
        new, error, *_ = runge_kutta(flow, z, now[..., None])
        ratio = size(error) / (RTOL * (1.0 + size(z)))
        ratio = jnp.where(jnp.isfinite(ratio), ratio, 1e10)
        good = active & (ratio <= 1.0)
        factor = jnp.clip(0.9 * jnp.maximum(ratio, 1e-10) ** -0.2, 0.2, 5.0)
        least = jnp.where(good & ~last & (t > 0.5 * time), jnp.minimum(least, h), least)
        z, t = jnp.where(good[..., None], new, z), jnp.where(good, t + now, t)
        h = jnp.where(active & ~(good & last), jnp.minimum(h * factor, 0.05 * time), h)
        active = active & (t < time) & (size(z) < FAR) & (h > 1e-12 * time)
        return k + 1, z, t, h, least, active

    lead = z.shape[:-1]
    first = jnp.full(lead, 1e-3, z.dtype)
    begin = (0, z, jnp.zeros(lead, z.dtype), first, jnp.full(lead, 0.05 * time, z.dtype),
             jnp.ones(lead, bool))  # fmt: skip
    _, z, t, _, least, _ = lax.while_loop(going, step, begin)
    return z, least, t >= time


def fastest(flow: Vector, z: Any) -> Any:
    """About the largest |λ| of ∂flow/∂s, by eight products: what a step at rest must resolve."""
    import jax
    import jax.numpy as jnp

    push = jax.linearize(flow, z)[1]
    v = jnp.broadcast_to(jax.random.normal(jax.random.key(2), z.shape[-1:], z.dtype), z.shape)
    size = jnp.ones(z.shape[:-1], z.dtype)
    for _ in range(8):
        v = push(v / jnp.linalg.norm(v, axis=-1, keepdims=True))
        size = jnp.linalg.norm(v, axis=-1)
    return jnp.where(jnp.isfinite(size), size, 1.0) + 1e-12


class Course(NamedTuple):
    """What a trajectory did in a stretch of time; (phase, batch), some with a first axis.

    `growth` and `speed`: the mean growth rate of a tangent vector and the mean |ds/dt| in each of
    sixteen blocks; `times`, `misses`: when it came back close to where it began, and how close.
    """

    state: Any
    far: Any
    growth: Any
    speed: Any
    times: Any
    misses: Any
    returns: Any


def follow(flow: Vector, z: Any, h: Any, time: Any, tol: Any) -> Course:
    """Follow a state and a tangent vector for `time` with fixed steps of about h (traceable).

    Close returns cross the plane through the first state across its velocity, at most `tol` times
    the greatest distance so far from it; cubic interpolation finds when and where.
    Reference: Benettin et al. (1980) for the growth of tangent vectors.
    """
    import jax
    import jax.numpy as jnp
    from jax import lax

    steps = jnp.ceil(time / h)
    h = time / steps
    origin, normal = z, flow(z)
    ahead = jnp.linalg.norm(normal, axis=-1, keepdims=True)
    normal = normal / jnp.where(ahead > 0, ahead, 1.0)

    def height(x: Any) -> Any:
        return jnp.sum(x * normal, axis=-1)

    def slots(index: Any, value: Any, table: Any) -> Any:
        here = index == jnp.arange(table.shape[0]).reshape(-1, *(1,) * index.ndim)
        return jnp.where(here, value, table)

    def advance(z: Any) -> Any:
        new, _, first, last = runge_kutta(flow, z, h[..., None])
        return new, (first, last)

    def going(carry: Any) -> Any:
        return jnp.any(carry[0] < steps)

    def step(carry: Any) -> Any:
        k, z, v, far, growth, speed, times, misses, count = carry
        active = (k < steps) & jnp.all(jnp.isfinite(z), axis=-1)
        new, tangent, (first, last) = jax.jvp(advance, (z,), (v,), has_aux=True)
        size = jnp.linalg.norm(tangent, axis=-1)
        size = jnp.where(size > 0, size, 1.0)
        block = jnp.minimum(jnp.floor(BLOCKS * k / steps), BLOCKS - 1)
        here = active & (block == jnp.arange(BLOCKS).reshape(-1, 1, 1))
        growth = growth + jnp.where(here, jnp.log(size), 0.0)
        speed = speed + jnp.where(here, h * jnp.linalg.norm(first, axis=-1), 0.0)
        # Where the cubic through both ends crosses the plane.
        low, high = height(z - origin), height(new - origin)
        steep, flat = h * height(first), h * height(last)
        theta = low / jnp.where(low == high, 1.0, low - high)
        for _ in range(4):
            a, b, c, d = _hermite(theta)
            da, db, dc, dd = _hermite_slope(theta)
            value = a * low + b * steep + c * high + d * flat
            slope = da * low + db * steep + dc * high + dd * flat
            theta = jnp.clip(theta - value / jnp.where(slope == 0, 1.0, slope), 0.0, 1.0)
        a, b, c, d = (w[..., None] for w in _hermite(theta))
        at = a * z + b * h[..., None] * first + c * new + d * h[..., None] * last
        miss = jnp.linalg.norm(at - origin, axis=-1)
        back = active & (low < 0) & (high >= 0) & (miss <= tol * far) & (count < RETURNS)
        slot = jnp.where(back, count, RETURNS)
        times = slots(slot, (k + theta) * h, times)
        misses = slots(slot, miss, misses)
        far = jnp.where(active, jnp.maximum(far, jnp.linalg.norm(new - origin, axis=-1)), far)
        z = jnp.where(active[..., None], new, z)
        v = jnp.where(active[..., None], tangent / size[..., None], v)
        k = jnp.where(active, k + 1, steps)
        return k, z, v, far, growth, speed, times, misses, count + back

    lead, kind = z.shape[:-1], z.dtype
    v = jnp.broadcast_to(jax.random.normal(jax.random.key(1), z.shape[-1:], kind), z.shape)
    v = v / jnp.linalg.norm(v, axis=-1, keepdims=True)
    blocks = jnp.zeros((BLOCKS, *lead), kind)
    table = jnp.full((RETURNS, *lead), jnp.nan, kind)
    zero = jnp.zeros(lead, kind)
    begin = (zero, z, v, zero, blocks, blocks, table, table, jnp.zeros(lead, jnp.int32))
    _, z, _, far, growth, speed, times, misses, count = lax.while_loop(going, step, begin)
    each = time / BLOCKS
    return Course(z, far, growth / each, speed / each, times, misses, count)


def _hermite(t: Any) -> tuple[Any, Any, Any, Any]:
    s = 1.0 - t
    return (1.0 + 2.0 * t) * s * s, t * s * s, t * t * (3.0 - 2.0 * t), -t * t * s


def _hermite_slope(t: Any) -> tuple[Any, Any, Any, Any]:
    return 6.0 * t * t - 6.0 * t, 3.0 * t * t - 4.0 * t + 1.0, 6.0 * t - 6.0 * t * t, (
        3.0 * t * t - 2.0 * t
    )  # fmt: skip


class Orbit(NamedTuple):
    """One turn: its end, the mean distance from its mean, ∂end/∂begin, both velocities."""

    end: Any
    radius: Any
    monodromy: Any
    leaving: Any
    arriving: Any


def turn(flow: Vector, z: Any, period: Any, steps: Any, linear: bool) -> Orbit:
    """Follow a state for one period in `steps` steps, with its tangent map if `linear`.

    Averages over equal steps of a closed orbit have no error of any order in the step.
    """
    import jax
    import jax.numpy as jnp
    from jax import lax

    h = (period / steps)[..., None]
    n = z.shape[-1]

    def advance(z: Any) -> Any:
        return runge_kutta(flow, z, h)[0]

    def step(_: Any, carry: Any) -> Any:
        z, whole, mean = carry
        mean = mean + z / steps
        if not linear:
            return advance(z), whole, mean
        new, push = jax.linearize(advance, z)
        return new, jax.vmap(push, in_axes=-1, out_axes=-1)(whole), mean

    def distance(_: Any, carry: Any) -> Any:
        z, total = carry
        return advance(z), total + jnp.linalg.norm(z - mean, axis=-1) / steps

    whole = jnp.broadcast_to(jnp.eye(n, dtype=z.dtype), (*z.shape, n))
    end, whole, mean = lax.fori_loop(0, steps, step, (z, whole, jnp.zeros_like(z)))
    _, radius = lax.fori_loop(0, steps, distance, (z, jnp.zeros(z.shape[:-1], z.dtype)))
    return Orbit(end, radius, whole, flow(z), flow(end))
