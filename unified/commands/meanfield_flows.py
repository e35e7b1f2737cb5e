"""Part 1 of `unified meanfield`: one functional, every method, one closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unified.commands.meanfield_study import Study, order, slope
from unified.meanfield import (
    Entropy,
    GaussianMeasure,
    Interaction,
    Quadratic,
    closed_forms,
    distances,
    solve_flow,
)
from unified.report import Check

A, B, K, T = 1.0, 0.5, 0.8, 0.3  # potential, its centre, attraction, temperature
START, END = GaussianMeasure(2.0, 0.2), 1.0
WIDE = (-3.0, 5.0)  # of the grid: holds the start and every later law
EXACT = 1e-9  # tolerance of what has no error but that of integration
DISSIPATED = 1e-6  # of the identity that holds exactly for a method, relative
DEVIATIONS = 4.0  # that a sample may be off its law
STEP = 0.05  # of Langevin


def functional(heat: float = T) -> Any:
    """½A(x−B)² + ½·½K(x−y)² and, unless cold, the entropy at T."""
    cold = Quadratic(A, B) + Interaction(Quadratic(K))
    return cold + Entropy(heat) if heat else cold


def compare_methods(quick: bool, seed: int) -> Study:
    """Run the methods and compare each with the law it should reach, by its own error law."""
    law = closed_forms.ornstein_uhlenbeck(A, B, T, START, END, K)
    parts = [by_moments(law), _particles(seed, quick), _jko(law, quick),
             by_volumes(law, quick), _langevin(law, 1000 if quick else 8000, seed)]  # fmt: skip
    flows = {row["method"]: flow for row, _, flow in parts}
    return Study([c for _, checks, _ in parts for c in checks], [row for row, _, _ in parts],
                 {"flows": flows, "law": law, "latex": functional().latex()})  # fmt: skip


Part = tuple[dict[str, Any], list[Check], Any]


def _row(method: str, flow: Any, error: float, law: str,
         fitted: float | None = None) -> dict[str, Any]:  # fmt: skip
    known = bool(np.isfinite(flow.certificate))
    return {"method": method, "error": error, "law": law, "fitted": fitted,
            "certifies": flow.certifies, "certificate": flow.certificate if known else None,
            "gap": flow.gap if known else None, "status": flow.status,
            "citation": flow.citation}  # fmt: skip


def _identity(method: str, *flows: Any) -> Check:
    """What a deterministic method certifies by its own steps, at worst of several flows."""
    return Check.at_most(f"dissipation.{method}", f"{method}: {flows[0].certifies}; off by, "
                         "relative", max(f.certificate for f in flows), DISSIPATED)  # fmt: skip


def _first_order(method: str, flows: Sequence[Any]) -> Check:
    """The flow's own identity, which an implicit step of length dt misses by O(dt)."""
    told = ", ".join(f"{f.gap:.1e}" for f in flows)
    fitted = slope([f.dt for f in flows], [f.gap for f in flows])
    return order(f"dissipation.{method}.order", f"{method}: F(0) − F(t) = ∫∫|∇δF/δμ|²dμ dt is "
                 f"missed by {told}, order in dt", fitted, 1, 0.1)  # fmt: skip


def by_moments(law: GaussianMeasure) -> Part:
    """Moment equations: no error but that of integration."""
    flow = solve_flow(functional(), START, END, "moments")
    far = distances.bures(flow.measures[-1], law)
    checks = [Check.at_most("flows.moments", "moment equations: distance W₂ from the closed form",
                            far, EXACT), _identity("moments", flow)]  # fmt: skip
    return _row("moments", flow, far, "none"), checks, flow


def _particles(seed: int, quick: bool) -> Part:
    """Without entropy particles follow the closed form of their own mean and variance."""
    cold, start = functional(0.0), START.to_particles(200, key=seed)
    own = closed_forms.ornstein_uhlenbeck(A, B, 0.0, start.to_gaussian(), END, K)
    flow = solve_flow(cold, start, END, "particles")
    far = distances.bures(flow.measures[-1], own)
    steps = (0.05, 0.025) if quick else (0.1, 0.05, 0.025)
    errors = [
        distances.bures(solve_flow(cold, start, END, "particles", dt=h, stepper="heun",
                                   saves=1).measures[-1], own)
        for h in steps
    ]  # fmt: skip
    fitted = slope(steps, errors)
    checks = [
        Check.at_most("flows.particles", "200 particles at T = 0: W₂ from the closed form of their "
                      "own moments", far, EXACT),
        order("flows.heun", "particles by Heun's method: order in dt", fitted, 2, 0.15),
        _identity("particles", flow),
    ]  # fmt: skip
    return _row("particles, T = 0", flow, far, "dt² (Heun)", fitted), checks, flow


