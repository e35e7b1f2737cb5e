"""Part of `unified meanfield`: what finitely many particles miss of the law, as a power of N."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from unified.commands.meanfield_flows import END, START, A, B, K, T
from unified.commands.meanfield_study import Study, order
from unified.meanfield import (
    Entropy,
    GaussianMeasure,
    Interaction,
    ParticleMeasure,
    Quadratic,
    closed_forms,
    solve_flow,
)
from unified.report import Check

SPREAD = 0.2  # of particles that start around B, where their limit keeps its mean
STEP = 0.25  # of Euler–Maruyama, whose discrete law is known
POWER = 0.05  # error allowed of a fitted power of N
DEVIATIONS = 4.0
REPLICAS = {100: 4000, 1000: 1000, 10000: 200}
WIDTH = 100  # coordinates of a flow of attracting particles, each a replica
FLOWS = {100: 100, 1000: 40, 10000: 4}
Samples = dict[int, Any]  # replicas of a squared error, or of a bias, for each N


def power(samples: Samples, root: bool) -> tuple[float, float]:
    """The fitted power of N of the mean over replicas (of its root), and its own error.

    Equation: weighted least squares of log means, each of relative error s.d./mean·√replicas.
    """
    means = np.array([np.mean(s) for s in samples.values()])
    errors = np.array([np.std(s, ddof=1) / np.sqrt(len(s)) for s in samples.values()]) / means
    share = 0.5 if root else 1.0
    fit, cov = np.polyfit(np.log(list(samples)), share * np.log(means), 1,
                          w=1 / (share * np.abs(errors)), cov="unscaled")  # fmt: skip
    return float(fit[0]), float(np.sqrt(cov[0, 0]))


def sampled(replicas: Mapping[int, int], seed: int, heat: float = T) -> dict[str, Samples]:
    """Squared errors of Langevin particles against the law: mean, second moment, distance W₂.

    Without attraction particles are independent, so that one flow holds all replicas.
    """
    F = Quadratic(A, B) + Entropy(heat)
    law = closed_forms.ornstein_uhlenbeck(A, B, T, START, END)
    m, v = law.m[0], law.sigma[0, 0]
    count = sum(n * r for n, r in replicas.items())
    start = START.to_particles(count, key=seed)
    flow = solve_flow(F, start, END, "langevin", dt=END / 2, key=seed, splitting=True, saves=1)
    ends = np.cumsum([n * r for n, r in replicas.items()])[:-1]
    own = np.split(flow.measures[-1].x[:, 0], ends)
    drawn = np.split(law.to_particles(count, key=seed + 1).x[:, 0], ends)
    names = ("mean", "second moment", "distance W₂", "W₂, drawn")
    found: dict[str, Samples] = {name: {} for name in names}
    for (n, r), x, y in zip(replicas.items(), own, drawn, strict=True):
        x, y = x.reshape(r, n), y.reshape(r, n)
        found["mean"][n] = (np.mean(x, axis=1) - m) ** 2
        found["second moment"][n] = (np.mean(x * x, axis=1) - m * m - v) ** 2
        found["distance W₂"][n] = squared_distances(x, law)
        found["W₂, drawn"][n] = squared_distances(y, law)
    return found


def squared_distances(x: Any, law: GaussianMeasure) -> Any:
    """W₂² of each row of (R, N) from a Gaussian, exactly.

    Equation: mean of x² − 2Σx_(i)c_i + m² + σ², c_i = ∫G⁻¹ds over ((i−1)/N, i/N).
    """
    from scipy.special import ndtri

    m, v, n = law.m[0], law.sigma[0, 0], x.shape[1]
    height = np.exp(-(ndtri(np.arange(n + 1) / n) ** 2) / 2) / np.sqrt(2 * np.pi)
    c = m / n - np.sqrt(v) * np.diff(height)
    return np.mean(x * x, axis=1) - 2 * np.sort(x, axis=1) @ c + m * m + v


def coupled(flows: Mapping[int, int], seed: int) -> dict[str, Samples]:
    """Particles that attract each other beside those of their limit, moved by the same noise.

    Every coordinate is a replica. D² is the squared distance of a particle from its own limit; the
    bias is what N particles have more of the second moment. Without the common noise the latter
    would drown: it falls as 1/N, the error of a second moment as 1/√N.
    """
    crowd = Quadratic(A, B) + Interaction(Quadratic(K)) + Entropy(T)
    alone = Quadratic(A + K, B) + Entropy(T)  # the limit, since its mean stays at B
    found: dict[str, Samples] = {"coupling": {}, "bias": {}}
    for n, count in flows.items():
        near, more = [], []
        for k in range(count):
            draws = np.random.default_rng([seed, n, k]).standard_normal((n, WIDTH))
            start = ParticleMeasure(B + np.sqrt(SPREAD) * draws)
            x, y = (solve_flow(F, start, END, "langevin", dt=STEP, key=seed + 1000 * k + n,
                               saves=1).measures[-1].x - B for F in (crowd, alone))  # fmt: skip
            near.append(np.mean((x - y) ** 2, axis=0))
            more.append(np.mean(x * x - y * y, axis=0))
        found["coupling"][n], found["bias"][n] = np.concatenate(near), np.concatenate(more)
    return found


def exact_bias() -> float:
    """N times the bias of the second moment after Euler–Maruyama's steps: v(A) − v(A + K).

    Equation: v⁺ = (1 − hλ)²v + 2hT for the mean, λ = A, and for what deviates from it, λ = A + K;
    a particle has a share 1/N of the former and 1 − 1/N of the latter.
    """
    v = {}
    for rate in (A, A + K):
        v[rate] = SPREAD
        for _ in range(round(END / STEP)):
            v[rate] = (1 - STEP * rate) ** 2 * v[rate] + 2 * STEP * T
    return v[A] - v[A + K]


def sampling_checks(found: Mapping[str, Samples]) -> list[Check]:
    """The fitted powers of `sampled`; its W₂ also against as many independent draws of the law."""
    checks = [
        _power(f"many.{name}", "Langevin, exact Ornstein–Uhlenbeck steps: root mean square error "
               f"of the {name}, power of N", *power(found[name], True), -0.5)
        for name in ("mean", "second moment", "distance W₂")
    ]  # fmt: skip
    pairs = zip(found["distance W₂"].values(), found["W₂, drawn"].values(), strict=True)
    off = max(abs(np.mean(a) - np.mean(b)) / np.sqrt(np.var(a) / len(a) + np.var(b) / len(b))
              for a, b in pairs)  # fmt: skip
    claim = ("their mean W₂² from the law is that of as many independent draws at every N, off by "
             "at worst, in standard deviations")  # fmt: skip
    return [*checks, Check.at_most("many.baseline", claim, off, DEVIATIONS)]


def coupling_checks(found: Mapping[str, Samples]) -> list[Check]:
    """The fitted powers of `coupled`, and the bias against its closed form."""
    (near, near_error), (more, more_error) = (power(found[k], k == "coupling") for k in found)
    exact = exact_bias()
    off = max(abs(n * np.mean(b) - exact) / (n * np.std(b, ddof=1) / np.sqrt(len(b)))
              for n, b in found["bias"].items())  # fmt: skip
    return [
        _power("many.coupling", "attracting particles: distance from their limit under the same "
               "noise (propagation of chaos), power of N", near, near_error, -0.5),
        _power("many.bias", "attracting particles: bias of the second moment, power of N", more,
               more_error, -1.0),
        Check.at_most("many.bias.value", f"N times that bias off v(A) − v(A+K) = {exact:.4f}, at "
                      "worst, in standard deviations", off, DEVIATIONS),
    ]  # fmt: skip


def control_check(found: Mapping[str, Samples]) -> Check:
    """Noise that is a tenth too warm: the second moment must stop at its own error."""
    slope, error = power(found["second moment"], True)
    told = (f"noise at 1.1 T is caught: the second moment's power of N, {slope:.3f} ± {error:.3f}, "
            "is off −1/2 by (at least 0.1)")  # fmt: skip
    off = abs(slope + 0.5)
    return Check("control.noise", told, "numeric", off, None, bool(off > 2 * POWER))


def _power(id: str, claim: str, found: float, error: float, declared: float) -> Check:
    return order(id, f"{claim} (± {error:.3f})", found, declared, POWER)


def many_particles(quick: bool, seed: int) -> Study:
    """Errors of N particles as powers of N: one over its root, or one over it."""
    replicas, flows = ({100: 4000, 1000: 2000}, {100: 60, 1000: 40}) if quick else (REPLICAS, FLOWS)
    alone, crowd = sampled(replicas, seed), coupled(flows, seed)
    warm = sampled({1000: 200, 10000: 50}, seed, 1.1 * T)
    checks = [*sampling_checks(alone), *coupling_checks(crowd), control_check(warm)]
    rows = []
    for name, samples in (alone | crowd).items():
        root = name != "bias"
        fit, own = power(samples, root)
        errors = {f"N = {n}": float(np.mean(s) ** (0.5 if root else 1)) for n, s in samples.items()}
        rows.append({"error": name, "power": fit, "of_its_own": own, **errors})
    return Study(checks, rows, {"counts": list(replicas)})
