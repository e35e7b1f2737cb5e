"""Oracle: the Kalman filter and the Rauch–Tung–Striebel smoother, written here from their books."""

import numpy as np
import pytest

import unified as un
from tests.energies.nets import params_of

N, M, K, STEPS = 3, 2, 1, 5


@pytest.fixture(scope="module")
def case():
    """The chain, its free energy, parameters and a batch of observations."""
    energy = un.energies.linear_gaussian_chain(N, M, STEPS, K)
    program = un.emit(energy)
    params = params_of(program, 3)
    rng = np.random.default_rng(4)
    x = {f"y{t}": rng.normal(size=(4, M)) for t in range(STEPS + 1)}
    x |= {f"u{t}": rng.normal(size=(4, K)) for t in range(1, STEPS + 1)}
    return energy, program, params, x


def kalman(p, x, sample):
    """Filtered and smoothed means and covariances, and log p(observations)."""
    a, b, c = p["A"], p["B"], p["C"]
    q, r = np.linalg.inv(p["P_Q"]), np.linalg.inv(p["P_R"])
    mean, cov = p["m0"], np.linalg.inv(p["P0"])
    before, after, log_evidence = [], [], 0.0
    for t in range(STEPS + 1):
        if t:
            mean, cov = a @ mean + b @ x[f"u{t}"][sample], a @ cov @ a.T + q
        before.append((mean, cov))
        s = c @ cov @ c.T + r
        v = x[f"y{t}"][sample] - c @ mean
        log_evidence -= 0.5 * (v @ np.linalg.solve(s, v) + np.linalg.slogdet(2 * np.pi * s)[1])
        gain = cov @ c.T @ np.linalg.inv(s)
        mean, cov = mean + gain @ v, cov - gain @ s @ gain.T
        after.append((mean, cov))
    smooth = [after[-1]]
    for t in range(STEPS - 1, -1, -1):
        g = after[t][1] @ a.T @ np.linalg.inv(before[t + 1][1])
        mean = after[t][0] + g @ (smooth[0][0] - before[t + 1][0])
        smooth.insert(0, (mean, after[t][1] + g @ (smooth[0][1] - before[t + 1][1]) @ g.T))
    return after, smooth, log_evidence


def test_the_rest_point_is_the_kalman_smoother(case):
    """A wrong index of time would give a plausible path through the data."""
    _, program, params, x = case
    rest = un.relax(program, params, un.Phase.free(x), tol=1e-12)
    for sample in range(4):
        filtered, smooth, _ = kalman(params, x, sample)
        for t, (mean, _) in enumerate(smooth):
            np.testing.assert_allclose(rest.state[f"z{t}"][sample], mean, atol=1e-10)
        np.testing.assert_allclose(rest.state[f"z{STEPS}"][sample], filtered[-1][0], atol=1e-10)


def test_the_inverse_hessian_holds_the_smoothed_covariances(case):
    """Error bars of a path are half of what a smoother is for."""
    _, program, params, x = case
    zero = {f"z{t}": np.zeros(N) for t in range(STEPS + 1)}
    one = {k: v[0] for k, v in x.items()}
    cov = np.linalg.inv(program.hessian(zero, params, un.Phase.free(one)))
    for t, (_, want) in enumerate(kalman(params, x, 0)[1]):
        at = slice(N * t, N * (t + 1))
        np.testing.assert_allclose(cov[at, at], want, atol=1e-10)


def test_the_free_energy_is_minus_the_log_evidence(case):
    """Learning A, C and the noise by this gradient is learning by likelihood, or is not."""
    energy, program, params, x = case
    free = un.emit(un.energies.free_energy(energy, observed=False), backend="numpy")
    rest = un.relax(program, params, un.Phase.free(x), tol=1e-12)
    found = free.energy(rest.state, params, un.Phase.free(x))
    want = [-kalman(params, x, k)[2] for k in range(4)]
    dims = 0.5 * np.log(2 * np.pi) * (STEPS + 1) * M
    np.testing.assert_allclose(found + dims, want, rtol=1e-10)


def test_the_rule_of_the_free_energy_is_the_slope_of_the_evidence(case):
    """The rule needs no derivative of the rest point; if it did, it would not be local."""
    energy, program, params, x = case
    free = un.emit(un.energies.free_energy(energy, observed=False), backend="numpy")
    rest = un.relax(program, params, un.Phase.free(x), tol=1e-12)
    one = {k: v[0] for k, v in rest.state.items()}, {k: v[0] for k, v in x.items()}
    rule = free.rule(one[0], params, un.Phase.free(one[1]))
    rng = np.random.default_rng(0)
    for name in ("A", "B", "C", "m0", "P_Q", "P_R", "P0"):
        d = rng.normal(size=params[name].shape)
        d = (d + d.T) / 2 if name[0] == "P" else d
        h = 1e-5
        ends = [kalman({**params, name: params[name] + e * h * d}, x, 0)[2] for e in (1, -1)]
        assert np.sum(rule[name] * d) == pytest.approx((ends[1] - ends[0]) / (2 * h), rel=1e-6)


def test_control_the_path_without_its_prior_is_another():
    """If the oracle ignored the prior, the tests above would not notice its loss."""
    p = params_of(un.emit(un.energies.linear_gaussian_chain(N, M, STEPS, K), backend="numpy"), 3)
    rng = np.random.default_rng(4)
    x = {f"y{t}": rng.normal(size=(4, M)) for t in range(STEPS + 1)}
    x |= {f"u{t}": rng.normal(size=(4, K)) for t in range(1, STEPS + 1)}
    loose = kalman({**p, "P0": 1e-6 * p["P0"]}, x, 0)[1][0][0]
    assert np.max(np.abs(loose - kalman(p, x, 0)[1][0][0])) > 1e-2
