"""What a relaxation returns: a state, how well it rests, and whether it is a minimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base import arviz_data
from unified.base.errors import ConvergenceError

STATUS = {
    "converged": "the residual reached the tolerance",
    "max_steps": "the residual did not reach the tolerance; allow more steps or another method",
    "diverged": "the state left every bounded region; the energy is unbounded below here, so use "
    "smaller weights or a smaller nudge",
    "non_finite": "the state became NaN or infinite; check params, or use a smaller nudge",
    "not_a_minimum": "the rest point is a saddle; start elsewhere or use Flow, which leaves it",
    "nudge_too_negative": "the Hessian at this negative nudge is not positive definite (where "
    "units ascend: the point is not stable); use a smaller |beta|",
    "limit_cycle": "the state goes round a limit cycle; lower the gain of the asymmetric weights "
    "or symmetrise them",
    "no_rest_point": "the state keeps moving without a period (chaos, or a very long transient); "
    "lower the gain of the weights",
    "unstable": "the rest point is not stable in this metric or field; change the time constants, "
    "the metric or the size of the nudge, lower the gain of a field, or use Flow, which leaves it",
    "truncated": "the state was stopped after the steps asked for, before it came to rest",
    "unmixed": "the chains do not agree yet (R-hat >= 1.01 or effective sample size < 400); draw "
    "more, take smaller steps, raise the temperature, or start chains in every well that matters",
}
SOUND = ("converged", "truncated")  # truncated only where a number of steps was asked for
CODES = tuple(STATUS)


@dataclass(frozen=True)
class Certificate:
    """Evidence that a rest point is a minimum, or in a metric M, that it is stable.

    Equation: λ_min of H = ∂²F/∂s∂s at the state; positive iff a strict local minimum. `abscissa`
    max Re λ(−τ⁻¹MH): stable iff negative, then the slowest rate of approach. Where units ascend,
    `inertia` counts the positive and the negative eigenvalues of H (stable: those of M).
    Shapes: `lambda_min` (batch,) or a number, NaN where it was not asked for or β is complex;
    `abscissa`, `stable` likewise, `inertia` (batch, 2) or None without ascending units;
    `method` is dense, lanczos, factorisation (only the sign is known) or none.
    """

    lambda_min: Any
    positive: Any
    method: str
    abscissa: Any = np.nan
    inertia: Any = None
    stable: Any = None

    def __str__(self) -> str:
        if self.inertia is not None or np.all(np.isnan(self.lambda_min)):
            return f"max Re rate <= {np.max(self.abscissa):.3g}"
        return f"lambda_min >= {np.min(self.lambda_min):.3g}"


@dataclass(frozen=True)
class Equilibrium:
    """A state at rest, with its measured residual.

    Equation: residual = |∂F/∂s| / max(1, |s|) (2-norms over all units of a sample).
    Shapes: `state` a dict as the energy's states; `energy`, `residual`, `steps` per sample;
    `status` per sample, a name out of STATUS.
    """

    state: dict[str, Any]
    energy: Any
    residual: Any
    status: Any
    certificate: Certificate
    steps: Any
    method: str
    tol: float

    @property
    def converged(self) -> bool:
        """True if every sample converged."""
        return bool(np.all(np.asarray(self.status) == "converged"))

    def __repr__(self) -> str:
        names, counts = np.unique(np.asarray(self.status), return_counts=True)
        told = ", ".join(f"{n} {c}" for n, c in zip(names, counts, strict=True))
        return (
            f"Equilibrium({told}; residual <= {np.max(self.residual):.2g} (tol {self.tol:.2g}), "
            f"{self.certificate}, "
            f"steps <= {np.max(self.steps)}, {self.method})"
        )

    def to_xarray(self) -> Any:
        """States, energy, residual, status, steps as an xarray.Dataset, batched along `sample`."""
        import xarray as xr

        lead = () if np.ndim(self.status) == 0 else ("phase", "sample")[-np.ndim(self.status) :]

        def labelled(name: str, v: Any) -> Any:
            v = np.asarray(v)
            return (*lead, *(f"{name}_dim_{k}" for k in range(v.ndim - len(lead)))), v

        told = {"energy": self.energy, "residual": self.residual, "steps": self.steps,
                "status": np.asarray(self.status, dtype=str),
                "lambda_min": self.certificate.lambda_min}  # fmt: skip
        own = {k if k not in told else f"state_{k}": v for k, v in self.state.items()}
        return xr.Dataset({k: labelled(k, v) for k, v in {**own, **told}.items()},
                          attrs={"method": self.method, "tol": self.tol})  # fmt: skip

    def to_arviz(self) -> Any:
        """The same in the group `equilibrium`, as the ArviZ at hand keeps it."""
        found = self.to_xarray()
        return arviz_data.make({"equilibrium": found}, found.attrs)

    def require(self) -> Equilibrium:
        """Itself, if every sample converged. Raises: ConvergenceError naming those that did not."""
        failures(np.atleast_1d(self.status), np.atleast_1d(self.residual), self.tol)
        return self


def failures(status: Any, residual: Any, tol: float, what: str = "relax") -> None:
    """Raise ConvergenceError if any sample has a status that is not sound."""
    bad = np.flatnonzero(~np.isin(status, SOUND))
    if bad.size:
        first = bad[0]
        kind = str(status[first])
        shown = ", ".join(map(str, bad[:5])) + (", ..." if bad.size > 5 else "")
        raise ConvergenceError(
            f"{what}: expected every sample at residual <= {tol:.2g}, got {bad.size} of "
            f"{status.size} not there (samples {shown}; sample {first}: {kind}, residual "
            f"{residual[first]:.3g}); {STATUS[kind]}.",
            tuple(map(str, status)),
        )
