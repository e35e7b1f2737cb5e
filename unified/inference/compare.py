"""Posterior draws against the law that relaxation says they follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.dynamics.mixing import ESS, RHAT
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.inference import arviz_data
from unified.inference.compare_tests import KINDS, Tests, run_tests
from unified.inference.draws import (
    FAILED,
    attributes,
    check_same,
    divergences,
    stacked,
)  # fmt: skip
from unified.inference.gaussian import gaussian_law, hessian_at, require_definite
from unified.inference.mode import map_estimate
from unified.inference.problem import Problem

SHIFT, SCALE = 0.15, 0.05  # what has to be noticed: a mean off by sds, an sd off by a fraction


@dataclass(frozen=True)
class PosteriorComparison:
    """Whether draws follow a law, by the protocol: "agrees", "disagrees" or "inconclusive".

    Equation: `tests` holds every test with its p-value, adjusted by Holm over all of them;
    "disagrees" iff one is below `family`. "inconclusive": the draws did not pass the gate, or are
    too few for a mean off by 0.15 sd or an sd off by 5 % (of all units) to be noticed.
    Shapes: `mean`, `sd`, `reference_mean`, `reference_sd` (N,) over the stacked `units`.
    """

    verdict: str
    reason: str
    units: list[str]
    mean: Any
    sd: Any
    reference_mean: Any
    reference_sd: Any
    reference: str
    family: float
    tests: Tests
    draws: Any

    @property
    def agrees(self) -> bool:
        """True if the verdict is "agrees"."""
        return self.verdict == "agrees"

    def table(self) -> list[dict[str, Any]]:
        """A row per kind of test: how many, the worst of them, its unit, its adjusted p-value."""
        rows = []
        t = self.tests
        for kind in KINDS:
            at = np.flatnonzero(t.kind == kind)
            worst = at[np.argmin(t.p[at])]
            rows.append({
                "test": kind, "count": int(at.size),
                "unit": self.units[t.index[worst]] if t.index[worst] >= 0 else "all",
                "effect": float(t.effect[worst]), "p": float(t.p[worst]),
                "adjusted": float(t.adjusted[worst]),
                "rejected": bool(t.adjusted[worst] < self.family),
            })  # fmt: skip
        return rows

    def __repr__(self) -> str:
        t = self.tests
        head = f"PosteriorComparison: {self.verdict} ({self.reason})"
        gate = (
            f"  gate     {t.gate.status}: R-hat <= {np.max(t.gate.rhat):.4f} (below {RHAT}), "
            f"effective sample size >= {np.min(t.gate.ess):.0f} (at least {ESS:.0f})"
        )
        law = f"  against  {self.reference}, {len(self.units)} units, family error {self.family:g}"
        seen = (
            f"  power    a mean off by {t.shift_seen:.3f} sd, or all sds by {t.scale_seen:.2%}, "
            "would be noticed 9 times in 10"
        )
        lines = [
            f"  {r['test']:<15} {r['count']:>4} tests, worst {r['unit']:<10} "
            f"effect {r['effect']:+.4f}, p {r['p']:.2g}, adjusted {r['adjusted']:.2g}"
            f"{'  REJECTED' if r['rejected'] else ''}"
            for r in self.table()
        ]
        return "\n".join([head, gate, law, seen, *lines])

    def to_xarray(self) -> Any:
        """Means, sds, sizes by unit and every test, as an xarray.Dataset."""
        import xarray as xr

        t = self.tests
        by_unit = {
            "mean": self.mean, "sd": self.sd, "reference_mean": self.reference_mean,
            "reference_sd": self.reference_sd, "shift": t.shift, "scale": t.scale, "ess": t.ess,
        }  # fmt: skip
        by_test = {"kind": t.kind, "effect": t.effect, "p": t.p, "adjusted": t.adjusted}
        attrs = {
            "verdict": self.verdict, "reason": self.reason, "family": self.family,
            "reference": self.reference, "shift_seen": t.shift_seen, "scale_seen": t.scale_seen,
            "status": t.gate.status,
        }  # fmt: skip
        return xr.Dataset(
            {**{k: ("unit", v) for k, v in by_unit.items()},
             **{k: ("test", v) for k, v in by_test.items()}},
            {"unit": self.units}, attrs,
        )  # fmt: skip

    def to_arviz(self) -> Any:
        """The draws, with this comparison as the group "constant_data" and its verdict in attrs."""
        groups = {n: arviz_data.group(self.draws, n) for n in ("posterior", "sample_stats")}
        kept = {n: g for n, g in groups.items() if g is not None}
        told = {**attributes(self.draws), "comparison": self.verdict}
        return arviz_data.make({**kept, "constant_data": self.to_xarray()}, told)


def compare_posterior(
    E: Energy, C: Cost | CostFamily | None, params: Mapping[str, Any], x: Any = None,
    y: Any = None, *, beta: float = 1.0, temperature: float = 1.0, draws: Any,
    reference: Any = None, family: float = 1e-3,
) -> PosteriorComparison:  # fmt: skip
    """Judge posterior draws against the law p ∝ exp(−(E + βC)/T) around its rest point.

    Equation: gate (R-hat < 1.01 and ESS ≥ 400 for units, squares and totals, no divergences), then
    z tests of every mean, tests of every whitened variance and of their total, and equipartition
    ⟨(s − s*)·∂F/∂s⟩ = N·T, with Holm's correction over all of them at level `family`.
    Shapes: `draws` ArviZ data as of `posterior`; `reference` None, (mean, cov) over the stacked
    states, or an object with `.mean` and `.cov` (as un.inference.laplace returns).
    The reference is the exact normal law for F quadratic in the states. Otherwise it is Laplace's
    normal law at the mode, from which true draws differ: "disagrees" then says that they are
    enough to see it, and `tests.shift`, `tests.scale` by how much. Equipartition needs no
    reference: it holds for every proper law.
    Raises: InputError for draws of another energy, β or T, or a reference that does not fit.
    Reference: theory page D1–D3, G; Holm (1979).
    """
    problem = Problem.of(E, C, params, x, y, beta=beta, temperature=temperature)
    check_same(problem, draws, "draws")
    if not isinstance(family, float) or not 0 < family < 0.5:
        raise bad_input("family", "an error rate between 0 and 0.5", family, "use e.g. 1e-3")
    found = stacked(problem, draws)
    mean, cov, told = _law(problem, reference, (E, C, params, x, y))
    flat = found.reshape(-1, problem.size)
    slopes = -problem.stack(problem.evaluate("force", flat)).reshape(found.shape)
    tests = run_tests(found, mean, cov, slopes, problem.temperature, family, divergences(draws))
    verdict, reason = _verdict(tests, family)
    return PosteriorComparison(
        verdict, reason, problem.units, np.mean(flat, axis=0), np.std(flat, axis=0), mean,
        np.sqrt(np.diagonal(cov)), told, family, tests, draws,
    )  # fmt: skip


def _verdict(tests: Tests, family: float) -> tuple[str, str]:
    status = tests.gate.status
    if status != "converged":
        return "inconclusive", FAILED[status]
    worst = int(np.argmin(tests.p))
    if tests.adjusted[worst] < family:
        return "disagrees", f"{tests.kind[worst]}, adjusted p = {tests.adjusted[worst]:.2g}"
    if tests.shift_seen > SHIFT or tests.scale_seen > SCALE:
        return "inconclusive", (
            f"nothing rejected, but too few draws to notice a mean off by {SHIFT:g} sd or all sds "
            f"by {SCALE:.0%}; draw more"
        )
    return "agrees", f"nothing rejected, least adjusted p = {tests.adjusted[worst]:.2g}"


def _law(problem: Problem, reference: Any, given: Any) -> tuple[Any, Any, str]:
    """Mean and covariance of the reference, and what it is."""
    n = problem.size
    if reference is not None:
        pair = (
            (reference.mean, reference.cov) if hasattr(reference, "cov") else tuple(reference)
        )
        if len(pair) != 2 or np.shape(pair[0]) != (n,) or np.shape(pair[1]) != (n, n):
            raise bad_input("reference", f"(mean, cov) over {n} stacked units",
                            str([np.shape(p) for p in pair]), "leave it out")  # fmt: skip
        return np.asarray(pair[0], float), np.asarray(pair[1], float), "the reference given"
    if problem.program.kernels.quadratic:
        law = gaussian_law(problem)
        return law.mean, law.cov, "the exact normal law"
    E, C, params, x, y = given
    rest = map_estimate(E, C, params, x, y, beta=problem.beta, temperature=problem.temperature)
    centre = problem.stack(rest.state)
    hessian = require_definite(problem, hessian_at(problem, centre), " at the mode")
    cov = problem.temperature * np.linalg.inv(hessian)
    return centre, (cov + cov.T) / 2, "Laplace's normal law at the mode (approximate)"
