"""Oracle: the Hopf normal form, a closed form for where cycles end, the Lorenz system."""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

import unified as un
from unified.base.errors import ConvergenceError, InputError

GAINS = {0.1: 1.245, 0.5: 1.937, 1.0: 2.619, 2.0: 3.829}  # k: g* as theory A4 prints it


@pytest.fixture(scope="module")
def pair():
    """ṡ = −s + W tanh s + Ux, two units; x quenches the motion of a sample."""
    return un.emit(un.fields.asymmetric_recurrent(2, 1, convention="Wf(z)"))


def weights(g, k):
    return {"W": np.array([[g, -k], [k, g]]), "U": np.ones((2, 1)), "b": np.zeros(2)}


def ring(radius, count=8):
    angle = 2 * np.pi * np.arange(count) / count + 0.1
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


@pytest.mark.parametrize("k", [0.5, pytest.param(2.0, marks=pytest.mark.slow)])
def test_near_the_hopf_point_the_cycle_is_the_normal_form(pair, k):
    """Frequency k/g up to O((g−1)²), radius 2√((g−1)/g) up to O(g−1) of itself."""
    eps = np.array([0.08, 0.04, 0.02, 0.01])
    frequency, radius = [], []
    for e in eps:
        g, size = 1 + e, 2 * np.sqrt(e / (1 + e))
        found = un.classify_motion(
            pair, weights(g, k), un.Phase.free(np.zeros(1)), start={"s": np.array([size, 0.0])},
            transient=20.0, time=50.0,
        )  # fmt: skip
        assert found.kind == "limit_cycle"
        assert np.log(found.multiplier) == pytest.approx(-2 * e * found.period, rel=1.5 * e)
        frequency.append(abs(found.frequency - k / g))
        radius.append(abs(found.radius / size - 1))
    assert np.polyfit(np.log(eps), np.log(frequency), 1)[0] == pytest.approx(2.0, abs=0.1)
    assert np.polyfit(np.log(eps), np.log(radius), 1)[0] == pytest.approx(1.0, abs=0.1)
    assert frequency[-1] < 2e-4 * k and radius[-1] < 0.02


def closed_form(k):
    """g*: the least g for which s = W tanh s has a solution off 0, from g(u), k(u), u = tanh s."""

    def both(u):
        s = np.arctanh(u)
        return (s @ u) / (u @ u), (s[1] * u[0] - s[0] * u[1]) / (u @ u)

    def gain(phi):
        d = np.array([np.cos(phi), np.sin(phi)])
        r = np.linspace(1e-3, (1 - 1e-12) / np.abs(d).max(), 800)
        off = np.array([both(x * d)[1] - k for x in r])
        turns = np.flatnonzero(np.sign(off[1:]) != np.sign(off[:-1]))
        roots = (brentq(lambda x: both(x * d)[1] - k, r[i], r[i + 1]) for i in turns)
        return min((both(x * d)[0] for x in roots), default=np.inf)

    grid = np.linspace(0, np.pi / 2, 100)
    best = int(np.argmin([gain(p) for p in grid]))
    bounds = (grid[max(best - 1, 0)], grid[best + 1])
    return minimize_scalar(gain, bounds=bounds, method="bounded", options={"xatol": 1e-8}).fun


@pytest.mark.parametrize("k", [
    0.1, 1.0, *(pytest.param(k, marks=pytest.mark.slow) for k in (0.5, 2.0))
])  # fmt: skip
def test_where_rest_points_take_over(pair, k):
    """Beyond g* the net rests again; a relaxer blind to that would refuse good nets."""
    phase = un.Phase.free(np.zeros((8, 1)))

    def rests(g):
        start = {"s": np.repeat(ring(1.0, 1), 8, axis=0) * np.linspace(0.5, 4.0, 8)[:, None]}
        start["s"] = ring(1.0) * np.linspace(0.8, 1.3, 8)[:, None] * g
        found = un.relax(pair, weights(g, k), phase, start=start, throw=False)
        return np.any(found.status == "converged")

    low, high = 1.02, 5.0
    for _ in range(13):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if rests(middle) else (middle, high)
    assert high == pytest.approx(GAINS[k], abs=1e-3)
    assert closed_form(k) == pytest.approx(GAINS[k], abs=5.1e-4)


