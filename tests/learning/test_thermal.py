"""Oracle: Gaussian nets in closed form, integrals on a grid, and broken rules that must be seen."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import unified as un
from tests.learning.nets import data_of, params_of
from unified.base.errors import ConvergenceError, InputError
from unified.dynamics.averages import SEGMENTS, averaged, pullback, stretches

LEVEL = 1e-3  # of all entries of one gradient together
HEAT = 0.5


def scores(found, exact, grad=None):
    """(ĝ − g)/standard error, all entries (a symmetric parameter's twice)."""
    grad = found.grad if grad is None else grad
    return np.concatenate([
        np.ravel((grad[k] - exact[k]) / found.standard_error[k]) for k in exact
    ])  # fmt: skip


def refuted(found, exact, grad=None):
    """Whether an estimate refutes this gradient: Student's t with Bonferroni over the entries."""
    z = scores(found, exact, grad)
    return bool(2 * stats.t.sf(np.max(np.abs(z)), SEGMENTS - 1) * z.size < LEVEL)


# --- Gaussian nets --------------------------------------------------------------------------
@pytest.fixture(scope="module")
def bell(program):
    """A linear-Gaussian net with its parameters and data."""
    p = program("gaussian")
    params = params_of(p)
    return (p, params, *data_of(p))


def nudged_gradient(params, x, y, beta):
    """∂/∂θ of Φ(β)/β-free parts: ⟨∂F/∂θ⟩_β of the Gaussian law, in closed form (D1)."""
    a, n = params["A"], len(x)
    inverse = np.linalg.inv(a + beta * np.eye(len(a)))
    mean = (params["b"] + x @ params["U"].T + beta * y) @ inverse
    return {
        "A": 0.5 * (mean.T @ mean / n + HEAT * inverse), "b": -mean.mean(0), "U": -mean.T @ x / n,
    }  # fmt: skip


def slope(params, x, y, beta):
    """The centered contrast at ±β, exact for every β."""
    above, below = (nudged_gradient(params, x, y, b) for b in (beta, -beta))
    return {k: (above[k] - below[k]) / (2 * beta) for k in above}


def thermal_gradient(params, x, y):
    """d/dθ of ⟨C⟩ = ½|m − y|² + (T/2) tr A⁻¹, m = A⁻¹(b + Ux)."""
    inverse, n = np.linalg.inv(params["A"]), len(x)
    mean = (params["b"] + x @ params["U"].T) @ inverse
    back = (mean - y) @ inverse
    along = -back.T @ mean / n
    return {"A": (along + along.T) / 2 - HEAT / 2 * inverse @ inverse, "b": back.mean(0),
            "U": back.T @ x / n}  # fmt: skip


def test_fluctuations_give_the_gradient(bell):
    """B7: a covariance that is off is still a covariance; only the closed form tells."""
    p, params, x, y = bell
    exact = thermal_gradient(params, x, y)
    estimator = un.FluctuationDissipation(HEAT, key=0)
    found = estimator(p, params, x, y)
    assert not refuted(found, exact)
    assert np.std(scores(found, exact)) == pytest.approx(1, abs=0.6)
    for broken in (HEAT, -1.0):  # without 1/T; with the wrong sign
        assert refuted(found, exact, {k: broken * g for k, g in found.grad.items()})
    rest = thermal_gradient(params, x, y)
    rest["A"] = rest["A"] + HEAT / 2 * np.linalg.inv(params["A"] @ params["A"])
    assert refuted(found, rest)  # the gradient at T = 0 is another one
    mean = (params["b"] + x @ params["U"].T) @ np.linalg.inv(params["A"])
    cost = 0.5 * np.sum((mean - y) ** 2, axis=1)
    assert found.loss == pytest.approx(cost.mean(), rel=1e-9)
    warm = cost.mean() + HEAT / 2 * np.trace(np.linalg.inv(params["A"]))
    assert found.objective == pytest.approx(warm, rel=0.03)


def test_the_estimate_states_its_error(bell):
    """Without effective sample size and standard error a sampled gradient is a rumour."""
    found = un.FluctuationDissipation(HEAT, key=0)(*bell)
    assert isinstance(found, un.ThermalEstimate) and found.ess.shape == (4,)
    assert np.all(found.ess >= 400) and np.all(found.rhat < 1.01)
    assert {k: v.shape for k, v in found.standard_error.items()} == {
        k: v.shape for k, v in found.grad.items()
    }
    text = repr(found)
    assert "mean cost at temperature 0.5" in text and "standard error" in text
    assert f"ESS >= {found.ess.min():.0f}" in text and "R-hat <= 1.00" in text


@pytest.mark.slow
def test_error_falls_as_the_square_root_of_draws_and_is_what_it_says(bell):
    """Error bars off by 2 make every comparison with another estimator a coin toss."""
    p, params, x, y = bell
    exact = thermal_gradient(params, x, y)
    size = {}
    for draws in (2000, 8000):
        z, error = [], []
        for key in range(12):
            found = un.FluctuationDissipation(HEAT, draws=draws, key=key)(p, params, x, y)
            z.append(scores(found, exact))
            error.append([np.sum((found.grad[k] - exact[k]) ** 2) for k in exact])
        size[draws] = np.sqrt(np.mean(error))
        assert np.sqrt(np.mean(np.square(z))) == pytest.approx(1, abs=0.25)
    assert np.log(size[2000] / size[8000]) / np.log(4) == pytest.approx(0.5, abs=0.15)


def test_sampled_nudges_agree_and_are_less_noisy(bell):
    """B7: the two sides of one identity, each against its own closed form and each other."""
    p, params, x, y = bell
    none = un.FluctuationDissipation(HEAT, key=1)(p, params, x, y)
    for beta in (0.1, 0.3):
        found = un.ThermalNudge(beta, HEAT, key=0)(p, params, x, y)
        exact = slope(params, x, y, beta)
        assert not refuted(found, exact)
        assert refuted(found, exact, {k: -g for k, g in found.grad.items()})
        for k in exact:  # noise in common: no 1/β, and less than without a nudge
            assert np.max(found.standard_error[k]) < 0.6 * np.max(none.standard_error[k])
    assert refuted(found, thermal_gradient(params, x, y))  # the bias at β = 0.3 is seen


def test_common_noise_is_what_keeps_the_nudge_quiet(bell):
    """With noise of its own in either phase the error would be about 1/β times as large."""
    p, params, x, y = bell
    found = [un.sample(p, params, un.Phase.nudged(x, y, b), HEAT, key=0) for b in (0.1, -0.1)]
    inverse = [np.linalg.inv(params["A"] + b * np.eye(3)) for b in (0.1, -0.1)]
    white = []
    for f, h, b in zip(found, inverse, (0.1, -0.1), strict=True):
        mean = (params["b"] + x @ params["U"].T + b * y) @ h
        white.append((f.state["s"] - mean) @ np.linalg.cholesky(np.linalg.inv(h)))
    # The same whitened noise, draw by draw, at both nudges: exact for Gaussians.
    np.testing.assert_allclose(white[0], white[1], atol=1e-9)


# --- a nonlinear net ------------------------------------------------------------------------
@pytest.fixture(scope="module")
def small():
    """A layered Hopfield net of two units, one sample."""
    p = un.emit(un.energies.hopfield([1, 1, 1]), un.costs.squared())
    params = {"W1": [[0.9]], "W2": [[1.1]], "b1": [0.3], "b2": [-0.2]}
    return p, {k: np.array(v) for k, v in params.items()}, np.array([[0.7]]), np.array([[0.6]])


GRID = np.meshgrid(*[np.linspace(-9, 9, 361)] * 2, indexing="ij")


def grid_energy(params, x):
    (w1,), (w2,) = params["W1"][0], params["W2"][0]
    r1, r2 = np.tanh(GRID[0]), np.tanh(GRID[1])
    return 0.5 * (GRID[0] ** 2 + GRID[1] ** 2) - (
        x * w1 * r1 + r1 * w2 * r2 + params["b1"][0] * r1 + params["b2"][0] * r2
    )


def free_energy(params, x, y, beta, heat):
    """Φ(β) = −T log ∫exp(−F/T) by the trapezoidal rule (spectrally accurate here)."""
    f = grid_energy(params, x) + beta * 0.5 * (y - GRID[1]) ** 2
    return f.min() - heat * np.log(np.sum(np.exp(-(f - f.min()) / heat)) * 0.05**2)


def mean_cost(params, x, y, heat):
    e = grid_energy(params, x)
    p = np.exp(-(e - e.min()) / heat)
    return np.sum(p * 0.5 * (y - GRID[1]) ** 2) / np.sum(p)


def differences(of, params, h=1e-4):
    found = {}
    for k, v in params.items():
        found[k] = (of({**params, k: v + h}) - of({**params, k: v - h})) / (2 * h) + 0 * v
    return found


@pytest.mark.parametrize("heat", [0.1, 1.0])
def test_fluctuations_of_a_nonlinear_net(small, heat):
    """Where the law is not Gaussian, by an integral that shares no line with the sampler."""
    p, params, x, y = small
    exact = differences(lambda q: mean_cost(q, x[0, 0], y[0, 0], heat), params)
    found = un.FluctuationDissipation(heat, draws=8000, key=0)(p, params, x, y)
    assert not refuted(found, exact)
    assert found.objective == pytest.approx(mean_cost(params, 0.7, 0.6, heat), rel=0.05)
    for wrong in (heat, -1.0) if heat != 1 else (-1.0,):
        assert refuted(found, exact, {k: wrong * g for k, g in found.grad.items()})
    cold = un.Implicit()(p, params, x, y).grad
    assert heat < 0.5 or refuted(found, cold)


def test_nudges_of_a_nonlinear_net(small):
    """Finite β: the gradient of (Φ(β) − Φ(−β))/2β, exactly, and not that of ⟨C⟩."""
    p, params, x, y = small
    at = (x[0, 0], y[0, 0])

    def centered(q):
        return (free_energy(q, *at, 0.4, 1.0) - free_energy(q, *at, -0.4, 1.0)) / 0.8

    found = un.ThermalNudge(0.4, 1.0, draws=8000, key=0)(p, params, x, y)
    assert not refuted(found, differences(centered, params))


def test_the_bounds_of_the_mean_cost(small):
    """B3 at T > 0: L_β ≤ ⟨C⟩_0 ≤ L_−β, from Φ″ = −Var C/T ≤ 0; and the sampled mean obeys."""
    p, params, x, y = small
    at = (params, x[0, 0], y[0, 0])
    for heat in (0.1, 1.0):
        zero, mean = free_energy(*at, 0.0, heat), mean_cost(*at, heat)
        low, high = ((free_energy(*at, b, heat) - zero) / b for b in (0.4, -0.4))
        assert low < mean < high
        gaps = [(free_energy(*at, -b, heat) + free_energy(*at, b, heat) - 2 * zero) / b
                for b in (0.02, 0.01)]  # fmt: skip
        e = grid_energy(*at[:2])
        w = np.exp(-(e - e.min()) / heat) / np.sum(np.exp(-(e - e.min()) / heat))
        c = 0.5 * (at[2] - GRID[1]) ** 2
        variance = np.sum(w * c**2) - np.sum(w * c) ** 2
        assert gaps[0] / gaps[1] == pytest.approx(2, rel=0.02)
        assert gaps[1] / -0.01 == pytest.approx(variance / heat, rel=0.02)
        found = un.FluctuationDissipation(heat, draws=8000, key=0)(p, params, x, y)
        assert low < found.objective < high


def test_the_expansion_in_small_temperature(small):
    """B7: ⟨C⟩ = C(s_0) + (T/2)[tr H⁻¹C″ − ∇CᵀH⁻¹(E‴:H⁻¹)] + O(T²): order 2 measured."""
    p, params, x, y = small
    rest = un.relax(p, params, un.Phase.free(x), tol=1e-13)
    s = np.array([rest.state["s1"][0, 0], rest.state["s2"][0, 0]])

    def hessian(s):
        state = {"s1": s[None, :1], "s2": s[None, 1:]}
        return p.hessian(state, params, un.Phase.free(x))[0]

    inverse, h = np.linalg.inv(hessian(s)), 1e-4
    third = np.stack([(hessian(s + h * e) - hessian(s - h * e)) / (2 * h) for e in np.eye(2)])
    slope_c = np.array([0.0, s[1] - y[0, 0]])
    first = inverse[1, 1] - slope_c @ inverse @ np.einsum("kij,ij->k", third, inverse)
    cost = 0.5 * (y[0, 0] - s[1]) ** 2
    heats = np.array([0.005, 0.01, 0.02])
    left = [mean_cost(params, x[0, 0], y[0, 0], t) - cost - t / 2 * first for t in heats]
    orders = np.diff(np.log(np.abs(left))) / np.log(2)
    assert orders == pytest.approx(2, abs=0.25)
    plain = [mean_cost(params, x[0, 0], y[0, 0], t) - cost - t / 2 * inverse[1, 1] for t in heats]
    assert np.diff(np.log(np.abs(plain))) / np.log(2) == pytest.approx(1, abs=0.25)


# --- the parts ------------------------------------------------------------------------------
@pytest.mark.parametrize("net", ["hopfield", "gaussian", "coding, Wf"])
def test_the_pullback_is_the_generated_rule(program, net):
    """One reverse sweep must say, symmetric parameters and priors included, what the rule says."""
    p = program(net)
    params, (x, y) = params_of(p), data_of(p)
    rng = np.random.default_rng(0)
    with p.precision:
        sizes = p.model.sizes
        state = {s.name: rng.normal(size=(5, 4, *(sizes[a] for a in s.axes)))
                 for s in p.model.states}  # fmt: skip
        beta = rng.normal(size=5)
        weight, even = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
        values = {**params, p.model.inputs[0].name: x, p.target.name: y}
        found = pullback(p, values, state, beta)(weight, even)
        want = {k: 0.0 for k in params}
        for i in range(5):
            for j in range(4):
                at = {k: v[i, j] for k, v in state.items()}
                phase = un.Phase(x[j], y[j], beta[i])
                rule = p.rule(at, params, phase)
                one, none = (p.rule(at, params, un.Phase(x[j], y[j], b)) for b in (1.0, 0.0))
                cost = {k: one[k] - none[k] for k in rule}
                want = {k: want[k] + weight[i, j] * rule[k] + even[i, j] * cost[k] for k in want}
    for k in want:
        np.testing.assert_allclose(np.asarray(found[k]), want[k], rtol=1e-10, atol=1e-10)


def test_a_cost_with_parameters_adds_its_own_gradient():
    """⟨∂C/∂θ⟩ is easily forgotten: most costs have no parameters."""
    n = un.axes("n")
    s, y, b = un.var("s", n), un.var("y", n), un.var("b", n)
    energy = un.Energy(0.5 * s.sq() - b @ s, [s], [b], sizes={n: 2})
    p = un.emit(energy, un.Cost(0.5 * (y - s - b).sq(), target=y))
    params, data = {"b": np.array([0.4, -0.3])}, np.array([[1.0, 0.5]])
    found = un.FluctuationDissipation(0.2, key=0)(p, params, None, data)
    exact = {"b": 2 * (2 * params["b"] - data[0])}  # ⟨C⟩ = ½|y − 2b|² + T
    assert not refuted(found, exact)
    assert refuted(found, {"b": exact["b"] / 2})


def test_stretches_and_their_average():
    """Draws dropped or counted twice at the cuts would go unnoticed in any single gradient."""
    x = np.arange(4 * 103, dtype=np.float64).reshape(4, 103)
    cut = stretches(x)
    assert cut.shape == (20, 20) and np.array_equal(np.ravel(cut), np.ravel(x[:, 3:]))
    import jax

    with jax.enable_x64(True):
        mean, error = averaged(lambda v: ({"a": v.mean()}, {"a": 1.0}), cut)
    parts = cut.mean(axis=1)
    assert float(mean["a"]) == pytest.approx(parts.mean() + 1, rel=1e-12)
    assert float(error["a"]) == pytest.approx(parts.std(ddof=1) / np.sqrt(20), rel=1e-12)


# --- refusals -------------------------------------------------------------------------------
def test_unmixed_chains_never_give_a_gradient(bell):
    """A gradient from chains that disagree looks like any other gradient."""
    p, params, x, y = bell
    few = un.FluctuationDissipation(HEAT, draws=60, key=0)
    found = few(p, params, x, y, throw=False)
    assert set(found.status) == {"unmixed"} and "4/4 samples unmixed" in repr(found)
    with pytest.raises(ConvergenceError, match=r"FluctuationDissipation: expected R-hat < 1\.01"):
        few(p, params, x, y)
    with pytest.raises(ConvergenceError, match="unmixed"):
        un.fit(p, few, x, y, key=0, epochs=1, batch_size=4)


def test_bad_input():
    """Every refusal is one sentence, and comes before anything is compiled."""
    for heat in (0, -0.1, np.inf):
        with pytest.raises(InputError, match="temperature: expected a finite number above 0"):
            un.FluctuationDissipation(heat, key=0)
        with pytest.raises(InputError, match="temperature: expected a finite number above 0"):
            un.ThermalNudge(0.1, heat, key=0)
    with pytest.raises(InputError, match="beta: expected a nonzero number"):
        un.ThermalNudge(0.0, 0.1, key=0)
    with pytest.raises(InputError, match="draws: expected at least 40"):
        un.FluctuationDissipation(0.1, draws=39, key=0)
    with pytest.raises(InputError, match="key: expected"):
        un.FluctuationDissipation(0.1, key=-1)
    with pytest.raises(TypeError, match="key"):
        un.FluctuationDissipation(0.1)
    moved = replace(un.FluctuationDissipation(0.1, key=0), metric=un.Momentum())
    net = un.emit(un.energies.linear_gaussian(2, 1), un.costs.squared())
    at = {"A": np.eye(2), "b": np.zeros(2), "U": np.ones((2, 1))}
    with pytest.raises(InputError, match="metric: expected none for FluctuationDissipation"):
        moved(net, at, np.ones((1, 1)), np.ones((1, 2)))
