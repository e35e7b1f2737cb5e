"""C3, continued. Fixed prediction, zero divergence, and why clamping is not backpropagation.

In words: with predictions and slopes frozen at the forward pass, the errors at rest are the
backpropagated ones at any output error, after L − 1 sweeps from zero.  Started feedforward with
the output clamped and synchronous steps of size γ preconditioned by P_l⁻¹, the rule of W_l taken
at step t = L − l is γ^{L−l} times its gradient.  At the rest point of the clamped chain the rule
backpropagates S⁻¹r instead of P_L r, however small the error r.

Source: Millidge, Tschantz & Buckley (2022), Neural Computation 34, 1329; Song, Lukasiewicz, Xu &
Bogacz (2020), NeurIPS 33; Salvatori et al. (2022), AAAI 36, 8150.
What breaks it: asynchronous steps, a start that is not feedforward, reading all layers at once.
"""

from derivations._chain import at, chain, f, named, slope
from unified.symbolic import (
    Claim,
    Expr,
    Series,
    Step,
    derivative,
    inv,
    let,
    ones,
    outer,
    scalar,
    substitute,
    symmetric,
    var,
)  # fmt: skip

gamma, t = scalar("gamma"), scalar("t")
NET = chain(3)
x, z1, z2, z3, W1, W2, W3, b1, b2, b3, P1, P2, P3 = named(
    NET, "x z1 z2 z3 W1 W2 W3 b1 b2 b3 P1 P2 P3"
)
y, r = var("y", *z3.axes), var("r", *z3.axes)
a1 = W1 @ x + b1
m1 = f(a1)
a2 = W2 @ m1 + b2
m2 = f(a2)
m3 = W3 @ m2 + b3
e = y - m3
LOSS = e @ P3 @ e / 2
k3 = P3 @ e  # minus the gradient at the output; down from here by transposed Jacobians
k2 = W3.T @ k3
k1 = W2.T @ (slope(a2) * k2)
GRADS = {"W3": -outer(k3, m2), "W2": -outer(slope(a2) * k2, m1), "W1": -outer(slope(a1) * k1, x)}
PRECISIONS = [symmetric(P) for P in (P1, P2, P3)]
BACKPROP = [
    Step(derivative(LOSS, NET.param(w)), g, f"backpropagation of ½eᵀP_3e to {w}")
    for w, g in GRADS.items()
]

# --- fixed prediction ----------------------------------------------------------------------------
q1, q2 = var("eps1", *z1.axes), var("eps2", *z2.axes)


def sweep(err1: Expr, err2: Expr) -> tuple[Expr, Expr]:
    """One synchronous step of both hidden errors, predictions and slopes frozen."""
    new1 = err1 + gamma * (inv(P1) @ (W2.T @ (slope(a2) * (P2 @ err2))) - err1)
    new2 = err2 + gamma * (inv(P2) @ (W3.T @ (P3 @ e)) - err2)
    return new1, new2


first = sweep(0 * q1, 0 * q2)
second = sweep(*first)
rest = sweep(inv(P1) @ k1, inv(P2) @ k2)

FIXED = Claim(
    "C3-fixed",
    "Fixed prediction: exact backpropagation at convergence",
    statement=(
        "ε_l ← ε_l + γ(P_l⁻¹J_{l+1}ᵀP_{l+1}ε_{l+1} − ε_l) with J, μ frozen at the forward pass and "
        "ε_L = y − μ_L: the rest point is P_lε_l = −dL/dz_l at any error; γ = 1 needs L − 1 sweeps."
    ),
    assumptions=PRECISIONS,
    breaks_when=["predictions that follow the states: see C3-clamped", "|1 − γ| ≥ 1: no rest"],
    steps=[
        *BACKPROP,
        Step(rest[0], inv(P1) @ k1, "the backpropagated errors are at rest (layer 1)"),
        Step(rest[1], inv(P2) @ k2, "the backpropagated errors are at rest (layer 2)"),
        Step(-outer(slope(a1) * (P1 @ rest[0]), x), GRADS["W1"], "and give the exact gradient"),
        Step(substitute(first[0], {gamma: ones()}), 0,
             "γ = 1, first sweep from zero: layer 1 has heard nothing yet"),
        Step(substitute(first[1], {gamma: ones()}), inv(P2) @ k2,
             "γ = 1, first sweep: layer 2 is done"),
        Step(substitute(second[0], {gamma: ones()}), inv(P1) @ k1,
             "γ = 1, second sweep: layer 1 is done, L − 1 = 2 sweeps in all"),
    ],
    refute=[
        Step(first[1], inv(P2) @ k2, "one sweep with γ ≠ 1"),
        Step(rest[0], inv(P1) @ (W2.T @ k2), "rest point without the slope"),
    ],
)  # fmt: skip

# --- zero divergence: the library's clamped energy, three synchronous steps -----------------------
CLAMPED = NET.clamp("z3", "y")


