"""The two nets of the demo, with how they start and how they learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.codegen import Program, emit
from unified.data import Dataset
from unified.dynamics import Newton
from unified.energies import Energy, costs, hopfield, predictive
from unified.learning import Centered, Implicit, PredictiveCoding
from unified.learning.gradient import AbstractEstimator

HIDDEN = 128
# Phases of training rest to this residual: far below the noise of a batch of images.
TRAINING_TOL = 1e-8


@dataclass(frozen=True)
class Net:
    """An energy with its program and everything the demo decides about it.

    `drive` is the standard deviation of what the input sends to a hidden unit at the start;
    `rule` is the learning rule whose name is `short`, `exact` the same net's exact gradient.
    """

    name: str
    title: str
    short: str
    energy: Energy
    program: Program
    drive: float
    rule: AbstractEstimator
    exact: AbstractEstimator

    def start(self, seed: int, x: Any) -> dict[str, Any]:
        """The first parameters of a seed; the input weights fit the spread of the images."""
        params = self.program.init(seed)
        params["W1"] = params["W1"] * (self.drive / np.sqrt(np.mean(np.square(x))))
        return params

    @property
    def states(self) -> list[str]:
        """The names of the states, from the input up."""
        return [s.name for s in self.energy.states]


def sizes_of(data: Dataset) -> list[int]:
    """Units per layer: one hidden layer between images and classes."""
    return [data.inputs, HIDDEN, data.classes]


def make_nets(sizes: Sequence[int]) -> tuple[Net, Net]:
    """The layered Hopfield net and the predictive-coding net of one shape."""
    nets = []
    for name, title, short, energy, drive, rule, certify in (
        (
            "hopfield", "Layered Hopfield energy", "EP", hopfield(sizes, rho="tanh"), 0.5,
            Centered(0.1, tol=TRAINING_TOL), True,
        ),
        (
            "predictive", "Predictive-coding energy", "PC", predictive(sizes, f="tanh"), 0.8,
            # One hidden layer makes this energy a sum of squares of what is linear in the states:
            # every rest point is its minimum, without a certificate per image and step, and
            # conjugate gradients end after about as many steps as there are classes.
            PredictiveCoding(0.1, method=Newton(linear="cg"), tol=TRAINING_TOL, certify=False),
            False,
        ),
    ):  # fmt: skip
        program = emit(energy, costs.squared())
        exact = Implicit(tol=TRAINING_TOL, certify=certify)
        nets.append(Net(name, title, short, energy, program, drive, rule, exact))
    return nets[0], nets[1]
