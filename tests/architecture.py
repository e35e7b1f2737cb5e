"""What the architecture test looks for, as functions of source text, so they can be tested too."""

import ast
from collections.abc import Iterator

# A package may import packages of a lower floor, and itself; nothing else of ours.
FLOORS = {
    "base": 0,
    "symbolic": 1,
    "energies": 2,
    "codegen": 3,
    "dynamics": 4,
    "learning": 5,
    "inference": 6,
    "meanfield": 6,
    "neuro": 6,
    "report": 7,
    "commands": 8,
    "cli": 9,
    "__main__": 10,
}
# Beside the tower: what it may import, and the lowest floor that may import it.
ASIDE = {"data": ({"base"}, FLOORS["learning"])}
# Derivations stand on floors 0 to 2.
DERIVATIONS = {"base", "symbolic", "energies", "derivations"}
# No third-party package on these floors beside what is listed.
NO_JAX = {"base", "data", "symbolic", "energies", "derivations"}
# Calls that turn text into code or expressions.
BANNED = {"eval", "sympify", "parse_expr", "parse_latex", "parse_mathematica"}
# The one package that may execute text: the code it has generated itself.
MAY_EXEC = {"codegen"}


def imports(source: str, module: str, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """(line, dotted target) of every import in ``source``, relative and dynamic ones resolved.

    ``from a import b`` gives ``a.b``; so does ``importlib.import_module("a.b")``.
    """
    parts = module.split(".")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = node.level - is_package
            stem = parts[: len(parts) - up] if node.level else []
            stem = stem + (node.module.split(".") if node.module else [])
            yield from ((node.lineno, ".".join([*stem, alias.name])) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            target = node.args[0].value
            if called(node) in ("import_module", "__import__") and isinstance(target, str):
                yield node.lineno, target


def called(node: ast.Call) -> str:
    """Last part of the name that is called: ``sympify`` for ``sp.sympify(...)``."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def package_of(module: str) -> str:
    """``symbolic`` for ``unified.symbolic.nodes``, ``derivations`` for ``derivations.b1``."""
    parts = module.split(".")
    return parts[1] if parts[0] == "unified" and len(parts) > 1 else parts[0]


def import_faults(source: str, module: str, is_package: bool = False) -> list[str]:
    """Imports that point upward or sideways, or bring JAX where only algebra should be."""
    here = package_of(module)
    if here != "derivations" and here not in FLOORS and here not in ASIDE:
        return [f"{module}: package {here!r} has no floor; give it one in tests/architecture.py"]
    faults = []
    for line, target in imports(source, module, is_package):
        top = target.split(".")[0]
        there = package_of(target)
        if top == "jax" and here in NO_JAX:
            faults.append(f"{module}:{line} imports jax")
        if top == "unified" and there != here and not may_import(here, there):
            faults.append(f"{module}:{line} imports {target}")
        if top == "derivations" and here not in ("derivations", "commands"):
            faults.append(f"{module}:{line} imports {target}")
    return faults


def may_import(here: str, there: str) -> bool:
    """Whether package ``here`` may import package ``there`` of ``unified``."""
    if there == "__version__":
        return True
    if here == "derivations":
        return there in DERIVATIONS
    if here in ASIDE:
        return there in ASIDE[here][0]
    if there in ASIDE:
        return FLOORS[here] >= ASIDE[there][1]
    return there in FLOORS and FLOORS[there] < FLOORS[here]


def call_faults(source: str, module: str) -> list[str]:
    """Calls that evaluate or sympify text, and ``exec`` outside the code generator."""
    faults = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = called(node)
        plain = isinstance(node.func, ast.Name)
        executes = plain and name == "exec" and package_of(module) not in MAY_EXEC
        if name in BANNED or executes:
            faults.append(f"{module}:{node.lineno} calls {name}")
    return faults
