"""Every notebook is run again from its first cell, and must end without an error."""

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
FIRST = ("750",)  # run by `make test`; `make test-all` runs every one
IN_TURN = [
    p if p.stem[:3] in FIRST else pytest.param(p, marks=pytest.mark.slow) for p in NOTEBOOKS
]


def execute(notebook):
    """Run all cells in a kernel of its own."""
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()


def code_of(path):
    """The code cells of a notebook."""
    cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", IN_TURN, ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_it_runs_and_its_numbers_hold(path):
    """A notebook that no longer runs is the worst first hour with a library."""
    execute(nbformat.read(path, as_version=4))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_control_a_false_assertion_is_noticed():
    """If a failing cell went unnoticed, the test above would pass for ever."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("assert 1 == 2")])
    with pytest.raises(CellExecutionError, match="AssertionError"):
        execute(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_is_committed_as_readers_should_see_it(path):
    """Readers see outputs without running; big files stay in the history for ever."""
    assert path.stat().st_size < 200_000
    cells = code_of(path)
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    assert all(o.output_type != "error" for c in cells for o in c.outputs)
    assert cells[-1].source.startswith("assert ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_uses_public_names_only(path):
    """What notebooks show is copied; private paths would become everyone's interface."""
    for cell in code_of(path):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom):
                assert not str(node.module).startswith("unified")
            if isinstance(node, ast.Import):
                ours = [a for a in node.names if a.name.startswith("unified")]
                assert all((a.name, a.asname) == ("unified", "un") for a in ours)
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_")


def test_there_are_notebooks():
    """A wrong folder would leave the tests above empty, and green."""
    assert [p.name[:3] for p in NOTEBOOKS][:2] == ["000", "100"]
