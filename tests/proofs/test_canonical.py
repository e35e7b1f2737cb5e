"""Oracle: the same expression written in another order; float64 for soundness."""

import itertools
import time

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import unified as un
from tests.proofs.oracle import same
from unified.symbolic.axis import Index
from unified.symbolic.build import as_expr
from unified.symbolic.canonical import TooLarge, canonical
from unified.symbolic.contract import contract
from unified.symbolic.nodes import Expr

n, m = un.axes("n m")
A, B, P = un.var("A", n, n), un.var("B", n, n), un.var("P", n, n, symmetric=True)
s, t, c = un.var("s", n), un.var("t", n), un.scalar("c")
inv = un.inv


def network(f: Expr, edges: list[tuple[int, int]], order: list[int]) -> Expr:
    """Σ Π f[i, j] over the edges of a graph, factors given in this order."""
    nodes = {k: Index(n) for k in sorted({k for e in edges for k in e}, key=lambda k: (k * 7) % 5)}
    return contract(1, [(f, (nodes[edges[k][0]], nodes[edges[k][1]])) for k in order], ())


@pytest.mark.parametrize("f", [A, P])
def test_identical_factors_in_any_order(f):
    """tr A³ written in another order must be the same form, or like terms never meet."""
    edges = [(0, 1), (1, 2), (2, 0), (0, 3)]
    forms = {canonical(network(f, edges, list(o))) for o in itertools.permutations(range(4))}
    assert len(forms) == 1


def test_different_graphs_of_identical_factors_differ():
    """Two triangles and a hexagon are the classic pair colour refinement cannot tell apart."""
    hexagon = [(k, (k + 1) % 6) for k in range(6)]
    triangles = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)]
    assert canonical(network(P, hexagon, list(range(6)))) is not canonical(
        network(P, triangles, list(range(6)))
    )


def test_no_factorial_cost():
    """Twelve identical factors have 479 million orders; trying them would never end."""
    start = time.process_time()
    ring = [(k, (k + 1) % 12) for k in range(12)]
    a = canonical(network(A, ring, list(range(12))))
    b = canonical(network(A, ring, [5, 3, 11, 0, 8, 1, 10, 2, 7, 4, 9, 6]))
    assert a is b and time.process_time() - start < 1


@pytest.mark.parametrize(("x", "y"), [
    (inv(A) @ A, un.eye(n)), (A.T @ inv(A).T, un.eye(n)), (inv(2 * A @ B), inv(B) @ inv(A) / 2),
    (inv(inv(A)), A), (inv(A.T + B), inv(A + B.T).T), (inv(A + B) @ (A + B), un.eye(n)),
    (inv(A - B), -inv(B - A)), (inv(c * A), inv(A) / c), ((c + 1) * (1 / (c + 1)), as_expr(1)),
    (un.logdet(A.T @ B), un.logdet(B) + un.logdet(A)), (un.logdet(-A), un.logdet(A)),
    (un.exp(s + t), un.exp(s) * un.exp(t)), (un.exp(-s) * un.exp(s), un.ones(n)),
    (un.log(un.exp(s)), s), (un.logsumexp(s + c), c + un.logsumexp(s)),
    ((s + t) * (s - t), s * s - t * t), (un.tanh(s - t), -un.tanh(t - s)),
])  # fmt: skip
def test_laws(x, y):
    """Each is a law the derivations lean on to be 'proved' and not only tested."""
    assert canonical(x) is canonical(y)


def test_too_large_is_a_typed_signal():
    """Multiplying out without end would hang `prove` instead of sending it to tier 2."""
    big = A + B
    for _ in range(12):
        big = big @ (A + B)
    with pytest.raises(TooLarge, match="exact evaluation decides"):
        canonical(big)


@st.composite
def matrices(draw, depth: int = 3) -> Expr:
    """Random square matrix expressions."""
    if depth == 0:
        return draw(st.sampled_from([A, B, P, un.eye(n), A.T, un.outer(s, t)]))
    x = draw(matrices(depth=depth - 1))
    y = draw(matrices(depth=depth - 1))
    kind = draw(st.sampled_from(["+", "-", "@", "*", "T", "inv", "tanh", "c", "half"]))
    simple = {"+": x + y, "-": x - y, "@": x @ y, "*": x * y, "T": x.T, "tanh": un.tanh(x),
              "c": c * x, "half": x / 2}  # fmt: skip
    return inv(x + 40 * un.eye(n)) if kind == "inv" else simple[kind]


@given(matrices())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_the_form_has_the_value_of_the_expression(x):
    """A rewriting rule that changes a value would 'prove' false theorems."""
    try:
        form = canonical(x)
    except TooLarge:
        return
    ok, gap = same(x, form, {"n": 3}, {}, 5)
    assert ok or np.isnan(gap), (x, form)
    assert canonical(form) is form or canonical(canonical(form)) is canonical(form)


def test_sizes_in_coefficients_are_collected():
    """tr 1 = n appears in every log-determinant of a multiple."""
    size = un.ones(n).sum()
    assert canonical(size * (size + 1) - size * size) is canonical(size)
    assert canonical(un.logdet(2 * A)) is canonical(un.logdet(A) + size * un.log(as_expr(2)))
    assert sympy.Symbol("n", integer=True, positive=True) == n.size
