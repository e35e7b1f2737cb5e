"""All wells that many starts find, and the mixture of their Laplace laws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.dynamics.langevin import check_key
from unified.dynamics.methods import Flow
from unified.dynamics.solve import CODE, definite, relax_arrays
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.inference.expansion import expansion
from unified.inference.groups import as_arviz, law_attrs
from unified.inference.laplace import LaplaceLaw, laplace_of
from unified.inference.problem import Problem

TOL, SAME = 1e-8, 1e-3  # of a descent; of two rest points, relative to max(1, |s|)


@dataclass(frozen=True)
class Modes:
    """The distinct minima that descents from many starts reached, lowest F first.

    Equation: `weights` are those of the mixture of Laplace laws, w_k ∝ exp(−F_k/T) det H_k^{−½};
    `weight_errors` is how much the next order in T would move them (NaN beyond 200 units).
    Shapes: `states` (K, N) stacked, `energies`, `counts`, `weights` (K,); `counts` how many of the
    starts ended there, `saddles` and `failed` how many ended at a saddle or nowhere.
    A minimum no start has reached is not here: more `starts` or a wider `spread` look further.
    """

    problem: Problem
    laws: tuple[LaplaceLaw, ...]
    counts: Any
    saddles: int
    failed: int

    @cached_property
    def states(self) -> Any:
        """The minima, (K, N)."""
        return np.stack([law.mean for law in self.laws])

    @property
    def energies(self) -> Any:
        """F at the minima, (K,)."""
        return np.array([law.energy for law in self.laws])

    @property
    def log_integral(self) -> float:
        """log Σ_k ∫exp(−F/T) of the wells, each to leading order in T."""
        return float(np.logaddexp.reduce([law.log_integral for law in self.laws]))

    @property
    def weights(self) -> Any:
        """The share of every well in the Laplace mixture, (K,)."""
        return np.exp(np.array([law.log_integral for law in self.laws]) - self.log_integral)

    @cached_property
    def weight_errors(self) -> Any:
        """|change| of the weights by the next order in T, (K,)."""
        more = [expansion(law) for law in self.laws]
        if any(m is None for m in more):
            return np.full(len(self.laws), np.nan)
        logs = [a.log_integral + m.log_integral
                for a, m in zip(self.laws, more, strict=True) if m is not None]  # fmt: skip
        return np.abs(np.exp(logs - np.logaddexp.reduce(logs)) - self.weights)

    def moments(self, weights: Any = None) -> tuple[Any, Any]:
        """Mean (N,) and covariance (N, N) of the mixture, with its own or other weights."""
        w = self.weights if weights is None else np.asarray(weights)
        mean = w @ self.states
        away = self.states - mean
        own = sum(a * law.cov for a, law in zip(w, self.laws, strict=True))
        return mean, own + (away.T * w) @ away

    def nearest(self, flat: Any) -> Any:
        """Which minimum each rest point (..., N) is, −1 for none of them."""
        far = np.linalg.norm(np.asarray(flat)[..., None, :] - self.states, axis=-1)
        best = np.argmin(far, axis=-1)
        size = np.maximum(1.0, np.linalg.norm(self.states, axis=-1))
        near = np.take_along_axis(far, best[..., None], -1)[..., 0] <= SAME * size[best]
        return np.where(near, best, -1)

    def wells_of(self, flat: Any) -> Any:
        """Into which well the gradient flow leads each state (..., N); −1 for none known."""
        flat = np.asarray(flat)
        rest, code, good = descend(self.problem, flat.reshape(-1, flat.shape[-1]))
        known = np.where((code == CODE["converged"]) & good, self.nearest(rest), -1)
        return known.reshape(flat.shape[:-1])

    def to_xarray(self) -> Any:
        """States, energies, counts and weights by mode, as an xarray.Dataset."""
        import xarray as xr

        p = self.problem
        own = {"energy": self.energies, "count": self.counts, "weight": self.weights,
               "weight_error": self.weight_errors,
               "logdet": [law.logdet for law in self.laws]}  # fmt: skip
        return xr.Dataset(
            {"state": (("mode", "unit"), self.states)} | {k: ("mode", v) for k, v in own.items()},
            coords={"unit": p.units, "mode": np.arange(len(self.laws))},
            attrs=law_attrs(p) | {"saddles": self.saddles, "failed": self.failed},
        )  # fmt: skip

    def to_arviz(self) -> Any:
        """The same in the group `modes`."""
        return as_arviz(self.problem, {"modes": self.to_xarray()})

    def __repr__(self) -> str:
        told = ", ".join(
            f"F={e:.5g} (starts {c}, weight {w:.3g})"
            for e, c, w in zip(self.energies, self.counts, self.weights, strict=True)
        )
        return f"Modes({len(self.laws)}: {told}; saddles {self.saddles}, failed {self.failed})"


def modes(
    E: Energy, C: Cost | CostFamily | None, params: Mapping[str, Any],
    x: Any = None, y: Any = None, *, beta: float = 1.0, temperature: float = 1.0,
    key: int, starts: int = 64, spread: float = 2.0,
) -> Modes:  # fmt: skip
    """The distinct minima of E + βC, by gradient descent from many random starts.

    Equation: ds/dt = −∂F/∂s from `starts` states with independent N(0, spread²) units, in the
    units of the states; minima that agree to 1e-3 are one, saddles (H not positive definite)
    are counted and left out.
    Shapes: x, y one sample.
    Raises: InputError for settings out of range; ConvergenceError if no start reached a minimum.
    Reference: theory page D3.
    """
    problem = Problem.of(E, C, params, x, y, beta=beta, temperature=temperature)
    return modes_of(problem, key=key, starts=starts, spread=spread)


def modes_of(problem: Problem, *, key: int, starts: int = 64, spread: float = 2.0) -> Modes:
    """The same of a problem."""
    check_key(key)
    if not isinstance(starts, int | np.integer) or starts < 1:
        raise bad_input("starts", "a whole number of at least 1", starts, "use e.g. 64")
    if not (np.isfinite(spread) and spread > 0):
        raise bad_input("spread", "a finite number above 0", spread, "use e.g. 2")
    if problem.program.kernels.quadratic:  # one well, if any
        return Modes(problem, (laplace_of(problem),), np.array([starts]), 0, 0)
    first = spread * np.random.default_rng(key).standard_normal((starts, problem.size))
    rest, code, good = descend(problem, first)
    there = code == CODE["converged"]
    if not np.any(there & good):
        raise ConvergenceError(
            f"modes: expected a minimum, got none from {starts} starts ({int(np.sum(there))} "
            "ended at saddles); is the energy confining? try another spread=.",
        )  # fmt: skip
    found: list[Any] = []
    counts: list[int] = []
    for s in rest[there & good]:
        size = max(1.0, float(np.linalg.norm(s)))
        twin = [k for k, t in enumerate(found) if np.linalg.norm(s - t) <= SAME * size]
        if twin:
            counts[twin[0]] += 1
        else:
            found.append(s)
            counts.append(1)
    laws = [laplace_of(problem, problem.unstack(s)) for s in found]
    order = np.argsort([law.energy for law in laws], kind="stable")
    return Modes(
        problem, tuple(laws[k] for k in order), np.array(counts)[order],
        int(np.sum(there & ~good)), int(np.sum(~there)),
    )  # fmt: skip


def descend(problem: Problem, flat: Any) -> tuple[Any, Any, Any]:
    """Where the gradient flow leads states (K, N): rest points, their codes, whether minima.

    A flow, and not Newton's method, since that may leap from one basin into another.
    """
    import jax.numpy as jnp

    program = problem.program

    def run(values: Any, begin: Any) -> Any:
        count = next(iter(begin.values())).shape[0]
        values = {**values, "beta": jnp.repeat(values["beta"], count)}
        rest = relax_arrays(program, values, begin, Flow(), TOL)
        return rest.state, rest.code, definite(program, values, rest.state)

    begin = {k: v[:, None] for k, v in problem.unstack(np.asarray(flat)).items()}
    with program.precision:
        state, code, good = program.jit("descend", run)(problem.values, begin)
        found = {k: np.asarray(v)[:, 0] for k, v in state.items()}
        return problem.stack(found), np.asarray(code)[:, 0], np.asarray(good)[:, 0]
