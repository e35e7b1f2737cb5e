"""The rank-one Hopfield net, solved exactly: one-dimensional integrals over an auxiliary field."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input
from unified.dynamics.chains import check_temperature
from unified.dynamics.phase import Phase
from unified.dynamics.relax import runnable
from unified.energies.costs import squared
from unified.energies.energy import Energy
from unified.energies.hopfield import recurrent
from unified.inference.problem import program_of

POINTS, MOST, FAR = 129, 4200, 9.0  # of a quadrature: first, most; deviations covered
BARE = 60.0  # integrands below exp(−60) of their peak are left out


@lru_cache(maxsize=64)
def _net(n: int, rho: Any) -> Energy:
    """One energy per size, so that nets which differ in their numbers share a program."""
    return recurrent(n, rho=rho)


@dataclass(frozen=True)
class RankOne:
    """The net E = ½|s|² − (c/2)(ξᵀρ(s))² − bᵀρ(s), which is `un.energies.recurrent` with W = cξξᵀ.

    The diagonal of W, cξ_i², is part of it. `energy` and `params` run it in the library.
    Shapes: `pattern` ξ and `bias` b (n); `coupling` c > 0; energies dimensionless.
    Raises: InputError for c ≤ 0 or shapes that do not fit.
    Reference: Hubbard (1959), Phys. Rev. Lett. 3, 77; theory page A2.
    """

    pattern: Any
    coupling: float
    bias: Any
    rho: Any = "tanh"

    def __post_init__(self) -> None:
        xi, b = np.asarray(self.pattern, float), np.asarray(self.bias, float)
        if xi.ndim != 1 or b.shape != xi.shape or not np.all(np.isfinite([xi, b])):
            raise bad_input("pattern, bias", "two finite vectors of one length",
                            f"{xi.shape} and {b.shape}", "give both n entries")  # fmt: skip
        if not (np.isfinite(self.coupling) and self.coupling > 0):
            raise bad_input("coupling", "a finite number above 0", self.coupling,
                            "a negative one needs an imaginary field")  # fmt: skip
        object.__setattr__(self, "pattern", xi)
        object.__setattr__(self, "bias", b)

    @cached_property
    def energy(self) -> Energy:
        """The energy, from the library."""
        return _net(len(self.pattern), self.rho)

    @property
    def params(self) -> dict[str, Any]:
        """Its parameters."""
        return {"W": self.coupling * np.outer(self.pattern, self.pattern), "b": self.bias}

    def overlap(self, states: Any) -> Any:
        """u = ξᵀρ(s) of states (..., n)."""
        return self.rate(states) @ self.pattern

    def above(self, states: Any, temperature: float, threshold: float = 0.0) -> Any:
        """P(h > threshold | s) of states (..., n), for the field h = ξᵀρ(s) + N(0, T/c): it tells
        wells apart as the sign of the overlap does, but smoothly, and its mean is exactly known."""
        from scipy.special import ndtr

        away = self.overlap(states) - threshold
        return ndtr(away * np.sqrt(self.coupling / temperature))

    def rate(self, s: Any) -> Any:
        """ρ(s), as the generated code has it: −∂E/∂b."""
        flat = np.asarray(s, float).reshape(-1, 1)
        rule = self._one.rule({"s": flat}, {"W": np.eye(1), "b": np.zeros(1)}, Phase.free())
        return -rule["b"].reshape(np.shape(s))

    @cached_property
    def largest_rate(self) -> float:
        """max |ρ|. Raises: InputError if ρ does not saturate, since its integrals are others."""
        far = np.abs(self.rate(np.concatenate([np.linspace(-50, 50, 2001), [-1e6, 1e6]])))
        if np.max(far[-2:]) > 1.01 * np.max(far[:-2]):
            raise bad_input("rho", "a nonlinearity that saturates", repr(self.rho), "use 'tanh'")
        return float(np.max(far))

    @cached_property
    def _one(self) -> Any:
        program = program_of(_net(1, self.rho), squared())
        runnable(program)
        return program

    def law(
        self, temperature: float, *, beta: float = 0.0, y: Any = None, tolerance: float = 1e-10
    ) -> RankOneLaw:
        """The Gibbs law of E + (β/2)|s − y|² (`un.costs.squared`), integrated to `tolerance`.

        Raises: InputError for T ≤ 0, β ≤ −1 (no law) or y missing; ConvergenceError if doubling
        the points of both quadratures does not settle log Z and the mean to `tolerance`.
        """
        check_temperature(temperature)
        if not np.isfinite(beta) or beta <= -1:
            raise bad_input("beta", "a number above -1, where the law ends", beta, "raise it")
        target = np.zeros(len(self.pattern)) if y is None else np.asarray(y, float)
        if (beta and y is None) or target.shape != self.pattern.shape:
            raise bad_input("y", f"{len(self.pattern)} targets", y, "pass y as the states")
        last, points = None, POINTS
        while points <= MOST:
            found = _integrate(self, float(temperature), float(beta), target, points)
            if last is not None:
                change = max(abs(found.log_integral - last.log_integral),
                             float(np.max(np.abs(found.mean - last.mean))))  # fmt: skip
                if change <= tolerance * max(1.0, abs(found.log_integral)):
                    object.__setattr__(found, "error", change)
                    return found
            last, points = found, 2 * points - 1
        raise ConvergenceError(
            f"rank_one: expected quadratures of {MOST} points to agree to {tolerance:.2g}, got "
            f"{change:.2g}; allow a larger tolerance=, or raise the temperature.",
        )


@dataclass(frozen=True)
class RankOneLaw:
    """Exact integrals of a rank-one net's Gibbs law.

    Equation: exp(cu²/2T) = √(c/2πT)∫exp(−ch²/2T + chu/T)dh makes units independent given the field
    h, which is u = ξᵀρ(s) plus N(0, T/c):
    Z = √(c/2πT)∫exp(−ch²/2T) Π_i z_i(h) dh, z_i = ∫exp(−[½s² + β½(s−y_i)² − (b_i+cξ_ih)ρ]/T)ds.
    Shapes: `fields` (H,) with probabilities `density` (H,) that sum to 1; `grid` (S,) of units,
    `units` p(s_i | h) (H, S) per unit; `mean`, `second` ⟨s_i²⟩ (n,); `error` the last change on
    doubling both quadratures.
    """

    net: RankOne
    temperature: float
    beta: float
    target: Any
    log_integral: float
    fields: Any = field(repr=False)
    density: Any = field(repr=False)
    grid: Any = field(repr=False)
    conditional: Any = field(repr=False)  # per unit: p(s_i | h), (H, S), each row summing to 1
    error: float = np.nan

    @cached_property
    def means_given(self) -> Any:
        """⟨s_i | h⟩, (n, H)."""
        return np.stack([p @ self.grid for p in self.conditional])

    @cached_property
    def mean(self) -> Any:
        """⟨s⟩, (n,)."""
        return self.means_given @ self.density

    @cached_property
    def cov(self) -> Any:
        """Cov(s), (n, n): units are independent given h."""
        inside = np.stack([p @ self.grid**2 for p in self.conditional]) - self.means_given**2
        away = self.means_given - self.mean[:, None]
        return (away * self.density) @ away.T + np.diag(inside @ self.density)

    @property
    def mean_cost(self) -> float:
        """⟨½|s − y|²⟩."""
        away = self.mean - self.target
        return 0.5 * float(np.trace(self.cov) + away @ away)

    def above(self, threshold: float = 0.0) -> float:
        """P(h > threshold), the share of the wells on that side; a spline between the fields."""
        from scipy.interpolate import CubicSpline

        spline = CubicSpline(self.fields, self.density / (self.fields[1] - self.fields[0]))
        low, high = self.fields[[0, -1]]
        return float(spline.integrate(min(max(threshold, low), high), high))

    def __repr__(self) -> str:
        return (
            f"RankOneLaw({len(self.net.pattern)} units, T={self.temperature:g}, "
            f"beta={self.beta:g}; log Z={self.log_integral:.10g} +- {self.error:.1g})"
        )


def _integrate(net: RankOne, heat: float, beta: float, y: Any, points: int) -> RankOneLaw:
    """All integrals by the trapezoidal rule, which converges geometrically for such integrands."""
    xi, b, c = net.pattern, net.bias, net.coupling
    most = net.largest_rate
    wide = float(np.sum(np.abs(xi)) * most) + FAR * np.sqrt(heat / c)  # |u| is below the first
    fields = np.linspace(-wide, wide, points)
    # Beyond `reach` the well ½(1+β)s² has outgrown whatever the drives can add, by many T.
    drive = float(np.max(np.abs(b) + c * np.abs(xi) * wide)) * most
    reach = (abs(beta) * np.max(np.abs(y)) / (1 + beta)
             + np.sqrt((4 * drive + FAR**2 * heat) / (1 + beta)))  # fmt: skip
    grid, step = np.linspace(-reach, reach, points, retstep=True)
    rate = net.rate(grid)
    base = -0.5 * grid**2 / heat

    def logs(at: Any) -> tuple[Any, list[Any]]:
        total, own = -0.5 * c * at**2 / heat, []
        for k in range(len(xi)):
            cost = -0.5 * beta * (grid - y[k]) ** 2 / heat
            z = base + cost + np.outer(b[k] + c * xi[k] * at, rate) / heat
            high = np.max(z, axis=1, keepdims=True)
            z = np.exp(z - high)
            size = np.sum(z, axis=1, keepdims=True)
            own.append(z / size)
            total = total + high[:, 0] + np.log(size[:, 0] * step)
        return total, own

    rough, _ = logs(fields)
    kept = fields[rough > np.max(rough) - BARE]
    fields = np.linspace(kept[0] - 2 * wide / points, kept[-1] + 2 * wide / points, points)
    total, own = logs(fields)
    high = np.max(total)
    density = np.exp(total - high)
    log_integral = high + np.log(np.sum(density) * (fields[1] - fields[0]))
    log_integral += 0.5 * np.log(c / (2 * np.pi * heat))
    return RankOneLaw(net, heat, beta, y, float(log_integral), fields, density / np.sum(density),
                      grid, own)  # fmt: skip
