"""Which nets `unified train` trains, by which rules, and how their data look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen import Program, emit
from unified.data import Dataset
from unified.dynamics import FixedPoint, Newton
from unified.energies import (
    conv_hopfield,
    conv_predictive,
    costs,
    hopfield,
    predictive,
)
from unified.energies.fields import asymmetric
from unified.learning import Centered, Dyadic, Holomorphic, Implicit, PredictiveCoding
from unified.learning.gradient import AbstractEstimator

TOL = 1e-6  # residual of every phase of a small net: far below the noise of a batch of images
BIG = 20_000  # from this many training images on, the wide net in single precision


@dataclass(frozen=True)
class Contest:
    """One net, the rules it is trained by, and its exact gradient as their reference.

    `shape` is that of one input; `drive` the standard deviation of what the input sends to a unit
    of the first layer at the start; `rate` Adam's first learning rate.
    """

    name: str
    program: Program
    rules: dict[str, AbstractEstimator]
    exact: AbstractEstimator
    shape: tuple[int, ...]
    drive: float
    rate: float
    batch: int

    def start(self, seed: int, x: Any) -> dict[str, Any]:
        """The first parameters of a seed; the input weights fit the spread of the images."""
        params = self.program.init(seed)
        first = self.program.model.params[0].name
        params[first] = (params[first] * self.drive / np.sqrt(np.mean(np.square(x)))).astype(
            self.program.dtype
        )
        return params

    def images(self, x: Any) -> Any:
        """Flat inputs in the shape and precision the net takes."""
        return np.asarray(x, self.program.dtype).reshape(len(x), *self.shape)


def standardised(data: Dataset) -> tuple[Any, Any]:
    """Training and test inputs, centred, each pixel divided by √(variance + 0.01).

    The 0.01 keeps pixels that are almost always black from being blown up; statistics are those
    of the training part.
    """
    mean, spread = data.x_train.mean(0), np.sqrt(data.x_train.var(0) + 0.01)
    return (data.x_train - mean) / spread, (data.x_test - mean) / spread


def contests(data: Dataset, names: Sequence[str] | None) -> list[Contest]:
    """The nets to train on a dataset: all small ones, or the wide one for a large dataset.

    Raises: InputError for a name that is not among them.
    """
    makers = _wide(data) if len(data.x_train) >= BIG else _small(data)
    for name in names or ():
        if name not in makers:
            raise bad_input("--nets", f"names among {', '.join(makers)}", name, "choose from them")
    return [make() for name, make in makers.items() if not names or name in names]


def _wide(data: Dataset) -> dict[str, Callable[[], Contest]]:
    sweeps: dict[str, Any] = dict(method=FixedPoint(), tol=1e-4, certify=False)

    def dense() -> Contest:
        # Softplus, whose rest point s = ρ'(s)·drive is a smooth rectifier, generalises better here
        # than tanh: by half a percentage point on Fashion-MNIST.
        energy = hopfield([data.inputs, 512, data.classes], rho="softplus")
        program = emit(energy, costs.squared(), dtype="float32")
        return Contest(
            "hopfield", program, {"EP centered": Centered(0.1, **sweeps)}, Implicit(**sweeps),
            (data.inputs,), 1.0, 1e-3, 128,
        )  # fmt: skip

    return {"hopfield": dense}


def _small(data: Dataset) -> dict[str, Callable[[], Contest]]:
    side = round(data.inputs**0.5)
    sizes = [data.inputs, 64, data.classes]
    picture = (side, side, 1)

    def made(name: str, energy: Any, rules: dict[str, AbstractEstimator],
             exact: AbstractEstimator, shape: tuple[int, ...], drive: float,
             rate: float) -> Contest:  # fmt: skip
        return Contest(name, emit(energy, costs.squared()), rules, exact, shape, drive, rate, 64)

    # Sums of squares of what is linear in the states: every rest point is the minimum.
    squares: dict[str, Any] = dict(method=Newton(linear="cg"), tol=TOL, certify=False)
    sweeps: dict[str, Any] = dict(method=FixedPoint(), tol=TOL, certify=False)
    field: dict[str, Any] = dict(tol=TOL, certify=False)  # sweeps need not settle without an energy
    ep: dict[str, AbstractEstimator] = {
        "EP centered": Centered(0.1, **sweeps),
        "EP holomorphic": Holomorphic(0.1, 4, **sweeps),
    }
    coding: dict[str, AbstractEstimator] = {"PC": PredictiveCoding(0.1, **squares)}
    flat = (data.inputs,)
    return {
        "hopfield": lambda: made(
            "hopfield", hopfield(sizes), ep, Implicit(**sweeps), flat, 0.5, 1e-2
        ),
        "conv_hopfield": lambda: made(
            "conv_hopfield", conv_hopfield(picture, [16], classes=data.classes), ep,
            Implicit(**sweeps), picture, 0.5, 1e-2,
        ),
        "predictive": lambda: made(
            "predictive", predictive(sizes), coding, Implicit(**squares), flat, 0.8, 1e-2
        ),
        "conv_predictive": lambda: made(
            "conv_predictive", conv_predictive(picture, [16], classes=data.classes), coding,
            Implicit(**squares), picture, 0.8, 1e-2,
        ),
        "asymmetric": lambda: made(
            "asymmetric", asymmetric(sizes), {"EP dyadic": Dyadic(0.5, **field)}, Implicit(**field),
            flat, 0.5, 1e-2,
        ),
    }  # fmt: skip
