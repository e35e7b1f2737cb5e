"""Floor 1: array expressions with typed axes, their derivatives, proofs, and LaTeX."""

from unified.symbolic.assume import (
    Assumption,
    invertible,
    let,
    orthogonal,
    positive_definite,
    symmetric,
)  # fmt: skip
from unified.symbolic.axis import Axis, axes
from unified.symbolic.build import (
    einsum,
    exp,
    eye,
    inv,
    log,
    logdet,
    logsumexp,
    ones,
    outer,
    scalar,
    softmax,
    tanh,
    var,
)  # fmt: skip
from unified.symbolic.certificate import Certificate
from unified.symbolic.claims import Claim, Series, Step
from unified.symbolic.convolution import conv, pool
from unified.symbolic.diff import derivative, directional, gradients
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.proof import Proof
from unified.symbolic.prove import prove
from unified.symbolic.scalar import ScalarFn, fn
from unified.symbolic.series import coefficients
from unified.symbolic.transform import substitute

__all__ = [
    "Assumption", "Axis", "Certificate", "Claim", "Expr", "Proof", "ScalarFn", "Series", "Step",
    "Var", "axes", "coefficients", "conv", "derivative", "directional", "einsum", "exp", "eye",
    "fn", "gradients", "inv", "invertible", "let", "log", "logdet", "logsumexp", "ones",
    "orthogonal", "outer", "pool", "positive_definite", "prove", "scalar", "softmax",
    "substitute", "symmetric", "tanh", "var",
]  # fmt: skip
