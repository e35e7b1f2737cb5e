"""Minimising movements (JKO steps): Gaussians in closed form, one dimension by Newton."""

from __future__ import annotations

from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.meanfield import degiorgi
from unified.meanfield.functional import AbstractFunctional, part
from unified.meanfield.internal import AbstractInternalEnergy
from unified.meanfield.measures import GaussianMeasure, ParticleMeasure
from unified.meanfield.moments import closure, gaussian_state
from unified.meanfield.potential import Potential
from unified.meanfield.result import STATUS
from unified.meanfield.stepper import AbstractStepper, State, wrong_measure

NEWTON = 60
NODES = {"gaussian": 16, "quantiles": 6}  # of De Giorgi's integral; steps in closed form are cheap


class GaussianJKO(AbstractStepper):
    """μ⁺ = argmin F(μ) + W₂²(μ, μ_k)/2h among Gaussians, which is the argmin among all.

    Equation: V = ½xᵀAx − gᵀx, quadratic interaction K, B = I + h(A+K), c = hT,
    S = B^{-½}ΣB^{-½}: m⁺ = (I+hA)⁻¹(m + hg), Σ⁺ = B^{-½}·½[S + 2cI + (S² + 4cS)^{½}]·B^{-½}.
    The dissipation of a step is W₂²/h; order 1 in h with the exact stationary law.
    Reference: Jordan, Kinderlehrer & Otto (1998); theory page E3.
    """

    name = "jko, Gaussian"
    certifies = degiorgi.LAW
    citation = "Jordan, Kinderlehrer & Otto (1998), SIAM J. Math. Anal. 29, 1; Gaussian closed form"

    def __init__(self, functional: AbstractFunctional, dim: int) -> None:
        super().__init__(functional)
        self.a, self.g, self.k = closure(functional, dim)

    def start(self, mu0: Any) -> State:
        """Mean and covariance."""
        return {**gaussian_state(self.functional, mu0, self.name), **_UNMOVED}

    def measure(self, state: State) -> GaussianMeasure:
        """The Gaussian of a state."""
        return GaussianMeasure(state["m"], state["sigma"])

    def advance(self, state: State, first: int, last: int, dt: float) -> State:
        """Steps of length dt."""
        from unified.meanfield.distances import bures

        for _ in range(first, last):
            old = self.measure(state)

            def step(h: float, old: GaussianMeasure = old) -> GaussianMeasure:
                heat = self.functional.temperature
                return GaussianMeasure(
                    *gaussian_step(self.a, self.g, self.k, heat, h, old.m, old.sigma)
                )

            def moved(h: float, old: GaussianMeasure = old, step: Any = step) -> float:
                return bures(old, step(h)) ** 2

            new = step(dt)
            drop = self.functional.value(old) - self.functional.value(new)
            spent = _spent(state, drop, bures(old, new) ** 2, moved, dt, NODES["gaussian"])
            state = {"m": new.m, "sigma": new.sigma, **spent}
        return state

    def details(self, state: State) -> dict[str, Any]:
        """The least of F_k − F_{k+1} − W²/2h over the steps, which must not be negative."""
        return {"least_slack": float(state["slack"])}


_UNMOVED: State = {"slack": np.float64(1e300), "spent": np.float64(0)}


def _spent(state: State, drop: float, whole: float, moved: Any, h: float, nodes: int) -> State:
    """Dissipation, least slack and De Giorgi's loss after one more step."""
    slack = min(float(state["slack"]), drop - whole / (2 * h))
    spent = state["spent"] + degiorgi.lost(moved, whole, h, nodes)
    return {"dissipated": np.float64(state["dissipated"] + whole / h), "slack": np.float64(slack),
            "spent": np.float64(spent)}  # fmt: skip


