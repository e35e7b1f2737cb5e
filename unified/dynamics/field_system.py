"""A field made ready to move: its velocity, its co-states, and its Jacobian."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics.phase import Phase
from unified.dynamics.solve import start_state
from unified.dynamics.system import State, System
from unified.energies.structure import is_diagonal
from unified.symbolic.diff import derivative
from unified.symbolic.nodes import Zero


class FieldSystem(System):
    """ṡ = f(s) − β ∂C/∂s of a field's program, −∂F/∂s of an energy's (traceable).

    Relaxation methods see −ṡ in the place of ∂F/∂s; layers are swept by the diagonal of their own
    Jacobian where it is all there is.
    """

    def __init__(
        self, program: Program, values: Mapping[str, Any], *, backward: bool = False
    ) -> None:
        super().__init__(program, values, backward=backward)
        field = program.field
        if field is not None:
            self.costates = {s.name: a.name for s, a in zip(field.states, field.costates,
                                                            strict=True)}  # fmt: skip
            self.names = tuple(self.costates)
            self.order = self.names[::-1] if backward else self.names
            self.fixed |= zero_costates(program, values)
            self.fixed |= program.drive(self.fixed)
        # To a sweep every layer is diagonal and alone: it moves by its own stiffness.
        self.kinds = {(a, b): "diagonal" if a == b else "zero"
                      for a in self.names for b in self.names}  # fmt: skip

    def velocity(self, state: State) -> State:
        """ds/dt for every state."""
        if self.program.field is None:
            return self._call("force", state)
        pull = self._pull(state)
        return {n: -self._call(f"grad_{a}", state)[a] - pull[n] if n in pull else
                -self._call(f"grad_{a}", state)[a] for n, a in self.costates.items()}  # fmt: skip

    def layer_velocity(self, name: str, state: State) -> Any:
        """ds/dt for one layer."""
        if self.program.field is None:
            return -self._call(f"grad_{name}", state)[name]
        a = self.costates[name]
        found = -self._call(f"grad_{a}", state)[a]
        pull = self._pull(state)
        return found - pull[name] if name in pull else found

    def _pull(self, state: State) -> State:
        """β ∂C/∂s of the states that the cost reads."""
        cost = self.program.cost_model
        if cost is None:
            return {}
        found = self._call("cost_gradient", state)
        read = {v.name for v in cost.expr.free}
        return {n: _spread(self.fixed["beta"], found[n]) * found[n] for n in self.names
                if n in read}  # fmt: skip

    # --- as relaxation methods see it ---------------------------------------------------------
    def gradient(self, state: State) -> State:
        return {k: -v for k, v in self.velocity(state).items()}

    def layer_gradient(self, name: str, state: State) -> Any:
        return -self.layer_velocity(name, state)

    def layer_curvature(self, name: str, state: State) -> Any:
        """The diagonal of −∂f_l/∂s_l where the block is diagonal by construction, else 1."""
        import jax
        import jax.numpy as jnp

        one = jnp.ones_like(state[name])
        if not self._alone(name):
            return one

        def own(value: Any) -> Any:
            return -self.layer_velocity(name, {**state, name: value})

        return jax.jvp(own, (state[name],), (one,))[1]

    def _alone(self, name: str) -> bool:
        field = self.program.field
        if field is None:
            return self.program.kernels.structure.kinds[name, name] == "diagonal"
        return is_diagonal(field.jacobian(name, name))

    @cached_property
    def coupling(self) -> Mapping[tuple[str, str], str]:
        """The kind of every block of the Jacobian, that of the nudge included."""
        field, cost = self.program.field, self.program.cost_model
        if field is None:
            return self.program.kernels.structure.kinds
        found = {}
        for a in field.states:
            pull = None if cost is None else derivative(cost.expr, a)
            for b in field.states:
                parts = [field.jacobian(a, b)]
                parts += [] if pull is None else [derivative(pull, b)]
                parts = [x for x in parts if not isinstance(x, Zero)]
                own = a is b and all(map(is_diagonal, parts))
                found[a.name, b.name] = "zero" if not parts else "diagonal" if own else "dense"
        return found

    # --- as solvers see it ----------------------------------------------------------------------
    def flow(self, flat: Any) -> Any:
        """The velocity over flat states, (phase, batch, N)."""
        return self.flat(self.velocity(self.split(flat)))

    def jacobian(self, flat: Any) -> Any:
        """∂velocity/∂s, dense: (phase, batch, N, N)."""
        import jax
        import jax.numpy as jnp

        push = jax.linearize(self.flow, flat)[1]
        units = jnp.eye(flat.shape[-1], dtype=flat.dtype)
        return jax.vmap(lambda e: push(jnp.broadcast_to(e, flat.shape)), out_axes=-1)(units)


class Augmented(FieldSystem):
    """The nudged field, its Jacobian at the free rest point transposed by an extra force.

    Equation: ṡ = f(s) − β ∂C/∂s − 2J_a(s − s_0), 2J_a = J − Jᵀ at s_0, taken by products only.
    """

    def __init__(self, program: Program, values: Mapping[str, Any], free: State) -> None:
        import jax
        import jax.numpy as jnp

        super().__init__(program, values, backward=True)
        still = FieldSystem(program, {**values, "beta": 0 * values["beta"]})
        lead = values["beta"].shape
        free = {k: jnp.broadcast_to(v, (*lead, *v.shape[1:])) for k, v in free.items()}
        still.begin(free)
        self.origin = still.flat(free)
        self.push = jax.linearize(still.flow, self.origin)[1]
        self.pull = jax.linear_transpose(self.push, self.origin)

    def velocity(self, state: State) -> State:
        away = self.flat(state) - self.origin
        extra = self.split(self.pull(away)[0] - self.push(away))
        return {n: v + extra[n] for n, v in super().velocity(state).items()}

    def layer_velocity(self, name: str, state: State) -> Any:
        return self.velocity(state)[name]


class Costates(FieldSystem):
    """The co-states d of a state at rest m: ḋ = J(m)ᵀd − β ∂C/∂s(m), linear in d."""

    def __init__(self, program: Program, values: Mapping[str, Any], free: State) -> None:
        super().__init__(program, values, backward=True)
        self.at = dict(free)

    def velocity(self, state: State) -> State:
        if self.program.field is not None:
            return {n: self.layer_velocity(n, state) for n in self.names}
        fixed, beta = self.fixed, self.fixed["beta"]
        self.fixed = {**fixed, "beta": 0 * beta}  # H of E alone: the nudge does not bend it
        product = self.product(self.at, state)
        self.fixed = fixed
        pull = self._call("cost_gradient", self.at)
        return {n: -product[n] - _spread(beta, pull[n]) * pull[n] for n in self.names}

    def layer_velocity(self, name: str, state: State) -> Any:
        if self.program.field is None:
            return self.velocity(state)[name]
        along = {self.costates[n]: v for n, v in state.items()}
        return -self._call(f"grad_{name}", {**self.at, **along})[name]


def zero_costates(program: Program, values: Mapping[str, Any]) -> State:
    """Co-states 0 on phase and batch axes: generated code takes sizes from them too (traceable)."""
    import jax.numpy as jnp

    if program.field is None:
        return {}
    first = start_state(program, values)
    return {a.name: jnp.zeros_like(first[a.name]) for a in program.field.costates}


def _spread(beta: Any, like: Any) -> Any:
    """The nudge with axes to broadcast against a state."""
    return beta.reshape(beta.shape + (1,) * (like.ndim - 1))


# --- as users call it ---------------------------------------------------------------------------
def velocity(
    program: Program, state: Mapping[str, Any], params: Mapping[str, Any], phase: Phase
) -> State:
    """ds/dt at a state: f − β ∂C/∂s of a field, −∂F/∂s of an energy.

    Shapes: as the states, one sample or a batch. Raises: InputError for arrays that do not fit.
    """
    return _run(program, state, params, phase, "velocity",
                lambda system, at: system.velocity(at))  # fmt: skip


def jacobian(
    program: Program, state: Mapping[str, Any], params: Mapping[str, Any], phase: Phase
) -> Any:
    """∂(ds/dt)/∂s at a state, dense over the states side by side.

    Equation: J − β ∂²C/∂s² of a field, −∂²F/∂s² of an energy.
    Shapes: (N, N) or (batch, N, N). Raises: InputError for arrays that do not fit.
    """
    found = _run(program, state, params, phase, "jacobian",
                 lambda system, at: {"J": system.jacobian(system.flat(at))})  # fmt: skip
    return found["J"]


def _run(program: Program, state: Any, params: Any, phase: Phase, name: str,
         function: Any) -> State:  # fmt: skip
    from unified.dynamics.relax import runnable

    runnable(program)
    if phase.is_clamped:
        raise bad_input("phase", "a free or nudged phase", "a clamped one", "use un.Phase.nudged")
    if program.target is None and np.any(np.asarray(phase.beta) != 0):
        raise bad_input("phase", "a free phase", "a nudged one", "emit it with a cost")
    if not isinstance(state, Mapping):
        raise bad_input("state", "a dict of arrays by name", type(state).__name__, "pass a dict")
    full = dict(state)
    for s, a in zip(program.field.states, program.field.costates, strict=True) if program.field \
            else ():  # fmt: skip
        if s.name not in state:
            raise bad_input("state", f"an array for '{s.name}'", "none", "add it to the dict")
        full[a.name] = np.zeros(np.shape(state[s.name]))
    with program.precision:
        values, batch = program.values(full, params, phase)

        def core(values: Any) -> Any:
            system = FieldSystem(program, values)
            at = system.begin({n: values[n] for n in system.names})
            return function(system, at)

        found = program.jit(("field", name), core)(values)
    index = (0, 0) if batch is None else (0,)
    return {k: np.asarray(v)[index] for k, v in found.items()}
