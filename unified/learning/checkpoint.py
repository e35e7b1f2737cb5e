"""Checkpoints of a fit: written atomically, sealed, tied to the run they belong to."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from unified.base.errors import InputError, bad_input
from unified.base.files import atomic_write_bytes

MAGIC = b"unified-checkpoint-1\n"


def save(path: Path, leaves: list[Any], facts: dict[str, Any]) -> None:
    """Write arrays and facts; a reader sees the old checkpoint or the new one, never half."""
    body = io.BytesIO()
    arrays = {f"leaf{k}": np.asarray(v) for k, v in enumerate(leaves)}
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    np.savez(body, allow_pickle=False, facts=text, **arrays)
    data = body.getvalue()
    atomic_write_bytes(path, MAGIC + hashlib.sha256(data).hexdigest().encode() + b"\n" + data)


def load(path: Path, run: str) -> tuple[list[Any], dict[str, Any]]:
    """The arrays and facts of a checkpoint of this run.

    Raises: InputError if the file is corrupt or belongs to another run.
    """
    raw = path.read_bytes()
    seal, _, data = raw[len(MAGIC) :].partition(b"\n")
    if not raw.startswith(MAGIC) or hashlib.sha256(data).hexdigest().encode() != seal:
        raise InputError(
            f"checkpoint: expected a whole checkpoint in {path.name}, got a corrupt file; restore "
            "it or delete it to start again."
        )
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        facts = json.loads(bytes(arrays["facts"]).decode())
        leaves = [arrays[f"leaf{k}"] for k in range(len(arrays.files) - 1)]
    if facts["run"] != run:
        raise bad_input(
            "checkpoint", "one of this run (same energy, estimator, data, optimiser settings)",
            f"another run's in {path.name}", "choose another file or delete it",
        )  # fmt: skip
    return leaves, facts


def fingerprint(*parts: Any) -> str:
    """A digest of what makes a run the run it is; arrays by content."""
    h = hashlib.sha256()
    for p in parts:
        a = np.asarray(p) if hasattr(p, "shape") else None
        h.update(repr(p).encode() if a is None else repr((a.shape, a.dtype.str)).encode())
        if a is not None:
            h.update(np.ascontiguousarray(a).tobytes())
    return h.hexdigest()
