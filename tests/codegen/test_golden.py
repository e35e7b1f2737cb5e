"""Oracle: source that a person has read once; `pytest --update` rewrites it."""

from pathlib import Path

import pytest

import unified as un
from unified.codegen.module import PRINTERS

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
HEAD = '# ruff: noqa\n"""Generated: {what}. Rewrite with `pytest tests --update`."""\n\n\n'
CASES = {
    "hopfield": (un.energies.hopfield([64, 128, 10]), un.costs.squared()),
    "recurrent": (un.energies.recurrent(20, 8), un.costs.squared()),
    "predictive": (un.energies.predictive([64, 128, 10]), un.costs.squared()),
    "predictive_wf": (
        un.energies.predictive([64, 128, 10], convention="Wf(z)"), un.costs.cross_entropy()
    ),
    "predictive_full": (un.energies.predictive([8, 6, 4], precision="full"), un.costs.squared()),
    "linear_gaussian": (un.energies.linear_gaussian(6, 4), un.costs.squared()),
    "conv_hopfield": (un.energies.conv_hopfield((8, 8, 1), [4, 8]), un.costs.squared()),
    "conv_predictive": (un.energies.conv_predictive((8, 8, 1), [4, 8]), un.costs.squared()),
    "cohen_grossberg": (un.energies.cohen_grossberg([64, 128, 10]), un.costs.squared()),
    "dense_memory": (un.energies.dense_memory(20, 50, 8), un.costs.squared()),
    "hopfield_skip": (un.energies.hopfield([8, 6, 5, 4], skip=[(1, 3)]), un.costs.squared()),
    "predictive_diagonal": (
        un.energies.predictive([8, 6, 4], precision="diagonal"), un.costs.squared()
    ),
    "deep_linear": (un.energies.deep_linear([8, 6, 6, 4], "depth"), un.costs.squared()),
    "free_energy": (
        un.energies.free_energy(un.energies.predictive([8, 6, 4], "identity", "diagonal")),
        un.costs.squared(),
    ),
    "quadratic_chain": (un.energies.quadratic_chain([8, 6, 4]), un.costs.squared()),
    "excitatory_inhibitory": (un.energies.excitatory_inhibitory(8, 4, 6), un.costs.squared()),
    "state_space": (un.energies.linear_gaussian_chain(3, 2, 2, 1), un.costs.squared()),
}  # fmt: skip


# One lowering serves all backends: these hold every spelling that PyTensor has of its own.
PYTENSOR = ("hopfield", "predictive_full", "conv_hopfield", "dense_memory", "free_energy")
FILES = [(n, b) for n in CASES for b in PRINTERS if b != "pytensor" or n in PYTENSOR]


@pytest.mark.parametrize(("name", "backend"), FILES)
def test_source_is_the_golden_one(name, backend, update_golden):
    """A change of the generator that makes every program slower or unreadable goes unseen."""
    energy, cost = CASES[name]
    source = un.emit(energy, cost, backend=backend, cache=False).source
    text = HEAD.format(what=f"{name} in {backend}") + source
    path = GOLDEN / f"{name}_{backend}.py"
    if update_golden:
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path.name} is missing; run pytest --update"
    assert text == path.read_text(encoding="utf-8"), "run pytest --update and read the diff"
    compile(text, path.name, "exec")


def test_no_golden_file_is_left_over():
    """A renamed energy would leave a file nobody compares with anything."""
    expected = {f"{name}_{backend}.py" for name, backend in FILES}
    assert {p.name for p in GOLDEN.glob("*.py")} == expected
