"""Every mistake made with an estimator gets one sentence."""

import numpy as np
import pytest
import sympy

import unified as un
from tests.codegen.test_bad_input import one_sentence
from tests.learning.nets import data_of, params_of
from unified.base.errors import InputError


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: un.OneSided(0.0), ("beta", "nonzero")),
        (lambda: un.OneSided(float("nan")), ("beta", "finite")),
        (lambda: un.OneSided(float("inf")), ("beta", "finite")),
        (lambda: un.OneSided(0.1j), ("beta", "real", "un.Holomorphic")),
        (lambda: un.OneSided(np.array([0.1, 0.2])), ("beta", "one number")),
        (lambda: un.OneSided(True), ("beta", "number")),
        (lambda: un.Centered("0.1"), ("beta", "number")),
        (lambda: un.Centered(np.array(0.0)), ("beta", "nonzero")),
        (lambda: un.Holomorphic(-0.1), ("radius", "positive")),
        (lambda: un.Holomorphic(0.0), ("beta", "nonzero")),
        (lambda: un.Holomorphic(0.1, 1), ("points", "at least 2")),
        (lambda: un.PredictiveCoding(0.0), ("beta", "nonzero")),
        (lambda: un.PredictiveCoding(1j), ("beta", "real")),
        (lambda: un.PredictiveCoding(float("nan")), ("beta", "finite")),
        (lambda: un.PredictiveCoding(float("-inf")), ("beta", "finite")),
        (lambda: un.Unrolled(0), ("steps", "at least 1")),
        (lambda: un.Unrolled(5, eta=-0.1), ("eta", "positive")),
        (lambda: un.Unrolled(5, start="middle"), ("start", "'rest'")),
    ],
)
def test_a_bad_setting_gets_one_sentence(make, words):
    """A nudge of zero divides by zero much later, inside a compiled step."""
    with pytest.raises(InputError) as caught:
        make()
    one_sentence(caught.value, *words)


def odd_nets():
    """Programs that some estimator must refuse."""
    hop, costs = un.energies.hopfield, un.costs
    n = un.axes("n")
    s, x = un.var("s", n), un.var("x", n)
    clip = sympy.Lambda(sympy.Symbol("q"), sympy.Abs(sympy.Symbol("q")) / 2)
    return {
        "relu": un.emit(hop([3, 4, 2], rho="relu"), costs.squared()),
        "hard_sigmoid": un.emit(hop([3, 4, 2], rho="hard_sigmoid"), costs.squared()),
        "abs": un.emit(hop([3, 4, 2], rho=clip), costs.squared()),
        "erf": un.emit(hop([3, 4, 2], rho="erf"), costs.squared()),
        "no cost": un.emit(hop([3, 4, 2])),
        "numpy": un.emit(hop([3, 4, 2]), costs.squared(), backend="numpy"),
        "no params": un.emit(un.Energy(0.5 * (s - x).sq(), [s], [], [x]), costs.squared()),
        "one layer": un.emit(hop([3, 2]), costs.squared()),
        "hopfield": un.emit(hop([3, 4, 2]), costs.squared()),
        "precisions": un.emit(un.energies.predictive([3, 4, 2], precision="full"), costs.squared()),
        "single": un.emit(hop([3, 4, 2]), costs.squared(), dtype="float32"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def odd():
    return odd_nets()


REFUSED = [
    ("relu", un.Holomorphic(), ("holomorphic", "relu")),
    ("hard_sigmoid", un.Holomorphic(), ("holomorphic", "hard_sigmoid")),
    ("abs", un.Holomorphic(), ("holomorphic", "Abs")),
    ("erf", un.Holomorphic(), ("complex", "erf")),
    ("no cost", un.OneSided(), ("program", "cost")),
    ("no cost", un.Implicit(), ("program", "cost")),
    *(("numpy", e, ("backend='jax'",)) for e in (un.Centered(), un.Unrolled())),
    ("no params", un.OneSided(), ("params",)),
    ("one layer", un.Contrastive(), ("clamp", "'s1'")),
    ("one layer", un.PredictiveCoding(), ("clamp", "'s1'")),
    ("hopfield", un.PredictiveCoding(0.1), ("forward pass", "W1")),
    ("precisions", un.PredictiveCoding(0.1), ("forward pass", "P1")),
    ("hopfield", un.FiniteDifference(limit=5), ("at most 5", "limit")),
    ("single", un.FiniteDifference(), ("float64",)),
]  # fmt: skip


@pytest.mark.parametrize(("net", "estimator", "words"), REFUSED)
def test_a_net_that_does_not_fit_is_refused(odd, net, estimator, words):
    """A rule applied where its theorem does not hold returns numbers all the same."""
    p = odd[net]
    params = p.init(0) if net != "no params" else {}
    x = np.ones((4, 2)) if net == "no params" else np.ones((4, 3))
    with pytest.raises(InputError) as caught:
        estimator(p, params, x, np.ones((4, 2)))
    one_sentence(caught.value, *words)


MISTAKES = {
    "no target": (lambda a, x, y: (a, x, None), ("y", "target")),
    "empty batch": (lambda a, x, y: (a, x[:0], y[:0]), ("empty batch",)),
    "wrong width": (lambda a, x, y: (a, x[:, :2], y), ("axis n0",)),
    "labels": (lambda a, x, y: (a, x, y.argmax(axis=1)), ("one-hot",)),
    "too many classes": (lambda a, x, y: (a, x, np.eye(4)), ("axis n2", "4")),
    "rows": (lambda a, x, y: (a, x, y[:2]), ("samples",)),
    "NaN": (lambda a, x, y: (a, x * np.nan, y), ("finite",)),
    "inf target": (lambda a, x, y: (a, x, np.full_like(y, np.inf)), ("y", "finite")),
    "missing param": (lambda a, x, y: ({k: a[k] for k in a if k != "b2"}, x, y), ("'b2'",)),
    "extra param": (lambda a, x, y: (a | {"b3": a["b2"]}, x, y), ("'b3'",)),
    "NaN param": (lambda a, x, y: (a | {"b2": a["b2"] * np.nan}, x, y), ("b2", "finite")),
    "transposed": (lambda a, x, y: (a | {"W1": a["W1"].T}, x, y), ("axis n",)),
}


@pytest.mark.parametrize("estimator", [un.Centered(), un.FiniteDifference()], ids=str)
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_data_gets_one_sentence(program, name, estimator):
    """Missing targets were once read as zeros, and the net was trained towards them."""
    p = program("hopfield")
    spoil, words = MISTAKES[name]
    with pytest.raises(InputError) as caught:
        estimator(p, *spoil(params_of(p), *data_of(p)))
    one_sentence(caught.value, *words)


def test_an_asymmetric_matrix_is_refused_where_symmetry_is_declared(program):
    """EP on an asymmetric net is a different algorithm with a different gradient."""
    p = program("recurrent")
    params, (x, y) = params_of(p), data_of(p)
    params["W"] = np.triu(params["W"])
    with pytest.raises(InputError) as caught:
        un.Centered()(p, params, x, y)
    one_sentence(caught.value, "W", "symmetric", "(W + W.T)/2")
