"""Sampling the Gibbs law of a program at a phase, as users call it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.codegen.binding import Sizes, bind, check_sizes
from unified.codegen.program import Program
from unified.dynamics.chains import (
    Chains,
    Langevin,
    check_temperature,
    run_chains,
    sample_keys,
    split_units,
)  # fmt: skip
from unified.dynamics.equilibrium import STATUS
from unified.dynamics.exact import default_method
from unified.dynamics.mixing import ESS, RHAT, mixed
from unified.dynamics.phase import Phase
from unified.dynamics.relax import TOL, held, phase_values, runnable
from unified.dynamics.solve import relax_arrays, start_state


@dataclass(frozen=True)
class GibbsSample:
    """Draws from p ∝ exp(−F/T), and whether they may be used.

    Equation: `status` is "converged" iff every quantity of the sample (each unit, F and, with a
    cost, C) has split R-hat < 1.01 and effective sample size ≥ 400; else "unmixed", or
    "non_finite".
    Shapes: `state` by name (chains, draws, batch, ...), `energy` F and `cost` C (None without one)
    (chains, draws, batch); `rhat`, `ess` by quantity, (batch, ...) for states, (batch,) for
    "energy" and "cost"; `acceptance` and `status` (batch,). No batch axis if the data had none.
    Reference: Vehtari et al. (2021), arXiv:1903.08008, for the two diagnostics.
    """

    state: dict[str, Any]
    energy: Any
    cost: Any
    rhat: dict[str, Any]
    ess: dict[str, Any]
    acceptance: Any
    status: Any
    temperature: float
    settings: Langevin

    @property
    def converged(self) -> bool:
        """True if every sample passed the gate."""
        return bool(np.all(np.asarray(self.status) == "converged"))

    def require(self) -> GibbsSample:
        """Itself, if every sample converged. Raises: ConvergenceError naming those that did not."""
        count = np.size(self.status)
        rhat, size = (
            np.concatenate([np.reshape(v, (count, -1)) for v in d.values()], axis=1)
            for d in (self.rhat, self.ess)
        )
        unmixed(np.atleast_1d(self.status), rhat, size, "sample")
        return self

    def to_xarray(self) -> Any:
        """The draws as an xarray.Dataset with dimensions chain and draw, as ArviZ wants them."""
        import xarray as xr

        more = {"energy": self.energy} | ({} if self.cost is None else {"cost": self.cost})
        lead = ("chain", "draw", *(("sample",) if np.ndim(self.status) else ()))

        def labelled(name: str, v: Any) -> Any:
            return ((*lead, *(f"{name}_dim_{k}" for k in range(np.ndim(v) - len(lead)))), v)

        return xr.Dataset({k: labelled(k, v) for k, v in {**more, **self.state}.items()},
                          attrs={"temperature": self.temperature})  # fmt: skip

    def __repr__(self) -> str:
        names, counts = np.unique(np.asarray(self.status), return_counts=True)
        told = ", ".join(f"{n} {c}" for n, c in zip(names, counts, strict=True))
        least = min(float(np.min(v)) for v in self.ess.values())
        worst = max(float(np.max(v)) for v in self.rhat.values())
        s = self.settings
        return (
            f"GibbsSample({told}; T={self.temperature:g}, {s.chains} chains of {s.draws} draws "
            f"({s.method}), ESS >= {least:.0f}, R-hat <= {worst:.3f}, acceptance >= "
            f"{float(np.min(self.acceptance)):.2f})"
        )


def unmixed(status: Any, rhat: Any, size: Any, what: str) -> None:
    """Raise ConvergenceError if a sample is not converged; rhat, size (batch, quantities)."""
    bad = np.flatnonzero(status != "converged")
    if bad.size:
        first, shown = bad[0], ", ".join(map(str, bad[:5])) + (", ..." if bad.size > 5 else "")
        raise ConvergenceError(
            f"{what}: expected R-hat < {RHAT} and effective sample size >= {ESS:.0f} for every "
            f"quantity, got {bad.size} of {status.size} samples not there (samples {shown}; "
            f"sample {first}: {status[first]}, R-hat up to {np.max(rhat[first]):.3g}, effective "
            f"sample size down to {np.min(size[first]):.3g}); {STATUS[str(status[first])]}.",
            tuple(map(str, status)),
        )


def sample(
    program: Program,
    params: Mapping[str, Any],
    phase: Phase,
    temperature: float,
    *,
    key: int,
    draws: int = 1000,
    chains: int = 4,
    warmup: int = 200,
    step: float = 1.0,
    method: str = "mala",
    precondition: bool = True,
    spread: float = 2.0,
    start: Mapping[str, Any] | None = None,
    throw: bool = True,
) -> GibbsSample:
    """Sample the Gibbs law p(s) ∝ exp(−F(s)/T), F = E + βC, of a phase.

    Equation: Langevin steps preconditioned by H⁻¹ at the rest point and, for method "mala",
    accepted by Metropolis' rule, so that their length biases nothing; "ula" accepts all, and its
    covariance on a quadratic F with `precondition=False` is TH⁻¹(1 − hH/2)⁻¹.
    Shapes: phase data (batch, ...) or one sample; T in units of the energy. Chains begin `spread`
    Laplace standard deviations around the rest point, or at `start`: states (chains, batch, ...).
    Only wells that some chain has visited can be noticed: start chains in each that matters.
    `key` and a sample's own data decide its noise, so that it depends neither on the batch around
    it nor on β. The draws take chains × draws × batch × units numbers.
    Raises: ConvergenceError unless throw=False if a sample did not mix; InputError for settings
    out of range, arrays that do not fit, or a field that derives from no energy.
    Reference: Roberts & Tweedie (1996), Bernoulli 2, 341; theory page, section 0.
    """
    runnable(program)
    check_temperature(temperature)
    law = Langevin(draws, chains, warmup, step, method, precondition, spread)
    if program.field is not None:
        raise bad_input("program", "an energy, for a Gibbs law", "a field", program.field.asymmetry)
    check_key(key)
    program, phase = held(program, phase)
    if np.iscomplexobj(phase.beta) or np.size(phase.beta) != 1:
        raise bad_input("phase", "one real beta", phase.beta, "sample once per nudge")
    with program.precision:
        values, batch = phase_values(program, params, phase)
        run = program.jit(
            ("sample", law, start is not None), lambda *a: _sample(program, law, *a)
        )
        heat, begin = program.dtype.type(temperature), _start(program, params, start, law, batch)
        found, good = run(values, heat, key, begin)
        state, rhat, size = _named(program, values, found)
    index: Any = slice(None) if batch is not None else 0
    finite = np.all(np.isfinite(found.flat), axis=(0, 1, 3))
    status = np.where(good, "converged", np.where(finite, "unmixed", "non_finite"))
    sampled = GibbsSample(
        {k: v[:, :, index] for k, v in state.items()}, np.asarray(found.energy)[:, :, index],
        None if found.cost is None else np.asarray(found.cost)[:, :, index],
        {k: v[index] for k, v in rhat.items()}, {k: v[index] for k, v in size.items()},
        np.asarray(found.accepted)[index], status[index], float(temperature), law,
    )  # fmt: skip
    return sampled.require() if throw else sampled


def check_key(key: Any) -> None:
    """Raise InputError unless the key is a whole number that fits 31 bits."""
    whole = isinstance(key, int | np.integer) and not isinstance(key, bool)
    if not whole or not 0 <= key < 2**31:
        raise bad_input("key", "a whole number from 0 to 2**31 - 1", key, "use e.g. key=0")


def _start(program: Program, params: Mapping[str, Any], start: Any, law: Langevin,
           batch: int | None) -> Any:  # fmt: skip
    """The first states given, checked, on chain and batch axes; None if none are."""
    if start is None:
        return None
    sizes: Sizes = {}
    program.params(params, sizes)
    lead = 1 if batch is None else 2
    given = bind(program.model.states, start, "start", sizes, program.dtype, lead=lead)
    check_sizes(program.model, sizes)
    want = (law.chains,) if batch is None else (law.chains, batch)
    for k, v in given.items():
        if v.shape[:lead] != want:
            raise bad_input(f"start {k}", f"leading axes {want} (chains, samples)",
                            str(v.shape[:lead]), "give every chain a state")  # fmt: skip
    return {k: v[:, None] if batch is None else v for k, v in given.items()}


def _sample(program: Program, law: Langevin, values: Any, heat: Any, key: Any, begin: Any) -> Any:
    """Relax, then sample (traceable); a rest point only says where and how far to step."""
    rest = relax_arrays(program, values, start_state(program, values), default_method(program),
                        TOL[program.dtype.name])  # fmt: skip
    keys = sample_keys(program, values, key, law.chains)
    found = run_chains(program, values, rest.state, law, heat, keys, begin)
    return found, mixed(found.rhat, found.size)


def _named(program: Program, values: Any, found: Chains) -> tuple[Any, Any, Any]:
    """States, R-hat and effective size by name, as NumPy arrays."""
    more = ["energy", *([] if found.cost is None else ["cost"])]
    units, like = found.flat.shape[-1], start_state(program, values)

    def named(v: Any) -> dict[str, Any]:
        return {n: v[:, units + k] for k, n in enumerate(more)} | split_units(v[:, :units], like)

    rhat, size = named(np.asarray(found.rhat)), named(np.asarray(found.size))
    return split_units(np.asarray(found.flat), like), rhat, size
