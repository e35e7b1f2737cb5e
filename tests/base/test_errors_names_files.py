"""Oracle: the sentences and the file-system facts themselves."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from unified.base import files
from unified.base.errors import AxisError, ConvergenceError, InputError, UnifiedError, bad_input
from unified.base.files import (
    atomic_write_bytes,
    atomic_write_text,
    cache_dir,
    check_writable_dir,
)
from unified.base.names import check_identifier


def test_sentence_has_all_four_parts():
    """A message without the remedy leaves the user stuck."""
    error = bad_input("beta", "a non-zero number", 0, "use e.g. beta=0.01")
    assert str(error) == "beta: expected a non-zero number, got 0; use e.g. beta=0.01."
    assert isinstance(error, InputError) and isinstance(error, ValueError)


def test_long_and_large_values_are_cut():
    """A message that prints a whole data set buries the sentence."""
    assert "shape (500, 3)" in str(bad_input("x", "b", np.zeros((500, 3)), "c"))
    assert len(str(bad_input("x", "b", "line\n" * 900, "c"))) < 200
    assert "\n" not in str(bad_input("x", "b", "line\n" * 900, "c"))


def test_kind_and_status_survive_pickling():
    """Worker processes hand errors back pickled; a lost status hides which sample failed."""
    assert isinstance(bad_input("a", "b", "c", "d", AxisError), AxisError)
    back = pickle.loads(pickle.dumps(ConvergenceError("no", ["converged", "diverged"])))
    assert back.status == ["converged", "diverged"] and isinstance(back, UnifiedError)


@pytest.mark.parametrize("name", ["s", "W1", "beta_2", "match"])
def test_good_names_pass(name):
    """Refusing an ordinary name would make the library unusable."""
    assert check_identifier(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "1a", "a b", "lambda", "__class__", "_t0", "a;b", "a.b", "ß", "x" * 61, 3, None, "a\n"],
)
def test_bad_names_are_refused(name):
    """Names are pasted into generated code that is executed: this is the gate."""
    with pytest.raises(InputError, match="state name: expected"):
        check_identifier(name, "state")


def test_write_replaces_whole_file_and_leaves_no_draft(tmp_path):
    """A leftover or partial file would be read as a result."""
    target = tmp_path / "a.txt"
    atomic_write_text(target, "old β")
    atomic_write_bytes(target, b"new")
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    """A crash in the middle must not cost the last good checkpoint."""
    target = atomic_write_text(tmp_path / "a.txt", "good")

    def broken(_):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        atomic_write_text(target, "half")
    assert target.read_text() == "good"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_writable_dir_is_made_and_left_empty(tmp_path):
    """--out should not need to exist beforehand, nor be littered."""
    folder = check_writable_dir(tmp_path / "a" / "b")
    assert folder.is_dir() and not list(folder.iterdir())


@pytest.mark.parametrize("bad", ["file/below", "nul\0"])
def test_unwritable_dir_is_one_sentence(tmp_path, bad):
    """Found out at the end, minutes of work would be lost to a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--out: expected a folder that can be written to"):
        check_writable_dir(str(tmp_path / bad))


def test_cache_dir_order(monkeypatch, tmp_path):
    """A cache in the wrong place fills someone's home folder."""
    monkeypatch.setenv("UNIFIED_CACHE_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("UNIFIED_CACHE_DIR")
    assert cache_dir() == tmp_path / "xdg" / "unified"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == Path(tmp_path) / ".cache" / "unified"
