"""A penalty on the antisymmetric part of the Jacobian, and its gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics import batched
from unified.dynamics.field_system import FieldSystem
from unified.dynamics.krylov import gmres
from unified.dynamics.methods import AbstractMethod
from unified.dynamics.phase import Phase
from unified.dynamics.relax import phase_values, relax
from unified.learning.asymmetric import held_costates, sensitivity

TOL = 1e-12
DENSE = 64


@dataclass(frozen=True)
class Homeostasis:
    """How asymmetric the Jacobian is at the free rest points.

    Equation: value = batch mean of 2‖J_a‖²_F; `per_sample` without the mean; `grad` its gradient
    in θ, the move of the rest point included.
    """

    value: float
    grad: dict[str, Any]
    per_sample: Any


def homeostasis(
    program: Program,
    params: Mapping[str, Any],
    x: Any,
    *,
    probes: int | None = None,
    key: int | None = None,
    method: AbstractMethod | None = None,
    tol: float | None = None,
) -> Homeostasis:
    """The penalty E[|Jε|² − εᵀJ²ε] = 2‖J_a‖²_F at the free rest points, and its gradient.

    Equation: exact from the dense Jacobian, or the mean over `probes` Gaussian vectors drawn with
    `key` (products with J only); gradient ∂P/∂θ − (∂f/∂θ)ᵀJ⁻ᵀ ∂P/∂s, that of the probed value for
    the probes drawn. At 0 the rule of `VectorField` is exact.
    Shapes: x (batch, n0); `grad` as params.
    Raises: ConvergenceError if a sample does not come to a stable rest; InputError for probes < 1
    or without a key.
    Reference: Laborieux & Zenke (2024), arXiv:2309.02214; Hutchinson (1990).
    """
    if probes is not None and (probes < 1 or not isinstance(key, int)):
        raise bad_input("probes", "at least 1, with an integer key", f"{probes}, key {key}",
                        "e.g. probes=16, key=0")  # fmt: skip
    rest = relax(program, params, Phase.free(x), method, TOL if tol is None else tol)
    with program.precision:
        values, batch = phase_values(program, params, Phase.free(x))
        grow = (None,) if batch is not None else (None, None)
        state = {k: v[grow] for k, v in rest.state.items()}
        run = program.jit(("homeostasis", probes), lambda *a: _penalty(program, probes, *a))
        each, grad = run(values, state, 0 if key is None else key)
    each = np.asarray(each)[0]
    found = {k: np.asarray(v) for k, v in grad.items()}
    return Homeostasis(float(each.mean()), found, each if batch is not None else each[0])


def _penalty(program: Program, probes: int | None, values: Any, state: Any, key: Any) -> Any:
    import jax
    import jax.numpy as jnp

    names = [p.name for p in program.model.params]
    system = FieldSystem(program, values)
    system.begin(state)
    z = system.flat(state)

    def each(theta: Any, z: Any) -> Any:
        here = FieldSystem(program, {**values, **theta})
        here.begin(state)
        if probes is None:
            j = here.jacobian(z)
            return 0.5 * jnp.sum((j - jnp.swapaxes(j, -1, -2)) ** 2, axis=(-2, -1))
        push = jax.linearize(here.flow, z)[1]
        noise = jax.random.normal(jax.random.key(key), (probes, *z.shape), z.dtype)
        once = jax.vmap(push)(noise)
        twice = jax.vmap(push)(once)
        return jnp.mean(jnp.sum(once * once - noise * twice, axis=-1), axis=0)

    theta = {k: values[k] for k in names}
    by_theta = jax.grad(lambda t: jnp.mean(each(t, z)))(theta)
    by_state = jax.grad(lambda z: jnp.sum(each(theta, z)))(z)
    if z.shape[-1] <= DENSE:
        costate, _ = batched.solve_pivoted(jnp.swapaxes(system.jacobian(z), -1, -2), by_state)
    else:
        pull = jax.linear_transpose(jax.linearize(system.flow, z)[1], z)
        costate = gmres(lambda v: pull(v)[0], by_state, float(jnp.finfo(z.dtype).eps))
    held = {**values, **held_costates(program, values)}
    through = sensitivity(program, held, state, system.split(costate), 0.0)
    return each(theta, z), {k: by_theta[k] + through[k] for k in names}
