"""Shared by all tests: a cache of generated code of their own, and a flag for golden files."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

_CACHE = tempfile.TemporaryDirectory(prefix="unified-tests-")
os.environ["UNIFIED_CACHE_DIR"] = _CACHE.name  # also for the processes that tests start

settings.register_profile("fixed", derandomize=True)  # the same examples in every run
settings.load_profile("fixed")


def pytest_addoption(parser):
    """`pytest --update` writes tests/golden anew; read the difference before keeping it."""
    parser.addoption("--update", action="store_true", help="rewrite the golden files")


_LISTED = Path(__file__).with_name("slow_cases.txt").read_text().splitlines()
SLOW_CASES = tuple(line for line in _LISTED if line and not line.startswith("#"))
# Few but long tests: two workers end together only if these do not come last.
LONG_FIRST = ("tests/cli/test_demo", "tests/learning", "tests/cli", "tests/test_notebooks")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark the cases of slow_cases.txt, and let long files begin."""
    for item in items:
        if item.nodeid.startswith(SLOW_CASES):
            item.add_marker(pytest.mark.slow)
    rank = {prefix: k for k, prefix in enumerate(LONG_FIRST)}
    items.sort(key=lambda item: next(
        (k for prefix, k in rank.items() if item.nodeid.startswith(prefix)), len(rank)
    ))  # fmt: skip


@pytest.fixture
def update_golden(request):
    """True if golden files are to be written rather than compared."""
    return request.config.getoption("--update")
