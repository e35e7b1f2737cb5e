"""What each layer tells the others, worked out once per move instead of once per reader."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unified.dynamics.system import State, System

NOBODY, MANY = "", "*"  # no identifiers, so no names of layers
CHEAP = ("add", "sub", "mul", "neg", "div", "integer_pow", "broadcast_in_dim", "select_n")
Told = dict[str, list[Any]]


class Messages:
    """The layers' gradients and curvatures, split by which state decides each of their parts.

    Equation: ∂F/∂s_l = g_l(m_1, …, m_L), with the message m_k all that s_k alone decides (for a
    Hopfield energy ρ(s_k) and its products with the weights to either side): a sweep that keeps
    them pays for each product once, and knows the residual where it ends without another one.
    The split is read off the traced code, so it needs nothing of the energy; where layers do not
    meet in sums of such parts, less can be kept, and the result is the same.
    """

    def __init__(self, system: System, state: State) -> None:
        import jax

        def functions(at: State, beta: Any) -> Any:
            here = copy(system)
            here.fixed = {**system.fixed, "beta": beta}
            return {n: (here.layer_gradient(n, at), here.layer_curvature(n, at)) for n in at}

        beta = system.fixed["beta"]
        closed, shape = jax.make_jaxpr(functions, return_shape=True)(state, beta)
        jaxpr = _without_repeats(closed.jaxpr)
        self.names = tuple(sorted(state))  # the order in which JAX lists a dict
        # No message tells the nudge, so that those of one phase serve another.
        *own, nudge = jaxpr.invars
        self._own = dict(zip(self.names, own, strict=True))
        self._tree = jax.tree.structure(shape)
        owner = dict.fromkeys(jaxpr.constvars, NOBODY) | {v: n for n, v in self._own.items()}
        owner[nudge] = MANY
        eqns: dict[str, list[Any]] = {k: [] for k in (NOBODY, MANY, *self.names)}
        for eqn in jaxpr.eqns:
            found = {owner[v] for v in _variables(eqn.invars)} - {NOBODY}
            who = (*found, NOBODY)[0] if len(found) < 2 else MANY
            owner |= dict.fromkeys(eqn.outvars, who)
            eqns[who].append(eqn)
        # What is cheaper to work out again than to keep goes with what many decide.
        meet: list[Any] = []
        read = set(_variables(jaxpr.outvars))
        for eqn in reversed(jaxpr.eqns):
            who = owner[eqn.outvars[0]]
            cheap = who != NOBODY and eqn.primitive.name in CHEAP
            if who == MANY or (cheap and not read.isdisjoint(eqn.outvars)):
                meet.insert(0, eqn)
                read |= set(_variables(eqn.invars))
                read -= set(eqn.outvars)
        told = {n: [v for eqn in eqns[n] for v in eqn.outvars if v in read] for n in self.names}
        self._parts = {n: _Part(jaxpr, eqns[n], told[n]) for n in self.names}
        self._meet = _Part(jaxpr, meet, jaxpr.outvars)
        fixed = dict(zip(jaxpr.constvars, closed.consts, strict=True)) | {nudge: beta}
        self._fixed = fixed | _Part(
            jaxpr, eqns[NOBODY], [v for eqn in eqns[NOBODY] for v in eqn.outvars]
        ).defined(fixed)

    def again(self, name: str, told: list[Any]) -> list[Any]:
        """What a layer told in another phase, on the phase axis of this one."""
        import jax.numpy as jnp

        kinds = [v.aval for v in self._parts[name].out]
        return [
            jnp.broadcast_to(m, k.shape).astype(k.dtype) for m, k in zip(told, kinds, strict=True)
        ]

    def of(self, name: str, value: Any) -> list[Any]:
        """What a layer at `value` tells the others, and itself."""
        return self._parts[name].values({**self._fixed, self._own[name]: value})

    def read(self, state: State, told: Told) -> dict[str, tuple[Any, Any]]:
        """(∂F/∂s, ∂²F/∂s²) of every layer, from what all told."""
        import jax

        known = dict(self._fixed)
        for n in self.names:
            known[self._own[n]] = state[n]
            known |= zip(self._parts[n].out, told[n], strict=True)
        found = jax.tree.unflatten(self._tree, self._meet.values(known))
        return dict(found)


class _Part:
    """Some equations of traced code, and the variables wanted of them."""

    def __init__(self, jaxpr: Any, eqns: list[Any], out: list[Any]) -> None:
        own = {v for eqn in eqns for v in eqn.outvars}
        used = [v for eqn in eqns for v in _variables(eqn.invars)] + _variables(out)
        self.out = out
        self._needs = [v for v in dict.fromkeys(used) if v not in own]
        told = jaxpr.debug_info._replace(
            arg_names=("",) * len(self._needs), result_paths=("",) * len(out)
        )
        self._jaxpr = jaxpr.replace(
            constvars=[], invars=self._needs, outvars=out, eqns=eqns, debug_info=told
        )

    def values(self, known: dict[Any, Any]) -> list[Any]:
        """Their values, given those of all other variables."""
        import jax

        return list(jax.core.eval_jaxpr(self._jaxpr, [], *(known[v] for v in self._needs)))

    def defined(self, known: dict[Any, Any]) -> dict[Any, Any]:
        """The same by variable."""
        return dict(zip(self.out, self.values(known), strict=True))


class Informed:
    """A system whose layers read kept messages, renewed where a state has changed since."""

    def __init__(self, system: System, messages: Messages, state: State, told: Told) -> None:
        self.system, self.messages = system, messages
        self._at, self._told = dict(state), dict(told)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.system, name)

    def _read(self, name: str, state: State) -> tuple[Any, Any]:
        for n, value in state.items():
            if value is not self._at[n]:
                self._at[n], self._told[n] = value, self.messages.of(n, value)
        return self.messages.read(state, self._told)[name]

    def layer_gradient(self, name: str, state: State) -> Any:
        """∂F/∂s for one layer."""
        return self._read(name, state)[0]

    def layer_curvature(self, name: str, state: State) -> Any:
        """∂²F/∂s² for one layer, shaped as the layer."""
        return self._read(name, state)[1]


def _without_repeats(jaxpr: Any) -> Any:
    """The same traced code with every equation once: what two functions share is one message."""
    from jax.extend.core import Literal

    same: dict[Any, Any] = {}
    seen: dict[Any, Any] = {}
    kept = []
    for eqn in jaxpr.eqns:
        ins = [v if isinstance(v, Literal) else same.get(v, v) for v in eqn.invars]
        eqn = eqn.replace(invars=ins)
        told = tuple((str(v.val), str(v.aval)) if isinstance(v, Literal) else v for v in ins)
        try:
            key = (eqn.primitive, told, tuple(sorted(eqn.params.items())))
            first = seen.setdefault(key, eqn)
        except TypeError:  # parameters without a hash or an order
            first = eqn
        if first is eqn:
            kept.append(eqn)
        same |= zip(eqn.outvars, first.outvars, strict=True)
    out = [v if isinstance(v, Literal) else same.get(v, v) for v in jaxpr.outvars]
    return jaxpr.replace(eqns=kept, outvars=out)


def _variables(atoms: Any) -> list[Any]:
    from jax.extend.core import Literal

    return [v for v in atoms if not isinstance(v, Literal)]
