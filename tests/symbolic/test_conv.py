"""Oracles: explicit loops over pixels, SymPy instances, proofs with symbolic sizes, refutations."""

import re

import numpy as np
import pytest
import sympy

import unified as un
from tests.codegen.test_bad_input import one_sentence
from unified.base.errors import AxisError, InputError
from unified.symbolic.evaluate import evaluate
from unified.symbolic.floating import Floating

u, v, c, i, j, o, n = un.axes("u v c i j o n")
x, K = un.var("x", u, v, c), un.var("K", i, j, c, o)
line, short = un.var("line", u, c), un.var("short", i, c, o)


def looped(x, kernel, stride, padding):
    """The definition, pixel by pixel; directions of their own stride and padding."""
    (a, b), (p, q) = stride, padding
    high = (x.shape[0] + 2 * p - kernel.shape[0]) // a + 1
    wide = (x.shape[1] + 2 * q - kernel.shape[1]) // b + 1
    y = np.zeros((high, wide, kernel.shape[3]))
    for h, w, k, m in np.ndindex(high, wide, *kernel.shape[:2]):
        row, column = h * a + k - p, w * b + m - q
        if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]:
            y[h, w] += x[row, column] @ kernel[k, m]
    return y


@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 2)])
def test_conv_is_the_loop_over_pixels(stride, padding):
    """An offset off by one would shift every feature map, and still learn a little."""
    rng = np.random.default_rng(0)
    values = {"x": rng.normal(size=(7, 6, 2)), "K": rng.normal(size=(3, 2, 2, 4))}
    y = un.conv(x, K, stride, padding)
    want = looped(values["x"], values["K"], stride, padding)
    dims = dict(zip("uvcijo", (7, 6, 2, 3, 2, 4), strict=True))
    dims |= {a.name: k for a, k in zip(y.axes, want.shape, strict=True)}
    (got,) = evaluate([y], values, dims, Floating())
    np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-13)


def test_pooling_is_the_mean_of_its_window():
    """A sum instead of a mean would scale a layer's drive by the window."""
    values = {"x": np.random.default_rng(1).normal(size=(6, 5, 2))}
    y = un.pool(x, 2)
    dims = {"u": 6, "v": 5, "c": 2, "pool2": 2, y.axes[0].name: 3, y.axes[1].name: 2}
    (got,) = evaluate([y], values, dims, Floating())
    want = [[values["x"][2 * h : 2 * h + 2, 2 * w : 2 * w + 2].mean((0, 1)) for w in range(2)]
            for h in range(3)]  # fmt: skip
    np.testing.assert_allclose(got, want, rtol=1e-13)


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"stride": (1, 3)}])
@pytest.mark.parametrize("limit", [3000, 0])
def test_the_three_adjoints_of_a_convolution(options, limit):
    """⟨e, conv(x, K)⟩ is linear in e, x and K: a wrong adjoint in any breaks every gradient."""
    y = un.conv(x, K, **options)
    e = un.var("e", *y.axes)
    product = e.dot(y)
    for z in (e, x, K):
        proof = un.prove(z.dot(un.derivative(product, z)), product, limit=limit)
        assert proof and proof.level == ("proved" if limit else "exact"), (z, proof)
    twice = un.derivative(un.derivative(product, K), x)
    turned = un.einsum("uvdijco->ijcouvd", un.derivative(un.derivative(product, x), K))
    assert un.prove(twice, turned, limit=limit)


def test_a_wrong_adjoint_is_refuted():
    """Convolving back with the kernel as it is (not transposed) is the classical mistake."""
    same = un.var("S", i, c, c)
    y = un.conv(line, same, padding=1, axes=[u])
    e = un.var("e", u, c)
    assert un.prove(line.dot(un.derivative(e.dot(y), line)), e.dot(y))
    wrong = un.prove(un.conv(e, same, padding=1, axes=[u]), un.derivative(e.dot(y), line))
    assert wrong.verdict == "false" and wrong.counterexample.dims["i"] == 3


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"stride": 2, "padding": 1}])
def test_derivatives_are_those_of_the_explicit_instance(options):
    """SymPy, entry by entry, shares nothing with the calculus but the definition."""
    y = un.conv(line, short, **options)
    energy = (0.5 * un.tanh(y).sq()) + un.pool(line, 2, stride=1).sq()
    sizes = {"u": 4, "c": 1, "i": 2, "o": 2}
    written = un.Energy(energy, [line], [short]).instance(**sizes)
    first = sympy.Symbol("line_1_0")
    rng = np.random.default_rng(2)
    values = {"line": rng.normal(size=(4, 1)), "short": rng.normal(size=(2, 1, 2))}
    at = {sympy.Symbol("_".join(["line", *map(str, k)])): w
          for k, w in np.ndenumerate(values["line"])}  # fmt: skip
    at |= {sympy.Symbol("_".join(["short", *map(str, k)])): w
           for k, w in np.ndenumerate(values["short"])}  # fmt: skip
    slope = un.derivative(energy, line)
    bend = un.derivative(slope, line)
    dims = {a.name: k for a, k in un.Energy(energy, [line], [short], sizes={
        u: 4, c: 1, i: 2, o: 2}).sizes.items()}  # fmt: skip
    g, h = evaluate([slope, bend], values, dims, Floating())
    assert float(written.diff(first).subs(at)) == pytest.approx(g[1, 0], rel=1e-12)
    for k in range(4):
        other = sympy.Symbol(f"line_{k}_0")
        want = float(written.diff(first, other).subs(at))
        assert want == pytest.approx(h[1, 0, k, 0], rel=1e-12, abs=1e-13)


