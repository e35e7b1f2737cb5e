"""Posterior draws with names: how they are laid out, judged, saved and read back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.base.files import atomic_write_bytes
from unified.dynamics.equilibrium import STATUS
from unified.dynamics.mixing import ESS, RHAT, diagnose
from unified.energies.cost import Cost, CostFamily
from unified.energies.energy import Energy
from unified.inference import arviz_data
from unified.inference.problem import Problem

FAILED = {
    **STATUS,
    "divergences": "the sampler lost its way where the law is curved too strongly; tune longer, "
    "use method='langevin', or another parameterisation",
}  # fmt: skip


class Gate(NamedTuple):
    """R-hat and effective sample size of quantities, and whether the draws may be used."""

    rhat: Any
    ess: Any
    status: str


def mixing(series: Any) -> tuple[Any, Any]:
    """(R-hat, effective sample size) of series (chains, draws, quantities), per quantity."""
    import jax

    with jax.enable_x64(True):
        rhat, size = _diagnose()(np.asarray(series, float)[:, :, None])
        return np.asarray(rhat)[0], np.asarray(size)[0]


@lru_cache(maxsize=1)
def _diagnose() -> Any:
    import jax

    return jax.jit(diagnose)


def gate(series: Any, divergences: int = 0) -> Gate:
    """Judge chains: R-hat < 1.01 and ESS ≥ 400 for every quantity, all finite, no divergences.

    Shapes: series (chains, draws, quantities); `rhat`, `ess` (quantities,).
    Reference: Vehtari et al. (2021), arXiv:1903.08008.
    """
    if not np.all(np.isfinite(series)):
        nothing = np.full(np.shape(series)[-1], np.nan)
        return Gate(nothing, nothing, "non_finite")
    rhat, size = mixing(series)
    if divergences:
        return Gate(rhat, size, "divergences")
    good = np.all((rhat < RHAT) & (size >= ESS))
    return Gate(rhat, size, "converged" if good else "unmixed")


def layout(problem: Problem) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Dimension names per state, "<state>_<axis>", and their coordinates 0, 1, ..."""
    dims: dict[str, list[str]] = {}
    coords: dict[str, Any] = {}
    for s in problem.program.model.states:
        names = [a.name for a in s.axes]
        # an axis a state has twice is numbered
        told = [n if names.count(n) == 1 else f"{n}_{k}" for k, n in enumerate(names)]
        dims[s.name] = [f"{s.name}_{n}" for n in told]
        shape = problem.shapes[s.name]
        coords |= {d: np.arange(n) for d, n in zip(dims[s.name], shape, strict=True)}
    return dims, coords


def to_data(problem: Problem, draws: Any, method: str, gate: Gate,
            stats: Mapping[str, Any]) -> Any:  # fmt: skip
    """ArviZ data of stacked draws (chains, draws, N), with F, C and `stats` (chains, draws)."""
    import xarray as xr

    dims, coords = layout(problem)
    lead = ["chain", "draw"]
    index = {"chain": np.arange(draws.shape[0]), "draw": np.arange(draws.shape[1])}
    state = problem.unstack(draws)
    attrs = {
        "beta": problem.beta, "temperature": problem.temperature,
        "fingerprint": problem.fingerprint, "energy": problem.program.model.name,
        "cost": problem.program.cost_model.name if problem.program.cost_model else "none",
        "method": method, "status": gate.status,
        "verdict": "usable" if gate.status == "converged" else "inconclusive",
        "rhat_max": float(np.max(gate.rhat)), "ess_min": float(np.min(gate.ess)),
    }  # fmt: skip
    posterior = xr.Dataset(
        {k: ([*lead, *dims[k]], v) for k, v in state.items()}, {**index, **coords}, attrs
    )
    sample_stats = xr.Dataset({k: (lead, v) for k, v in stats.items()}, index, attrs)
    return arviz_data.make({"posterior": posterior, "sample_stats": sample_stats}, attrs)


