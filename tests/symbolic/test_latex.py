"""Oracle: the LaTeX read back as a formula and evaluated, and strings written by hand."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
import sympy
from hypothesis import HealthCheck, given, settings
from latex2mathml.converter import convert

import unified as un
from tests.strategies import energies
from tests.symbolic.latex_reader import Eye, Reader
from tests.symbolic.oracle import dims_of, flat, written
from tests.tolerances import TOL
from unified.base.errors import InputError
from unified.energies.show import energy_text
from unified.symbolic import Expr, derivative
from unified.symbolic.instance import symbols_of
from unified.symbolic.latex import latex
from unified.symbolic.latex_scalar import name_tex

n, m = un.axes("n m")
DIMS = {"n": 3, "m": 2}
v, u, x, W = un.var("v", n), un.var("u", n), un.var("x", m), un.var("W", n, m)
A, B, S = un.var("A", n, n), un.var("B", n, n), un.var("S", n, n, symmetric=True)
c, d, beta = un.scalar("c"), un.scalar("d"), un.scalar("beta")
T = un.var("T", n, m, n)
rho = un.fn(sympy.Function("rho"))


def convertible(text: str) -> None:
    """Fails if the formula cannot become well-formed MathML."""
    ElementTree.fromstring(convert(text))
    assert "+ -" not in text and "- -" not in text and "--" not in text


def misread(expr: Expr, dims: dict[str, int], seed: int = 1, shown: str | None = None) -> float:
    """How far the LaTeX of an expression, evaluated, is from its explicit instance."""
    text = latex(expr) if shown is None else shown
    rng = np.random.default_rng(seed)
    values, point = {}, {}
    for var in expr.free:
        array = np.array(rng.uniform(-1, 1, [dims[a.name] for a in var.axes]))
        if var.symmetric:
            array = (array + array.T) / 2
        values[name_tex(var.name).replace("{", "").replace("}", "")] = (
            array[:, None] if array.ndim == 1 else array if array.ndim else float(array)
        )
        names = symbols_of(var, dims_of(dims, var))
        point.update(zip(flat(names), array.ravel(), strict=True))
    entries = sympy.lambdify(list(point), flat(written(expr, dims)), modules="scipy", cse=True)
    right = np.reshape(entries(*point.values()), [dims[a.name] for a in expr.axes])
    read = Reader(text, values).read()
    if isinstance(read, Eye):
        read = read.scale * np.eye(len(right))
    shape = (*right.shape, 1) if right.ndim == 1 else right.shape
    return float(np.max(np.abs(np.broadcast_to(read, shape) - right.reshape(shape))))


READABLE = [
    W @ x, W.T @ v, v @ W @ x, (W @ x).sq(), v @ A @ v, v @ S @ u, A @ B @ v, A.T, A @ B.T, A * B.T,
    un.einsum("ij,ji->", A, B), un.einsum("ij,ij->", A, B), (W * W).sum(), un.einsum("ii->", A @ B),
    un.einsum("ij,jk,ki->", A, A, B), un.inv(A).T @ v, un.inv(A + un.outer(v, u)), un.inv(S) @ v,
    un.logdet(A @ B + S) * c, v.sum(), A.sum(), W.sum() * v, beta * (v @ A @ u), c * (v @ u) * W,
    (v @ u) * (A @ v), un.eye(n) * 3 + A, un.eye(n), un.einsum("i,ij->ij", v, un.eye(n)),
    un.einsum("ii->i", A) * u, un.einsum("ij,ij,i->j", A, B, v), un.einsum("i,ij,j->ij", v, W, x),
    un.einsum("ij,jk,j->ik", A, B, v), un.einsum("ij,i,i->", A, v, u), un.outer(v, x), v * v * u,
    un.einsum("ij,ij,i,j->", W, W, v, x), un.exp(W @ x) @ v, un.tanh(un.outer(v, x)) @ x, v + 3,
    (2 + v * u) / (3 + c * c), 1 / (3 + v), (2 + v) ** -2, v**3 - u, -(v - u), 2 * (v - u), 0.1 * v,
    (v + u) ** 5, un.fn("sigmoid")(v + c), un.outer(v + u, u - v) - A, (A + B) @ (v + u), c + d * c,
    un.softmax(A @ v), un.logsumexp(-v) + c, un.ones(n).sum() * c * v.sum() / 7, u @ (v - A @ u),
    un.einsum("ij,j->ij", A, v) + un.outer(v, v), -(A @ v) - v, (A @ v) * (B @ u), (c - d) * v,
    un.einsum("ij,jk,kl,jm,m->il", A, B, A, B, v), un.einsum("ij,kj,lj,jk->il", A, A, A, B),
    un.einsum("ij->i", W) * v, (v.sum() * c - d) * A, un.tanh(c) * un.tanh(d) * (v @ v),
]  # fmt: skip


@pytest.mark.parametrize("k", range(len(READABLE)))
def test_reading_the_latex_gives_the_value(k):
    """A wrong transpose or a missing bracket in print is a wrong formula in someone's paper."""
    assert not re.search(r"\\sum|_\{ijk", latex(READABLE[k])), "in matrix notation, so readable"
    text = re.sub(r"\bn\b", "3", latex(READABLE[k]))
    assert misread(READABLE[k], DIMS, shown=text) < TOL["float64"].derived, text
    convertible(latex(READABLE[k]))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(energies(depth=3))
