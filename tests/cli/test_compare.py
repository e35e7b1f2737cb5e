"""`unified compare`: every estimator in one table, the numbers in it, what it refuses."""

import csv
import json
from dataclasses import dataclass

import numpy as np
import pytest

from tests.cli.test_cli import refused, say
from unified.commands import estimator_registry
from unified.commands.compare_table import compare_estimators
from unified.commands.estimator_registry import Candidate, estimator_classes, registry
from unified.commands.small_nets import make_net
from unified.learning import Centered, Contrastive, Implicit, PredictiveCoding
from unified.learning.gradient import AbstractEstimator


@pytest.fixture(scope="module")
def table():
    """Three estimators, one refused and one that does not come to rest, on a tiny net."""
    from unified.dynamics import FixedPoint

    net = make_net("hopfield", [3, 4, 2], 4)
    cut = Centered(0.01, method=FixedPoint(max_steps=1))
    chosen = [
        Candidate("exact", Implicit()), Candidate("centered", Centered(5e-3)),
        Candidate("clamped", Contrastive()), Candidate("refused", PredictiveCoding(0.01)),
        Candidate("cut", cut), Candidate("needy", None, "needs a friend."),
    ]  # fmt: skip
    return compare_estimators(chosen, net.program, net.params(0), *net.data(0))


def test_the_columns_hold_what_they_say(table):
    """A table that cannot be trusted in one column is not read in the others."""
    at = {name: table.sel(estimator=name) for name in table["estimator"].values}
    assert at["exact"]["relative_error"] == 0 and at["centered"]["relative_error"] < 1e-2
    assert at["centered"]["measured_order"] == pytest.approx(2, abs=0.15)
    assert at["centered"]["declared_order"] == 2 and np.isnan(at["exact"]["declared_order"])
    assert at["centered"]["steps"] > at["exact"]["steps"] >= 1
    assert at["clamped"]["relative_error"] > 0.05
    assert at["clamped"]["gradient_of"] == "E_clamped - E_free"
    for name in ("exact", "centered", "clamped"):
        assert at[name]["seconds"] > 0 and at[name]["temporary_bytes"] > 0
        assert at[name]["times_implicit"] > 0.1 and at[name]["status"] == "converged"
        assert str(at[name]["conditions"].values)


def test_nothing_from_a_lost_phase_or_a_refusal_is_a_number(table):
    """An error measured on an unconverged state is an error of nothing."""
    cut, no, needy = (table.sel(estimator=k) for k in ("cut", "refused", "needy"))
    assert np.isnan(cut["relative_error"]) and "max_steps" in str(cut["status"].values)
    for row in (no, needy):
        assert np.isnan(row["relative_error"]) and np.isnan(row["seconds"])
    assert "whose rule vanishes" in str(no["refusal"].values)
    assert needy["refusal"] == "needs a friend."


def test_new_estimators_appear_by_themselves(monkeypatch):
    """A list kept by hand forgets the estimator somebody adds next week."""

    @dataclass(frozen=True)
    class Later(Centered):
        """Added after this file was written."""

    monkeypatch.setattr(Later, "__module__", "unified.learning.later")
    assert Later in estimator_classes() and "Later β=0.005" in [c.label for c in registry()]
    monkeypatch.setattr(Later, "__module__", "somewhere.else")
    assert Later not in estimator_classes()


def test_settings_without_default_are_chosen_or_named(monkeypatch):
    """One estimator that needs an argument must not take the whole table down."""

    @dataclass(frozen=True)
    class Needs(AbstractEstimator):
        chain: int

        def core(self, program, values):
            raise NotImplementedError

    assert "chain" in next(estimator_registry._candidates(Needs)).refusal
    monkeypatch.setitem(estimator_registry.CHOSEN, "chain", 3)
    assert next(estimator_registry._candidates(Needs)).estimator.chain == 3


def test_command_prints_and_writes(capsys, tmp_path):
    """What is printed, the JSON and the CSV are read by different people; they must agree."""
    out = tmp_path / "out"
    status, text, err = say(capsys, "compare", "--net", "predictive", "--sizes", "3,2", "--batch",
                            "3", "--only", "onesided", "--out", str(out))  # fmt: skip
    assert status == 0 and err == "" and "OneSided β=0.001" in text
    found = json.loads((out / "compare.json").read_text(), parse_constant=pytest.fail)
    (row,) = found["table"]
    with (out / "compare.csv").open(newline="") as file:
        (cells,) = csv.DictReader(file)
    assert float(cells["relative_error"]) == row["relative_error"] < 0.05
    assert row["declared_order"] == 1 and row["measured_order"] == pytest.approx(1, abs=0.1)
    assert "OneSided" in (out / "report.html").read_text() and found["fingerprint"]


def test_status_is_1_if_no_estimator_ran(capsys):
    """A table of refusals only is no comparison."""
    status, text, _ = say(capsys, "compare", "--sizes", "3,2,2", "--batch", "2", "--only",
                          "predictivecoding β")  # fmt: skip
    assert status == 1 and "refused: energy" in text


def test_bad_options_are_refused(capsys, tmp_path):
    """A net of a wrong shape would be compared, and believed."""
    (tmp_path / "file").write_text("in the way")
    assert "--net" in refused(capsys, "compare", "--net", "nonsense")
    for text in ("3", "3,x", "3,-1", ""):
        assert "--sizes" in refused(capsys, "compare", f"--sizes={text}")
    assert "--sizes" in refused(capsys, "compare", "--net", "recurrent", "--sizes", "3,2,2")
    assert "--batch" in refused(capsys, "compare", "--batch", "0")
    assert "--seed" in refused(capsys, "compare", "--seed", "-1")
    assert "--only" in refused(capsys, "compare", "--only", "nonsense")
    assert "--csv" in refused(capsys, "compare", "--csv", str(tmp_path / "file" / "o" / "c"))
