"""One protocol for every estimator: what goes in, what comes out, what is refused."""

import numpy as np
import pytest

import unified as un
from tests.learning.nets import data_of, params_of
from unified.base.errors import ConvergenceError
from unified.learning import AbstractEstimator

CUT = un.FixedPoint(max_steps=1)
# estimator -> net, order, phases visited, the same cut off after one step (None: nothing to cut)
ESTIMATORS = {
    "one-sided": (un.OneSided(0.01), "hopfield", 1, 2, un.OneSided(0.01, method=CUT)),
    "centered": (un.Centered(0.01), "hopfield", 2, 3, un.Centered(0.01, method=CUT)),
    "richardson": (un.Richardson(0.1), "hopfield", 4, 5, un.Richardson(0.1, method=CUT)),
    "richardson, one-sided": (un.Richardson(0.1, 2), "hopfield", 2, 3, None),
    "nodes": (un.Nodes(0.05, (1, -1, 2)), "gaussian", 3, 4, None),
    "coupled": (un.Coupled(0.1), "hopfield", 1, 2, un.Coupled(0.1, method=CUT)),
    "holomorphic": (un.Holomorphic(0.1, 4), "hopfield", 4, 5, un.Holomorphic(0.1, 4, method=CUT)),
    "contrastive": (un.Contrastive(), "hopfield", None, 2, un.Contrastive(method=CUT)),
    "coding, nudged": (
        un.PredictiveCoding(0.01), "linear coding", 1, 1, un.PredictiveCoding(0.01, method=CUT),
    ),
    "coding, clamped": (un.PredictiveCoding(), "coding", None, 1, None),
    "coding, truncated": (un.PredictiveCoding(steps=5), "coding", None, 1, None),
    "coding, incremental": (un.IncrementalPC(5), "coding", None, 1, None),
    "fixed prediction": (un.FixedPrediction(), "coding", None, 2, None),
    "zero divergence": (un.ZeroDivergence(), "coding", None, 2, None),
    "recurrent": (
        un.RecurrentBackprop(), "hopfield", None, 2, un.RecurrentBackprop(method=CUT),
    ),
    "vector field": (un.VectorField(), "hopfield", 2, 3, un.VectorField(method=CUT)),
    "augmented": (un.Augmented(), "hopfield", 2, 3, un.Augmented(method=CUT)),
    "dyadic": (un.Dyadic(), "hopfield", None, 2, un.Dyadic(method=CUT)),
    "implicit": (un.Implicit(), "hopfield", None, 1, un.Implicit(method=CUT)),
    "unrolled": (un.Unrolled(20), "hopfield", None, 2, un.Unrolled(20, method=CUT)),
    "unrolled, begin": (un.Unrolled(20, start="begin"), "hopfield", None, 1, None),
    "fluctuations": (
        un.FluctuationDissipation(0.01, key=0), "hopfield", None, 1,
        un.FluctuationDissipation(0.01, method=CUT, key=0),
    ),
    "thermal nudge": (
        un.ThermalNudge(0.1, 0.01, key=0), "hopfield", 2, 3,
        un.ThermalNudge(0.1, 0.01, method=CUT, key=0),
    ),
    "differences": (un.FiniteDifference(), "gaussian", None, 1, None),
}  # fmt: skip
# Stopped after the steps asked for, and so not at rest.
TRUNCATED = {"coding, truncated", "coding, incremental", "zero divergence", "unrolled, begin"}


def public_estimators():
    """Every estimator class that `un` shows."""
    found = [getattr(un, n) for n in un.__all__ if n[0].isupper()]
    return {c for c in found if isinstance(c, type) and issubclass(c, AbstractEstimator)}


def leaves(base):
    """Every final estimator class of the library."""
    below = [c for s in base.__subclasses__() for c in leaves(s)]
    return below or [base]


def test_every_estimator_is_under_this_protocol():
    """An estimator nobody put into the table would be held to nothing."""
    tested = {type(case[0]) for case in ESTIMATORS.values()}
    public = public_estimators()
    assert {c.__name__ for c in public - tested} == set()
    ours = {c for c in leaves(AbstractEstimator) if c.__module__.startswith("unified.learning")}
    assert {c.__name__ for c in ours - public} == set()


SLOW = ("fluctuations", "thermal nudge", "richardson, one-sided", "coding, truncated")


def in_turn(names):
    """The rows to test; those that mostly repeat another row's code, or sample, are slow."""
    return [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in names]


@pytest.mark.parametrize("name", in_turn(ESTIMATORS))
def test_an_estimate_has_the_declared_shape(program, estimate, name):
    """Code that trains with one estimator must be able to take any other."""
    estimator, net, order, phases, _ = ESTIMATORS[name]
    p = program(net)
    found = estimate(net, estimator)
    params = params_of(p)
    assert {k: v.shape for k, v in found.grad.items()} == {k: v.shape for k, v in params.items()}
    assert all(v.dtype == np.float64 and np.all(np.isfinite(v)) for v in found.grad.values())
    assert isinstance(found.loss, float) and isinstance(found.objective, float)
    assert estimator.order == order and len(found.equilibria) == phases
    assert isinstance(estimator.phases, tuple) and isinstance(estimator.exact_for, str)
    assert estimator.conditions and all(isinstance(c, str) for c in estimator.conditions)
    status = "truncated" if name in TRUNCATED else "converged"
    assert found.status.shape == (4,) and set(found.status) == {status}
    for rest in found.equilibria:
        assert rest.residual.shape == rest.status.shape == (4,)
    text = repr(found)
    assert type(estimator).__name__ in text and f"4/4 samples {status}" in text
    assert all(c in text for c in estimator.conditions) and "bound" in text


