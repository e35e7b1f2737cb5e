"""Equilibrium propagation in time is backpropagation through time, term by term."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.phase import Phase
from unified.dynamics.relax import phase_values
from unified.dynamics.system import System
from unified.learning.exact import Implicit
from unified.learning.gradient import contrast


@dataclass(frozen=True)
class Transient:
    """What moves, step by step, when a nudge is switched on; and what backpropagation passes back.

    Equation: `ep_state[t]` = ∂_β(s_{t+1} − s_t), `bptt_state[t]` = −η ∂L/∂s_{K−t};
    `ep_rule[t]` = ∂_β[∂E/∂θ(s_{t+1}) − ∂E/∂θ(s_t)], `bptt_rule[t]` = ∂L/∂θ_{K−1−t}; t = 0..K−1.
    Shapes: states (steps, batch, units) of each sample's own loss, rules (steps, *param) of the
    batch mean, dicts by name.
    """

    ep_state: dict[str, Any]
    bptt_state: dict[str, Any]
    ep_rule: dict[str, Any]
    bptt_rule: dict[str, Any]

    @property
    def errors(self) -> Any:
        """|EP − BPTT|/|BPTT| per step, the larger of the states' and the rules', (steps,)."""
        pairs = ((self.ep_state, self.bptt_state), (self.ep_rule, self.bptt_rule))
        return np.max([_apart(a, b) for a, b in pairs], axis=0)

    def __repr__(self) -> str:
        return f"Transient({len(self.errors)} steps, EP and BPTT differ by {self.errors.max():.2g})"


def transient(
    program: Program,
    params: Mapping[str, Any],
    x: Any,
    y: Any,
    steps: int,
    eta: float,
    *,
    sequential: bool = False,
) -> Transient:
    """Both sides of the transient identity, each computed on its own.

    Equation: s_{t+1} = s_t − η ∂F/∂s(s_t) from the free rest point; EP: the whole nudged path
    differentiated in β at 0, forward; BPTT: L = C(s_K) of the free path differentiated backward,
    with one copy of θ per step. They agree where steps are synchronous (H = Hᵀ);
    `sequential=True` moves the states one after another, and they do not.
    Raises: ConvergenceError if a sample has no free rest point; InputError for float32,
    steps < 1, η ≤ 0 or arrays that do not fit.
    Reference: Ernoult et al. (2019), arXiv:1905.13633; theory page B4.
    """
    import jax

    if steps < 1:
        raise bad_input("steps", "at least 1", steps, "take some steps")
    if not eta > 0:
        raise bad_input("eta", "a positive step", eta, "use e.g. 0.2")
    if program.dtype != np.float64:
        raise bad_input("program", "float64", program.dtype.name, "emit it with dtype='float64'")
    (free,) = Implicit()(program, params, x, y).equilibria
    with program.precision:
        values, _ = phase_values(program, params, Phase(x, y))
        start = {k: v[None] for k, v in free.state.items()}
        run = jax.jit(lambda v, s: _both(program, v, s, steps, eta, sequential))
        return Transient(*jax.tree.map(np.asarray, run(values, start)))


def _both(
    program: Program, values: Any, start: Any, steps: int, eta: float, sequential: bool
) -> Any:
    """The four families of terms (traceable)."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    names = [p.name for p in program.model.params]
    none = jnp.zeros((1,), program.dtype)
    theta = {k: values[k] for k in names}
    data = {k: v for k, v in values.items() if k not in names}

    def move(s: Any, theta: Any, beta: Any) -> Any:
        system = System(program, {**data, **theta, "beta": beta})
        system.begin(s)
        for name in system.names if sequential else ():
            s = {**s, name: s[name] - eta * system.layer_gradient(name, s)}
        if sequential:
            return s
        slope = system.gradient(s)
        return {k: s[k] - eta * slope[k] for k in s}

    def nudged(beta: Any) -> Any:
        def step(s: Any, _: Any) -> Any:
            s = move(s, theta, beta)
            return s, (s, contrast(program, {**data, **theta}, s, none, none + 1))

        here = (start, contrast(program, {**data, **theta}, start, none, none + 1))
        _, path = lax.scan(step, start, None, length=steps)
        return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), here, path)

    _, speed = jax.jvp(nudged, (none,), (none + 1,))
    ep_state, ep_rule = jax.tree.map(lambda v: v[1:] - v[:-1], speed)

    def loss(copies: Any, kicks: Any) -> Any:
        def step(s: Any, given: Any) -> Any:
            theta, kick = given
            return {k: v + kick[k] for k, v in move(s, theta, none).items()}, None

        last, _ = lax.scan(step, start, (copies, kicks))
        return jnp.sum(program.module.call("cost", {**values, **last})["C"])

    copies = {k: jnp.broadcast_to(v, (steps, *v.shape)) for k, v in theta.items()}
    kicks = {k: jnp.zeros((steps, *v.shape), v.dtype) for k, v in start.items()}
    by_theta, by_state = jax.grad(loss, argnums=(0, 1))(copies, kicks)
    batch = next(iter(start.values())).shape[1]
    back = {k: v[::-1] / batch for k, v in by_theta.items()}
    for p in program.model.params:
        if p.symmetric:  # both slots of a pair are one parameter
            back[p.name] = (back[p.name] + jnp.swapaxes(back[p.name], -1, -2)) / 2
    # A kick after step t is a change of s_{t+1}: the last is that of s_K.
    passed = {k: -eta * v[::-1, 0] for k, v in by_state.items()}
    return {k: v[:, 0] for k, v in ep_state.items()}, passed, ep_rule, back


def _apart(a: Mapping[str, Any], b: Mapping[str, Any]) -> Any:
    def size(v: Mapping[str, Any]) -> Any:
        return np.sqrt(sum(np.sum(u**2, axis=tuple(range(1, u.ndim))) for u in v.values()))

    return size({k: a[k] - b[k] for k in a}) / size(b)
