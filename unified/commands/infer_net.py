"""The net that `unified infer` studies: digits, a hidden layer, one image the net is unsure of."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.data import Dataset
from unified.energies import Cost, CostFamily, Energy, costs, deep_linear, predictive

HIDDEN = 16
HEAT = 0.25  # T; with β = T the factor exp(−βC/T) is the softmax probability of a label
SOFT = 0.1  # inverse strength of the ridge on the output weights


@dataclass(frozen=True)
class Law:
    """A law to be studied: the arguments that every function of un.inference begins with.

    Shapes: x, y one sample.
    """

    energy: Energy
    cost: Cost | CostFamily
    params: dict[str, Any]
    x: Any
    y: Any
    beta: float
    temperature: float

    @property
    def given(self) -> tuple[Any, ...]:
        """(E, C, params, x, y)."""
        return self.energy, self.cost, self.params, self.x, self.y

    @property
    def settings(self) -> dict[str, Any]:
        """β and T by name."""
        return {"beta": self.beta, "temperature": self.temperature}


@dataclass(frozen=True)
class Subject:
    """A predictive net on one digit, its linear twin, and what the forward pass makes of the digit.

    Equation: E = ½|z₁ − W₁x − b₁|² + ½|z₂ − W₂tanh(z₁) − b₂|², C the cross-entropy of the label;
    the twin has W₂z₁ in place of W₂tanh(z₁), no biases, and C = ½|z₂ − y|².
    """

    net: Law
    twin: Law
    image: Any
    number: int
    label: int
    forward: Any
    test_error: float


def make_subject(data: Dataset, number: int | None = None, hidden: int = HIDDEN) -> Subject:
    """Fit the net and pick the test image `number`, or the one whose own label is nearest to even.

    W₁ are whitened principal components of the images, W₂ the softmax regression of the labels on
    tanh of them: both optima are unique, so that the same data always give the same net.
    """
    size, classes = data.x_train.shape[1], data.classes
    energy = predictive([size, hidden, classes], convention="Wf(z)")
    first, second, bias = _fitted(data.x_train, np.argmax(data.y_train, axis=1), hidden)
    params = {"W1": first, "b1": np.zeros(hidden), "W2": second, "b2": bias}
    logits = np.tanh(data.x_test @ first.T) @ second.T + bias
    odds = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    odds /= np.sum(odds, axis=1, keepdims=True)
    labels = np.argmax(data.y_test, axis=1)
    own = odds[np.arange(len(labels)), labels]
    chosen = int(np.argmin(np.abs(own - 0.5))) if number is None else number
    x, y = data.x_test[chosen], data.y_test[chosen]
    return Subject(
        Law(energy, costs.cross_entropy(), params, x, y, HEAT, HEAT),
        Law(deep_linear([size, hidden, classes]), costs.squared(), {"W1": first, "W2": second},
            x, y, 1.0, HEAT),
        x, chosen, int(labels[chosen]), odds[chosen],
        float(np.mean(np.argmax(odds, axis=1) != labels)),
    )  # fmt: skip


def _fitted(x: Any, labels: Any, hidden: int) -> tuple[Any, Any, Any]:
    """Whitened principal components, and the softmax regression on tanh of them."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped,unused-ignore]

    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    first = (vectors[:, ::-1] / np.sqrt(np.maximum(values[::-1], 1e-12)))[:, :hidden].T
    first *= np.sign(first[np.arange(hidden), np.argmax(np.abs(first), axis=1)])[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of its solver's coming defaults
        found = LogisticRegression(C=SOFT, max_iter=500).fit(np.tanh(x @ first.T), labels)
    return first, found.coef_, found.intercept_
