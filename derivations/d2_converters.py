"""D2. A linear predictive chain and a layered quadratic Hopfield net are the same energy.

In words: multiplying out a predictive chain gives a block-tridiagonal quadratic form, that is a
layered Hopfield net, and block LDLᵀ from the output end gives the chain back from any such form
that is positive definite.  The two energies differ by a constant in the states that depends on
the parameters: contrasts of two phases map by the chain rule, rules of a single phase do not.

Source: theory page D2; the factorisation is the block Cholesky of a Markov chain's precision,
Rue & Held (2005), Gaussian Markov Random Fields, chapter 2.
What breaks it: a matrix that is not positive definite (a pivot P_l is then singular or no
precision), a block beside the tridiagonal.
"""

from derivations._chain import chain, named
from unified.symbolic import (
    Claim,
    Expr,
    Step,
    Var,
    derivative,
    inv,
    logdet,
    outer,
    scalar,
    substitute,
    symmetric,
    var,
)  # fmt: skip

PC = chain(3, linear=True)
x, z1, z2, z3, W1, W2, W3, c1, c2, c3, P1, P2, P3 = named(
    PC, "x z1 z2 z3 W1 W2 W3 b1 b2 b3 P1 P2 P3"
)
T = scalar("T")
n1, n2, n3 = (z.axes[0] for z in (z1, z2, z3))

# the Hopfield side: diagonal blocks, couplings between layers, biases
A11, A22, A33 = (var(f"A{k}{k}", a, a, symmetric=True) for k, a in ((1, n1), (2, n2), (3, n3)))
G1 = var("G1", *W1.axes[::-1])  # W_l^H (n_{l-1}, n_l) = -A_{l-1,l}
G2, G3 = var("G2", n1, n2), var("G3", n2, n3)
h1, h2, h3 = var("h1", n1), var("h2", n2), var("h3", n3)
HOP: Expr = (
    z1 @ A11 @ z1 / 2 + z2 @ A22 @ z2 / 2 + z3 @ A33 @ z3 / 2
    - x @ G1 @ z1 - z1 @ G2 @ z2 - z2 @ G3 @ z3 - h1 @ z1 - h2 @ z2 - h3 @ z3
)  # fmt: skip

TO_HOPFIELD = {
    A11: P1 + W2.T @ P2 @ W2, A22: P2 + W3.T @ P3 @ W3, A33: 1 * P3,
    G1: W1.T @ P1, G2: W2.T @ P2, G3: W3.T @ P3,
    h1: P1 @ c1 - W2.T @ P2 @ c2, h2: P2 @ c2 - W3.T @ P3 @ c3, h3: P3 @ c3,
}  # fmt: skip

# back, from the output end; each line uses those above it
q3: Expr = 1 * A33
q2 = A22 - G3 @ inv(q3) @ G3.T
q1 = A11 - G2 @ inv(q2) @ G2.T
v3, v2, v1 = inv(q3) @ G3.T, inv(q2) @ G2.T, inv(q1) @ G1.T
d3 = inv(q3) @ h3
d2 = inv(q2) @ (h2 + G3 @ d3)
d1 = inv(q1) @ (h1 + G2 @ d2)
TO_PC = {P3: q3, P2: q2, P1: q1, W3: v3, W2: v2, W1: v1, c3: d3, c2: d2, c1: d1}

CONSTANT = (
    (W1 @ x + c1) @ P1 @ (W1 @ x + c1) + c2 @ P2 @ c2 + c3 @ P3 @ c3
    - logdet(P1) - logdet(P2) - logdet(P3)
) / 2  # fmt: skip
SYM = [symmetric(v) for v in (P1, P2, P3, A11, A22, A33)]


def there(e: Expr) -> Expr:
    """Hopfield parameters written out in those of the chain."""
    return substitute(e, TO_HOPFIELD)


def back(e: Expr) -> Expr:
    """Chain parameters written out in those of the Hopfield net."""
    return substitute(e, TO_PC)


NAMES = {"P3": P3, "P2": P2, "P1": P1, "W3": W3, "W2": W2, "W1": W1, "c3": c3, "c2": c2, "c1": c1}

