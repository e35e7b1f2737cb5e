"""The command line: help without JAX, one-line complaints, exit statuses."""

import gzip
import struct
import subprocess
import sys

import pytest

from unified import cli
from unified.base.errors import InputError
from unified.commands import energies


def say(capsys, *words):
    """Exit status, stdout and stderr of one command."""
    try:
        status = cli.main(list(words))
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    return status, out, err


def refused(capsys, *words):
    """The one sentence with which the words are refused."""
    status, out, err = say(capsys, *words)
    assert status == 2 and out == ""
    assert err.count("\n") == 1 and err.startswith("unified")
    return err


def idx_folder(folder, **replace):
    """Four small idx files; `replace` swaps the bytes of one."""
    images = struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(8)
    labels = struct.pack(">II", 0x801, 2) + bytes(2)
    for part in ("train", "t10k"):
        for what, body in (("images-idx3", images), ("labels-idx1", labels)):
            key = f"{part}_{what[:6]}"
            (folder / f"{part}-{what}-ubyte").write_bytes(replace.get(key, body))
    return str(folder)


def test_help_is_quick_and_brings_no_jax():
    """`unified --help` is the first thing anyone types; importing JAX first takes seconds."""
    code = (
        "import sys; from unified import cli; cli.build_parser().format_help(); "
        "print(*[m for m in ('jax', 'sympy', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_command_is_listed_and_explains_itself(capsys):
    """A command nobody can find does not exist."""
    for name in ("demo", "energies"):
        status, out, _ = say(capsys, name, "--help")
        assert status == 0 and f"unified {name}" in out
    status, out, _ = say(capsys, "--help")
    assert status == 0 and "demo" in out and "energies" in out
    assert say(capsys, "--version")[1].startswith("unified ")


def test_unknown_command_and_option_are_refused(capsys):
    """A typo that runs something else, or exits 0, hides itself in a script."""
    assert "nonsense" in refused(capsys, "nonsense")
    assert "--colour" in refused(capsys, "energies", "--colour")
    assert "--out" in refused(capsys, "demo")


def test_unknown_energy_is_refused(capsys):
    """As above; the sentence has to name what there is."""
    err = refused(capsys, "energies", "nonsense")
    assert "'nonsense'" in err and "hopfield" in err


@pytest.mark.parametrize("text", ["3", "3,x", "3,-1", "3,0", "", "3,2,1,"])
def test_bad_sizes_are_refused(capsys, text):
    """A net of a wrong shape would be derived, and believed."""
    assert "--sizes" in refused(capsys, "energies", "hopfield", f"--sizes={text}")


def test_unwritable_out_is_refused_before_any_work(capsys, tmp_path):
    """Minutes of work would be lost when the first file cannot be written."""
    (tmp_path / "file").write_text("in the way")
    err = refused(capsys, "demo", "--out", str(tmp_path / "file" / "out"))
    assert "--out" in err and "choose another folder" in err


def test_bad_counts_are_refused(capsys, tmp_path):
    """Zero seeds or epochs would make an empty mean, which compares as anything."""
    for option in ("--seeds", "--epochs"):
        assert option in refused(capsys, "demo", "--out", str(tmp_path), option, "0")


def test_truncated_idx_is_refused(capsys, tmp_path):
    """Half a download would train on half the images, quietly."""
    half = struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(5)
    data = idx_folder(tmp_path, train_images=half)
    assert "truncated" in refused(capsys, "demo", "--out", str(tmp_path / "o"), "--data", data)
    data = idx_folder(tmp_path, train_images=gzip.compress(half)[:-4])
    assert "damaged" in refused(capsys, "demo", "--out", str(tmp_path / "o"), "--data", data)


def test_too_few_images_and_no_folder_are_refused(capsys, tmp_path):
    """A batch that cannot be filled would train nothing and report a test error."""
    data = idx_folder(tmp_path)
    assert "images" in refused(capsys, "demo", "--out", str(tmp_path / "o"), "--data", data)
    gone = str(tmp_path / "nowhere")
    assert "nowhere" in refused(capsys, "demo", "--out", str(tmp_path / "o"), "--data", gone)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (InputError("x: expected y,\ngot z; do w."), 2, "unified: x: expected y, got z; do w.\n"),
        (KeyboardInterrupt(), 130, "unified: interrupted"),
        (OSError(28, "No space left on device", "f"), 2, "No space left on device"),
    ],
)
def test_errors_become_a_line_and_a_status(capsys, monkeypatch, error, status, words):
    """A traceback tells a user nothing, and a zero status tells a script the wrong thing."""

    def fail(args):
        raise error

    monkeypatch.setattr(energies, "run", fail)
    found, _, err = say(capsys, "energies")
    assert found == status and words in err and err.count("\n") == 1


def test_energies_lists_and_derives(capsys):
    """The zoo is how people find out what is there."""
    status, out, _ = say(capsys, "energies")
    assert status == 0 and {line.split()[0] for line in out.splitlines()} == set(energies.SIZES)
    for name in energies.SIZES:
        assert "dynamics" in say(capsys, "energies", name)[1]
    assert r"\dot{s}" in say(capsys, "energies", "recurrent", "--sizes", "3", "--latex")[1]
    source = say(capsys, "energies", "hopfield", "--source", "numpy")[1]
    compile(source, "source", "exec")
    assert "def force(" in source