def _jko(law: GaussianMeasure, quick: bool) -> Part:
    steps = (0.05, 0.025) if quick else (0.05, 0.025, 0.0125)
    flows = [solve_flow(functional(), START, END, "jko", dt=h) for h in steps]
    errors = [distances.bures(f.measures[-1], law) for f in flows]
    fitted = slope(steps, errors)
    slack = min(f.details["least_slack"] for f in flows)
    checks = [
        order("flows.jko", "JKO steps: order in h", fitted, 1, 0.05),
        Check.at_most("flows.jko.slack", "JKO steps: by how much a step lost less than W²/2h",
                      max(0.0, -slack), 1e-12),
        _identity("jko", *flows),
        _first_order("jko", flows),
    ]  # fmt: skip
    return _row("jko", flows[-1], errors[-1], "h", fitted), checks, flows[-1]


def by_volumes(law: GaussianMeasure, quick: bool) -> Part:
    """Finite volumes: order 2 in Δx, with mass, positivity and the balance of the steps."""
    counts: Sequence[int] = (40, 80) if quick else (40, 80, 160)
    flows = []
    for n in counts:
        step = (WIDE[1] - WIDE[0]) / n
        grid = WIDE[0] + step * (np.arange(n) + 0.5)
        flows.append(solve_flow(functional(), START.to_grid(grid), END, "fv", dt=step**2 / 2))
    errors = [distances.bures(f.measures[-1], law) for f in flows]
    fitted = slope([1 / n for n in counts], errors)
    timed = [solve_flow(functional(), flows[0].measures[0], END, "fv", dt=h)
             for h in (0.02, 0.01, 0.005)]  # fmt: skip
    found = [f.details for f in flows]
    checks = [
        order("flows.fv", "finite volumes, dt falling as Δx²: order in Δx", fitted, 2, 0.1),
        Check.at_most("flows.fv.mass", "finite volumes: drift of the mass, relative",
                      max(d["mass_drift"] for d in found), 1e-13),
        Check.at_most("flows.fv.positive", "finite volumes: the most negative cell, below 0 by",
                      max(0.0, -min(d["least_cell"] for d in found)), 0.0),
        _identity("fv", *flows, *timed),
        _first_order("fv", timed),
    ]  # fmt: skip
    return _row("fv", flows[-1], errors[-1], "Δx²", fitted), checks, flows[-1]


def _langevin(law: GaussianMeasure, count: int, seed: int) -> Part:
    """Euler–Maruyama has an exact discrete law for N particles: no time-step error to excuse."""
    start = START.to_particles(count, key=seed + 1)
    flow = solve_flow(functional(), start, END, "langevin", dt=STEP, key=seed)
    m, v, spread, n = start.mean()[0], start.cov()[0, 0], 0.0, round(END / flow.dt)
    for _ in range(n):  # given the start: the mean of N, its variance, the variance within
        m = B + (1 - STEP * A) * (m - B)
        spread = (1 - STEP * A) ** 2 * spread + 2 * STEP * T / count
        v = (1 - STEP * (A + K)) ** 2 * v + 2 * STEP * T * (1 - 1 / count)
    end = flow.measures[-1]
    off = {"mean": (end.mean()[0] - m) / spread**0.5,
           "variance": (end.cov()[0, 0] / v - 1) / (2 / count) ** 0.5}  # fmt: skip
    far = distances.bures(end, law)
    checks = [
        Check.at_most(f"flows.langevin.{name}", f"{count} particles by Euler–Maruyama: {name} off "
                      "its exact discrete law, in standard deviations", abs(z), DEVIATIONS)
        for name, z in off.items()
    ]  # fmt: skip
    return _row("langevin", flow, far, "dt and 1/√N"), checks, flow
