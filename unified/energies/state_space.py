"""The linear-Gaussian state-space chain: a path of hidden states and what is seen of it."""

from __future__ import annotations

from unified.base.errors import bad_input
from unified.energies.energy import Energy
from unified.energies.initial import Initial
from unified.energies.layered import Layer, layered
from unified.energies.net import layer_axes
from unified.symbolic.axis import Axis
from unified.symbolic.build import var
from unified.symbolic.nodes import Expr, Var


def linear_gaussian_chain(n: int, m: int, steps: int, controls: int | None = None) -> Energy:
    """The negative log density of a linear-Gaussian path and its observations.

    Equation: z_0 ~ N(m0, P0⁻¹), z_t = A z_{t-1} + B u_t + N(0, P_Q⁻¹) for t = 1..T, and
    y_t = C z_t + N(0, P_R⁻¹) for t = 0..T: E = Σ ½εᵀΠε − ½log det Π over all of these. At rest z is
    the Kalman smoother's mean, and the inverse Hessian its covariance; z_T is the filter's.
    Shapes: states z_t, m0 (n), inputs y_t (m) and u_t (k, only with `controls` = k), A (n, n),
    B (n, k), C (m, n); precisions P0, P_Q (n, n), P_R (m, m), all shared over time.
    Raises: InputError for bad sizes or steps; a run with a precision that is not positive
    definite is refused.
    Reference: Kalman (1960), J. Basic Eng. 82, 35; Rauch, Tung, Striebel (1965); theory page C5.
    """
    sizes = [n, m] if controls is None else [n, m, controls]
    layer_axes(sizes)
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise bad_input("steps", "a positive integer", repr(steps), "e.g. steps=10")
    hidden, seen, driven = Axis("n0"), Axis("m0"), Axis("k0")
    mean, a, c = var("m0", hidden), var("A", hidden, hidden), var("C", seen, hidden)
    b = var("B", hidden, driven)
    p0, pq = (var(name, hidden, hidden, symmetric=True) for name in ("P0", "P_Q"))
    pr = var("P_R", seen, seen, symmetric=True)
    z = [var(f"z{t}", hidden) for t in range(steps + 1)]
    y = [var(f"y{t}", seen) for t in range(steps + 1)]
    u: list[Var] = []
    path = [Layer(z[0], mean, p0)]
    for t in range(1, steps + 1):
        prediction: Expr = a @ z[t - 1]
        if controls is not None:
            u.append(var(f"u{t}", driven))
            prediction = prediction + b @ u[-1]
        path.append(Layer(z[t], prediction, pq))
    views = [Layer(look, c @ state, pr) for look, state in zip(y, z, strict=True)]
    initial = {p.name: Initial("identity") for p in (p0, pq, pr)}
    initial |= {"A": Initial("identity", 0.9), "C": Initial("normal", 1.0, fan=1)}
    params = [mean, a, *([b] if u else []), c, p0, pq, pr]
    return layered(
        [*path, *views], params, [*y, *u], initial=initial, name="linear_gaussian_chain",
        sizes=dict(zip((hidden, seen, driven), sizes, strict=False)),
    )  # fmt: skip
