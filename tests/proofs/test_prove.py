"""Oracle: identities of linear algebra and calculus; wrong claims as negative controls."""

import numpy as np
import pytest
import sympy

import unified as un
from tests.mutations import run
from tests.proofs.identities import (
    W1,
    A,
    B,
    C,
    I,
    P,
    Q,
    U,
    V,
    beta,
    identities,
    inv,
    n,
    rho,
    s,
    t,
    x,
)
from tests.proofs.oracle import same
from unified.base.errors import AxisError, InputError
from unified.symbolic.assume import (
    invertible,
    let,
    orthogonal,
    positive_definite,
    symmetric,
)  # fmt: skip
from unified.symbolic.modular import P as PRIME
from unified.symbolic.prove import dimension_sets, prove
from unified.symbolic.scalar import step


def test_every_identity_is_true_and_fast():
    """A true theorem called false or undecided would make the derivations book useless."""
    found = [prove(i.lhs, i.rhs, assume=i.assume) for i in identities()]
    assert len(found) >= 40
    assert [p for p in found if not p] == []
    assert {p.level for p in found} == {"proved", "exact"}
    assert max(p.seconds for p in found) < 3
    assert max(p.error_bound or 0 for p in found) < 1e-20


def test_identities_hold_in_the_independent_oracle():
    """If the ground truth itself were wrong, every other test here would mean nothing."""
    for i in identities():
        kinds = {a.var.name: a.kind for a in i.assume if a.kind != "let"}
        if all(a.kind != "let" for a in i.assume):
            assert same(i.lhs, i.rhs, {"n": 3, "m": 2, "k": 4}, kinds, 7)[0], i.name


def test_mutants_are_refuted_or_equal_as_the_oracle_says():
    """One wrong sign, transpose or dropped term that passes as proved is a false theorem."""
    outcomes = run()
    assert [o for o in outcomes if not o.agrees] == []
    assert sum(o.proof.verdict == "false" for o in outcomes) >= 80
    assert all(o.reason for o in outcomes)
    assert not any(o.proof.verdict == "undecided" for o in outcomes)


def test_a_counterexample_reproduces():
    """A refutation nobody can reproduce is an opinion."""
    wrong = prove(inv(A @ B), inv(A) @ inv(B))
    assert wrong.verdict == "false" and wrong.level == "exact" and not wrong
    bad = wrong.counterexample
    lhs, rhs = wrong.replay()
    assert (lhs[bad.entry], rhs[bad.entry]) == (bad.lhs, bad.rhs) and bad.lhs != bad.rhs
    a, b = (np.array(bad.values[k], dtype=object) for k in "AB")
    one = a.dot(b).dot(lhs) % PRIME  # (AB)(AB)⁻¹, by arithmetic outside the engine
    assert one.tolist() == np.eye(len(a), dtype=int).tolist()
    assert str(bad.dims) in repr(wrong) and "≠" in repr(wrong)


def test_a_float_counterexample_reproduces():
    """Refutations that need float64 must be as reproducible as the exact ones."""
    wrong = prove(un.exp(s), 1 + s)
    assert (wrong.verdict, wrong.level) == ("false", "numeric")
    lhs, rhs = wrong.replay()
    at = np.array(wrong.counterexample.values["s"])
    np.testing.assert_allclose(lhs, np.exp(at), rtol=1e-14)
    np.testing.assert_allclose(rhs, 1 + at, rtol=1e-14)


def test_a_canonical_mismatch_is_not_a_disproof():
    """The canonical form is incomplete: Woodbury would be 'false' if a mismatch counted."""
    small = inv(inv(C) + V @ inv(A) @ U)
    found = prove(inv(A + U @ C @ V), inv(A) - inv(A) @ U @ small @ V @ inv(A))
    assert (found.verdict, found.level) == ("true", "exact")
    assert len(found.dims) >= 5 and 0 < found.error_bound < 1e-25
    for dims in found.dims:
        assert len(set(dims.values())) == len(dims) and min(dims.values()) > 1


def test_wrong_for_all_but_one_dimension_is_refuted():
    """tr 1 = 3 holds at n = 3 only; a single dimension set would call it true."""
    assert prove(un.einsum("ii->", I), 3).verdict == "false"
    assert prove(un.einsum("ii->", I), 3, dims=[{"n": 3}]).verdict == "true"
    assert prove(un.einsum("ii->", I), un.ones(n).sum()).level == "proved"


