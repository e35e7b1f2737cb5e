"""Oracle: particles and moments, two computations of one flow; neither knows of the other."""

import numpy as np
import pytest

from unified.base.errors import InputError
from unified.meanfield import ParticleMeasure, solve_flow
from unified.meanfield.closed_nets import (
    feedback_moments,
    integrate,
    linear_moments,
    linear_net_flow,
    quadratic_net_flow,
    radial_constant,
    radial_relu_flow,
)
from unified.meanfield.conic import (
    conic_velocity,
    features,
    from_conic,
    lazy_change,
    tangent_kernel,
    to_conic,
)
from unified.meanfield.networks import TwoLayer
from unified.meanfield.risk import Risk
from unified.meanfield.teachers import gaussian_inputs, whitened_inputs

D = 3
V = np.array([0.8, -0.5, 0.3])
X = whitened_inputs(8, D, seed=1)
TS = np.linspace(0, 2, 5)
LINEAR = TwoLayer(D, "linear")


def flow(risk, theta, t1=2.0, saves=4):
    return solve_flow(risk, risk.particles(theta), t1, saves=saves, tol=1e-12)


def worst(moments_of, run, closed):
    """The largest distance of any moment of the particles from the closed flow, at any time."""
    return max(
        float(np.max(np.abs(moments_of(m.x)[name] - series[k])))
        for k, m in enumerate(run.measures) for name, series in closed.moments.items()
    )  # fmt: skip


@pytest.mark.parametrize("n", [1, 7, 50])
@pytest.mark.parametrize("credit", ["bp", "pc", "fa"])
def test_linear_nets_follow_their_moments_at_every_width(credit, n):
    """E5 and E7: exact at every N; a term wrong in the flow or the ODE shows at once."""
    gamma = 2.5 if credit == "pc" else None
    risk = Risk(LINEAR, (X, X @ V), credit, **({"precision": gamma} if gamma else {}))
    theta = LINEAR.draw(n, seed=2)
    moments = linear_moments
    if credit == "fa":
        theta, moments = risk.with_feedback(theta, seed=5), feedback_moments
    run = flow(risk, theta)
    closed = linear_net_flow(moments(theta), V, TS, credit, gamma=gamma)
    assert worst(moments, run, closed) < 1e-10
    assert np.max(np.abs(run.energy - closed.descended)) < 1e-10
    risks = [risk.risk(m) for m in run.measures]
    assert np.max(np.abs(np.array(risks) - closed.risk)) < 1e-10
    if credit == "fa":  # control: the flow of backprop is another one
        bp = linear_net_flow(linear_moments(theta[:, :-1]), V, TS)
        assert worst(moments, run, bp) > 1e-2


def test_pc_without_its_pull_is_not_pc():
    """E7: u|r|²/(γS²) is small; a check that cannot see it missing checks nothing."""
    theta = LINEAR.draw(7, seed=2)
    run = flow(Risk(LINEAR, (X, X @ V), "pc", precision=2.5), theta)

    def wrong(z):
        r, share = z["u"] - V, 1 + z["Q"] / 2.5
        return {"u": -(z["P"] + z["Q"] * np.eye(D)) @ r / share, "Q": -2 * z["u"] @ r / share,
                "P": -(np.outer(r, z["u"]) + np.outer(z["u"], r)) / share}  # fmt: skip

    moments = integrate(wrong, linear_moments(theta), TS)
    assert np.max(np.abs(moments["u"][-1] - linear_moments(run.measures[-1].x)["u"])) > 1e-4


def test_quadratic_nets_follow_their_matrix():
    """E5: the Gaussian average is exact by quadrature, so that nothing is left to chance."""
    x, q = gaussian_inputs(2, 4)
    target = np.array([[1.0, 0.3], [0.3, 0.5]])
    net = TwoLayer(2, "quadratic")
    risk = Risk(net, (x, np.einsum("mi,ij,mj->m", x, target, x), q))
    theta = net.draw(3, seed=0, scale=0.3)
    run = flow(risk, theta, 0.5)
    closed = quadratic_net_flow(theta.T @ theta / 3, target, np.linspace(0, 0.5, 5))
    assert worst(lambda x: {"A": x.T @ x / 3}, run, closed) < 1e-10
    assert np.max(np.abs(run.energy - closed.risk)) < 1e-10


def test_radial_relu_nets_follow_three_numbers_in_the_limit():
    """E5: evenly spread directions approach the isotropic law, with order 2 in their number."""
    assert radial_constant(2) == pytest.approx(1 / np.pi)
    assert radial_constant(1) == pytest.approx(0.5)  # E max(±1, 0)
    net, c = TwoLayer(2, "relu"), 1.5
    angle = 2 * np.pi * (np.arange(512) + 0.5) / 512
    radius = np.array([0.7, 1.3])
    x = np.concatenate([r * np.stack([np.cos(angle), np.sin(angle)], axis=1) for r in radius])
    risk = Risk(net, (x, c * np.linalg.norm(x, axis=1)))
    errors = []
    for count in (3, 12):
        phi = 2 * np.pi * np.arange(count) / count
        w = np.stack([np.cos(phi), np.sin(phi)], axis=1)
        theta = np.concatenate([np.concatenate([np.full((count, 1), a), s * w], axis=1)
                                for a, s in ((1.0, 0.5), (0.4, 1.2))])  # fmt: skip
        start = {"u": (0.5 + 0.48) / 2, "Q": 1.16 / 2, "R": 1.69 / 2}
        closed = radial_relu_flow(start, c, 2, TS, second=np.mean(radius**2))
        run = flow(risk, theta)
        size = np.linalg.norm(run.measures[-1].x[:, 1:], axis=1)
        errors.append(abs(np.mean(run.measures[-1].x[:, 0] * size) - closed.u[-1]))
    assert errors[1] < 2e-4
    assert np.log(errors[0] / errors[1]) / np.log(4) == pytest.approx(2, abs=0.2)
    assert closed.risk[-1] < 0.3 * closed.risk[0]


