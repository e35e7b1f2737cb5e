"""Every mistake gets one sentence: the argument, what was expected, what came, the remedy."""

import re

import numpy as np
import pytest

import unified as un
from unified.base.errors import AxisError, InputError

n, m = un.axes("n m")
s, t, W = un.var("s", n), un.var("t", m), un.var("W", n, m)
X, Y = np.ones((5, 3)), np.eye(2)[[0, 1, 1, 0, 1]]
STATE = {"s1": np.ones((5, 4)), "s2": np.ones((5, 2))}
NET = un.emit(un.energies.hopfield([3, 4, 2]), un.costs.squared(), backend="numpy")
BARE = un.emit(un.energies.hopfield([3, 4, 2]), backend="numpy")
LOOP = un.emit(un.energies.recurrent(3), backend="numpy")
P = NET.init(0)
FREE = un.Phase.free(X)


def one_sentence(error, *words):
    """Assert the shape of the message and that it names all `words`."""
    text = str(error)
    shape = r"[^\n]+: expected [^\n]+, (got|but got) [^\n]+; [^\n]+[^.]\."
    assert re.fullmatch(shape, text), text
    for word in words:
        assert word in text, (word, text)


def spoilt(values, name, value):
    """`values` with one entry of one array replaced."""
    array = np.array(values[name], dtype=float)
    array.flat[0] = value
    return {**values, name: array}


