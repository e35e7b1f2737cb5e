"""Part 2 of `unified meanfield`: phase transitions, found by flows on grids."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from unified.commands.meanfield_study import Study
from unified.meanfield import (
    Entropy,
    GridMeasure,
    Interaction,
    Potential,
    Quadratic,
    closed_forms,
    solve_flow,
)
from unified.report import Check

CELLS = 0.05 * np.arange(-64, 65)
TILT = 1e-3  # of the symmetric state, to see whether it grows
BRACKET = (0.1, 2.0)  # temperatures searched, the same for every attraction
WIDTH = 2e-3  # of the bracket at the end, relative
CRITICAL = 0.01  # error allowed, relative
ORDER = 1e-3  # error allowed of a magnetisation, of dx = 0.05
TURNS = 2 * math.pi / 64 * np.arange(64)
KURAMOTO_T = 0.5


def double_well() -> Potential:
    """V = x⁴/4 − x²/2."""
    import sympy

    from unified.symbolic import fn, var

    x = sympy.Symbol("x", real=True)
    return Potential(fn(sympy.Lambda(x, x**4 / 4 - x**2 / 2))(var("x")))


def desai_zwanzig(k: float, heat: float) -> Any:
    """The double well, attraction k, temperature T."""
    return double_well() + Interaction(Quadratic(k)) + Entropy(heat)


def state(k: float, heat: float, m: float) -> GridMeasure:
    """The law that a mean field m would hold, on the grid."""
    e = (CELLS**4 / 4 - CELLS**2 / 2 + k * CELLS**2 / 2 - k * m * CELLS) / heat
    rho = np.exp(np.min(e) - e)
    return GridMeasure(CELLS, rho / (np.sum(rho) * (CELLS[1] - CELLS[0])))


def growth(k: float, heat: float) -> float:
    """The rate at which a small magnetisation grows along the flow."""
    flow = solve_flow(desai_zwanzig(k, heat), state(k, heat, TILT), 2.0, "fv", dt=0.1, saves=2)
    m = flow.means()[:, 0]
    return float(np.log(m[2] / m[1]) / (flow.ts[2] - flow.ts[1]))


def critical(k: float) -> tuple[float, int]:
    """The temperature at which the growth changes sign, by bisection, and the flows it took."""
    low, high = BRACKET
    flows = 0
    while high - low > WIDTH * low:
        middle = (low + high) / 2
        low, high = (middle, high) if growth(k, middle) > 0 else (low, middle)
        flows += 1
    return (low + high) / 2, flows


def bisect(k: float) -> tuple[dict[str, Any], Check]:
    """The critical temperature as a row, and its check against k⟨x²⟩ = T."""
    found, flows = critical(k)
    exact = closed_forms.desai_zwanzig_critical(k)
    row = {"attraction": k, "critical": found, "exact": exact, "flows": flows}
    return row, Check.at_most(
        f"phase.desai_zwanzig.{k:g}", f"double well, attraction {k:g}: critical temperature "
        f"{found:.4f} by bisection, {exact:.4f} by k⟨x²⟩ = T, relative error",
        abs(found / exact - 1), CRITICAL)  # fmt: skip


def magnetised(k: float, heat: float) -> float:
    """The mean that the flow settles at from a magnetised start."""
    flow = solve_flow(desai_zwanzig(k, heat), state(k, heat, 1.0), 100.0, "fv", dt=0.5, saves=1)
    return float(flow.measures[-1].mean()[0])


def self_consistent(k: float, heat: float) -> float:
    """The root m > 0 of m = ⟨x⟩ under exp(−(V + ½k(x−m)²)/T), by quadrature; 0 if there is none."""
    from scipy.integrate import quad
    from scipy.optimize import brentq

    def mean(m: float) -> float:
        def weight(x: float) -> float:
            return math.exp(-(x**4 / 4 - x**2 / 2 + k * (x - m) ** 2 / 2) / heat)

        top = quad(lambda x: x * weight(x), -6, 6, limit=200, points=[m])[0]
        return float(top / quad(weight, -6, 6, limit=200, points=[m])[0])

    if heat >= closed_forms.desai_zwanzig_critical(k):
        return 0.0
    return float(brentq(lambda m: mean(m) - m, 1e-2, 2.0, xtol=1e-12))


def rotators(coupling: float) -> float:
    """The order parameter that noisy rotators settle at."""
    from unified.symbolic import fn, var

    kernel = -coupling * fn("cos")(var("z"))
    F = Interaction(kernel) + Entropy(KURAMOTO_T)
    start = GridMeasure(TURNS, (1 + 0.2 * np.cos(TURNS)) / (2 * math.pi), periodic=True)
    flow = solve_flow(F, start, 100.0, "fv", dt=0.5, saves=1)
    return float(abs(flow.measures[-1].weights @ np.exp(1j * TURNS)))


def transitions(quick: bool) -> Study:
    """Critical temperatures by bisection, and both order parameters against their equations."""
    attractions = (1.0,) if quick else (0.5, 1.0, 2.0, 3.0)
    rows, checks = [], []
    for k in attractions:
        row, check = bisect(k)
        rows.append(row)
        checks.append(check)
    heats = [0.2, 0.35] if quick else [0.1, 0.2, 0.3, 0.35, 0.4, 0.6, 0.7]
    settled = [magnetised(1.0, t) for t in heats]
    law = [self_consistent(1.0, t) for t in heats]
    checks.append(Check.at_most(
        "phase.magnetisation", "double well, attraction 1: settled means against the "
        f"self-consistent ones at {len(heats)} temperatures, largest difference",
        max(abs(m - s) for m, s in zip(settled, law, strict=True)), ORDER))  # fmt: skip
    couplings = [0.8, 1.5] if quick else [0.6, 0.8, 1.2, 1.4, 1.7, 2.0, 2.5]
    orders = [rotators(c) for c in couplings]
    laws = [closed_forms.kuramoto_order(c, KURAMOTO_T) for c in couplings]
    checks.append(Check.at_most(
        "phase.kuramoto", f"noisy rotators, T = {KURAMOTO_T:g}: order r(K) against Bessel's "
        f"equation at {len(couplings)} couplings, largest difference",
        max(abs(r - s) for r, s in zip(orders, laws, strict=True)), ORDER))  # fmt: skip
    series = {"heats": heats, "means": settled, "couplings": couplings, "orders": orders}
    return Study(checks, rows, series)
