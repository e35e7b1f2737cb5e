"""MAP = nudged rest point, put to the test; and where the mean and the marginal modes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.inference.expansion import expansion
from unified.inference.gaussian import gaussian_law
from unified.inference.groups import as_arviz, law_attrs
from unified.inference.laplace import LaplaceLaw, laplace_of
from unified.inference.mode import find_map_pymc
from unified.inference.problem import Problem
from unified.inference.sampling import sample_wells

GRID, WIDE = 401, 3.5  # points of a density on the way to its mode, over so many deviations


@dataclass(frozen=True)
class MapReport:
    """The rest point of a nudged phase beside whatever else claims to be the answer.

    Equation: `map` s* by relaxation; `closed_form` −H⁻¹∂F/∂s(0) by a dense solve (quadratic F);
    `pymc` by pm.find_MAP; `mean` ⟨s⟩ sampled, with standard errors `mean_se`, and to first order in
    T `mean_predicted` = s* − (T/2)H⁻¹(F‴:H⁻¹); `marginal` the modes of the units' own marginals
    by a kernel density of each chain (`marginal_se` from the scatter of chains), and to first
    order in T `marginal_predicted`; `sd` of the draws, `sd_laplace` √T(H⁻¹)_ii^½.
    For quadratic F mean, marginal modes and MAP are one, and nothing is sampled.
    Shapes: (N,) over the stacked states, or None where it was not asked for or is no closed form.
    Reference: theory pages D1, D3.
    """

    law: LaplaceLaw
    closed_form: Any = None
    pymc: Any = None
    mean: Any = None
    mean_se: Any = None
    mean_predicted: Any = None
    marginal: Any = None
    marginal_se: Any = None
    marginal_predicted: Any = None
    sd: Any = None

    @property
    def map(self) -> Any:
        """The rest point, (N,)."""
        return self.law.mean

    @property
    def sd_laplace(self) -> Any:
        """Standard deviations of Laplace's law, (N,)."""
        return self.law.sd

    def distance(self, first: str, second: str = "map") -> float:
        """max_i |a_i − b_i| of two of the answers, in units of the states."""
        return float(np.max(np.abs(getattr(self, first) - getattr(self, second))))

    def in_deviations(self, first: str, second: str = "map") -> float:
        """The same in posterior standard deviations of each unit."""
        wide = self.sd_laplace if self.sd is None else self.sd
        return float(np.max(np.abs(getattr(self, first) - getattr(self, second)) / wide))

    def to_xarray(self) -> Any:
        """Every answer by unit, as an xarray.Dataset."""
        import xarray as xr

        names = ("map", "closed_form", "pymc", "mean", "mean_se", "mean_predicted", "marginal",
                 "marginal_se", "marginal_predicted", "sd", "sd_laplace")  # fmt: skip
        kept = {n: ("unit", getattr(self, n)) for n in names if getattr(self, n) is not None}
        return xr.Dataset(kept, coords={"unit": self.law.problem.units},
                          attrs=law_attrs(self.law.problem))  # fmt: skip

    def to_arviz(self) -> Any:
        """The same in the group `map_report`."""
        return as_arviz(self.law.problem, {"map_report": self.to_xarray()})

    def __repr__(self) -> str:
        lines = [f"MapReport({self.law.problem.size} units, residual "
                 f"{float(self.law.mode.residual):.2g}"]  # fmt: skip
        for name, told in (("closed_form", "dense closed form"), ("pymc", "pm.find_MAP")):
            if getattr(self, name) is not None:
                lines.append(f"  relaxation vs {told}: {self.distance(name):.2g}")
        if self.mean is None:
            return "\n".join([*lines, "  MAP = mean = marginal modes (quadratic energy))"])
        lines += [
            f"  mean vs MAP: {self.distance('mean'):.3g} ({self.in_deviations('mean'):.2g} sd; "
            f"standard error {np.max(self.mean_se):.2g})",
            f"  marginal modes vs MAP: {self.distance('marginal'):.3g} "
            f"({self.in_deviations('marginal'):.2g} sd; standard error "
            f"{np.max(self.marginal_se):.2g})",
            f"  Laplace sd off by up to {np.max(np.abs(self.sd_laplace / self.sd - 1)):.1%}",
        ]
        if self.mean_predicted is not None:
            lines.append(f"  mean to first order in T vs sampled: "
                         f"{self.distance('mean', 'mean_predicted'):.3g}")  # fmt: skip
        return "\n".join(lines) + ")"


def map_report(
    E: Energy, C: Cost | CostFamily | None, params: Mapping[str, Any],
    x: Any = None, y: Any = None, *, beta: float = 1.0, temperature: float = 1.0,
    key: int | None = None, pymc: bool = True, draws: int = 4000, chains: int = 4,
    warmup: int = 200,
) -> MapReport:  # fmt: skip
    """Relaxation against a dense closed form and pm.find_MAP; MAP against mean and marginal modes.

    Equation: see `MapReport`. Nonlinear energies are sampled with `key`, by chains in every
    well found, gated.
    Shapes: x, y one sample.
    Raises: InputError for T ≤ 0, an improper law, or a nonlinear energy without a key;
    ConvergenceError if the phase does not relax or chains do not mix.
    Reference: Tierney & Kadane (1986), JASA 81, 82; theory pages D1, D3.
    """
    problem = Problem.of(E, C, params, x, y, beta=beta, temperature=temperature)
    law = laplace_of(problem)
    other = None
    if pymc:
        mode = find_map_pymc(E, C, params, x, y, beta=beta, temperature=temperature, throw=False)
        other = problem.stack(mode.state)
    if law.exact:
        return MapReport(law, gaussian_law(problem).mean, other)
    found = sample_wells(problem, key=key, draws=draws, chains=chains, warmup=warmup)
    flat = problem.stack(found.state)
    sd = flat.std(axis=(0, 1), ddof=1)
    modes = np.stack([_marginal_modes(chain, sd) for chain in flat])
    more = expansion(law)
    return MapReport(
        law, None, other, mean=flat.mean(axis=(0, 1)),
        mean_se=sd / np.sqrt(problem.stack(found.ess)),
        mean_predicted=None if more is None else law.mean + more.mean_shift,
        marginal=modes.mean(axis=0), marginal_se=modes.std(axis=0, ddof=1) / np.sqrt(len(modes)),
        marginal_predicted=None if more is None else law.mean + more.marginal_shift, sd=sd,
    )  # fmt: skip


def _marginal_modes(draws: Any, sd: Any) -> Any:
    """Where a Gaussian kernel density of each unit's draws (D, N) is highest, (N,)."""
    width = 1.06 * len(draws) ** -0.2  # Silverman's, in deviations
    found = np.empty(draws.shape[1])
    for k, column in enumerate(draws.T):
        z = (column - column.mean()) / sd[k]
        edges = np.linspace(-WIDE, WIDE, GRID)
        counts, bins = np.histogram(z, bins=GRID - 1, range=(-WIDE, WIDE))
        middle = (bins[1:] + bins[:-1]) / 2
        kernel = np.exp(-0.5 * ((edges[:, None] - middle) / width) ** 2)
        found[k] = column.mean() + sd[k] * edges[np.argmax(kernel @ counts)]
    return found