@pytest.mark.parametrize(("assume", "lhs", "rhs"), [
    (symmetric(A), A, A.T), (positive_definite(A), inv(A), inv(A).T),
    (orthogonal(Q), Q.T @ Q, I), (orthogonal(Q), inv(Q), Q.T),
    (orthogonal(Q), inv(Q + A), Q.T @ inv(I + A @ Q.T)),
])  # fmt: skip
def test_assumptions_are_used_and_needed(assume, lhs, rhs):
    """An assumption that is ignored, or always granted, would prove the wrong theorem."""
    assert prove(lhs, rhs, assume=[assume])
    if (lhs is not None and assume.var.name != "Q") or rhs is I:
        assert prove(lhs, rhs).verdict == "false"


def test_invertible_and_let():
    """A named abbreviation that is not replaced leaves every claim about it undecided."""
    S, Z = un.var("S", n, n), un.var("Z", n)
    meaning = [let(S, inv(A) + B), let(Z, S @ s), invertible(A)]
    assert prove(A @ Z, s + A @ B @ s, assume=meaning)
    assert prove(A @ Z, s + A @ B @ s, assume=meaning[1:]).verdict == "false"


def test_a_true_for_an_abstract_function_needs_no_law_of_it():
    """ρ abstract must mean every ρ: oddness holds for tanh and not for all functions."""
    assert prove(rho(-s), -rho(s)).verdict == "false"
    assert prove(un.tanh(-s), -un.tanh(s)).level == "proved"
    assert prove(un.tanh(-s), -un.tanh(s), limit=0).level == "exact"


def test_laws_the_field_does_not_know_are_numeric_and_say_so():
    """A relation of exp or sigmoid called false because it is uninterpreted would be a lie."""
    sigmoid = un.fn("sigmoid")
    found = prove(sigmoid(2 * s), (1 + un.tanh(s)) / 2)
    assert (found.verdict, found.level) == ("true", "numeric") and "tolerance" in found.note
    assert prove(un.exp(s + t), un.exp(s) * un.exp(t), limit=0).level == "numeric"
    wrong = prove(sigmoid(2 * s), (1 - un.tanh(s)) / 2)
    assert (wrong.verdict, wrong.level) == ("false", "numeric")
    assert prove(un.fn("relu")(s), s * un.fn(step)(s)).verdict == "true"


def test_two_tiny_values_are_not_equal():
    """exp(−40) = 2 exp(−40) to any absolute tolerance: such a 'true' would be a false theorem."""
    sigmoid, tiny = un.fn("sigmoid"), un.exp(-(40 + s * s))
    assert prove(tiny * sigmoid(2 * s), tiny * (1 + un.tanh(s))).verdict != "true"
    assert prove(sigmoid(2 * s) - (1 + un.tanh(s)) / 2, 0).verdict == "true"


def test_functions_the_field_knows_rationally():
    """sin² + cos² and cosh ± sinh come up in every oscillator: they must be exact."""
    sin, cos, cosh, sinh = (un.fn(f) for f in (sympy.sin, sympy.cos, sympy.cosh, sympy.sinh))
    assert prove(sin(s) * sin(s) + cos(s) * cos(s), 1).level == "exact"
    assert prove(cosh(s) + sinh(s), un.exp(s)).level == "exact"
    root = un.scalar("T") ** sympy.Rational(1, 2)
    assert prove(root * root, un.scalar("T")).level == "proved"
    assert prove((beta * 2) ** sympy.Rational(1, 2), sympy.sqrt(2) * beta ** sympy.Rational(1, 2))
    assert prove(un.log(2 * beta**2), un.log(beta) * 2 + sympy.log(2), limit=0).verdict == "true"


def test_logarithms_weighted_by_a_scalar():
    """Free energies carry T·log det; a log law that only knows whole weights misses them."""
    T = un.scalar("T")
    lhs = T / 2 * un.logdet(A + U @ V) - T / 2 * un.logdet(A)
    rhs = T / 2 * un.logdet(un.eye(x.axes[0]) + V @ inv(A) @ U)
    assert prove(lhs, rhs).level == "exact"
    assert prove(lhs, 2 * rhs).verdict == "false"
    assert prove(un.exp(un.logdet(A @ B)), un.exp(un.logdet(A)) * un.exp(un.logdet(B)), limit=0)


