"""Gradients at finite temperature: from fluctuations without a nudge, and from sampled nudges."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.averages import SEGMENTS, averaged, pullback, stretches
from unified.dynamics.chains import (
    Chains,
    Langevin,
    check_temperature,
    run_chains,
    sample_keys,
    split_units,
)  # fmt: skip
from unified.dynamics.equilibrium import CODES
from unified.dynamics.langevin import check_key, unmixed
from unified.dynamics.mixing import mixed
from unified.dynamics.solve import CODE, Rest
from unified.learning.error_bound import Evidence
from unified.learning.estimate import GradientEstimate, Raw
from unified.learning.gradient import AbstractEstimator, Values, mean_cost, rest_at
from unified.learning.nudging import real_nudge


@dataclass(frozen=True)
class ThermalEstimate(GradientEstimate):
    """A gradient from samples, with its Monte-Carlo error.

    Equation: `standard_error` is s/√M per entry, s² the variance over M ≥ 20 stretches of chain
    (batch means, M − 1 degrees of freedom); `ess` and `rhat` are the least and the largest over
    the quantities of a sample: units, F and C.
    Shapes: `standard_error` as `grad`; `ess`, `rhat`, `acceptance` (batch,).
    Reference: Flegal & Jones (2010), Ann. Statist. 38, 1034, for batch means.
    """

    standard_error: dict[str, Any] = field(default_factory=dict)
    ess: Any = None
    rhat: Any = None
    acceptance: Any = None

    def __repr__(self) -> str:
        size = np.sqrt(sum(float(np.sum(np.square(e))) for e in self.standard_error.values()))
        told = super().__repr__().replace("Gradient", "Thermal", 1)
        return (
            f"{told[:-1]};\n    standard error {size:.2g}, ESS >= "
            f"{np.min(self.ess):.0f}, R-hat <= {np.max(self.rhat):.4f}, acceptance >= "
            f"{np.min(self.acceptance):.2f})"
        )


@dataclass(frozen=True)
class AbstractThermal(AbstractEstimator):
    """Estimators from samples of the Gibbs law p ∝ exp(−F/T).

    `draws`, `chains`, `warmup`, `step` and `spread` are as in `un.sample`; `key` and a sample's
    own data decide its noise.
    """

    draws: int = field(default=2000, kw_only=True)
    chains: int = field(default=4, kw_only=True)
    warmup: int = field(default=200, kw_only=True)
    step: float = field(default=1.0, kw_only=True)
    spread: float = field(default=2.0, kw_only=True)
    key: int = field(kw_only=True)

    if TYPE_CHECKING:
        temperature: float  # every class says where among its arguments

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_key(self.key)
        if self.law.draws < 2 * SEGMENTS:
            raise bad_input("draws", f"at least {2 * SEGMENTS}", self.draws, "use e.g. 2000")

    @property
    def law(self) -> Langevin:
        """How the Gibbs law is sampled."""
        return Langevin(self.draws, self.chains, self.warmup, self.step, spread=self.spread)

    @property
    def takes_metric(self) -> bool:
        return False  # the Gibbs law is the same for every M ≻ 0, and there is none otherwise

    @property
    def exact_for(self) -> str:
        return f"mean cost at temperature {self.temperature:g}"

    @property
    def conditions(self) -> tuple[str, ...]:
        return (
            *super().conditions,
            f"chains begun {self.spread:g} Laplace deviations about it reach every well that "
            "matters",
        )

    @abstractmethod
    def core(self, program: Program, values: Values) -> Raw:
        """The estimate on arrays with a batch axis (traceable)."""

    def sampled(self, program: Program, values: Values, rest: Rest) -> tuple[Chains, Rest]:
        """Draws about a rest point, which is called unmixed where they fail the gate."""
        import jax.numpy as jnp

        keys = sample_keys(program, values, self.key, self.chains)
        at = {**values, "beta": rest.beta}
        found = run_chains(program, at, rest.state, self.law, self.temperature, keys)
        bad = (rest.code == CODE["converged"]) & ~mixed(found.rhat, found.size)
        return found, rest._replace(code=jnp.where(bad, CODE["unmixed"], rest.code))

    def _compiled(self, program: Program) -> Callable[[Values], Raw]:
        """`core`, compiled once for all temperatures, nudges and keys."""
        known = {"beta": 1.0, "temperature": 1.0, "key": 0}
        units = dict[str, Any]({f.name: known[f.name] for f in fields(self) if f.name in known})

        def core(values: Values, numbers: Any) -> Raw:
            at = copy(self)
            for name, value in numbers.items():  # traced: they were checked when self was made
                object.__setattr__(at, name, value)
            return at.core(program, values)

        run = program.jit(replace(self, **units), core)
        numbers = {n: np.asarray(getattr(self, n), np.uint32 if n == "key" else program.dtype)
                   for n in units}  # fmt: skip
        return lambda values: run(values, numbers)

    def report(
        self, program: Program, raw: Raw, energies: list[Any], throw: bool,
        evidence: Evidence | None = None,
    ) -> ThermalEstimate:  # fmt: skip
        more: Mapping[str, Any] = {k: v for k, v in raw.more.items() if k != "standard_error"}
        rhat, size, accepted = (np.asarray(more[k]) for k in ("rhat", "ess", "acceptance"))
        status = np.asarray(CODES)[np.stack([np.asarray(r.code)[0] for r in raw.rests])]
        if throw and np.isin(status, ("converged", "unmixed")).all():
            worst = np.where(np.any(status == "unmixed", axis=0), "unmixed", "converged")
            unmixed(worst, rhat, size, type(self).__name__)
        found = super().report(program, raw, energies, throw, evidence)
        return ThermalEstimate(
            **{f.name: getattr(found, f.name) for f in fields(GradientEstimate)},
            standard_error={k: np.asarray(v) for k, v in raw.more["standard_error"].items()},
            ess=np.min(size, axis=1), rhat=np.max(rhat, axis=1), acceptance=accepted,
        )  # fmt: skip


@dataclass(frozen=True)
class FluctuationDissipation(AbstractThermal):
    """The gradient of the mean cost at temperature T from spontaneous fluctuations, no nudge.

    Equation: d⟨C⟩/dθ = −(1/T) Cov(∂E/∂θ, C) + ⟨∂C/∂θ⟩ over the Gibbs law p ∝ exp(−E/T), sampled by
    Metropolis-adjusted Langevin steps; the error falls as 1/√draws. As T → 0 the objective tends
    to the loss: ⟨C⟩ = C(s_0) + (T/2)[tr(H⁻¹C″) − ∇CᵀH⁻¹(E‴:H⁻¹)] + O(T²).
    Raises: InputError for T ≤ 0 or settings out of range; ConvergenceError unless throw=False if a
    sample did not mix (R-hat ≥ 1.01 or effective sample size < 400 for a unit, F or C).
    Reference: Kubo (1966), Rep. Prog. Phys. 29, 255; theory page B7.
    """

    temperature: float

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        free = rest_at(program, values, self, [0.0])
        found, free = self.sampled(program, values, free)
        cost = stretches(found.cost)
        own = jnp.mean(cost, axis=1, keepdims=True)
        whole = jnp.mean(own, axis=0, keepdims=True)
        share = 1.0 / (cost.shape[1] * cost.shape[2])
        # Within a stretch, and what its mean adds; only the first is scattered as the sum is.
        inside = -share / self.temperature * (cost - own)
        beside = -share / self.temperature * jnp.broadcast_to(own - whole, cost.shape)

        def terms(piece: Any) -> tuple[Any, Any]:
            flat, w, v = piece
            none = jnp.zeros(len(flat), flat.dtype)
            back = pullback(program, values, split_units(flat, free.state), none)
            even = jnp.full_like(w, share)
            return back(w, even), back(v, 0 * even)

        grad, error = averaged(terms, (stretches(found.flat), inside, beside))
        loss = mean_cost(program, values, free.state)
        more = {"standard_error": error, "rhat": found.rhat, "ess": found.size,
                "acceptance": found.accepted}  # fmt: skip
        return Raw(grad, loss, jnp.mean(found.cost), (free,), more=more)


@dataclass(frozen=True)
class ThermalNudge(AbstractThermal):
    """Two opposite nudges at temperature T, sampled with the same noise.

    Equation: (⟨∂F/∂θ⟩_β − ⟨∂F/∂θ⟩_{−β})/2β over p ∝ exp(−(E + βC)/T): the gradient of
    (Φ(β) − Φ(−β))/2β, Φ = −T log ∫exp(−F/T)ds, so of ⟨C⟩_0 up to O(β²). Common random numbers
    keep the noise from growing as 1/β where chains contract, as they do near quadratic minima.
    Raises: InputError for T ≤ 0, β that is 0 or settings out of range; ConvergenceError unless
    throw=False if a sample did not mix in some phase.
    Reference: Scellier & Bengio (2017), arXiv:1602.05179, section on stochastic nets; theory B7.
    """

    beta: float
    temperature: float

    def __post_init__(self) -> None:
        real_nudge(self.beta)
        super().__post_init__()

    @property
    def order(self) -> int:
        return 2

    @property
    def phases(self) -> tuple[str, ...]:
        return ("free", "nudged", "nudged against")

    def core(self, program: Program, values: Values) -> Raw:
        import jax.numpy as jnp

        free = rest_at(program, values, self, [0.0])
        both = [rest_at(program, values, self, jnp.reshape(b, (1,)), free.state)
                for b in (jnp.asarray(self.beta), -jnp.asarray(self.beta))]  # fmt: skip
        found, rests = zip(*(self.sampled(program, values, r) for r in both), strict=True)
        flat = jnp.concatenate([stretches(f.flat) for f in found], axis=1)
        size, batch = flat.shape[1] // 2, flat.shape[2]
        beta = jnp.concatenate([jnp.broadcast_to(r.beta, (size,)) for r in rests])
        weight = jnp.broadcast_to(1 / (2 * beta * size * batch), (batch, 2 * size)).T

        def terms(piece: Any) -> tuple[Any, Any]:
            state = split_units(piece, free.state)
            a = pullback(program, values, state, beta)(weight, 0 * weight)
            return a, {k: jnp.zeros_like(v) for k, v in a.items()}

        grad, error = averaged(terms, flat)
        loss = mean_cost(program, values, free.state)
        mean = jnp.mean(jnp.stack([f.cost for f in found]))
        more = {"standard_error": error, "rhat": jnp.concatenate([f.rhat for f in found], axis=1),
                "ess": jnp.concatenate([f.size for f in found], axis=1),
                "acceptance": jnp.mean(jnp.stack([f.accepted for f in found]), axis=0)}  # fmt: skip
        return Raw(grad, loss, mean, (free, *rests), more=more)


