"""C2. Predictive coding learns by local rules, in both conventions of the prediction.

In words: with prediction f(Wz) a weight sees its own error times the local slope, and what is
below; with prediction Wf(z) it sees its own error and the rate below.  Errors travel down by the
transposed weights.  A precision sees the outer product of its own errors against its inverse.

Source: Rao & Ballard (1999), Nature Neuroscience 2, 79; Whittington & Bogacz (2017), Neural
Computation 29, 1229; Bogacz (2017), J. Math. Psych. 76, 198, for the precision.
What breaks it: nothing algebraic; the precision rule at the MAP is not the gradient of the
evidence (see C1).
"""

from derivations._chain import chain, f, named, slope
from unified.symbolic import Claim, Step, Var, inv, let, outer, var

POST = chain(3)  # mu = f(W z + b)
PRE = chain(3, "Wf(z)")  # mu = W f(z) + b
x, z1, z2, W1, W2, b1, b2, P1, P2 = named(POST, "x z1 z2 W1 W2 b1 b2 P1 P2")


def _like(name: str, v: Var) -> Var:
    return var(name, *v.axes)


e1, e2, a2 = _like("eps1", z1), _like("eps2", z2), _like("a2", z2)
post = [let(e1, z1 - f(W1 @ x + b1)), let(e2, z2 - f(a2)), let(a2, W2 @ z1 + b2)]
pre = [let(e1, z1 - W1 @ x - b1), let(e2, z2 - W2 @ f(z1) - b2)]

CLAIM = Claim(
    "C2",
    "Local rules of predictive coding, both conventions, and the precision rule",
    statement=(
        "E = Σ ½ε_lᵀP_lε_l − ½ log det P_l. For ε_l = z_l − f(W_l z_{l−1} + b_l): "
        "∂E/∂W_l = −(f'⊙P_lε_l) z_{l−1}ᵀ, ∂E/∂z_{l−1} = P_{l−1}ε_{l−1} − W_lᵀ(f'⊙P_lε_l). "
        "For ε_l = z_l − W_l f(z_{l−1}) − b_l: ∂E/∂W_l = −P_lε_l f(z_{l−1})ᵀ, "
        "∂E/∂z_{l−1} = P_{l−1}ε_{l−1} − f'⊙W_lᵀP_lε_l. Both: ∂E/∂P_l = ½(ε_lε_lᵀ − P_l⁻¹)."
    ),
    breaks_when=[
        "f not differentiable: the slope f' then needs a stated subgradient",
        "P_l not symmetric: only its symmetric part acts in E",
        "the precision rule at the MAP z*: it lacks Cov ε and a hidden precision diverges (C1)",
    ],
    steps=[
        Step(POST.rule("W2"), -outer(slope(a2) * (P2 @ e2), z1),
             "f(Wz): the weight multiplies what is below and sees its error through the slope",
             assume=post),
        Step(POST.rule("b2"), -(slope(a2) * (P2 @ e2)),
             "f(Wz): a bias is a weight from a unit that is always 1", assume=post),
        Step(POST.grad("z1"), P1 @ e1 - W2.T @ (slope(a2) * (P2 @ e2)),
             "f(Wz): a state pays its own error and is paid by the one it predicts", assume=post),
        Step(PRE.rule("W2"), -outer(P2 @ e2, f(z1)),
             "Wf(z): the weight multiplies the rate f(z) below", assume=pre),
        Step(PRE.grad("z1"), P1 @ e1 - slope(z1) * (W2.T @ (P2 @ e2)),
             "Wf(z): the slope now sits at the receiving end of the feedback", assume=pre),
        Step(POST.rule("P2"), (outer(e2, e2) - inv(P2)) / 2,
             "d log det P = tr P⁻¹dP, and a quadratic form is linear in its matrix", assume=post),
        Step(PRE.rule("P2"), (outer(e2, e2) - inv(P2)) / 2,
             "the precision rule does not know how the prediction was made", assume=pre),
        Step(POST.mixed("W2", "z3"), 0,
             "locality: the rule of W_2 contains no state but z_1 and z_2"),
    ],
    refute=[
        Step(POST.rule("W2"), -outer(P2 @ e2, z1), "f(Wz) without the slope", assume=post),
        Step(POST.rule("W2"), -outer(P2 @ (slope(a2) * e2), z1),
             "f(Wz) with the slope on the wrong side of the precision", assume=post),
        Step(POST.grad("z1"), P1 @ e1 + W2.T @ (slope(a2) * (P2 @ e2)),
             "f(Wz) with feedback of the wrong sign", assume=post),
        Step(PRE.grad("z1"), P1 @ e1 - W2.T @ (slope(a2) * (P2 @ e2)),
             "Wf(z) with the slope of the other convention", assume=[*pre, let(a2, W2 @ z1 + b2)]),
        Step(POST.rule("P2"), (outer(e2, e2) + inv(P2)) / 2,
             "the precision rule with the sign of log det turned", assume=post),
    ],
)  # fmt: skip
