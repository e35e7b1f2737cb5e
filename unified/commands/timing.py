"""Timings that can be trusted on a shared machine: interleaved, warmed up, medians of many."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


def pin_threads() -> None:
    """One thread on one core for everything; call before JAX or NumPy's BLAS is loaded."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ["OMP_NUM_THREADS"] = "1"
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()


class Timed(dict[str, list[float]]):
    """Seconds of several runs, sampled in turn."""

    def median(self, name: str) -> float:
        """The median seconds of one run."""
        return float(statistics.median(self[name]))

    def ratio(self, above: str, below: str) -> float:
        """The median over rounds of one run's time over another's in the same round."""
        return float(
            statistics.median(a / b for a, b in zip(self[above], self[below], strict=True))
        )


def timed(runs: Mapping[str, Callable[[], Any]], *, repeats: int = 40, inner: int = 1) -> Timed:
    """Time every run, in turn and in alternating order, so that drift and caches hit all alike.

    `inner` calls make one sample (for runs too short for the clock); warm-ups are not counted.
    """
    import jax

    for f in runs.values():
        for _ in range(3):
            jax.block_until_ready(f())
    samples = Timed({k: [] for k in runs})
    for turn in range(max(repeats, 20)):
        for k, f in list(runs.items())[:: 1 if turn % 2 else -1]:
            begun = time.perf_counter()
            for _ in range(inner):
                found = f()
            jax.block_until_ready(found)
            samples[k].append((time.perf_counter() - begun) / inner)
    return samples
