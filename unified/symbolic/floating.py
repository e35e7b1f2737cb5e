"""Evaluation in float64: the numeric tier, and the confirmation of refutations."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import scipy.special
import sympy
from numpy.random import Generator

from unified.symbolic.nodes import Var
from unified.symbolic.scalar import X

_KNOWN = {
    "exp": np.exp, "log": np.log, "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "sinh": np.sinh, "cosh": np.cosh, "atan": np.arctan, "erf": scipy.special.erf,
    "logistic": scipy.special.expit, "softplus": lambda x: np.logaddexp(0.0, x),
    "step": lambda x: (x > 0).astype(float), "relu": lambda x: np.maximum(x, 0.0),
    "hard_sigmoid": lambda x: np.clip(x, 0.0, 1.0), "Abs": np.abs, "sign": np.sign,
}  # fmt: skip


class Floating:
    """The algebra of float64 arrays; abstract functions become fixed smooth test functions.

    Equation: an abstract f is read as f(x) = sin(ax + c) + bx²/2 with a, b, c fixed by its name.
    """

    dtype: Any = np.float64

    def reduce(self, x: Any) -> Any:
        return x

    def number(self, value: sympy.Rational) -> float:
        return int(value.p) / int(value.q)

    def constant(self, value: sympy.Expr) -> float:
        return float(value)

    def power(self, x: Any, exponent: sympy.Rational) -> Any:
        return np.asarray(x, dtype=float) ** (int(exponent.p) / int(exponent.q))

    def call(self, name: str, order: int, x: Any) -> Any:
        code = zlib.crc32(name.encode())
        a, b, c = (0.7 + 0.6 * ((code >> k) % 97) / 97 for k in (0, 8, 16))
        polynomial = (b * x * x / 2, b * x, b + 0 * x, 0 * x)[min(order, 3)]
        return a**order * np.sin(a * x + c + order * np.pi / 2) + polynomial

    def function(self, expr: sympy.Expr, x: Any) -> Any:
        known = _KNOWN.get(expr.func.__name__)
        if known is not None and len(expr.args) == 1 and expr.args[0].is_Symbol:
            return known(np.asarray(x, dtype=float))
        law = np.vectorize(lambda v: float(expr.subs(X, float(v))), otypes=[float])
        return law(x)

    def inv(self, x: np.ndarray) -> np.ndarray:
        try:
            return np.linalg.inv(x)
        except np.linalg.LinAlgError:
            return np.full(x.shape, np.nan)

    def logdet(self, x: np.ndarray) -> np.ndarray:
        return np.linalg.slogdet(x)[1]

    def softmax(self, x: np.ndarray) -> np.ndarray:
        return scipy.special.softmax(x, axis=-1)

    def logsumexp(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(scipy.special.logsumexp(x, axis=-1))


def draw(
    v: Var, shape: tuple[int, ...], kinds: frozenset[str], rng: Generator, positive: bool
) -> np.ndarray:
    """A random float64 array for a variable, obeying its assumptions and well conditioned.

    Scalars are positive (they are temperatures, precisions, nudges); with `positive` all
    entries are.
    """
    if not shape:
        return np.asarray(rng.uniform(0.5, 1.5))
    found = rng.normal(size=shape)
    if "orthogonal" in kinds:
        return np.linalg.qr(found)[0]
    if "positive definite" in kinds:
        return found @ found.T / shape[0] + np.eye(shape[0])
    if positive:
        found = np.abs(found) + 0.1
    if v.symmetric or "symmetric" in kinds:
        found = (found + found.T) / 2
    if len(shape) == 2 and v.axes[0] is v.axes[1]:
        found = found / np.sqrt(shape[0]) + 1.5 * np.eye(shape[0])  # keep inverses mild
    return found
