"""A wide net as an energy of its activities, relaxed by the library at every step of a flow."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from unified.codegen.program import Program, emit
from unified.dynamics.solve import CODE
from unified.energies import costs
from unified.energies.energy import Energy
from unified.energies.layered import Layer, layered
from unified.learning.gradient import AbstractEstimator
from unified.learning.nudging import Centered, OneSided
from unified.learning.predictive import PredictiveCoding
from unified.meanfield.networks import ACTIVATIONS, TwoLayer
from unified.symbolic.axis import Axis
from unified.symbolic.build import var
from unified.symbolic.scalar import fn


@cache
def activity_energy(activation: str) -> Energy:
    """The energy of activities h_i of every neuron and o of the outputs.

    Equation: E = ½Σ_i P_i(h_i − σ(w_i·x))² + ½γ_o|o − Σ_i c_ia_ih_i|² (− ½ log precisions), with
    c_i = αw_i the share of a neuron and P_i = γ_hNw_i: equal neurons have c = α/N and P = γ_h.
    Shapes: W (n, d), a (k, n), h, c, P (n), o and the output precision G (k), x (d).
    Reference: Whittington & Bogacz (2017); theory page E7.
    """
    d, n, k = Axis("d"), Axis("n"), Axis("k")
    x, h, o = var("x", d), var("h", n), var("o", k)
    W, a, c = var("W", n, d), var("a", k, n), var("c", n)
    P, G = var("P", n), var("G", k)
    layers = [Layer(h, fn(ACTIVATIONS[activation])(W @ x), P), Layer(o, a @ (c * h), G)]
    return layered(layers, [W, a, c, P, G], [x], name=f"wide_{activation}")


@cache
def activity_program(activation: str, dtype: str) -> Program:
    """The generated functions of the activity energy with the squared cost ½|y − o|²."""
    return emit(activity_energy(activation), costs.squared(), dtype=dtype)


def activity_params(
    net: TwoLayer, theta: Any, weight: Any, hidden: Any, output: float
) -> dict[str, Any]:
    """The parameters of the activity energy at weighted particles; under JAX too.

    `hidden` is Nγ_h, `output` is γ_o.
    """
    import jax.numpy as jnp

    a = theta[:, : net.outputs].T
    return {
        "W": theta[:, net.outputs : net.outputs + net.d], "a": a, "c": net.alpha * weight,
        "P": hidden * weight, "G": jnp.full((net.outputs,), output, theta.dtype),
    }  # fmt: skip


def estimator_of(credit: str, scheme: str, beta: float | None) -> AbstractEstimator:
    """The library's estimator that a credit rule is, as used at every step of a flow."""
    if credit == "ep":
        assert beta is not None
        kind = Centered if scheme == "centered" else OneSided
        return kind(beta)
    return PredictiveCoding() if beta is None else OneSided(beta)


def relaxed_velocity(
    net: TwoLayer, estimator: AbstractEstimator, unit: float, theta: Any, weight: Any,
    x: Any, y: Any, hidden: Any, output: float,
) -> Any:  # fmt: skip
    """−(unit/w_i)·∂(contrast)/∂θ_i from relaxed activities; NaN if a phase did not settle.

    Traceable: relaxation happens inside the compiled step.
    """
    import jax.numpy as jnp

    program = activity_program(net.activation, np.dtype(theta.dtype).name)
    values: dict[str, Any] = activity_params(net, theta, weight, hidden, output)
    values |= {"x": x, "y": y.reshape(len(y), -1), "beta": jnp.zeros((1,), theta.dtype)}
    raw = estimator.core(program, values)
    settled = jnp.all(jnp.stack([jnp.all(r.code == CODE["converged"]) for r in raw.rests]))
    grad = jnp.concatenate([raw.grad["a"].T, raw.grad["W"]], axis=1)
    return jnp.where(settled, -unit * grad / weight[:, None], jnp.nan)