def test_random_energies_read_back(made):
    """Precedence and orientation must hold for formulas nobody has looked at."""
    energy, _ = made
    for y in (energy.expr, *energy.gradient.values(), *energy.rules.values()):
        text = latex(y)
        convertible(text)
        # index notation is not read, and a constant inside logsumexp does not show its size
        if not re.search(r"\\sum|_\{[ij]|mathbf\{0\}|max\\left\([0-9]|exp\\left\([0-9]", text):
            assert misread(y, DIMS, shown=re.sub(r"\bn\b", "3", text)) < 1e-8, text


def test_the_reader_notices_mistakes():
    """Negative control: a reader that accepts anything would prove nothing."""
    y = v @ A @ u + un.tanh(c) * (W @ x) @ v
    good = latex(y)
    assert misread(y, DIMS, shown=good) < 1e-12
    assert misread(y, DIMS, shown=good.replace("v^\\top A u", "u^\\top A v")) > 1e-3
    assert misread(y, DIMS, shown=good.replace("A", "A^\\top")) > 1e-3
    assert misread(y, DIMS, shown=good.replace("\\tanh", "\\cos")) > 1e-3


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (0.5 * (v @ S @ v), r"\tfrac{1}{2} v^\top S v"),
        (0.5 * v.sq(), r"\tfrac{1}{2} \lVert v \rVert^{2}"),
        (v - un.tanh(W @ x), r"v - \tanh\left(W x\right)"),
        (un.tanh(W @ x) - v, r"\tanh\left(W x\right) - v"),
        (un.outer(v, x), r"v x^\top"),
        (un.einsum("ij,jk,ki->", A, B, S), r"\operatorname{tr}\left(A B S\right)"),
        ((A * A).sum(), r"\lVert A \rVert_{F}^{2}"),
        (un.einsum("i,ij->ij", v, un.eye(n)), r"\operatorname{diag}\left(v\right)"),
        (un.inv(A).T, r"A^{-\top}"),
        (un.inv(S) @ v, r"S^{-1} v"),
        (un.logdet(S), r"\log\det S"),
        (un.eye(n) + W @ W.T, r"I + W W^\top"),
        (derivative(rho(v).sum(), v), r"\rho'\left(v\right)"),
        (derivative(un.tanh(v).sum(), v), r"1 - \tanh^{2}\left(v\right)"),
        (un.var("s1", n) * un.var("b_out", n), r"b_{\mathrm{out}} \odot s_{1}"),
        (v - v, r"\mathbf{0}"),
        (c - c, "0"),
        (un.ones(n), r"\mathbf{1}"),
        (un.einsum("ij,kj,lj->ikl", W, W, W), r"\sum_{l} W_{il} W_{jl} W_{kl}"),
        (un.einsum("ijk,j->ik", T, x), r"\sum_{k} T_{ikj} x_{k}"),
    ],
)
def test_notation_is_what_a_reader_expects(expr, text):
    """Right but unreadable formulas are not read, and then nobody finds the error in them."""
    assert latex(expr) == text
    convertible(text)


