"""The house stands as CONTRIBUTING.md says; and the functions that check it can fail."""

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import unified
from tests.architecture import call_faults, import_faults

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(p for top in ("unified", "derivations") for p in (ROOT / top).rglob("*.py"))
HEAVY = ("jax", "pymc", "sympy", "numpy", "scipy", "matplotlib", "xarray", "sklearn")


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def faults_in(check, *, top_too):
    found = []
    for path in FILES:
        if path == ROOT / "unified" / "__init__.py" and not top_too:
            continue  # the lazy table names every floor; it is tested by its own imports below
        extra = {"is_package": path.name == "__init__.py"} if check is import_faults else {}
        found += check(path.read_text(encoding="utf-8"), module_of(path), **extra)
    return found


def test_imports_point_only_downward():
    """With cycles no floor can be read, tested or replaced alone, and algebra would load JAX."""
    assert faults_in(import_faults, top_too=False) == []


def test_no_text_is_evaluated():
    """A name or formula from a file would run as code."""
    assert faults_in(call_faults, top_too=True) == []


def test_no_file_is_long():
    """Past 400 lines a file is no longer read, only searched."""
    lengths = {module_of(p): len(p.read_text(encoding="utf-8").splitlines()) for p in FILES}
    assert {name: n for name, n in lengths.items() if n > 400} == {}
    assert statistics.median(lengths.values()) <= 200


UPWARD = {
    "plain": "import unified.learning.fit",
    "from": "from unified.report import Report",
    "package": "from unified import dynamics",
    "public name": "from unified import Energy",
    "lazy table": "import unified as un",
    "relative": "from ..dynamics import relax",
    "two up": "from .. import cli",
    "inside a function": "def f():\n    from unified.cli import main",
    "type only": "if TYPE_CHECKING:\n    from unified.codegen import Program",
    "dynamic": "import importlib\nimportlib.import_module('unified.codegen')",
    "jax": "import jax.numpy as jnp",
    "derivations": "import derivations.b1",
    "data": "from unified.data import load",
}


@pytest.mark.parametrize("case", UPWARD)
def test_control_upward_imports_are_caught(case):
    """A checker that misses these would let the floors collapse unseen."""
    assert len(import_faults(UPWARD[case], "unified.energies.hopfield")) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("unified.meanfield.flow", "from unified.neuro import spikes"),
        ("unified.data.load", "from unified.symbolic import var"),
        ("derivations.b1", "from unified.codegen import emit"),
        ("derivations.b1", "import jax"),
        ("unified.learning", "from .. import report"),
        ("unified.novelty", ""),
    ],
)
def test_control_sideways_imports_are_caught(module, source):
    """Neighbours that lean on each other cannot be taken apart."""
    assert len(import_faults(source, module, is_package=module == "unified.learning")) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("unified.energies.hopfield", "from unified.symbolic import var\nimport sympy"),
        ("unified.energies.hopfield", "from . import cost\nfrom .cost import Cost"),
        ("unified.energies", "from .cost import Cost\nfrom ..symbolic import var"),
        ("unified.dynamics.relax", "import jax\nfrom unified.codegen.program import Program"),
        ("unified.report.html", "from unified.base.errors import bad_input"),
        ("unified.cli.main", "from unified import __version__\nfrom unified.data import load"),
        ("derivations.b1", "from unified.symbolic import prove\nfrom derivations.a1 import x"),
    ],
)
def test_control_right_imports_pass(module, source):
    """A checker that cries wolf is switched off."""
    assert import_faults(source, module, is_package=module == "unified.energies") == []


TEXT = ["eval('1')", "sp.sympify(x)", "f(parse_expr(x))", "exec('a = 1')", "builtins.eval(x)"]


@pytest.mark.parametrize("source", TEXT)
def test_control_evaluated_text_is_caught(source):
    """As above: the gate against code from text must itself work."""
    assert len(call_faults(source, "unified.symbolic.names")) == 1
    assert call_faults("evaluate(x); retrieval.evaluation()", "unified.symbolic.names") == []
    assert call_faults("exec(code, space)", "unified.codegen.compile") == []


def run_python(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.split()


def test_import_is_light():
    """`unified --help`, shells and doc tools would wait for JAX; notebooks would lose x64."""
    code = f"import sys, unified; print(*[m for m in {HEAVY} if m in sys.modules])"
    assert run_python(code) == []


def test_import_is_fast():
    """The first thing a user feels; best of three, so that a busy machine does not decide."""
    code = "import time; t = time.perf_counter(); import unified; print(time.perf_counter() - t)"
    assert min(float(run_python(code)[0]) for _ in range(3)) < 0.3


def test_import_sets_no_environment():
    """A library that changes flags at import changes other people's programs."""
    code = "import os; a = dict(os.environ); import unified; print(a == dict(os.environ))"
    assert run_python(code) == ["True"]


def test_public_names_resolve():
    """A public name that raises on use is a broken promise, found by the user."""
    broken = []
    for name, target in unified._EXPORTS.items():
        try:
            getattr(unified, name)
        except (ImportError, AttributeError) as error:
            broken.append(f"{name} ({target}): {error}")
    assert broken == []
    assert set(unified.__all__) == set(dir(unified))


def test_unknown_name_is_an_attribute_error():
    """hasattr, copy and pickle rely on it."""
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = unified.nonsense
    assert not hasattr(unified, "__wrapped__")