CASES = {
    "missing param": (lambda: NET.energy(STATE, {k: P[k] for k in P if k != "b1"}, FREE), "'b1'"),
    "extra param": (lambda: NET.energy(STATE, P | {"b9": P["b1"]}, FREE), "'b9'"),
    "params no dict": (lambda: NET.energy(STATE, list(P.values()), FREE), "params", "list"),
    "missing state": (lambda: NET.energy({"s1": STATE["s1"]}, P, FREE), "'s2'"),
    "extra state": (lambda: NET.energy(STATE | {"s3": Y}, P, FREE), "'s3'"),
    "param of wrong rank": (lambda: NET.energy(STATE, P | {"b1": P["W1"]}, FREE), "b1", "(n1)"),
    "transposed param": (lambda: NET.energy(STATE, P | {"W1": P["W1"].T}, FREE), "axis n"),
    "text for a param": (lambda: NET.energy(STATE, P | {"b1": "zero"}, FREE), "b1", "numbers"),
    "ragged param": (lambda: NET.energy(STATE, P | {"W1": [[1.0], [1.0, 2.0]]}, FREE), "W1"),
    "NaN in a param": (lambda: NET.energy(STATE, spoilt(P, "W2", np.nan), FREE), "W2", "NaN"),
    "inf in a param": (lambda: NET.energy(STATE, spoilt(P, "b2", np.inf), FREE), "b2", "finite"),
    "complex param": (lambda: NET.energy(STATE, P | {"b1": 1j * P["b1"]}, FREE), "b1", "real"),
    "NaN in data": (lambda: NET.energy(STATE, P, un.Phase.free(X * np.nan)), "x", "15 NaN"),
    "inf in the target": (lambda: NET.energy(STATE, P, un.Phase.nudged(X, Y * np.inf, 1)), "y"),
    "NaN in a state": (lambda: NET.energy(spoilt(STATE, "s1", np.nan), P, FREE), "s1"),
    "asymmetric W": (
        lambda: LOOP.energy({"s": np.ones(3)}, {"W": np.triu(np.ones((3, 3))), "b": np.ones(3)},
                            un.Phase.free()), "W", "symmetric", "(W + W.T)/2",
    ),
    "wrong width": (lambda: NET.energy(STATE, P, un.Phase.free(np.ones((5, 7)))), "axis n0", "7"),
    "empty batch": (lambda: NET.energy(STATE, P, un.Phase.free(X[:0])), "x", "empty batch"),
    "labels for one-hot": (lambda: NET.energy(STATE, P, un.Phase.nudged(X, [0, 1, 1, 0, 1], 0.1)),
                           "y", "one-hot"),
    "targets too wide": (lambda: NET.energy(STATE, P, un.Phase.nudged(X, np.eye(5), 1)), "y", "5"),
    "rows that do not match": (lambda: NET.energy(STATE, P, un.Phase.nudged(X, Y[:3], 0.1)), "y"),
    "state of another batch": (lambda: NET.energy({k: v[:3] for k, v in STATE.items()}, P,
                                                  un.Phase.nudged(X, Y, 0.1)), "state", "3"),
    "states of two batches": (lambda: NET.force({"s1": np.ones((5, 4)), "s2": np.ones((4, 2))}, P,
                                                FREE), "state", "samples"),
    "no input": (lambda: NET.energy(STATE, P, un.Phase.free()), "'x'"),
    "inputs by wrong name": (lambda: NET.energy(STATE, P, un.Phase.free({"u": X})), "'u'"),
    "clamped phase": (lambda: NET.hessian(STATE, P, un.Phase.clamped(X, Y)), "phase", "clamped"),
    "nudge without cost": (lambda: BARE.hessian(STATE, P, un.Phase.nudged(X, Y, 0.1)), "phase"),
    "hvp without cost": (lambda: BARE.hvp(STATE, P, un.Phase.nudged(X, Y, 0.1), STATE), "phase"),
    "cost without cost": (lambda: BARE.cost(STATE, P, FREE), "cost"),
    "two nudges at once": (lambda: NET.force(STATE, P, un.Phase.nudged(X, Y, [0.1, 0.2])), "beta"),
    "half a direction": (lambda: NET.hvp(STATE, P, FREE, {"s1": STATE["s1"]}), "direction", "'s2'"),
    "one direction for all": (lambda: NET.hvp(STATE, P, FREE, {k: v[0] for k, v in STATE.items()}),
                              "direction", "5 samples"),
    "unknown backend": (lambda: un.emit(NET.model, backend="torch"), "backend", "'torch'"),
    "unknown dtype": (lambda: un.emit(NET.model, dtype="float16"), "dtype", "'float16'"),
    "no energy": (lambda: un.emit(s.sq()), "energy", "Einsum"),
    "no key": (lambda: NET.init(None), "key"),
    "sizes unknown": (lambda: un.emit(un.Energy(s @ W @ t + s.sq(), [s, t], [W]),
                                      backend="numpy").init(0), "axis n"),
    "beta zero": (lambda: un.Phase.nudged(X, Y, 0.0), "beta", "nonzero", "Phase.free"),
    "beta NaN": (lambda: un.Phase.nudged(X, Y, np.nan), "beta", "finite"),
    "beta infinite": (lambda: un.Phase.nudged(X, Y, np.inf), "beta", "finite"),
    "beta text": (lambda: un.Phase.nudged(X, Y, "0.1"), "beta", "number"),
    "nudge without target": (lambda: un.Phase.nudged(X, None, 0.1), "y", "target"),
    "clamp without target": (lambda: un.Phase.clamped(X, None), "y", "target"),
    "state not in the energy": (lambda: un.Energy(s.sq(), [s, t]), "'t'"),
    "param not in the energy": (lambda: un.Energy(s.sq(), [s], [W]), "'W'"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:(divide|invalid value):RuntimeWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_mistake_gets_one_sentence(name):
    """Without it the mistake surfaces as a number, or as a trace from inside the array library."""
    call, *words = CASES[name]
    with pytest.raises(InputError) as caught:
        call()
    one_sentence(caught.value, *words)


def test_axes_that_do_not_match_are_both_named():
    """`shapes (3,) and (4,)` does not say which of five layers is meant."""
    with pytest.raises(AxisError) as caught:
        s @ W.T
    assert "n" in str(caught.value) and "m" in str(caught.value)


def test_an_energy_without_params_has_no_rule():
    """It used to be a KeyError about the generator's own names."""
    program = un.emit(un.Energy(s.sq(), [s]), backend="numpy")
    assert program.rule({"s": np.ones(3)}, {}, un.Phase.free()) == {}
