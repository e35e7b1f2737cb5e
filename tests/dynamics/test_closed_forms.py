"""Oracle: rest points, energies and eigenvalues solved by hand or by NumPy's linear algebra."""

import numpy as np
import pytest

import unified as un
from tests.dynamics.nets import rng, symmetric, well_roots
from tests.tolerances import TOL

CLOSE = TOL["float64"].derived
NEWTON, SWEEPS = un.Newton(), un.FixedPoint(max_steps=2000)


def linear_loop(seed=0, norm=0.7):
    """Parameters, inputs and targets of the linear recurrent net."""
    r = rng(seed)
    params = {"W": symmetric(5, seed, norm), "b": r.normal(size=5), "U": r.normal(size=(5, 2))}
    return params, r.normal(size=(4, 2)), r.normal(size=(4, 5))


@pytest.mark.parametrize("method", [NEWTON, un.Flow()], ids=str)
def test_a_linear_recurrent_net_rests_at_the_inverse(loop, method):
    """Every equilibrium, gradient and posterior of the library starts from a point like this."""
    params, x, _ = linear_loop()
    rest = un.relax(loop, params, un.Phase.free(x), method)
    h = np.eye(5) - params["W"]
    drive = params["b"] + x @ params["U"].T
    exact = np.linalg.solve(h, drive.T).T
    np.testing.assert_allclose(rest.state["s"], exact, rtol=0, atol=1e-8)
    np.testing.assert_allclose(rest.energy, -0.5 * np.sum(drive * exact, axis=1), atol=CLOSE)
    lowest = np.linalg.eigvalsh(h)[0]
    np.testing.assert_allclose(rest.certificate.lambda_min, lowest, rtol=CLOSE)
    assert rest.certificate.method == "dense" and np.all(rest.certificate.positive)


def test_a_linear_recurrent_net_is_stable_iff_the_spectrum_is_below_one(loop):
    """A net past the edge would be trained on its last iterate."""
    params, x, _ = linear_loop()
    lam = np.linalg.eigvalsh(params["W"]).max()
    for scale, status in ((0.99 / lam, "converged"), (1.01 / lam, "not_a_minimum")):
        scaled = params | {"W": scale * params["W"]}
        drive = params["b"] + x @ params["U"].T
        start = {"s": np.linalg.solve(np.eye(5) - scaled["W"], drive.T).T}
        rest = un.relax(loop, scaled, un.Phase.free(x), start=start, throw=False)
        assert set(rest.status) == {status}
        np.testing.assert_allclose(
            rest.certificate.lambda_min, 1 - scale * lam, rtol=1e-8, atol=1e-12
        )


@pytest.mark.parametrize("beta", [0.4, -0.2])
def test_a_nudged_gaussian_rests_at_the_posterior_mean(gaussian, beta):
    """The identity of EP and PC (theory D1) is stated about exactly this point."""
    r = rng(2)
    a = symmetric(4, 2, 0.5) + 1.5 * np.eye(4)
    params = {"A": a, "b": r.normal(size=4), "U": r.normal(size=(4, 3))}
    x, y = r.normal(size=(3, 3)), r.normal(size=(3, 4))
    rest = un.relax(gaussian, params, un.Phase.nudged(x, y, beta), NEWTON)
    right = params["b"] + x @ params["U"].T + beta * y
    exact = np.linalg.solve(a + beta * np.eye(4), right.T).T
    np.testing.assert_allclose(rest.state["s"], exact, rtol=0, atol=CLOSE)
    lowest = np.linalg.eigvalsh(a)[0] + beta
    np.testing.assert_allclose(rest.certificate.lambda_min, lowest, rtol=CLOSE)


def test_a_complex_nudge_rests_at_the_complex_inverse(gaussian):
    """Holomorphic EP integrates over such points; a lost imaginary part is O(β) bias."""
    r = rng(3)
    a = symmetric(4, 3, 0.5) + 1.5 * np.eye(4)
    params = {"A": a, "b": r.normal(size=4), "U": r.normal(size=(4, 3))}
    x, y, beta = r.normal(size=(3, 3)), r.normal(size=(3, 4)), 0.2 + 0.3j
    rest = un.relax(gaussian, params, un.Phase.nudged(x, y, beta), NEWTON)
    right = params["b"] + x @ params["U"].T + beta * y
    exact = np.linalg.solve(a + beta * np.eye(4), right.T).T
    np.testing.assert_allclose(rest.state["s"], exact, rtol=0, atol=CLOSE)
    assert rest.certificate.method == "none" and np.all(np.isnan(rest.certificate.lambda_min))


