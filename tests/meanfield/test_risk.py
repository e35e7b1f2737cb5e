"""Oracle: autodiff of the loss of N neurons, finite differences of values, relaxed activities."""

from copy import copy
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unified as un
from tests.tolerances import TOL
from unified.base.errors import ConvergenceError, InputError
from unified.meanfield import ParticleMeasure, solve_flow
from unified.meanfield.activity import activity_params, activity_program
from unified.meanfield.credit import Precision, phases_of, respond
from unified.meanfield.networks import TwoLayer
from unified.meanfield.risk import Risk
from unified.meanfield.teachers import digits, gaussian_inputs, teacher_data, whitened_inputs

RNG = np.random.default_rng(0)
X = RNG.standard_normal((8, 3))
Y1, Y3 = RNG.standard_normal(8), RNG.standard_normal((8, 3))
EP = {"precision": (0.7, 2.0), "beta": 0.1}


def slope(x, y):
    return np.polyfit(np.log(x), np.log(y), 1)[0]


def far(v, w):
    return float(np.linalg.norm(v - w) / np.linalg.norm(w))


def nudged(risk, beta):
    found = copy(risk)
    found.beta = beta
    return found


def by_hand(theta, w, alpha, k, y):
    """½E|y − α Σ w_i a_i tanh(w_i·x)|² + ½λΣ w_i|θ_i|², λ = 0.1, in plain JAX."""
    h = jnp.tanh(X @ theta[:, k:].T)
    f = alpha * h @ (theta[:, :k] * w[:, None])
    return 0.5 * jnp.sum((y.reshape(8, -1) - f) ** 2) / 8 + 0.05 * w @ jnp.sum(theta**2, axis=1)


@pytest.mark.parametrize("k", [1, 3])
def test_backprop_velocity_is_n_times_gradient_descent(k):
    """The mean-field flow must be the training of the finite net, weight by weight."""
    net = TwoLayer(3, "tanh", 1.7, outputs=k)
    theta, y = net.draw(9, seed=1), Y1 if k == 1 else Y3
    w = np.random.default_rng(2).random(9)
    w /= w.sum()
    risk, measure = Risk(net, (X, y), regulariser=0.1), ParticleMeasure(theta, w)
    with jax.enable_x64(True):
        loss, grad = jax.value_and_grad(by_hand)(jnp.asarray(theta), w, 1.7, k, y)
        flat = -np.asarray(grad) / w[:, None]
    np.testing.assert_allclose(risk.velocity_at(measure), flat, rtol=1e-10, atol=1e-14)
    assert risk.value(measure) == pytest.approx(float(loss), rel=1e-13)
    assert risk.risk(measure) == pytest.approx(risk.value(measure), rel=1e-14)
    np.testing.assert_allclose(risk.outputs(measure), net.predict(theta, X, w), rtol=1e-13)


CASES = [
    ("bp", {}), ("ep", EP), ("pc", {"precision": (0.7, 2.0)}),
    ("pc", {"precision": 3.0, "beta": 0.4}),
]  # fmt: skip


@pytest.mark.parametrize(("credit", "options"), CASES)
def test_variation_and_velocity_are_derivatives_of_the_value(credit, options):
    """Energy, dissipation and every grid method rest on these three belonging together."""
    net = TwoLayer(3, "tanh", 1.3, outputs=3)
    risk = Risk(net, (X, Y3), credit, regulariser=lambda t: jnp.sum(t**4), **options)
    theta, probe = net.draw(6, seed=1), net.draw(2, seed=7)
    mu, step = np.full(6, 1 / 6), 1e-4
    variation, there = risk.variation(ParticleMeasure(theta)), np.vstack([theta, probe])
    at = variation(there)
    own = risk
    if credit != "bp":  # two more particles without mass must not change Nγ_h
        p = risk.precision
        fixed = p.hidden if p.scaled else (p.hidden * 6 / 8, p.output)
        options = {**options, "precision": fixed}
        own = Risk(net, (X, Y3), credit, regulariser=risk.regulariser, **options)

    def value(moved, j):
        w = np.append(mu, [0.0, 0.0])
        w[0], w[6 + j] = w[0] - moved, w[6 + j] + moved
        return own.value(ParticleMeasure(there, w))

    for j in range(2):
        slope_here = (-3 * value(0, j) + 4 * value(step, j) - value(2 * step, j)) / (2 * step)
        assert slope_here == pytest.approx(at[6 + j] - at[0], rel=1e-5)
    v, h = risk.velocity_at(ParticleMeasure(theta)), 1e-5
    for i, c in ((0, 0), (2, 4)):
        move = np.zeros_like(theta)
        move[i, c] = h
        here = (variation(theta + move) - variation(theta - move))[i] / (2 * h)
        assert v[i, c] == pytest.approx(-here, rel=1e-6)


