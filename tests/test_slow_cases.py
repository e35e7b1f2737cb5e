"""The list of slow cases must name tests that exist."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LISTED = (ROOT / "tests" / "slow_cases.txt").read_text().splitlines()
SLOW_CASES = [line for line in LISTED if line and not line.startswith("#")]


@pytest.mark.parametrize("case", SLOW_CASES)
def test_it_names_a_test(case):
    """A case that was renamed would go back into the quick run unseen, and it would grow again."""
    file, _, name = case.partition("::")
    assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text()


def test_there_are_some():
    """An empty list would leave the test above empty, and green."""
    assert len(SLOW_CASES) > 10
