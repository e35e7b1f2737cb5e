"""How much memory a run needs, said before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unified.base.errors import InputError
from unified.meanfield.scale import check_chunk, chunk_of

if TYPE_CHECKING:
    from unified.meanfield.networks import TwoLayer

COPIES = 4  # particles, their velocity, and two stages or a step being made
LIVE = 3  # arrays of activities that a pass holds at once: drives, activities, slopes


@dataclass(frozen=True)
class Memory:
    """Bytes on each device.

    Attributes: particles: they, their weights and velocities; data: samples and responses;
    temporary: the activities of one chunk, all that grows with chunk × samples.
    """

    particles: int
    data: int
    temporary: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.particles + self.data + self.temporary

    def __repr__(self) -> str:
        return (f"Memory({told(self.total)} a device: particles {told(self.particles)}, "
                f"data {told(self.data)}, temporary {told(self.temporary)})")  # fmt: skip


def told(size: float) -> str:
    """Bytes as people say them."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def memory_needed(
    net: TwoLayer, n: int, m: int, *, chunk_size: int | None = None, devices: int = 1,
    dtype: str = "float32", extra: int = 0,
) -> Memory:  # fmt: skip
    """The memory of a run of n neurons on m samples.

    Equation: particles 4N(D+1)/devices numbers, data M(d+4k), temporary 3·chunk·M and 2·chunk·D.
    Shapes: D = net.dim + `extra` numbers a particle.
    Raises: InputError for a chunk size below 1.
    Reference: theory page E8.
    """
    size = np.dtype(dtype).itemsize
    here = -(-n // devices)
    chunk = chunk_of(here, m, check_chunk(chunk_size))
    width = net.dim + extra
    return Memory(
        COPIES * here * (width + 1) * size, m * (net.d + 4 * net.outputs) * size,
        (LIVE * chunk * m + 2 * chunk * width) * size,
    )  # fmt: skip


def memory_free(mesh: Any = None) -> int | None:
    """Free bytes of one device as far as can be known; of a CPU, its share of the machine's."""
    import jax

    devices = jax.local_devices() if mesh is None else list(mesh.devices.flat)
    stats = devices[0].memory_stats() if devices[0].platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"] - stats.get("bytes_in_use", 0))
    share = len(devices) if mesh is not None else 1
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable"):
                    return int(line.split()[1]) * 1024 // share
    except OSError:
        pass
    return None


def check_fits(needed: Memory, free: int | None, what: str) -> None:
    """Raise InputError, with the numbers, if a run cannot fit."""
    if free is None or needed.total <= free:
        return
    large = needed.temporary > needed.particles
    remedy = "lower chunk_size" if large else "use fewer neurons, float32 or more devices"
    raise InputError(f"memory: expected a run within the {told(free)} that are free on a device, "
                     f"got {what}, which needs {needed!r}; {remedy}.")  # fmt: skip
