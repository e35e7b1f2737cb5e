"""Oracles for metrics: rate equations written by hand, SciPy's integrator, closed-form spectra."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import unified as un
from tests.codegen.test_bad_input import one_sentence
from unified.base.errors import ConvergenceError, InputError

SKEW = un.SkewGradient(("v",))


@pytest.fixture(scope="module")
def net():
    """An E–I net of 4 and 3 units with its parameters and inputs."""
    program = un.emit(un.energies.excitatory_inhibitory(4, 3, 2), un.costs.squared())
    rng = np.random.default_rng(0)
    params = {k: v + 0.2 * rng.normal(size=v.shape) for k, v in program.init(0).items()}
    params |= {k: (params[k] + params[k].T) / 2 for k in ("W_e", "W_i")}
    return program, params, rng.normal(size=(3, 2))


@pytest.fixture(scope="module")
def pair():
    """One linear excitatory and one linear inhibitory unit."""
    return un.emit(un.energies.excitatory_inhibitory(1, 1, 1, rho="identity"), un.costs.squared())


@pytest.fixture(scope="module")
def layers():
    """A small layered Hopfield net."""
    return un.emit(un.energies.hopfield([3, 4, 2]), un.costs.squared())


def rates(params, x, tau_u=1.0, tau_v=1.0):
    """The E–I rate equations, written from the textbook and not from the energy."""

    def field(_, s):
        u, v = s[:4], s[4:]
        ru, rv = np.tanh(u), np.tanh(v)
        drive_u = params["W_e"] @ ru - params["K"] @ rv + params["b"] + params["U"] @ x
        drive_v = params["K"].T @ ru - params["W_i"] @ rv + params["c"]
        return np.r_[(-u + (1 - ru**2) * drive_u) / tau_u, (-v + (1 - rv**2) * drive_v) / tau_v]

    return field


def slopes(field, s, h=1e-6):
    """The Jacobian of a field by central differences."""
    return np.array([(field(0, s + d) - field(0, s - d)) / (2 * h) for d in h * np.eye(s.size)]).T


def test_the_flow_of_the_energy_is_the_rate_net():
    """With one sign wrong the "inhibitory" units excite, and nothing else would show it."""
    e = un.energies.excitatory_inhibitory(4, 3, 2)
    at, rho = e.variables, un.fn("tanh")
    u, v = at["u"], at["v"]
    ru, rv = rho(u), rho(v)
    slope_u, slope_v = un.derivative(ru.sum(), u), un.derivative(rv.sum(), v)
    inward = at["W_e"] @ ru - at["K"] @ rv + at["U"] @ at["x"] + at["b"]
    outward = at["K"].T @ ru - at["W_i"] @ rv + at["c"]
    assert un.prove(-e.grad("u"), -u + slope_u * inward).verdict == "true"
    assert un.prove(e.grad("v"), -v + slope_v * outward).verdict == "true"
    assert un.prove(e.grad("v"), -v + slope_v * (outward + 2 * at["W_i"] @ rv)).verdict == "false"
    outer = un.outer(ru, rv)
    assert un.prove(e.rule("K"), outer).verdict == "true"
    assert un.prove(e.rule("W_i"), -un.outer(rv, rv) / 2).verdict == "true"


@pytest.mark.parametrize(
    ("method", "tau"), [(un.Newton(), 1.0), (un.FixedPoint(anderson=4), 0.3), (un.Flow(), 0.3)]
)
def test_a_saddle_of_the_energy_is_found_and_its_rates_are_those_of_the_net(net, method, tau):
    """A wrong spectrum certifies nets that in truth run away, or refuses good ones."""
    program, params, x = net
    metric = SKEW if tau == 1.0 else un.SkewGradient(("v",), tau={"v": tau})
    rest = un.relax(program, params, un.Phase.free(x), method, metric=metric)
    assert rest.converged and np.all(rest.certificate.stable)
    assert not rest.certificate.positive.any()  # it is no minimum
    for k in range(3):
        field = rates(params, x[k], tau_v=tau)
        s = np.r_[rest.state["u"][k], rest.state["v"][k]]
        assert np.abs(field(0, s)).max() < 1e-9
        slowest = np.linalg.eigvals(slopes(field, s)).real.max()
        assert rest.certificate.abscissa[k] == pytest.approx(slowest, abs=1e-7)
        assert rest.certificate.inertia[k].tolist() == [4, 3]


def test_the_measured_decay_is_the_certified_rate(net):
    """The certificate promises how fast the net settles; a simulation must agree."""
    program, params, x = net
    rest = un.relax(program, params, un.Phase.free(x), metric=SKEW)
    s = np.r_[rest.state["u"][0], rest.state["v"][0]]
    field, time = rates(params, x[0]), 3.0

    def after(begin):
        return solve_ivp(field, (0, time), begin, rtol=1e-11, atol=1e-13).y[:, -1]

    moved = [(after(s + d) - after(s - d)) / 2e-4 for d in 1e-4 * np.eye(7)]
    factor = np.abs(np.linalg.eigvals(np.array(moved))).max()
    assert np.log(factor) / time == pytest.approx(rest.certificate.abscissa[0], rel=1e-5)


def test_flow_follows_the_path_of_the_rate_net(net):
    """A Flow on another path ends in another attractor than the network it stands for."""
    from unified.dynamics.relax import phase_values
    from unified.dynamics.system import System

    program, params, x = net
    tau = {"u": 2.0, "v": 0.5}
    with program.precision:
        values, _ = phase_values(program, params, un.Phase.free(x[:1]))
        import jax
        import jax.numpy as jnp

        metric = un.SkewGradient(("v",), tau=tau)
        system = System(program, values, metric=metric)
        state = system.begin({"u": jnp.full((1, 1, 4), 1.5), "v": jnp.full((1, 1, 3), -1.5)})
        method = un.Flow(rtol=0.01, first=1e-3)
        memory, clock = method.begin(system, state), 0.0
        step = jax.jit(lambda s, m: method.step(system, s, system.gradient(s), m))
        for _ in range(150):
            new, left = step(state, memory)
            clock += float(memory[0][0, 0]) * float(jnp.any(new["u"] != state["u"]))
            state, memory = new, left
        end = np.asarray(system.flat(state))[0, 0]
    begin = np.r_[np.full(4, 1.5), np.full(3, -1.5)]
    path = solve_ivp(rates(params, x[0], 2.0, 0.5), (0, clock), begin, rtol=1e-10, atol=1e-12)
    assert clock > 0.3
    np.testing.assert_allclose(end, path.y[:, -1], atol=2e-5)
    assert np.abs(end - begin).max() > 0.1


POSITIVE = [
    un.TimeConstants({"s1": 3.0, "s2": (0.5, 2.0)}),
    un.CohenGrossberg("tanh", tau={"s2": 0.5}),
    un.Momentum(damping=0.7, mass=0.5),
]


@pytest.mark.parametrize("metric", POSITIVE, ids=lambda m: type(m).__name__)
def test_metrics_without_ascending_units_share_rest_points(layers, metric):
    """A "metric" that moves the rest point changes what the net computes, not how fast."""
    program = layers
    params, x = program.init(1), np.random.default_rng(2).normal(size=(3, 3))
    plain = un.relax(program, params, un.Phase.free(x), tol=1e-12)
    rest = un.relax(program, params, un.Phase.free(x), un.Flow(), tol=1e-12, metric=metric)
    for k, v in plain.state.items():
        np.testing.assert_allclose(rest.state[k], v, atol=1e-10)
    assert np.all(rest.certificate.stable) and np.all(rest.certificate.abscissa < 0)


def test_the_certified_rate_of_time_constants_is_that_of_the_scaled_hessian(layers):
    """−λ_min of H alone would promise a rate the slow units do not have."""
    program = layers
    params, x = program.init(1), np.random.default_rng(2).normal(size=3)
    metrics = {un.TimeConstants({"s1": 3.0, "s2": (0.5, 2.0)}): np.r_[np.full(4, 3.0), 0.5, 2.0]}
    rest = un.relax(program, params, un.Phase.free(x))
    hessian = program.hessian(rest.state, params, un.Phase.free(x))
    slope = np.r_[1 - np.tanh(rest.state["s1"]) ** 2, 1 - np.tanh(rest.state["s2"]) ** 2]
    metrics[un.CohenGrossberg()] = slope
    for metric, slow in metrics.items():
        found = un.relax(program, params, un.Phase.free(x), metric=metric).certificate.abscissa
        rate = np.linalg.eigvals(-hessian / slow[:, None]).real.max()
        assert found == pytest.approx(rate, rel=1e-9)


def test_cohen_grossberg_turns_its_energy_into_its_net():
    """1/ρ' is the one metric in which that energy is −s + Wρ + b."""
    from unified.dynamics.relax import phase_values
    from unified.dynamics.system import System

    program = un.emit(un.energies.cohen_grossberg([3, 4, 2]), un.costs.squared())
    params, x = program.init(0), np.random.default_rng(3).normal(size=3)
    rng = np.random.default_rng(4)
    s1, s2 = rng.normal(size=4), rng.normal(size=2)
    with program.precision:
        values, _ = phase_values(program, params, un.Phase.free(x))
        system = System(program, values, metric=un.CohenGrossberg("tanh"))
        state = system.begin({"s1": s1[None, None], "s2": s2[None, None]})
        moved = system.metric.velocity(system, state, system.gradient(state))
        found = np.asarray(system.flat(moved))[0, 0]
    w1, w2, b1, b2 = (params[k] for k in ("W1", "W2", "b1", "b2"))
    here = np.r_[-s1 + x @ w1 + w2 @ np.tanh(s2) + b1, -s2 + np.tanh(s1) @ w2 + b2]
    np.testing.assert_allclose(found, here, rtol=1e-12)


