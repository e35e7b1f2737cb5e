"""Oracle: what was written, files of others, chains that are stuck, and xarray's own trees."""

import importlib.metadata as metadata
from functools import partial

import numpy as np
import pytest
import xarray as xr

import unified as un
from tests.inference.cases import SQUARED, deep_linear, hopfield, linear_gaussian, normal_draws
from unified.base import arviz_data
from unified.base.errors import ConvergenceError, InputError
from unified.inference.draws import attributes, gate, require_usable, stacked, to_data

CASE = deep_linear()


def made(draws=None, status=None, case=CASE, **stats):
    """ArviZ data of independent draws of a case."""
    drawn = normal_draws(case.mean, case.cov, 0, draws=600) if draws is None else draws
    judged = gate(drawn) if status is None else gate(drawn)._replace(status=status)
    return to_data(case.problem, drawn, "by hand", judged, stats)


def test_draws_keep_names_settings_and_verdict():
    """A file of draws that does not say of what they are is worth nothing."""
    data = made(F=np.zeros((4, 600)))
    told = attributes(data)
    assert (told["beta"], told["temperature"], told["verdict"]) == (0.7, 0.5, "usable")
    assert told["fingerprint"] == CASE.problem.fingerprint and told["energy"] == "deep_linear"
    group = arviz_data.group(data, "posterior")
    assert group["z1"].dims == ("chain", "draw", "z1_n1") and group["z1"].shape == (4, 600, 4)
    np.testing.assert_array_equal(stacked(CASE.problem, data), normal_draws(
        CASE.mean, CASE.cov, 0, draws=600))  # fmt: skip
    assert arviz_data.group(data, "sample_stats")["F"].shape == (4, 600)
    assert arviz_data.group(data, "prior") is None


