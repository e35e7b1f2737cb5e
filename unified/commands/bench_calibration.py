"""The error rates of `compare_posterior`: true draws it rejects, false draws it notices."""

from __future__ import annotations

from typing import Any

SEEDS, CONTROLS = 400, 150
CHAINS, DRAWS, UNITS, INPUTS, UNIT = 4, 1000, 20, 10, 3
FAMILY, LOOSE = 1e-3, 0.05
NOTICED, CONFIDENCE = 0.9, 0.95


def calibrations(seeds: int = SEEDS, controls: int = CONTROLS) -> list[dict[str, Any]]:
    """Independent draws of a normal law of 20 units, judged by the protocol seed by seed.

    True draws: the share of verdicts "disagrees" at family 1e-3, and that at 0.05, where it is
    large enough to be counted. Draws with the mean of one unit off by 0.15 sd, or with all sds off
    by 5 %: the share noticed; and the same for the shift and the scale of which each report says
    that they would be noticed 9 times in 10. All with exact (Clopper–Pearson) intervals.
    """
    import numpy as np

    from unified.commands.bench import bar
    from unified.commands.bench_posterior import BETA, HEAT, linear_gaussian_case
    from unified.inference import compare_posterior
    from unified.inference.compare import SCALE, SHIFT
    from unified.inference.draws import gate, to_data
    from unified.inference.problem import Problem

    *given, (mean, cov) = linear_gaussian_case(UNITS, INPUTS, 0)
    settings: dict[str, Any] = {"beta": BETA, "temperature": HEAT}
    problem = Problem.of(*given, **settings)
    root, unit = np.linalg.cholesky(cov), np.eye(UNITS)[UNIT] * np.sqrt(cov[UNIT, UNIT])

    def judged(seed: int, shift: float = 0.0, scale: float = 0.0) -> Any:
        noise = np.random.default_rng(seed).standard_normal((CHAINS, DRAWS, UNITS))
        draws = mean + (1 + scale) * noise @ root.T + shift * unit
        data = to_data(problem, draws, "exact", gate(draws), {})
        return compare_posterior(*given, **settings, draws=data, family=FAMILY)

    true = [judged(k) for k in range(seeds)]
    least = np.array([np.min(f.tests.adjusted) for f in true])
    unsure = sum(f.verdict == "inconclusive" for f in true)
    found = []
    for rate in (FAMILY, LOOSE):
        count = sum(f.verdict == "disagrees" for f in true) if rate == FAMILY else sum(least < rate)
        low, high = clopper_pearson(int(count), seeds)
        found.append(bar(
            f"calibration alarms {rate:g}", f"true draws rejected: {count} of {seeds} (95 %: "
            f"{low:.4f} to {high:.4f}); lower limit", low, rate, count=int(count), seeds=seeds,
            rate=count / seeds, upper=high, inconclusive=unsure,
        ))  # fmt: skip
    fresh = range(seeds, seeds + controls)  # not the seeds that were just told to be true
    told = {"shift": f"a mean off by {SHIFT:g} sd", "scale": f"sds off by {SCALE:.0%}"}
    for name, size in (("shift", SHIFT), ("scale", SCALE)):
        said = [getattr(f.tests, f"{name}_seen") for f in true[:controls]]
        count = sum(judged(k, **{name: size}).verdict == "disagrees" for k in fresh)
        edge = sum(judged(k, **{name: v}).verdict == "disagrees"
                   for k, v in zip(fresh, said, strict=False))  # fmt: skip
        low, high = clopper_pearson(count, controls)
        below, above = clopper_pearson(edge, controls)
        found += [
            bar(f"calibration power {name}", f"{told[name]} missed: {controls - count} of "
                f"{controls}; upper limit (95 %)", 1 - low, 1 - NOTICED, count=count,
                seeds=controls, upper=high),
            bar(f"calibration claim {name}", f"what reports say is noticed 9 times in 10 was "
                f"{edge} times in {controls} (95 %: {below:.3f} to {above:.3f}); missed, lower "
                "limit", 1 - above, 1 - NOTICED, count=edge, seeds=controls, lower=below,
                size=float(np.median(said))),
        ]  # fmt: skip
    return found


def clopper_pearson(count: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact interval of a rate that was seen `count` times of `of`."""
    from scipy import stats

    found = stats.binomtest(count, of).proportion_ci(confidence, method="exact")
    return float(found.low), float(found.high)
