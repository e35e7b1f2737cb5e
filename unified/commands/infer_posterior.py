"""Steps of `unified infer`: the most probable state, the posterior around it, the temperature."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from unified.commands.infer_study import (
    APART,
    CHAINS,
    DRAWS,
    FAMILY,
    WARMUP,
    Finding,
    Study,
    find_map,
    largest,
)
from unified.commands.infer_twin import PYMC
from unified.report import Check, Report, new_axes
from unified.report.figures import PALETTE, legend_above, tidy
from unified.report.plots_inference import plot_energy_slice, plot_posterior_forest

RESIDUAL = 1e-10
COLDER = (0.1, 0.05, 0.02)
WIDE = 3.0  # half the width of a slice of the energy, in standard deviations


def mode(study: Study) -> Finding:
    """The most probable state: relaxation against PyMC's optimiser, and against the mean."""
    net, problem, found = study.subject.net, study.problem, study.report
    rest = found.law.mode
    scores = np.abs(found.mean - found.map) / found.mean_se
    clear = float(stats.norm.isf(FAMILY / (2 * problem.size)))
    left = np.linalg.norm(found.mean - found.mean_predicted) / np.linalg.norm(
        found.mean - found.map)  # fmt: skip
    checks = [
        Check.at_most("infer.map.residual", "Net: residual of the nudged phase",
                      float(rest.residual), RESIDUAL),
        Check("infer.map.mean", "Net: the mean is another point; its distance from the rest point "
              "in standard errors is above", "numeric", largest(scores), clear,
              largest(scores) > clear),
        Check.at_most("infer.map.order", "Net: the first order in T explains that distance; the "
                      "share left over", float(left), 0.5),
    ]  # fmt: skip
    rows: list[list[Any]] = []
    facts: dict[str, Any] = {}
    if study.whole:
        theirs = find_map(net)
        gap = largest(problem.stack(theirs.state) - found.map)
        checks.append(Check(
            "infer.map.pymc", "Net: the nudged rest point is the state pm.find_MAP ends in "
            f"({theirs.status}); largest difference", "numeric", gap, PYMC,
            theirs.converged and gap <= PYMC,
        ))  # fmt: skip
        rows.append(["pm.find_MAP from the rest point, largest", f"{gap:.1e}"])
        facts["find_map"] = {
            "difference": gap, "status": theirs.status, "residual": theirs.residual,
            "evaluations": theirs.evaluations,
        }  # fmt: skip
    unit = int(np.argmax(scores))
    figures = study.save(plot_energy_slice(_slice(study, unit)), "slice")
    far = {
        "mean": found.in_deviations("mean"), "marginal_modes": found.in_deviations("marginal"),
        "marginal_modes_se": largest(found.marginal_se / found.sd),
        "marginal_modes_first_order": found.in_deviations("marginal_predicted"),
        "laplace_sd": largest(found.sd_laplace / found.sd - 1),
    }  # fmt: skip
    facts |= {
        "residual": float(rest.residual), "from_map_in_sd": far, "left_by_first_order": left,
        "units": problem.units, "map": found.map, "mean": found.mean, "mean_se": found.mean_se,
        "marginal_modes": found.marginal, "sd": found.sd, "sd_laplace": found.sd_laplace,
    }  # fmt: skip

    def write(page: Report) -> None:
        page.text(
            "Relaxation finds the most probable state. The mean of the posterior and the modes of "
            "single units are others, since the law is not normal; the first order in T says "
            "where the mean is."
        )
        page.table([
            *rows,
            ["mean from the rest point, in sd", f"{far['mean']:.2f}"],
            ["modes of single units from it, in sd (sampled, standard error at most)",
             f"{far['marginal_modes']:.2f} ({far['marginal_modes_se']:.2f})"],
            ["the same to first order in T", f"{far['marginal_modes_first_order']:.2f}"],
            ["share of the mean's shift that the first order leaves", f"{left:.0%}"],
            ["Laplace's standard deviations off by up to", f"{far['laplace_sd']:.0%}"],
        ], ["what", "how far"])  # fmt: skip
        study.show(page, figures, f"Energy along the unit whose mean is farthest, "
                   f"{problem.units[unit]}, the others following it.")  # fmt: skip

    return Finding("MAP is the nudged rest point, and not the mean", checks, facts, figures, write)


