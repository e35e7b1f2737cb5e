"""C3. When predictive coding is backpropagation: nudged, fixed-prediction, zero-divergence.

In words: the free phase of a predictive chain is the forward pass, with no error and no rule, so
one nudged phase suffices: its rule is β times the backpropagated gradient, plus O(β²).  With
predictions frozen at the forward pass the rest point gives backpropagation at any error; started
feedforward with unit synchronous steps, layer l is exact at step L − l.  Clamping the output is
different: even for a vanishing error r the rule backpropagates S⁻¹r, not r.

Source: Whittington & Bogacz (2017), Neural Computation 29, 1229; Song et al. (2020), NeurIPS 33
(zero divergence); Millidge, Tschantz & Buckley (2022), Neural Computation 34, 1329 (fixed
prediction); Millidge et al. (2022), arXiv:2206.02629 (small β).
What breaks it: β not small, a singular 1 − J (a recurrent net at its bifurcation), asynchronous
steps or γ ≠ 1 in the zero-divergence scheme.
"""

import sympy

from derivations._chain import at, chain, diag, f, named, slope
from unified.symbolic import (
    Axis,
    Claim,
    Series,
    Step,
    axes,
    derivative,
    eye,
    fn,
    inv,
    let,
    logdet,
    outer,
    scalar,
    symmetric,
    var,
)  # fmt: skip

beta, gamma, t = scalar("beta"), scalar("gamma"), scalar("t")
_v = sympy.Symbol("v")
_cost = sympy.Function("c")
cost = fn(_cost)
dcost = fn(sympy.Lambda(_v, sympy.Derivative(_cost(_v), _v)))

# --- three layers, as the library runs them ------------------------------------------------------
NET = chain(3)
x, z1, z2, z3, W1, W2, W3, b1, b2, b3, P1, P2, P3 = named(
    NET, "x z1 z2 z3 W1 W2 W3 b1 b2 b3 P1 P2 P3"
)
y = var("y", *z3.axes)
a1 = W1 @ x + b1
m1 = f(a1)
a2 = W2 @ m1 + b2
m2 = f(a2)
m3 = W3 @ m2 + b3
FORWARD = {"z1": m1, "z2": m2, "z3": m3}
COST = cost(z3 - y).sum()
LOSS = cost(m3 - y).sum()
d3 = dcost(m3 - y)
d2 = W3.T @ d3
d1 = W2.T @ (slope(a2) * d2)
GRADS = {"W3": outer(d3, m2), "W2": outer(slope(a2) * d2, m1), "W1": outer(slope(a1) * d1, x)}
# the rest point to first order: errors are -β Π⁻¹δ, states carry those of the layers below
u1 = -(inv(P1) @ d1)
u2 = slope(a2) * (W2 @ u1) - inv(P2) @ d2
u3 = W3 @ u2 - inv(P3) @ d3
NUDGED = {"z1": m1 + beta * u1, "z2": m2 + beta * u2, "z3": m3 + beta * u3}
FORCE = {k: NET.grad(k) + beta * derivative(COST, NET.state(k)) for k in NUDGED}


def nudged_rule(w: str, times: object, reason: str, order: int = 1) -> Series:
    """rule of w at the displaced states = β · times + O(β^{order+1})."""
    return Series(
        at(NET.rule(w), **NUDGED), beta * times, reason, beta=beta, order=order,
        latex=rf"\partial E/\partial W_{w[1]}(z_\beta) = \beta\, dL/dW_{w[1]} + O(\beta^2)",
    )  # fmt: skip


zb = var("zb", *z3.axes)
well = (zb - m3) @ P3 @ (zb - m3) / 2 + beta * (y - zb).sq() / 2
one = eye(z3.axes[0])
rest3 = inv(P3 + beta * one) @ (P3 @ m3 + beta * y)