def test_a_file_gives_back_what_was_saved(tmp_path):
    """Also over an older file, and with attributes."""
    path = tmp_path / "draws.nc"
    path.write_bytes(b"old")
    data = made(F=np.ones((4, 600)))
    assert un.inference.save_posterior(data, path) == path
    again = un.inference.load_posterior(path, *CASE.given)
    np.testing.assert_array_equal(stacked(CASE.problem, again), stacked(CASE.problem, data))
    assert attributes(again)["beta"] == 0.7 and attributes(again)["verdict"] == "usable"
    assert [p.name for p in tmp_path.iterdir()] == ["draws.nc"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    """Half a netCDF file in place of hours of sampling."""
    path = un.inference.save_posterior(made(), tmp_path / "draws.nc")
    before = path.read_bytes()

    def broken(data, where):
        where.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(arviz_data, "write", broken)
    with pytest.raises(OSError, match="disk full"):
        un.inference.save_posterior(made(), path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_draws_of_another_law_are_refused(tmp_path):
    """Parameters trained further, or another image: the posterior is silently that of before."""
    path = un.inference.save_posterior(made(), tmp_path / "draws.nc")
    energy, cost, params, x, y = CASE.given
    others = {
        "params": (energy, cost, {**params, "W1": params["W1"] + 1e-9}, x, y),
        "data": (energy, cost, params, x, y + 1e-9),
        "energy": hopfield().given,
    }
    for given in others.values():
        with pytest.raises(InputError, match=r"path: expected draws of this energy.*another") as e:
            un.inference.load_posterior(path, *given)
        assert str(e.value).count("\n") == 0
    with pytest.raises(InputError, match="draws: expected draws of this energy"):
        un.inference.compare_posterior(*others["data"], **CASE.settings, draws=made())
    with pytest.raises(InputError, match=r"draws at temperature = 0.6, got temperature = 0.5"):
        un.inference.compare_posterior(*CASE.given, beta=0.7, temperature=0.6, draws=made())


def test_files_that_are_no_draws_are_refused(tmp_path):
    """A traceback out of a netCDF library tells nobody what to do."""
    (tmp_path / "text.nc").write_text("no netCDF")
    xr.Dataset({"a": 1}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    whole = un.inference.save_posterior(made(), tmp_path / "draws.nc").read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: len(whole) // 2])
    for name in ("none.nc", "text.nc", "cut.nc", "other.nc"):
        with pytest.raises(InputError, match="path: expected"):
            un.inference.load_posterior(tmp_path / name, *CASE.given)


def test_draws_of_other_shapes_are_refused():
    """Units would be compared with those of another net."""
    with pytest.raises(InputError, match="posterior of s1, s2"):
        stacked(hopfield().problem, made())
    small = linear_gaussian()
    data = made(normal_draws(small.mean, small.cov, 0), case=small)
    big = un.energies.linear_gaussian(4, 3)
    rng = np.random.default_rng(0)
    params = {"A": np.eye(4), "b": np.zeros(4), "U": np.zeros((4, 3))}
    other = un.inference.Problem.of(big, SQUARED, params, np.zeros(3), rng.standard_normal(4))
    with pytest.raises(InputError, match=r"shape \(4,\) per draw"):
        stacked(other, data)


# --- the gate -------------------------------------------------------------------------------
def test_the_gate_passes_good_chains_and_stops_bad_ones():
    """A stuck chain passes a z test: its mean is right to its own, tiny error."""
    good = normal_draws(np.zeros(3), np.eye(3), 0)
    assert gate(good).status == "converged"
    stuck = good.copy()
    stuck[3] += 5  # one chain in another well
    assert gate(stuck).status == "unmixed" and np.max(gate(stuck).rhat) > 1.5
    frozen = good.copy()
    frozen[:, :, 1] = 0.25  # nothing moves: R-hat is 0/0
    assert gate(frozen).status == "unmixed"
    assert gate(good[:, :90]).status == "unmixed"  # 360 draws
    assert gate(good, divergences=1).status == "divergences"
    good[0, 0, 0] = np.nan
    assert gate(good).status == "non_finite"


@pytest.mark.parametrize("status", ["unmixed", "divergences", "non_finite"])
def test_unusable_draws_raise_one_sentence(status):
    """An average over an unmixed chain looks like any other number."""
    told = attributes(made(status=status))
    assert told["verdict"] == "inconclusive" and told["status"] == status
    with pytest.raises(ConvergenceError, match=r"posterior: expected R-hat.*inconclusive") as e:
        require_usable(told, 3)
    assert e.value.status == [status] and str(e.value).count("\n") == 0


# --- versions -------------------------------------------------------------------------------
def test_the_tree_of_arviz_1_holds_the_same(tmp_path, monkeypatch):
    """ArviZ 1 keeps draws in xarray's DataTree; this takes that branch with a real tree."""
    monkeypatch.setattr(arviz_data, "has_trees", lambda: True)
    data = made(F=np.ones((4, 600)))
    assert isinstance(data, xr.DataTree)
    np.testing.assert_array_equal(stacked(CASE.problem, data), normal_draws(
        CASE.mean, CASE.cov, 0, draws=600))  # fmt: skip
    path = un.inference.save_posterior(data, tmp_path / "draws.nc")
    again = un.inference.load_posterior(path, *CASE.given)
    assert isinstance(again, xr.DataTree) and attributes(again)["beta"] == 0.7
    found = un.inference.compare_posterior(*CASE.given, **CASE.settings, draws=again)
    assert isinstance(found.to_arviz(), xr.DataTree) and found.tests.gate.status == "converged"
    monkeypatch.undo()
    if not arviz_data.has_trees():  # and a file of one version is read by the other
        older = un.inference.load_posterior(path, *CASE.given)
        np.testing.assert_array_equal(stacked(CASE.problem, older), stacked(CASE.problem, data))


def major(package):
    return int(metadata.version(package).partition(".")[0])


@pytest.mark.skipif(
    major("arviz") < 1 or major("pymc") < 6,
    reason=f"needs PyMC 6 and ArviZ 1 (Python 3.12); here are PyMC {metadata.version('pymc')} "
    f"and ArviZ {metadata.version('arviz')}",
)
def test_pymc_6_and_arviz_1_give_the_same_law(tmp_path):
    """The versions of Python 3.12: another compiler, another sampler, other containers."""
    data = un.inference.posterior(*CASE.given, **CASE.settings, key=0)
    assert isinstance(data, xr.DataTree) and attributes(data)["method"].startswith("nuts")
    path = un.inference.save_posterior(data, tmp_path / "draws.nc")
    again = un.inference.load_posterior(path, *CASE.given)
    compared = partial(un.inference.compare_posterior, *CASE.given, **CASE.settings, draws=again)
    assert compared(reference=(CASE.mean, CASE.cov)).verdict == "agrees"
    assert compared(reference=(CASE.mean, 1.1 * CASE.cov)).verdict == "disagrees"  # control
    # ArviZ takes the tree for its own, and judges it as the gate did
    theirs = np.hstack([np.ravel(v) for v in arviz_data.arviz().rhat(again).values()])
    np.testing.assert_allclose(theirs, gate(stacked(CASE.problem, again)).rhat, atol=2e-3)
    # and the density as PyMC compiles it unless told otherwise
    logp = un.inference.to_pymc(*CASE.given, **CASE.settings, form="potential").compile_logp()
    rows = stacked(CASE.problem, again)[0, :5]
    found = [float(logp(CASE.problem.unstack(row))) for row in rows]
    np.testing.assert_allclose(found, -CASE.problem.evaluate("energy", rows)["F"] / 0.5, rtol=1e-12)
