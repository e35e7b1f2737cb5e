"""Oracle: the same energies written with the library's own variables."""

import pytest
import sympy
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

import unified as un
from unified.base.errors import InputError
from unified.symbolic.from_sympy import read_matrix_expr
from unified.symbolic.prove import prove

N, M = sympy.symbols("n m")
Z = sympy.Symbol("z")
S, X = sympy.MatrixSymbol("s", N, 1), sympy.MatrixSymbol("x", M, 1)
W, A = sympy.MatrixSymbol("W", N, M), sympy.MatrixSymbol("A", N, N)
T = sympy.Symbol("T")
n, m = un.axes("n m")
s, x, w, a = un.var("s", n), un.var("x", m), un.var("W", n, m), un.var("A", n, n)
t = un.scalar("T")

CASES = [
    (S.T * W * X, s @ w @ x),
    (sympy.Trace(S.T * A * S) / 2, s @ a @ s / 2),
    (sympy.log(sympy.Determinant(A)) * T, t * un.logdet(a)),
    (sympy.Determinant(A), un.exp(un.logdet(a))),
    (S.T * A.inv() * S, s @ un.inv(a) @ s),
    (sympy.Trace(A**-2), un.einsum("ij,ji->", un.inv(a), un.inv(a))),
    (A**2, a @ a),
    (ElementwiseApplyFunction(sympy.Lambda(Z, sympy.tanh(Z)), W * X), un.tanh(w @ x)),
    (W.applyfunc(sympy.sin) * X, un.fn("sin")(w) @ x),
    (sympy.HadamardProduct(S, S), s * s),
    (T * sympy.Trace(A + sympy.Identity(N)), t * un.einsum("ii->", a + un.eye(n))),
    (W * X + S, w @ x + s),
    (2 * (W * X).T, 2 * (w @ x)),
    (S * X.T, un.outer(s, x)),
    (S.T * sympy.OneMatrix(N, 1), s.sum()),
    (A * sympy.ZeroMatrix(N, 1) + S, s),
    (sympy.exp(T) / 3 + sympy.sqrt(T), un.exp(t) / 3 + t ** sympy.Rational(1, 2)),
    ((S.T * S).inv() * 2, 2 / s.sq()),
]


@pytest.mark.parametrize(("theirs", "ours"), CASES, ids=[str(c[0]) for c in CASES])
def test_reading_keeps_the_meaning(theirs, ours):
    """A transposed or dropped factor at the door makes everything after it wrong."""
    assert prove(read_matrix_expr(theirs).expr, ours)


def test_symmetric_symbols_and_known_sizes():
    """A weight matrix read as asymmetric would be refused by a Hopfield energy."""
    found = read_matrix_expr(sympy.MatrixSymbol("J", 3, 3) * sympy.MatrixSymbol("v", 3, 1),
                             symmetric=["J"])  # fmt: skip
    assert found.variables["J"].symmetric and list(found.sizes.values()) == [3]
    assert found.expr.axes == found.variables["v"].axes
    assert prove(found.expr, found.variables["v"] @ found.variables["J"])


@pytest.mark.parametrize(("bad", "words"), [
    ("x + 1", "text is never read"), (sympy.Integral(Z, Z), "got Integral"),
    (sympy.BlockMatrix([[A, A]]), "got BlockMatrix"),
    (sympy.KroneckerProduct(A, A), "got KroneckerProduct"), (sympy.Adjoint(A), "got Adjoint"),
    (sympy.Piecewise((1, Z > 0), (0, True)), "got Piecewise"), (A**N, "whole exponent"),
    (sympy.MatrixSymbol("a b", N, 1), "identifier"), (sympy.Symbol("__class__"), "underscore"),
    (sympy.MatrixSymbol("lambda", N, 1), "keyword"), (S[0, 0], "1×1 matrices only"),
    ((S.T * W * X)[0, 0], "pass the 1×1 matrix itself"), (sympy.Function("f")(Z, T), "got f"),
    (sympy.MatrixSymbol("B", N + 1, N), "a positive integer or a symbol"),
    (sympy.Trace(A) * sympy.MatrixSymbol("A", M, M).T, "one shape per name"),
])  # fmt: skip
def test_anything_else_is_refused_by_name(bad, words):
    """A node read by guesswork gives an energy the user did not write."""
    with pytest.raises(InputError, match=words):
        read_matrix_expr(bad)


def test_an_energy_written_in_sympy_has_the_library_gradient():
    """A theorist's matrix expression must give the dynamics of the energy it stands for."""
    n = sympy.Symbol("n", integer=True, positive=True)
    s, w, b = (sympy.MatrixSymbol(k, n, c) for k, c in (("s", 1), ("W", n), ("b", 1)))
    rate = s.applyfunc(sympy.tanh)
    energy = s.T * s / 2 - rate.T * w * rate / 2 - b.T * rate
    read = un.Energy.from_sympy(energy, ["s"], ["W", "b"], symmetric=["W"])
    axis = read.states[0].axes[0]
    x, a, c = read.states[0], read.param("W"), read.param("b")
    slope = 1 - un.tanh(x) * un.tanh(x)
    assert un.prove(read.grad("s"), x - slope * (a @ un.tanh(x) + c))
    assert un.prove(read.rule("W"), -0.5 * un.einsum("i,j->ij", un.tanh(x), un.tanh(x)))
    assert not un.prove(read.grad("s"), x - (a @ un.tanh(x) + c))  # a missing slope is seen
    assert axis.name == "n"
    with pytest.raises(un.errors.InputError, match="states: expected names among"):
        un.Energy.from_sympy(energy, ["z"], ["W", "b"])
