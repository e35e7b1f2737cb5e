"""Oracle: known theorems of equilibrium propagation, and their wrong versions."""

import json

import pytest
import sympy

import unified as un
from unified.base.errors import AxisError, InputError
from unified.symbolic.assume import let, symmetric
from unified.symbolic.claims import Claim, Series, Step
from unified.symbolic.diff import derivative
from unified.symbolic.series import coefficients

n, m = un.axes("n m")
s, b, y, A = un.var("s", n), un.var("b", n), un.var("y", n), un.var("A", n, n)
H = un.var("H", n, n, symmetric=True)
beta = un.scalar("beta")
rho = un.fn(sympy.Function("rho"))
E = rho(s).sum() + s @ H @ s / 2 - b @ s
C = (s - y).sq() / 2
FORCE = derivative(E + beta * C, s)
HESSIAN = derivative(derivative(E, s), s)
SPEED = un.inv(HESSIAN) @ derivative(C, s)


def test_a_claim_in_five_lines():
    """The promise of the engine: a theorist states a theorem and gets a certificate."""
    claim = Claim(
        "A1", "a quadratic form sees the symmetric part only",
        steps=[Step(s @ A @ s, s @ ((A + A.T) / 2) @ s, "a scalar equals its transpose")],
        refute=[Step(derivative(s @ A @ s, s), 2 * (A @ s), "the transpose is dropped")],
    )  # fmt: skip
    found = claim.check()
    assert found and found.verdict == "true" and found.level == "proved" and not found.failures
    assert "✓" in repr(found) and found.seconds < 3
    record = json.loads(json.dumps(found.to_json()))
    assert set(record) == {"id", "title", "verdict", "level", "dims", "error_bound", "seconds"}


def test_linear_response_and_its_wrong_sign():
    """B2 in first order: the sign of ds/dβ decides whether learning goes up or down."""
    def response(sign: int) -> Series:
        return Series(s, s - sign * beta * SPEED, f"ds/dβ, sign {sign}", beta=beta, order=1,
                      branch=(s, FORCE), assume=[at_rest()])  # fmt: skip

    found = Claim("B2", "linear response", [response(1)], refute=[response(-1)]).check()
    assert (found.verdict == "true" and found.error_bound is None) or found.error_bound < 1e-20


def at_rest():
    """b such that s is the free rest point."""
    return let(b, derivative(rho(s).sum(), s) + H @ s)


def test_orders_of_the_value_function():
    """B3: V' = C, V'' = −∇CᵀH⁻¹∇C and V''' = C'' along the branch give every bias order."""
    v = coefficients(E + beta * C, beta, 3, (s, FORCE))
    c = coefficients(C, beta, 2, (s, FORCE))
    claim = Claim(
        "B3", "derivatives of V", assumptions=[at_rest()],
        steps=[
            Step(v[1], C, "envelope"), Step(v[2], -(derivative(C, s) @ SPEED), "linear response"),
            Step(v[3], c[2], "V' = C along the branch"),
        ],
        refute=[Step(v[2], derivative(C, s) @ SPEED, "sign"), Step(v[3], 2 * c[2], "factor")],
    )  # fmt: skip
    found = claim.check()
    assert found and found.level == "exact" and 0 < found.error_bound < 1e-15
    assert found.seconds < 3


def test_a_series_with_a_wrong_second_order_is_refuted():
    """A formula right to first order only must not pass as second order."""
    good = Series(un.exp(beta), 1 + beta + beta * beta / 2, "exp", beta=beta, order=2)
    short = Series(un.exp(beta), 1 + beta, "exp, one term dropped", beta=beta, order=2)
    assert Claim("x1", "exp", [good], refute=[short]).check()
    assert Claim("x2", "exp", [short]).check().verdict == "false"


def test_a_wrong_claim_is_false_and_names_its_step():
    """A certificate that hides the failing step sends the theorist searching."""
    found = Claim("x", "wrong", [Step(s, s, "fine"), Step(A, A.T, "not symmetric")]).check()
    assert found.verdict == "false" and not found
    (failure,) = found.failures
    assert failure.reason == "not symmetric" and failure.proof.counterexample is not None
    assert Claim("x", "t", [Step(A, A.T, "symmetric", assume=[symmetric(A)])]).check()


def test_a_perturbed_version_that_is_true_makes_the_claim_false():
    """If the 'wrong' version holds as well, the claim says less than it pretends."""
    found = Claim("x", "t", [Step(s, s, "id")], refute=[Step(s @ A @ s, s @ A.T @ s, "T")]).check()
    assert found.verdict == "false" and found.failures[0].expected == "false"


def test_scalar_steps_from_sympy():
    """Closed-form scalars (critical gains, rates) are written in SymPy and must be checked too."""
    g, k = sympy.symbols("g k")
    steps = [Step((g + k) ** 2 - (g - k) ** 2, 4 * g * k, "binomial")]
    assert Claim("x", "t", steps, refute=[Step((g + k) ** 2, g**2 + k**2, "cross term")]).check()


def test_bad_claims_are_one_sentence():
    """A claim about an undeclared variable or unequal axes must be stopped with its step named."""
    with pytest.raises(InputError, match="only declared variables, got b in step"):
        Claim("x", "t", [Step(s, b, "r")], variables=[s])
    with pytest.raises(AxisError, match=r"claim x, step 'shapes'.*\(n\) and \(m\)"):
        Claim("x", "t", [Step(s, un.var("q", m), "shapes")]).check()
    with pytest.raises(InputError, match="id"):
        Claim("not a name", "t", [Step(s, s, "r")])
    with pytest.raises(InputError, match="at least one Step"):
        Claim("x", "t", [])
    with pytest.raises(InputError, match="expand in"):
        Claim("x", "t", [Series(s, s, "r")]).check()
    with pytest.raises(AxisError, match="stack the states"):
        coefficients(s, beta, 1, (A, FORCE))
    with pytest.raises(InputError, match="order"):
        coefficients(s, beta, -1)
    with pytest.raises(InputError, match="scalar variable"):
        coefficients(s, s, 1)


def test_what_notebooks_show_can_be_rendered():
    """A formula that does not render leaves raw LaTeX in the middle of a notebook."""
    from latex2mathml.converter import convert

    import unified as un

    energy = un.energies.predictive([3, 2, 2])
    cost = un.costs.squared().bind(energy)
    n = un.axes("n")
    s, a = un.var("s", n), un.var("A", n, n)
    claim = un.Claim("T1", "symmetric part", [un.Step(s @ a @ s, s @ a.T @ s, "a scalar")])
    shown = (energy, cost, energy.structure(), energy.grad("z1"), claim.check())
    for thing in (*shown, un.prove(s @ a, a.T @ s)):
        text = thing._repr_latex_()
        assert text.startswith("$") and text.endswith("$")
        assert "<math" in convert(text.strip("$"))
