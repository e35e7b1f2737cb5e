"""Part of `unified meanfield`: JKO steps of other kinds, and games, of which a step is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unified.commands.meanfield_study import Study, order, slope
from unified.meanfield import (
    Entropy,
    GaussianMeasure,
    ParticleMeasure,
    Power,
    Quadratic,
    distances,
    solve_flow,
    solve_game,
)
from unified.meanfield.games import GameResult, LinearQuadratic
from unified.report import Check

A, B, T = 1.0, 0.5, 0.3
START, END, STEP = GaussianMeasure(1.0, 0.2), 0.4, 0.1  # of the flows by JKO steps
WALLS = (-2.2, 3.2)
BLURS = (0.4, 0.2, 0.1)  # strengths of the entropy of transport
DISSIPATED = 1e-6
GAME = LinearQuadratic(1.0, 2.0, 0.2, 0.8)  # running cost, terminal cost, diffusion, horizon
CROWD = GaussianMeasure(0.6, 0.3)
EXPLOITED = 1e-7


def by_steps() -> Any:
    """The closed form of the same steps, for Gaussians."""
    F = Quadratic(A, B) + Entropy(T)
    return solve_flow(F, START, END, "jko", dt=STEP, saves=1).measures[-1]


def quantile_steps(counts: tuple[int, ...]) -> tuple[list[dict[str, Any]], list[Check]]:
    """Steps of N quantiles by Newton against the Gaussian steps of equal length.

    Less than 1/N is left in the bulk; the spacings at both ends are wider than they are taken for,
    which leaves W₂, over all of the quantiles, a power of about a half.
    """
    from scipy.special import ndtri

    F, exact, flows = Quadratic(A, B) + Entropy(T), by_steps(), []
    ends: dict[str, list[float]] = {"bulk": [], "whole": []}
    for n in counts:
        levels = (np.arange(n) + 0.5) / n
        at = ndtri(levels)
        start = ParticleMeasure(START.m[0] + np.sqrt(START.sigma[0, 0]) * at)
        flows.append(solve_flow(F, start, END, "jko", dt=STEP, saves=1))
        want = exact.m[0] + np.sqrt(exact.sigma[0, 0]) * at
        square = (flows[-1].measures[-1].x[:, 0] - want) ** 2 / n
        ends["whole"].append(float(np.sqrt(np.sum(square))))
        ends["bulk"].append(float(np.sqrt(np.sum(square[np.abs(levels - 0.5) < 0.4]))))
    fitted = {k: slope(counts, v) for k, v in ends.items()}
    worst = max(f.certificate for f in flows)
    checks = [
        Check.at_most("games.quantiles", "JKO steps in quantiles: distance W₂ of the middle 80 % "
                      "from the Gaussian steps, power of the number of quantiles",
                      fitted["bulk"], -1.0),
        Check.at_most("dissipation.quantiles", "JKO steps in quantiles: F lost is De Giorgi's "
                      "W²/2h + ∫W²/2s² of every step, relative", worst, DISSIPATED),
    ]  # fmt: skip
    return [_row(f"JKO, quantiles, {k}", counts, ends[k], v) for k, v in fitted.items()], checks


def entropic_steps() -> tuple[list[dict[str, Any]], list[Check]]:
    """Steps on a grid by entropic transport against the Gaussian steps of equal length."""
    exact, ends = by_steps(), []
    F = Quadratic(A, B) + Entropy(T)
    grid = START.to_grid(np.linspace(*WALLS, 81))
    for blur in BLURS:
        flow = solve_flow(F, grid, END, "jko", dt=STEP, entropic=blur, saves=1)
        ends.append(distances.bures(flow.measures[-1], exact))
    fitted = slope(BLURS, ends)
    claim = ("JKO steps by entropic transport: distance W₂ from the Gaussian steps, order in the "
             "strength of the entropy")  # fmt: skip
    return [_row("JKO, entropic", BLURS, ends, fitted)], [
        order("games.entropic", claim, fitted, 2, 0.1)
    ]


def linear_quadratic(cells: tuple[int, ...]) -> tuple[list[dict[str, Any]], list[Check]]:
    """The game that is known: final mean, variance and the cost of the crowd, order one."""
    mean, variance = GAME.moments(CROWD.m[0], CROWD.sigma[0, 0], GAME.t1)
    value = GAME.value(CROWD.m[0], CROWD.sigma[0, 0])
    errors = []
    for n in cells:
        g = CROWD.to_grid(np.linspace(-3.6, 3.8, n + 1))
        found = solve_game(Quadratic(GAME.q), Quadratic(GAME.g), g, GAME.t1, nu=GAME.nu,
                           steps=n // 2)  # fmt: skip
        end = found.measure()
        errors.append([abs(end.mean()[0] - mean), abs(end.cov()[0, 0] - variance),
                       abs(found.value - value)])  # fmt: skip
    rows, checks = [], []
    for name, found in zip(("mean", "variance", "cost"), np.transpose(errors), strict=True):
        fitted = slope([1 / n for n in cells], found)
        rows.append(_row(f"linear-quadratic game, {name}", cells, found, fitted))
        claim = (f"linear-quadratic game: error of the {name} against the Riccati equation, order "
                 "in Δx and Δt")  # fmt: skip
        checks.append(order(f"games.{name}", claim, fitted, 1, 0.1))
    return rows, checks


def crowded(cells: int) -> tuple[GameResult, list[Check]]:
    """Players that avoid each other: what one gains by leaving the crowd falls to nothing."""
    g = GaussianMeasure(-1.0, 0.1).to_grid(np.linspace(-3.0, 3.0, cells + 1))
    found = solve_game(Power(2, 0.5), Quadratic(3.0, 1.0), g, 1.0, nu=0.05, steps=25,
                       tol=EXPLOITED)  # fmt: skip
    above = found.values - found.value - found.exploitability
    return found, [
        Check.at_most("games.exploitability", "game of players that avoid each other: "
                      f"exploitability after {len(found.values)} plays, from "
                      f"{found.exploitability[0]:.2f} at the first", found.gap, EXPLOITED),
        Check.at_most("games.duality", "its cost is above the least by at most the exploitability, "
                      "at every play, exceeded by", max(0.0, float(np.max(above))), 1e-12),
    ]  # fmt: skip


def one_step(cells: tuple[int, ...]) -> tuple[list[dict[str, Any]], list[Check]]:
    """A JKO step is the game with no running cost, F as terminal cost and horizon h."""
    F, h, start = Quadratic(1.0, 0.5) + Entropy(0.3), 0.4, GaussianMeasure(-0.4, 0.15)
    exact = solve_flow(F, start, h, "jko", dt=h, saves=1).measures[-1]
    flow = solve_flow(F, start, h, "moments", saves=1).measures[-1]
    errors = []
    for n in cells:
        g = start.to_grid(np.linspace(-2.6, 2.6, n + 1))
        end = solve_game(None, F, g, h, steps=n // 3, tol=1e-6).measure()
        errors.append(distances.bures(end, exact))
    told = ", ".join(f"{e:.4f}" for e in errors)
    fitted = slope([1 / n for n in cells], errors)
    apart = distances.bures(flow, exact)
    return [_row("JKO step as a game", cells, errors, fitted)], [
        order("games.step", f"one-step game: distance W₂ from the JKO step ({told}), order in Δx "
              "and Δt", fitted, 1, 0.1),
        Check.at_most("games.myopic", "the step and the game agree better than the step and the "
                      "flow over the same time: ratio of distances", errors[-1] / apart, 0.5),
    ]  # fmt: skip


def _row(by: str, at: Sequence[float], errors: Sequence[float], fitted: float) -> dict[str, Any]:
    return {"by": by, "from": at[0], "to": at[-1], "first error": float(errors[0]),
            "last error": float(errors[-1]), "power": fitted}  # fmt: skip


def play(quick: bool) -> Study:
    """Quantile and entropic JKO steps, three games."""
    found, checks = crowded(60)
    rows: list[dict[str, Any]] = []
    for more_rows, more in (
        quantile_steps((50, 100) if quick else (50, 100, 200)),
        entropic_steps(),
        linear_quadratic((74, 148)),
        one_step((50, 100)),
    ):
        rows, checks = [*rows, *more_rows], [*checks, *more]
    return Study(checks, rows, {"game": found})
