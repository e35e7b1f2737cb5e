"""Chains that sample the Gibbs law of a phase by Langevin steps (traceable)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from unified.base.errors import bad_input
from unified.codegen.program import Program
from unified.dynamics import batched
from unified.dynamics.hessian import has_one_hessian
from unified.dynamics.mixing import diagnose
from unified.dynamics.system import State, System

METHODS = ("mala", "ula")
WANTED = 0.7  # acceptance below which warm-up shortens the steps


def positive_number(name: str, value: Any, remedy: str) -> None:
    """Raise InputError unless `value` is one finite number above 0."""
    good = isinstance(value, int | float | np.integer | np.floating) and np.isfinite(value)
    if not (good and value > 0):
        raise bad_input(name, "a finite number above 0", value, remedy)


@dataclass(frozen=True)
class Langevin:
    """How a Gibbs law p ∝ exp(−F/T) is sampled.

    Equation: s' = s − hP∂F/∂s + σP^½η. P = H⁻¹ at the rest point (`precondition`; else 1), h the
    `step`. "mala" accepts s' by Metropolis' rule, so the law is exact at every h; with P = H⁻¹ its
    σ² = Th(2−h), for which every proposal is accepted if F is quadratic, else σ² = 2hT. "ula" has
    σ² = 2hT and accepts all: quadratic F with P = 1 gives covariance TH⁻¹(1 − hH/2)⁻¹ exactly.
    Every chain begins `spread` Laplace standard deviations √T·P^½ about the rest point; `warmup`
    draws are left out, in which "mala" shortens the steps of chains that accept too little.
    Raises: InputError for settings out of range.
    Reference: Roberts & Tweedie (1996), Bernoulli 2, 341; Cotter, Roberts, Stuart & White (2013),
    arXiv:1202.0709, for the proposal.
    """

    draws: int = 1000
    chains: int = 4
    warmup: int = 200
    step: float = 1.0
    method: str = "mala"
    precondition: bool = True
    spread: float = 2.0

    def __post_init__(self) -> None:
        positive_number("step", self.step, "use e.g. 1")
        positive_number("spread", self.spread, "use e.g. 2")
        for name, least in (("draws", 8), ("chains", 2), ("warmup", 0)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < least:
                raise bad_input(name, f"a whole number of at least {least}", value, "raise it")
        if self.method not in METHODS:
            raise bad_input("method", " or ".join(map(repr, METHODS)), self.method, "choose one")
        if self.step >= 2 and self.precondition:
            raise bad_input("step", "one below 2, where Langevin steps are stable", self.step,
                            "use e.g. 1")  # fmt: skip

    def variance(self, step: Any) -> Any:
        """σ²/T of a step of length h."""
        reversible = self.method == "mala" and self.precondition
        return step * ((2 - step) if reversible else 2.0)


def check_temperature(value: Any) -> None:
    """Raise InputError unless T is one finite number above 0."""
    positive_number("temperature", value, "nothing fluctuates at T = 0: relax instead")


class Chains(NamedTuple):
    """Draws, flat (chains, draws, batch, units), and what they say of themselves (traceable).

    `energy` is F and `cost` C (None without one) of every draw; `rhat`, `size` (batch, units + 1
    or 2) are those of the units, of the energy and of the cost; `accepted` (batch,) a fraction.
    """

    flat: Any
    energy: Any
    cost: Any
    rhat: Any
    size: Any
    accepted: Any


class _Here(NamedTuple):
    """Where all chains are: states (chains, batch, units), whitened gradient, F."""

    flat: Any
    slope: Any
    energy: Any


def sample_keys(program: Program, values: Mapping[str, Any], key: int, chains: int) -> Any:
    """A key for every chain and sample, (chains, batch), made from `key` and the sample's data.

    What a sample draws depends on nothing but itself, wherever in whatever batch it stands; and
    not on β, so that two nudges share their noise.
    """
    import jax
    import jax.numpy as jnp

    root = jax.random.key(key)
    rows = [values[v.name] for v in program.kernels.data]
    if not rows:
        seeds = root[None]
    else:
        bits = [jax.lax.bitcast_convert_type(v, jnp.uint32) for v in rows]
        words = jnp.concatenate([b.reshape(len(b), -1) for b in bits], axis=1)

        def stirred(place: Any, word: Any) -> Any:
            return jax.random.key_data(jax.random.fold_in(jax.random.fold_in(root, place), word))

        over = jax.vmap(jax.vmap(stirred), in_axes=(None, 0))(jnp.arange(words.shape[1]), words)
        seeds = jax.random.wrap_key_data(jnp.sum(over, axis=1, dtype=jnp.uint32))
    along = jax.vmap(jax.random.fold_in, in_axes=(None, 0))
    return jax.vmap(along, in_axes=(0, None), out_axes=1)(seeds, jnp.arange(chains))


def run_chains(
    program: Program, values: Mapping[str, Any], rest: State, law: Langevin,
    temperature: Any, keys: Any, start: State | None = None,
) -> Chains:  # fmt: skip
    """Sample one phase around a rest point (traceable).

    Shapes: `values` with β of shape (1,), `rest` (1, batch, ...), `keys` (chains, batch), `start`
    (chains, batch, ...) or None.
    """
    import jax
    import jax.numpy as jnp
    from jax import lax

    around = System(program, values)
    centre = around.flat(around.begin(rest))[0]
    batch, units = centre.shape
    white = _whitener(program, values, rest) if law.precondition else None
    system = System(program, {**values, "beta": jnp.repeat(values["beta"], law.chains)})
    system.shapes = around.shapes
    adjusted = law.method == "mala"

    def random(t: Any) -> tuple[Any, Any]:
        """Normal numbers, and one uniform on (0, 1), for every chain and sample."""
        key = jax.vmap(jax.vmap(jax.random.fold_in, in_axes=(0, None)), in_axes=(0, None))(keys, t)
        low = np.nextafter(np.asarray(-1, centre.dtype), 0)

        def uniform(k: Any) -> Any:
            return jax.random.uniform(k, (units + 1,), centre.dtype, low, 1.0)

        even = jax.vmap(jax.vmap(uniform))(key)
        return np.sqrt(2) * jax.scipy.special.erfinv(even[..., 1:]), (1 + even[..., 0]) / 2

    def here(flat: Any) -> _Here:
        state = system.split(flat)
        slope = system.flat(system.gradient(state))
        return _Here(flat, _white(white, slope), system.energy(state))

    def propose(now: _Here, length: Any, t: Any) -> tuple[_Here, Any]:
        """The next place, and the probability of having accepted it."""
        long = length[..., None]
        normal, even = random(t)
        noise = jnp.sqrt(temperature * law.variance(long)) * normal
        new = here(now.flat + _unwhite(white, noise - long * now.slope))
        if not adjusted:
            return new, jnp.ones_like(new.energy)
        # log q(now | new) − log q(new | now); |new − now + h·slope| is the noise itself.
        back = long * (now.slope + new.slope) - noise
        odds = jnp.sum(noise**2 - back**2, axis=-1) / (2 * temperature * law.variance(length))
        odds = odds - (new.energy - now.energy) / temperature
        taken = jnp.log(even) < odds  # never for NaN: F must be finite
        kept = [jnp.where(taken[(..., *(None,) * (a.ndim - 2))], a, b)
                for a, b in zip(new, now, strict=True)]  # fmt: skip
        return _Here(*kept), jnp.where(jnp.isfinite(odds), jnp.exp(jnp.minimum(odds, 0.0)), 0.0)

    def step(carry: Any, t: Any) -> Any:
        now, length = carry
        now, chance = propose(now, length, t)
        if adjusted:
            # Only while warming up: steps that look at their own past have another law.
            gain = jnp.where(t < law.warmup, (t + 1.0) ** -0.6, 0.0)
            longer = length * jnp.exp(gain * (chance - WANTED))
            length = jnp.minimum(law.step, longer).astype(centre.dtype)
        cost: Any = None
        if program.target is not None:
            cost = program.core("cost", {**system.fixed, **system.split(now.flat)})["C"]
        return (now, length), (now.flat, now.energy, cost, chance)

    total = law.warmup + law.draws
    if start is None:
        first = law.spread * jnp.sqrt(temperature) * random(total)[0]
        flat = centre + _unwhite(white, first)
    else:
        flat = system.flat(start)
    carry = (here(flat), jnp.full((law.chains, batch), law.step, centre.dtype))
    _, found = lax.scan(step, carry, jnp.arange(total))
    kept: Any = jax.tree.map(lambda f: jnp.moveaxis(f[law.warmup :], 0, 1), found)
    flat, energy, cost, chance = kept
    told = [flat, energy[..., None], *([] if cost is None else [cost[..., None]])]
    rhat, size = diagnose(jnp.concatenate(told, axis=-1))
    return Chains(flat, energy, cost, rhat, size, jnp.mean(chance, axis=(0, 1)))


def split_units(flat: Any, like: Mapping[str, Any]) -> dict[str, Any]:
    """Units side by side (..., units) by state name, shaped as the states (phase, batch, ...)."""
    found, at = {}, 0
    for n, v in like.items():
        shape = v.shape[2:]
        to = at + math.prod(shape)
        found[n] = flat[..., at:to].reshape(*flat.shape[:-1], *shape)
        at = to
    return found


def _whitener(program: Program, values: Mapping[str, Any], rest: State) -> Any:
    """R with H⁻¹ = RᵀR per sample, (batch or 1, units, units); a multiple of 1 unless H ≻ 0."""
    import jax.numpy as jnp
    from jax.scipy.linalg import solve_triangular

    if has_one_hessian(program):
        data = {v.name for v in program.kernels.data}
        values = {k: v[:1] if k in data else v for k, v in values.items()}
        rest = {k: v[:, :1] for k, v in rest.items()}
    system = System(program, values)
    system.begin(rest)
    dense = system.dense(rest)[0]
    eye = jnp.eye(dense.shape[-1], dtype=dense.dtype)

    def one(h: Any) -> Any:
        root = jnp.linalg.cholesky(h)
        good = jnp.all(jnp.isfinite(root))
        rough = eye / jnp.sqrt(jnp.linalg.norm(h) + 1e-30)
        return jnp.where(good, solve_triangular(jnp.where(good, root, eye), eye, lower=True), rough)

    return batched.each(one, dense)


def _white(white: Any, slope: Any) -> Any:
    """R slope: the gradient in whitened coordinates, s = Rᵀξ."""
    return slope if white is None else _product("bij,kbj->kbi", white, slope)


def _unwhite(white: Any, move: Any) -> Any:
    """Rᵀ move."""
    return move if white is None else _product("bji,kbj->kbi", white, move)


def _product(how: str, white: Any, v: Any) -> Any:
    import jax.numpy as jnp

    if white.shape[0] == 1:  # one for all samples: a matrix product instead of many
        return jnp.einsum(how.replace("b", "", 1), white[0], v)
    return jnp.einsum(how, white, v)