def test_a_linear_pc_net_rests_at_its_forward_pass_and_clamped_at_least_squares(linear_coding):
    """The free phase of PC costs nothing only because of the first; learning reads the second."""
    params = linear_coding.init(4)
    r = rng(4)
    params = {k: v if "W" in k else r.normal(size=v.shape) for k, v in params.items()}
    x, y = r.normal(size=(6, 3)), r.normal(size=(6, 2))
    w1, w2, w3 = (params[f"W{k}"] for k in (1, 2, 3))
    z1 = x @ w1.T + params["b1"]
    z2 = z1 @ w2.T + params["b2"]
    free = un.relax(linear_coding, params, un.Phase.free(x), NEWTON)
    exact = {"z1": z1, "z2": z2, "z3": z2 @ w3.T + params["b3"]}
    for k, v in exact.items():
        np.testing.assert_allclose(free.state[k], v, rtol=0, atol=CLOSE)
    np.testing.assert_allclose(free.energy, 0.0, atol=CLOSE)

    held = un.relax(linear_coding, params, un.Phase.clamped(x, y), NEWTON)
    h = np.block([[np.eye(5) + w2.T @ w2, -w2.T], [-w2, np.eye(4) + w3.T @ w3]])
    right = np.concatenate(
        [z1 - params["b2"] @ w2, params["b2"] + (y - params["b3"]) @ w3], axis=1
    )
    found = np.concatenate([held.state["z1"], held.state["z2"]], axis=1)
    np.testing.assert_allclose(found, np.linalg.solve(h, right.T).T, rtol=0, atol=CLOSE)
    s = np.eye(2) + w3 @ w3.T + w3 @ w2 @ w2.T @ w3.T
    error = y - exact["z3"]
    closed = 0.5 * np.sum(error * np.linalg.solve(s, error.T).T, axis=1)
    np.testing.assert_allclose(held.energy, closed, rtol=CLOSE)  # theory C4: ½ rᵀS⁻¹r


H = np.array([[0.0], [0.1], [-0.2], [0.5], [-2.0]])


@pytest.mark.parametrize("method", [NEWTON, SWEEPS, un.Flow()], ids=lambda m: type(m).__name__)
def test_a_tilted_double_well_rests_at_a_root_of_the_cubic(well, method):
    """A relaxer that jumps to the other well, or stops on the ridge, changes what is learnt."""
    rest = un.relax(well, {"k": 1.0}, un.Phase.free(H[1:]), method)
    for h, s, lam in zip(H[1:, 0], rest.state["s"][:, 0], rest.certificate.lambda_min, strict=True):
        roots = well_roots(h)
        assert np.min(np.abs(roots - s)) < 1e-8
        assert np.sign(s) == np.sign(h)  # downhill from the start at 0
        assert lam == pytest.approx(3 * s**2 - 1, rel=1e-9)


def test_the_ridge_of_a_double_well_is_not_a_minimum(well):
    """Residual zero is not rest: gradients taken on a saddle belong to no branch."""
    rest = un.relax(well, {"k": 1.0}, un.Phase.free(H), NEWTON, throw=False)
    assert rest.status.tolist() == ["not_a_minimum"] + ["converged"] * 4
    assert rest.residual[0] == 0 and rest.certificate.lambda_min[0] == pytest.approx(-1)
    with pytest.raises(un.errors.ConvergenceError, match="sample 0: not_a_minimum"):
        un.relax(well, {"k": 1.0}, un.Phase.free(H), NEWTON)


@pytest.mark.parametrize("begin", [-1.4, -0.9, 0.8, 1.5])
def test_a_warm_start_stays_in_its_well(well, begin):
    """Nudged phases begin at the free one so as to follow its branch, not to find another."""
    start = {"s": np.full((1, 1), begin)}
    rest = un.relax(well, {"k": 1.0}, un.Phase.free(np.array([[0.1]])), NEWTON, start=start)
    roots = well_roots(0.1)
    assert rest.state["s"][0, 0] == pytest.approx(roots[0 if begin < 0 else 2], abs=1e-8)


def test_lambda_min_by_lanczos_is_numpys():
    """Past 300 units the certificate rests on this alone."""
    r = rng(6)
    program = un.emit(un.energies.recurrent(320, rho="identity"))
    params = {"W": symmetric(320, 6, 0.9), "b": r.normal(size=320)}
    rest = un.relax(program, params, un.Phase.free(), NEWTON)
    lowest = np.linalg.eigvalsh(np.eye(320) - params["W"])[0]
    assert rest.certificate.method == "lanczos"
    assert lowest - 1e-9 <= float(rest.certificate.lambda_min) < lowest * 1.02


def test_lanczos_survives_a_krylov_space_that_ends_early():
    """With few distinct eigenvalues it once reported a spurious 0: a minimum taken for a saddle."""
    program = un.emit(un.energies.recurrent(301, rho="identity"))
    r = rng(7)
    u = r.normal(size=301)
    for w, lowest in ((np.zeros((301, 301)), 1.0), (0.6 * np.outer(u, u) / (u @ u), 0.4)):
        rest = un.relax(program, {"W": w, "b": r.normal(size=301)}, un.Phase.free(), NEWTON)
        assert float(rest.certificate.lambda_min) == pytest.approx(lowest, rel=1e-9)
