"""Oracle: Python integers, exact rationals and closed forms."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

import unified as un
from unified.symbolic.degree import error_per_draw
from unified.symbolic.evaluate import evaluate
from unified.symbolic.field import Field, draw
from unified.symbolic.modular import (
    Logs,
    P,
    Singular,
    inverse,
    is_zero,
    random_element,
    root,
    small_ratio,
    solve,
)  # fmt: skip

n, m = un.axes("n m")
A, s = un.var("A", n, n), un.var("s", n)


def test_gauss_jordan_matches_exact_rationals():
    """A wrong inverse modulo p would refute or prove anything with an inverse in it."""
    exact = sympy.Matrix(4, 4, lambda i, j: (i * 7 + j * j * 3) % 11 + (i == j))
    det, inv = solve(np.array(exact.tolist(), dtype=object).astype(int).astype(object))
    assert det == int(exact.det()) % P
    expected = exact.inv().applyfunc(lambda q: int(q.p) * inverse(int(q.q)) % P)
    assert inv.tolist() == [[int(v) for v in row] for row in expected.tolist()]
    with pytest.raises(Singular):
        solve(np.array([[1, 2], [2, 4]], dtype=object))


def test_pivoting():
    """A zero on the diagonal is no singular matrix."""
    det, inv = solve(np.array([[0, 1], [1, 0]], dtype=object))
    assert det == P - 1 and inv.tolist() == [[0, 1], [1, 0]]


def test_roots_are_multiplicative():
    """√a√b = √(ab) must hold for the chosen roots, or products of roots are refuted."""
    a, b = (random_element("root", k) ** 2 % P for k in (1, 2))
    assert root(a) * root(b) % P == root(a * b % P) and root(a) ** 2 % P == a
    assert root(P - 1) is None


def test_small_ratios_come_back():
    """Half a logarithm must be recognised as half of another one."""
    for q in (Fraction(1, 2), Fraction(-3, 7), Fraction(128), Fraction(-1, 128)):
        assert small_ratio(q.numerator * inverse(q.denominator) % P) == q
    assert small_ratio(random_element("no ratio")) is None


def test_the_law_of_the_logarithm_and_nothing_more():
    """log ab = log a + log b; log a log b is no such sum, and log a + 1 is not log a."""
    a, b, c = (random_element("log", k) for k in range(3))
    weight = random_element("weight")
    law = Logs.log(a * b % P) - Logs.log(a) - Logs.log(b)
    assert is_zero(law) and is_zero(law * weight) and is_zero(Logs.log(P - a) - Logs.log(a))
    assert is_zero(Logs.log(a * a % P) * inverse(2) - Logs.log(a))
    assert not is_zero(Logs.log(a) * Logs.log(b) - Logs.log(a * b % P))
    assert not is_zero(law + 1) and not is_zero(Logs.log(a) * weight - Logs.log(a))
    assert not is_zero(Logs.log(a) + Logs.log(b) - Logs.log(c))
    assert is_zero(Logs.log(a) * Logs.log(b) - Logs.log(b) * Logs.log(a))


def test_draws_obey_their_assumptions():
    """An 'orthogonal' draw that is not orthogonal proves nothing about orthogonal matrices."""
    q = draw(A, (4, 4), frozenset({"orthogonal"}), "seed")
    assert (q.dot(q.T) % P).tolist() == np.eye(4, dtype=int).tolist()
    p = draw(A, (4, 4), frozenset({"symmetric"}), "seed")
    assert (p == p.T).all() and not (q == q.T).all()


def test_evaluation_agrees_with_integers():
    """Contraction order and broadcasting must not change a value."""
    W, x, b = un.var("W", n, m), un.var("x", m), un.scalar("b")
    point = {"W": np.array([[1, 2, 3], [4, 5, 6]], dtype=object), "s": np.array([7, 8], object),
             "x": np.array([1, -1, 2], dtype=object), "b": np.array(3, dtype=object)}  # fmt: skip
    expr = (s @ W @ x) * b + (W @ x * s).sum() - 2 * un.ones(n).sum() + un.outer(s, x).sum()
    (found,) = evaluate([expr], point, {"n": 2, "m": 3}, Field("0"))
    w, v, z = np.array([[1, 2, 3], [4, 5, 6]]), np.array([7, 8]), np.array([1, -1, 2])
    assert int(found) == (v @ w @ z * 3 + (w @ z * v).sum() - 4 + np.outer(v, z).sum()) % P


def test_uninterpreted_functions_are_functions():
    """The same argument must give the same value, the slope must be a table of its own."""
    rho = un.fn(sympy.Function("rho"))
    ready = {"s": np.array([5, 5, 9], dtype=object)}
    from unified.symbolic.diff import derivative

    slope = derivative(rho(s).sum(), s)
    a, b = evaluate([rho(s), slope], ready, {"n": 3}, Field("0"))
    assert a[0] == a[1] != a[2] and b[0] == b[1] != a[0]


@pytest.mark.parametrize(("expr", "degree"), [
    (s @ A @ s, 3), ((s @ A @ s) ** 2, 6), (un.inv(A), 2 + 3), (1 / un.scalar("b"), 1),
])  # fmt: skip
def test_degrees_against_hand_counts(expr, degree):
    """A bound smaller than the truth would call an accident a proof."""
    assert error_per_draw([expr], {"n": 3, "m": 2}) * P >= degree
    assert error_per_draw([expr], {"n": 3, "m": 2}) * P <= 4 * degree


def test_the_degree_bounds_a_real_polynomial():
    """The bound must cover the exact degree of the numerator, here of det(A) by hand."""
    small = sympy.Matrix(3, 3, sympy.symbols("a:9"))
    true_degree = sympy.Poly(small.adjugate()[0, 0] * small.det(), *small).total_degree()
    assert error_per_draw([un.inv(A)], {"n": 3}) * P >= true_degree
