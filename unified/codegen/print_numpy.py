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

        return {"np": np, "erf": erf, "expit": expit, "logsumexp": logsumexp, "softmax": softmax}