def gaussian_step(a: Any, g: Any, k: Any, heat: float, h: float, m: Any, sigma: Any) -> Any:
    """One JKO step of a Gaussian: the new mean and covariance."""
    eye = np.eye(len(m))
    values, vectors = np.linalg.eigh(eye + h * (a + k))
    if values[0] <= 0 or np.linalg.eigvalsh(eye + h * a)[0] <= 0:
        raise bad_input("dt", "a step that keeps I + hA positive definite", f"{h:g}",
                        "use a smaller dt")  # fmt: skip
    root = (vectors / np.sqrt(values)) @ vectors.T
    scaled = root @ sigma @ root
    s, u = np.linalg.eigh((scaled + scaled.T) / 2)
    c = h * heat
    grown = (s + 2 * c + np.sqrt(np.maximum(s * s + 4 * c * s, 0))) / 2
    new = root @ (u * grown) @ u.T @ root
    return np.linalg.solve(eye + h * a, m + h * g), (new + new.T) / 2


class QuantileJKO(AbstractStepper):
    """JKO steps in one dimension, in quantiles.

    Equation: W₂ is the L² distance of quantile functions X(s), so a step minimises
    mean (X − X_k)²/2h + 𝓔 + ∫U(1/X')X'ds over increasing X, by damped Newton; X at the N midpoints,
    X' from neighbours.
    Reference: Carrillo & Moll (2009), SIAM J. Sci. Comput. 31, 4305; Blanchet, Calvez & Carrillo
    (2008), SIAM J. Numer. Anal. 46, 691.
    """

    name = "jko, quantiles"
    certifies = degiorgi.LAW
    citation = "Blanchet, Calvez & Carrillo (2008), SIAM J. Numer. Anal. 46, 691"

    def __init__(self, functional: AbstractFunctional, tol: float) -> None:
        super().__init__(functional)
        self.tol = tol
        inside = [t for t in functional.terms if isinstance(t, AbstractInternalEnergy)]
        self.inside = [t for t in inside if not (t.temperature == 0 and _is_entropy(t))]
        self.outside = part(functional, False)
        self.alone = all(isinstance(t, Potential) for t in self.outside.terms)
        self._compiled: Any = None

    @property
    def energy_kind(self) -> str:
        """F with the internal energy of the quantiles."""
        return "F of the quantiles" if self.inside else "F"

    def start(self, mu0: Any) -> State:
        """Sorted particles of equal weights. Raises: InputError for others."""
        if not isinstance(mu0, ParticleMeasure):
            raise wrong_measure(
                self.name, "a ParticleMeasure of equal weights (or a GaussianMeasure)", mu0,
                "use un.meanfield.ParticleMeasure(mu0.quantiles(200)) of a grid",
            )  # fmt: skip
        if mu0.dim != 1 or np.ptp(mu0.w) > 1e-9 * np.max(mu0.w):
            raise bad_input("mu0", "particles of equal weights in 1 d", f"{mu0!r}", "resample them")
        x = np.sort(mu0.x[:, 0].astype(np.float64))
        if self.inside and not np.all(np.diff(x) > 0):
            raise bad_input("mu0", "distinct particles, for an internal energy", "equal ones",
                            "use quantiles")  # fmt: skip
        return {"x": x, "dissipated": np.float64(0), **_UNMOVED}

    def measure(self, state: State) -> ParticleMeasure:
        """The quantiles as particles of equal weights."""
        return ParticleMeasure(state["x"])

    def energy(self, measure: Any) -> float:
        """F, the internal energy by the quantiles' spacing."""
        x = measure.x[:, 0]
        return self._inner(x)[0] + self.outside.value(measure)

    def _inner(self, x: Any) -> tuple[float, Any, Any]:
        """∫U(1/X')X'ds, its gradient, and the diagonal of its Hessian in the spacings."""
        n, p = len(x), np.diff(x) * len(x)
        value, slope, curve = 0.0, np.zeros(n - 1), np.zeros(n - 1)
        for t in self.inside:
            rho = 1 / p
            value += float(np.sum(t.energy(rho) * p)) / n
            slope += -t.pressure(rho)
            curve += n * t.slope(rho) * rho**2
        grad = np.zeros(n)
        grad[1:] += slope
        grad[:-1] -= slope
        return value, grad, curve

    def _outer(self, x: Any) -> tuple[Any, Any]:
        """Minus the force on every particle over N, and its Jacobian (its diagonal, if it is)."""
        import jax
        import jax.numpy as jnp

        w = np.full(len(x), 1 / len(x))
        if self._compiled is None:

            def push(x: Any) -> Any:
                return -self.outside.velocity(x[:, None], jnp.asarray(w))[:, 0]

            def both(x: Any) -> Any:
                if self.alone:
                    return jax.jvp(push, (x,), (jnp.ones_like(x),))
                return push(x), jax.jacfwd(push)(x)

            self._compiled = jax.jit(both)
        with jax.enable_x64(True):
            grad, jacobian = self._compiled(jnp.asarray(x))
            return np.asarray(grad) / len(x), np.asarray(jacobian) / len(x)

    def advance(self, state: State, first: int, last: int, dt: float) -> State:
        """Steps of length dt. Raises: ConvergenceError if Newton does not converge."""
        for _ in range(first, last):
            old = state["x"]
            new = self._step(old, dt, old)

            def moved(h: float, old: Any = old, new: Any = new) -> float:
                guess = old + h / dt * (new - old)
                return float(np.mean((self._step(old, h, guess) - old) ** 2))

            drop = self.energy(ParticleMeasure(old)) - self.energy(ParticleMeasure(new))
            spent = _spent(state, drop, float(np.mean((new - old) ** 2)), moved, dt,
                           NODES["quantiles"])  # fmt: skip
            state = {"x": new, **spent}
        return state

    def _step(self, old: Any, h: float, guess: Any) -> Any:
        x, n = guess.copy(), len(old)

        def total(x: Any) -> float:
            if self.inside and np.any(np.diff(x) <= 0):
                return np.inf
            found = self.energy(ParticleMeasure(x))
            return float(np.mean((x - old) ** 2)) / (2 * h) + found

        level = total(x)
        for _ in range(NEWTON):
            _, grad, curve = self._inner(x)
            more, hessian = self._outer(x)
            grad = grad + more + (x - old) / (n * h)
            move = -_newton(grad, hessian, curve, 1 / (n * h))
            size = float(np.max(np.abs(move)))
            if size <= self.tol * (1 + float(np.max(np.abs(x)))):
                return x + move if np.all(np.diff(x + move) > 0) or not self.inside else x
            share = 1.0
            while share > 1e-12:
                found = total(x + share * move)
                if found < level or size * share < 1e-7:
                    break
                share /= 2
            x, level = x + share * move, found
        raise ConvergenceError(
            f"solve_flow: expected a JKO step solved to {self.tol:g}, got a Newton step of "
            f"{size:.2g} after {NEWTON}; {STATUS['not_solved']}.", ("not_solved",),
        )  # fmt: skip

    def details(self, state: State) -> dict[str, Any]:
        """The least of F_k − F_{k+1} − W²/2h over the steps, which must not be negative."""
        return {"least_slack": float(state["slack"])}


def _newton(grad: Any, hessian: Any, curve: Any, stiff: float) -> Any:
    """(hessian + spacings' curvature + stiff)⁻¹ grad; a vector hessian is a diagonal."""
    spacings = np.append(curve, 0.0) + np.append(0.0, curve)
    if hessian.ndim == 1:
        from scipy.linalg import solve_banded

        side = np.append(0.0, -curve)
        bands = np.stack([side, hessian + spacings + stiff, np.roll(side, -1)])
        return solve_banded((1, 1), bands, grad)
    full = hessian + np.diag(spacings + stiff) - np.diag(curve, 1) - np.diag(curve, -1)
    return np.linalg.solve(full, grad)


def _is_entropy(term: AbstractInternalEnergy) -> bool:
    from unified.meanfield.internal import Entropy

    return isinstance(term, Entropy)
