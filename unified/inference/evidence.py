"""The evidence: how much of the prior's mass the nudge leaves, with its error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.inference.groups import as_arviz, law_attrs
from unified.inference.problem import Problem
from unified.inference.proper import require_proper

METHODS = ("exact", "laplace", "ti", "smc")


@dataclass(frozen=True)
class EvidenceEstimate:
    """log Z_β/Z_0 of p ∝ exp(−(E + βC)/T), in nats, with its error.

    Equation: `value` = log ∫exp(−(E + βC)/T)ds − log ∫exp(−E/T)ds. `error` is, by method:
    exact: a bound on rounding; laplace: the size of the next order in T; ti: the difference of two
    quadratures plus one Monte-Carlo standard error; smc: the standard error between runs.
    `details` has what the method found on its way: pieces of the error, and for "ti" the curve
    (`betas`, `means` ⟨C⟩, `se`), for "smc" the value of every run (`runs`).
    `status` is "converged" or a sentence that says why the value is not to be trusted.
    Reference: theory pages B7, C4, D4.
    """

    value: float
    error: float
    method: str
    status: str
    problem: Problem
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def converged(self) -> bool:
        """True if nothing speaks against the value and its error."""
        return self.status == "converged"

    def log_likelihood(self, normaliser: float) -> float:
        """log p(y) if exp(−βC/T)/∫exp(−βC/T)dy is a likelihood with log ∫ = `normaliser`."""
        return self.value - normaliser

    def to_xarray(self) -> Any:
        """Value, error and what was found on the way, as an xarray.Dataset."""
        import xarray as xr

        kept: dict[str, Any] = {"value": self.value, "error": self.error}
        dims = {"betas": "node", "means": "node", "se": "node", "weights": "node", "runs": "run"}
        for name, v in self.details.items():
            if name in dims:
                kept[name] = (dims[name], np.asarray(v))
            elif np.ndim(v) == 0 and not isinstance(v, str):
                kept[name] = float(v)
        return xr.Dataset(kept, attrs=law_attrs(self.problem)
                          | {"method": self.method, "status": self.status})  # fmt: skip

    def to_arviz(self) -> Any:
        """The same in the group `evidence`."""
        return as_arviz(self.problem, {"evidence": self.to_xarray()})

    def __repr__(self) -> str:
        p = self.problem
        return (
            f"EvidenceEstimate({self.value:.8g} +- {self.error:.2g} nats by {self.method}, "
            f"beta={p.beta:g}, T={p.temperature:g}; {self.status})"
        )


def evidence(
    E: Energy, C: Cost | CostFamily | None, params: Mapping[str, Any],
    x: Any = None, y: Any = None, *, beta: float = 1.0, temperature: float = 1.0,
    method: str | None = None, **settings: Any,
) -> EvidenceEstimate:  # fmt: skip
    """log ∫exp(−(E + βC)/T) − log ∫exp(−E/T), with its error, in nats.

    Equation: "exact" (quadratic E and C): −[F(s_β) − E(s_0)]/T − ½[log det H_β − log det H_0];
    "laplace": the same at the two modes, to leading order in T; "ti": −(1/T)∫₀^β⟨C⟩dβ', ⟨C⟩
    exact for quadratic laws, else sampled by `unified.dynamics.sample`; "smc": a Gaussian
    reference annealed to both laws in at least 8 independent runs.
    `method` defaults to "exact" where it applies, else to "ti". Settings: "ti": `key`, `nodes`,
    `draws`, `tolerance`, ...; "smc": `key`, `runs`, `particles`, `moves`.
    To turn it into log p(y) of a Gaussian likelihood, take off ½ log det(2πTR/β).
    Shapes: x, y one sample; the answer is a number.
    Raises: InputError for T ≤ 0, β < 0, no cost, an improper law, a method that does not apply or
    settings out of range; ConvergenceError if chains do not mix or runs disagree.
    Reference: Gelman & Meng (1998), Statistical Science 13, 163 ("ti"); Del Moral, Doucet & Jasra
    (2006), JRSS B 68, 411 ("smc"); theory pages C4, D4.
    """
    problem = Problem.of(E, C, params, x, y, beta=beta, temperature=temperature)
    return evidence_of(problem, method, **settings)


def evidence_of(problem: Problem, method: str | None = None, **settings: Any) -> EvidenceEstimate:
    """The same of a problem."""
    from unified.inference import evidence_path, evidence_wells

    if problem.program.cost_model is None:
        raise bad_input("C", "a cost, whose evidence is asked for", "none", "pass a cost")
    if problem.beta < 0:
        raise bad_input("beta", "a number of at least 0, for an evidence", problem.beta,
                        "a negative nudge is no likelihood")  # fmt: skip
    if method is None:
        method = "exact" if problem.program.kernels.quadratic else "ti"
    require_proper(problem.at(0.0))
    require_proper(problem)
    known: dict[str, Callable[..., EvidenceEstimate]] = {
        "exact": evidence_wells.exact, "laplace": evidence_wells.by_laplace,
        "ti": evidence_path.by_integration, "smc": evidence_path.by_annealing,
    }  # fmt: skip
    if method not in known:
        raise bad_input("method", " or ".join(map(repr, METHODS)), repr(method), "choose one")
    if method in ("exact", "laplace") and settings:
        raise bad_input("settings", f"none for method {method!r}", ", ".join(settings), "drop them")
    return known[method](problem, **settings)
