"""The EP gradient at a temperature, three ways: nudge, fluctuations, slope of the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.base.multiplicity import holm
from unified.dynamics.averages import SEGMENTS, pullback, stretches
from unified.dynamics.langevin import check_key
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.inference.evidence_slope import EvidenceSlope, evidence_slope
from unified.inference.free_energy import Gradient, LawGradients, law_gradients
from unified.inference.groups import as_arviz, law_attrs
from unified.inference.laplace import laplace_of
from unified.inference.problem import Problem
from unified.inference.sampling import sample_wells

WAYS = ("nudge", "fluctuation", "evidence")
EXACT_NODES = 32
ROUNDING = 1e-9  # by which exact ways may differ, relative to the gradient


@dataclass(frozen=True)
class ThermalGradient:
    """The gradient by θ of −T log(Z_b/Z_a)/(b − a), the mean cost between two nudges a and b.

    Equation: `nudge` (⟨∂F/∂θ⟩_b − ⟨∂F/∂θ⟩_a)/(b − a); `fluctuation` the mean over nudges between a
    and b of −Cov(∂F/∂θ, C)/T + ⟨∂C/∂θ⟩; `evidence` −T ∂_θ log(Z_b/Z_a)/(b − a), an estimate of
    both Z differentiated by θ (`slope`, an `EvidenceSlope`). All three are equal: for Gaussian laws
    in closed form (`exact`), else sampled, with standard errors `se` and independent noise.
    `laplace` is `evidence` with log Z by Laplace, exact for Gaussians, else to first order in T.
    (b − a)·`nudge` at a = 0, b = T = 1 is the gradient of −log evidence: Boltzmann learning.
    `map_rule` is the same contrast of ∂F/∂θ at the two rest points, which lacks `logdet_term`
    (T/2)(tr H_b⁻¹∂_θF″_b − tr H_a⁻¹∂_θF″_a)/(b − a).
    Shapes: dicts as the parameters. `status` by way: "converged", or why it is not to be trusted.
    Reference: theory pages B7, D4.
    """

    problem: Problem
    ends: tuple[float, float]
    nudge: Gradient
    fluctuation: Gradient
    evidence: Gradient
    laplace: Gradient
    map_rule: Gradient
    logdet_term: Gradient
    exact: bool
    se: dict[str, Gradient]
    slope: EvidenceSlope | None
    status: dict[str, str]

    @property
    def contrast(self) -> Gradient:
        """⟨∂F/∂θ⟩_b − ⟨∂F/∂θ⟩_a: for a = 0, b = T = 1 the gradient of −log evidence."""
        return {k: (self.ends[1] - self.ends[0]) * v for k, v in self.nudge.items()}

    def difference(self, first: str = "nudge", second: str = "fluctuation") -> float:
        """|a − b|/|b| of two of the ways, over all parameters together."""
        a, b = (_flat(getattr(self, name)) for name in (first, second))
        return float(np.linalg.norm(a - b) / np.linalg.norm(b))

    def scores(self, first: str = "nudge", second: str = "fluctuation") -> Any:
        """(a − b)/standard error, entry by entry, of sampled ways, with independent noise.

        0 where neither way has noise and both say the same: a weight of an input that is 0, say.
        """
        a, b = (_flat(getattr(self, name)) for name in (first, second))
        square = sum(_flat(self.se[n]) ** 2 for n in (first, second) if n in self.se)
        sure = (square == 0) & (a == b)
        return np.where(sure, 0.0, a - b) / np.sqrt(np.where(sure, 1.0, square))

    def disagreement(self) -> dict[str, float]:
        """The least p-value of every pair of ways, adjusted by Holm over all entries of all pairs.

        Standard errors come of SEGMENTS pieces each, so that scores follow Student's law or are
        nearer to 0. Exact ways: 1 if they differ by rounding only, else 0.
        Raises: ConvergenceError if a way is not to be trusted.
        """
        from scipy import stats

        bad = [f"{way}: {told}" for way, told in self.status.items() if told != "converged"]
        if bad:
            raise ConvergenceError(f"thermal_gradients: {'; '.join(bad)}.", ("inconclusive",))
        pairs = [(a, b) for k, a in enumerate(WAYS) for b in WAYS[k + 1 :]]
        if self.exact:
            return {f"{a}, {b}": float(self.difference(a, b) < ROUNDING) for a, b in pairs}
        p = holm([2 * stats.t.sf(np.abs(self.scores(*pair)), SEGMENTS - 1) for pair in pairs])
        return {", ".join(pair): float(np.min(v)) for pair, v in zip(pairs, p, strict=True)}

    def to_xarray(self) -> Any:
        """The three ways, the MAP rule and the term it lacks, as an xarray.Dataset."""
        import xarray as xr

        found = {}
        for way in (*WAYS, "laplace", "map_rule", "logdet_term"):
            for name, v in getattr(self, way).items():
                dims = tuple(f"{name}_dim_{k}" for k in range(np.ndim(v)))
                found[f"{way}_{name}"] = (dims, v)
        for way, errors in self.se.items():
            found |= {f"{way}_{k}_se": (found[f"{way}_{k}"][0], v) for k, v in errors.items()}
        told = {"from": self.ends[0], "to": self.ends[1], "exact": int(self.exact)}
        return xr.Dataset(found, attrs=law_attrs(self.problem) | told
                          | {f"status_{k}": v for k, v in self.status.items()})  # fmt: skip

    def to_arviz(self) -> Any:
        """The same in the group `thermal`."""
        return as_arviz(self.problem, {"thermal": self.to_xarray()})

    def __repr__(self) -> str:
        size = np.linalg.norm(_flat(self.nudge))
        apart = max(self.difference(a, b) for a, b in zip(WAYS, WAYS[1:] + WAYS[:1], strict=True))
        off = self.difference("laplace", "evidence")
        how, told = "exact", ""
        if self.slope is not None:
            how = f"sampled; evidence by weights of effective size {np.min(self.slope.ess):.0f}"
            noise = np.linalg.norm(_flat(self.se["evidence"]))
            told = f" +- {noise / np.linalg.norm(_flat(self.evidence)):.2g}"
        bad = "".join(f"; {k}: {v}" for k, v in self.status.items() if v != "converged")
        lack = np.linalg.norm(_flat(self.logdet_term))
        return (
            f"ThermalGradient(beta {self.ends[0]:g} to {self.ends[1]:g}, "
            f"T={self.problem.temperature:g}, {how}: |gradient| {size:.4g}, three ways differ by "
            f"{apart:.2g} of it, Laplace's slope by {off:.2g}{told}, log-determinant term "
            f"{lack:.3g}{bad})"
        )


def thermal_gradients(
    E: Energy, C: Cost | CostFamily, params: Mapping[str, Any],
    x: Any = None, y: Any = None, *, beta: float = 1.0, temperature: float = 1.0,
    centered: bool = False, key: int | None = None, nodes: int = 3, draws: int = 4000,
    chains: int = 4, warmup: int = 200, stages: int = 32, throw: bool = True,
) -> ThermalGradient:  # fmt: skip
    """The gradient of the mean cost between nudges 0 and β (`centered`: −β and β), three ways.

    Equation: see `ThermalGradient`; β → 0 is d⟨C⟩_0/dθ, β = T = 1 is −∂_θ log evidence.
    Quadratic energies: closed forms. Others: `draws` of `chains` at either end and at `nodes`
    Gauss–Legendre points between, by chains in every well found, gated; and as many weighted
    particles at either end, led to the law in `stages` steps. `key` decides the noise.
    Shapes: x, y one sample; gradients as the parameters.
    Raises: InputError for T ≤ 0, β ≤ 0, no parameters, improper laws, or settings out of range;
    ConvergenceError if chains do not mix, or (unless throw=False) if weights are too uneven.
    Reference: Kubo (1966), Rep. Prog. Phys. 29, 255; Ackley, Hinton & Sejnowski (1985), Cognitive
    Science 9, 147; theory pages B7, D4.
    """
    problem = Problem.of(E, C, params, x, y, beta=beta, temperature=temperature)
    if problem.program.cost_model is None or problem.beta <= 0:
        raise bad_input("beta", "a nudge above 0 by a cost", problem.beta,
                        "pass beta > 0; centered=True nudges both ways")  # fmt: skip
    if not problem.program.model.params:
        raise bad_input("energy", "parameters to differentiate by", "none", "declare params=")
    a, b = -problem.beta if centered else 0.0, problem.beta
    low, high = (law_gradients(laplace_of(problem.at(v))) for v in (a, b))

    def slope(part: str) -> Gradient:
        first, last = getattr(low, part), getattr(high, part)
        return {k: (v - first[k]) / (b - a) for k, v in last.items()}

    shared = (slope("free"), slope("rule"), slope("spread"))
    if problem.program.kernels.quadratic:
        inside = _between(problem, a, b)
        fine = dict.fromkeys(WAYS, "converged")
        return ThermalGradient(problem, (a, b), slope("mean"), inside, shared[0], *shared, True,
                               {}, None, fine)  # fmt: skip
    if key is None:
        raise bad_input("key", "a whole number, since the means are sampled", "none", "pass key=0")
    check_key(key)
    if draws < 2 * SEGMENTS or nodes < 1:
        raise bad_input("draws, nodes", f"at least {2 * SEGMENTS} and 1", (draws, nodes), "raise")
    if stages < 1:
        raise bad_input("stages", "a whole number of at least 1", stages, "use e.g. 32")
    settings = {"draws": draws, "chains": chains, "warmup": warmup}
    means = [_sampled(problem.at(v), key, settings)[0] for v in (a, b)]  # the same noise in both
    contrast = {k: (v - means[0][k]) / (b - a) for k, v in means[1].items()}
    points, weights = np.polynomial.legendre.leggauss(nodes)
    terms = [
        _sampled(problem.at(a + (b - a) * (1 + u) / 2), (key + 1 + k) % 2**31, settings)[1]
        for k, u in enumerate(points)
    ]
    path = {k: sum(w / 2 * t[k] for w, t in zip(weights, terms, strict=True)) for k in terms[0]}
    nudge, first = _pooled(contrast)
    fluctuation, second = _pooled(path)
    particles = draws * chains // SEGMENTS
    third = evidence_slope(problem, a, b, key=key, particles=particles, stages=stages)
    if throw and third.status != "converged":
        raise ConvergenceError(f"thermal_gradients: {third.status}.", ("inconclusive",))
    status = {"nudge": "converged", "fluctuation": "converged", "evidence": third.status}
    se = {"nudge": first, "fluctuation": second, "evidence": third.se}
    return ThermalGradient(problem, (a, b), nudge, fluctuation, third.gradient, *shared, False, se,
                           third, status)  # fmt: skip


def gaussian_gradients(problem: Problem) -> LawGradients:
    """Means, covariances and free-energy slopes by θ at one nudge of a problem."""
    return law_gradients(laplace_of(problem))


def _between(problem: Problem, a: float, b: float) -> Gradient:
    """The mean over nudges of the exact covariance, by quadrature (analytic: to rounding)."""
    points, weights = np.polynomial.legendre.leggauss(EXACT_NODES)
    total: Gradient = {}
    for u, w in zip(points, weights, strict=True):
        found = gaussian_gradients(problem.at(a + (b - a) * (1 + u) / 2)).fluctuation
        total = {k: total.get(k, 0.0) + 0.5 * w * v for k, v in found.items()}
    return total


def _sampled(problem: Problem, key: int, settings: Mapping[str, Any]) -> tuple[Gradient, Gradient]:
    """⟨∂F/∂θ⟩ and −Cov(∂F/∂θ, C)/T + ⟨∂C/∂θ⟩ of every stretch of chain, (stretches, ...)."""
    import jax.numpy as jnp
    from jax import lax

    program = problem.program
    found = sample_wells(problem, key=key, **settings)
    flat, cost = stretches(problem.stack(found.state)), stretches(found.cost)

    def terms(values: Any, flat: Any, cost: Any, heat: Any) -> Any:
        centre = jnp.mean(cost)

        def one(piece: Any) -> Any:
            s, c = piece
            count = s.shape[0]
            state = {k: v[:, None] for k, v in problem.unstack(s).items()}
            back = pullback(program, values, state, jnp.repeat(values["beta"], count))
            even = jnp.full((count, 1), 1.0 / count)
            return back(even, 0 * even), back((c[:, None] - centre) * even, 0 * even), back(
                0 * even, even)  # fmt: skip

        rule, product, direct = lax.map(one, (flat, cost))
        away = jnp.mean(cost, axis=1) - centre
        spread = {}
        for k, v in product.items():
            shift = away.reshape(-1, *(1,) * (v.ndim - 1)) * jnp.mean(rule[k], axis=0)
            spread[k] = direct[k] - (v - shift) / heat
        return rule, spread

    with program.precision:
        heat = program.dtype.type(problem.temperature)
        parts = problem.jit("thermal terms", terms)(problem.values, flat, cost, heat)
        rule, spread = ({k: np.asarray(v) for k, v in part.items()} for part in parts)
    return rule, spread


def _pooled(pieces: Gradient) -> tuple[Gradient, Gradient]:
    """Mean over stretches and its standard error."""
    count = len(next(iter(pieces.values())))
    mean = {k: v.mean(axis=0) for k, v in pieces.items()}
    return mean, {k: v.std(axis=0, ddof=1) / np.sqrt(count) for k, v in pieces.items()}


def _flat(gradient: Gradient) -> Any:
    return np.concatenate([np.ravel(gradient[k]) for k in sorted(gradient)])
