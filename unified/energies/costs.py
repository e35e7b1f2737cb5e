"""The costs of the library: squared error and softmax cross-entropy on the output state."""

from __future__ import annotations

from unified.energies.cost import CostFamily
from unified.symbolic.build import logsumexp
from unified.symbolic.nodes import Expr


def squared() -> CostFamily:
    """Half the squared error of the output state.

    Equation: C = ½|s_out − y|². Shapes: y as the output state.
    Reference: Scellier & Bengio (2017).
    """
    return CostFamily(_squared, "squared")


def cross_entropy() -> CostFamily:
    """Cross-entropy of the softmax of the output state.

    Equation: C = −Σ_i y_i log softmax(s_out)_i = (Σ_i y_i) logsumexp(s_out) − y·s_out.
    Shapes: y as the output state, one-hot or a distribution; unit: nats.
    Reference: Laborieux et al. (2021), arXiv:2006.03824, for softmax readout in EP.
    """
    return CostFamily(_cross_entropy, "cross_entropy")


def _squared(s: Expr, y: Expr) -> Expr:
    error = s - y
    return 0.5 * error.sq()


def _cross_entropy(s: Expr, y: Expr) -> Expr:
    return y.sum() * logsumexp(s) - y @ s
