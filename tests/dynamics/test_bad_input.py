"""Every mistake made in calling `relax` gets one sentence."""

import numpy as np
import pytest

import unified as un
from tests.codegen.test_bad_input import one_sentence
from unified.base.errors import InputError

n, m, k = un.axes("n m k")
X, Y = np.ones((5, 3)), np.eye(2)[[0, 1, 1, 0, 1]]
FREE = un.Phase.free(X)


@pytest.fixture(scope="module")
def call(layered):
    """`relax` with good arguments except those given."""

    def relaxed(program=layered, params=None, phase=FREE, method=None, tol=None, **more):
        params = layered.init(0) if params is None else params
        return un.relax(program, params, phase, method, tol, **more)

    return relaxed


START = {"s1": np.ones((5, 6)), "s2": np.ones((5, 4)), "s3": np.ones((5, 2))}
NUMPY = un.emit(un.energies.hopfield([3, 6, 4, 2]), backend="numpy")
BARE = un.emit(un.energies.hopfield([3, 6, 4, 2]))
KINKED = un.emit(un.energies.hopfield([3, 6, 4, 2], rho="relu"), un.costs.squared())
ERF = un.emit(un.energies.hopfield([3, 6, 4, 2], rho="erf"), un.costs.squared())
ONE = un.emit(un.energies.hopfield([3, 2]), un.costs.squared())
s, c = un.var("s", n), un.scalar("c")
SCALAR = un.emit(un.Energy(c * c, [c]))
u, v = un.var("u", n), un.var("v", n)
TWO = un.emit(
    un.Energy(s.sq() - un.tanh(s) @ u + s @ v, [s], [], [u, v], sizes={n: 3}), un.costs.squared()
)
CASES = {
    "NumPy program": ({"program": NUMPY}, "backend='jax'", "'numpy'"),
    "scalar state": ({"program": SCALAR, "params": {}}, "state c", "vector"),
    "no such method": ({"method": "newton"}, "method", "un.Newton()"),
    "tol zero": ({"tol": 0.0}, "tol", "positive"),
    "tol NaN": ({"tol": float("nan")}, "tol"),
    "nudge, no cost": ({"program": BARE, "phase": un.Phase.nudged(X, Y, 0.1)}, "phase", "cost"),
    "one layer clamped": (
        {"program": ONE, "params": ONE.init(0), "phase": un.Phase.clamped(X, Y)}, "clamp", "'s1'",
    ),
    "empty batch": ({"phase": un.Phase.free(X[:0])}, "x", "empty batch"),
    "wrong width": ({"phase": un.Phase.free(np.ones((5, 4)))}, "axis n0", "3", "4"),
    "ragged data": ({"phase": un.Phase.free([[1.0], [1.0, 2.0]])}, "x", "ragged"),
    "NaN data": ({"phase": un.Phase.free(X * np.nan)}, "x", "finite"),
    "NaN target": ({"phase": un.Phase.nudged(X, Y * np.nan, 0.1)}, "y", "finite"),
    "no data": ({"phase": un.Phase.free()}, "'x'", "none"),
    "complex data": ({"phase": un.Phase.free(X * 1j)}, "x", "real"),
    "start of another width": ({"start": START | {"s1": np.ones((5, 7))}}, "axis n1", "7"),
    "start of another batch": ({"start": {q: w[:1] for q, w in START.items()}}, "start s1", "5"),
    "half a start": ({"start": {"s1": START["s1"]}}, "start", "'s2'"),
    "NaN start": ({"start": START | {"s1": START["s1"] * np.nan}}, "s1", "finite"),
    "complex nudge, relu": (
        {"program": KINKED, "phase": un.Phase.nudged(X, Y, 0.1j)}, "holomorphic", "relu",
    ),
    "complex nudge, erf": (
        {"program": ERF, "phase": un.Phase.nudged(X, Y, 0.1j)}, "complex", "erf",
    ),
    "two inputs, one array": (
        {"program": TWO, "params": {}, "phase": un.Phase.free(X)}, "x", "u, v",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_gets_one_sentence(call, name):
    """A shape error from inside a compiled loop does not say which array was meant."""
    arguments, *words = CASES[name]
    with pytest.raises(InputError) as caught:
        call(**arguments)
    one_sentence(caught.value, *words)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: un.Newton(max_steps=0), "max_steps"),
        (lambda: un.Newton(linear="lu"), "linear"),
        (lambda: un.FixedPoint(anderson=-1), "anderson"),
        (lambda: un.Flow(rtol=0.0), "rtol"),
        (lambda: un.Flow(first=-0.1), "first"),
    ],
)
def test_a_bad_setting_gets_one_sentence(make, word):
    """Zero steps would return the start as if it were a result."""
    with pytest.raises(InputError) as caught:
        make()
    one_sentence(caught.value, word)
