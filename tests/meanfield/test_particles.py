"""Oracle: solutions in closed form, exact discrete laws, measured orders, other devices."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import unified as un
from unified.base.errors import ConvergenceError, InputError

mf = un.meanfield
cf = mf.closed_forms
ROOT = Path(__file__).resolve().parents[2]
A = np.array([[1.5, 0.3], [0.3, 1.0]])
B = np.array([0.5, -0.2])
z = un.var("z", un.axes("n"))
CLOUD = mf.GaussianMeasure([1.0, 1.0], np.eye(2) / 2).to_particles(40, key=0)
SMOOTH = (
    mf.Quadratic(A, B) + mf.Interaction(mf.Quadratic(0.4)) + mf.Potential((z * z * z * z).sum() / 4)
)


@pytest.fixture(scope="module")
def fine():
    """The smooth flow to tight tolerance."""
    return mf.solve_flow(SMOOTH, CLOUD, 1.0, saves=4)


def test_linear_flow_in_closed_form():
    """x(t) = b + e^{−tA}(x₀−b) with attraction to the mean: the sign and scale of every term."""
    from scipy.linalg import expm

    k, t = 0.4, 0.7
    F = mf.Quadratic(A, B) + mf.Interaction(mf.Quadratic(k))
    found = mf.solve_flow(F, CLOUD, t, saves=2)
    m = CLOUD.mean()
    want = B + expm(-t * A) @ (m - B) + (CLOUD.x - m) @ expm(-t * (A + k * np.eye(2)))
    np.testing.assert_allclose(found.measures[-1].x, want, atol=1e-9)
    assert np.abs(found.measures[-1].x - (want + 1e-6)).max() > 1e-7  # the test can fail
    np.testing.assert_allclose(found.ts, [0, 0.35, 0.7])


def test_dissipation_identity(fine):
    """F(0) − F(t) = ∫∫|∇δF/δμ|²: the certificate of a run, ≤ 1e-6; a wrong velocity breaks it."""
    assert fine.completed and fine.gap < 1e-9

    class Wrong(mf.Potential):
        def velocity(self, x, w, chunk_size=None):
            return 1.01 * super().velocity(x, w, chunk_size)

    broken = mf.solve_flow(Wrong((z * z * z * z).sum() / 4), CLOUD, 1.0, saves=2)
    assert broken.gap > 5e-3


@pytest.mark.parametrize(("stepper", "order"), [("euler", 1), ("heun", 2)])
def test_measured_orders(stepper, order, fine):
    """A method of lower order than it says wastes the user's time; both state and dissipation."""
    errors, gaps, steps = [], [], (0.01, 0.005, 0.0025)
    for dt in steps:
        found = mf.solve_flow(SMOOTH, CLOUD, 1.0, dt=dt, stepper=stepper, saves=4)
        errors.append(np.abs(found.measures[-1].x - fine.measures[-1].x).max())
        gaps.append(found.gap)
    for values in (errors, gaps):
        slope = np.polyfit(np.log(steps), np.log(values), 1)[0]
        assert slope == pytest.approx(order, abs=0.25)


def test_chunks_and_single_precision():
    """chunk_size is about memory only; float32 stays float32 and near."""
    F = mf.Interaction(un.exp(-z.sq() / 2)) + mf.Quadratic(1.0)
    whole = mf.solve_flow(F, CLOUD, 0.5, dt=0.05, saves=1)
    part = mf.solve_flow(F, CLOUD, 0.5, dt=0.05, saves=1, chunk_size=7)
    np.testing.assert_allclose(part.measures[-1].x, whole.measures[-1].x, atol=1e-13)
    single = mf.ParticleMeasure(CLOUD.x.astype(np.float32))
    found = mf.solve_flow(F, single, 0.5, dt=0.05, saves=1)
    assert found.measures[-1].x.dtype == np.float32
    np.testing.assert_allclose(found.measures[-1].x, whole.measures[-1].x, atol=2e-6)


SHARDED = """
import numpy as np, jax, unified as un
mf = un.meanfield
z = un.var("z", un.axes("n"))
F = mf.Interaction(un.exp(-z.sq() / 2)) + mf.Quadratic(1.0) + mf.Entropy(0.3)
mu = mf.GaussianMeasure([1.0, 1.0], np.eye(2)).to_particles(64, key=0)
mesh = jax.sharding.Mesh(np.array(jax.devices()), ("i",))
assert mesh.devices.size == 8
kw = dict(dt=0.02, key=3, saves=1)
one = mf.solve_flow(F, mu, 0.4, "langevin", **kw).measures[-1].x
many = mf.solve_flow(F, mu, 0.4, "langevin", mesh=mesh, chunk_size=8, **kw).measures[-1].x
print(np.abs(one - many).max())
"""


