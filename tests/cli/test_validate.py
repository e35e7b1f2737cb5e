"""`unified validate`: the table, the exit status, what it writes, what it refuses."""

import json

import pytest

from tests.cli.test_cli import refused, say
from unified.commands import validate, validate_controls
from unified.commands.validate_controls import MISTAKES


def strict(path):
    return json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(word))


def test_honest_agrees_and_everything_is_written(capsys, tmp_path):
    """A table without the file behind it cannot be checked by anybody else."""
    out = tmp_path / "out"
    words = ("validate", "--nets", "hopfield", "--seeds", "5", "--only", "centered")
    status, text, err = say(capsys, *words, "--out", str(out), "--json", str(tmp_path / "v.json"))
    assert status == 0 and err == "" and "✓ agrees" in text
    found = strict(tmp_path / "v.json")
    (row,) = found["rows"]
    assert row["verdict"] == row["expected"] == "agrees" and row["declared_order"] == 2
    assert row["slope_low"] <= row["slope"] <= row["slope_high"]
    assert found["checks"][0]["passed"] and strict(out / "results.json")["rows"] == found["rows"]
    page = (out / "report.html").read_text()
    assert "All 1 checks passed" in page and page.count("<img") == 4


def test_broken_estimators_are_caught_and_counted_as_success(capsys):
    """They are negative controls: catching them is what the status stands for."""
    status, text, _ = say(capsys, "validate", "--nets", "predictive", "--only", "broken",
                          "--seeds", "6")  # fmt: skip
    assert status == 0 and text.count("✓ disagrees") == len(MISTAKES)


def test_a_control_that_is_not_caught_fails(capsys, monkeypatch):
    """A validation that lets a broken estimator pass must not exit with 0."""
    monkeypatch.setitem(MISTAKES, "phases swapped", lambda p, params, x, y, honest: honest.grad)
    status, text, err = say(capsys, "validate", "--nets", "hopfield", "--seeds", "5", "--only",
                            "broken: phases swapped")  # fmt: skip
    assert status == 1 and "✗ agrees" in text and "phases_swapped" in err
    assert err.count("\n") == 1


def test_an_estimator_that_refuses_a_net_shows_its_sentence(capsys):
    """A refusal is no failure, and no silence either; but nothing validated is no success."""
    status, text, err = say(capsys, "validate", "--nets", "hopfield", "--seeds", "5", "--only",
                            "predictivecoding β")  # fmt: skip
    assert "refused: energy: expected one whose rule vanishes" in text
    assert status == 1 and "no estimator" in err


def test_bad_options_are_refused(capsys, tmp_path):
    """Two seeds decide nothing: minutes would go into a table of inconclusive."""
    (tmp_path / "file").write_text("in the way")
    assert "--seeds" in refused(capsys, "validate", "--seeds", "4")
    assert "--nets" in refused(capsys, "validate", "--nets", "hopfield,nonsense")
    assert "margin" in refused(capsys, "validate", "--margin", "0")
    assert "--only" in refused(capsys, "validate", "--only", "nonsense")
    assert "--out" in refused(capsys, "validate", "--out", str(tmp_path / "file" / "o"))
    assert "--json" in refused(capsys, "validate", "--json", str(tmp_path / "file" / "o" / "j"))


def test_every_estimator_is_in_the_table_once():
    """One that is left out without a word is believed to be valid."""
    entries, left_out = validate._entries(None)
    labels = [e.label for e in entries]
    assert len(set(labels)) == len(labels)
    told = " ".join(labels + left_out)
    for name in ("Implicit", "OneSided", "Centered", "Holomorphic", "Contrastive", "Unrolled"):
        assert name in told
    assert sum(e.expected == "disagrees" for e in entries) == len(validate_controls.MISTAKES)