def test_ep_velocity_tends_to_backprop_in_order_1_and_2():
    """The claim of EP in a wide net, at every width; a wrong sign of β must not pass."""
    betas = np.array([0.02, 0.08])
    net = TwoLayer(3, "tanh")
    for n in (100, 1000, 10_000):
        measure = ParticleMeasure(net.draw(n, seed=1))
        exact = Risk(net, (X, Y1)).velocity_at(measure)
        for scheme, order in (("one-sided", 1), ("centered", 2)):
            risk = Risk(net, (X, Y1), "ep", scheme=scheme)
            with jax.enable_x64(True):  # compiled once for all nudges
                ask = jax.jit(lambda b, m, risk=risk: nudged(risk, b).velocity(m.x, m.w),
                              static_argnums=1)  # fmt: skip
                errors = [far(np.asarray(ask(b, measure)), exact) for b in betas]
            assert slope(betas, errors) == pytest.approx(order, abs=0.1), (n, scheme)
            assert errors[0] < 0.03
    r, q = Y1[:, None], np.full(8, 1 / 8)
    wrong = []
    for b in betas:  # control: the second phase added instead of subtracted
        good = phases_of("ep", "centered", b, Precision.read((1, 1)), 100, 1.0)
        bad = replace(good, weights=(good.weights[0], -good.weights[1]))
        with jax.enable_x64(True):
            wrong.append(far(np.asarray(respond(r, q, np.eye(1), bad).pulled)[:, 0], Y1 / 8))
    assert slope(betas, wrong) < 0.2 and min(wrong) > 0.5


def test_pc_tends_to_backprop_like_one_over_n_unless_precisions_scale():
    """E7: whether PC is another learning rule in the limit is decided by γ_o/γ_h."""
    net, sizes = TwoLayer(3, "tanh"), np.array([100, 1000, 10_000])
    measures = [ParticleMeasure(net.draw(int(n), seed=1)) for n in sizes]
    exact = [Risk(net, (X, Y1)).velocity_at(m) for m in measures]
    fixed = [far(Risk(net, (X, Y1), "pc").velocity_at(m), v)
             for m, v in zip(measures, exact, strict=True)]  # fmt: skip
    assert slope(sizes, fixed) == pytest.approx(-1, abs=0.03)
    scaled = Risk(net, (X, Y1), "pc", precision=1.0)
    v, before = scaled.velocity_at(measures[-1]), scaled.velocity_at(measures[0])
    kept = far(v, exact[-1])
    assert kept == pytest.approx(far(before, exact[0]), rel=0.2) and kept > 0.3
    a = measures[-1].x[:, 0]  # input weights: backprop divided by S = 1 + Q/γ, exactly
    np.testing.assert_allclose(v[:, 1:] * (1 + np.mean(a**2)), exact[-1][:, 1:], rtol=1e-9)


