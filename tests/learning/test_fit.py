"""Oracle: an uninterrupted run, bit for bit; a loss that falls; files damaged on purpose."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import optax
import pytest

import unified as un
from tests.learning import interrupted
from tests.learning.interrupted import EPOCHS, KILLED_IN, run
from unified.base.errors import ConvergenceError, InputError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The uninterrupted run, with a checkpoint of its own."""
    path = tmp_path_factory.mktemp("fit") / "whole.ckpt"
    return run(path), path


def same(one, two):
    return all(np.array_equal(one.params[k], two.params[k]) for k in one.params)


def test_the_loss_falls_and_the_curve_is_kept(whole):
    """A sign lost between estimator and optimiser would climb instead."""
    found, _ = whole
    assert found.epochs == EPOCHS and found.loss.shape == found.test_error.shape == (EPOCHS,)
    assert np.all(np.diff(found.loss) < 0)
    assert found.test_error[-1] <= found.test_error[0]
    dataset = found.to_xarray()
    np.testing.assert_array_equal(dataset["loss"], found.loss)
    assert dataset["epoch"].values.tolist() == [1, 2, 3, 4, 5]


def test_a_killed_fit_resumes_to_identical_parameters(whole, tmp_path):
    """After a power cut, a resumed experiment must be the experiment, not a similar one."""
    path = tmp_path / "killed.ckpt"
    command = [sys.executable, "-m", "tests.learning.interrupted", str(path)]
    done = subprocess.run(command, cwd=ROOT, timeout=120, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert path.exists() and len(list(tmp_path.iterdir())) == 2  # and half a file beside it
    resumed = run(path)
    assert same(resumed, whole[0])
    np.testing.assert_array_equal(resumed.loss, whole[0].loss)
    np.testing.assert_array_equal(resumed.test_error, whole[0].test_error)
    assert KILLED_IN < EPOCHS


def test_more_epochs_continue_and_none_repeat(whole, tmp_path):
    """Training on from a finished run must equal having asked for more at first."""
    path = tmp_path / "short.ckpt"
    run(path, epochs=2)
    assert same(run(path), whole[0])
    stamp = path.stat().st_mtime_ns
    assert same(run(path), whole[0])  # already there: nothing is trained again
    assert path.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"", lambda raw: raw[:-7], lambda raw: raw[:40], lambda raw: b"PK" + raw,
        lambda raw: raw[:-20] + bytes([raw[-20] ^ 1]) + raw[-19:],
    ],
    ids=range(5),
)  # fmt: skip
def test_a_corrupt_checkpoint_is_refused(whole, tmp_path, damage):
    """Starting again silently, or from half the arrays, are both worse than stopping."""
    path = tmp_path / "bad.ckpt"
    path.write_bytes(damage(whole[1].read_bytes()))
    with pytest.raises(InputError, match=r"checkpoint: expected .* got a corrupt file; restore"):
        run(path)


@pytest.mark.parametrize(
    "other",
    [
        {"key": 8}, {"seed": 1}, {"batch": 6}, {"estimator": un.OneSided(0.06)},
        {"estimator": un.OneSided(0.05, tol=1e-9)}, {"rate": 0.02},
        {"optimizer": optax.sgd(0.01)}, {"estimator": un.OneSided(0.05, method=un.FixedPoint())},
    ],
    ids=lambda other: "_".join(other),
)  # fmt: skip
def test_a_checkpoint_of_another_run_is_refused(whole, tmp_path, other):
    """Continuing another seed's run, or with another rate, makes a result nobody can repeat."""
    path = tmp_path / "other.ckpt"
    path.write_bytes(whole[1].read_bytes())
    with pytest.raises(InputError, match=r"checkpoint: expected one of this run .*another run's"):
        run(path, **other)
    assert path.read_bytes() == whole[1].read_bytes()


def test_an_unwritable_checkpoint_is_refused_before_training(tmp_path):
    """An hour of training must not end in FileNotFoundError."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(InputError, match="checkpoint: expected a folder that can be written to"):
        run(blocked / "run.ckpt")


def test_a_sample_that_does_not_rest_ends_the_fit():
    """Its gradient is meaningless, and would be averaged in with the others."""
    program = interrupted.net()
    x, y = np.ones((8, 3)), np.eye(2)[[0, 1] * 4]
    cut = un.OneSided(0.05, method=un.FixedPoint(max_steps=1))
    with pytest.raises(ConvergenceError, match=r"fit, epoch 1, batch 1: .*max_steps"):
        un.fit(program, cut, x, y, key=0, epochs=1, batch_size=4)


def test_symmetric_parameters_stay_symmetric(tmp_path):
    """Adam turns a gradient's last-digit asymmetry into a full step, if there is one."""
    program = un.emit(un.energies.recurrent(4, 3), un.costs.squared())
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 3)), rng.normal(size=(24, 4))
    found = un.fit(program, un.OneSided(0.05), x, y, key=0, epochs=3, batch_size=8)
    w = found.params["W"]
    assert np.max(np.abs(w - w.T)) < 1e-13
    assert found.loss[-1] < found.loss[0]


def test_prediction_is_the_free_phase_in_chunks(whole):
    """The reported test error would be that of some other network."""
    program = interrupted.net()
    x = np.random.default_rng(1).normal(size=(10, 3))
    rest = un.relax(program, whole[0].params, un.Phase.free(x))
    out = rest.state["s2"]
    np.testing.assert_allclose(un.predict(program, whole[0].params, x, chunk=5), out, atol=1e-9)
    y = np.eye(2)[out.argmax(axis=1)]
    y[:3] = 1 - y[:3]
    assert un.error_rate(program, whole[0].params, x, y, chunk=5) == pytest.approx(0.3)
    with pytest.raises(InputError, match="empty batch"):
        un.predict(program, whole[0].params, x[:0])


BASE = {"key": 0, "epochs": 1, "batch_size": 4}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"epochs": 0}, "epochs"), ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 9}, "at least 9"), ({"y": np.zeros((7, 2))}, "8 and 7"),
        ({"x": np.zeros((8, 4))}, "axis n0"), ({"x": np.full((8, 3), np.nan)}, "finite"),
        ({"y": np.full((8, 2), np.inf)}, "finite"), ({"y": [0, 1] * 4}, "one-hot"),
        ({"params": {}}, "'W1'"),
    ],
    ids=lambda v: str(list(v)) if isinstance(v, dict) else v,
)  # fmt: skip
def test_a_mistake_in_calling_fit_gets_one_sentence(change, word):
    """The sooner the better: before anything is compiled or trained."""
    program = interrupted.net()
    call = {"x": np.ones((8, 3)), "y": np.eye(2)[[0, 1] * 4], **BASE, **change}
    x, y = call.pop("x"), call.pop("y")
    with pytest.raises(InputError, match="expected") as caught:
        un.fit(program, un.OneSided(), x, y, **call)
    assert word in str(caught.value)


def test_the_interrupted_script_is_this_run():
    """If its defaults moved, the resumed run would be refused, not compared."""
    assert interrupted.run is run