def test_momentum_rings_down_as_a_damped_oscillator():
    """An inert net stopped while the force happens to vanish is not at rest."""
    program = un.emit(un.energies.recurrent(3, 2, rho="identity"), un.costs.squared())
    params, x = program.init(0), np.array([1.0, -1.0])
    lam = np.linalg.eigvalsh(np.eye(3) - params["W"])
    exact = np.linalg.solve(np.eye(3) - params["W"], params["b"] + params["U"] @ x)
    for damping, mass in ((0.4, 1.0), (9.0, 2.0)):
        metric = un.Momentum(damping, mass)
        block = np.block([[np.zeros((3, 3)), np.eye(3)],
                          [-(np.eye(3) - params["W"]) / mass, -damping / mass * np.eye(3)]])
        rest = un.relax(program, params, un.Phase.free(x), un.Flow(rtol=0.2), metric=metric)
        np.testing.assert_allclose(rest.state["s"], exact, atol=1e-9)
        rate = np.linalg.eigvals(block).real.max()
        assert rest.certificate.abscissa == pytest.approx(rate, rel=1e-9)
        assert (damping**2 < 4 * mass * lam[0]) == (rate == pytest.approx(-damping / (2 * mass)))
    # Weakly damped, a unit crosses the point without a force, at full speed, again and again.
    one = un.emit(un.energies.recurrent(1, 1, rho="identity"), un.costs.squared())
    still = {"W": np.zeros((1, 1)), "b": np.zeros(1), "U": np.ones((1, 1))}
    ring = un.relax(one, still, un.Phase.free(np.ones(1)), un.Flow(rtol=0.02), tol=0.05,
                    metric=un.Momentum(0.2))  # fmt: skip
    assert ring.steps > 1000  # the first crossing is at step 150, the last swing of 0.05 at t = 30


