"""The PyTensor backend: symbolic graphs for PyMC; numbers are run by compiling them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from unified.codegen.printer import AbstractPrinter


class PytensorPrinter(AbstractPrinter):
    """Spells array programs in pytensor.tensor.

    A generated function given any PyTensor variable returns the graph; given numbers only, it is
    compiled once for their shapes (as `pytensor.config.mode` says) and returns arrays.
    """

    library = "pt"
    functions: ClassVar[dict[str, str]] = {
        "tanh": "pt.tanh({})", "logistic": "pt.sigmoid({})", "softplus": "pt.softplus({})",
        "relu": "pt.maximum({}, 0.0)", "hard_sigmoid": "pt.clip({}, 0.0, 1.0)",
        "step": "pt.switch({} > 0, 1.0, 0.0)", "erf": "pt.erf({})", "sin": "pt.sin({})",
        "cos": "pt.cos({})", "exp": "pt.exp({})", "log": "pt.log({})", "atan": "pt.arctan({})",
        "Abs": "pt.abs({})", "sign": "pt.sign({})", "sinh": "pt.sinh({})", "cosh": "pt.cosh({})",
    }  # fmt: skip
    _compiled: ClassVar[WeakKeyDictionary[Any, dict[Any, Any]]] = WeakKeyDictionary()

    def _dot(self, spec: str, x: str, y: str) -> tuple[str, int]:
        code, level = super()._dot(spec, x, y)
        return code.replace("pt.tensordot", "tensordot"), level

    @classmethod
    def call(cls, function: Callable[..., tuple], args: Sequence[Any]) -> Sequence[Any]:
        import numpy as np
        import pytensor
        import pytensor.tensor as pt
        from pytensor.graph import Variable

        if any(isinstance(a, Variable) for a in args):
            found = function(*(pt.as_tensor_variable(a) for a in args))
            return [pt.as_tensor_variable(f) for f in found]
        arrays = [np.asarray(a) for a in args]
        known = cls._compiled.setdefault(function, {})
        key = tuple((a.shape, a.dtype) for a in arrays)
        if key not in known:
            # Shapes are fixed: PyTensor broadcasts an axis only if it knows that its size is 1.
            inputs = [pt.tensor(dtype=a.dtype.name, shape=a.shape) for a in arrays]
            outputs = [pt.as_tensor_variable(f) for f in function(*inputs)]
            known[key] = pytensor.function(inputs, outputs, on_unused_input="ignore")
        return known[key](*arrays)

    @classmethod
    def namespace(cls) -> dict[str, Any]:
        import pytensor.tensor as pt
        from pytensor.tensor import get_underlying_scalar_constant_value

        def logsumexp(v: Any) -> Any:
            return pt.logsumexp(v, axis=-1)

        def softmax(v: Any) -> Any:
            return pt.special.softmax(v, axis=-1)

        def fixed(size: Any) -> int:
            """A size that has to be a number; it is one where the shapes of arrays are known."""
            return int(get_underlying_scalar_constant_value(size))

        def window_array(count: Any, size: Any, total: Any, stride: int, padding: int) -> Any:
            h, i, u = (pt.arange(n) for n in (count, size, total))
            there = pt.eq(u, h[:, None, None] * stride + i[:, None] - padding)
            return there.astype("float64")

        def length(v: Any, axis: int) -> Any:
            """A size as a number where it is known: later rewrites rely on known shapes."""
            known = v.type.shape[axis]
            return v.shape[axis] if known is None else known

        def tensordot(x: Any, y: Any, axes: tuple[list[int], list[int]]) -> Any:
            """Σ over pairs of axes. pt.tensordot forgets which sizes are known."""
            x, y = pt.as_tensor_variable(x), pt.as_tensor_variable(y)
            pairs = list(zip((x, y), axes, strict=True))
            kept = [[k for k in range(v.ndim) if k not in gone] for v, gone in pairs]
            free = [[length(v, k) for k in ks] for v, ks in zip((x, y), kept, strict=True)]
            inner = prod(length(x, k) for k in axes[0])
            left = x.transpose((*kept[0], *axes[0])).reshape((prod(free[0]), inner))
            right = y.transpose((*axes[1], *kept[1])).reshape((inner, prod(free[1])))
            return (left @ right).reshape((*free[0], *free[1]))

        def cut(axis: int, part: Any) -> Any:
            return (slice(None),) * axis + (part,)

        def im2col(v: Any, axis: int, place: int, size: Any, stride: int, padding: int) -> Any:
            """Patches along an axis; the place of an entry in its patch is the new axis."""
            v = pt.as_tensor_variable(v)
            axis += v.ndim
            n = length(v, axis)
            shape = [length(v, k) + 2 * padding * (k == axis) for k in range(v.ndim)]
            v = pt.set_subtensor(pt.zeros(shape)[cut(axis, slice(padding, padding + n))], v)
            size = fixed(size)
            span = stride * ((n + 2 * padding - size) // stride) + 1
            parts = [v[cut(axis, slice(i, i + span, stride))] for i in range(size)]
            return pt.stack(parts, axis=place)

        def col2im(
            v: Any, axis: int, place: int, size: Any, total: Any, stride: int, padding: int
        ) -> Any:
            """Patches summed back where `im2col` took them from: its adjoint."""
            axis, place, size, total = axis + v.ndim, place + v.ndim, fixed(size), fixed(total)
            at = axis - (axis > place)
            span = stride * (length(v, axis) - 1) + 1
            # one part for all entries of a patch, or each its own
            parts = [v[cut(place, i % length(v, place))] for i in range(size)]
            shape = [length(parts[0], k) for k in range(v.ndim - 1)]
            shape[at] = max(total + 2 * padding, span + size)
            found = pt.zeros(shape)
            for i, part in enumerate(parts):
                found = pt.inc_subtensor(found[cut(at, slice(i, i + span, stride))], part)
            return found[cut(at, slice(padding, padding + total))]

        return {
            "pt": pt, "logsumexp": logsumexp, "softmax": softmax, "tensordot": tensordot,
            "window_array": window_array, "im2col": im2col, "col2im": col2im,
        }  # fmt: skip
