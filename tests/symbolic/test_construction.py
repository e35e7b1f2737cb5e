"""Oracle: the rules of the calculus themselves: sharing, axes, exact numbers, safe names."""

import pickle

import numpy as np
import pytest
import sympy

import unified as un
from tests.symbolic.oracle import EXACT, distance, flat, written
from unified.base.errors import AxisError, InputError
from unified.symbolic import derivative, substitute
from unified.symbolic.contract import is_symmetric
from unified.symbolic.nodes import Add, Delta, Einsum, Map, Zero

n, m = un.axes("n m")
s, u, x = un.var("s", n), un.var("u", n), un.var("x", m)
W, A, B = un.var("W", n, m), un.var("A", n, n), un.var("B", n, n)
S, c = un.var("S", n, n, symmetric=True), un.scalar("c")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (s * u, u * s), (s + u, u + s), (A.T.T, A), (S.T, S), (s - s, un.var("s", n) * 0),
        ((s + u) + x @ W.T, s + (u + W @ x)), (A @ B @ s, A @ (B @ s)), (s + s, 2 * s),
        (2 * (3 * s), 6 * s), (un.eye(n) @ s, s), (un.inv(un.inv(A)), A), (s @ A @ u, u @ A.T @ s),
        (s @ S @ u, u @ S @ s), (s**2, s * s), (s**1, s), (-1 * (-s), s), (un.fn("identity")(s), s),
        (un.einsum("ij->ji", S), S), ((A @ B).T, B.T @ A.T), (s**0, un.ones(n)),
    ],
)  # fmt: skip
def test_equal_expressions_are_one_object(one, two):
    """Sharing is what keeps generated code small; a missed one doubles work without a sign."""
    assert one is two


def test_different_expressions_are_different_objects():
    """A collision of digests, or a key that forgets something, would merge two energies."""
    many = [
        s, u, s + u, s - u, s * u, A, A.T, A @ s, A.T @ s, A * B, A @ B, B @ A, un.inv(A), S,
        un.tanh(s), un.exp(s), un.softmax(s), un.logsumexp(s), un.logsumexp(u), un.logdet(A),
        un.var("S", n, n), un.var("s", m), un.ones(n), un.ones(m), un.eye(n), s @ A @ u, u @ A @ s,
    ]  # fmt: skip
    assert len({e.digest for e in many}) == len(many)


def test_sums_stay_factors():
    """Expanding ε = z − f(Wz) inside |ε|² would recompute the prediction for every term."""
    error = s - un.tanh(W @ x)
    energy = error.sq()
    assert isinstance(energy, Einsum) and energy.factors == (error, error)
    assert isinstance(error, Add)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: W @ s, "mn"), (lambda: s + x, "nm"), (lambda: s * x, "nm"), (lambda: A @ x, "nm"),
        (lambda: un.einsum("i,i->", s, x), "nm"), (lambda: un.inv(W), "nm"),
        (lambda: un.logdet(W), "nm"), (lambda: un.var("R", n, m, symmetric=True), "nm"),
        (lambda: substitute(s.sq(), {s: x}), "nm"), (lambda: W + W.T, "nm"),
    ],
)  # fmt: skip
def test_axis_errors_name_both_axes(make, names):
    """A mismatch found only at run time, or not at all when sizes agree, is a wrong energy."""
    with pytest.raises(AxisError) as caught:
        make()
    assert all(name in str(caught.value) for name in names)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("make", [lambda: c @ s, lambda: un.logsumexp(c), lambda: s @ c])
def test_scalars_are_refused_where_an_axis_is_needed(make):
    """`c @ s` has no meaning; silently broadcasting it would hide a slip."""
    with pytest.raises(AxisError):
        make()


@pytest.mark.parametrize(
    ("value", "exact"),
    [
        (0.1, "1/10"), (1e-3, "1/1000"), (2.5, "5/2"), (np.float64(0.3), "3/10"), (3, "3"),
        (sympy.Rational(2, 7), "2/7"), (np.int64(4), "4"), (sympy.Float(0.25), "1/4"),
    ],
)  # fmt: skip
def test_numbers_are_exact(value, exact):
    """0.1 as a binary float would make two equal formulas compare different."""
    assert (value * c).coef == sympy.Rational(exact)
    assert (c * value) is (value * c)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"), float("inf"), sympy.oo, sympy.nan, 1j, "2", np.ones(2), None,
        sympy.Symbol("a b"),
    ],
)  # fmt: skip
def test_bad_operands_are_refused(value):
    """NaN in a coefficient poisons every result; text must never be evaluated."""
    with pytest.raises(InputError):
        s * value


@pytest.mark.parametrize("make", [lambda: s / 0, lambda: un.log(0 * s), lambda: 1 / (s - s)])
def test_infinite_constants_are_refused(make):
    """An infinite coefficient would surface as NaN far from where it was written."""
    with pytest.raises(InputError, match="finite"):
        make()


BAD = ["lambda", "_s", "__class__", "a b", '__import__("os")', "1s", "", "s;t", "é", 3, None, "s\n"]


