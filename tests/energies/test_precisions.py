"""Learned precisions: the rule, why it needs the posterior covariance, what is refused."""

import numpy as np
import pytest

import unified as un
from tests.energies.nets import data_of, params_of
from unified.base.errors import InputError


def test_the_rule_of_a_precision_is_squared_error_minus_variance():
    """Half of it missing, precisions would grow or shrink for ever on perfect data."""
    for kind in ("diagonal", "full"):
        program = un.emit(un.energies.predictive([3, 4, 2], precision=kind), backend="numpy")
        params = params_of(program)
        x = data_of(program)[0]["x"][0]
        z = {"z1": np.linspace(-1, 1, 4), "z2": np.array([0.3, -0.8])}
        rule = program.rule(z, params, un.Phase.free(x))
        eps = z["z2"] - params["W2"] @ z["z1"] - params["b2"]
        p = params["P2"]
        want = (eps**2 - 1 / p) / 2 if kind == "diagonal" else (
            np.outer(eps, eps) - np.linalg.inv(p)) / 2  # fmt: skip
        np.testing.assert_allclose(rule["P2"], want, rtol=1e-12, atol=1e-13)


@pytest.fixture(scope="module")
def one_hidden():
    """x → z → y with everything of size 1, W = 1, and data of known variance around 0."""
    energy = un.energies.predictive([1, 1, 1], "identity", "diagonal")
    y = np.random.default_rng(0).normal(size=(64, 1))
    y *= np.sqrt(3.0 / np.mean(y**2))  # second moment exactly 3
    return energy, np.zeros((64, 1)), y


def learned(energy, x, y, steps):
    """Descend in log P1 by the clamped rule, P2 held at 1; the precisions met on the way."""
    program = un.emit(energy, un.costs.squared())
    estimator = un.PredictiveCoding(certify=False)
    log_p, path = 0.0, []
    one = np.ones((1, 1))
    for _ in range(steps):
        p = np.array([np.exp(log_p)])
        params = {"W1": one, "W2": one, "b1": 0 * p, "b2": 0 * p, "P1": p, "P2": 1 + 0 * p}
        slope = estimator(program, params, x, y).grad["P1"][0] * p[0]
        log_p -= 1.0 * slope
        path.append(np.exp(log_p))
    return np.array(path)


def test_a_hidden_precision_runs_away_without_the_posterior_covariance(one_hidden):
    """Theory C1: the most probable path explains all data by one layer and calls the other exact.

    For E(P) = ½v/(1/P + 1) − ½log P there is no minimum in P; the data ask for P = 1/2.
    """
    energy, x, y = one_hidden
    path = learned(energy, x, y, 200)
    assert np.all(np.diff(path[-100:]) > 0) and path[-1] > 1e6


def test_with_the_covariance_it_finds_the_variance_of_the_data(one_hidden):
    """var y = 1/P1 + 1/P2: with 3 and P2 = 1 the likelihood is largest at P1 = 1/2."""
    energy, x, y = one_hidden
    path = learned(un.energies.free_energy(energy), x, y, 200)
    assert path[-1] == pytest.approx(0.5, rel=1e-6)


def test_the_clamped_free_energy_is_minus_the_log_evidence():
    """Any graph of layers, skips included: the marginal Gaussian computed by dense algebra."""
    sizes = [2, 3, 4, 2]
    energy = un.energies.predictive(sizes, "identity", "full", skip=[(1, 3)])
    program = un.emit(energy, backend="numpy")
    params = params_of(program)
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=2), rng.normal(size=2)
    w, p, b = ({k: params[f"{c}{k}"] for k in (1, 2, 3)} for c in "WPb")
    up = {3: np.eye(2), 2: w[3], 1: w[3] @ w[2] + params["W1_3"]}
    mean = up[1] @ (w[1] @ x + b[1]) + up[2] @ b[2] + b[3]
    s = sum(u @ np.linalg.inv(p[k]) @ u.T for k, u in up.items())
    want = 0.5 * ((y - mean) @ np.linalg.solve(s, y - mean) + np.linalg.slogdet(s)[1])
    held = un.emit(energy.clamp("z3", "y"), backend="numpy")
    data = un.Phase.free({"x": x, "y": y})
    zero = {"z1": np.zeros(3), "z2": np.zeros(4)}
    h = held.hessian(zero, params, data)
    force = held.force(zero, params, data)
    z = np.linalg.solve(h, np.concatenate([force["z1"], force["z2"]]))
    free = un.emit(un.energies.free_energy(energy).clamp("z3", "y"), backend="numpy")
    found = free.energy({"z1": z[:3], "z2": z[3:]}, params, data)
    assert found == pytest.approx(want, rel=1e-10)


CASES = {
    "diagonal": (un.energies.predictive([2, 3, 2], precision="diagonal"), "P2",
                 lambda p: -p, r"P2: expected positive entries, got -1; raise them above 0\."),
    "full": (un.energies.predictive([2, 3, 2], precision="full"), "P1",
             lambda p: p - 3 * np.eye(len(p)),
             r"P1: expected a positive definite matrix, got one with eigenvalue -2; add a .*\."),
    "zero": (un.energies.predictive([2, 3, 2], precision="diagonal"), "P1",
             lambda p: 0 * p, r"P1: expected positive entries, got 0; raise them above 0\."),
    "chain": (un.energies.linear_gaussian_chain(2, 2, 2), "P_R", lambda p: -p,
              r"P_R: expected a positive definite matrix, got one with eigenvalue -1; .*\."),
    "kappa": (un.energies.dense_memory(3, 4), "kappa", lambda p: 0 * p,
              r"kappa: expected positive entries, got 0; raise them above 0\."),
    "free energy": (un.energies.free_energy(un.energies.predictive(
        [2, 3, 2], "identity", "diagonal")), "P1", lambda p: -p, "P1: expected positive entries"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_precision_that_is_none_is_refused_where_it_is_given(name):
    """log det of a negative matrix is NaN in one backend and |det| in another: both go on."""
    energy, which, spoil, words = CASES[name]
    for program in (un.emit(energy, backend="numpy"), un.emit(energy)):
        params = program.init(0)
        params[which] = spoil(params[which])
        with pytest.raises(InputError, match=f"^{words}"):
            program.params(params)


def test_a_clamped_net_still_refuses_it():
    """Clamping makes a new energy; what it must be told is easily lost on the way."""
    energy = un.energies.predictive([2, 3, 2], precision="full").clamp("z2", "y")
    assert {p.name for p in energy.positive} == {"P1", "P2"}
    memory = un.energies.dense_memory(3, 4)
    assert {p.name for p in memory.positive} == {"kappa"}
