"""C4. The equilibrated energy of a deep linear chain is ½rᵀS⁻¹r.

In words: relaxing every layer of a linear predictive chain leaves half the squared error of the
forward pass, weighted by the inverse of the covariance S that the chain predicts for its target;
β adds 1/β to it.  The log-determinant of the activity Hessian is that of S up to constants, so
energy at rest plus ½ log det H is minus the log evidence.

Source: Millidge et al. (2022), arXiv:2207.12316; Innocenti et al. (2024), arXiv:2408.11979
(deep linear predictive coding); Bishop (2006), section 2.3, for the Gaussian integrals.
What breaks it: a nonlinear f (then it holds to third order in r, see c4_landscape), a singular
precision, H not positive definite.
"""

from derivations._chain import at, chain
from unified.symbolic import (
    Axis,
    Claim,
    Expr,
    Step,
    axes,
    derivative,
    eye,
    inv,
    let,
    log,
    logdet,
    ones,
    outer,
    scalar,
    symmetric,
    var,
)  # fmt: skip

beta = scalar("beta")


def depth(top: int) -> Claim:
    """The claim for a chain of `top` layers, from the library's own energy."""
    net = chain(top, linear=True)
    layers = range(1, top + 1)
    z, w, p, b = ({k: net.variables[f"{name}{k}"] for k in layers} for name in "zWPb")
    x, y = net.variables["x"], var("y", *z[top].axes)
    one = eye(z[top].axes[0])
    half_dets: Expr = sum((logdet(q) / 2 for q in p.values()), 0 * beta)
    total = net.expr + beta * (y - z[top]).sq() / 2

    # W_{L:l+1}, from layer l up to the output, and the covariance of the output given layer l
    up: dict[int, Expr] = {top: one}
    given: dict[int, Expr] = {top: one / beta}
    for k in range(top - 1, 0, -1):
        up[k] = up[k + 1] @ w[k + 1]
        given[k] = given[k + 1] + up[k + 1] @ inv(p[k + 1]) @ up[k + 1].T
    S, r = var("S", *one.axes), var("r", *y.axes)
    pull = inv(S) @ r
    rest: dict[str, Expr] = {}
    forward: Expr = x
    below: Expr = x
    for k in layers:
        forward = w[k] @ forward + b[k]
        below = rest[f"z{k}"] = w[k] @ below + b[k] + inv(p[k]) @ up[k].T @ pull
    meaning = [let(S, given[1] + up[1] @ inv(p[1]) @ up[1].T), let(r, y - forward)]

    pivot: dict[int, Expr] = {top: p[top] + beta * one}  # block LDLᵀ from the output end
    for k in range(top - 1, 0, -1):
        side = net.hessian(z[k], z[k + 1])
        pivot[k] = net.hessian(z[k], z[k]) - side @ inv(pivot[k + 1]) @ side.T
    log_h: Expr = sum((logdet(d) for d in pivot.values()), 0 * beta)
    size = ones(*y.axes).sum()
    low = at(total + half_dets, **rest)

    def tex_up(k: int) -> str:
        return f"W_{{{top}:{k + 1}}}" if k < top - 1 else f"W_{top}" if k < top else ""

    terms = "".join(rf" + {tex_up(k)} P_{k}^{{-1}} {tex_up(k)}^\top" for k in range(top - 1, 0, -1))
    turned = r"^\top"
    value = r"\tfrac12 r^\top S^{-1} r"
    return Claim(
        f"C4-depth{top}",
        f"Equilibrated energy of the linear chain of {top} layers, any precisions and nudge",
        statement=(
            rf"F^* = {value},\quad S = P_{top}^{{-1}} + \tfrac{{1}}{{\beta}} I{terms},\quad "
            r"\log\det H = \log\det S + \sum_l \log\det P_l + n_L \log\beta"
        ),
        assumptions=[*(symmetric(q) for q in p.values()), *meaning],
        breaks_when=[
            "β → 0: S grows like 1/β and F* vanishes; a clamped output has no 1/β in S",
            "β < 0 beyond −1/λ_max(S − 1/β): H loses an eigenvalue and F* is a saddle value",
            "nonlinear f: only to third order in r",
        ],
        steps=[
            *(Step(at(derivative(total, z[k]), **rest), 0,
                   f"the force on z_{k} vanishes where P_lε_l = W_{{L:l+1}}ᵀS⁻¹r for every layer",
                   latex=rf"\left.\partial F/\partial z_{k}\right|_{{z^*}} = 0")
              for k in layers),
            Step(at(y - z[top], **rest), pull / beta,
                 "the residual left at the output is S⁻¹r/β",
                 latex=rf"y - z_{top}^* = \tfrac{{1}}{{\beta}} S^{{-1}} r"),
            Step(low, r @ inv(S) @ r / 2,
                 "the errors' energies and the cost add up to S between two S⁻¹r",
                 latex=rf"F(z^*) + \tfrac12 \sum_l \log\det P_l = {value}"),
            *(Step(at(net.rule(w[k]), **rest),
                   -outer(up[k].T @ pull, rest[f"z{k - 1}"] if k > 1 else x),
                   f"the rule of W_{k} at rest backpropagates S⁻¹r",
                   latex=rf"\left.\partial F/\partial W_{k}\right|_{{z^*}} = "
                         rf"-{tex_up(k)}{turned if k < top else ''}"
                         rf" S^{{-1}} r\, z_{{{k - 1}}}^{{*\top}}")
              for k in layers),
            *(Step(pivot[k], p[k] + up[k].T @ inv(given[k]) @ up[k],
                   f"pivot of layer {k}: its own precision and what the output, of covariance "
                   f"S_{k} given that layer, says about it",
                   latex=rf"D_{k} = P_{k} + {tex_up(k)}^\top S_{k}^{{-1}} {tex_up(k)}")
              for k in range(top - 1, 0, -1)),
            Step(log_h, logdet(S) + 2 * half_dets + size * log(beta),
                 "log det H = Σ log det D_l (Schur determinant, once per layer)",
                 latex=r"\log\det H = \log\det S + \sum_l \log\det P_l + n_L \log\beta"),
            Step(at(total, **rest) + log_h / 2, r @ inv(S) @ r / 2 + logdet(S) / 2
                 + size * log(beta) / 2,
                 "so F* + ½ log det H is −log N(y; forward pass, S), up to its constant",
                 latex=rf"F(z^*) + \tfrac12 \log\det H = {value} + \tfrac12 \log\det S "
                       r"+ \tfrac{n_L}{2} \log\beta"),
        ],
        refute=[
            Step(low, r @ r / 2, "the plain squared error of the forward pass"),
            Step(low, r @ inv(S - one / beta) @ r / 2, "S without 1/β"),
            Step(log_h, logdet(S) + 2 * half_dets, "log det H without n_L log β"),
            Step(at(net.rule(w[1]), **rest), -outer(up[1].T @ p[top] @ r, x),
                 "the rule of backprop, P_L r in place of S⁻¹r"),
        ],
    )  # fmt: skip


