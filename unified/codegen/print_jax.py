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

        def window_array(count: int, size: int, total: int, stride: int, padding: int) -> Any:
            h, i, u = jnp.ogrid[:count, :size, :total]
            # half precision holds small counts exactly and takes on the type of what it meets
            return (u == h * stride + i - padding).astype(jnp.float16)

        def im2col(v: Any, axis: int, place: int, size: int, stride: int, padding: int) -> Any:
            """Patches along an axis; the place of an entry in its patch is the new axis."""
            axis += v.ndim
            v = jnp.pad(v, [(padding * (k == axis),) * 2 for k in range(v.ndim)])
            span = stride * ((v.shape[axis] - size) // stride) + 1
            cut = [lax.slice_in_dim(v, i, i + span, stride, axis) for i in range(size)]
            return jnp.stack(cut, axis=place)

        def col2im(
            v: Any, axis: int, place: int, size: int, total: int, stride: int, padding: int
        ) -> Any:
            """Patches summed back where `im2col` took them from: its adjoint."""
            at = v.ndim + axis - (axis > place)
            span = stride * (v.shape[axis] - 1) + 1
            found: Any = 0.0
            for i in range(size):  # one part for all entries of a patch, or each its own
                part = lax.index_in_dim(v, i % v.shape[place], v.ndim + place, keepdims=False)
                wide = [(0, 0, 0)] * part.ndim
                wide[at] = (i - padding, total - span - i + padding, stride - 1)
                found = found + lax.pad(part, jnp.zeros((), v.dtype), wide)
            return found

        return {"jnp": jnp, "lax": lax, "logsumexp": logsumexp, "softmax": softmax,
                "window_array": window_array, "im2col": im2col, "col2im": col2im}  # fmt: skip
