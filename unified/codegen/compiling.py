"""How generated JAX code is compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _plain_options() -> dict[str, Any]:
    """Compiler options for kernels of plain arithmetic, asked per function, never globally.

    On CPUs the loop emitter that is on by default leaves some of them, a − b for one, unvectorised
    (seen with jaxlib 0.10.2); the older emitter does better there, but is slower at tanh.
    """
    import jax

    if jax.default_backend() != "cpu":
        return {}
    wanted = {"xla_cpu_use_fusion_emitters": False}
    try:  # an option a jaxlib does not know is an error there, and then not needed
        jax.jit(lambda x: x + 1.0, compiler_options=wanted)(1.0)
    except Exception:
        return {}
    return wanted


def compiled(function: Callable[..., Any], *, plain: bool = False) -> Callable[..., Any]:
    """`function` compiled by JAX; `plain` if it is products and sums only."""
    import jax

    return jax.jit(function, compiler_options=_plain_options() if plain else None)