def test_conic_particles_move_as_the_particles_do():
    """Masses and directions are another chart of the same flow, for homogeneous neurons."""
    net = TwoLayer(3, "relu")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((9, 3)), rng.standard_normal(9)
    risk, theta = Risk(net, (x, y)), net.draw(6, seed=1)
    cone = to_conic(net, theta)
    np.testing.assert_allclose(from_conic(cone), theta, rtol=1e-14)
    rate, v, h = conic_velocity(risk, cone), risk.velocity_at(ParticleMeasure(theta)), 1e-6
    ahead, behind = to_conic(net, theta + h * v), to_conic(net, theta - h * v)
    for got, a, b in zip(rate, ahead, behind, strict=True):
        np.testing.assert_allclose(got, (a - b) / (2 * h), rtol=1e-7, atol=1e-8)
    at = risk.variation(ParticleMeasure(theta))(cone.direction)
    np.testing.assert_allclose(rate.mass, -4 * cone.mass * at, rtol=1e-12)
    # the same net from other particles on the same rays: f depends on the conic measure only
    other = np.repeat(theta, 2, axis=0) * np.tile([np.sqrt(1.5), np.sqrt(0.5)], 6)[:, None]
    np.testing.assert_allclose(net.predict(other, x), net.predict(theta, x), rtol=1e-12)
    with pytest.raises(InputError, match="positively homogeneous"):
        to_conic(TwoLayer(3, "tanh"), theta)


def test_layers_stay_balanced():
    """a² − |w|² of a homogeneous neuron is conserved, particle by particle."""
    net = TwoLayer(D, "relu")
    theta = net.draw(10, seed=1)
    run = flow(Risk(net, (X, X @ V)), theta, saves=1)

    def balance(t):
        return t[:, 0] ** 2 - np.sum(t[:, 1:] ** 2, axis=1)

    assert np.max(np.abs(balance(run.measures[-1].x) - balance(theta))) < 1e-10
    direction, carried = features(net, theta)
    np.testing.assert_allclose(np.linalg.norm(direction, axis=1), 1)
    np.testing.assert_allclose(np.maximum(X @ direction.T, 0) @ carried, net.predict(theta, X))


def test_large_alpha_is_lazy():
    """Weights move by O(1/α), the tangent kernel at most so, and the risk falls all the same."""
    alphas, moved, kernel, left = np.array([4.0, 16.0, 64.0]), [], [], []
    x = np.random.default_rng(3).standard_normal((4, 2))
    y = np.sin(x[:, 0])
    for alpha in alphas:
        net = TwoLayer(2, "tanh", alpha)
        theta = net.draw(40, seed=1, paired=True)
        risk = Risk(net, (x, y))
        run = solve_flow(risk, risk.particles(theta), 20.0 / alpha**2, saves=1, tol=1e-9)
        end = run.measures[-1].x
        moved.append(lazy_change(theta, end))
        before, after = (tangent_kernel(net, t, x) for t in (theta, end))
        kernel.append(np.linalg.norm(after - before) / np.linalg.norm(before))
        left.append(run.energy[-1] / run.energy[0])
    assert np.polyfit(np.log(alphas), np.log(moved), 1)[0] == pytest.approx(-1, abs=0.1)
    # pairs of opposite a cancel the first order of the kernel's change: it falls faster still
    assert np.polyfit(np.log(alphas), np.log(kernel), 1)[0] < -0.9 and kernel[-1] < 1e-2
    assert max(left) < 0.2
    rich = TwoLayer(2, "tanh", 1.0)
    theta = rich.draw(40, seed=1, paired=True)
    run = solve_flow(Risk(rich, (x, y)), ParticleMeasure(theta), 20.0, saves=1, tol=1e-9)
    assert lazy_change(theta, run.measures[-1].x) > 3 * moved[0]


def test_closed_flows_are_readable():
    """Results that cannot be read or handed on are computed again by hand."""
    closed = linear_net_flow(linear_moments(LINEAR.draw(5, seed=0)), V, TS)
    assert "linear net, bp" in repr(closed) and closed.u.shape == (5, D)
    assert closed.to_xarray()["P"].shape == (5, D, D)
    with pytest.raises(AttributeError, match="it has u, Q, P"):
        _ = closed.nonsense


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda s: linear_net_flow(s, V, TS, "ep"), "credit: expected one of bp, pc, fa"),
        (lambda s: linear_net_flow(s, V, TS, "pc"), "gamma: expected a positive number"),
        (lambda s: linear_net_flow(s, V, TS, gamma=1.0), "gamma: expected"),
        (lambda s: linear_net_flow(s, V, TS, "fa"), "start C: expected"),
        (lambda s: linear_net_flow(s, V[:2], TS), "start u: expected finite numbers of shape (2,)"),
        (lambda s: linear_net_flow(s, V, TS[::-1]), "ts: expected at least two increasing"),
        (lambda s: quadratic_net_flow(np.eye(2), [[1, 2], [0, 1]], TS), "teacher: expected a sym"),
        (lambda s: radial_relu_flow({"u": 1.0}, 1.0, 0, TS), "d: expected a whole number"),
    ],
)
def test_bad_input_is_one_sentence(make, word):
    """Moments of another net than the flow's would be compared with it in silence."""
    with pytest.raises(InputError) as caught:
        make(linear_moments(LINEAR.draw(5, seed=0)))
    assert word in str(caught.value) and "\n" not in str(caught.value)