def step_from(s1: Expr, s2: Expr) -> tuple[Expr, Expr]:
    """One synchronous step z_l ← z_l − γ P_l⁻¹ ∂E/∂z_l of the clamped chain."""
    at_ = {"z1": s1, "z2": s2}
    return (s1 - gamma * (inv(P1) @ at(CLAMPED.grad("z1"), **at_)),
            s2 - gamma * (inv(P2) @ at(CLAMPED.grad("z2"), **at_)))  # fmt: skip


s1, s2 = step_from(m1, m2)
r1, r2 = step_from(m1, s2)


def rule(w: str, one: Expr, two: Expr) -> Expr:
    """The clamped rule of w at hidden states (one, two)."""
    return at(CLAMPED.rule(w), z1=one, z2=two)


ZERO = Claim(
    "C3-zero",
    "Zero divergence: W_l read at step L − l is exact",
    statement=(
        "From z = forward pass, z_L = y, synchronous z_l ← z_l − γP_l⁻¹∂E/∂z_l: the rule of W_l at "
        "t = L − l equals γ^{L−l} dL/dW_l; for γ = 1 all layers are exact, without convergence."
    ),
    assumptions=PRECISIONS,
    breaks_when=[
        "γ ≠ 1: layer l is scaled by γ^{L−l}", "asynchronous steps", "W_l read at another step",
        "steps not preconditioned by P_l⁻¹",
    ],
    steps=[
        Step(rule("W3", m1, m2), GRADS["W3"], "t = 0: the output error is e, W_3 is exact"),
        Step(s1, m1, "t = 1: layer 1 has not moved, so W_2 still sees the forward pass"),
        Step(s2, m2 + gamma * (inv(P2) @ k2), "t = 1: layer 2 carries γ times its error"),
        Step(rule("W2", s1, s2), gamma * GRADS["W2"], "t = 1: the rule of W_2 is γ dL/dW_2"),
        Step(r1, m1 + gamma**2 * (inv(P1) @ k1),
             "t = 2: layer 1 carries γ² times its error, its slopes those of the forward pass"),
        Step(rule("W1", r1, r2), gamma**2 * GRADS["W1"], "t = 2: the rule of W_1 is γ² dL/dW_1"),
    ],
    refute=[
        Step(rule("W2", s1, s2), GRADS["W2"], "exact for every γ"),
        Step(substitute(rule("W2", r1, r2), {gamma: ones()}), GRADS["W2"],
             "γ = 1, but W_2 read one step late"),
        Step(rule("W1", s1, s2), gamma**2 * GRADS["W1"], "W_1 read one step early"),
    ],
)  # fmt: skip

# --- clamping: S⁻¹r, not r -----------------------------------------------------------------------
PAIR = chain(2).clamp("z2", "y2")
v, c1, c2, V1, V2, Q1, Q2, h = named(PAIR, "x b1 b2 W1 W2 P1 P2 z1")
out, gap = PAIR.variables["y2"], var("r", *PAIR.variables["y2"].axes)
p1 = f(V1 @ v + c1)
S = var("S", *out.axes, *out.axes)
spread = [let(S, inv(Q2) + V2 @ inv(Q1) @ V2.T)]
lam = inv(S) @ gap
target = {"y2": V2 @ p1 + c2 + t * gap}
near = {"z1": p1 + t * (inv(Q1) @ V2.T @ lam), **target}
seen = slope(V1 @ v + c1)

STIFF = Claim(
    "C3-clamped",
    "Clamped predictive coding does not tend to backpropagation as the error vanishes",
    statement=(
        "One hidden layer, y = μ_2 + t r: at rest P_1ε_1 = t W_2ᵀS⁻¹r + O(t²) with "
        "S = P_2⁻¹ + W_2P_1⁻¹W_2ᵀ, so the rule backpropagates S⁻¹r where backprop has P_2 r."
    ),
    assumptions=spread,
    breaks_when=["W_2P_1⁻¹W_2ᵀ ≪ P_2⁻¹: only then S⁻¹ ≈ P_2 and the two agree"],
    steps=[
        Series(at(PAIR.grad("z1"), **near), 0, "the displaced state is at rest to first order",
               beta=t, order=1),
        Series(at(PAIR.rule("W1"), **near), -t * outer(seen * (V2.T @ lam), v),
               "its rule for W_1 backpropagates S⁻¹r", beta=t, order=1),
        Series(at(PAIR.rule("W2"), **near), -t * outer(lam, p1),
               "and the output rule carries S⁻¹r too", beta=t, order=1),
    ],
    refute=[
        Series(at(PAIR.rule("W1"), **near), -t * outer(seen * (V2.T @ (Q2 @ gap)), v),
               "backpropagation of P_2 r", beta=t, order=1),
        Series(at(PAIR.rule("W2"), **near), -t * outer(Q2 @ gap, p1),
               "an output rule that sees the whole error", beta=t, order=1),
    ],
)  # fmt: skip

CLAIMS = (FIXED, ZERO, STIFF)