def test_shards_see_the_same_noise():
    """On eight devices a study must be the study that ran on one."""
    env = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "PATH": "", "HOME": str(ROOT),
           "UNIFIED_CACHE_DIR": os.environ["UNIFIED_CACHE_DIR"]}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", SHARDED], cwd=ROOT, env=env, timeout=300,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) < 1e-12


# --- noise ------------------------------------------------------------------------------------
H, T, COUNT = 0.3, 0.5, 100_000


@pytest.fixture(scope="module")
def maruyama():
    """Many particles after four long Euler–Maruyama steps."""
    F = mf.Quadratic(A) + mf.Entropy(T)
    start = mf.GaussianMeasure([0.0, 0.0], np.eye(2) * 0.8).to_particles(COUNT, key=5)
    return start, mf.solve_flow(F, start, 4 * H, "langevin", dt=H, key=2, saves=1).measures[-1]


def z_scores(found, want):
    """Entries of a sample covariance in units of their standard error."""
    d = np.diag(want)
    return (found - want) / np.sqrt((np.outer(d, d) + want**2) / COUNT)


def test_euler_maruyama_has_its_exact_discrete_law(maruyama):
    """Σ⁺ = (I−hA)Σ(I−hA) + 2hT: no time-step error hides a factor; the continuous law fails."""
    start, found = maruyama
    want = start.cov()  # the sample's own, so that only the noise is left to chance
    for _ in range(4):
        want = cf.euler_maruyama(A, H, T, want)
    assert np.all(np.abs(z_scores(found.cov(), want)) < 4)
    exact = cf.ornstein_uhlenbeck(A, 0, T, start.to_gaussian(), 4 * H)
    assert np.max(np.abs(z_scores(found.cov(), exact.sigma))) > 10
    fixed = cf.euler_maruyama_stationary(A, H, T)
    np.testing.assert_allclose(cf.euler_maruyama(A, H, T, fixed), fixed, atol=1e-14)


def test_splitting_has_no_time_step_error(maruyama):
    """The exact Ornstein–Uhlenbeck step at the same long dt, where Euler–Maruyama fails."""
    start, _ = maruyama
    F = mf.Quadratic(A, B) + mf.Entropy(T)
    found = mf.solve_flow(F, start, 4 * H, "langevin", dt=H, key=2, saves=1, splitting=True)
    want = cf.ornstein_uhlenbeck(A, B, T, start.to_gaussian(), 4 * H)
    end = found.measures[-1]
    assert np.all(np.abs(z_scores(end.cov(), want.sigma)) < 4)
    assert np.all(np.abs(end.mean() - want.m) < 4 * np.sqrt(np.diag(want.sigma) / COUNT))


