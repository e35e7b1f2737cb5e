"""Oracle: formulas written by hand in SymPy."""

import pytest
import sympy

import unified as un
from unified.base.errors import InputError
from unified.symbolic.instance import instance, symbols_of

n, m = un.axes("n m")
s, x, c = un.var("s", n), un.var("x", m), un.scalar("c")
W, A = un.var("W", n, m), un.var("A", n, n)
S = un.var("S", n, n, symmetric=True)
DIMS = {"n": 2, "m": 2}


def sym(text: str) -> list[sympy.Symbol]:
    return list(sympy.symbols(text))


s0, s1, x0, x1, C = sym("s_0 s_1 x_0 x_1 c")
W00, W01, W10, W11 = sym("W_0_0 W_0_1 W_1_0 W_1_1")
A00, A01, A10, A11 = sym("A_0_0 A_0_1 A_1_0 A_1_1")


@pytest.mark.parametrize(
    ("expr", "byhand"),
    [
        (s @ W @ x, s0 * W00 * x0 + s0 * W01 * x1 + s1 * W10 * x0 + s1 * W11 * x1),
        (0.5 * s.sq(), (s0**2 + s1**2) / 2),
        (s.sum() * c, (s0 + s1) * C),
        (un.logdet(A), sympy.log((A00 * A11 - A01 * A10) ** 2) / 2),
        (un.logsumexp(s), sympy.log(sympy.exp(s0) + sympy.exp(s1))),
        (un.fn("sigmoid")(s).sum(), 1 / (1 + sympy.exp(-s0)) + 1 / (1 + sympy.exp(-s1))),
        (un.ones(n).sum() * c, 2 * C),
        (un.einsum("ii->", A), A00 + A11),
        (un.tanh(s * c) @ s, s0 * sympy.tanh(C * s0) + s1 * sympy.tanh(C * s1)),
    ],
)
def test_scalars_agree_with_formulas_by_hand(expr, byhand):
    """The instance is the oracle for generated code; if it is wrong, everything agrees in error."""
    dims = {k: v for k, v in DIMS.items() if any(a.name == k for f in expr.free for a in f.axes)}
    dims = dims or {"n": 2}
    assert sympy.simplify(instance(expr, dims) - byhand) == 0


@pytest.mark.parametrize(
    ("expr", "byhand"),
    [
        (W.T, [[W00, W10], [W01, W11]]),
        (W.T @ s, [W00 * s0 + W10 * s1, W01 * s0 + W11 * s1]),
        (un.outer(s, x), [[s0 * x0, s0 * x1], [s1 * x0, s1 * x1]]),
        (s + c, [s0 + C, s1 + C]),
        (un.softmax(s), [1 / (1 + sympy.exp(s1 - s0)), 1 / (1 + sympy.exp(s0 - s1))]),
        (un.einsum("i,ij->ij", s, un.eye(n)), [[s0, 0], [0, s1]]),
        (W - W, [[0, 0], [0, 0]]),
    ],
)
def test_arrays_agree_with_formulas_by_hand(expr, byhand):
    """A transposed reading here would bless transposed generated code."""
    dims = {a.name: 2 for v in (expr, *expr.free) for a in v.axes}
    difference = instance(expr, dims) - sympy.Array(byhand)
    assert all(sympy.simplify(e) == 0 for e in sympy.flatten(difference))


def test_inverse_times_matrix_is_one():
    """The inverse has its own code path; its definition is the check."""
    product = sympy.Matrix(instance(un.inv(A), {"n": 3})) * sympy.Matrix(symbols_of(A, {"n": 3}))
    assert sympy.simplify(product) == sympy.eye(3)


def test_symmetric_variables_share_entries():
    """Independent entries in the two slots would make every symmetric rule look wrong."""
    symbols = symbols_of(S, {"n": 3})
    assert all(symbols[i, j] == symbols[j, i] for i in range(3) for j in range(3))
    assert len(set(sympy.flatten(symbols))) == 6
    assert symbols_of(c, {}) == C


@pytest.mark.parametrize("name", ["relu", "hard_sigmoid", "softplus"])
@pytest.mark.parametrize("at", [-2, 0, sympy.Rational(1, 2), 1, 3])
def test_primitives_mean_what_they_say(name, at):
    """The oracle must not share the primitive's own evaluation rules."""
    value = instance(un.fn(name)(c), {}).subs(C, at)
    byhand = {
        "relu": sympy.Max(0, at), "hard_sigmoid": sympy.Min(1, sympy.Max(0, at)),
        "softplus": sympy.log(1 + sympy.exp(at)),
    }[name]  # fmt: skip
    assert sympy.simplify(value - byhand) == 0


@pytest.mark.parametrize(
    ("dims", "word"),
    [
        ({"n": 2}, "m"), ({"n": 2, "m": 2, "k": 1}, "k"), ({"n": 0, "m": 2}, "n"),
        ({"n": 2.0, "m": 2}, "n"), ({"n": True, "m": 2}, "n"), ({"n": -1, "m": 2}, "n"),
        ({"n": "2", "m": 2}, "n"), ({}, "m, n"),
    ],
)  # fmt: skip
def test_bad_dimensions_get_one_sentence(dims, word):
    """A size guessed for a missing one would compare the wrong problem."""
    with pytest.raises(InputError) as caught:
        instance(s @ W @ x, dims)
    assert word in str(caught.value) and "expected" in str(caught.value)


def test_colliding_entry_names_are_refused():
    """W over two axes and W_0 over one both have an entry W_0_1: one symbol for two numbers."""
    with pytest.raises(InputError, match="W_0_"):
        instance(W.sum() + un.var("W_0", m).sum(), DIMS)
    with pytest.raises(InputError, match="S_0_0"):
        instance(S.sum() + un.var("S", n, n).sum(), {"n": 2})


def test_energy_instance_is_the_same():
    """The public method must not differ from the function it stands for."""
    energy = un.Energy(s @ W @ x, [s], [W], [x])
    assert energy.instance(n=2, m=2) == instance(s @ W @ x, DIMS)