@pytest.mark.parametrize("name", BAD)
def test_bad_variable_names_are_refused(name):
    """Names are pasted into code that is executed: this is the gate against injection."""
    with pytest.raises(InputError):
        un.var(name, n)


@pytest.mark.parametrize("names", ["n-1", "class", "_n", "n 1", ""])
def test_bad_axis_names_are_refused(names):
    """Axis names reach generated code too."""
    with pytest.raises(InputError):
        un.axes(names)


@pytest.mark.parametrize("law", ["tanhh", "__import__('os')", 3, None])
def test_unknown_laws_are_refused(law):
    """A law given as text must never be sympified."""
    with pytest.raises(InputError):
        un.fn(law)(s)


def test_laws_with_hidden_parameters_are_refused():
    """A free symbol in a law would be an undeclared parameter of the generated code."""
    k, q = sympy.symbols("k q")
    with pytest.raises(InputError, match="free symbols k"):
        un.fn(sympy.Lambda(q, k * q))
    with pytest.raises(InputError, match="one variable"):
        un.fn(sympy.Lambda((k, q), k * q))


def test_step_laws_are_not_constants():
    """The slope of relu' is 0 everywhere, yet relu' is no constant: taking it for one turns the
    gradient of every relu network into zero."""
    slope = derivative(un.fn("relu")(s).sum(), s)
    assert isinstance(slope, Map)
    assert written(slope, {"n": 1})[0].subs(sympy.Symbol("s_0"), 2) == 1
    assert written(slope, {"n": 1})[0].subs(sympy.Symbol("s_0"), -2) == 0
    assert isinstance(derivative(slope, s), Zero)


def test_constants_fold_through_laws():
    """A law left unevaluated at a constant could not be printed as a number."""
    half = un.fn("sigmoid")(0 * s)
    assert half is 0.5 * un.ones(n)
    assert isinstance(un.fn("relu")(0 * s - 2), Zero)


@pytest.mark.parametrize(
    ("node", "symmetric"),
    [
        (S, True), (A, False), (A + A.T, True), (A @ A.T, True), (un.outer(s, s), True),
        (un.outer(s, u), False), (un.inv(S), True), (un.inv(A), False), (un.eye(n), True),
        (un.inv(S + un.outer(s, s)), True), (A - A.T, False), (A.T @ S @ A, True), (W, False),
    ],
)  # fmt: skip
def test_symmetry_is_recognised(node, symmetric):
    """Calling an asymmetric matrix symmetric drops its transpose: a wrong gradient."""
    assert is_symmetric(node) is symmetric


def test_derivative_by_a_symmetric_variable_is_symmetric():
    """The rule for W = Wᵀ must keep it so."""
    assert is_symmetric(derivative(s @ S @ u, S))
    assert not is_symmetric(derivative(s @ A @ u, A))


def test_identities_vanish_and_delta_stays_where_it_must():
    """A stray identity costs n² memory; a lost one changes the result."""
    assert derivative(s, s) is un.eye(n) and isinstance(derivative(s, s), Delta)
    assert derivative(s.sum(), s) is un.ones(n)
    assert un.einsum("ii->", un.eye(n)) is un.ones(n).sum()
    assert un.einsum("ij,jk,kl->il", un.eye(n), A, un.eye(n)) is A


def test_nodes_survive_pickling_of_axes_and_laws():
    """Worker processes get axes and laws pickled; a second 'n' would not match the first."""
    assert pickle.loads(pickle.dumps(n)) is n
    assert pickle.loads(pickle.dumps(un.fn("tanh").law)) is un.fn("tanh").law


@pytest.mark.parametrize("attack", ["name", "axes"])
def test_nodes_are_immutable(attack):
    """Changing a shared node would change every expression that holds it."""
    with pytest.raises(AttributeError):
        setattr(s, attack, "other")


def test_numpy_operands_do_not_loop():
    """`ndarray * var` must fail in one sentence, not build an object array of expressions."""
    with pytest.raises(InputError):
        np.ones(3) * s


def test_substitution_commutes_with_evaluation():
    """Clamping and family conversion rest on it."""
    y = un.logsumexp(A @ s) + un.inv(A + S).sum() * s.sq()
    swapped = substitute(y, {s: un.tanh(u), A: B.T})
    dims = {"n": 2}
    by_hand = written(y, dims)
    swap = {sympy.Symbol(f"s_{i}"): sympy.tanh(sympy.Symbol(f"u_{i}")) for i in range(2)}
    swap |= {
        sympy.Symbol(f"A_{i}_{j}"): sympy.Symbol(f"B_{j}_{i}") for i in range(2) for j in range(2)
    }
    assert distance(flat(written(swapped, dims)), flat(by_hand.xreplace(swap))) < EXACT


def test_text_brackets_products_inside_powers():
    """`2 v**3` for (2v)³ would be read as another function."""
    cube = un.fn(sympy.Lambda(sympy.Symbol("q"), sympy.Symbol("q") ** 5 + 1))
    assert "(2*s[i])**5" in repr(cube(2 * s))