LINEAR = {"W_e": [[2.0]], "K": [[3.0]], "W_i": [[1.0]], "U": [[1.0]], "b": [0.1], "c": [0.2]}


@pytest.mark.parametrize("method", [un.Newton(), un.Flow()])
def test_time_constants_alone_decide_stability(pair, method):
    """A self-exciting pair is held by quick inhibition, and runs away from slow inhibition."""
    phase = un.Phase.free(np.array([[0.5], [-1.0]]))
    jacobian = np.array([[1.0, -3.0], [3.0, -2.0]])
    for tau, stable in ((1.9, True), (2.1, False)):
        metric = un.SkewGradient(("v",), tau={"v": tau})
        rest = un.relax(pair, LINEAR, phase, method, throw=False, metric=metric)
        rate = np.linalg.eigvals(jacobian / np.array([[1.0], [tau]])).real.max()
        assert (rate < 0) == stable
        np.testing.assert_allclose(rest.certificate.abscissa, rate, rtol=1e-9)
        assert rest.converged == stable
        if not stable:
            wanted = {"unstable"} if isinstance(method, un.Newton) else {"diverged", "max_steps"}
            assert set(rest.status) <= wanted
            with pytest.raises(ConvergenceError, match="sample 0: "):
                un.relax(pair, LINEAR, phase, method, metric=metric)
    assert rest.certificate.inertia.tolist() == [[1, 1], [1, 1]]  # the inertia alone sees nothing


