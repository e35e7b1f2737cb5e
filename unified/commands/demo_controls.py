"""Negative controls of the demo: learning rules with one mistake, which the comparison must see."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.commands.demo_nets import Net
from unified.learning import Centered, PredictiveCoding, relative_error
from unified.report import Check

BETA = 1e-3
SEEN = 1e-2  # a mistake has to cost at least this relative error
SAME = 1e-8  # and the rule without it has to be the estimator's


def controls(net: Net, params: Any, x: Any, y: Any, exact: Any) -> list[Check]:
    """The rule of one weight matrix written by hand from measured phases: right, then broken."""
    find = _hopfield if net.name == "hopfield" else _predictive
    name, right, broken = find(net, params, x, y)
    used = (Centered(BETA) if net.name == "hopfield" else PredictiveCoding(BETA))(
        net.program, params, x, y
    )
    agreed = relative_error({name: right}, {name: used.grad[name]})
    found = [Check.at_most(
        f"control.{net.name}.right", f"{net.title}: the rule of {name} written by hand "
        "from the measured phases is the estimator's", agreed, SAME,
    )]  # fmt: skip
    for mistake, wrong in broken.items():
        error = relative_error({name: wrong}, {name: exact[name]})
        found.append(Check(
            f"control.{net.name}.{mistake.split()[-1]}", f"{net.title}: the rule of "
            f"{name} with {mistake} is caught: its relative error is at least the tolerance "
            "(negative control)", "numeric", error, SEEN, error >= SEEN,
        ))  # fmt: skip
    return found


def _mean_outer(a: Any, b: Any) -> Any:
    return np.einsum("bi,bj->ij", a, b) / len(a)


def _hopfield(net: Net, params: Any, x: Any, y: Any) -> tuple[str, Any, dict[str, Any]]:
    _, up, down = (e.state for e in Centered(BETA)(net.program, params, x, y).equilibria)

    def hebb(state: Any, law: Any = np.tanh) -> Any:
        return -_mean_outer(law(state["s1"]), law(state["s2"]))

    def plain(state: Any) -> Any:
        return hebb(state, lambda s: s)

    return "W2", (hebb(up) - hebb(down)) / (2 * BETA), {
        "states in place of rates": (plain(up) - plain(down)) / (2 * BETA),
        "its phases swapped": (hebb(down) - hebb(up)) / (2 * BETA),
    }  # fmt: skip


def _predictive(net: Net, params: Any, x: Any, y: Any) -> tuple[str, Any, dict[str, Any]]:
    (nudged,) = (e.state for e in PredictiveCoding(BETA)(net.program, params, x, y).equilibria)
    mean = np.tanh(x @ params["W1"].T + params["b1"])
    error = nudged["z1"] - mean
    right = -_mean_outer(error * (1 - mean**2), x) / BETA
    return "W1", right, {
        "no derivative of tanh": -_mean_outer(error, x) / BETA,
        "a nudge of the wrong sign": -right,
    }  # fmt: skip