@pytest.mark.parametrize("name", in_turn(n for n in ESTIMATORS if "unrolled" not in n))
def test_the_loss_is_the_batch_mean_cost_of_the_free_phase(program, estimate, name):
    """Learning curves of different rules could otherwise not be drawn in one figure."""
    estimator, net, *_ = ESTIMATORS[name]
    p, found = program(net), estimate(net, estimator)
    x, y = data_of(p)
    rest = un.relax(p, params_of(p), un.Phase.free(x))
    first = found.equilibria[0]
    if estimator.phases[0] == "free":  # the phases visited are reported as `relax` would
        np.testing.assert_allclose(first.energy, rest.energy, rtol=1e-9)
    cost = p.cost(rest.state, params_of(p), un.Phase(x, y))
    assert found.loss == pytest.approx(np.mean(cost), rel=1e-9)


def test_one_phase_rules_on_other_energies_still_read_the_free_loss(estimate):
    """On a Hopfield net clamped PC once reported the cost of its first guess, 0.5249 for 0.5293."""
    found = estimate("hopfield", un.PredictiveCoding())
    assert found.loss == pytest.approx(estimate("hopfield", un.Implicit()).loss, rel=1e-9)


@pytest.mark.parametrize("name", in_turn(n for n in ESTIMATORS if n != "differences"))
def test_the_gradient_is_the_mean_over_the_batch(program, name):
    """A sum, or a mean taken twice, turns the batch size into a learning rate."""
    estimator, net, *_ = ESTIMATORS[name]
    p = program(net)
    params, (x, y) = params_of(p), data_of(p)
    whole = estimator(p, params, x, y)
    parts = [estimator(p, params, np.repeat(x[k : k + 1], 4, 0), np.repeat(y[k : k + 1], 4, 0))
             for k in range(4)]  # fmt: skip
    for k, v in whole.grad.items():
        mean = np.mean([q.grad[k] for q in parts], axis=0)
        np.testing.assert_allclose(v, mean, rtol=1e-9, atol=1e-10)
    assert whole.loss == pytest.approx(np.mean([q.loss for q in parts]), rel=1e-9)


@pytest.mark.parametrize("name", in_turn(n for n, c in ESTIMATORS.items() if c[-1] is not None))
def test_an_unconverged_phase_is_never_used_silently(program, name):
    """A gradient from states still moving looks like any other gradient."""
    _, net, _, phases, cut = ESTIMATORS[name]
    p = program(net)
    params, (x, y) = params_of(p), data_of(p)
    found = cut(p, params, x, y, throw=False)
    assert set(found.status) <= {"max_steps", "nudge_too_negative"}
    assert len(found.equilibria) == phases and "samples converged" not in repr(found)
    with pytest.raises(ConvergenceError, match=r"samples 0, 1, 2, 3; sample 0: max") as caught:
        cut(p, params, x, y)
    assert len(caught.value.status) == 4


def test_only_the_lost_sample_is_blamed(program):
    """One pathological image must be found among hundreds."""
    n = un.axes("n")
    s, x, b = un.var("s", n), un.var("x", n), un.var("b", n)
    p = un.emit(un.Energy(0.5 * (x * s) @ s - b @ s, [s], [b], [x]), un.costs.squared())
    stiff = np.array([[1.0, 2.0], [0.5, 1.0], [-1.0, 2.0], [1.0, 1.0]])  # the third has no floor
    found = un.Centered(0.01)(p, {"b": np.ones(2)}, stiff, np.zeros((4, 2)), throw=False)
    assert found.status[2] not in ("converged", "nudge_too_negative")
    assert set(found.status[[0, 1, 3]]) == {"converged"}
    np.testing.assert_allclose(found.equilibria[0].state["s"][[0, 1, 3]], 1 / stiff[[0, 1, 3]])
    with pytest.raises(ConvergenceError, match="samples 2; sample 2: "):
        un.Centered(0.01)(p, {"b": np.ones(2)}, stiff, np.zeros((4, 2)))


def test_a_negative_nudge_past_the_guard_is_refused(program):
    """Past it the centered estimate pointed uphill (cosine −0.997) and nobody was told."""
    p = program("gaussian")
    params, (x, y) = params_of(p), data_of(p)
    edge = np.linalg.eigvalsh(params["A"])[0]
    for estimator in (un.Centered(1.2 * edge), un.Holomorphic(1.2 * edge, 4)):
        found = estimator(p, params, x, y, throw=False)
        assert set(found.status) == {"nudge_too_negative"}
        with pytest.raises(ConvergenceError, match=r"nudge_too_negative.*smaller \|beta\|"):
            estimator(p, params, x, y)


def test_an_estimator_reads_in_one_line():
    """Tables of results are labelled with these texts."""
    assert str(un.Centered(0.25)) == "Centered(beta=0.25)"
    assert str(un.Holomorphic(points=4)) == "Holomorphic(points=4)"
    assert str(un.PredictiveCoding()) == "PredictiveCoding()"
    assert str(un.Nodes(0.1, (1, -1))) == "Nodes(beta=0.1, nodes=(1.0, -1.0))"