def test_a_window_squared_is_a_window():
    """Without this the square of a convolution, which screens need, would be dense."""
    y = un.conv(x, K, stride=2, padding=1)
    e = un.var("e", *y.axes)
    block = un.derivative(un.derivative(e.dot(y), e), x)
    square = un.einsum("hwouvc,hwouvc->uvc", block, block)
    again = un.derivative(un.ones(*y.axes).dot(un.conv(x, K * K, stride=2, padding=1)), x)
    assert un.prove(square, again).level == "proved"
    assert un.prove(square, again, limit=0).level == "exact"
    assert un.prove(square, 2 * again).verdict == "false"


def test_it_says_what_it_is():
    """A formula nobody can read is not checked by anybody."""
    y = un.conv(line, short, stride=2, padding=1)
    met = re.search(r"\[(\w)==2\*i\+(\w)-1\]", repr(y))
    assert met and f"line[{met[1]}," in repr(y) and f"short[{met[2]}," in repr(y)
    assert r"\delta_{" in y._repr_latex_() and "2 i + " in y._repr_latex_()


def emitted(**sizes):
    s = un.var("s", *un.conv(line, short).axes)
    energy = 0.5 * s.sq() - s.dot(un.conv(line, short))
    known = {"u": u, "c": c, "i": i, "o": o, "s": s.axes[0]}
    return un.Energy(energy, [s], [short], [line], sizes={known[k]: k2 for k, k2 in sizes.items()})


BAD = {
    "one axis": (lambda: un.conv(un.var("r", u), short), AxisError, "kernel"),
    "channels differ": (lambda: un.conv(un.var("r", u, n), short), AxisError, "'n'", "'c'"),
    "stride zero": (lambda: un.conv(line, short, stride=0), InputError, "stride", "at least 1"),
    "padding below zero": (lambda: un.conv(line, short, 1, -1), InputError, "padding", "-1"),
    "two strides in one direction": (lambda: un.conv(line, short, (1, 2)), InputError, "stride"),
    "kept axis, stride 2": (lambda: un.conv(line, short, 2, axes=[u]), AxisError, "stride 2"),
    "kernel on the input's axis": (
        lambda: un.conv(line, un.var("r", u, c, o)), AxisError, "its own",
    ),
    "pool of nothing": (lambda: un.pool(line, 0), InputError, "size", "at least 1"),
    "pool of a vector": (lambda: un.pool(un.var("r", u), 2), AxisError, "pool"),
    "kernel too large": (lambda: emitted(u=3, i=4), InputError, "kernel axis i", "3", "4"),
    "output of another size": (lambda: emitted(u=6, i=3, s=5), InputError, "size 4", "5"),
    "proof at sizes that do not fit": (
        lambda: un.prove(un.conv(line, short), un.conv(line, short) * 2,
                         dims=[{"u": 2, "i": 3, "c": 1, "o": 1}]), InputError, "kernel axis i",
    ),
    "no shape": (lambda: un.energies.conv_hopfield((8, 8), [4]), InputError, "shape", "(8, 8)"),
    "pool too large": (
        lambda: un.energies.conv_hopfield((4, 4, 1), [4], pool=3), InputError, "pool3", "2", "3",
    ),
    "a stride too many": (
        lambda: un.energies.conv_predictive((8, 8, 1), [4, 4], stride=[1]), InputError, "stride",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_shape_that_does_not_fit_gets_one_sentence(name):
    """An error from a matrix product deep inside does not say which layer is wrong."""
    make, kind, *words = BAD[name]
    with pytest.raises(kind) as caught:
        make()
    one_sentence(caught.value, *words)
