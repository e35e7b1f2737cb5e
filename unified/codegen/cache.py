"""The on-disk cache of generated modules: keyed by content, written atomically, checked on read."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from unified.base.errors import CacheWarning
from unified.base.files import atomic_write_text, cache_dir
from unified.codegen.kernels import Kernels
from unified.codegen.module import Module
from unified.symbolic.axis import Axis


@lru_cache(maxsize=1)
def _generator() -> str:
    """A digest of the generator's own source, so that editing it never meets old entries."""
    root = Path(__file__).resolve().parents[1]
    files = sorted(p for part in ("symbolic", "codegen") for p in (root / part).glob("*.py"))
    return hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()


def cache_key(kernels: Kernels, backend: str, dtype: str, sizes: Mapping[Axis, int]) -> str:
    """A digest of all the generated text depends on: expressions, roles, sizes, versions."""
    e = kernels.energy
    parts = [
        _generator(), version("sympy"), backend, dtype, e.expr.digest.hex(),
        kernels.total.digest.hex(),
        *(f"{kind}:{v.name}:{v.digest.hex()}" for kind, vs in
          (("s", e.states), ("p", e.params), ("d", kernels.data)) for v in vs),
        *(f"f:{k}:{v.digest.hex()}" for k, v in e.start.items()),
        *(f"l:{m.state.name}:{m.prediction.digest.hex()}" for m in e.layers),
        *sorted(f"{a.name}={n}" for a, n in sizes.items()),
    ]  # fmt: skip
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _path(key: str) -> Path:
    return cache_dir() / "modules" / f"{key}.json"


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read(key: str) -> Module | None:
    """The cached module of this key, or None; a corrupt entry warns and counts as missing."""
    path = _path(key)
    try:
        entry = json.loads(path.read_text())
        if _seal(entry["module"]) != entry["sha256"]:
            raise ValueError("checksum mismatch")
        return Module.from_json(entry["module"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as err:
        warnings.warn(
            f"cache entry {path.name}: expected a sealed module, got {type(err).__name__} ({err}); "
            "it is rebuilt.",
            CacheWarning,
            stacklevel=3,
        )
        return None


def write(key: str, module: Module) -> None:
    """Store a module; a cache that cannot be written only costs time, so it warns."""
    text = module.to_json()
    try:
        _path(key).parent.mkdir(parents=True, exist_ok=True)
        atomic_write_text(_path(key), json.dumps({"sha256": _seal(text), "module": text}))
    except OSError as err:
        told = f"cache not written ({err}); set UNIFIED_CACHE_DIR."
        warnings.warn(told, CacheWarning, stacklevel=3)
