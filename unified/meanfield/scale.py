"""Wide sums in two passes: chunks of neurons, one all-reduce, compensated, any sharding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from unified.base.errors import bad_input

# Activities of one chunk (neurons × samples) when no chunk size is given. On a CPU a chunk stays in
# the cache of one core, and is too small for XLA to split it over cores, which would double the
# processor time: cores are for a mesh. An accelerator is filled by large chunks only.
BLOCK = {"cpu": 2**15}
LARGE_BLOCK = 2**24


def check_chunk(chunk_size: Any) -> int | None:
    """A chunk size as a number, None for the automatic one. Raises: InputError."""
    if chunk_size is None:
        return None
    whole = isinstance(chunk_size, int | np.integer) and not isinstance(chunk_size, bool)
    if not whole or chunk_size < 1:
        raise bad_input("chunk_size", "a whole number of particles of at least 1", chunk_size,
                        "leave it out for an automatic one")  # fmt: skip
    return int(chunk_size)


def chunk_of(n: int, m: int, chunk_size: int | None) -> int:
    """Particles per chunk for n particles and m samples: never more than n."""
    if chunk_size is None:
        import jax

        chunk_size = BLOCK.get(jax.default_backend(), LARGE_BLOCK) // max(m, 1)
    return max(1, min(n, chunk_size))


def add_compensated(total: Any, lost: Any, value: Any) -> tuple[Any, Any]:
    """total + lost + value, and what rounding has lost this time.

    Equation: after n terms the error of total is 2ε + O(nε²) of Σ|terms|, not O(nε).
    Reference: Kahan (1965); the exact error of one sum after Knuth (1998), 4.2.2.
    """
    more = value + lost
    found = total + more
    part = found - total
    return found, (total - (found - part)) + (more - part)


def wide_sum(body: Callable[[Any, Any], Any], theta: Any, weight: Any, chunk: int) -> Any:
    """Σ over chunks of body(particles, weights), one array, compensated over chunks.

    Shapes: theta (N, D), weight (N,); the last chunk overlaps the one before it, with weight 0
    where it does, so that any chunk size up to N will do and nothing is padded or copied.
    """
    import jax
    import jax.numpy as jnp
    from jax import lax

    n = len(theta)
    if chunk >= n:
        return body(theta, weight)
    shape = jax.eval_shape(body, theta[:chunk], weight[:chunk])

    def step(i: Any, carry: Any) -> Any:
        start = jnp.minimum(i * chunk, n - chunk)
        block = lax.dynamic_slice_in_dim(theta, start, chunk)
        live = start + jnp.arange(chunk) >= i * chunk
        here = jnp.where(live, lax.dynamic_slice_in_dim(weight, start, chunk), 0)
        total, lost = carry
        return add_compensated(total, lost, body(block, here))

    zero = jnp.zeros(shape.shape, shape.dtype)
    total, lost = lax.fori_loop(0, -(-n // chunk), step, (zero, zero))
    return total + lost


def wide_map(body: Callable[[Any], Any], theta: Any, chunk: int) -> Any:
    """body applied to chunks of particles: (N, D) to (N, ...), an overlap computed twice."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    n = len(theta)
    if chunk >= n:
        return body(theta)
    shape = jax.eval_shape(body, theta[:chunk])

    def step(i: Any, found: Any) -> Any:
        start = jnp.minimum(i * chunk, n - chunk)
        block = body(lax.dynamic_slice_in_dim(theta, start, chunk))
        return lax.dynamic_update_slice_in_dim(found, block, start, 0)

    empty = jnp.zeros((n, *shape.shape[1:]), shape.dtype)
    return lax.fori_loop(0, -(-n // chunk), step, empty)


def two_passes(
    first: Callable[[Any, Any], Any],
    respond: Callable[[Any], Any],
    second: Callable[[Any, Any], Any],
    theta: Any,
    weight: Any,
    chunk: int,
    mesh: Any = None,
) -> Any:
    """second(θ_i, respond(Σ_j first(θ_j, w_j))) for every particle, without a pair of particles.

    Equation: an interaction through M samples has rank ≤ M: one sum over all particles, then one
    pass over each. With a `mesh` of devices particles are split along its first axis and the
    sum is the one all-reduce of a step.
    Shapes: theta (N, D), weight (N,); first gives one array, second (n, ...) per block of n.
    Raises: InputError for a mesh that is none, or does not divide the particles.
    Reference: theory page E8.
    """
    if mesh is None:
        answer = respond(wide_sum(first, theta, weight, chunk))
        return wide_map(lambda block: second(block, answer), theta, chunk)
    import jax
    from jax.sharding import PartitionSpec

    if not isinstance(mesh, jax.sharding.Mesh):
        raise bad_input("mesh", "a jax.sharding.Mesh", type(mesh).__name__,
                        'make one with jax.make_mesh((8,), ("neurons",))')  # fmt: skip
    axis = mesh.axis_names[0]
    n, devices = len(theta), mesh.shape[axis]
    if n % devices:
        raise bad_input("mesh", f"particles in a multiple of its {devices} devices", str(n),
                        "add particles of weight 0 or use fewer devices")  # fmt: skip
    split = PartitionSpec(axis)
    place = jax.sharding.NamedSharding(mesh, split)
    theta, weight = jax.device_put(theta, place), jax.device_put(weight, place)
    cut = min(chunk, n // devices)

    def local(theta: Any, weight: Any) -> Any:
        found = jax.lax.psum(wide_sum(first, theta, weight, cut), axis)
        answer = respond(found)
        return wide_map(lambda block: second(block, answer), theta, cut)

    run = jax.shard_map(local, mesh=mesh, in_specs=(split, split), out_specs=split,
                        check_vma=False)  # fmt: skip
    return jax.jit(run)(theta, weight)  # outside a compiled step it would run op by op