def stacked(problem: Problem, data: Any) -> Any:
    """The posterior draws of ArviZ data as (chains, draws, N). Raises: InputError."""
    group = arviz_data.group(data, "posterior")
    names = list(problem.shapes)
    if group is None or any(n not in group for n in names):
        raise bad_input("draws", f"ArviZ data with a posterior of {', '.join(names)}",
                        "none" if group is None else f"one of {', '.join(map(str, group))}",
                        "pass what un.inference.posterior returned")  # fmt: skip
    state = {n: group[n].transpose("chain", "draw", ...).values for n in names}
    for n, shape in problem.shapes.items():
        if state[n].shape[2:] != shape:
            raise bad_input(f"draws of {n}", f"shape {shape} per draw", str(state[n].shape[2:]),
                            "pass the draws of this energy")  # fmt: skip
    return problem.stack(state)


def divergences(data: Any) -> int:
    """How many draws ended a diverging trajectory, as the sampler says."""
    stats = arviz_data.group(data, "sample_stats")
    return 0 if stats is None or "diverging" not in stats else int(stats["diverging"].sum())


def attributes(data: Any) -> dict[str, Any]:
    """The attributes of posterior draws."""
    group = arviz_data.group(data, "posterior")
    return dict(data.attrs) or ({} if group is None else dict(group.attrs))


def check_same(problem: Problem, data: Any, what: str, *, settings: bool = True) -> None:
    """Raise InputError if draws say that they are of another law (or, `settings`, of other β, T).

    Draws without a fingerprint, made elsewhere, are taken at their word.
    """
    told = attributes(data)
    print_ = told.get("fingerprint")
    if print_ is not None and str(print_) != problem.fingerprint:
        raise bad_input(
            what, f"draws of this energy, these params and data ({problem.fingerprint})",
            f"those of another ({print_}, {told.get('energy', 'unnamed')})",
            "pass the arguments that the draws were made with, or sample anew",
        )  # fmt: skip
    for name in ("beta", "temperature") if settings and print_ is not None else ():
        here = getattr(problem, name)
        if not np.isclose(float(told.get(name, here)), here, rtol=1e-12, atol=0):
            raise bad_input(what, f"draws at {name} = {here:g}", f"{name} = {told[name]:g}",
                            f"pass {name}={told[name]:g}, or sample anew")  # fmt: skip


def require_usable(attrs: Mapping[str, Any], lost: int = 0) -> None:
    """Raise ConvergenceError unless draws passed the gate."""
    status = str(attrs["status"])
    if status != "converged":
        told = f", {lost} divergences" if lost else ""
        raise ConvergenceError(
            f"posterior: expected R-hat < {RHAT}, effective sample size >= {ESS:.0f} and no "
            f"divergences for every quantity, got R-hat up to {attrs['rhat_max']:.3g}, effective "
            f"sample size down to {attrs['ess_min']:.3g}{told} ({attrs['method']}); inconclusive: "
            f"{FAILED[status]}.", (status,),
        )  # fmt: skip


def save_posterior(data: Any, path: str | os.PathLike[str]) -> Path:
    """Write posterior draws to a netCDF file, wholly or not at all.

    Raises: OSError if the folder cannot be written to.
    """
    with TemporaryDirectory() as folder:
        draft = Path(folder) / "posterior.nc"
        arviz_data.write(data, draft)
        return atomic_write_bytes(path, draft.read_bytes())


def load_posterior(
    path: str | os.PathLike[str], E: Energy, C: Cost | CostFamily | None,
    params: Mapping[str, Any], x: Any = None, y: Any = None,
) -> Any:  # fmt: skip
    """Posterior draws from a netCDF file, if they are of this energy, params and data.

    β and T are read from the file (`.attrs`).
    Raises: InputError for a file that is missing, is no netCDF, holds no posterior, or is of
    another law (its fingerprint does not match).
    """
    told = f"'{path}'"
    try:
        data = arviz_data.read(Path(path))
    except (OSError, ValueError, KeyError) as err:
        got = f"{told} ({type(err).__name__})"
        raise bad_input("path", "a netCDF file of posterior draws", got,
                        "write one with save_posterior") from err  # fmt: skip
    kept = attributes(data)
    if "fingerprint" not in kept:
        raise bad_input("path", "draws with a fingerprint of their energy", told,
                        "write them with save_posterior")  # fmt: skip
    beta = float(kept["beta"]) if C is not None else 1.0
    problem = Problem.of(E, C, params, x, y, beta=beta, temperature=float(kept["temperature"]))
    check_same(problem, data, "path", settings=False)
    return data
