"""The second phase replays backpropagation through time, step by step.

Synchronous relaxation s_{t+1} = s_t − η∂F/∂s from the free rest point, with its own copy of θ at
every step of the free phase and L = C(s_K): the nudge enters so that
∂_β(s_{t+1} − s_t) = −η ∂L/∂s_{K−t} and ∂_β[∂E/∂θ(s_{t+1}) − ∂E/∂θ(s_t)] = ∂L/∂θ_{K−1−t}.
Summed over K steps the contrast is K-step truncated BPTT; its recursion is recurrent backprop.
Any smooth E and C enter as Taylor polynomials with free coefficients: H, E3, M, M2 and c, D, C3,
d, N are their derivatives at the free rest point, which is moved to the origin.
Reference: Ernoult et al. (2019), arXiv:1905.13633 (NeurIPS); Almeida (1987); Pineda (1987).
It breaks if H ≠ Hᵀ, for sequential (layer after layer) updates, and away from the rest point.
"""

from __future__ import annotations

from derivations._jet import REST, H, M, beta, c, cost, energy, n, s, theta
from unified.symbolic import (
    Axis,
    Claim,
    Expr,
    Series,
    Step,
    Var,
    derivative,
    eye,
    inv,
    let,
    scalar,
    substitute,
    var,
)  # fmt: skip

STEPS = 3  # written out at the end; the induction before covers every number
eta = scalar("eta")
E, C = energy(), substitute(cost(), {theta: 0 * theta})  # a cost without parameters
UPDATE = s - eta * derivative(E, s)  # one free step, as a function of state and parameters
_nudged = substitute(s - eta * derivative(E + beta * C, s), {theta: 0 * theta})
_local = substitute(derivative(E, theta), {theta: 0 * theta})

delta, g, X = var("delta", n), var("g", n), var("X", n, n)
I = eye(n)
NEXT = delta - eta * (H @ delta + c)  # δ_{t+1}, where s_t = βδ_t + O(β²)
SOURCE = "Ernoult et al. (2019), arXiv:1905.13633"


def back(k: int) -> Expr:
    """∂L/∂s_{K−k}: the slope of the cost, k steps back."""
    found: Expr = c
    for _ in range(k):
        found = (I - eta * H).T @ found
    return found


def forth(k: int) -> Expr:
    """δ_k: k nudged steps from the rest point."""
    found: Expr = 0 * c
    for _ in range(k):
        found = substitute(NEXT, {delta: found})
    return found


def _unrolled(start: Expr, parameters: Expr) -> Expr:
    """C after all free steps, every one with these parameters."""
    state = start
    for _ in range(STEPS):
        state = substitute(UPDATE, {s: state, theta: parameters})
    return substitute(C, {s: state})


TRANSIENT = Claim(
    "B4", "the transient of the second phase is backpropagation through time",
    statement=r"\partial_\beta(s_{t+1}-s_t) = -\eta\,\frac{\partial L}{\partial s_{K-t}},\qquad "
    r"\partial_\beta\bigl[\tfrac{\partial E}{\partial\theta}(s_{t+1})-\tfrac{\partial E}"
    r"{\partial\theta}(s_t)\bigr] = \frac{\partial L}{\partial\theta_{K-1-t}}",
    assumptions=REST,
    steps=[
        Step(
            derivative(g @ UPDATE, s), (I - eta * H).T @ g,
            "backwards: if ∂L/∂s_{t+1} = g, then ∂L/∂s_t = (1−ηH)ᵀg, starting from ∇C",
            latex=r"\Bigl(\frac{\partial s_{t+1}}{\partial s_t}\Bigr)^\top g = (1-\eta H)^\top g",
        ),
        Step(
            derivative(g @ UPDATE, theta), -eta * (M @ g),
            "and the copy of θ used in that step gets −η(∂²E/∂θ∂s)g",
            latex=r"\Bigl(\frac{\partial s_{t+1}}{\partial\theta_t}\Bigr)^\top g = -\eta\,M g",
        ),
        Series(
            substitute(_nudged, {s: beta * delta}), beta * NEXT,
            "forwards: a nudged step takes βδ to β(δ − η(Hδ + ∇C))", beta=beta, order=1,
            latex=r"s_t=\beta\delta:\quad s_{t+1} = \beta\bigl(\delta-\eta(H\delta+\nabla C)"
            r"\bigr)+O(\beta^2)",
        ),
        Step(forth(1), -eta * back(0), "the first one: δ_1 − δ_0 = −η∇C = −η∂L/∂s_K"),
        Step(
            substitute(NEXT, {delta: NEXT}) - NEXT, (I - eta * H) @ (NEXT - delta),
            "every later one is 1 − ηH times the one before",
            latex=r"\delta_{t+2}-\delta_{t+1} = (1-\eta H)(\delta_{t+1}-\delta_t)",
        ),
        Step(
            (I - eta * H) @ g, (I - eta * H).T @ g,
            "the same recursion as backwards, because H = Hᵀ: by induction δ_{t+1} − δ_t = "
            "−η∂L/∂s_{K−t} for all t",
        ),
        Series(
            substitute(_local, {s: beta * delta}), _local + beta * (M @ delta),
            "the local quantity moves by Mδ, so its increments are −ηM∂L/∂s_{K−t} = "
            "∂L/∂θ_{K−1−t}", beta=beta, order=1,
        ),
        Step(
            forth(STEPS) - forth(STEPS - 1), -eta * back(STEPS - 1),
            "written out for the third step",
            latex=r"\delta_3-\delta_2 = -\eta(1-\eta H)^2\nabla C",
        ),
        Step(
            derivative(_unrolled(s, theta), theta), M @ forth(STEPS),
            "one θ for all steps: the increments add up to ∂_β∂E/∂θ(s_K), which is K-step "
            "truncated BPTT (the nonlinear network unrolled for three steps)",
            latex=r"\frac{d}{d\theta}C(s_3(\theta)) = M\delta_3",
        ),
    ],
    breaks_when=[
        "H ≠ Hᵀ", "sequential updates (B4-sequential)",
        "the free phase has not converged: s_0 … s_K then differ",
        "K steps larger than the free phase that is run",
    ],
    refute=[
        Step((I - eta * X) @ g, (I - eta * X).T @ g, "the same recursion without symmetry"),
        Step(forth(2) - forth(1), -eta * back(0), "t for K − t off by one"),
        Step(forth(2) - forth(1), eta * back(1), "sign"),
        Step(forth(2) - forth(1), -back(1), "the step size dropped"),
        Step(M @ forth(2), M @ (forth(1) - eta * back(2)), "the copies of θ in forward order"),
    ],
    source=SOURCE,
)  # fmt: skip

