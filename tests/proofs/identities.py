"""True identities, by name: the ground the proof engine is measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import sympy

import unified as un
from unified.symbolic.assume import (
    Assumption,
    let,
    orthogonal,
    positive_definite,
    symmetric,
)  # fmt: skip
from unified.symbolic.diff import derivative, directional
from unified.symbolic.nodes import Expr


class Identity(NamedTuple):
    """A true equality and what it assumes."""

    name: str
    lhs: Expr
    rhs: Expr
    assume: tuple[Assumption, ...] = ()


n, m, k = un.axes("n m k")
A, B, S, Q = (un.var(x, n, n) for x in "ABSQ")
P = un.var("P", n, n, symmetric=True)
U, V, C, D = un.var("U", n, m), un.var("V", m, n), un.var("C", m, m), un.var("D", m, m)
R = un.var("R", m, m, symmetric=True)
W1, W2 = un.var("W1", m, n), un.var("W2", k, m)
s, t, b = un.var("s", n), un.var("t", n), un.var("b", n)
x, y = un.var("x", m), un.var("y", m)
u = un.var("u", k)
beta, T, c = un.scalar("beta"), un.scalar("T"), un.scalar("c")
rho = un.fn(sympy.Function("rho"))
drho = un.fn(sympy.Lambda(sympy.Symbol("z"), sympy.Derivative(
    sympy.Function("rho")(sympy.Symbol("z")), sympy.Symbol("z"))))  # fmt: skip
tanh, sigmoid, log = un.fn("tanh"), un.fn("sigmoid"), un.log
I, J = un.eye(n), un.eye(m)
inv, logdet = un.inv, un.logdet


def diag(v: Expr) -> Expr:
    """diag(v)."""
    return un.einsum("ij,i->ij", un.eye(v.axes[0]), v)


def trace(a: Expr) -> Expr:
    """tr a."""
    return un.einsum("ii->", a)


def linear_algebra() -> Iterator[tuple[Any, ...]]:
    yield "inverse of a product", inv(A @ B), inv(B) @ inv(A)
    yield "transpose of an inverse", inv(A.T), inv(A).T
    small = inv(inv(C) + V @ inv(A) @ U)
    yield "Woodbury", inv(A + U @ C @ V), inv(A) - inv(A) @ U @ small @ V @ inv(A)
    yield "push-through", inv(I + U @ V) @ U, U @ inv(J + V @ U)
    yield "push-through, square", inv(I + A @ B) @ A, A @ inv(I + B @ A)
    yield (
        "Sherman-Morrison", inv(A + un.outer(s, t)),
        inv(A) - un.outer(inv(A) @ s, t @ inv(A)) / (1 + t @ inv(A) @ s),
    )  # fmt: skip
    yield "Schur determinant", logdet(A + U @ C @ V), logdet(A) + logdet(C) + logdet(inv(small))
    yield "Sylvester determinant", logdet(I + U @ V), logdet(J + V @ U)
    yield "rank-one determinant", logdet(A + un.outer(s, t)), logdet(A) + log(1 + t @ inv(A) @ s)
    yield "resolvent", inv(A) - inv(B), inv(A) @ (B - A) @ inv(B)
    yield "sum of inverses", inv(inv(A) + inv(B)), A @ inv(A + B) @ B
    yield "log det of a product", logdet(A @ B), logdet(A) + logdet(B)
    yield "log det of an inverse", logdet(inv(A)) + logdet(A), 0 * c
    yield "log det of a multiple", logdet(beta * A), logdet(A) + un.ones(n).sum() * log(beta)
    yield "trace is cyclic", trace(U @ V), trace(V @ U)
    yield "trace of three", trace(A @ B @ S), trace(S @ A @ B)
    yield "anticommutator", (A + B) @ (A + B), A @ A + A @ B + B @ A + B @ B
    yield "quadratic form sees the symmetric part", s @ A @ s, s @ (A + A.T) @ s / 2
    yield "symmetric matrix", s @ A @ t, t @ A @ s, (symmetric(A),)
    yield "orthogonal keeps norms", (Q @ s).sq(), s.sq(), (orthogonal(Q),)
    yield "orthogonal inverse", inv(Q @ A), inv(A) @ Q.T, (orthogonal(Q),)
    yield "orthogonal conjugation", Q @ inv(A) @ Q.T, inv(Q @ A @ Q.T), (orthogonal(Q),)
    yield "log det of a conjugate", logdet(Q @ A @ Q.T), logdet(A), (orthogonal(Q),)


def calculus() -> Iterator[tuple[Any, ...]]:
    yield "gradient of a quadratic form", derivative(s @ A @ s, s), (A + A.T) @ s
    yield "gradient of log det", derivative(logdet(A), A), inv(A).T
    i_a = inv(A)
    yield (
        "derivative of an inverse", directional(trace(B @ i_a), {A: S}), -trace(B @ i_a @ S @ i_a)
    )  # fmt: skip
    yield "gradient of logsumexp", derivative(un.logsumexp(s), s), un.softmax(s)
    soft = un.softmax(s)
    yield "Jacobian of softmax", derivative(soft, s), diag(soft) - un.outer(soft, soft)
    yield "softmax ignores a shift", un.softmax(s + c), soft
    yield "softmax sums to one", soft.sum() * c, c
    yield "log softmax", log(soft), s - un.logsumexp(s)
    yield "chain rule of a layer", derivative(rho(W1 @ s).sum(), s), W1.T @ drho(W1 @ s)
    yield "slope of tanh", derivative(tanh(s).sum(), s), 1 - tanh(s) * tanh(s)
    yield "slope of the sigmoid", derivative(sigmoid(s).sum(), s), sigmoid(s) * (1 - sigmoid(s))
    yield "product rule", derivative((rho(s) * s).sum(), s), drho(s) * s + rho(s)
    two = derivative(rho(W2 @ rho(x)).sum(), x)
    yield "two layers", two, (W2.T @ drho(W2 @ rho(x))) * drho(x)


def energies() -> Iterator[tuple[Any, ...]]:
    hopfield = s.sq() / 2 - rho(s) @ P @ rho(s) / 2 - b @ rho(s)
    yield "force of a Hopfield energy", derivative(hopfield, s), s - drho(s) * (P @ rho(s) + b)
    yield "its local rule", derivative(-(rho(s) @ U @ rho(x)), U), -un.outer(rho(s), rho(x))
    eps = x - rho(W1 @ s)
    yield (
        "feedback of predictive coding", derivative(eps @ R @ eps / 2, s),
        -(W1.T @ (drho(W1 @ s) * (R @ eps))),
    )  # fmt: skip
    yield (
        "rule of predictive coding", derivative(eps @ R @ eps / 2, W1),
        -un.outer(drho(W1 @ s) * (R @ eps), s),
    )  # fmt: skip
    spd = (positive_definite(A), positive_definite(C))
    gain = inv(A + beta * (V.T @ inv(C) @ V))
    yield (
        "posterior mean in gain form", gain @ (b + beta * (V.T @ inv(C) @ y)),
        inv(A) @ b + inv(A) @ V.T @ inv(C / beta + V @ inv(A) @ V.T) @ (y - V @ inv(A) @ b), spd,
    )  # fmt: skip
    rest = inv(I - P) @ b
    yield "rest point of a linear net", P @ rest + b, rest
    r = un.var("r", n)
    total = un.var("Z", n, n)
    short = let(total, inv(A) + inv(B))
    yield "named abbreviation", inv(A) @ r, total @ r - inv(B) @ r, (short,)
    yield (
        "free energy of two precisions", T * logdet(A @ B) / 2 - T * logdet(A) / 2,
        T * logdet(B.T) / 2,
    )  # fmt: skip
    yield "scalar precision", 1 / (1 / beta + 1 / T), beta * T / (beta + T)
    yield "Hadamard square", (s * t).sq(), ((s * s) * (t * t)).sum()


def identities() -> list[Identity]:
    """All of them."""
    groups: list[Callable[[], Iterator[tuple[Any, ...]]]] = [linear_algebra, calculus, energies]
    return [Identity(*row) for group in groups for row in group()]