def test_relaxed_activities_are_the_eliminated_ones():
    """The fast path stands for a relaxation that the library does itself."""
    net, n = TwoLayer(3, "tanh", 1.3), 6
    theta, w = net.draw(n, seed=1), np.full(n, 1 / n)
    risk = Risk(net, (X, Y1), "ep", **EP)
    program = activity_program("tanh", "float64")
    with program.precision:
        params = {k: np.asarray(v) for k, v in activity_params(net, theta, w, 0.7 * n, 2.0).items()}
    rest = un.relax(program, params, un.Phase.nudged(X, Y1[:, None], 0.1))
    r = Y1 - net.predict(theta, X)
    s = 1 / 0.1 + 1 / 2.0 + 1.3**2 * np.mean(theta[:, 0] ** 2) / (n * 0.7)
    np.testing.assert_allclose(rest.state["o"][:, 0], Y1 - r / s / 0.1, rtol=1e-9)
    logs = 0.5 * (n * np.log(0.7) + np.log(2.0))
    np.testing.assert_allclose(rest.energy + logs, 0.5 * r**2 / s, rtol=1e-9)
    relaxed = Risk(net, (X, Y1), "ep", relaxation="relaxed", **EP)
    measure = ParticleMeasure(theta)
    assert far(relaxed.velocity_at(measure), risk.velocity_at(measure)) < TOL["float64"].derived


@pytest.mark.slow
def test_a_flow_that_relaxes_at_every_step_is_the_eliminated_one():
    """Two flows in one: activities relax to rest inside every step of the weights."""
    net = TwoLayer(3, "tanh")
    start = ParticleMeasure(net.draw(20, seed=1))
    for credit in ("ep", "pc"):
        ends = [
            solve_flow(Risk(net, (X, Y1), credit, precision=2.0, relaxation=how), start, 0.5,
                       dt=0.1, saves=2).measures[-1].x
            for how in ("eliminated", "relaxed")
        ]  # fmt: skip
        assert np.max(np.abs(ends[0] - ends[1])) < 1e-9
        assert np.max(np.abs(ends[0] - start.x)) > 1e-2


def test_energy_lost_is_energy_dissipated_except_under_feedback_alignment():
    """The certificate of a run; feedback alignment is no gradient flow and must not claim it."""
    net = TwoLayer(3, "tanh")
    theta = net.draw(20, seed=1)
    for credit, options in (("bp", {}), ("ep", EP), ("pc", {"precision": 1.0})):
        risk = Risk(net, (X, Y1), credit, **options)
        run = solve_flow(risk, risk.particles(theta), 2.0, saves=2)
        assert run.gap < 1e-6 and run.energy[0] - run.energy[-1] > 1e-2
    risk = Risk(net, (X, Y1), "fa")
    assert not risk.descends
    run = solve_flow(risk, risk.particles(risk.with_feedback(theta, seed=2)), 2.0, saves=2)
    assert run.gap > 1e-2
    moved = run.measures[-1].x - run.measures[0].x
    assert np.max(np.abs(moved[:, -1])) == 0 < np.max(np.abs(moved[:, :-1]))


def test_feedback_alignment_with_the_output_weights_is_backprop():
    """Fixed weights b = a send back what backprop does: the only difference between the two."""
    net = TwoLayer(3, "tanh", 1.3, outputs=3)
    theta = net.draw(5, seed=1)
    fa, bp = Risk(net, (X, Y3), "fa"), Risk(net, (X, Y3))
    same = fa.velocity_at(ParticleMeasure(np.hstack([theta, theta[:, :3]])))
    np.testing.assert_allclose(same[:, :-3], bp.velocity_at(ParticleMeasure(theta)), rtol=1e-12)
    other = fa.velocity_at(fa.particles(fa.with_feedback(theta, seed=3)))
    np.testing.assert_allclose(other[:, :3], same[:, :3], rtol=1e-12)
    assert far(other[:, 3:6], same[:, 3:6]) > 0.5


def test_a_nudge_too_far_against_the_target_is_refused():
    """Past it the phase at −β has no minimum, and the contrast points anywhere."""
    net = TwoLayer(3, "tanh")
    measure = ParticleMeasure(net.draw(10, seed=1))
    risk = Risk(net, (X, Y1), "ep", beta=5.0, precision=(1.0, 1.0))
    assert np.all(np.isnan(risk.velocity_at(measure)))
    for ask in (risk.value, risk.certify, lambda m: solve_flow(risk, m, 1.0)):
        with pytest.raises(ConvergenceError, match="beta: expected activities with a minimum"):
            ask(measure)
    Risk(net, (X, Y1), "ep", beta=5.0, scheme="one-sided").certify(measure)


