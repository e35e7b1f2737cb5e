"""Particles without noise: Euler, Heun, and adaptive Runge–Kutta."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.base.errors import InputError, bad_input
from unified.meanfield.functional import AbstractFunctional
from unified.meanfield.measures import ParticleMeasure
from unified.meanfield.stepper import ParticleStepper, State, wrong_measure

STEPPERS = ("euler", "heun", "adaptive")


class Particles(ParticleStepper):
    """dθ_i = −∇δF/δμ(θ_i)dt by a Runge–Kutta method.

    Equation: Euler (order 1), Heun (order 2), or Dormand & Prince's 8(5,3) with error control; the
    dissipation Σw|v|² is integrated along by the same rule.
    """

    def __init__(self, functional: AbstractFunctional, stepper: str, chunk_size: int | None,
                 mesh: Any, tol: float) -> None:  # fmt: skip
        super().__init__(functional.on_mesh(mesh))
        self.stepper, self.chunk_size, self.mesh, self.tol = stepper, chunk_size, mesh, tol
        self.name = f"particles, {stepper}"
        self.adaptive = stepper == "adaptive"
        self.citation = {
            "euler": "Euler's method on particles; Ambrosio, Gigli & Savaré (2008)",
            "heun": "Heun (1900), Z. Math. Phys. 45, 23; Ambrosio, Gigli & Savaré (2008)",
            "adaptive": "Hairer, Nørsett & Wanner (1993), DOP853 in SciPy; Ambrosio, Gigli & "
            "Savaré (2008)",
        }[stepper]

    def start(self, mu0: Any) -> State:
        """The particles, and their weights."""
        return particle_state(self.functional, mu0, "particles")

    def measure(self, state: State) -> ParticleMeasure:
        """The particles of a state."""
        return ParticleMeasure(state["x"], state["w"])

    def identity(self) -> tuple[Any, ...]:
        """Also the tolerance."""
        return (*super().identity(), self.tol)

    def advance(self, state: State, first: int, last: int, dt: float) -> State:
        """Fixed steps in one compiled loop, or SciPy's with error control."""
        import jax

        with jax.enable_x64(state["x"].dtype == np.float64):
            if self.stepper == "adaptive":
                return self._adaptive(state, (last - first) * dt)
            key = ("particles", self.stepper, self.chunk_size)
            loop = self.functional.kept(key, lambda: jax.jit(self._loop))
            x, w = placed(self.mesh, state["x"], state["w"])
            kind = state["x"].dtype.type
            x, total = loop(x, w, last - first, kind(dt))
            more = state["dissipated"] + float(total)
            return {**state, "x": np.asarray(x), "dissipated": np.float64(more)}

    def _loop(self, x: Any, w: Any, count: Any, dt: Any) -> Any:
        import jax.numpy as jnp
        from jax import lax

        def rate(v: Any) -> Any:
            return jnp.sum(w[:, None] * v * v)

        def step(_: Any, carry: Any) -> Any:
            x, total, lost = carry
            v = self.functional.velocity(x, w, self.chunk_size)
            gain = rate(v)
            if self.stepper == "heun":
                ahead = self.functional.velocity(x + dt * v, w, self.chunk_size)
                gain, v = (gain + rate(ahead)) / 2, (v + ahead) / 2
            gain = dt * gain - lost  # Kahan's sum: single precision would lose small late gains
            new = total + gain
            return x + dt * v, new, (new - total) - gain

        zero = jnp.zeros((), x.dtype)
        x, total, _ = lax.fori_loop(0, count, step, (x, zero, zero))
        return x, total

    def _adaptive(self, state: State, span: float) -> State:
        from scipy.integrate import solve_ivp

        x0, w = state["x"], state["w"]
        ask = compiled_velocity(self.functional, self.chunk_size)

        def slope(_: float, flat: Any) -> Any:
            v = np.asarray(ask(flat[:-1].reshape(x0.shape).astype(x0.dtype), w))
            return np.append(v.ravel(), np.sum(w[:, None] * v * v, dtype=np.float64))

        found = solve_ivp(
            slope, (0.0, span), np.append(x0.ravel(), 0.0), method="DOP853", t_eval=(span,),
            rtol=max(self.tol, 3e-14), atol=self.tol * 1e-2,
        )  # fmt: skip
        if not found.success:
            return {**state, "x": np.full_like(x0, np.nan)}
        end = found.y[:, -1]
        more = state["dissipated"] + end[-1]
        x = end[:-1].reshape(x0.shape).astype(x0.dtype)
        return {**state, "x": x, "dissipated": np.float64(more)}


