"""Reader of idx files, the format of MNIST and Fashion-MNIST.

An idx file is: two zero bytes, one byte for the element type, one for the number of dimensions,
each dimension as a big-endian 32-bit number, then the elements, big-endian, last index fastest.
Reference: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits.
"""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unified.base.errors import bad_input

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_AGAIN = "get the file again"


def read_idx(path: str | os.PathLike[str], ndim: int | None = None) -> NDArray[Any]:
    """Read one idx file, gzipped or not (told by its content, not by its name).

    Args:
        path: the file.
        ndim: how many dimensions it must have (images 3, labels 1); any when omitted.

    Returns:
        The array, in the byte order of this machine.

    Raises:
        InputError: the file is missing, truncated, too long, damaged, or no such idx file.
    """
    name = Path(path).name
    data = _read_bytes(Path(path))
    if len(data) < 4:
        raise bad_input(name, "an idx header of 4 bytes", f"{len(data)} bytes", _AGAIN)
    zeros, code, dims = struct.unpack(">HBB", data[:4])
    if zeros != 0 or code not in _TYPES or dims == 0 or ndim not in (None, dims):
        usual = f" (0x000008{ndim:02x} for {ndim} dimensions of unsigned bytes)" if ndim else ""
        expected = f"the magic number of an idx file{usual}"
        remedy = "check that images and labels are not swapped and that it is an idx file"
        raise bad_input(name, expected, f"0x{data[:4].hex()}", remedy)
    start = 4 + 4 * dims
    if len(data) < start:
        raise bad_input(name, f"a header of {start} bytes", f"{len(data)} bytes", _AGAIN)
    shape = struct.unpack(f">{dims}I", data[4:start])
    dtype = np.dtype(_TYPES[code])
    size = start + math.prod(shape) * dtype.itemsize
    if len(data) != size:
        word = "truncated" if len(data) < size else "too long"
        expected = f"{size} bytes for shape {shape}"
        raise bad_input(name, expected, f"{len(data)} bytes ({word})", _AGAIN)
    array = np.frombuffer(data, dtype=dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="))


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        got = error.strerror or "an unreadable file"
        raise bad_input(path.name, "a readable file", got, "check its name and rights") from error
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        got = f"a truncated or damaged one of {len(data)} bytes"
        raise bad_input(path.name, "a whole gzip file", got, _AGAIN) from error