def test_splitting_of_an_anharmonic_flow_has_order_two(fine):
    """Half an exact step, a Heun step, the other half: at T = 0 without sampling error."""
    errors, steps = [], (0.02, 0.01, 0.005)
    for dt in steps:
        run = mf.solve_flow(SMOOTH, CLOUD, 1.0, "langevin", dt=dt, key=0, saves=1, splitting=True)
        errors.append(np.abs(run.measures[-1].x - fine.measures[-1].x).max())
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("count", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_finite_particle_variance(count):
    """T/(a+k)(1−1/N) + T/(aN): dimensions are copies; h by its exact law."""
    a, k, heat, h, copies = 1.0, 2.0, 0.5, 0.1, 250
    F = mf.Quadratic(a) + mf.Interaction(mf.Quadratic(k)) + mf.Entropy(heat)
    start = mf.ParticleMeasure(np.zeros((count, copies)))
    run = mf.solve_flow(F, start, 1000.0, "langevin", dt=h, key=1, saves=200)
    blocks = np.array([np.mean(m.x**2) for m in run.measures[2:]])  # five relaxation times apart
    found, error = blocks.mean(), blocks.std() / np.sqrt(len(blocks))
    assert error < 3e-3

    def law(a, k):
        return cf.mckean_vlasov_variance(a, k, heat, count)

    # A mode of rate λ has T/(λ(1 − hλ/2)) instead of T/λ.
    slow, fast = a * (1 - h * a / 2), (a + k) * (1 - h * (a + k) / 2)
    assert abs(found - law(slow, fast - slow)) < 4 * error
    assert abs(found - heat / fast) > 10 * error  # the limit N = ∞ alone is caught


def test_noise_is_the_particles_own():
    """Adding particles must not change the noise of the others, nor must saving more often."""
    F = mf.Quadratic(1.0) + mf.Entropy(0.3)
    x = np.linspace(-1, 1, 12)[:, None]
    many = mf.solve_flow(F, mf.ParticleMeasure(x), 0.5, "langevin", dt=0.1, key=1)
    few = mf.solve_flow(F, mf.ParticleMeasure(x[:5]), 0.5, "langevin", dt=0.1, key=1, saves=1)
    np.testing.assert_array_equal(many.measures[-1].x[:5], few.measures[-1].x)
    other = mf.solve_flow(F, mf.ParticleMeasure(x), 0.5, "langevin", dt=0.1, key=2)
    assert np.abs(other.measures[-1].x - many.measures[-1].x).min() > 1e-4
    assert many.energy_kind == "F without internal energy" and np.isnan(many.gap)


def test_log_sobolev_decay():
    """Relative entropy to equilibrium falls at least as e^{−2λt}; λ too large is refuted."""
    F = mf.Quadratic(A, B) + mf.Entropy(T)
    rest = mf.GaussianMeasure(B, T * np.linalg.inv(A))
    lam = float(np.linalg.eigvalsh(A)[0])
    run = mf.solve_flow(F, mf.GaussianMeasure([2.0, 1.0], np.eye(2) / 5), 2.0, "moments")
    away = np.array([cf.relative_entropy(m, rest) for m in run.measures])
    assert np.all(away <= away[0] * np.exp(-2 * lam * run.ts) * (1 + 1e-9))
    assert not np.all(away <= away[0] * np.exp(-2 * 2 * lam * run.ts))
    np.testing.assert_allclose(run.energy - run.energy[-1], T * (away - away[-1]), atol=1e-9)


# --- refusals ---------------------------------------------------------------------------------
def test_a_step_beyond_the_limit_is_refused():
    """An explicit step just inside the limit is stable, just outside it explodes."""
    F = mf.Quadratic(np.diag([8.0, 1.0]))
    with pytest.raises(InputError, match=r"stability limit 0\.25.*got 0\.26"):
        mf.solve_flow(F, CLOUD, 5.2, dt=0.26, stepper="euler")
    held = mf.solve_flow(F, CLOUD, 24.9, dt=0.249, stepper="euler")
    assert np.abs(held.measures[-1].x).max() < np.abs(CLOUD.x).max()
    with pytest.raises(InputError, match="stability limit"):
        mf.solve_flow(F + mf.Entropy(1.0), CLOUD, 5.2, "langevin", dt=0.26, key=0)


def test_nan_keeps_the_last_good_checkpoint(tmp_path, capsys):
    """A run that blows up at night must leave what was good, and say where."""
    F = mf.Potential((z * z * z * z).sum() / 4) + mf.Entropy(20.0)
    start = mf.ParticleMeasure(np.full((200, 1), 0.5))
    kw = {"dt": 0.5, "key": 0, "saves": 40, "progress": True}
    with pytest.raises(ConvergenceError, match=r"non_finite after t = .* kept in") as caught:
        mf.solve_flow(F, start, 20.0, "langevin", checkpoint=tmp_path / "run.ckpt", **kw)
    assert caught.value.status == ["non_finite"]
    kept = mf.solve_flow(F, start, 20.0, "langevin", throw=False, **kw)
    assert kept.status == "non_finite" and len(kept.ts) < 41
    assert all(np.all(np.isfinite(m.x)) for m in kept.measures)
    assert (tmp_path / "run.ckpt").exists() and "save" in capsys.readouterr().err  # the bar


def test_a_rising_energy_is_no_flow():
    """Euler far too long for the curvature met on the way: finite, and nonsense."""
    F = mf.Potential(lambda x: -30 * __import__("jax").numpy.exp(-(x @ x) * 8))
    start = mf.ParticleMeasure(np.linspace(0.9, 1.0, 5))
    with pytest.raises(ConvergenceError, match="energy_rose"):
        mf.solve_flow(F, start, 3.0, dt=0.15, stepper="euler")
