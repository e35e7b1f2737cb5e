"""Killing a run in the middle of writing a checkpoint, for tests of what it resumes from."""

import os
import signal


def die_writing(store, which):
    """Make a module's write number `which` leave half a file and kill this process at once."""
    written = 0
    whole = store.atomic_write_bytes

    def write(target, data):
        nonlocal written
        written += 1
        if written == which:
            half = target.with_name(f".{target.name}.half.tmp")
            half.write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(target, data)

    store.atomic_write_bytes = write
