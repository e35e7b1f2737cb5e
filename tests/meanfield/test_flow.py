"""Oracle: the uninterrupted run bit for bit; sentences of refusal; what results hold."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import unified as un
from tests.meanfield.interrupted_flow import run
from unified.base.errors import InputError

mf = un.meanfield
ROOT = Path(__file__).resolve().parents[2]
z = un.var("z", un.axes("n"))
GAUSS = mf.GaussianMeasure([0.0, 1.0], np.eye(2))
CLOUD = GAUSS.to_particles(6, key=0)
LINE = mf.ParticleMeasure([0.0, 0.5, 1.0])
GRID = mf.GaussianMeasure(0.0, 0.5).to_grid(np.linspace(-4, 4, 51))
Q, E, ATTRACT = mf.Quadratic(1.0), mf.Entropy(0.2), mf.Interaction(mf.Quadratic(1.0))
QUARTIC = mf.Potential((z * z * z * z).sum())


def test_every_public_name_resolves():
    """A name in the table that raises on use is a broken promise."""
    missing = []
    for name, target in mf._EXPORTS.items():
        try:
            getattr(mf, name)
        except (ImportError, AttributeError):
            missing.append(target.partition(":")[0])
    absent = {m for m in missing if (ROOT / (m.replace(".", "/") + ".py")).exists()}
    assert not absent
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = mf.nonsense


@pytest.mark.parametrize("method", ["langevin", pytest.param("fv", marks=pytest.mark.slow)])
def test_a_killed_flow_resumes_to_identical_measures(method, tmp_path):
    """After a power cut, a resumed flow must be the flow, not a similar one."""
    path, whole = tmp_path / "killed.ckpt", run(None, method)
    command = [sys.executable, "-m", "tests.meanfield.interrupted_flow", str(path), method]
    done = subprocess.run(command, cwd=ROOT, timeout=200, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert path.exists() and len(list(tmp_path.iterdir())) == 2  # and half a file beside it
    resumed = run(path, method)
    for one, two in zip(whole.measures, resumed.measures, strict=True):
        for name, value in one.arrays().items():
            np.testing.assert_array_equal(two.arrays()[name], value)
    np.testing.assert_array_equal(whole.dissipated, resumed.dissipated)
    assert whole.details == resumed.details
    with pytest.raises(InputError, match="another run"):
        run(path, method, a=1.1)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="corrupt"):
        run(path, method)


def test_results_hold_what_they_say():
    """Plots and tables read these fields."""
    found = mf.solve_flow(Q, CLOUD, 1.0, saves=4)
    assert len(found.ts) == len(found.energy) == len(found.measures) == len(found.mass) == 5
    np.testing.assert_allclose(found.mass, 1, atol=1e-14)
    data = found.to_xarray()
    assert data["x"].shape == (5, 6, 2) and data["cov"].shape == (5, 2, 2)
    assert data.attrs["status"] == "completed" and "completed" in repr(found)
    assert "Gigli" in found.citation
    side = np.linspace(-5, 6, 30)
    grid = mf.solve_flow(Q + E, GAUSS.to_grid(side, side), 0.2, "fv", dt=0.1, saves=2)
    assert grid.to_xarray()["density"].dims == ("time", "x", "y")
    assert mf.solve_flow(Q + E, GAUSS, 0.2, "moments").to_xarray()["mean"].shape == (21, 2)


@pytest.mark.parametrize("tau", [1.0, 0.3])
def test_times_are_those_asked_for(tau):
    """Values at t = 0.30000027 do not join a table of values at 0.3."""
    asked = np.linspace(0, 0.7, 8)
    for F, mu, kw in (
        (Q, CLOUD, {}),
        (Q, CLOUD, {"dt": 0.01, "stepper": "euler"}),
        (Q + E, GAUSS, {"method": "moments"}),
    ):
        found = mf.solve_flow(F, mu, 0.7, tau=tau, saves=7, **kw)
        np.testing.assert_array_equal(found.ts, asked)
        if not kw:
            want = CLOUD.x * np.exp(-asked[:, None, None] / tau)
            np.testing.assert_allclose([m.x for m in found.measures], want, atol=1e-9)
    uneven = mf.solve_flow(Q, CLOUD, 1.0, dt=0.3, stepper="euler", saves=3)  # four steps
    np.testing.assert_array_equal(uneven.ts, [0, 0.25, 0.75, 1])


def test_the_certificate_says_of_what():
    """A number without the identity it is of certifies nothing; noise has none."""
    moments = mf.solve_flow(Q + E, GAUSS, 1.0, "moments", saves=2)
    assert moments.certificate == moments.gap < 1e-9 and "∇δF/δμ" in moments.certifies
    grid = mf.solve_flow(Q + E, GRID, 1.0, "fv", dt=0.1, saves=2)
    assert grid.certificate < 1e-9 < grid.gap and "identity of its steps" in repr(grid)
    data = grid.to_xarray()
    assert data["spent"].shape == (3,) and data.attrs["certifies"] == grid.certifies
    noisy = mf.solve_flow(Q + E, CLOUD, 1.0, "langevin", key=0, dt=0.1, saves=1)
    assert np.isnan(noisy.certificate) and noisy.certifies.startswith("none")


def test_tau_only_rescales_time():
    """τ∂_tμ: at t1 = 2, τ = 2 is where τ = 1 is at 1; energies drop alike."""
    slow = mf.solve_flow(Q, CLOUD, 2.0, tau=2.0, saves=4)
    fast = mf.solve_flow(Q, CLOUD, 1.0, saves=4)
    np.testing.assert_allclose(slow.measures[-1].x, fast.measures[-1].x, rtol=1e-12)
    np.testing.assert_allclose(slow.ts, 2 * fast.ts)
    assert slow.gap < 1e-8


@pytest.mark.parametrize(
    ("F", "mu", "t1", "kw", "words"),
    [
        (3, CLOUD, 1.0, {}, "F: expected a functional"),
        (Q, 3, 1.0, {}, "mu0: expected a measure"),
        (Q, CLOUD, 1.0, {"method": "magic"}, "one of particles, langevin"),
        (Q, CLOUD, -1.0, {}, "t1/tau > 0, got -1"),
        (Q, CLOUD, 1.0, {"tau": -2.0}, "t1/tau > 0, got -0.5"),
        (Q, CLOUD, 1.0, {"tau": 0.0}, "tau not 0"),
        (Q, CLOUD, 1.0, {"dt": 0.0}, "dt: expected a positive number"),
        (Q, CLOUD, 1.0, {"saves": 0}, "saves"),
        (Q, CLOUD, 1.0, {"tol": 0.0}, "tol: expected a positive number"),
        (Q, CLOUD, 1.0, {"chunk_size": 0}, "chunk_size"),
        (Q, CLOUD, 1.0, {"stepper": "magic"}, "one of euler, heun, adaptive"),
        (Q + E, CLOUD, 1.0, {}, "applies to .*: langevin, fv, moments, got 'particles', which is"),
        (Q + mf.Power(2), CLOUD, 1.0, {"method": "langevin"}, "cannot feel a power"),
        (QUARTIC + E, GAUSS, 1.0, {"method": "moments"}, "needs quadratic"),
        (QUARTIC + E, GAUSS, 1.0, {"method": "jko"}, "langevin, fv, got 'jko'"),
        (Q + E, CLOUD, 1.0, {"method": "jko"}, "one dimension, a GaussianMeasure or"),
        (Q + E, CLOUD, 1.0, {"method": "langevin"}, "key: expected a whole number"),
        (Q + E, GAUSS, 1.0, {"method": "langevin", "key": 0}, "a ParticleMeasure"),
        (Q + E, CLOUD, 1.0, {"method": "fv"}, "a GridMeasure"),
        (Q + E, CLOUD, 1.0, {"method": "moments"}, "a GaussianMeasure"),
        (ATTRACT + E, CLOUD, 1.0, {"method": "langevin", "key": 0, "splitting": True},
         "with a Quadratic term"),
        (mf.Quadratic(np.eye(3)), CLOUD, 1.0, {}, "a measure in 3 d"),
        (mf.Quadratic(-1.0), CLOUD, 1.0, {}, "bounded below, got one that is not .curvature -1"),
        (Q + mf.Interaction(mf.Quadratic(-2.0)), CLOUD, 1.0, {}, "curvature -1"),
        (mf.Potential(-(z * z * z * z).sum()), CLOUD, 1.0, {}, "bounded below"),
        (mf.Interaction(-(z * z * z * z).sum()), CLOUD, 1.0, {}, "bounded below"),
        (mf.Interaction(un.log(z.sq())), CLOUD, 1.0, {}, "where particles coincide"),
        (mf.Interaction(un.fn(__import__("sympy").sqrt)(z.sq())), CLOUD, 1.0, {}, "coincide"),
        (Q + E, GAUSS, 1.0, {"method": "moments", "entropic": 0.1}, "none but for jko"),
        (Q + E, GAUSS, 1.0, {"method": "jko", "entropic": 0.1}, "none but on a GridMeasure"),
        (Q + E, GRID, 1.0, {"method": "fv", "splitting": True}, "splitting: expected none but"),
        (Q, CLOUD, 1.0, {"stepper": "adaptive", "dt": 0.1}, "dt: expected none with"),
        (Q + E, GRID, 1.0, {"method": "jko", "dt": 0.1, "entropic": 1e-4}, "at least 0.2"),
        (Q + E, GRID, 1.0, {"method": "jko", "dt": 0.1, "entropic": 1e3}, "at most"),
        (Q + mf.Power(2), GRID, 1.0, {"method": "jko"}, "no power of the density"),
        (Q + E, LINE, 1.0, {"method": "jko", "dt": 0.1, "saves": -1}, "saves"),
        (Q + E, mf.ParticleMeasure([0.0, 1.0], [0.9, 0.1]), 1.0, {"method": "jko"}, "equal w"),
        (Q + E, mf.GaussianMeasure(0.0, 0.0), 1.0, {"method": "moments"}, "positive definite"),
    ],
)  # fmt: skip
def test_bad_input_gets_a_sentence(F, mu, t1, kw, words):
    """Each of these once gave a plausible picture, or a page of traceback."""
    with pytest.raises(InputError, match=words) as caught:
        mf.solve_flow(F, mu, t1, **kw)
    assert "\n" not in str(caught.value) and str(caught.value).count(". ") <= 2


def test_confined_functionals_are_not_refused():
    """A double well, and attraction against repulsion, are bounded: no cry of wolf."""
    well = mf.Potential((z * z * z * z).sum() / 4 - z.sq())
    mf.solve_flow(well + mf.Interaction(mf.Quadratic(-0.5)), CLOUD, 0.1, dt=0.01, saves=1)
    mf.solve_flow(Q + mf.Interaction(un.exp(-z.sq())), CLOUD, 0.1, dt=0.01, saves=1)
