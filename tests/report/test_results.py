"""Oracle: the JSON read back by the strict parser of the standard library."""

import json
import os

import numpy as np
import pytest

from unified.base.errors import InputError
from unified.report import Check, all_passed, environment, failed_first, write_results

ROW = {"rule": "EP", "energy": "hopfield", "dataset": "digits", "seed": np.int64(0)}
ROW |= {"epochs": 3, "test_error": np.float32(0.5), "seconds": 1.0}


def strict(path):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_keys_are_exactly_those_promised(tmp_path):
    """Acceptance checks and other people's scripts read these names."""
    check = Check.at_most("a", "A claim.", np.float64(1e-7), 1e-6)
    found = strict(write_results(tmp_path / "r.json", [check], [ROW], environment(), 2.5))
    assert set(found) == {"checks", "training", "environment", "seconds"}
    assert found["checks"] == [
        {"id": "a", "claim": "A claim.", "level": "numeric", "value": 1e-7}
        | {"tolerance": 1e-6, "passed": True}
    ]
    assert found["training"] == [ROW | {"seed": 0, "test_error": 0.5}]
    assert found["seconds"] == 2.5


def test_numpy_values_and_extras(tmp_path):
    """A crash while writing would throw the whole run away."""
    extra = {"curve": np.array([1.0, np.nan]), "n": np.int32(2), "ok": np.bool_(True), "t": (1,)}
    found = strict(write_results(tmp_path / "r.json", [], [], {}, 1, bench=extra))
    assert found["bench"] == {"curve": [1.0, None], "n": 2, "ok": True, "t": [1]}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_never_passes(value):
    """NaN compares false and -inf is below any tolerance: both would hide a broken run."""
    assert not Check.at_most("a", "c", value, 1.0).passed
    with pytest.raises(InputError, match="finite"):
        Check("a", "c", "numeric", value, 1.0, True)


def test_tolerance_decides():
    """A check that cannot fail checks nothing."""
    assert Check.at_most("a", "c", 1.0, 1.0).passed
    assert not Check.at_most("a", "c", 1.0 + 1e-9, 1.0).passed


def test_no_checks_is_not_a_pass():
    """A run that checked nothing must not exit with 0."""
    good, bad = Check.holds("a", "c", True, "proved"), Check.holds("b", "c", False, "exact")
    assert all_passed([good]) and not all_passed([good, bad]) and not all_passed([])
    assert failed_first([good, bad]) == [bad, good]


def test_refusals(tmp_path):
    """Blurred levels, double ids and missing keys make the file useless to a reader."""
    with pytest.raises(InputError, match="level"):
        Check("a", "c", "certain", None, None, True)
    twice = [Check.holds("a", "c", True)] * 2
    with pytest.raises(InputError, match="'a' twice"):
        write_results(tmp_path / "r.json", twice, [], {}, 0)
    with pytest.raises(InputError, match="no 'rule'"):
        write_results(tmp_path / "r.json", [], [{}], {}, 0)
    assert not os.listdir(tmp_path)


def test_environment_names_no_person_and_no_folder():
    """Reports are shared."""
    text = json.dumps(environment())
    assert os.path.expanduser("~") + "/" not in text and os.uname().nodename not in text
    assert environment()["packages"]["numpy"] == np.__version__
