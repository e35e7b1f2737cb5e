"""The PyTensor backend: symbolic graphs for PyMC; numbers are run by compiling them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    @classmethod
    def call(cls, function: Callable[..., tuple], args: Sequence[Any]) -> Sequence[Any]:
        import numpy as np
        import pytensor
        import pytensor.tensor as pt
        from pytensor.graph.basic import Variable

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

        def logsumexp(v: Any) -> Any:
            return pt.logsumexp(v, axis=-1)

        def softmax(v: Any) -> Any:
            return pt.special.softmax(v, axis=-1)

        def window_array(count: Any, size: Any, total: Any, stride: int, padding: int) -> Any:
            h, i, u = (pt.arange(n) for n in (count, size, total))
            there = pt.eq(u, h[:, None, None] * stride + i[:, None] - padding)
            return there.astype("float64")

        def cut(v: Any, axis: int, part: Any) -> Any:
            return v[(slice(None),) * axis + (part,)]

        def im2col(v: Any, axis: int, place: int, size: Any, stride: int, padding: int) -> Any:
            """Patches along an axis; the place of an entry in its patch is the new axis."""
            axis += v.ndim
            v = pt.pad(v, [(padding * (k == axis),) * 2 for k in range(v.ndim)])
            span = stride * ((v.shape[axis] - size) // stride) + 1
            parts = [cut(v, axis, slice(i, i + span, stride)) for i in range(_fixed(size))]
            return pt.stack(parts, axis=place)

        def col2im(
            v: Any, axis: int, place: int, size: Any, total: Any, stride: int, padding: int
        ) -> Any:
            """Patches summed back where `im2col` took them from: its adjoint."""
            axis, place = axis + v.ndim, place + v.ndim
            at = axis - (axis > place)
            count, entries = v.shape[axis], v.shape[place]
            span = stride * (count - 1) + 1
            whole = pt.maximum(total + 2 * padding, span + size)
            # one part for all entries of a patch, or each its own
            parts = [cut(v, place, i % entries) for i in range(_fixed(size))]
            found = pt.zeros([whole if k == at else n for k, n in enumerate(parts[0].shape)])
            for i, part in enumerate(parts):
                found = pt.inc_subtensor(cut(found, at, slice(i, i + span, stride)), part)
            return cut(found, at, slice(padding, padding + total))

        return {
            "pt": pt, "logsumexp": logsumexp, "softmax": softmax,
            "window_array": window_array, "im2col": im2col, "col2im": col2im,
        }  # fmt: skip


def _fixed(size: Any) -> int:
    """A size as a number: of a kernel's axis, which PyTensor knows if the array's shape is."""
    from pytensor.tensor.basic import get_underlying_scalar_constant_value

    return int(get_underlying_scalar_constant_value(size))
