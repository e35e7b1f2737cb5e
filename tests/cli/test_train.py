"""`unified train`: the table that compares a rule with the exact gradient of the same net."""

import json

import numpy as np
import pytest
from scipy import stats

from unified.cli import main
from unified.commands.train import POINTS, summary


def rows(own, exact):
    """Made-up runs of one net, errors as fractions."""
    made = {"net": "n", "epochs": 2, "loss": 0.1, "seconds": 1.0, "estimator": "E"}
    return [
        {**made, "rule": rule, "seed": k, "test_error": e}
        for rule, errors in (("EP", own), ("exact", exact)) for k, e in enumerate(errors)
    ]  # fmt: skip


def test_the_difference_pairs_the_seeds():
    """Unpaired, the spread between seeds would hide a rule that is always a little worse."""
    own, exact = [0.020, 0.030, 0.041], [0.018, 0.029, 0.038]
    (line,) = summary(rows(own, exact))
    apart = 100 * (np.array(own) - exact)
    low, high = stats.t.interval(0.95, 2, apart.mean(), stats.sem(apart))
    assert line["difference"] == pytest.approx(apart.mean())
    assert line["half_width"] == pytest.approx((high - low) / 2)
    assert line["mean"] == pytest.approx(100 * np.mean(own)) and line["seeds"] == 3


def test_control_a_rule_that_is_too_far_is_not_close():
    """The exit status hangs on this word."""
    far = [e + (POINTS + 0.01) / 100 for e in (0.02, 0.03)]
    near = [e + (POINTS - 0.01) / 100 for e in (0.02, 0.03)]
    assert not summary(rows(far, [0.02, 0.03]))[0]["close"]
    assert summary(rows(near, [0.02, 0.03]))[0]["close"]


def test_a_run_is_written_and_resumed(tmp_path):
    """A table without its runs cannot be checked; a finished run must not be trained again."""
    words = ["train", "--nets", "predictive", "--seeds", "1", "--epochs", "1",
             "--out", str(tmp_path), "--json", str(tmp_path / "t.json")]  # fmt: skip
    status = main(words)
    first = json.loads((tmp_path / "t.json").read_text())
    assert status == (0 if first["table"][0]["close"] else 1)
    assert [r["rule"] for r in first["rows"]] == ["PC", "exact"] and first["data"] == "digits"
    assert main(words) == status
    again = json.loads((tmp_path / "t.json").read_text())
    assert [r["test_error"] for r in again["rows"]] == [r["test_error"] for r in first["rows"]]


@pytest.mark.parametrize(
    ("words", "told"),
    [(["--seeds", "0"], "--seeds"), (["--epochs", "-1"], "--epochs"),
     (["--nets", "transformer"], "transformer"), (["--data", "/nowhere"], "/nowhere")],
)  # fmt: skip
def test_bad_input_gets_one_sentence(capsys, words, told):
    """A wrong word must not cost an hour of training first."""
    assert main(["train", *words]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