NUDGE = Claim(
    "C3",
    "Nudged predictive coding is backpropagation to first order in β",
    statement=(
        "Free phase: z_l = forward pass, all ε_l = 0, all ∂E/∂W_l = 0. Nudged by βC: "
        "P_lε_l = −βδ_l + O(β²), δ the backpropagated errors, so (1/β)∂E/∂W_l(z_β) = dL/dW_l "
        "+ O(β); the centered difference is O(β²) (B3)."
    ),
    assumptions=[symmetric(P) for P in (P1, P2, P3)],
    breaks_when=[
        "β not small: the bias is of first order in β (refuted below at second order)",
        "P_l learned in the same phase: ∂E/∂P_l = −½P_l⁻¹ at the forward pass is not 0",
        "f without a slope at an activation: backprop itself is then a choice of subgradient",
    ],
    steps=[
        Step(at(NET.expr, **FORWARD), -(logdet(P1) + logdet(P2) + logdet(P3)) / 2,
             "at the forward pass every error vanishes: E is its constant"),
        *(Step(at(NET.grad(k), **FORWARD), 0, f"the forward pass is at rest in {k}")
          for k in NUDGED),
        *(Step(at(NET.rule(w), **FORWARD), 0, f"no error, no rule: {w} needs no free phase")
          for w in GRADS),
        *(Step(derivative(LOSS, NET.param(w)), g, f"the chain rule: backpropagation to {w}")
          for w, g in GRADS.items()),
        *(Series(at(FORCE[k], **NUDGED), 0,
                 f"P_lε_l = −βδ_l balances the nudged force on {k} to first order",
                 beta=beta, order=1,
                 latex=rf"\partial(E + \beta C)/\partial z_{k[1]}\,(z + \beta u) = O(\beta^2)")
          for k in NUDGED),
        *(nudged_rule(w, g, f"so the rule of {w} is β times its loss gradient")
          for w, g in GRADS.items()),
        Step(at(derivative(well, zb), zb=rest3), 0,
             "a free output layer with C = ½|y − z_L|² settles between prediction and target",
             latex=r"z_L = (P_L + \beta)^{-1}(P_L\mu_L + \beta y)"),
        Step(at(well, zb=rest3), (y - m3) @ inv(inv(P3) + one / beta) @ (y - m3) / 2,
             "and acts as a clamped one of precision (P_L⁻¹ + 1/β)⁻¹; β/(1 + β) for P_L = 1",
             latex=r"\min_{z_L} = \tfrac12 (y - \mu_L)^\top (P_L^{-1} + 1/\beta)^{-1}"
                   r"(y - \mu_L)"),
    ],
    refute=[
        nudged_rule("W2", -GRADS["W2"], "the gradient with the wrong sign"),
        nudged_rule("W1", outer(d1, x), "the gradient without the slope of layer 1"),
        nudged_rule("W2", outer(slope(a2) * (P2 @ d2), m1), "a precision left in the gradient"),
        Series(at(FORCE["z1"], **NUDGED), 0, "the first-order states are not a rest point at "
               "second order: the estimate is biased at finite β", beta=beta, order=2),
        Step(at(well, zb=rest3), (y - m3) @ inv(P3 + beta * one) @ (y - m3) / 2,
             "precisions added instead of covariances"),
    ],
)  # fmt: skip

# --- any graph: all units stacked, W strictly lower triangular for a feedforward net --------------
n = axes("n")
assert isinstance(n, Axis)
z, u, b, V = var("z", n), var("u", n), var("b", n), var("V", n, n)
W, P = var("W", n, n), var("P", n, n, symmetric=True)
drive = W @ z + b
eps = z - f(drive)
total = eps @ P @ eps / 2 + beta * cost(z).sum()
rest = [let(z, f(u)), let(b, u - W @ f(u))]
J = diag(slope(u)) @ W
delta = inv(eye(n) - J).T @ dcost(z)
BRANCH = (z, derivative(total, z))
moved = z - f((W + t * V) @ z + b)

GRAPH = Claim(
    "C3-graph",
    "The same for every graph of units, recurrent ones included",
    statement=(
        "E = ½εᵀPε, ε = z − f(Wz + b), all units in one vector; δ = ∇C + Jᵀδ with J = f'W. "
        "Along the nudged branch ∂E/∂W = β (f'⊙δ) zᵀ + O(β²) = β dC(z_0)/dW + O(β²)."
    ),
    breaks_when=["1 − J singular: the fixed point z = f(Wz + b) is then not isolated"],
    steps=[
        Step(derivative(total, z), (eye(n) - diag(slope(drive)) @ W).T @ P @ eps + beta * dcost(z),
             "the gradient of the nudged energy, at any state"),
        Step(delta, dcost(z) + J.T @ delta,
             "δ obeys the backward recursion; layer by layer when W is strictly lower triangular"),
        Series(eps, -beta * (inv(P) @ delta),
               "errors at rest under a nudge: Pε = −βδ, δ = (1 − Jᵀ)⁻¹∇C", beta=beta, order=1,
               branch=BRANCH, assume=rest),
        Series(derivative(total, W), beta * outer(slope(u) * delta, z),
               "the rule at rest under a nudge", beta=beta, order=1,
               branch=BRANCH, assume=rest),
        Series(cost(z).sum(), cost(z).sum() + t * V.dot(outer(slope(u) * delta, z)),
               "the loss after W → W + tV, along the fixed point: the same δ", beta=t, order=1,
               branch=(z, moved), assume=rest),
    ],
    refute=[
        Series(derivative(total, W), beta * outer(slope(u) * (inv(eye(n) - J) @ dcost(z)), z),
               "1 − J not transposed", beta=beta, order=1, branch=BRANCH, assume=rest),
        Series(derivative(total, W), beta * outer(slope(u) * delta, z),
               "exact to second order", beta=beta, order=2, branch=BRANCH, assume=rest),
    ],
)  # fmt: skip

CLAIMS = (NUDGE, GRAPH)
