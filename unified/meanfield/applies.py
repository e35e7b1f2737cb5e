"""Which method applies to which functional, and whether a functional is bounded below."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.meanfield.functional import AbstractFunctional, part
from unified.meanfield.grid import GridMeasure
from unified.meanfield.interaction import Interaction
from unified.meanfield.internal import Power
from unified.meanfield.measures import AbstractMeasure, GaussianMeasure, ParticleMeasure
from unified.meanfield.moments import closure
from unified.meanfield.potential import Potential

METHODS = ("particles", "langevin", "fv", "jko", "moments")
RADII = (1e2, 1e3, 1e4)


def applies(F: AbstractFunctional, mu0: AbstractMeasure, method: str) -> None:
    """Raise InputError if a method does not apply to a functional, naming those that do."""
    reason = why_not(F, method, mu0)
    if reason:
        fit = [m for m in METHODS if not why_not(F, m, mu0)]
        raise bad_input("method", f"one that applies to {F!r}: {', '.join(fit) or 'none does'}",
                        f"'{method}', which {reason}", "choose one of those")  # fmt: skip


def why_not(F: AbstractFunctional, method: str, mu0: AbstractMeasure) -> str:
    """Why a method does not apply to a functional, from such a measure; empty if it does."""
    powers = any(isinstance(t, Power) for t in F.terms)
    closes = _closes(F, mu0.dim)
    if method == "particles" and F.temperature > 0:
        return "is for T = 0"
    if method in ("particles", "langevin") and powers:
        return "cannot feel a power of the density"
    if method == "fv" and mu0.dim > 2:
        return "is for 1 or 2 dimensions"
    if method == "moments" and not closes:
        return "needs quadratic potentials and interactions"
    if method == "jko" and not closes and isinstance(mu0, GaussianMeasure):
        return "needs quadratic potentials and interactions to keep a Gaussian one"
    if method == "jko" and isinstance(mu0, ParticleMeasure) and mu0.dim > 1:
        return "needs one dimension, a GaussianMeasure or a GridMeasure"
    if method == "jko" and isinstance(mu0, GridMeasure) and (powers or mu0.periodic):
        return "needs a grid with walls and no power of the density"
    return ""


def bounded(F: AbstractFunctional, mu0: AbstractMeasure) -> None:
    """Raise InputError if F is seen to be unbounded below on measures of R^d.

    Equation: for quadratic F, A and A + K must have no negative eigenvalue; else the energy of one
    atom, and of a pair of atoms, is followed along rays. What falls at least linearly is refused.
    Functionals with terms of other kinds are not looked at.
    """
    outside = part(F, False)
    if not all(isinstance(t, Potential | Interaction) for t in outside.terms):
        return
    if _closes(F, mu0.dim):
        a, _, k = closure(F, mu0.dim)
        least = min(float(np.linalg.eigvalsh(m)[0]) for m in (a, a + k))
        if least < -1e-12 * max(float(np.max(np.abs(a))), float(np.max(np.abs(k)))):
            raise _unbounded(f"curvature {least:.3g}")
        return
    m, scale = mu0.mean(), 1 + float(np.sqrt(np.trace(mu0.cov())))
    rng = np.random.default_rng(0)
    rays = np.concatenate([np.eye(mu0.dim)[:3], rng.standard_normal((2, mu0.dim))])
    for u in rays / np.linalg.norm(rays, axis=1, keepdims=True):
        for ends in ((1.0,), (-1.0,), (1.0, -1.0)):
            with np.errstate(all="ignore"):
                levels = [_at(outside, m, [s * r * scale * u for s in ends]) for r in RADII]
            if levels[2] < 2 * levels[1] < 4 * levels[0] < 0:
                raise _unbounded(f"{levels[2]:.3g} at a distance of {RADII[2] * scale:.3g}")


def _at(F: AbstractFunctional, m: Any, shifts: list[Any]) -> float:
    return F.value(ParticleMeasure(np.stack([m + s for s in shifts])))


def _unbounded(got: str) -> Exception:
    return bad_input("F", "a functional that is bounded below", f"one that is not ({got})",
                     "add a potential that confines")  # fmt: skip


def _closes(F: AbstractFunctional, dim: int) -> bool:
    """True if Gaussians stay Gaussian: quadratic potentials and interactions, and entropy."""
    return not any(isinstance(t, Power) for t in F.terms) and all(
        t.internal or t.quadratic(dim) is not None or t.pairing(dim) is not None for t in F.terms
    )
