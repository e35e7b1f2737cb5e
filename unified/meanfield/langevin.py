"""Particles with noise: Euler–Maruyama, and exact Ornstein–Uhlenbeck splitting."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.base.errors import bad_input
from unified.meanfield.functional import AbstractFunctional, Sum
from unified.meanfield.measures import ParticleMeasure
from unified.meanfield.particles import particle_state, placed
from unified.meanfield.stepper import ParticleStepper, State


class Langevin(ParticleStepper):
    """dθ_i = −∇δ𝓔/δμ(θ_i)dt + √(2T)dW.

    Equation: Euler–Maruyama; or with `splitting` half an exact Ornstein–Uhlenbeck step of the
    quadratic potential, a Heun step of all the rest, and the other half (Strang, weak order 2).
    The noise of a step is a function of the key, the number of the step, and the particle's own
    number, so that chunks, shards and resumed runs see the same.
    """

    noisy = True
    certifies = "none: particles cannot evaluate an entropy"

    def __init__(self, functional: AbstractFunctional, splitting: bool, key: int,
                 chunk_size: int | None, mesh: Any) -> None:  # fmt: skip
        super().__init__(functional.on_mesh(mesh))
        self.splitting, self.key = splitting, key
        self.chunk_size, self.mesh = chunk_size, mesh
        self.name = "langevin, splitting" if splitting else "langevin, Euler-Maruyama"
        self.citation = (
            "Strang splitting with exact Ornstein-Uhlenbeck steps; Leimkuhler & Matthews (2013)"
            if splitting
            else "Maruyama (1955), Rend. Circ. Mat. Palermo 4, 48"
        )

    def start(self, mu0: Any) -> State:
        """The particles and their weights; the dissipation cannot be known from particles."""
        state = particle_state(self.functional, mu0, "langevin")
        if self.splitting and self.functional.quadratic(mu0.dim) is None:
            raise bad_input("splitting", "a functional with a Quadratic term",
                            repr(self.functional), "use splitting=False")  # fmt: skip
        return {**state, "dissipated": np.float64(np.nan)}

    def measure(self, state: State) -> ParticleMeasure:
        """The particles of a state."""
        return ParticleMeasure(state["x"], state["w"])

    def identity(self) -> tuple[Any, ...]:
        """Also the key."""
        return (*super().identity(), self.key)

    @property
    def kicks(self) -> AbstractFunctional:
        """What explicit steps are taken of."""
        if not self.splitting:
            return self.functional
        rest = tuple(t for t in self.functional.terms if t.internal or not _is_quadratic(t))
        return self.functional.kept("kicks", lambda: Sum(rest))

    def advance(self, state: State, first: int, last: int, dt: float) -> State:
        """Steps `first` to `last` in one compiled loop."""
        import jax

        with jax.enable_x64(state["x"].dtype == np.float64):
            key = ("langevin", self.splitting, self.chunk_size)
            loop = self.functional.kept(key, lambda: jax.jit(self._loop))
            x, w = placed(self.mesh, state["x"], state["w"])
            law = self._law(state["x"], dt / 2 if self.splitting else dt)
            x = loop(x, w, first, last, law, jax.random.key(self.key))
            return {**state, "x": np.asarray(x)}

    def _law(self, x: Any, dt: float) -> dict[str, Any]:
        """The numbers of a (half) step: length, noise, and the exact map of the quadratic part."""
        kind, heat = x.dtype, self.functional.temperature
        if not self.splitting:
            return {"dt": kind.type(dt), "noise": kind.type(np.sqrt(2 * heat * dt))}
        found = self.functional.quadratic(x.shape[1])
        assert found is not None
        rates, vectors = np.linalg.eigh((found[0] + found[0].T) / 2)
        safe = np.where(rates == 0, 1.0, rates)
        push = np.where(rates == 0, dt, -np.expm1(-safe * dt) / safe)
        spread = np.where(rates == 0, 2 * dt, -np.expm1(-2 * safe * dt) / safe)
        law = {
            "dt": dt, "shift": vectors @ (push * (vectors.T @ found[1])),
            "map": (vectors * np.exp(-rates * dt)) @ vectors.T,
            "noise": (vectors * np.sqrt(heat * spread)) @ vectors.T,
        }  # fmt: skip
        return {k: np.asarray(v, kind) for k, v in law.items()}

    def _loop(self, x: Any, w: Any, first: Any, last: Any, law: Any, key: Any) -> Any:
        import jax
        from jax import lax

        kicks = self.kicks
        empty = all(t.internal for t in kicks.terms)

        def noise(k: Any) -> Any:
            # Counter-based bits: entry (i, j) depends on the key and on i·d + j only.
            return jax.random.normal(jax.random.fold_in(key, k), x.shape, x.dtype)

        def kick(x: Any, h: Any) -> Any:
            return h * kicks.velocity(x, w, self.chunk_size)

        def exact(x: Any, k: Any) -> Any:
            return x @ law["map"] + law["shift"] + noise(k) @ law["noise"]

        def step(k: Any, x: Any) -> Any:
            if not self.splitting:
                return (x if empty else x + kick(x, law["dt"])) + law["noise"] * noise(k)
            x = exact(x, 2 * k)
            if not empty:
                first = kick(x, 2 * law["dt"])
                x = x + (first + kick(x + first, 2 * law["dt"])) / 2
            return exact(x, 2 * k + 1)

        return lax.fori_loop(first, last, step, x)


def _is_quadratic(term: AbstractFunctional) -> bool:
    return term.quadratic(term.dim or 1) is not None
