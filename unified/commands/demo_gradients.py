"""Steps 3 and 4 of the demo: phases at rest, and gradients against two references."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.codegen import emit
from unified.commands.demo_controls import controls
from unified.commands.demo_nets import Net
from unified.data import Dataset
from unified.dynamics import FixedPoint, Newton, Phase, relax
from unified.energies import costs
from unified.learning import (
    Centered,
    Contrastive,
    Holomorphic,
    Implicit,
    OneSided,
    PredictiveCoding,
    cosine,
    directional_differences,
    measure_order,
    random_directions,
    relative_error,
)  # fmt: skip
from unified.learning.gradient import AbstractEstimator
from unified.report import Check

RESIDUAL = 1e-10
FINITE = 1e-8  # central differences of fourth order, in float64
SLOPE = 0.1
STEPS = 40  # of the relaxation traces
# Where each net's bias is well above rounding and well below one; a predictive net bears weaker
# negative nudges, since its free Hessian is nearer to singular.
WINDOWS: dict[str, dict[str, list[float]]] = {
    "hopfield": {
        "OneSided": [1e-4, 3e-4, 1e-3, 3e-3], "Centered": [5e-4, 1e-3, 2e-3, 4e-3],
        "Holomorphic, N=4": [0.02, 0.03, 0.05, 0.08], "Holomorphic, N=8": [0.07, 0.1, 0.14, 0.2],
    },
    "predictive": {
        "OneSided": [1e-4, 2e-4, 4e-4, 8e-4], "Centered": [5e-4, 1e-3, 2e-3, 4e-3],
        "PredictiveCoding": [1e-4, 2e-4, 4e-4, 8e-4],
        "Holomorphic, N=4": [0.01, 0.02, 0.03, 0.05], "Holomorphic, N=8": [0.04, 0.06, 0.09, 0.12],
    },
}  # fmt: skip
FAMILIES: dict[str, Callable[[float], AbstractEstimator]] = {
    "OneSided": OneSided,
    "Centered": Centered,
    "PredictiveCoding": PredictiveCoding,
    "Holomorphic, N=4": lambda r: Holomorphic(r, 4),
    "Holomorphic, N=8": lambda r: Holomorphic(r, 8),
}


@dataclass(frozen=True)
class Comparison:
    """Phases, gradient table, orders and relaxation traces of one net, and their checks."""

    phases: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    orders: dict[str, dict[str, Any]]
    traces: dict[str, Any]
    checks: list[Check]


def candidates(net: Net) -> list[tuple[str, AbstractEstimator, float]]:
    """(label, estimator, relative error it must stay below; against its own objective's finite
    differences where that is not the loss)."""
    small, radius = (1e-3, 0.03) if net.name == "hopfield" else (2e-4, 0.02)
    found: list[tuple[str, AbstractEstimator, float]] = [
        ("OneSided β=0.001", OneSided(1e-3), 5e-3),
        (f"Centered β={small:g}", Centered(small), 1e-6),
        (f"Holomorphic r={radius:g}, N=8", Holomorphic(radius, 8), 1e-9),
        ("Contrastive", Contrastive(), FINITE),
    ]
    if net.short == "PC":
        found += [
            ("PredictiveCoding β=0.001", PredictiveCoding(1e-3), 5e-3),
            ("PredictiveCoding clamped", PredictiveCoding(), FINITE),
        ]
    return found


def compare(net: Net, data: Dataset, count: int) -> Comparison:
    """Relax, differentiate, compare on `count` images, at the parameters training starts from."""
    print(f"\n== {net.title}: phases and gradients on {count} images, float64")
    params = net.start(0, data.x_train)
    x, y = data.x_train[:count], data.y_train[:count]
    phases, checks = _phases(net, params, x, y)
    exact = Implicit()(net.program, params, x, y)
    directions = random_directions(params, 8, 0)
    loss = directional_differences(net.program, params, x, y, directions)
    gap = _against(exact.grad, directions, loss)
    checks.append(Check.at_most(
        f"gradient.{net.name}.implicit", f"{net.title}: Implicit agrees with central "
        f"finite differences of the loss along {len(directions)} directions", gap, FINITE,
    ))  # fmt: skip
    rows = [_row("Implicit", "loss", exact.grad, exact.grad, gap)]
    for label, estimator, bar in candidates(net):
        estimate = estimator(net.program, params, x, y)
        own = estimator.exact_for == "loss"
        differences = loss if own else directional_differences(
            net.program, params, x, y, directions, of=estimator)  # fmt: skip
        finite = _against(estimate.grad, directions, differences)
        row = _row(label, estimator.exact_for, estimate.grad, exact.grad, finite)
        rows.append(row)
        checks.append(_bar(net, label, row, bar))
    orders = {}
    for name, betas in WINDOWS[net.name].items():
        order = measure_order(FAMILIES[name], betas, exact.grad, net.program, params, x, y)
        assert order.declared is not None
        orders[name] = {"betas": betas, "errors": order.errors.tolist(), "slope": order.slope,
                        "declared": order.declared}  # fmt: skip
        checks.append(Check.at_most(
            f"order.{net.name}.{name.replace(', N=', '')}", f"{net.title}: the bias of "
            f"{name} falls with the nudge to the declared power {order.declared} (value: "
            "distance of the measured slope)", abs(order.slope - order.declared), SLOPE,
        ))  # fmt: skip
    checks += controls(net, params, x, y, exact.grad)
    for row in rows:
        print(f"{row['estimator']:28} cosine {row['cosine']:.12f}  relative error "
              f"{row['relative_error']:.2e}  own finite differences {row['finite']:.2e}")
    for name, found in orders.items():
        print(f"{name:28} order {found['slope']:.3f}, declared {found['declared']}")
    return Comparison(phases, rows, orders, _traces(net, params, x, y), checks)


def _row(label: str, objective: str, grad: Any, exact: Any, finite: float) -> dict[str, Any]:
    return {"estimator": label, "objective": objective, "cosine": cosine(grad, exact),
            "relative_error": relative_error(grad, exact), "finite": finite}  # fmt: skip


def _against(grad: Any, directions: Any, differences: Any) -> float:
    """The largest gap between a gradient and differences along directions, relative."""
    slopes = np.array([sum(np.sum(grad[k] * d[k]) for k in d) for d in directions])
    return float(np.max(np.abs(slopes - differences)) / np.max(np.abs(differences)))


def _bar(net: Net, label: str, row: dict[str, Any], bar: float) -> Check:
    """The check of one row: the loss gradient if that is what it estimates, else its own."""
    id = f"gradient.{net.name}.{label.split('=')[0].replace(' ', '.').replace('β', 'nudged')}"
    if row["objective"] == "loss":
        claim = f"{net.title}: relative error of {label} against Implicit"
        return Check.at_most(id, claim, row["relative_error"], bar)
    claim = (
        f"{net.title}: {label} is the gradient of its own objective, {row['objective']} "
        "(by finite differences of it); the loss gradient is another one"
    )
    return Check.at_most(id, claim, row["finite"], bar)


# --- phases ---------------------------------------------------------------------------------
def _conditions(x: Any, y: Any) -> dict[str, Phase]:
    return {
        "free": Phase.free(x),
        "nudged, β=0.1": Phase.nudged(x, y, 0.1),
        "nudged, β=−0.1": Phase.nudged(x, y, -0.1),
        "clamped": Phase.clamped(x, y),
    }


def _phases(net: Net, params: Any, x: Any, y: Any) -> tuple[list[dict[str, Any]], list[Check]]:
    rows: list[dict[str, Any]] = []
    checks = []
    numpy = emit(net.energy, costs.squared(), backend="numpy")
    for name, phase in _conditions(x, y).items():
        rest = relax(net.program, params, phase, tol=RESIDUAL)
        row: dict[str, Any] = {
            "phase": name, "residual": float(np.max(rest.residual)),
            "lambda_min": float(np.min(rest.certificate.lambda_min)),
            "steps": int(np.max(rest.steps)), "status": ", ".join(sorted(set(rest.status))),
        }  # fmt: skip
        rows.append(row)
        print(f"{name:16} residual {row['residual']:.1e}  lambda_min {row['lambda_min']:.3f}  "
              f"{row['status']} in {row['steps']} steps")  # fmt: skip
        if phase.is_clamped:
            continue
        # Measured again by the other backend, which shares no compiled code with the relaxation.
        force = numpy.force(rest.state, params, phase)
        again = _size(force) / np.maximum(1.0, _size(rest.state))
        good = row["status"] == "converged" and row["lambda_min"] > 0
        value = float(np.max(again)) if good else float("nan")
        checks.append(Check.at_most(
            f"phase.{net.name}.{name.split(',')[0]}{'-' if '−' in name else ''}",
            f"{net.title}, {name}: every sample rests at a certified minimum, residual "
            "measured by the NumPy program", value, RESIDUAL,
        ))  # fmt: skip
    return rows, checks


def _size(arrays: Any) -> Any:
    """The norm over all units of every sample."""
    return np.sqrt(sum(np.sum(np.square(v), axis=-1) for v in arrays.values()))


def _traces(net: Net, params: Any, x: Any, y: Any) -> dict[str, Any]:
    """Residual per sample before and after each step of two methods, nudges from the free rest."""
    found = {}
    free = relax(net.program, params, Phase.free(x))
    zero = {k: np.zeros_like(v) for k, v in free.state.items()}
    for title, method in (("sweeps", FixedPoint(max_steps=1)), ("Newton", Newton(max_steps=1))):
        for name, phase, start in (("free from zero", Phase.free(x), zero),
                                   ("nudged from free", Phase.nudged(x, y, 0.1), free.state)):
            first = _size(net.program.force(start, params, phase))
            residuals, state = [first / np.maximum(1.0, _size(start))], start
            for _ in range(STEPS):
                rest = relax(net.program, params, phase, method, RESIDUAL, throw=False,
                             start=state, certify=False)  # fmt: skip
                state = rest.state
                residuals.append(rest.residual)
                if np.max(rest.residual) <= RESIDUAL:
                    break
            found[f"{title}, {name}"] = np.stack(residuals, axis=1)
    return found
