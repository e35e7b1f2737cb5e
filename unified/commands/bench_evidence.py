"""The bars on the evidence of a linear-Gaussian law: three routes against the closed form."""

from __future__ import annotations

from typing import Any

UNITS, INPUTS, BETA, HEAT = 20, 10, 0.7, 0.5
CLOSED, QUADRATURE, SCATTER = 1e-10, 1e-4, 3.0


def evidences() -> list[dict[str, Any]]:
    """Linear-Gaussian n = 20, m = 10: closed form, block determinants, quadrature, annealing.

    The hidden units are 20 and the outputs 10 of a linear predictive chain, and 20 units with 10
    inputs of one quadratic well. The oracle is log N(y; mean, S) by SciPy, S = T(Σ_out + 1/β).
    """
    import numpy as np

    from unified.commands.bench import bar
    from unified.energies import costs, linear_gaussian, predictive
    from unified.inference.evidence import evidence_of
    from unified.inference.evidence_wells import evidence_by_output
    from unified.inference.problem import Problem

    rng = np.random.default_rng(0)
    found: list[dict[str, Any]] = []
    for energy in (linear_gaussian(UNITS, INPUTS), predictive([4, UNITS, INPUTS], f="identity")):
        params = _params(energy, rng)
        x = rng.normal(size=energy.sizes[energy.inputs[0].axes[0]])
        y = rng.normal(size=energy.sizes[energy.output.axes[0]])
        problem = Problem.of(energy, costs.squared(), params, x, y, beta=BETA, temperature=HEAT)
        oracle = _by_hand(energy.name, params, x, y)
        exact = evidence_of(problem, "exact")
        blocks = evidence_by_output(problem)
        path = evidence_of(problem, "ti")
        runs = evidence_of(problem, "smc", key=0)
        name = f"evidence {energy.name}"
        found += [
            bar(f"{name} exact", "nats: closed form - block determinants",
                float(max(abs(exact.value - blocks), abs(exact.value - oracle))), CLOSED,
                nats=oracle),
            bar(f"{name} ti", "nats: quadrature over the nudge - closed form",
                abs(path.value - oracle), QUADRATURE, claimed=path.error,
                nodes=len(path.details["betas"])),
            bar(f"{name} smc", "standard errors of 8 annealed runs off the closed form",
                float(abs(runs.value - oracle) / runs.error), SCATTER, error=runs.error),
        ]  # fmt: skip
    return found


def _params(energy: Any, rng: Any) -> dict[str, Any]:
    """Random parameters; symmetric ones positive definite."""
    import numpy as np

    found = {}
    for p in energy.params:
        value = rng.normal(size=tuple(energy.sizes[a] for a in p.axes))
        n = value.shape[-1]
        found[p.name] = value @ value.T / n + 0.5 * np.eye(n) if p.symmetric else value / n**0.5
    return found


def _by_hand(name: str, params: Any, x: Any, y: Any) -> float:
    """log of the Gaussian likelihood of the output, less its normaliser (theory D4, C4)."""
    import numpy as np
    from scipy.stats import multivariate_normal

    if name == "linear_gaussian":
        spread = np.linalg.inv(params["A"])
        mean = spread @ (params["b"] + params["U"] @ x)
    else:
        spread = np.eye(len(y)) + params["W2"] @ params["W2"].T
        mean = params["W2"] @ (params["W1"] @ x + params["b1"]) + params["b2"]
    cover = HEAT * (spread + np.eye(len(y)) / BETA)
    return float(
        multivariate_normal(mean, cover).logpdf(y)
        + 0.5 * len(y) * np.log(2 * np.pi * HEAT / BETA)
    )
