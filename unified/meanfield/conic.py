"""Conic particles: a homogeneous neuron is a direction on the sphere and a mass."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from unified.base.errors import bad_input
from unified.meanfield.networks import TwoLayer
from unified.meanfield.risk import Risk


class Conic(NamedTuple):
    """Directions ω (N, dim) of length 1 and masses m (N,) = |θ|²: θ = √m ω."""

    direction: Any
    mass: Any


def _homogeneous(net: TwoLayer) -> None:
    if not net.is_homogeneous:
        raise bad_input("net", "a positively homogeneous one: linear, relu or quadratic",
                        repr(net), "use activation='relu'")  # fmt: skip


def to_conic(net: TwoLayer, theta: Any) -> Conic:
    """The cone coordinates of particles (N, dim).

    Equation: φ(x; θ) = |θ|²φ(x; θ/|θ|), so f_μ depends on ν = Σ w_i|θ_i|²δ_{θ_i/|θ_i|} only.
    Raises: InputError for a net that is not homogeneous, or a particle at 0.
    Reference: Chizat & Bach (2018), arXiv:1805.09545; Chizat (2022), arXiv:1907.10300.
    """
    _homogeneous(net)
    theta = net.check_particles(theta)
    mass = np.sum(theta**2, axis=1)
    if not np.all(mass > 0):
        raise bad_input("particles", "particles other than 0, which has no direction",
                        "one at 0", "drop it: it adds nothing and does not move")  # fmt: skip
    return Conic(theta / np.sqrt(mass)[:, None], mass)


def from_conic(cone: Conic) -> Any:
    """The particles √m ω, (N, dim)."""
    return cone.direction * np.sqrt(cone.mass)[:, None]


def conic_velocity(risk: Risk, cone: Conic, weight: Any = None) -> Conic:
    """The rates of directions and masses under the flow of the particles √m ω.

    Equation: with V = δF/δμ, ω' = −(1 − ωωᵀ)∇V(ω), m' = −4mV(ω): masses grow by what they help,
    directions do not depend on masses.
    Shapes: as `cone`; weight (N,), 1/N if left out.
    Raises: InputError for a net that is not homogeneous or a risk with a regulariser or another
    credit than bp, which are not of degree 2 in the particle alone.
    Reference: Chizat (2022), arXiv:1907.10300, proposition 2.1.
    """
    from unified.meanfield.measures import ParticleMeasure

    _homogeneous(risk.net)
    if risk.credit != "bp" or risk.regulariser is not None:
        raise bad_input("risk", "credit='bp' without regulariser", repr(risk), "make another")
    theta = from_conic(cone)
    measure = ParticleMeasure(theta, weight)
    pull = risk.velocity_at(measure)  # of degree 1: √m times that at ω
    unit = pull / np.sqrt(cone.mass)[:, None]
    radial = np.sum(unit * cone.direction, axis=1)  # −ω·∇V = −2V(ω) by Euler's identity
    return Conic(unit - radial[:, None] * cone.direction, 2 * cone.mass * radial)


def features(net: TwoLayer, theta: Any, weight: Any = None) -> tuple[Any, Any]:
    """Input directions w/|w| (N, d) and what they carry: weight·α·a|w| (N,), for ReLU features.

    Raises: InputError unless the net is linear or relu with one output, or a w is 0.
    """
    if net.activation not in ("relu", "linear") or net.outputs > 1:
        raise bad_input("net", "a relu or linear net with one output", repr(net), "use one")
    theta = net.check_particles(theta)
    weight = np.full(len(theta), 1 / len(theta)) if weight is None else np.asarray(weight)
    size = np.linalg.norm(theta[:, 1:], axis=1)
    if not np.all(size > 0):
        raise bad_input("particles", "input weights other than 0", "one at 0", "drop it")
    return theta[:, 1:] / size[:, None], weight * net.alpha * theta[:, 0] * size


def lazy_change(start: Any, end: Any) -> float:
    """How far particles moved, relative to where they were: |θ(t) − θ(0)| / |θ(0)|."""
    start, end = np.asarray(start), np.asarray(end)
    return float(np.linalg.norm(end - start) / np.linalg.norm(start))


def tangent_kernel(net: TwoLayer, theta: Any, x: Any) -> Any:
    """The kernel (M, M) by which outputs move under the flow: α²(1/N)Σ_i ∇φ(x; θ_i)·∇φ(x'; θ_i).

    Shapes: x (M, d); one output only.
    Raises: InputError for shapes that do not fit or several outputs.
    Reference: Jacot, Gabriel & Hongler (2018), arXiv:1806.07572.
    """
    import jax

    if net.outputs > 1:
        raise bad_input("net", "one output", repr(net), "ask for one output at a time")
    theta, x = net.check_particles(theta), np.asarray(x, float)
    with jax.enable_x64(theta.dtype == np.float64):
        one = np.eye(len(x), dtype=theta.dtype)
        slopes = jax.vmap(lambda r: net.pull(theta, x.astype(theta.dtype), r))(one)
        flat = np.asarray(slopes).reshape(len(x), -1)
    return net.alpha**2 * (flat @ flat.T) / len(theta)