def test_in_one_batch_one_sample_cycles_and_one_rests(pair):
    """A batch is as good as its worst sample; which one that is must be said."""
    x = np.array([[0.0], [6.0], [0.0]])
    phase, params = un.Phase.free(x), weights(1.5, 1.0)
    start = {"s": np.array([[1.0, 0.0], [1.0, 0.0], [0.0, -2.0]])}
    moved = un.classify_motion(pair, params, phase, start=start)
    assert moved.kind.tolist() == ["limit_cycle", "rest", "limit_cycle"]
    assert moved.period[0] == pytest.approx(moved.period[2], rel=1e-9)
    assert np.isnan(moved.period[1]) and moved.lyapunov[1] < -0.1
    flow = un.Flow(max_steps=400)
    rest = un.relax(pair, params, phase, flow, start=start, throw=False)
    assert rest.status.tolist() == ["limit_cycle", "converged", "limit_cycle"]
    with pytest.raises(ConvergenceError, match=r"samples 0, 2; .*limit_cycle.*lower the gain"):
        un.relax(pair, params, phase, flow, start=start)
    both = un.relax(pair, params, phase, start=start, throw=False)  # Newton finds the focus inside
    assert both.status[1] == "converged" and set(both.status[[0, 2]]) == {"unstable"}


def test_a_cut_off_flow_that_would_have_settled_is_only_slow(pair):
    """Calling every slow relaxation a cycle would cry wolf."""
    phase, params = un.Phase.free(np.zeros((1, 1))), weights(0.9, 1.0)
    start = {"s": np.array([[1.0, 0.0]])}
    rest = un.relax(pair, params, phase, un.Flow(max_steps=5), start=start, throw=False)
    assert rest.status.tolist() == ["max_steps"]
    moved = un.classify_motion(pair, params, phase, start=start)
    assert moved.kind.tolist() == ["rest"] and moved.lyapunov[0] == pytest.approx(-0.1, abs=2e-3)


def test_leaving_an_unstable_focus_is_not_chaos(pair):
    """Its tangent vectors grow too, but the motion is a transient; more time shows the cycle."""
    phase, params = un.Phase.free(np.zeros(1)), weights(1.04, 1.0)
    early = un.classify_motion(pair, params, phase, transient=1.0, time=100.0)
    assert early.kind == "transient" and early.lyapunov > 0.03
    assert un.classify_motion(pair, params, phase, transient=400.0).kind == "limit_cycle"


@pytest.fixture(scope="module")
def lorenz():
    """The Lorenz system, as a user writes it."""
    dot = un.axes("dot")
    x, y, z = (un.var(k, dot) for k in "XYZ")
    sigma, r, b = (un.scalar(k) for k in ("sigma", "r", "b"))
    field = un.Field({x: sigma * (y - x), y: x * (r - z) - y, z: x * y - b * z}, [sigma, r, b],
                     sizes={dot: 1}, name="lorenz")  # fmt: skip
    return un.emit(field)


def test_lorenz_is_chaotic_with_the_exponent_of_the_literature(lorenz):
    """0.9056 (Sprott 2003); chaos must be named by a number, not by impatience."""
    params = {"sigma": 10.0, "r": 28.0, "b": 8 / 3}
    start = {k: np.full(1, v) for k, v in zip("XYZ", (1.0, 1.0, 20.0), strict=True)}
    found = un.classify_motion(lorenz, params, un.Phase.free(), start=start, transient=30.0)
    assert found.kind == "chaos"
    assert abs(found.lyapunov - 0.9056) < 4 * found.lyapunov_error < 0.15
    rest = un.relax(lorenz, params, un.Phase.free(), un.Flow(500), start=start, throw=False)
    assert str(rest.status) == "no_rest_point"
    calm = un.classify_motion(lorenz, params | {"r": 10.0}, un.Phase.free(), start=start)
    assert calm.kind == "rest" and np.isnan(calm.period)


