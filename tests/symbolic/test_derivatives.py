"""Oracle: SymPy's scalar derivatives of the explicit instance, at random points, 40 digits."""

import pytest
import sympy
from hypothesis import HealthCheck, given, settings

import unified as un
from tests.strategies import energies
from tests.symbolic.oracle import EXACT, distance, flat, gradient_error, written
from unified.symbolic import derivative, gradients
from unified.symbolic.diff import directional

n, m, k = un.axes("n m k")
DIMS = {"n": 3, "m": 2, "k": 2}
SMALL = {"n": 2, "m": 3, "k": 1}
s, u, v = un.var("s", n), un.var("u", n), un.var("v", n)
x, W, c = un.var("x", m), un.var("W", n, m), un.scalar("c")
A, B, S = un.var("A", n, n), un.var("B", n, n), un.var("S", n, n, symmetric=True)
T = un.var("T", n, m, k)
rho = un.fn(sympy.Function("rho"))
eye = un.eye(n)

EXPRESSIONS = {
    "square": s.sq(),
    "form": s @ A @ s,
    "form, symmetric": s @ S @ s,
    "form, abstract": rho(s) @ W @ rho(x),
    "trace of a product": un.einsum("ij,ji->", A, B),
    "diagonal": un.einsum("ii,i->", A, s),
    "a vector on one label four times": un.einsum("i,i,i,i->", s, s, u, s),
    "cube of a matrix": un.einsum("ij,jk,kl->il", A, A, A),
    "three matrices on one label": un.einsum("ij,kj,lj->ikl", W, W, W),
    "inverse": u @ un.inv(A) @ v,
    "inverse, symmetric": un.inv(S) @ s,
    "inverse of a sum": un.inv(eye + 0.5 * un.outer(s, s)) @ u,
    "log det": un.logdet(A) * c,
    "log det, symmetric": un.logdet(S),
    "log det of a sum": un.logdet(A @ A.T + eye),
    "log sum exp": un.logsumexp(W.T @ s),
    "log sum exp over rows": un.logsumexp(W),
    "softmax": un.softmax(A @ s),
    "softmax over rows": un.softmax(W) @ x,
    "broadcast": (s + c) * (s + c) + un.ones(n) * 3,
    "sum of ones": un.ones(n).sum() * s.sq(),
    "delta": un.einsum("ij,i->ij", eye, s),
    "trace of delta": un.einsum("ii->", eye) * s.sum() + un.einsum("ij,ji->", eye, A),
    "division": s / (2 + u * u) + 1 / (3 + c * c),
    "powers": s**3 + (1 + s * s) ** 0.5 + (2 + s * s) ** -2,
    "named laws": sum((un.fn(f)(s) for f in ("tanh", "sigmoid", "softplus", "erf", "atan")), s),
    "nonsmooth laws": un.fn("relu")(s) * u + un.fn("hard_sigmoid")(A @ s),
    "scalar laws": un.tanh(s.sq() * c) * un.exp(c),
    "three axes": un.einsum("ijk,i,j->k", T, s, un.tanh(x)),
    "prediction error": (s - un.tanh(W @ x)).sq() + 0.5 * (un.log(2 + s * s)).sum(),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_first_derivatives_agree_with_sympy(name):
    """A wrong gradient makes every force, rule and estimate wrong, silently."""
    y = EXPRESSIONS[name]
    for var in sorted(y.free, key=lambda v: v.name):
        assert gradient_error(y, var, DIMS) < EXACT, var


@pytest.mark.parametrize("name", [name for name, y in EXPRESSIONS.items() if not y.axes])
def test_second_derivatives_agree_with_sympy(name):
    """A wrong Hessian gives a wrong certificate: an unstable point would be called stable."""
    y = EXPRESSIONS[name]
    variables = sorted(y.free, key=lambda v: v.name)
    for a in variables:
        g = derivative(y, a)
        for b in variables:
            assert gradient_error(g, b, SMALL) < EXACT, (a, b)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(energies())
def test_random_energies_have_right_gradients(made):
    """Combinations nobody thought of are where a tensor calculus breaks."""
    energy, dims = made
    for var in energy.variables.values():
        assert gradient_error(energy.expr, var, dims) < EXACT


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(energies(depth=2, largest=2))
def test_random_energies_have_right_hessians_and_products(made):
    """Newton steps and Lanczos use these; a wrong block stops them converging or misleads them."""
    energy, dims = made
    along = {v: un.var(f"d{v.name}", *v.axes) for v in energy.states}
    products = energy.hvp({v.name: d for v, d in along.items()})
    for a in energy.states:
        total = 0
        for b in energy.states:
            block = energy.hessian(a, b)
            assert gradient_error(energy.grad(a), b, dims, block) < EXACT
            total = total + block @ along[b]
        assert distance(flat(written(products[a.name], dims)), flat(written(total, dims))) < EXACT


def test_one_sweep_gives_what_separate_sweeps_give():
    """The shared reverse sweep must not let one variable's adjoint leak into another's."""
    y = EXPRESSIONS["prediction error"]
    for var, g in zip([s, W, x], gradients(y, [s, W, x]), strict=True):
        assert gradient_error(y, var, DIMS, g) < EXACT


def test_directional_is_the_sum_over_all_directions():
    """Hessian-vector products are built on it."""
    y = s @ A @ un.tanh(s)
    d, e = un.var("d", n), un.var("e", n, n)
    ours = directional(y, {s: d, A: e})
    theirs = derivative(y, s) @ d + un.einsum("ij,ij->", derivative(y, A), e)
    assert distance(flat(written(ours, DIMS)), flat(written(theirs, DIMS))) < EXACT


FIELD = 0.5 * s.sq() - rho(s) @ W @ rho(x) - s @ A @ u
SLOPE = un.fn(sympy.Lambda(sympy.Symbol("q"), sympy.diff(sympy.Function("rho")(sympy.Symbol("q")))))
RIGHT = s - SLOPE(s) * (W @ rho(x)) - A @ u
WRONG = {
    "a transposed A": s - SLOPE(s) * (W @ rho(x)) - A.T @ u,
    "a missing rho'": s - W @ rho(x) - A @ u,
    "a wrong sign": s + SLOPE(s) * (W @ rho(x)) - A @ u,
    "a wrong factor": 2 * s - SLOPE(s) * (W @ rho(x)) - A @ u,
    "rho for rho'": s - rho(s) * (W @ rho(x)) - A @ u,
}


def test_the_right_formula_passes_the_comparison():
    """Without this the negative controls below could fail for the wrong reason."""
    assert gradient_error(FIELD, s, DIMS, RIGHT) < EXACT


@pytest.mark.parametrize("mistake", WRONG)
def test_wrong_formulas_fail_the_comparison(mistake):
    """Negative control: a comparison that cannot fail proves nothing."""
    assert gradient_error(FIELD, s, DIMS, WRONG[mistake]) > 1e-3


def test_unsymmetrised_rule_fails_for_symmetric_weights():
    """Negative control: a rule outside the symmetric matrices breaks W = Wᵀ in learning."""
    y = s @ S @ u
    assert gradient_error(y, S, DIMS) < EXACT
    assert gradient_error(y, S, DIMS, un.outer(s, u)) > 1e-3