def test_lines_are_derived():
    """The report shows the formulas that run."""
    text = Risk(TwoLayer(3, "tanh"), (X, Y1)).latex()
    assert r"1 - \tanh^{2}\left(W X^\top\right)" in text and r"\frac{\delta" in text
    assert "\\dot b = 0" in Risk(TwoLayer(3), (X, Y1), "fa").latex()


def test_data_for_nets():
    """Moments that are not what the closed flows assume would be blamed on the flows."""
    x, q = gaussian_inputs(2, 4)
    assert q.sum() == pytest.approx(1, abs=1e-14)
    moments = [q @ x[:, 0] ** p for p in (1, 2, 4, 6)] + [q @ (x[:, 0] * x[:, 1]) ** 2]
    np.testing.assert_allclose(moments, [0, 1, 3, 15, 1], atol=1e-12)
    w = whitened_inputs(20, 3, seed=0)
    np.testing.assert_allclose(w.T @ w / 20, np.eye(3), atol=1e-13)
    data = teacher_data(lambda x: x[:, 0], 50, 2, seed=0)
    np.testing.assert_array_equal(data.y, data.x[:, 0])
    train, test = digits(count=20)
    assert train.x.shape == (20, 64) and test.y.shape[1] == 10
    net = TwoLayer(64, "tanh", outputs=10)
    risk = Risk(net, train)
    start = ParticleMeasure(net.draw(30, seed=0, scale=0.3))
    run = solve_flow(risk, start, 2.0, dt=0.1, saves=1)
    assert run.energy[-1] < 0.9 * run.energy[0]


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda n: Risk("net", (X, Y1)), "net: expected a TwoLayer"),
        (lambda n: Risk(n, (X, Y1), "backprop"), "credit: expected one of bp, ep, pc, fa"),
        (lambda n: Risk(n, (X, Y1), "ep", beta=-0.1), "beta: expected a positive number"),
        (lambda n: Risk(n, (X, Y1), "ep", beta=0.0), "beta: expected a nonzero number"),
        (lambda n: Risk(n, (X, Y1), beta=0.1), "beta: expected none"),
        (lambda n: Risk(n, (X, Y1), "pc", precision=(1.0, 0.0)), "precision: expected positive"),
        (lambda n: Risk(n, (X, Y1), "pc", precision=-1), "precision: expected positive"),
        (lambda n: Risk(n, (X, Y1), "pc", precision="high"), "precision: expected positive"),
        (lambda n: Risk(n, (X, Y1), "ep", scheme="both"), "scheme: expected one of"),
        (lambda n: Risk(n, (X, Y1), relaxation="relaxed"), "relaxation: expected 'eliminated'"),
        (lambda n: Risk(n, (X[:, :2], Y1)), "x: expected shape (M, 3)"),
        (lambda n: Risk(n, (X, Y1[:4])), "y: expected shape (8,)"),
        (lambda n: Risk(n, (X, Y3)), "y: expected shape (8,)"),
        (lambda n: Risk(n, X), "data: expected a tuple"),
        (lambda n: Risk(n, (X, Y1, Y1)), "weights: expected (8,) numbers"),
        (lambda n: Risk(n, (X, Y1 * np.nan)), "y: expected finite numbers"),
        (lambda n: Risk(n, (X, Y1), regulariser=-1), "regulariser: expected a number"),
        (lambda n: Risk(TwoLayer(3, "quadratic"), (X, Y1), "ep"), "credit: expected 'bp'"),
        (lambda n: Risk(n, (X, Y1)).particles(np.zeros((4, 3))), "particles: expected shape"),
        (lambda n: Risk(n, (X, Y1)).with_feedback(n.draw(3, seed=0), seed=1), "credit: expected"),
        (lambda n: gaussian_inputs(30, 4), "d: expected at most"),
        (lambda n: whitened_inputs(2, 3, seed=0), "m: expected at least d = 3"),
    ],
)
def test_bad_input_is_one_sentence(make, word):
    """A run that starts from wrong data wastes the night."""
    with pytest.raises(InputError) as caught:
        make(TwoLayer(3))
    assert word in str(caught.value) and "\n" not in str(caught.value)