def test_the_message_of_an_unstable_point_says_what_to_change(pair):
    """"Did not converge" would send people to raise max_steps."""
    metric = un.SkewGradient(("v",), tau={"v": 2.1})
    with pytest.raises(ConvergenceError, match=r"unstable.*change the time constants, the metric"):
        un.relax(pair, LINEAR, un.Phase.free(np.array([0.5])), metric=metric)
    still = un.relax(pair, LINEAR, un.Phase.free(np.array([0.5])), metric=metric, throw=False)
    assert "max Re rate <=" in repr(still)


def test_the_gradient_flow_never_calls_a_saddle_converged(net):
    """Without the metric an E–I net has no rest point to offer, wherever it starts."""
    program, params, x = net
    rest = un.relax(program, params, un.Phase.free(x), metric=SKEW)
    found = un.relax(program, params, un.Phase.free(x), start=rest.state, throw=False)
    assert set(found.status) == {"not_a_minimum"}
    assert not un.relax(program, params, un.Phase.free(x), throw=False).converged


def test_newton_finds_the_saddle_from_afar(net):
    """Damping by lower energy leads away from saddles; only the flow's own steps lead there."""
    program, params, x = net
    small = {k: v * (0.5 if k in ("W_e", "W_i") else 1.0) for k, v in params.items()}
    phase, rng = un.Phase.free(x), np.random.default_rng(5)
    want = un.relax(program, small, phase, un.Flow(), metric=SKEW)
    for far in (1.0, 10.0, 100.0):
        start = {"u": far * rng.normal(size=(3, 4)), "v": far * rng.normal(size=(3, 3))}
        found = un.relax(program, small, phase, start=start, metric=SKEW)
        for k, v in want.state.items():
            np.testing.assert_allclose(found.state[k], v, atol=1e-8)


def test_what_is_stable_has_the_inertia_of_the_metric():
    """The guard of nudges rests on this: a stable end has kept the inertia of the free phase."""
    rng, seen = np.random.default_rng(6), 0
    for _ in range(3000):
        p, q = rng.integers(1, 4, size=2)
        signs = np.r_[np.ones(p), -np.ones(q)]
        h = rng.normal(size=(p + q, p + q))
        h = h + h.T + rng.choice([0.0, 3.0]) * np.diag(signs)
        m = np.diag(signs / rng.uniform(0.1, 5.0, size=p + q))
        if np.linalg.eigvals(-m @ h).real.max() < 0:
            seen += 1
            assert np.sum(np.linalg.eigvalsh(h) > 0) == p
    assert seen > 300


