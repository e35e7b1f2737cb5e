"""The JAX backend."""

from __future__ import annotations

from typing import Any, ClassVar

from unified.codegen.printer import AbstractPrinter


class JaxPrinter(AbstractPrinter):
    """Spells array programs in jax.numpy."""

    library = "jnp"
    functions: ClassVar[dict[str, str]] = {
        "tanh": "jnp.tanh({})", "logistic": "lax.logistic({})",
        "softplus": "jnp.logaddexp({}, 0.0)", "relu": "jnp.maximum({}, 0.0)",
        "hard_sigmoid": "jnp.clip({}, 0.0, 1.0)", "step": "jnp.where({} > 0, 1.0, 0.0)",
        "erf": "lax.erf({})", "sin": "jnp.sin({})", "cos": "jnp.cos({})", "exp": "jnp.exp({})",
        "log": "jnp.log({})", "atan": "jnp.arctan({})", "Abs": "jnp.abs({})",
        "sign": "jnp.sign({})", "sinh": "jnp.sinh({})", "cosh": "jnp.cosh({})",
    }  # fmt: skip

    @classmethod
    def namespace(cls) -> dict[str, Any]:
        import jax.numpy as jnp
        from jax import lax

        def logsumexp(v: Any) -> Any:
            top = lax.stop_gradient(jnp.max(v.real, axis=-1, keepdims=True))
            return top[..., 0] + jnp.log(jnp.sum(jnp.exp(v - top), axis=-1))

        def softmax(v: Any) -> Any:
            weight = jnp.exp(v - lax.stop_gradient(jnp.max(v.real, axis=-1, keepdims=True)))
            return weight / jnp.sum(weight, axis=-1, keepdims=True)

        return {"jnp": jnp, "lax": lax, "logsumexp": logsumexp, "softmax": softmax}
