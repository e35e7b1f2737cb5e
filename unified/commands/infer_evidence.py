"""Steps of `unified infer`: the evidence of the label, and the gradient of the evidence."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.commands.infer_study import APART, CHAINS, DRAWS, FAMILY, WARMUP, Finding, Study
from unified.report import Check, Report
from unified.report.plots_inference import plot_mean_cost

SEEDS = 1000  # apart, so that no two labels share noise
STAGES = 64  # with 32 the weights of this net have a tail index of 0.66, just below what is refused


def evidence(study: Study) -> Finding:
    """The evidence of the label: three routes beside each other, and all labels together."""
    from unified.inference.evidence import evidence as log_evidence

    net, subject = study.subject.net, study.subject
    seed = study.seed
    found = {"laplace": log_evidence(*net.given, **net.settings, method="laplace")}
    found["ti"] = path = log_evidence(
        *net.given, **net.settings, method="ti", key=seed, draws=DRAWS, chains=CHAINS,
        warmup=WARMUP,
    )  # fmt: skip
    labels = np.eye(len(net.y))
    by_label = {"laplace": [_of(study, y, method="laplace") for y in labels]}
    gap = abs(found["laplace"].value - path.value)
    checks = [
        Check.at_most("infer.evidence.laplace", "Net: Laplace's log evidence differs from the "
                      "integral of the mean cost by at most twice its own error estimate; nats",
                      gap, 2 * found["laplace"].error + path.error),
        Check("infer.evidence.order", "Net: the next order in T brings Laplace's log evidence "
              "closer to the integral; distance left in nats, distance before", "numeric",
              abs(found["laplace"].value + found["laplace"].details["correction"] - path.value),
              gap, abs(found["laplace"].value + found["laplace"].details["correction"]
                       - path.value) < gap),
    ]  # fmt: skip
    if study.whole:
        by_label["smc"] = [_of(study, y, method="smc", key=(seed + SEEDS * k) % 2**31)
                           for k, y in enumerate(labels, start=1)]  # fmt: skip
        found["smc"] = by_label["smc"][subject.label]
        apart = abs(found["smc"].value - path.value) / np.hypot(found["smc"].error, path.error)
        shares = np.exp([v.value for v in by_label["smc"]])
        total = float(np.sum(shares))
        noise = float(np.linalg.norm(shares * [v.error for v in by_label["smc"]]))
        checks += [
            Check.at_most("infer.evidence.smc", "Net: log evidence by annealed particles and by "
                          "the integral of the mean cost; difference in standard errors",
                          float(apart), APART),
            Check.at_most("infer.evidence.total", f"Net: the evidences of all {len(labels)} labels "
                          f"add up to 1 (annealed: {total:.3f} ± {noise:.3f}); off by, in standard "
                          "errors", abs(total - 1) / noise, APART),
        ]  # fmt: skip
    figures = study.save(plot_mean_cost(path.to_xarray()), "mean_cost")
    rows = [{"method": k, "log evidence": v.value, "error": v.error, "status": v.status}
            for k, v in found.items()]  # fmt: skip
    shown = [
        {"label": k, "forward pass": float(subject.forward[k]),
         **{m: float(np.exp(v[k].value)) for m, v in by_label.items()}}
        for k in range(len(labels))
    ]  # fmt: skip
    facts = {"routes": rows, "labels": shown, "curve": {
        k: path.details[k] for k in ("betas", "means", "se")}}  # fmt: skip

    def write(page: Report) -> None:
        page.text(
            "At β = T the factor exp(−βC/T) is the softmax probability of the label, so that the "
            "evidence is p(label | image) with the noise of every layer averaged over. Over all "
            "labels it adds up to 1, which no route was told."
        )
        page.table(rows, caption=f"log p(label {subject.label} | image), nats")
        page.table(shown, caption="Probability of every label: one forward pass without noise, "
                   "and the evidence")  # fmt: skip
        study.show(page, figures, "Mean cost along the nudge; its integral is −T times the log "
                   "evidence.")  # fmt: skip

    return Finding("Evidence of the label", checks, facts, figures, write)


def _of(study: Study, y: Any, **settings: Any) -> Any:
    """The evidence of another label."""
    from unified.inference.evidence import evidence as log_evidence

    net = study.subject.net
    energy, cost, params, x, _ = net.given
    return log_evidence(energy, cost, params, x, y, **net.settings, **settings)


def gradient(study: Study) -> Finding:
    """Boltzmann learning: the gradient of the evidence by nudge, by fluctuations, and as it is."""
    from unified.inference import thermal_gradients

    net = study.subject.net
    found = thermal_gradients(*net.given, **net.settings, key=study.seed, draws=DRAWS,
                              chains=CHAINS, warmup=WARMUP, stages=STAGES)  # fmt: skip
    apart = found.disagreement()  # by Student's law, and Holm over all entries of all pairs
    whole, rule = found.difference("nudge", "laplace"), found.difference("nudge", "map_rule")
    lack = float(np.linalg.norm(np.concatenate([np.ravel(v) for v in found.logdet_term.values()])))
    checks = [
        Check(f"infer.gradient.{name}", f"Net: {told} are one gradient; least p-value over all "
              "entries, adjusted for all ways, family error", "numeric", apart[f"nudge, {name}"],
              FAMILY, apart[f"nudge, {name}"] >= FAMILY)
        for name, told in (
            ("fluctuation", "difference of nudged and free averages, and covariance with the cost "
             "along the nudge,"),
            ("evidence", "difference of nudged and free averages, and derivative of an estimate "
             "of the evidence by weighted particles,"))
    ]  # fmt: skip
    checks += [
        Check("infer.gradient.logdet", "Net: the log-determinant term brings the rule at the two "
              "rest points closer to the gradient of the evidence; relative distance left, "
              "distance before", "numeric", whole, rule, whole < rule),
    ]  # fmt: skip
    third = found.difference("nudge", "evidence")
    rows = [
        ["fluctuations along the nudge", found.difference()],
        ["derivative of the evidence, by weighted particles", third],
        ["rest points and log-determinants (first order in T)", whole],
        ["rest points alone (what EP and PC use)", rule],
    ]
    facts = {"relative_differences": {k: v for k, v in rows}, "logdet_term": lack,
             "least_p": apart, "effective_size": found.slope.ess if found.slope else None}

    def write(page: Report) -> None:
        page.text(
            "The gradient of −log p(label | image) is a difference of two averages, nudged and "
            "free: Boltzmann learning. The rule at the two rest points lacks half the gradient of "
            "the log-determinant; the table says how much that is here."
        )
        page.table(rows, ["route", "relative distance from the difference of averages"])

    return Finding("Boltzmann learning", checks, facts, [], write)