@pytest.mark.parametrize(("dtype", "n_e", "n_i"), [("float32", 6, 4), ("float64", 200, 120)])
def test_saddles_are_certified_by_factorisation_where_spectra_are_not_taken(dtype, n_e, n_i):
    """Large nets and short floats must not pass for want of an eigenvalue."""
    energy = un.energies.excitatory_inhibitory(n_e, n_i, 3)
    program = un.emit(energy, un.costs.squared(), dtype=dtype)
    params, x = program.init(0), np.ones((1, 3))
    rest = un.relax(program, params, un.Phase.free(x), metric=SKEW, throw=False)
    assert rest.converged and np.all(rest.certificate.stable)
    wide = n_e + n_i > 300
    assert rest.certificate.method == ("factorisation" if wide else "dense")
    assert bool(np.isnan(rest.certificate.abscissa).all()) == wide
    assert rest.certificate.inertia.tolist() == [[n_e, n_i]]


CASES = {
    "unknown state": (un.SkewGradient(("w",)), "states among u, v", "'w'"),
    "unknown in tau": (un.SkewGradient(("v",), tau={"s": 2.0}), "states among u, v", "'s'"),
    "unknown for CG": (un.CohenGrossberg(states=("s1",)), "states among u, v", "'s1'"),
    "unknown time": (un.TimeConstants({"h": 1.0}), "states among u, v", "'h'"),
    "too many": (un.SkewGradient(("v",), tau={"v": (1.0, 2.0)}), "tau of v", "(3,) numbers"),
    "no metric": ("skew", "un.SkewGradient", "skew"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_metric_that_does_not_fit_is_named(net, case):
    """A misspelt state would run as the identity, and another net would settle."""
    metric, *words = CASES[case]
    with pytest.raises(InputError) as caught:
        un.relax(*net[:2], un.Phase.free(net[2]), metric=metric)
    one_sentence(caught.value, *words)


MADE = {
    "zero": (lambda: un.TimeConstants({"s1": 0.0}), "tau of s1", "positive numbers"),
    "negative": (lambda: un.SkewGradient(("v",), tau={"v": -1.0}), "tau of v", "ascend"),
    "one of many": (lambda: un.TimeConstants({"s1": [1.0, -1.0]}), "tau of s1", "positive"),
    "not finite": (lambda: un.TimeConstants({"s1": np.nan}), "tau of s1", "nan"),
    "text": (lambda: un.TimeConstants({"s1": "fast"}), "tau of s1", "fast"),
    "no mapping": (lambda: un.TimeConstants(2.0), "tau", "by state"),
    "nobody": (lambda: un.SkewGradient(()), "ascending", "names of states"),
    "undamped": (lambda: un.Momentum(0.0), "damping", "positive"),
    "weightless": (lambda: un.Momentum(mass=-1.0), "mass", "positive"),
    "flat": (lambda: un.CohenGrossberg("relu"), "rho", "strictly increasing"),
    "falling": (lambda: un.CohenGrossberg("cos"), "rho", "cos(x)"),
}


@pytest.mark.parametrize("case", MADE)
def test_a_metric_that_cannot_be_is_refused_when_made(case):
    """A negative time constant runs a unit backwards in time, a zero one infinitely fast."""
    make, *words = MADE[case]
    with pytest.raises(InputError) as caught:
        make()
    one_sentence(caught.value, *words)


def test_the_exact_solver_of_minima_refuses_saddles(pair):
    """It would answer "no minimum" for a net that is perfectly stable."""
    with pytest.raises(InputError) as caught:
        un.relax(pair, LINEAR, un.Phase.free(np.ones(1)), un.Exact(), metric=SKEW)
    one_sentence(caught.value, "saddles", "un.Newton()")
