"""Files that are either wholly written or not at all."""

import contextlib
import os
import secrets
from pathlib import Path

from unified.base.errors import bad_input


def atomic_write_bytes(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write ``data`` to ``path`` so that a reader sees the old file or the new one, never a part.

    The bytes go to a new file in the same folder, are flushed to the disk (fsync), and the file
    takes the name ``path`` in one step (``os.replace``). After a crash a leftover
    ``.NAME.*.tmp`` may stay beside it; ``path`` itself is never damaged.

    Raises:
        OSError: the folder is missing or cannot be written to, or the disk is full.
    """
    target = Path(path)
    draft = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)
    return target


def atomic_write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write ``text`` as UTF-8, with the same promise as :func:`atomic_write_bytes`."""
    return atomic_write_bytes(path, text.encode("utf-8"))


def check_writable_dir(path: str | os.PathLike[str], argument: str = "--out") -> Path:
    """Make the folder ``path`` if it is missing, prove that a file can be written, return it.

    Raises:
        InputError: one sentence naming ``argument``, before any work is lost.
    """
    folder = Path(path)
    remedy = f"choose another folder for {argument}"
    probe = folder / f".probe.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        got = f"'{folder}' ({reason})"
        raise bad_input(argument, "a folder that can be written to", got, remedy) from error
    return folder


def cache_dir() -> Path:
    """Folder for files that may be deleted at any time (it is not created here).

    ``UNIFIED_CACHE_DIR`` if set; else ``unified`` under ``XDG_CACHE_HOME`` (if absolute, as that
    standard asks), else under ``~/.cache``.
    """
    own = os.environ.get("UNIFIED_CACHE_DIR")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(shared) if os.path.isabs(shared) else Path.home() / ".cache") / "unified"


def _sync_folder(folder: Path) -> None:
    """Flush the folder's entry table, where the system lets us (not on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
