"""Oracle: the same source generated without a cache; and what files must survive."""

import time

import numpy as np
import pytest

import unified as un
from unified.base.errors import CacheWarning
from unified.codegen import cache as disk

ENERGY = un.energies.hopfield([3, 2])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache folder of its own."""
    monkeypatch.setenv("UNIFIED_CACHE_DIR", str(tmp_path))
    return tmp_path / "modules"


def test_a_cached_module_is_the_generated_one(folder, monkeypatch):
    """Any difference between first and second run of a script would be beyond finding."""
    first = un.emit(ENERGY, un.costs.squared())
    (entry,) = folder.iterdir()
    monkeypatch.setattr("unified.codegen.program.generate", None)  # a call would fail
    second = un.emit(ENERGY, un.costs.squared())
    assert second.source == first.source and second.module.signatures == first.module.signatures
    state, params = {"s1": np.ones(2)}, first.init(0)
    free = un.Phase.free(np.ones(3))
    assert first.energy(state, params, free) == second.energy(state, params, free)
    assert [p.name for p in folder.iterdir()] == [entry.name]  # no leftovers of writing


def test_the_key_tells_apart_what_generates_different_text(folder):
    """Two energies meeting in one entry would silently train each other's network."""
    s = ENERGY.states[0]
    same = un.Energy(ENERGY.expr, [s], ENERGY.params, ENERGY.inputs, sizes=ENERGY.sizes)
    fewer = un.Energy(ENERGY.expr, [s], ENERGY.params[:1], (*ENERGY.inputs, ENERGY.params[1]))
    variants = [
        (ENERGY, None, "numpy", "float64"),
        (ENERGY, un.costs.squared(), "numpy", "float64"),
        (ENERGY, un.costs.cross_entropy(), "numpy", "float64"),
        (ENERGY, None, "jax", "float64"),
        (ENERGY, None, "numpy", "float32"),
        (un.energies.hopfield([3, 2], rho="sigmoid"), None, "numpy", "float64"),
        (un.energies.hopfield([4, 2]), None, "numpy", "float64"),
        (same, None, "numpy", "float64"),  # without `start`
        (fewer, None, "numpy", "float64"),
    ]
    for k, (energy, cost, backend, dtype) in enumerate(variants):
        un.emit(energy, cost, backend=backend, dtype=dtype)
        assert len(list(folder.iterdir())) == k + 1
    un.emit(un.energies.hopfield([3, 2]), backend="numpy")
    assert len(list(folder.iterdir())) == len(variants)


def test_the_key_follows_the_generator(folder, monkeypatch):
    """After an upgrade, old text met under the same key would keep the bugs just fixed."""
    un.emit(ENERGY)
    monkeypatch.setattr(disk, "_generator", lambda: "another")
    un.emit(ENERGY)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"", lambda raw: raw[: len(raw) // 2], lambda raw: b"\xff" + raw,
        lambda raw: raw.replace(b"tanh", b"sinh"), lambda raw: b"[]", lambda raw: b"{}",
    ],
)  # fmt: skip
def test_a_corrupt_entry_is_rebuilt_with_a_warning(folder, damage):
    """A half-written or edited file would be executed as it stands."""
    good = un.emit(ENERGY).source
    (entry,) = folder.iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    with pytest.warns(CacheWarning, match="rebuilt"):
        assert un.emit(ENERGY).source == good
    assert un.emit(ENERGY).source == good  # and the entry is whole again: no warning


@pytest.mark.parametrize("where", ["/proc/unified", "file"])
def test_a_folder_that_cannot_be_written_only_warns(tmp_path, monkeypatch, where):
    """On a read-only home nobody could use the library at all."""
    if where == "file":
        where = str(tmp_path / "file")
        (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("UNIFIED_CACHE_DIR", where)
    with pytest.warns(CacheWarning, match="UNIFIED_CACHE_DIR"):
        assert "def force" in un.emit(ENERGY).source


def test_an_interrupted_write_leaves_no_entry(folder, monkeypatch):
    """A killed process must not leave half an entry under a valid name."""

    def stop(*args):
        raise OSError("no space left on device")

    monkeypatch.setattr("unified.base.files.os.replace", stop)
    with pytest.warns(CacheWarning, match="no space"):
        un.emit(ENERGY)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: un.energies.hopfield([784, 512, 11]), lambda: un.energies.recurrent(101, 7),
        lambda: un.energies.predictive([64, 128, 11]),
        lambda: un.energies.predictive([64, 128, 12], convention="Wf(z)", precision="full"),
        lambda: un.energies.linear_gaussian(9, 5),
    ],
)  # fmt: skip
def test_a_library_energy_is_derived_and_emitted_within_a_second(folder, make):
    """Deriving is what a user waits for first; an explosion in size starts here."""
    begun = time.process_time()
    un.emit(make(), un.costs.squared())
    assert time.process_time() - begun < 1.0
