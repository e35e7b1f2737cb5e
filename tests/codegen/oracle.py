"""Two judges of generated code: explicit SymPy instances, and JAX differentiating the energy.

`truth` never sees generated code: it writes the energy out entry by entry, lets SymPy
differentiate once and takes the second derivative by 50-digit differences of that.
"""

from functools import partial
from random import Random

import mpmath
import numpy as np
import sympy

import unified as un
from tests.symbolic.oracle import dims_of, flat, written
from unified.symbolic.instance import symbols_of

BETA = 0.375
KINDS = ("energy", "force", "rule", "hessian", "hvp")


def eager(program):
    """Run the program's functions operation by operation: compiling each would take minutes."""
    import jax.numpy as jnp

    def plain(key, function, **how):
        if program.backend != "jax":
            return function
        return lambda values: function({k: jnp.asarray(v) for k, v in values.items()})

    program.jit = plain


def point(program, dims, seed):
    """Exact binary values in [-1, 1] for every variable, symmetric where declared."""
    rng = Random(seed)
    found = {}
    for v in (*program.model.variables.values(), *([program.target] if program.target else [])):
        shape = tuple(dims[a.name] for a in v.axes)
        value = np.array([rng.randint(-127, 127) / 128 for _ in range(int(np.prod(shape)))])
        value = value.reshape(shape)
        found[v.name] = np.tril(value) + np.tril(value, -1).T if v.symmetric else value
    return found


def split(program, values):
    """(state, params, phase, direction) from a point."""
    model = program.model
    state = {s.name: values[s.name] for s in model.states}
    params = {p.name: values[p.name] for p in model.params}
    x = {v.name: values[v.name] for v in model.inputs} or None
    phase = un.Phase.free(x)
    if program.target is not None:
        phase = un.Phase.nudged(x, values[program.target.name], BETA)
    along = {k: np.cos(np.arange(v.size) + 1.0).reshape(v.shape) for k, v in state.items()}
    return state, params, phase, along


def _stack(entries):
    return np.concatenate([np.ravel(e) for e in entries]) if entries else np.zeros(0)


def answers(program, values):
    """What the program says: every kind as one flat vector."""
    state, params, phase, along = split(program, values)
    order, names = [s.name for s in program.model.states], [p.name for p in program.model.params]
    force, rule = program.force(state, params, phase), program.rule(state, params, phase)
    hvp = program.hvp(state, params, phase, along)
    return {
        "energy": np.ravel(program.energy(state, params, phase)),
        "force": _stack([force[k] for k in order]),
        "rule": _stack([rule[k] for k in names]),
        "hessian": np.ravel(program.hessian(state, params, phase)),
        "hvp": _stack([hvp[k] for k in order]),
    }


def truth(program, dims, values):
    """The same vectors from the explicit SymPy instance, rounded from 50 digits."""
    model = program.model
    total = written(model.expr, dims)
    if program.cost_model is not None:
        total = total + sympy.Rational(BETA) * written(program.cost_model.expr, dims)
    cells, given = {}, {}
    for name, value in values.items():
        v = model.variables.get(name) or program.target
        cells[name] = flat(symbols_of(v, dims_of(dims, v)))
        given.update(zip(cells[name], map(mpmath.mpf, np.ravel(value).tolist()), strict=True))
    states = [c for s in model.states for c in cells[s.name]]
    outputs = [total, *(sympy.diff(total, c) for c in states)]
    for p in model.params:
        outputs += [_slope(total, p, c, k, dims) for k, c in enumerate(cells[p.name])]
    symbols = sorted(given, key=lambda s: s.name)
    run = sympy.lambdify(symbols, outputs, modules="mpmath", cse=True)
    with mpmath.workdps(50):
        here = run(*(given[s] for s in symbols))
        columns = [_column(run, symbols, given, c, len(states)) for c in states]
    n = len(states)
    hessian = np.array(columns, dtype=float).T.reshape(n, n)
    along = _stack(list(split(program, values)[3].values()))
    return {
        "energy": np.array(here[:1], dtype=float),
        "force": -np.array(here[1 : n + 1], dtype=float),
        "rule": np.array(here[n + 1 :], dtype=float),
        "hessian": np.ravel(hessian),
        "hvp": hessian @ along,
    }


def _slope(total, p, cell, k, dims):
    """∂F/∂θ; half of the shared slope of the two slots of a symmetric parameter."""
    slope = sympy.diff(total, cell)
    if p.symmetric:
        i, j = divmod(k, dims[p.axes[0].name])
        return slope / 2 if i != j else slope
    return slope


def _column(run, symbols, given, cell, n):
    """∂(gradient)/∂cell by a central difference far below double precision."""
    step = mpmath.mpf(10) ** -17
    ends = []
    for sign in (1, -1):
        at = dict(given)
        at[cell] = at[cell] + sign * step
        ends.append(run(*(at[s] for s in symbols))[1 : n + 1])
    return [(a - b) / (2 * step) for a, b in zip(*ends, strict=True)]


def autodiff(program, values):
    """The same vectors by JAX differentiating the generated energy alone."""
    import jax
    import jax.numpy as jnp

    state, params, phase, along = split(program, values)
    data = {k: v[None] for k, v in values.items() if k not in state and k not in params}

    def energy(state, params):
        lifted = {k: v[None, None] for k, v in state.items()}
        all_ = {**params, **data, **lifted, "beta": jnp.atleast_1d(phase.beta)}
        return program.core("energy", all_)["F"][0, 0]

    names = list(state)
    with program.precision:
        state = {k: jnp.asarray(v) for k, v in state.items()}
        params = {k: jnp.asarray(v) for k, v in params.items()}
        value, (pull, rules) = jax.value_and_grad(energy, argnums=(0, 1))(state, params)
        _, turn = jax.linearize(partial(_grad_state, jax.grad(energy), params), state)
        found = turn({k: jnp.asarray(v) for k, v in along.items()})
        rules = {
            p.name: (rules[p.name] + rules[p.name].T) / 2 if p.symmetric else rules[p.name]
            for p in program.model.params
        }
        return {
            "energy": np.ravel(value),
            "force": -_stack([pull[k] for k in names]),
            "rule": _stack([rules[p.name] for p in program.model.params]),
            "hvp": _stack([found[k] for k in names]),
        }


def _grad_state(gradient, params, state):
    return gradient(state, params)


def worst(ours, theirs):
    """The largest difference per kind, relative to the kind's largest entry (at least 1)."""
    found = {}
    for kind, right in theirs.items():
        left = ours[kind]
        assert left.shape == right.shape, kind
        scale = max(1.0, float(np.max(np.abs(right), initial=0.0)))
        found[kind] = float(np.max(np.abs(left - right), initial=0.0)) / scale
    return found
