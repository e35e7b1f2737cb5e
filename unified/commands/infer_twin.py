"""First step of `unified infer`: the linear twin, where everything has a closed form."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.commands.infer_study import (
    CHAINS,
    DRAWS,
    FAMILY,
    Finding,
    Study,
    compared,
    find_map,
    largest,
)
from unified.report import Check, Report

CLOSED, PYMC, PATH = 1e-12, 1e-6, 1e-4  # errors allowed: rounding, an optimiser's, quadrature's
SHIFT, SCALE = 0.15, 0.05  # mistakes that have to be noticed: in sds, and of an sd


def twin(study: Study) -> Finding:
    """A linear twin: relaxation, PyMC and closed forms give one law."""
    from unified.inference import (
        compare_posterior,
        evidence_by_output,
        gaussian_law,
        map_estimate,
        posterior,
    )
    from unified.inference.evidence import evidence
    from unified.inference.problem import Problem

    law = study.subject.twin
    problem = Problem.of(*law.given, **law.settings)
    rest, exact = map_estimate(*law.given, **law.settings), gaussian_law(problem)
    gap = largest(problem.stack(rest.state) - exact.mean)
    theirs = find_map(law)
    rough = largest(problem.stack(theirs.state) - exact.mean)
    checks = [Check.at_most(
        "infer.twin.map", "Linear twin: the nudged rest point is the posterior mean, found by a "
        "dense solve; largest difference", gap, CLOSED,
    ), Check(
        "infer.twin.pymc", "Linear twin: pm.find_MAP ends there too "
        f"({theirs.status}); largest difference", "numeric", rough, PYMC,
        theirs.converged and rough <= PYMC,
    )]  # fmt: skip
    logs = {m: evidence(*law.given, **law.settings, method=m) for m in ("exact", "laplace", "ti")}
    block = evidence_by_output(problem)
    for name, value, told, bar in (
        ("block", block, "the determinant over the outputs alone", 1e-10),
        ("laplace", logs["laplace"].value, "Laplace's approximation, exact here", 1e-10),
        ("ti", logs["ti"].value, "the integral of the mean cost over the nudge", PATH),
    ):
        checks.append(Check.at_most(
            f"infer.twin.evidence.{name}", f"Linear twin: log evidence by its closed form and by "
            f"{told}; difference in nats", abs(value - logs["exact"].value), bar,
        ))  # fmt: skip
    methods = {"exact": DRAWS, "nuts": 2000} if study.whole else {}
    rows, found = [], {}
    for method, count in methods.items():
        draws = posterior(*law.given, **law.settings, key=study.seed, method=method, draws=count,
                          chains=CHAINS, throw=False)  # fmt: skip
        found[method] = compare_posterior(*law.given, **law.settings, draws=draws, family=FAMILY)
        told = {"exact": "draws through block factors", "nuts": "PyMC's draws (NUTS)"}[method]
        checks.append(compared(
            f"infer.twin.draws.{method}", f"Linear twin: {told} follow the law of relaxation; "
            "least adjusted p is not below", found[method],
        ))  # fmt: skip
        rows += [{"draws": method, **row} for row in found[method].table()]
    for name, reference, told in _wrong(exact) if study.whole else ():
        seen = compare_posterior(*law.given, **law.settings, draws=found["nuts"].draws,
                                 reference=reference, family=FAMILY)  # fmt: skip
        checks.append(compared(f"infer.twin.control.{name}", f"Linear twin: a law with {told} is "
                               "caught; least adjusted p is below", seen, "disagrees"))  # fmt: skip
    facts = {
        "map_error": gap, "find_map_error": rough, "residual": float(rest.residual),
        "evidence_by_output": block,
        "evidence": {k: {"value": v.value, "error": v.error} for k, v in logs.items()},
        "tests": rows, "verdicts": {k: v.verdict for k, v in found.items()},
    }  # fmt: skip

    def write(page: Report) -> None:
        page.text(
            "The same weights without the `tanh`, and half the squared error for a cost: the law "
            f"of its {problem.size} states is normal, and each route below has an independent one "
            "to be checked against."
        )
        page.table([[k, v.value, v.error] for k, v in logs.items()] + [["m × m determinants",
                   block, None]], ["log evidence by", "nats", "error"])  # fmt: skip
        if rows:
            page.table(_shown(rows), caption="Tests of draws against the closed form: the worst "
                       "of each kind; p-values adjusted by Holm over all of them")  # fmt: skip

    return Finding("A linear twin: one law by three routes", checks, facts, [], write)


def _shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in ("p", "rejected")} for row in rows]


def _wrong(exact: Any) -> list[tuple[str, Any, str]]:
    """Laws with one mistake, which the comparison has to see."""
    sd = np.sqrt(np.diagonal(exact.cov))
    return [
        ("shift", (exact.mean + SHIFT * sd, exact.cov), f"all means off by {SHIFT} sd"),
        ("scale", (exact.mean, exact.cov * (1 + SCALE) ** 2), f"all sds off by {SCALE:.0%}"),
    ]
