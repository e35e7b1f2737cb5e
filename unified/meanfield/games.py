"""Potential mean-field games on a line: fictitious play with an exact exploitability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.meanfield.functional import AbstractFunctional
from unified.meanfield.grid import GridMeasure
from unified.meanfield.internal import positive

NEWTON = 100


@dataclass(frozen=True)
class GameResult:
    """An approximate equilibrium of a potential mean-field game.

    Equation: `exploitability` is what one player gains at most by leaving the crowd, per play of
    the whole crowd; for convex F and G it bounds `value` − the optimum, so value −
    exploitability is a bound from below (the dual value).
    Shapes: `ts` (K+1,), `density` (K+1, n), `phi` (K+1, n) the value function of a player against
    the crowd, `velocity` (K, n) its mean drift, `exploitability` and `values` (iterations,).
    """

    x: Any
    ts: Any
    density: Any
    phi: Any
    velocity: Any
    values: Any
    exploitability: Any
    status: str

    @property
    def value(self) -> float:
        """The cost of the crowd: kinetic, running and terminal."""
        return float(self.values[-1])

    @property
    def gap(self) -> float:
        """The exploitability at the end, which is the duality gap."""
        return float(self.exploitability[-1])

    def measure(self, k: int = -1) -> GridMeasure:
        """The density at a time, as a measure."""
        return GridMeasure(self.x, self.density[k])

    def to_xarray(self) -> Any:
        """Density and value function over time and x; value and exploitability by iteration."""
        import xarray as xr

        found = {"density": (("time", "x"), self.density), "phi": (("time", "x"), self.phi),
                 "value": ("iteration", self.values),
                 "exploitability": ("iteration", self.exploitability)}  # fmt: skip
        return xr.Dataset(found, {"time": self.ts, "x": self.x}, {"status": self.status})

    def __repr__(self) -> str:
        return (
            f"GameResult({self.status}; t = 0 to {self.ts[-1]:g}, value {self.value:.6g}, "
            f"exploitability {self.gap:.2g} after {len(self.values)} plays)"
        )


@dataclass(frozen=True)
class _Line:
    """The discrete game: jumps between neighbouring cells at controlled rates.

    Equation: with D = (φ_{i+1} − φ_i)/h the player pays ½(a² + b²) for drifts a = (−D_i)₊ to the
    right and b = (D_{i−1})₊ to the left, H = ½(a² + b²) (Godunov), and diffuses by ν. Implicit in
    time; the forward equation is the exact adjoint, so that duality holds to rounding.
    """

    h: float
    dt: float
    nu: float

    def drifts(self, phi: Any) -> tuple[Any, Any]:
        """a and b in every cell; none through the walls."""
        slope = np.diff(phi) / self.h
        return np.append(np.maximum(-slope, 0), 0.0), np.append(0.0, np.maximum(slope, 0))

    def backward(self, after: Any, f: Any) -> Any:
        """φ with (φ − after)/dt + H(φ) − νΔφ = f, by Newton (policy iteration)."""
        from scipy.linalg import solve_banded

        phi = after.copy()
        for _ in range(NEWTON):
            a, b = self.drifts(phi)
            walls = np.concatenate([[0.0], np.diff(phi), [0.0]])
            rest = (
                phi
                - after
                + self.dt * ((a * a + b * b) / 2 - self.nu * np.diff(walls) / self.h**2 - f)
            )
            move = solve_banded((1, 1), self.bands(a, b), rest)
            phi = phi - move
            if np.max(np.abs(move)) <= 1e-13 * (1 + np.max(np.abs(phi))):
                return phi
        raise ConvergenceError(
            "solve_game: expected a solved Hamilton-Jacobi step, got a change of "
            f"{np.max(np.abs(move)):.2g}; use more steps."
        )

    def bands(self, a: Any, b: Any) -> Any:
        """I − dt·(generator of the jumps), by diagonals."""
        right = self.dt * (a / self.h + self.nu / self.h**2)
        left = self.dt * (b / self.h + self.nu / self.h**2)
        right[-1] = left[0] = 0.0
        return np.stack([np.append(0.0, -right[:-1]), 1 + right + left, np.append(-left[1:], 0.0)])

    def forward(self, before: Any, a: Any, b: Any) -> Any:
        """The density after a step: the adjoint equation."""
        from scipy.linalg import solve_banded

        up, middle, down = self.bands(a, b)
        flipped = np.stack([np.append(0.0, down[:-1]), middle, np.append(up[1:], 0.0)])
        return solve_banded((1, 1), flipped, before)


@dataclass(frozen=True)
class _Play:
    """A flow of the crowd: densities and fluxes, which average linearly."""

    rho: Any
    right: Any
    left: Any

    def mixed(self, other: _Play, share: float) -> _Play:
        one = 1 - share
        return _Play(*(one * p + share * q for p, q in zip(self.parts, other.parts, strict=True)))

    @property
    def parts(self) -> tuple[Any, Any, Any]:
        return self.rho, self.right, self.left

    def kinetic(self, line: _Line) -> float:
        """∫∫½w²/ρ, convex in both."""
        rho = np.maximum(self.rho[1:], 1e-300)
        return float(np.sum((self.right**2 + self.left**2) / rho)) * line.h * line.dt / 2


def solve_game(running: AbstractFunctional | None, terminal: AbstractFunctional,
               rho0: GridMeasure, t1: float, *, nu: float = 0.0, steps: int = 50,
               plays: int = 200, tol: float = 1e-6, throw: bool = True) -> GameResult:  # fmt: skip
    """An equilibrium of a potential mean-field game with quadratic kinetic cost, on a line.

    Equation: min ∫∫½|α|²dρ dt + ∫F(ρ_t)dt + G(ρ_T), ∂_tρ + ∇·(ρα) = νΔρ; its optimality conditions
    are −∂_tφ − νΔφ + ½|∇φ|² = δF/δρ, φ_T = δG/δρ(ρ_T), α = −∇φ. Fictitious play: best response to
    the average crowd, mixed in by an exact line search; monotone upwind differences, order 1.
    Shapes: `rho0` a GridMeasure in 1 d with walls; `steps` of time, at most `plays` best responses,
    until the exploitability is below `tol`.
    Raises: InputError for a grid that is not one; ConvergenceError (unless throw=False) if the
    exploitability stays above `tol`.
    Reference: Cardaliaguet & Hadikhanloo (2017), ESAIM COCV 23, 569; Achdou & Capuzzo-Dolcetta
    (2010), SIAM J. Numer. Anal. 48, 1136; Lavigne & Pfeiffer (2023), Appl. Math. Optim. 88, 3.
    """
    from scipy.optimize import minimize_scalar

    if not isinstance(rho0, GridMeasure) or rho0.dim != 1 or rho0.periodic:
        raise bad_input("rho0", "a GridMeasure in 1 d with walls", repr(rho0), "use to_grid(x)")
    if steps < 1 or plays < 1:
        raise bad_input("steps, plays", "at least 1", f"{steps}, {plays}", "raise them")
    span = positive("t1", t1)
    line = _Line(rho0.steps[0], span / steps, positive("nu", nu, zero=True))
    for part in (running, terminal):
        if part is not None:
            part.check(rho0)

    def at(rho: Any) -> GridMeasure:
        return GridMeasure(rho0.x, rho / (np.sum(rho) * line.h))

    def costs(play: _Play) -> tuple[list[Any], Any]:
        """δF/δρ at every time after the first, and δG/δρ at the last."""
        zero = np.zeros_like(rho0.x)
        f = [zero if running is None else running.on_grid(at(r)) for r in play.rho[1:]]
        return f, terminal.on_grid(at(play.rho[-1]))

    def total(play: _Play) -> float:
        found = play.kinetic(line) + terminal.value(at(play.rho[-1]))
        if running is not None:
            found += line.dt * sum(running.value(at(r)) for r in play.rho[1:])
        return found

    crowd, _ = _respond(line, rho0.density, [np.zeros_like(rho0.x)] * steps, 0 * rho0.x)
    values, gaps, phi = [], [], None
    for _ in range(plays):
        f, g = costs(crowd)
        best, phi = _respond(line, rho0.density, f, g)
        paid = crowd.kinetic(line) + line.h * float(g @ crowd.rho[-1])
        paid += line.dt * line.h * float(sum(c @ r for c, r in zip(f, crowd.rho[1:], strict=True)))
        values.append(total(crowd))
        gaps.append(paid - line.h * float(phi[0] @ rho0.density))
        if gaps[-1] <= tol:
            break
        found = minimize_scalar(lambda s, a=crowd, b=best: total(a.mixed(b, s)), bounds=(0, 1),
                                method="bounded", options={"xatol": 1e-6})  # fmt: skip
        crowd = crowd.mixed(best, float(found.x))
    status = "converged" if gaps[-1] <= tol else "max_steps"
    if throw and status != "converged":
        raise ConvergenceError(
            f"solve_game: expected an exploitability of at most {tol:g}, got {gaps[-1]:.2g} after "
            f"{plays} plays; allow more plays, or a larger tol.", (status,),
        )  # fmt: skip
    drift = (crowd.right - crowd.left) / np.maximum(crowd.rho[1:], 1e-300)
    ts = np.linspace(0, span, steps + 1)
    return GameResult(rho0.x, ts, crowd.rho, phi, drift, np.array(values), np.array(gaps), status)


def _respond(line: _Line, rho0: Any, f: list[Any], g: Any) -> tuple[_Play, Any]:
    """The best response to given costs: its flow, and the value function (K+1, n)."""
    phi = [np.asarray(g, float)]
    for cost in reversed(f):
        phi.append(line.backward(phi[-1], cost))
    phi.reverse()
    rho, right, left = [rho0], [], []
    for value in phi[:-1]:
        a, b = line.drifts(value)
        rho.append(line.forward(rho[-1], a, b))
        right.append(a * rho[-1])
        left.append(b * rho[-1])
    return _Play(np.stack(rho), np.stack(right), np.stack(left)), np.stack(phi)


@dataclass(frozen=True)
class LinearQuadratic:
    """The game with running cost ½qx², terminal cost ½gx², in closed form.

    Equation: φ = ½P(t)x² + c(t), P' = P² − q, P(T) = g; ċ = −νP, c(T) = 0; α = −Px, so that
    ṁ = −Pm, Σ̇ = −2PΣ + 2ν.
    Raises: InputError for q < 0 or g < 0. Reference: Bensoussan, Frehse & Yam (2013); theory E6.
    """

    q: float
    g: float
    nu: float
    t1: float

    def __post_init__(self) -> None:
        for name in ("q", "g", "nu"):
            positive(name, getattr(self, name), zero=True)
        positive("t1", self.t1)

    def riccati(self, t: Any) -> Any:
        """P(t) = s(g + s tanh sτ)/(s + g tanh sτ), τ = T − t, s = √q; g/(1 + gτ) for q = 0."""
        left, s = self.t1 - np.asarray(t, float), np.sqrt(self.q)
        if s == 0:
            return self.g / (1 + self.g * left)
        fall = np.tanh(s * left)
        return s * (self.g + s * fall) / (s + self.g * fall)

    def moments(self, mean: float, variance: float, t: float) -> tuple[float, float]:
        """Mean and variance at time t of a crowd that starts from these."""
        from scipy.integrate import solve_ivp

        def slope(at: float, y: Any) -> Any:
            p = self.riccati(at)
            return [-p * y[0], -2 * p * y[1] + 2 * self.nu]

        found = solve_ivp(slope, (0, t), [mean, variance], rtol=1e-11, atol=1e-13, t_eval=(t,))
        return float(found.y[0, -1]), float(found.y[1, -1])

    def value(self, mean: float, variance: float) -> float:
        """∫φ(0)dρ₀ = ½P(0)(m² + Σ) + ν∫₀ᵀP dt."""
        from scipy.integrate import quad

        rest = self.nu * quad(self.riccati, 0, self.t1)[0]
        return float(self.riccati(0.0)) * (mean**2 + variance) / 2 + rest