BACKPROP = Claim(
    "B4-recurrent-backprop", "with more steps it becomes recurrent backpropagation",
    statement=r"\delta_{t+1} = \delta_t-\eta(H\delta_t+\nabla C) \to -H^{-1}\nabla C",
    steps=[
        Step(
            NEXT - (-inv(H) @ c), (I - eta * H) @ (delta - (-inv(H) @ c)),
            "the distance to −H⁻¹∇C is multiplied by 1 − ηH: it dies out iff 0 < ηλ < 2 for every "
            "eigenvalue λ of H",
        ),
        Step(
            substitute(NEXT, {delta: -inv(H) @ c}), -inv(H) @ c,
            "the fixed point of recurrent backpropagation is the linear response (B2)",
        ),
        Step(
            M @ (NEXT - delta), -eta * (M @ (H @ delta + c)),
            "and ∂E/∂θ moves by M = ∂²E/∂θ∂s times the step of the state",
        ),
    ],
    breaks_when=["η > 2/λ_max(H): neither recursion converges", "H is not positive definite"],
    refute=[
        Step(substitute(NEXT, {delta: inv(H) @ c}), inv(H) @ c, "sign of the fixed point"),
        Step(
            NEXT - (-inv(H) @ c), (I + eta * H) @ (delta - (-inv(H) @ c)), "sign of the rate",
        ),
        Step(M @ (NEXT - delta), -eta * (M @ (H @ delta)), "the source dropped"),
    ],
    source="Almeida (1987); Pineda (1987), Phys. Rev. Lett. 59, 2229",
)  # fmt: skip

# Two groups of units, the second updated after the first and already seeing it move.
p1, p2 = Axis("n1"), Axis("n2")
u, v, cu, cv = var("u", p1), var("v", p2), var("cu", p1), var("cv", p2)
U, V = var("U", p1, p1, symmetric=True), var("V", p2, p2, symmetric=True)
B = var("B", p1, p2)
_u1 = u - eta * (U @ u + B @ v + beta * cu)
_v1 = v - eta * (B.T @ u + V @ v + beta * cv)
_v1_after = substitute(_v1, {u: _u1})
_ORIGIN = [let(u, 0 * u), let(v, 0 * v)]


def _cost_slope(by: Var, first: Expr, then: Expr) -> Expr:
    """∂L/∂by after one free step, L = cu·u + cv·v."""
    free = substitute(cu @ first + cv @ then, {beta: 0 * beta})
    return derivative(free, by)


SEQUENTIAL = Claim(
    "B4-sequential", "sequential updates break the identity at the first step",
    statement=r"v_{t+1}\ \text{computed from}\ u_{t+1}:\ \partial_\beta(v_1-v_0) = -\eta(c_v-\eta "
    r"B^\top c_u) \ne -\eta\,c_v",
    assumptions=_ORIGIN,
    steps=[
        Step(derivative(_v1, beta), -eta * cv, "synchronous: the first step is −η∂C/∂v"),
        Step(
            derivative(_v1_after, beta), -eta * (cv - eta * (B.T @ cu)),
            "sequential: v already hears the nudge of u in the first step, ∂L/∂v_K = ∂C/∂v has "
            "no such term",
        ),
        Step(
            _cost_slope(u, _u1, _v1_after),
            cu - eta * (U @ cu + B @ cv) + eta**2 * (U @ B @ cv),
            "backwards the extra term sits with the other group",
        ),
    ],
    breaks_when=["B = 0: groups that do not interact may be updated in any order"],
    refute=[
        Step(derivative(_v1_after, beta), -eta * cv, "the identity for sequential updates"),
        Step(derivative(_v1_after, beta), -eta * (cv + eta * (B.T @ cu)), "sign"),
    ],
    source="Ernoult et al. (2019), arXiv:1905.13633; the counterexample is derived here",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (TRANSIENT, BACKPROP, SEQUENTIAL)