def particle_state(functional: AbstractFunctional, mu0: Any, method: str) -> State:
    """Particles, weights and no dissipation yet. Raises: InputError for another measure."""
    if not isinstance(mu0, ParticleMeasure):
        raise wrong_measure(method, "a ParticleMeasure", mu0, "use mu0.to_particles(count, key=0)")
    return {"x": mu0.x, "w": mu0.w.astype(mu0.x.dtype), "dissipated": np.float64(0)}


def compiled_velocity(functional: AbstractFunctional, chunk_size: int | None) -> Any:
    """The velocity as a compiled function of particles and weights, kept with the functional."""
    import jax

    return functional.kept(
        ("velocity", chunk_size),
        lambda: jax.jit(lambda x, w: functional.velocity(x, w, chunk_size)),
    )


def placed(mesh: Any, *arrays: Any) -> tuple[Any, ...]:
    """Arrays laid over the devices of a mesh along particles; unchanged without one.

    Raises: InputError for a mesh of several axes, or particles that it does not divide.
    """
    import jax

    if mesh is None:
        return tuple(jax.numpy.asarray(a) for a in arrays)
    if len(mesh.axis_names) != 1:
        raise bad_input("mesh", "a mesh of one axis", str(mesh.axis_names), "flatten it")
    count = mesh.devices.size
    if len(arrays[0]) % count:
        raise bad_input("mesh", f"particles in a multiple of its {count} devices",
                        str(len(arrays[0])), "add particles or use fewer devices")  # fmt: skip
    spec = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(mesh.axis_names[0]))
    return tuple(jax.device_put(a, spec) for a in arrays)


def step_limit(functional: AbstractFunctional, mu0: ParticleMeasure, chunk_size: int | None) -> Any:
    """The longest stable explicit step 2/|λ| at a measure, by power iteration on the velocity.

    Equation: λ is the largest eigenvalue of ∂v/∂θ in size, from differences of the velocity along
    a vector that is multiplied up; an estimate from below of |λ|.
    Reference: Hairer & Wanner (1996), IV.2.
    """
    import jax

    kind = mu0.x.dtype
    with jax.enable_x64(kind == np.float64):
        x, w = jax.numpy.asarray(mu0.x), jax.numpy.asarray(mu0.w, kind)
        scale = float(np.max(np.abs(mu0.x))) + 1.0
        small = scale * (1e-6 if kind == np.float64 else 1e-3)
        start = compiled_velocity(functional, chunk_size)(x, w)
        u = jax.numpy.asarray(np.random.default_rng(0).standard_normal(x.shape), kind)
        key, largest = ("stretched", chunk_size), 0.0
        turn = functional.kept(key, lambda: jax.jit(_stretched(functional, chunk_size)))
        for _ in range(20):
            image, found = turn(x, w, start, u, kind.type(small))
            size = float(found)
            if not np.isfinite(size):
                raise bad_input("functional", "a finite velocity at mu0", "NaN or infinity",
                                "check the functional and mu0")  # fmt: skip
            settled, largest = abs(size - largest) < 1e-3 * size, max(largest, size)
            if settled or size == 0:
                break
            u = image
    return 2 / largest if largest > 0 else np.inf


def _stretched(functional: AbstractFunctional, chunk_size: int | None) -> Any:
    """A vector multiplied by ∂v/∂θ, and how much longer it became, as one program."""
    import jax.numpy as jnp

    def turn(x: Any, w: Any, start: Any, u: Any, small: Any) -> Any:
        u = u / jnp.maximum(jnp.max(jnp.abs(u)), 1e-30)
        image = (functional.velocity(x + small * u, w, chunk_size) - start) / small
        return image, jnp.linalg.norm(image) / jnp.linalg.norm(u)

    return turn


def check_step(dt: float, limit: float) -> None:
    """Raise InputError if an explicit step is beyond the stability limit."""
    if dt > limit:
        raise beyond(dt, limit)


def beyond(dt: float, limit: float) -> InputError:
    """The error for a step beyond the stability limit."""
    return bad_input("dt", f"a time step within the stability limit {limit:.4g} (in units of tau)",
                     f"{dt:.4g}", "use a smaller dt")  # fmt: skip
