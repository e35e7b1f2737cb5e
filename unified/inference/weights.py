"""How much of a law lies in each well: from annealed runs, and from chains that may be stuck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.dynamics.langevin import GibbsSample
from unified.dynamics.mixing import ESS, RHAT
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.inference.draws import mixing, stacked
from unified.inference.groups import as_arviz, law_attrs, posterior_group
from unified.inference.modes import Modes, modes_of
from unified.inference.problem import Problem
from unified.inference.smc import Annealed, anneal, reference_of

MATTERS = 0.01  # the share from which a well must be visited
NOISY = 0.1  # a standard error of a weight beyond which it says too little


@dataclass(frozen=True)
class ModeWeights:
    """The share of every well in the whole law, with its standard error.

    Equation: the share of the particles that the gradient flow leads to each minimum, weighted
    over runs by their own integrals; its standard error from the scatter between runs.
    Shapes: `weights`, `se`, `laplace` (K,) by mode, `runs` (R, K) every run's own shares;
    `elsewhere` the share that led to no known minimum.
    """

    modes: Modes
    annealed: Annealed
    weights: Any
    se: Any
    runs: Any
    elsewhere: float
    status: str

    @property
    def laplace(self) -> Any:
        """The weights of the Laplace mixture, (K,)."""
        return self.modes.weights

    def average(self, function: Any) -> tuple[float, float]:
        """⟨f⟩ over the law and its standard error; `function` maps states (..., N) to (...)."""
        own = np.mean(np.asarray(function(self.annealed.particles), float), axis=1)
        return _pooled(self.annealed, own[:, None], lambda v: float(v[0]))

    def to_xarray(self) -> Any:
        """Weights by mode as an xarray.Dataset."""
        import xarray as xr

        found = {
            "weight": self.weights, "se": self.se, "laplace": self.laplace,
            "laplace_error": self.modes.weight_errors, "energy": self.modes.energies,
        }  # fmt: skip
        return xr.Dataset(
            {k: ("mode", v) for k, v in found.items()} | {"runs": (("run", "mode"), self.runs)},
            coords={"mode": np.arange(len(self.weights))},
            attrs=law_attrs(self.modes.problem)
            | {"elsewhere": self.elsewhere, "status": self.status},
        )  # fmt: skip

    def to_arviz(self) -> Any:
        """The same in the group `mode_weights`, the particles of every run as a chain."""
        p = self.modes.problem
        particles = posterior_group(p, self.annealed.particles, "smc")
        return as_arviz(p, {"posterior": particles, "mode_weights": self.to_xarray()})

    def __repr__(self) -> str:
        told = ", ".join(
            f"{w:.4f} +- {e:.2g} (Laplace {a:.4f})"
            for w, e, a in zip(self.weights, self.se, self.laplace, strict=True)
        )
        return (
            f"ModeWeights({told}; {len(self.runs)} runs, elsewhere {self.elsewhere:.2g}; "
            f"{self.status})"
        )


def mode_weights(
    E: Energy, C: Cost | CostFamily | None, params: Mapping[str, Any],
    x: Any = None, y: Any = None, *, beta: float = 1.0, temperature: float = 1.0,
    key: int, runs: int = 8, particles: int = 1024, moves: int = 5, starts: int = 64,
    spread: float = 2.0, throw: bool = True,
) -> ModeWeights:  # fmt: skip
    """The share of every well of p ∝ exp(−(E + βC)/T), from at least 8 independent annealed runs.

    A chain cannot tell these weights unless it crosses between the wells often; particles that
    begin all over a Gaussian reference can.
    Raises: InputError for settings out of range; ConvergenceError unless throw=False if runs
    disagree or particles lie in no known well.
    Reference: Del Moral, Doucet & Jasra (2006), JRSS B 68, 411.
    """
    problem = Problem.of(E, C, params, x, y, beta=beta, temperature=temperature)
    found = modes_of(problem, key=key, starts=starts, spread=spread)
    settings = {"runs": runs, "particles": particles, "moves": moves}
    run = anneal(problem, *reference_of(found), key=key, **settings)
    return weigh(found, run, throw=throw)


def weigh(found: Modes, run: Annealed, *, throw: bool = True) -> ModeWeights:
    """The same of annealed particles."""
    wells = found.wells_of(run.particles)
    count = len(found.laws)
    shares = np.stack([np.mean(wells == k, axis=1) for k in range(-1, count)], axis=1)
    elsewhere, _ = _pooled(run, shares[:, :1], lambda v: float(v[0]))
    weights, se = _pooled(run, shares[:, 1:], lambda v: v)
    status = "converged"
    if elsewhere > MATTERS:
        status = (f"{elsewhere:.1%} of the particles lie in no well that was found; use more "
                  "starts= or a wider spread=")  # fmt: skip
    elif np.max(se) > NOISY or not np.all(np.isfinite(run.log_integrals)):
        status = f"runs disagree (standard error {np.max(se):.2g}); use more particles or runs"
    if throw and status != "converged":
        raise ConvergenceError(f"mode_weights: {status}.", ("inconclusive",))
    return ModeWeights(found, run, weights, se, shares[:, 1:], elsewhere, status)


def _pooled(run: Annealed, own: Any, shape: Any) -> tuple[Any, Any]:
    """Σ_r Z_r f_r/Σ_r Z_r over runs and its standard error, of values (R, K)."""
    z = np.exp(run.log_integrals - np.max(run.log_integrals))
    mean = z @ own / np.sum(z)
    scatter = (z / np.mean(z))[:, None] * (own - mean)
    count = len(z)
    return shape(mean), shape(np.sqrt(np.sum(scatter**2, axis=0) / (count * (count - 1))))


@dataclass(frozen=True)
class ChainVisits:
    """Which wells each Markov chain has been in, and so what its averages mean.

    Equation: `label` is "global" iff for every well that matters (Laplace weight ≥ 0.01) the
    indicator of being in it passes the gate (R-hat < 1.01, effective size ≥ 400), else "local":
    then every chain tells of the wells it was in, and of no others.
    Shapes: `occupancy` (chains, K), `means` (chains, N); `stuck` the chains that never left one
    well while others matter; `rhat`, `ess` (K,) of the indicators.
    Reference: Vehtari et al. (2021), arXiv:1903.08008.
    """

    modes: Modes
    occupancy: Any
    means: Any
    rhat: Any
    ess: Any
    label: str
    stuck: tuple[int, ...]

    @property
    def mean(self) -> Any:
        """The mean over all chains (N,). Raises: ConvergenceError if they are only local."""
        if self.label != "global":
            shown = ", ".join(map(str, self.stuck)) or "none"
            raise ConvergenceError(
                f"chains: expected chains that all cross between {len(self.modes.laws)} wells, got "
                f"local ones (chains that never left one well: {shown}); read .means per chain, or "
                "weigh the wells with un.inference.mode_weights.",
                ("unmixed",),
            )
        return np.mean(self.means, axis=0)

    def __repr__(self) -> str:
        rows = "; ".join(
            f"chain {k}: " + " ".join(f"{v:.2f}" for v in row)
            for k, row in enumerate(self.occupancy)
        )
        return f"ChainVisits({self.label}, stuck {list(self.stuck)}; share per well: {rows})"


def chain_visits(found: Modes, draws: Any) -> ChainVisits:
    """Label chains as global or local by the wells they visited.

    Shapes: `draws` (chains, draws, N) stacked states, a sample of `un.sample` without a batch
    axis, or ArviZ data with the states in its posterior.
    Raises: InputError for draws of another shape.
    """
    flat = _stacked(found.problem, draws)
    if flat.ndim != 3 or flat.shape[-1] != found.problem.size or flat.shape[1] < 8:
        raise bad_input("draws", f"(chains, draws >= 8, {found.problem.size})", str(flat.shape),
                        "stack the states with chains and draws first")  # fmt: skip
    wells = found.wells_of(flat)
    inside = np.stack([wells == k for k in range(len(found.laws))], axis=-1).astype(float)
    matters = found.weights >= MATTERS
    rhat, ess = mixing(inside)
    occupancy = inside.mean(axis=1)
    fine = (rhat < RHAT) & (ess >= ESS)
    everywhere = bool(np.all(fine[matters])) or (np.sum(matters) == 1 and np.all(
        occupancy[:, matters] == 1))  # fmt: skip
    at = np.argmax(occupancy, axis=1)
    beside = np.sum(matters) - matters[at] > 0  # another well matters
    stuck = tuple(int(k) for k in np.flatnonzero((np.max(occupancy, axis=1) == 1) & beside))
    return ChainVisits(found, occupancy, flat.mean(axis=1), rhat, ess,
                       "global" if everywhere else "local", stuck)  # fmt: skip


def _stacked(problem: Problem, draws: Any) -> Any:
    """Draws as (chains, draws, N), whatever they came as."""
    if isinstance(draws, GibbsSample):
        return problem.stack(draws.state)
    if isinstance(draws, np.ndarray):
        return draws
    return stacked(problem, draws)