def _slice(study: Study, unit: int) -> dict[str, Any]:
    """F, and Laplace's parabola, along one unit, the others following as Laplace's law says."""
    found, problem = study.report, study.problem
    follow = found.law.cov[:, unit] / found.law.cov[unit, unit]
    steps = np.linspace(-WIDE, WIDE, 128) * found.sd[unit]
    states = found.map + steps[:, None] * follow
    return {
        "position": states[:, unit], "temperature": problem.temperature,
        "energy": {
            "F": problem.evaluate("energy", states)["F"],
            "Laplace's": 0.5 * problem.temperature * steps**2 / found.law.cov[unit, unit],
        },
        "marks": {"MAP": found.map[unit], "mean": found.mean[unit],
                  "marginal mode": found.marginal[unit]},
        "along": problem.units[unit],
    }  # fmt: skip


def draws(study: Study) -> Finding:
    """The posterior: two samplers against each other and against Laplace's law."""
    from unified.inference import compare_posterior, posterior

    net, problem, report = study.subject.net, study.problem, study.report
    samplers = {"langevin": (DRAWS, WARMUP)} | ({"nuts": (2000, 1000)} if study.whole else {})
    checks, rows, found = [], [], {}
    for name, (count, tune) in samplers.items():
        data = posterior(*net.given, **net.settings, key=(study.seed + 1) % 2**31, method=name,
                         draws=count, tune=tune, chains=CHAINS, throw=False)  # fmt: skip
        found[name] = compare_posterior(*net.given, **net.settings, draws=data, family=FAMILY)
        t = found[name].tests
        at = t.kind == "equipartition"
        checks += [
            Check.holds(f"infer.draws.{name}.gate", f"Net: draws by {name} pass the gate "
                        f"(R-hat up to {np.max(t.gate.rhat):.4f}, effective sample size down to "
                        f"{np.min(t.gate.ess):.0f}): {t.gate.status}",
                        t.gate.status == "converged"),
            Check(f"infer.draws.{name}.equipartition", f"Net: draws by {name} obey equipartition, "
                  "as any proper law; adjusted p is not below", "numeric",
                  float(t.adjusted[at][0]), FAMILY, bool(t.adjusted[at][0] >= FAMILY)),
        ]  # fmt: skip
        rows.append({"draws": name, "Laplace's law": found[name].verdict,
                     "mean off by (sd)": largest(t.shift), "sd off by": largest(t.scale - 1),
                     "R-hat": float(np.max(t.gate.rhat)),
                     "effective size": float(np.min(t.gate.ess))})  # fmt: skip
    names = list(found)
    # Independent draws: those of the report stand in for a second sampler in a quick run.
    other = (report.mean, report.mean_se)
    last = found[names[-1]]
    own = last.sd / np.sqrt(last.tests.ess)
    score = largest((last.mean - other[0]) / np.hypot(own, other[1]))
    bar = float(stats.norm.isf(FAMILY / (2 * problem.size)))
    checks.append(Check.at_most(
        "infer.draws.agree", f"Net: means by {names[-1]} and by independent Langevin chains are "
        "apart by at most so many standard errors, over all units", score, bar,
    ))  # fmt: skip
    forest = {"unit": problem.units, "mean": last.mean, "sd": last.sd, "map": report.map,
              "others": {"mean to first order in T": report.mean_predicted}}  # fmt: skip
    figures = study.save(plot_posterior_forest(forest), "posterior")
    facts = {"samplers": rows, "standard_errors_apart": score,
             "mean": last.mean, "sd": last.sd, "sampler": names[-1]}  # fmt: skip

    def write(page: Report) -> None:
        page.text(
            "Laplace's normal law is only the leading order here: enough draws tell it from the "
            "posterior, and the table says by how much it is off. The draws themselves are checked "
            "by equipartition and against each other."
        )
        page.table(rows)
        study.show(page, figures, f"Posterior by {names[-1]} beside the relaxed state, per unit.")

    return Finding("The posterior around it", checks, facts, figures, write)


