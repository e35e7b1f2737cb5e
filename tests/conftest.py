"""Shared by all tests: a cache of generated code of their own, and a flag for golden files."""

import os
import tempfile

import pytest
from hypothesis import settings

_CACHE = tempfile.TemporaryDirectory(prefix="unified-tests-")
os.environ["UNIFIED_CACHE_DIR"] = _CACHE.name  # also for the processes that tests start

settings.register_profile("fixed", derandomize=True)  # the same examples in every run
settings.load_profile("fixed")


def pytest_addoption(parser):
    """`pytest --update` writes tests/golden anew; read the difference before keeping it."""
    parser.addoption("--update", action="store_true", help="rewrite the golden files")


@pytest.fixture
def update_golden(request):
    """True if golden files are to be written rather than compared."""
    return request.config.getoption("--update")
