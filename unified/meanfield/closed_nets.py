"""Two-layer nets whose flow closes on a few moments: the oracle of the particle flows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unified.base.errors import ConvergenceError, bad_input

if TYPE_CHECKING:
    import xarray as xr

RTOL, ATOL = 1e-12, 1e-13
Moments = dict[str, Any]


@dataclass(frozen=True, eq=False)
class ClosedFlow:
    """A closed flow at the times asked for.

    Shapes: ts (T,); `moments` by name, each (T, ...); risk (T,) the plain one, ½E(y − f)²;
    descended (T,) what the flow descends (the risk, but for pc).
    """

    ts: Any
    moments: dict[str, Any]
    risk: Any
    descended: Any
    name: str

    def __getattr__(self, name: str) -> Any:
        if name != "moments" and name in self.moments:
            return self.moments[name]
        raise AttributeError(f"{self.name} has no {name!r}; it has {', '.join(self.moments)}")

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}{np.shape(v)[1:] or ''}" for k, v in self.moments.items())
        return (f"ClosedFlow({self.name}: {shown}; t {self.ts[0]:g}..{self.ts[-1]:g}, risk "
                f"{self.risk[0]:.4g} -> {self.risk[-1]:.4g})")  # fmt: skip

    def to_xarray(self) -> xr.Dataset:
        """The series as a dataset over `t`."""
        import xarray as xr

        arrays = {**self.moments, "risk": self.risk, "descended": self.descended}
        return xr.Dataset(
            {k: (("t", *(f"{k}_{i}" for i in range(np.ndim(v) - 1))), v)
             for k, v in arrays.items()}, {"t": self.ts}, attrs={"flow": self.name},
        )  # fmt: skip


def linear_moments(theta: Any, w: Any = None) -> Moments:
    """The moments of linear neurons (a, w).

    Equation: u = ∫aw, Q = ∫a², P = ∫wwᵀ.
    Shapes: theta (N, 1 + d); w (N,) weights, 1/N if left out.
    """
    theta = np.asarray(theta, float)
    w = np.full(len(theta), 1 / len(theta)) if w is None else np.asarray(w, float)
    a, v = theta[:, 0], theta[:, 1:]
    return {"u": (w * a) @ v, "Q": w @ a**2, "P": (v * w[:, None]).T @ v}


def feedback_moments(theta: Any, w: Any = None) -> Moments:
    """`linear_moments` of (a, w), and C = ∫ab, s = ∫bw, B = ∫b² of the feedback weights b."""
    theta = np.asarray(theta, float)
    w = np.full(len(theta), 1 / len(theta)) if w is None else np.asarray(w, float)
    a, v, b = theta[:, 0], theta[:, 1:-1], theta[:, -1]
    more = {"C": w @ (a * b), "s": (w * b) @ v, "B": w @ b**2}
    return linear_moments(theta[:, :-1], w) | more


def linear_net_flow(
    start: Mapping[str, Any], teacher: Any, ts: Any, credit: str = "bp", *,
    gamma: float | None = None, floor: float = 0.0,
) -> ClosedFlow:  # fmt: skip
    """The flow of a linear two-layer net f = ∫a w·x dμ with E xxᵀ = 1 and y = v·x, in moments.

    Equation: with r = u − v, "bp": u' = −(P+Q)r, Q' = −2u·r, P' = −(ruᵀ+urᵀ). "pc", with
    S = 1+Q/γ: u' = −(P+Q)r/S + u|r|²/(γS²), Q' = −2u·r/S + 2Q|r|²/(γS²), P' = −(ruᵀ+urᵀ)/S.
    "fa": u' = −(P+C)r, Q' = −2u·r, P' = −(rsᵀ+srᵀ), C' = −s·r, s' = −Br, B' = 0. All are exact
    at every number of neurons.
    Shapes: `start` as `linear_moments` (for fa `feedback_moments`) makes it; teacher v (d,); ts
    (T,) from the start on; `floor` is a constant part of the risk, of targets beyond v·x.
    `gamma` is γ = Nγ_h/γ_o, for pc only.
    Raises: InputError for moments that are missing or do not fit, γ that is not positive or not
    asked for, or times that do not increase.
    Reference: theory pages E5 and E7; Saxe, McClelland & Ganguli (2014) for the deep linear case.
    """
    names = ["u", "Q", "P"] + (["C", "s", "B"] if credit == "fa" else [])
    if credit not in ("bp", "pc", "fa"):
        raise bad_input("credit", "one of bp, pc, fa", repr(credit),
                        "ep tends to bp as beta goes to 0")  # fmt: skip
    if (gamma is None) == (credit == "pc") or (gamma is not None and not gamma > 0):
        raise bad_input("gamma", "a positive number for pc, none otherwise", gamma,
                        "it is γ = Nγ_h/γ_o")  # fmt: skip
    v = np.asarray(teacher, float)
    if v.ndim != 1:
        raise bad_input("teacher", "a vector (d,)", v, "targets are teacher · x")
    shapes = {"u": v.shape, "s": v.shape, "P": (*v.shape, *v.shape)}
    y0 = {n: _moment(start, n, shapes.get(n, ())) for n in names}

    def slope(z: Moments) -> Moments:
        r, u, P = z["u"] - v, z["u"], z["P"]
        if credit == "fa":
            s = z["s"]
            return {"u": -(P @ r + z["C"] * r), "Q": -2 * u @ r, "P": -_sym(r, s), "C": -s @ r,
                    "s": -z["B"] * r, "B": 0.0}  # fmt: skip
        pull, push = 1.0, 0.0
        if gamma is not None:
            share = 1 + z["Q"] / gamma
            pull, push = 1 / share, r @ r / (gamma * share**2)
        return {"u": -pull * (P @ r + z["Q"] * r) + push * u,
                "Q": -2 * pull * (u @ r) + 2 * push * z["Q"], "P": -pull * _sym(r, u)}  # fmt: skip

    moments = integrate(slope, y0, ts)
    risk = 0.5 * np.sum((moments["u"] - v) ** 2, axis=1) + floor
    descended = risk if gamma is None else risk / (1 + moments["Q"] / gamma)
    return ClosedFlow(np.asarray(ts, float), moments, risk, descended, f"linear net, {credit}")


def quadratic_net_flow(start: Any, teacher: Any, ts: Any) -> ClosedFlow:
    """The flow of f = ∫(w·x)² dμ = xᵀAx, A = ∫wwᵀ, with x ~ N(0, 1) and teacher xᵀA*x.

    Equation: A' = −2(GA + AG), G = tr(D)·1 + 2D, D = A − A*; risk ½(tr(D)² + 2 tr D²). Exact at
    every number of neurons.
    Shapes: start A and teacher A* (d, d) symmetric; ts (T,).
    Raises: InputError for matrices that are not symmetric or do not fit.
    Reference: theory page E5; Gamarnik, Kızıldağ & Zadik (2019) for the landscape.
    """
    target = np.asarray(teacher, float)
    if target.ndim != 2 or not np.array_equal(target, target.T):
        raise bad_input("teacher", "a symmetric matrix (d, d)", target, "use (A + A.T) / 2")
    one = np.eye(len(target))

    def slope(z: Moments) -> Moments:
        D = z["A"] - target
        G = np.trace(D) * one + 2 * D
        return {"A": -2 * (G @ z["A"] + z["A"] @ G)}

    moments = integrate(slope, {"A": _moment({"A": start}, "A", target.shape)}, ts)
    D = moments["A"] - target
    risk = 0.5 * (np.trace(D, axis1=1, axis2=2) ** 2 + 2 * np.sum(D**2, axis=(1, 2)))
    return ClosedFlow(np.asarray(ts, float), moments, risk, risk, "quadratic net, bp")


def radial_constant(d: int) -> float:
    """κ_d = E max(ω₁, 0) over unit vectors ω: an isotropic ReLU layer gives κ_d|x|."""
    return math.gamma(d / 2) / (2 * math.sqrt(math.pi) * math.gamma((d + 1) / 2))


def radial_relu_flow(
    start: Mapping[str, float], slope: float, d: int, ts: Any, *, second: float | None = None
) -> ClosedFlow:
    """The flow of ReLU neurons (a, w) with an isotropic law of w, x isotropic, and y = c|x|.

    Equation: f = κ_d u|x|, u = ∫a|w|; with e = κ_d u − c and m = E|x|²: u' = −eκ_d m(Q+R),
    Q' = R' = −2eκ_d m u, Q = ∫a², R = ∫|w|². It needs N → ∞: finitely many directions are not
    isotropic, and their error is that of averaging over directions.
    Shapes: start u, Q, R numbers; `slope` is c; `second` is m (d for standard normal x).
    Raises: InputError for moments that are missing or d below 1.
    Reference: theory page E5.
    """
    if not isinstance(d, int) or d < 1:
        raise bad_input("d", "a whole number of at least 1", d, "use e.g. 2")
    kappa, m = radial_constant(d), float(d if second is None else second)

    def rate(z: Moments) -> Moments:
        push = -(kappa * z["u"] - slope) * kappa * m
        return {"u": push * (z["Q"] + z["R"]), "Q": 2 * push * z["u"], "R": 2 * push * z["u"]}

    moments = integrate(rate, {n: _moment(start, n, ()) for n in ("u", "Q", "R")}, ts)
    risk = 0.5 * m * (kappa * moments["u"] - slope) ** 2
    return ClosedFlow(np.asarray(ts, float), moments, risk, risk, "radial relu net, bp")


def integrate(
    slope: Callable[[Moments], Moments], start: Moments, ts: Any
) -> dict[str, Any]:
    """Moments at times ts from the first of them on, by DOP853 at tolerance 1e-12.

    Raises: InputError for times that do not increase; ConvergenceError if the solver gives up.
    Reference: Hairer, Nørsett & Wanner (1993), II.5.
    """
    from scipy.integrate import solve_ivp

    ts = np.asarray(ts, float)
    if ts.ndim != 1 or len(ts) < 2 or not np.all(np.diff(ts) > 0):
        raise bad_input("ts", "at least two increasing times", ts, "use np.linspace(0, 5, 50)")
    shapes = {k: np.shape(v) for k, v in start.items()}
    stops = np.cumsum([math.prod(s) for s in shapes.values()])[:-1]

    def read(z: Any) -> Moments:
        parts: Sequence[Any] = np.split(z, stops, axis=0)
        return {k: p.reshape(*s, *z.shape[1:]) if s else p[0]
                for (k, s), p in zip(shapes.items(), parts, strict=True)}  # fmt: skip

    def flat(m: Moments) -> Any:
        return np.concatenate([np.ravel(m[k]) for k in shapes])

    found = solve_ivp(lambda _, z: flat(slope(read(z))), (ts[0], ts[-1]), flat(start), t_eval=ts,
                      method="DOP853", rtol=RTOL, atol=ATOL)  # fmt: skip
    if not found.success:
        raise ConvergenceError(f"closed flow: expected moments up to t = {ts[-1]:g}, got "
                               f"{found.message}; stop earlier.", ["diverged"])  # fmt: skip
    return {k: np.moveaxis(np.asarray(v), -1, 0) for k, v in read(found.y).items()}


def _sym(x: Any, y: Any) -> Any:
    return np.outer(x, y) + np.outer(y, x)


def _moment(start: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Any:
    value = np.asarray(start.get(name, np.nan), float)
    if name not in start or value.shape != shape or not np.all(np.isfinite(value)):
        raise bad_input(f"start {name}", f"finite numbers of shape {shape}",
                        "none" if name not in start else value,
                        "make moments with linear_moments")  # fmt: skip
    return value