def temperature(study: Study) -> Finding:
    """Temperature: how mean and rest point meet as T falls."""
    net = study.subject.net
    reports = {net.temperature: study.report} | {t: study.report_at(t) for t in COLDER}
    rows = []
    for heat, r in reports.items():
        shift, wanted = r.mean - r.map, r.mean_predicted - r.map
        size = float(np.linalg.norm(wanted))
        along = wanted / size
        rows.append({
            "T": heat, "shift": float(shift @ along), "predicted": size,
            "se": float(np.sqrt(np.sum((r.mean_se * along) ** 2))),
            "mean_sd": r.in_deviations("mean"),
            "marginal_sd": r.in_deviations("marginal_predicted"),
            "laplace_sd": float(np.sqrt(np.mean((r.sd_laplace / r.sd - 1) ** 2))),
        })  # fmt: skip
    cold, hot = rows[-1], rows[0]
    score = abs(cold["shift"] - cold["predicted"]) / cold["se"]
    checks = [
        Check.at_most("infer.temperature.shift", f"Net at T = {cold['T']}: the mean's distance "
                      "from the rest point is that of the first order in T; off by so many "
                      "standard errors", score, APART),
        Check("infer.temperature.seen", f"Net at T = {cold['T']}: that distance is seen; its size "
              "in standard errors is above", "numeric", cold["shift"] / cold["se"], APART,
              cold["shift"] > APART * cold["se"]),
        Check.at_most("infer.temperature.laplace", "Net: Laplace's standard deviations are off by "
                      f"less at T = {cold['T']} than at T = {hot['T']}; ratio of r.m.s. errors",
                      cold["laplace_sd"] / hot["laplace_sd"], 0.5),
    ]  # fmt: skip
    figures = study.save(_meeting(rows), "temperature")

    def write(page: Report) -> None:
        page.text("The nudge stays; only the noise changes. The rest point does not move with T, "
                  "the mean comes to it like T.")  # fmt: skip
        page.table(
            [[r["T"], r["shift"], r["se"], r["predicted"], r["mean_sd"], r["marginal_sd"],
              f"{r['laplace_sd']:.1%}"] for r in rows],
            ["T", "mean − rest point", "s.e.", "first order", "farthest mean (sd)",
             "farthest marginal mode, first order (sd)", "Laplace's sd off by (r.m.s.)"],
        )  # fmt: skip
        study.show(page, figures, "Distance of the mean from the rest point against temperature.")

    return Finding("Temperature", checks, {"rows": rows}, figures, write)


def _meeting(rows: list[dict[str, Any]]) -> Any:
    """The mean's distance from the rest point against T."""
    ax = tidy(new_axes())
    heats = [r["T"] for r in rows]
    ax.errorbar(heats, [r["shift"] for r in rows], yerr=[2 * r["se"] for r in rows], fmt="o",
                color=PALETTE[0], capsize=3, label="sampled ± 2 s.e.")  # fmt: skip
    ax.plot(heats, [r["predicted"] for r in rows], "--", color=PALETTE[1], label="first order in T")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(heats, [f"{t:g}" for t in heats])
    levels = [v for v in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
              if rows[-1]["predicted"] / 2 < v < 2 * rows[0]["predicted"]]  # fmt: skip
    ax.set_yticks(levels, [f"{v:g}" for v in levels])
    ax.minorticks_off()
    ax.set_xlabel("temperature T (units of energy)")
    ax.set_ylabel("mean − rest point (units of the activity)")
    legend_above(ax)
    return ax