def test_hopfield_dynamics_and_rule_as_in_the_papers():
    """The first thing the demo prints."""
    energy = un.energies.hopfield([4, 3, 2], rho=sympy.Function("rho"))
    assert latex(energy.grad("s1")) == (
        r"s_{1} - \rho'\left(s_{1}\right) \odot "
        r"\left(W_{1}^\top x + W_{2} \rho\left(s_{2}\right) + b_{1}\right)"
    )
    assert latex(energy.rule("W2")) == (
        r"-\rho\left(s_{1}\right) \rho\left(s_{2}\right)^\top"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s", "s"), ("s1", "s_{1}"), ("W12", "W_{12}"), ("b_out", r"b_{\mathrm{out}}"),
        ("beta", r"\beta"), ("beta_1", r"\beta_{1}"), ("Sigma2", r"\Sigma_{2}"),
        ("eps", r"\varepsilon"), ("weight", r"\mathrm{weight}"), ("s_1_2", "s_{1,2}"),
        ("b_out_2", r"b_{\mathrm{out},2}"), ("x_", "x"), ("W1a", "W_{1,a}"),
    ],
)  # fmt: skip
def test_names_are_typeset(name, text):
    """A double subscript stops LaTeX from compiling at all."""
    assert name_tex(name) == text


def test_given_names_replace_and_are_checked():
    """A misspelt name in `names` would leave the formula unchanged without a word."""
    assert latex(W.T @ v, {"W": "W^{*}"}) == r"\left(W^{*}\right)^\top v"
    with pytest.raises(InputError, match="names"):
        latex(W @ x, {"Q": "q"})


LIBRARY = [
    un.energies.hopfield([3, 2, 3]), un.energies.hopfield([3, 2, 2], rho="sigmoid"),
    un.energies.recurrent(3, 2), un.energies.predictive([3, 2, 2]),
    un.energies.predictive([3, 2, 2], precision="full"),
    un.energies.predictive([3, 2, 2], precision="full", convention="Wf(z)"),
    un.energies.linear_gaussian(3, 2), un.energies.hopfield([3, 2], rho=sympy.Function("rho")),
    un.energies.hopfield([3, 2], rho="relu"), un.energies.predictive([3, 2, 2], f="erf"),
]  # fmt: skip


@pytest.mark.parametrize("k", range(len(LIBRARY)))
def test_library_views_become_mathml(k):
    """The report falls back to raw LaTeX source if one formula cannot be converted."""
    for what in ("energy", "dynamics", "rules", "hessian"):
        convertible(LIBRARY[k].latex(what))
    assert LIBRARY[k]._repr_latex_().startswith("$") and "None" not in energy_text(LIBRARY[k])


@pytest.mark.parametrize("k", range(7))
def test_library_formulas_read_back(k):
    """What the demo prints must be what the demo computes."""
    energy = LIBRARY[k]
    # all axes of different size, so that a transposed matrix cannot be read by accident
    dims = {a.name: 2 + i for i, a in enumerate(energy.sizes)}
    formulas = [*energy.gradient.values(), *energy.rules.values(), *energy.hessians.values()]
    for y in (energy.expr, *formulas):
        assert misread(y, dims) < TOL["float64"].derived, latex(y)


def test_hessian_view_shows_structural_zeros():
    """The block pattern is how a reader sees that a chain is a chain."""
    shown = un.energies.hopfield([2, 2, 2, 2]).latex("hessian")
    matrix = shown[shown.index("pmatrix") : shown.index(r"\end{pmatrix}")]
    assert len(re.findall(r"(?<![A-Za-z0-9_{])0(?![0-9])", matrix)) == 2
    assert matrix.count("H_") == 7


def test_summary_names_everything():
    """A terminal user has only this."""
    summary = energy_text(un.energies.predictive([3, 2, 2]))
    for word in ("z1[n1]", "W2[n2, n1]", "x[n0]", "dz1/dt", "dE/dW1", "dense", "diagonal"):
        assert word in summary
