"""Floor 1: array expressions with typed axes, their derivatives, and LaTeX."""

from unified.symbolic.axis import Axis, axes
from unified.symbolic.build import (
    einsum, exp, eye, inv, log, logdet, logsumexp, ones, outer, scalar, softmax, tanh, var,
)  # fmt: skip
from unified.symbolic.diff import derivative, directional, gradients
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.scalar import ScalarFn, fn
from unified.symbolic.transform import substitute

__all__ = [
    "Axis", "Expr", "ScalarFn", "Var", "axes", "derivative", "directional", "einsum", "exp",
    "eye", "fn", "gradients", "inv", "log", "logdet", "logsumexp", "ones", "outer", "scalar",
    "softmax", "substitute", "tanh", "var",
]  # fmt: skip
