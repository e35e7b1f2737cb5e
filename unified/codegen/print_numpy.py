"""The NumPy backend: a plain reference that runs anywhere."""

from __future__ import annotations

from typing import Any, ClassVar

from unified.codegen.printer import AbstractPrinter


class NumpyPrinter(AbstractPrinter):
    """Spells array programs in NumPy (SciPy for `erf` and the logistic function)."""

    library = "np"
    functions: ClassVar[dict[str, str]] = {
        "tanh": "np.tanh({})", "logistic": "expit({})", "softplus": "np.logaddexp({}, 0.0)",
        "relu": "np.maximum({}, 0.0)", "hard_sigmoid": "np.clip({}, 0.0, 1.0)",
        "step": "np.heaviside({}, 0.0)", "erf": "erf({})", "sin": "np.sin({})",
        "cos": "np.cos({})", "exp": "np.exp({})", "log": "np.log({})", "atan": "np.arctan({})",
        "Abs": "np.abs({})", "sign": "np.sign({})", "sinh": "np.sinh({})",
        "cosh": "np.cosh({})",
    }  # fmt: skip

    @classmethod
    def namespace(cls) -> dict[str, Any]:
        import numpy as np
        from scipy.special import erf, expit

        def logsumexp(v: Any) -> Any:
            top = np.max(v.real, axis=-1, keepdims=True)
            return top[..., 0] + np.log(np.sum(np.exp(v - top), axis=-1))

        def softmax(v: Any) -> Any:
            weight = np.exp(v - np.max(v.real, axis=-1, keepdims=True))
            return weight / np.sum(weight, axis=-1, keepdims=True)

        def window_array(count: int, size: int, total: int, stride: int, padding: int) -> Any:
            h, i, u = np.ogrid[:count, :size, :total]
            # half precision holds small counts exactly and takes on the type of what it meets
            return (u == h * stride + i - padding).astype(np.float16)

        def im2col(v: Any, axis: int, place: int, size: int, stride: int, padding: int) -> Any:
            """Patches along an axis; the place of an entry in its patch is the new axis."""
            pad = [(padding * (k == v.ndim + axis),) * 2 for k in range(v.ndim)]
            found = np.lib.stride_tricks.sliding_window_view(np.pad(v, pad), size, v.ndim + axis)
            every = (slice(None),) * (v.ndim + axis)
            return np.moveaxis(found[(*every, slice(None, None, stride))], -1, place)

        def col2im(
            v: Any, axis: int, place: int, size: int, total: int, stride: int, padding: int
        ) -> Any:
            """Patches summed back where `im2col` took them from: its adjoint."""
            # one part for all entries of a patch, or each its own
            parts = np.moveaxis(v, (place, axis), (0, 1))
            count = parts.shape[1]
            span = stride * (count - 1) + 1
            found = np.zeros((max(total + 2 * padding, span + size), *parts.shape[2:]), v.dtype)
            for i in range(size):
                found[i : i + span : stride] += parts[i % parts.shape[0]]
            at = axis + (axis < place)
            return np.moveaxis(found[padding : padding + total], 0, at)

        return {
            "np": np, "erf": erf, "expit": expit, "logsumexp": logsumexp, "softmax": softmax,
            "window_array": window_array, "im2col": im2col, "col2im": col2im,
        }  # fmt: skip
