"""The one place that knows what differs between PyTensor 2 (PyMC 5) and PyTensor 3 (PyMC 6)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interpreted() -> Iterator[None]:
    """PyTensor graphs made in here run by Python, operation by operation: they compile in seconds.

    By default PyTensor 2 compiles them by C and PyTensor 3 by Numba.
    """
    import pytensor

    # cxx: PyTensor 3 would still run the graphs inside others (softmax, solvers) by C.
    with pytensor.config.change_flags(mode="FAST_COMPILE", cxx=""):
        yield
