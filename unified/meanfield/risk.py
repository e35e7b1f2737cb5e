"""The risk of a wide net as a functional of the law of its neurons, under four kinds of credit."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.dynamics.phase import check_beta
from unified.meanfield.credit import CREDITS, SCHEMES, Precision, Response, phases_of, respond
from unified.meanfield.functional import AbstractFunctional
from unified.meanfield.measures import AbstractAtoms, AbstractMeasure, ParticleMeasure
from unified.meanfield.memory import Memory, check_fits, memory_free, memory_needed
from unified.meanfield.networks import TwoLayer
from unified.meanfield.scale import check_chunk, chunk_of, two_passes, wide_sum
from unified.meanfield.teachers import read_samples

RELAXATIONS = ("eliminated", "relaxed")


class Risk(AbstractFunctional):
    """½E(y − f_μ)² + ∫v dμ, with particle velocities by backprop, EP, PC or feedback alignment.

    Equation: "bp": −∇δF/δμ of the risk. "ep": contrasts of ∂E/∂θ between relaxed activities at
    nudges ±β ("centered", error O(β²)) or β and 0 ("one-sided", O(β)), divided by β. "pc": ∂E/∂θ
    with the output clamped, or nudged by `beta`, in units of the output's precision: the flow of
    ½E rᵀ(S/s)⁻¹r. "fa": the error comes back through fixed weights b, the last numbers of a
    particle: no gradient flow. `value` is what the flow descends (for fa, the risk); for ep and pc
    that is the eliminated-activity energy; `risk` is always the plain one.
    Shapes: data x (M, d), y (M,) or (M, k), optionally weights (M,); a particle is that of the
    net, plus k feedback weights for fa.
    `precision` is (γ_h, γ_o), or one number γ = Nγ_h/γ_o kept as N grows; `regulariser` a number λ
    for v = ½λ|θ|², or a JAX function v of one particle; `relaxation` "relaxed" lets the library
    relax the activities at every step instead of eliminating them; `mesh` spreads particles over
    devices.
    Raises: InputError for unknown names, β or precisions that are not positive, options that do
    not apply, shapes that do not fit, or a run that does not fit into memory.
    Reference: Mei, Montanari & Nguyen (2018), arXiv:1804.06561; Lillicrap et al. (2016); theory
    pages E1, E7.
    """

    def __init__(
        self, net: TwoLayer, data: Any, credit: str = "bp", *, beta: float | None = None,
        precision: Any = (1.0, 1.0), scheme: str = "centered", regulariser: Any = None,
        relaxation: str = "eliminated", chunk_size: int | None = None, mesh: Any = None,
    ) -> None:  # fmt: skip
        if not isinstance(net, TwoLayer):
            raise bad_input("net", "a TwoLayer", type(net).__name__, "make one with TwoLayer(d)")
        for name, value, known in (("credit", credit, CREDITS), ("scheme", scheme, SCHEMES),
                                   ("relaxation", relaxation, RELAXATIONS)):  # fmt: skip
            if value not in known:
                raise bad_input(name, f"one of {', '.join(known)}", repr(value), "choose one")
        if credit != "bp" and not net.has_output_weights:
            raise bad_input("credit", "'bp' for a net without output weights", repr(credit),
                            "use another activation")  # fmt: skip
        if beta is not None and credit not in ("ep", "pc"):
            raise bad_input("beta", "none: only ep and pc nudge", beta, "leave it out")
        if beta is None and credit == "ep":
            beta = 0.01
        if beta is not None and not float(np.real(check_beta(beta))) > 0:
            raise bad_input("beta", "a positive number", beta, "a centered pair has both signs")
        if relaxation == "relaxed" and credit not in ("ep", "pc"):
            raise bad_input("relaxation", "'eliminated' where nothing relaxes", repr(relaxation),
                            "use credit='ep' or 'pc'")  # fmt: skip
        self.net, self.credit, self.scheme = net, credit, scheme
        self.beta = None if beta is None else float(beta)
        self.precision = Precision.read(precision)
        self.samples = read_samples(data, net.d, net.outputs)
        self.relaxation, self.mesh = relaxation, mesh
        self.chunk_size = check_chunk(chunk_size)
        self.regulariser = _regulariser(regulariser)
        self.extra = net.outputs if credit == "fa" else 0  # feedback weights of a particle
        self.dim = net.dim + self.extra
        self.descends = credit != "fa"  # the others are gradient flows of `value`
        if relaxation == "relaxed" and np.ptp(self.samples.q) > 0:
            raise bad_input("data", "samples of equal weight, for activities that relax",
                            "weights", "use relaxation='eliminated'")  # fmt: skip

    # --- the two passes, under JAX ----------------------------------------------------------
    def _arrays(self, like: Any) -> tuple[Any, Any, Any]:
        """x (M, d), y (M, k), q (M,) in the precision of the particles."""
        import jax.numpy as jnp

        x, y, q = (jnp.asarray(v, like.dtype) for v in self.samples)
        return x, y.reshape(len(y), -1), q

    def _first(self, x: Any) -> Callable[[Any, Any], Any]:
        """What a block of particles adds to outputs (M k) and, after them, to Q (k k)."""
        import jax.numpy as jnp

        k = self.net.outputs

        def first(theta: Any, weight: Any) -> Any:
            parts = [self.net.sums(theta, weight, x).reshape(-1)]
            if self.credit in ("ep", "pc"):
                a = theta[:, :k]
                parts.append(((a * weight[:, None]).T @ a).reshape(-1))
            return jnp.concatenate(parts)

        return first

    def _response(self, found: Any, y: Any, q: Any, n: int) -> Response:
        """The response to the sums of the first pass."""
        k, m = self.net.outputs, len(y)
        r = y - self.net.alpha * found[: m * k].reshape(m, k)
        second = found[m * k :].reshape(k, k) if self.credit in ("ep", "pc") else None
        phases = phases_of(self.credit, self.scheme, self.beta, self.precision, n, self.net.alpha)
        return respond(r, q, second, phases)

    def velocity(self, x: Any, w: Any, chunk_size: int | None = None) -> Any:
        """The velocity of every particle, (N, dim), traceable.

        A chunk of particles at a time; NaN where activities found no rest (see `certify`).
        """
        import jax
        import jax.numpy as jnp

        theta, weight = jnp.asarray(x), jnp.asarray(w)
        if self.relaxation == "relaxed":
            return self._relaxed(theta, weight) + self._decay(theta)
        net, k, n = self.net, self.net.outputs, len(theta)
        samples, y, q = self._arrays(theta)

        def react(found: Any) -> tuple[Any, Any]:
            answer = self._response(found, y, q, n)
            return net.alpha * (answer.pulled if k > 1 else answer.pulled[:, 0]), answer.bias

        def second(block: Any, answer: tuple[Any, Any]) -> Any:
            pulled, bias = answer
            if self.credit == "fa":
                back = block[:, net.dim :]
                v = net.pull(block, samples, pulled, back)
                return jnp.concatenate([v, jnp.zeros_like(back)], axis=1) + self._decay(block)
            v = net.pull(block, samples, pulled)
            if self.credit != "bp":
                v = v.at[:, :k].add(block[:, :k] @ bias)
            return v + self._decay(block)

        size = chunk_of(n, len(samples), check_chunk(chunk_size) or self.chunk_size)
        with jax.named_scope("wide_velocity"):
            return two_passes(self._first(samples), react, second, theta, weight, size, self.mesh)

    def _decay(self, block: Any) -> Any:
        """−∇v at particles."""
        import jax

        if self.regulariser is None:
            return 0.0
        return -jax.vmap(jax.grad(self.regulariser))(block)

    def _relaxed(self, theta: Any, weight: Any) -> Any:
        from unified.meanfield.activity import estimator_of, relaxed_velocity

        x, y, _ = self._arrays(theta)
        return relaxed_velocity(
            self.net, estimator_of(self.credit, self.scheme, self.beta), self._unit, theta, weight,
            x, y, self.precision.whole(len(theta)), self.precision.output,
        )  # fmt: skip

    @property
    def _unit(self) -> float:
        """By what a contrast of the library is multiplied to be this credit's velocity."""
        if self.credit == "ep":
            return 1.0
        own = 1 / self.precision.output  # a clamped phase gives ∂E*, a nudged one ∂E*/β
        return own if self.beta is None else self.beta * (own + 1 / self.beta)

    # --- of a measure, as NumPy -------------------------------------------------------------
    def _atoms(self, measure: AbstractMeasure) -> tuple[Any, Any]:
        if not isinstance(measure, AbstractAtoms):
            raise bad_input("measure", "particles or a grid", type(measure).__name__,
                            "draw particles from it")  # fmt: skip
        theta = self.net.check_particles(measure.points, self.extra)
        return theta, np.asarray(measure.weights, theta.dtype)

    @cached_property
    def _gather(self) -> Callable[[Any, Any], Any]:
        """Outputs, response and ∫v dμ, compiled."""
        import jax
        import jax.numpy as jnp

        def run(theta: Any, weight: Any) -> Any:
            x, y, q = self._arrays(theta)
            found = wide_sum(self._first(x), theta, weight,
                             chunk_of(len(theta), len(x), self.chunk_size))  # fmt: skip
            answer = self._response(found, y, q, len(theta))
            f = self.net.alpha * found[: y.size].reshape(y.shape)
            more = jnp.zeros((), theta.dtype)
            if self.regulariser is not None:
                more = weight @ jax.vmap(self.regulariser)(theta)
            plain = 0.5 * jnp.sum(q[:, None] * (y - f) ** 2)
            return f, answer.pulled, answer.bias, answer.value, plain, more, answer.settled

        return jax.jit(run)

    @cached_property
    def _velocity(self) -> Callable[..., Any]:
        import jax

        return jax.jit(self.velocity, static_argnums=2)

    def velocity_at(self, measure: AbstractMeasure, chunk_size: int | None = None) -> Any:
        """The velocity of the particles of a measure, (N, dim), as a NumPy array."""
        import jax

        theta, weight = self._atoms(measure)
        with jax.enable_x64(theta.dtype == np.float64):
            return np.asarray(self._velocity(theta, weight, check_chunk(chunk_size)))

    def _gathered(self, measure: AbstractMeasure) -> list[Any]:
        import jax

        theta, weight = self._atoms(measure)
        with jax.enable_x64(theta.dtype == np.float64):
            return [np.asarray(v) for v in self._gather(theta, weight)]

    def outputs(self, measure: AbstractMeasure) -> Any:
        """f_μ at the samples, (M,) or (M, k)."""
        f = self._gathered(measure)[0]
        return f if self.net.outputs > 1 else f[:, 0]

    def value(self, measure: AbstractMeasure) -> float:
        """What the flow descends. Raises: ConvergenceError where a nudge is too negative."""
        found = self._gathered(measure)
        self._settled(found)
        return float(found[3] + found[5])

    def risk(self, measure: AbstractMeasure) -> float:
        """½E|y − f_μ|² + ∫v dμ, whatever the credit."""
        found = self._gathered(measure)
        return float(found[4] + found[5])

    def variation(self, measure: AbstractMeasure) -> Callable[[Any], Any]:
        """δF/δμ of `value`, a function of particles (K, dim) giving (K,).

        Equation: −α Σ_m r̄_m·φ(x_m; θ) − ½aᵀBa + v(θ), r̄ and B the response at μ.
        """
        import jax

        _, pulled, bias, *_ = found = self._gathered(measure)
        self._settled(found)
        net, k = self.net, self.net.outputs

        def at(points: Any) -> Any:
            theta = net.check_particles(points, self.extra)
            with jax.enable_x64(theta.dtype == np.float64):
                x, _, _ = self._arrays(theta)
                one = np.ones(1, theta.dtype)
                each = jax.vmap(lambda t: net.sums(t[None], one, x).reshape(len(x), k))(theta)
                v = -net.alpha * np.einsum("nmk,mk->n", np.asarray(each), pulled)
                a = theta[:, :k]
                if self.credit in ("ep", "pc"):
                    v = v - 0.5 * np.einsum("nk,kl,nl->n", a, bias, a)
                if self.regulariser is not None:
                    v = v + np.asarray(jax.vmap(self.regulariser)(theta))
            return v

        return at

    # --- before and during a run ------------------------------------------------------------
    def on_mesh(self, mesh: Any) -> Risk:
        """The same risk with its neurons spread over the first axis of a mesh."""
        if mesh is None:
            return self
        found = copy(self)
        found.mesh = mesh
        found.__dict__.pop("_velocity", None)  # compiled for the mesh before
        return found

    def identity(self) -> tuple[Any, ...]:
        """Also data and all that decides the velocity."""
        decay = np.zeros(0)
        if self.regulariser is not None:  # a function has no text: its value at a point tells it
            decay = np.asarray(self.regulariser(np.linspace(0.5, 1.5, self.net.dim + self.extra)))
        told = (self.scheme, self.precision, self.relaxation)
        return (*super().identity(), *self.samples, repr(told), decay)

    def memory(self, n: int, dtype: str = "float64", chunk_size: int | None = None) -> Memory:
        """What a run with n particles needs on each device."""
        devices = self.mesh.shape[self.mesh.axis_names[0]] if self.mesh is not None else 1
        return memory_needed(
            self.net, n, len(self.samples.x), chunk_size=chunk_size or self.chunk_size,
            devices=devices, dtype=dtype, extra=self.extra,
        )  # fmt: skip

    def check(self, measure: AbstractMeasure) -> None:
        """Raise InputError for particles that do not fit the net, or a run that needs too much."""
        super().check(measure)
        theta, _ = self._atoms(measure)
        needed = self.memory(len(theta), theta.dtype.name)
        check_fits(needed, memory_free(self.mesh), f"{len(theta)} particles")
        self.certify(measure)

    def certify(self, measure: AbstractMeasure) -> None:
        """Raise ConvergenceError if activities do not rest at this measure."""
        if self.relaxation == "eliminated":
            if self.credit == "ep":
                self._settled(self._gathered(measure))
            return
        from unified.meanfield.activity import activity_params, activity_program, estimator_of

        theta, weight = self._atoms(measure)
        program = activity_program(self.net.activation, theta.dtype.name)
        hidden, output = self.precision.whole(len(theta)), self.precision.output
        with program.precision:
            params = activity_params(self.net, theta, weight, hidden, output)
            params = {name: np.asarray(v) for name, v in params.items()}
        y = self.samples.y.reshape(len(self.samples.y), -1)
        estimator_of(self.credit, self.scheme, self.beta)(program, params, self.samples.x, y)

    def _settled(self, found: list[Any]) -> None:
        if not found[6]:
            raise ConvergenceError(
                f"beta: expected activities with a minimum at -{self.beta:g}, got a nudge beyond "
                "it; use a smaller beta, a higher output precision or scheme='one-sided'.",
                ["nudge_too_negative"],
            )  # fmt: skip

    def with_feedback(self, theta: Any, *, seed: int) -> Any:
        """Particles (N, net.dim) with fixed standard normal feedback weights, (N, dim).

        Raises: InputError if this credit has none.
        """
        if self.credit != "fa":
            raise bad_input("credit", "'fa', which has feedback weights", self.credit,
                            "pass particles as they are")  # fmt: skip
        theta = self.net.check_particles(theta)
        b = np.random.default_rng(seed).standard_normal((len(theta), self.net.outputs))
        return np.concatenate([theta, b.astype(theta.dtype)], axis=1)

    def particles(self, theta: Any) -> ParticleMeasure:
        """Equal particles as a measure."""
        return ParticleMeasure(self.net.check_particles(theta, self.extra))

    def lines(self) -> list[str]:
        """F, its first variation and the velocity, derived, as lines of LaTeX aligned at &."""
        from unified.meanfield.derive_risk import risk_lines

        return risk_lines(self.net, self.credit)

    def __repr__(self) -> str:
        nudge = "" if self.beta is None else f", beta={self.beta:g}"
        return f"Risk({self.net!r}, {len(self.samples.x)} samples, credit={self.credit}{nudge})"


def _regulariser(value: Any) -> Callable[[Any], Any] | None:
    """v as a function of one particle. Raises: InputError."""
    if value is None or callable(value):
        return value
    good = isinstance(value, int | float | np.number) and np.isfinite(value) and value >= 0
    if not good:
        raise bad_input("regulariser", "a number λ >= 0, or a function of a particle", value,
                        "use e.g. 1e-3")  # fmt: skip
    return (lambda t: 0.5 * float(value) * (t @ t)) if value else None