def test_fermat_does_not_fool_the_field():
    """x^p = x everywhere modulo p: without the degree in the bound it would pass as true."""
    found = prove(beta**PRIME, beta)
    assert found.verdict == "false" and found.level == "numeric"


def test_too_large_for_the_canonical_form_goes_on_and_says_so():
    """A long product of sums must neither hang nor be given up."""
    big = A + B
    for _ in range(13):
        big = big @ (A + B)
    found = prove(big, (A + B) @ (big @ inv(A + B)))
    assert found.level == "exact" and "too large for the canonical form" in found.note
    assert found.seconds < 3


def test_representations():
    """Notebooks show these; a proof that prints as an object address tells nothing."""
    found = prove(s @ A @ s, s @ A.T @ s)
    assert "true, proved" in repr(found) and bool(found)
    assert "=" in found._repr_latex_()
    assert r"\neq" in prove(s, 2 * s)._repr_latex_()
    assert "error ≤" in repr(prove(inv(I + A @ B) @ A, A @ inv(I + B @ A)))


def test_bad_input_is_one_sentence():
    """Each of these, silently accepted, ends in a wrong or meaningless verdict."""
    with pytest.raises(AxisError, match=r"\(n\) and \(m\)"):
        prove(s, x)
    with pytest.raises(InputError, match="singular"):
        prove(inv(un.outer(s, t)), A)
    with pytest.raises(InputError, match="positive integer for axis 'n', got 0"):
        prove(s, s + 0 * t, dims=[{"n": 0}], limit=0)
    with pytest.raises(InputError, match="axis 'm'"):
        prove(W1 @ s, 2 * x, dims=[{"n": 3}])
    with pytest.raises(InputError, match="undeclared symbol q"):
        from unified.symbolic.contract import contract

        prove(contract(sympy.Symbol("q"), [], ()), 1)
    with pytest.raises(InputError, match="identifier"):
        prove(un.var("__import__", n), s)
    with pytest.raises(InputError, match="operand"):
        prove("s + s", 2 * s)
    with pytest.raises(InputError, match="two different ones named 's'"):
        prove(un.var("s", n, n) @ s, s)
    with pytest.raises(InputError, match="draws"):
        prove(s, s, draws=0)
    with pytest.raises(InputError, match="finite"):
        prove(1 / (0 * beta), 0)
    with pytest.raises(InputError, match="nonzero denominators"):
        prove(1 / (s @ A @ s - s @ A.T @ s), beta)


def test_bad_assumptions_are_one_sentence():
    """An assumption about the wrong thing must not be dropped silently."""
    for make in (symmetric, positive_definite, invertible, orthogonal):
        with pytest.raises(AxisError, match="square"):
            make(U)
        with pytest.raises(InputError, match="variable"):
            make(A @ B)
    with pytest.raises(AxisError, match="transpose"):
        let(s, x)
    with pytest.raises(InputError, match="inside its own"):
        let(s, s + t)
    with pytest.raises(InputError, match="circle"):
        prove(s, t, assume=[let(s, t + t), let(t, s + s)])
    with pytest.raises(InputError, match="one meaning"):
        prove(s, t, assume=[let(s, t), let(s, 2 * t)])
    with pytest.raises(InputError, match="assumptions"):
        prove(s, t, assume=["A symmetric"])


def test_dimension_sets_vary_and_never_coincide():
    """Equal sizes hide a transpose; a size of 1 hides a sum."""
    for names in (["n"], ["m", "n"], list("abcdefg")):
        found = dimension_sets(names)
        assert len({tuple(d.items()) for d in found}) >= 5
        assert all(len(set(d.values())) == len(names) and min(d.values()) > 1 for d in found)


def test_a_symmetric_variable_is_drawn_symmetric():
    """P declared symmetric and drawn otherwise would refute true theorems."""
    assert prove(P, P.T).level == "proved" and prove(P @ A, (A.T @ P).T, limit=0).level == "exact"
