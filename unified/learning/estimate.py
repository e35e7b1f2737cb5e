"""What an estimator returns: a gradient, the phases behind it, and how far they may mislead."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from unified.dynamics.equilibrium import Equilibrium
from unified.dynamics.solve import Rest
from unified.learning.error_bound import Bound, Evidence

if TYPE_CHECKING:
    from unified.learning.gradient import AbstractEstimator


@dataclass(frozen=True)
class GradientEstimate:
    """A gradient and the evidence behind it.

    Equation: `grad` estimates ∂/∂θ of the batch mean of `objective` (the loss C at the free rest
    point unless the estimator says otherwise); `error_bound`, to first order in the residuals,
    Σ_phases |w|·‖∂²F/∂θ∂s‖·|∂F/∂s|/λ_min(H) ≥ |grad − the same at settled phases|.
    Shapes: `grad` a dict as params; `loss` the batch-mean cost at the free rest point;
    `equilibria` the phases visited, each with per-sample residual and status; `status` per sample,
    the first that is not converged over the phases.
    Reference: theory page B8 for the bound.
    """

    grad: dict[str, Any]
    loss: float
    objective: float
    equilibria: tuple[Equilibrium, ...]
    status: Any
    estimator: AbstractEstimator
    evidence: Evidence | None = field(default=None, repr=False, compare=False)

    @cached_property
    def _bound(self) -> Bound:
        # Computed when first asked for, so that training pays nothing for it.
        return Bound(np.nan, "no phases are kept") if self.evidence is None else (
            self.evidence.bound()
        )  # fmt: skip

    @property
    def error_bound(self) -> float:
        """How far unsettled phases can have moved `grad` (2-norm over all entries), or NaN.

        It speaks of the residuals only, not of the bias in β nor of rounding in the contrast.
        """
        return self._bound.value

    def __repr__(self) -> str:
        size = np.sqrt(sum(float(np.sum(np.square(g))) for g in self.grad.values()))
        worst = max((float(np.max(e.residual)) for e in self.equilibria), default=0.0)
        status = np.asarray(self.status)
        told = ", ".join(
            f"{int(np.sum(status == k))}/{len(status)} samples {k}" for k in np.unique(status)
        )
        far = f"no error bound ({self._bound.why})"
        if not self._bound.why:
            far = f"error bound {self.error_bound:.2g}"
        order, where = self.estimator.order, "; ".join(self.estimator.conditions)
        bias = "" if order is None else f" with bias O(beta^{order})"
        return (
            f"GradientEstimate({self.estimator}: |grad| {size:.4g}, loss {self.loss:.4g}, {told}, "
            f"residual <= {worst:.2g}, {far};\n    of {self.estimator.exact_for}{bias} if {where})"
        )


class Raw(NamedTuple):
    """An estimate inside a compiled step: arrays only.

    `weights` holds, for every entry of `rests`, the weight per phase with which ∂F/∂θ there enters
    the gradient (None: not at all); `held` the data that clamped phases held if not the caller's;
    `more` what only some estimators have to tell.
    """

    grad: dict[str, Any]
    loss: Any
    objective: Any
    rests: tuple[Rest, ...]
    weights: tuple[Any, ...] = ()
    held: dict[str, Any] | None = None
    more: Any = None