def test_lorenz_at_high_r_is_periodic(lorenz):
    """At r = 350 the attractor is a symmetric cycle: the other verdict from the same equations."""
    params = {"sigma": 10.0, "r": 350.0, "b": 8 / 3}
    start = {k: np.full(1, v) for k, v in zip("XYZ", (1.0, 1.0, 340.0), strict=True)}
    found = un.classify_motion(
        lorenz, params, un.Phase.free(), start=start, transient=20.0, time=20.0
    )
    assert found.kind == "limit_cycle" and found.multiplier < 1
    assert found.period == pytest.approx(0.3884, abs=2e-3)  # Strogatz (2015), section 9.5


def test_a_random_net_of_high_gain_is_chaotic():
    """Sompolinsky, Crisanti & Sommers: rest below gain 1, chaos above (here well above)."""
    n, r = 100, np.random.default_rng(0)
    net = un.emit(un.fields.asymmetric_recurrent(n, convention="Wf(z)"))
    w, start = r.normal(size=(n, n)) / np.sqrt(n), {"s": r.normal(size=n)}
    kinds = []
    for gain in (0.7, 4.0):
        params = {"W": gain * w, "b": np.zeros(n)}
        found = un.classify_motion(net, params, un.Phase.free(), start=start, transient=50.0,
                                   time=300.0)  # fmt: skip
        kinds.append(str(found.kind))
    assert kinds == ["rest", "chaos"] and found.lyapunov > 3 * found.lyapunov_error


@pytest.mark.slow
def test_a_wide_net_goes_round_a_cycle():
    """Above 32 units no shooting is done: two returns at T and 2T must do, at the same period."""
    n = 40
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(n, n)))
    w = np.zeros((n, n))
    w[:2, :2] = [[1.5, -1.0], [1.0, 1.5]]
    # tanh acts unit by unit, so the two moving units are kept apart from what they drive.
    w[2:, :] = 0.3 * turn[2:, :]
    net = un.emit(un.fields.asymmetric_recurrent(n, convention="Wf(z)"))
    found = un.classify_motion(net, {"W": w, "b": np.zeros(n)}, un.Phase.free(), transient=60.0,
                               time=60.0)  # fmt: skip
    assert found.kind == "limit_cycle" and np.isnan(found.multiplier)
    small = un.emit(un.fields.asymmetric_recurrent(2, convention="Wf(z)"))
    twin = un.classify_motion(small, {"W": w[:2, :2], "b": np.zeros(2)}, un.Phase.free(),
                              transient=60.0, time=60.0)  # fmt: skip
    assert found.period == pytest.approx(twin.period, rel=1e-3)
    assert found.to_xarray()["kind"].values[0] == "limit_cycle" and "limit_cycle 1" in repr(found)


def test_energies_are_followed_too_and_never_cycle():
    """A gradient flow cannot go round: the classifier must agree with the theorem."""
    net = un.emit(un.energies.recurrent(3, 2), un.costs.squared())
    r = np.random.default_rng(2)
    params = net.init(1)
    phase = un.Phase.nudged(r.normal(size=(3, 2)), r.normal(size=(3, 3)), 0.2)
    found = un.classify_motion(net, params, phase)
    assert set(found.kind) == {"rest"}
    rest = un.relax(net, params, phase)
    np.testing.assert_allclose(found.state["s"], rest.state["s"], atol=1e-7)
    np.testing.assert_allclose(found.lyapunov, -rest.certificate.lambda_min, atol=0.02)


def test_bad_input_is_refused(pair):
    """Times and phases that mean nothing."""
    params, phase = weights(1.5, 1.0), un.Phase.free(np.zeros(1))
    single = un.emit(un.fields.asymmetric_recurrent(2, 1), dtype="float32")
    for call, told in [
        (lambda: un.classify_motion(pair, params, phase, time=0.0), "time: expected a positive"),
        (lambda: un.classify_motion(pair, params, phase, transient=-1.0), "transient"),
        (lambda: un.classify_motion(pair, params, un.Phase.clamped([0.0], [1.0])), "phase"),
        (lambda: un.classify_motion(single, params, phase), "float64"),
        (lambda: un.classify_motion(pair, params, phase, start={"s": np.zeros(3)}), "size"),
    ]:
        with pytest.raises(InputError, match=told):
            call()