CONVERT = Claim(
    "D2",
    "Predictive chain ⇄ layered quadratic Hopfield net, and the round trip",
    statement=(
        r"A_{ll} = P_l + W_{l+1}^\top P_{l+1} W_{l+1},\quad W^H_l = -A_{l-1,l} = W_l^\top P_l,\quad"
        r" b^H_l = P_l c_l - W_{l+1}^\top P_{l+1} c_{l+1};\quad P_L = A_{LL},\quad "
        r"W_l = P_l^{-1} W_l^{H\top},\quad P_{l-1} = A_{l-1,l-1} - W_l^\top P_l W_l,\quad "
        r"c_l = P_l^{-1}(b^H_l + W^H_{l+1} c_{l+1})"
    ),
    assumptions=SYM,
    breaks_when=[
        "A not positive definite: a pivot P_l (a Schur complement) is singular or indefinite",
        "a coupling between layers that are not neighbours: no chain has it",
    ],
    steps=[
        Step(PC.expr - there(HOP), CONSTANT,
             "multiplied out, the chain is a layered quadratic net up to a constant in the states",
             latex=r"E_{PC} - E_{H} = \tfrac12 (W_1 x + c_1)^\top P_1 (W_1 x + c_1) + "
                   r"\tfrac12 \sum_{l \geq 2} c_l^\top P_l c_l - \tfrac12 \sum_l \log\det P_l"),
        *(Step(PC.grad(z), there(derivative(HOP, z)), f"so the forces on {z.name} agree",
               latex=rf"\partial E_{{PC}}/\partial z_{z.name[1]} = "
                     rf"\partial E_{{H}}/\partial z_{z.name[1]}")
          for z in (z1, z2, z3)),
        *(Step(there(back(v)), v,
               f"chain → Hopfield → chain returns {name}: the pivots of A are the precisions, so "
               "A ≻ 0 iff every P_l ≻ 0" if name[0] == "P" else
               f"chain → Hopfield → chain returns {name}")
          for name, v in NAMES.items()),
        *(Step(back(there(v)), v, f"Hopfield → chain → Hopfield returns {v.name}")
          for v in TO_HOPFIELD),
    ],
    refute=[
        Step(PC.expr, there(HOP), "energies equal without the constant"),
        Step(PC.expr - substitute(HOP, TO_HOPFIELD | {A11: 1 * P1}), CONSTANT,
             "A_ll = P_l, without what the layer predicts"),
        Step(PC.expr - substitute(HOP, TO_HOPFIELD | {h2: P2 @ c2}), CONSTANT,
             "b_l = P_l c_l, without the layer above"),
        Step(there(A22 - v3.T @ inv(q3) @ v3), P2, "a pivot with P_l⁻¹ in place of P_l"),
        Step(there(A11 - G2 @ inv(A22) @ G2.T), P1,
             "elimination from the input end, A_22 in place of its pivot"),
    ],
)  # fmt: skip

# --- rules: what carries over ---------------------------------------------------------------------
s1, s2, s3 = (var(f"s{k}", a) for k, a in ((1, n1), (2, n2), (3, n3)))
other = {z1: s1, z2: s2, z3: s3}  # a second state of the same net: the nudged phase


def contrast(e: Expr, w: Var) -> Expr:
    """The difference of the rule ∂e/∂w between the two phases."""
    local = derivative(e, w)
    return substitute(local, other) - local


def chained(w: Var, at: dict[Var, Var]) -> Expr:
    """Σ_A (∂E_H/∂A at the states) · ∂A/∂w: the chain rule, written out for W2."""
    slopes = {v: substitute(derivative(HOP, v), at) for v in (A11, G2, h1)}
    total = sum((TO_HOPFIELD[v].dot(g) for v, g in slopes.items()), 0 * T)
    return derivative(total, w)


same = {z1: z1}
RULES = Claim(
    "D2-rules",
    "Contrasts of the two nets map by the chain rule; rules of one phase do not",
    statement=(
        r"\Delta\, \partial E_{PC}/\partial\theta = \Delta\, \partial E_{H}/\partial\theta = "
        r"\sum_A \Delta(\partial E_H/\partial A)\, \partial A/\partial\theta,\quad "
        r"\partial E_{PC}/\partial\theta - \partial E_{H}/\partial\theta = "
        r"\partial\,\text{const}/\partial\theta"
    ),
    assumptions=SYM,
    breaks_when=["one-phase learning: the constant's gradient must be added (it needs no state)"],
    steps=[
        Step(derivative(there(HOP), W2), chained(W2, same),
             "∂E_H/∂W_2 through A_11, W^H_2 and b_1, the Hopfield net's own local rules",
             latex=r"\frac{\partial E_H}{\partial W_2} = \sum_{A \in \{A_{11}, W^H_2, b^H_1\}} "
                   r"\frac{\partial E_H}{\partial A} \frac{\partial A}{\partial W_2}"),
        Step(contrast(PC.expr, W2), chained(W2, other) - chained(W2, same),
             "the constant drops out of a contrast: the chain's rule is the Hopfield net's, mapped",
             latex=r"\Delta \frac{\partial E_{PC}}{\partial W_2} = \sum_A "
                   r"\Delta \frac{\partial E_H}{\partial A} \frac{\partial A}{\partial W_2}"),
        Step(contrast(PC.expr, P2), contrast(there(HOP), P2), "and the same for a precision",
             latex=r"\Delta\, \partial E_{PC}/\partial P_2 = \Delta\, \partial E_{H}/\partial P_2"),
        Step(PC.rule("W1") - derivative(there(HOP), W1), outer(P1 @ (W1 @ x + c1), x),
             "in a single phase the rules of W_1 differ by the constant's derivative",
             latex=r"\partial E_{PC}/\partial W_1 - \partial E_{H}/\partial W_1 = "
                   r"P_1 (W_1 x + c_1) x^\top"),
        Step(PC.rule("P2") - derivative(there(HOP), P2), (outer(c2, c2) - inv(P2)) / 2,
             "and those of P_2",
             latex=r"\partial E_{PC}/\partial P_2 - \partial E_{H}/\partial P_2 = "
                   r"\tfrac12 (c_2 c_2^\top - P_2^{-1})"),
    ],
    refute=[
        Step(PC.rule("W1"), derivative(there(HOP), W1), "one-phase rules equal"),
        Step(contrast(PC.expr, W2), outer(s1, P2 @ s2).T - outer(z1, P2 @ z2).T,
             "only the coupling's contrast, without A_11 and b_1"),
    ],
)  # fmt: skip

CLAIMS = (CONVERT, RULES)
