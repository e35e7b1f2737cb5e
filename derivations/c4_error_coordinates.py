"""C4 turned into an algorithm: a Gauss–Newton step in error coordinates.

In words: the errors of the free layers are coordinates of the whole predictive net.  In them the
energy is a sum of squares except for the misfit of the output; with the misfit linearised the
minimum is one solve of the size of the output, with the covariance S of C4 built of the Jacobians
at the present state.  For a linear net the step is the equilibrium itself; else it is a descent
direction.

Source: Gauss–Newton, Nocedal & Wright (2006), 10.3; the gain form, Henderson & Searle (1981).
What breaks it: P or R not positive definite (β < 0 past the guard); a large misfit, whose
curvature the linearisation drops: convergence is then linear, or needs shorter steps.
"""

from derivations._chain import at, diag, f, slope
from unified.symbolic import (
    Axis,
    Claim,
    Step,
    axes,
    derivative,
    eye,
    inv,
    invertible,
    let,
    scalar,
    var,
)  # fmt: skip

beta = scalar("beta")
n, m = axes("n m")
assert isinstance(n, Axis) and isinstance(m, Axis)
old, new, r = var("e", n), var("e_new", n), var("r", m)  # all errors of the free layers
K, S = var("K", m, n), var("S", m, m)  # S = R + KP⁻¹Kᵀ
P, R = var("P", n, n, symmetric=True), var("R", m, m, symmetric=True)
left = r - K @ (new - old)
linear = new @ P @ new / 2 + left @ inv(R) @ left / 2
v = r + K @ old
best = inv(P) @ K.T @ inv(S) @ v
curve = P + K.T @ inv(R) @ K

STEP = Claim(
    "C4-gauss-newton",
    "A Gauss–Newton step in error coordinates is one solve of the size of the output",
    statement=(
        r"\arg\min_{\varepsilon^+} \tfrac12 \varepsilon^{+\top} P \varepsilon^+ + \tfrac12 "
        r"|r - K(\varepsilon^+ - \varepsilon)|^2_{R^{-1}} "
        r"= P^{-1} K^\top (R + K P^{-1} K^\top)^{-1} (r + K\varepsilon)"
    ),
    assumptions=[let(S, R + K @ inv(P) @ K.T), invertible(P), invertible(R)],
    breaks_when=["P or R not positive definite", "a misfit whose curvature is not small"],
    steps=[
        Step(at(derivative(linear, new), e_new=best), 0,
             "the gradient of the linearised energy vanishes there"),
        Step(derivative(derivative(linear, new), new), curve,
             "it is a minimum: both terms of its Hessian are positive"),
        Step(inv(curve) @ K.T @ inv(R) @ v, best,
             "push-through: the solve over all units is one over the output"),
        Step(at(linear, e_new=best), v @ inv(S) @ v / 2,
             "the energy foreseen there, ½rᵀS⁻¹r from a forward pass (e = 0): C4's F*"),
        Step(at(derivative(linear, new), e_new=old), P @ old - K.T @ inv(R) @ r,
             "at the present errors the linearised gradient is the true one"),
        Step((P @ old - K.T @ inv(R) @ r) @ (best - old),
             -(best - old) @ curve @ (best - old),
             "so the step goes downhill, and a short enough part of it lowers F"),
    ],
    refute=[
        Step(at(derivative(linear, new), e_new=inv(P) @ K.T @ inv(S) @ r), 0,
             "r in place of r + Ke: right only from a forward pass"),
        Step(at(derivative(linear, new), e_new=K.T @ inv(S) @ v), 0, "the covariance forgotten"),
        Step(inv(curve) @ K.T @ inv(R) @ v, inv(P) @ K.T @ inv(R + K @ K.T) @ v,
             "unit covariances in S"),
    ],
    source="Nocedal & Wright (2006), Numerical Optimization, 10.3",
)  # fmt: skip

o, h, g = axes("o h g")
assert isinstance(o, Axis) and isinstance(h, Axis) and isinstance(g, Axis)
c, e1, e2 = var("c", h), var("e1", h), var("e2", g)
W2, b2, W3, b3 = var("W2", g, h), var("b2", g), var("W3", o, g), var("b3", o)
Q = var("Q", o, o, symmetric=True)
y, z, mu = var("y", o), var("z", o), var("mu", o)
z1 = c + e1  # c: what the input alone decides
drive = W2 @ z1 + b2
z2 = f(drive) + e2
out = W3 @ z2 + b3
# The same with activations first: μ = Wf(z)
turned = W3 @ f(W2 @ f(z1) + b2 + e2) + b3
z2t = W2 @ f(z1) + b2 + e2
own = (z - mu) @ Q @ (z - mu) / 2 + beta * (y - z).sq() / 2
total = Q + beta * eye(o)
rest = inv(total) @ (Q @ mu + beta * y)
cov = inv(Q) + eye(o) / beta

REACH = Claim(
    "C4-reach",
    "K by one reverse sweep, and a free output eliminated",
    statement=(
        r"K_l = \sum_m K_m\, \partial\mu_m/\partial z_l,\quad \min_{z_L} \tfrac12 "
        r"|z_L-\mu_L|^2_{P_L} + \tfrac{\beta}{2} |y-z_L|^2 = \tfrac12 |y-\mu_L|^2_{R^{-1}},\quad "
        r"R = P_L^{-1} + \tfrac{1}{\beta} I"
    ),
    assumptions=[invertible(Q)],
    breaks_when=["β → 0: R grows like 1/β and the target is not felt", "P_L + β singular"],
    steps=[
        Step(derivative(out, e2), W3, "the layer below a linear output"),
        Step(derivative(out, e1), W3 @ diag(slope(drive)) @ W2,
             "one layer down: the rows above, times slopes, times weights"),
        Step(derivative(turned, e2), W3 @ diag(slope(z2t)), "convention Wf(z), top layer"),
        Step(derivative(turned, e1), W3 @ diag(slope(z2t)) @ W2 @ diag(slope(z1)),
             "convention Wf(z), one layer down"),
        Step(at(derivative(own, z), z=rest), 0, "the output at rest, given the others"),
        Step(at(own, z=rest), (y - mu) @ inv(cov) @ (y - mu) / 2,
             "what its term is then worth: the misfit, in covariance P_L⁻¹ + 1/β"),
    ],
    refute=[
        Step(derivative(out, e1), W3 @ W2, "slopes forgotten"),
        Step(derivative(turned, e1), W3 @ diag(slope(drive)) @ W2, "the other convention's slopes"),
        Step(at(own, z=rest), beta * (y - mu).sq() / 2, "a free output taken for a clamped one"),
    ],
)  # fmt: skip

CLAIMS = (STEP, REACH)