# --- any depth: all layers stacked ---------------------------------------------------------------
n, m = axes("n m")
assert isinstance(n, Axis)
s, c, y, r = var("z", n), var("c", n), var("y", m), var("r", m)
W, D, S, K = var("W", n, n), var("D", m, n), var("S", m, m), var("K", n, n)
P = var("P", n, n, symmetric=True)
eps = s - W @ s - c
out = eye(m)
total = eps @ P @ eps / 2 + beta * (y - D @ s).sq() / 2
reach = D @ inv(eye(n) - W)  # the sum of all paths to the output: 1 + W + W² + … ends at depth L
star = inv(eye(n) - W) @ (c + inv(P) @ reach.T @ inv(S) @ r)
H = (eye(n) - W).T @ P @ (eye(n) - W) + beta * D.T @ D
ANY = Claim(
    "C4-any",
    "The same at any depth and on any linear graph, all layers in one vector",
    statement=(
        r"\varepsilon = z - Wz - c,\quad F^* = \tfrac12 r^\top S^{-1} r,\quad "
        r"S = \tfrac{1}{\beta} I + D(I-W)^{-1} P^{-1} (I-W)^{-\top} D^\top"
    ),
    assumptions=[
        let(S, out / beta + reach @ inv(P) @ reach.T), let(r, y - reach @ c),
    ],
    breaks_when=["1 − W singular; for a layered chain W is nilpotent and det(1 − W) = 1"],
    steps=[
        Step(derivative(derivative(total, s), s), H, "the activity Hessian"),
        Step(at(derivative(total, s), z=star), 0, "the rest point: P ε* = (1 − W)⁻ᵀDᵀS⁻¹r"),
        Step(at(total, z=star), r @ inv(S) @ r / 2, "the energy at rest"),
        Step(logdet(H), logdet(S) + logdet(P) + 2 * logdet(eye(n) - W)
             + ones(m).sum() * log(beta), "its log-determinant, by Sylvester's identity"),
        Step(at(derivative(total, P), z=star),
             outer(at(eps, z=star), at(eps, z=star)) / 2, "the precision rule at rest"),
    ],
    refute=[
        Step(at(total, z=star), r @ inv(S).T @ S @ r / 2, "S cancelled"),
        Step(logdet(H), logdet(S) + logdet(P) + ones(n).sum() * log(beta)
             + 2 * logdet(eye(n) - W), "log β counted for every unit"),
    ],
)  # fmt: skip

CLAIMS = (depth(2), depth(3), ANY)
