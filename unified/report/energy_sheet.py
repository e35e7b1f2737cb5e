"""What an energy gives, as blocks: formulas, structure, and the generated code beside each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import unified.energies as zoo
from unified.codegen import emit
from unified.energies import Energy, costs
from unified.report.derivation import Block

# Sizes for examples; the formulas do not depend on them.
_EXAMPLES: dict[str, Any] = {"sizes": [4, 3, 2], "n": 4, "m": 3, "patterns": 5, "k": 3}
_VIEWS = (
    ("energy", "energy", "Energy"),
    ("dynamics", "force", "Dynamics"),
    ("rules", "rule", "Local rules, at fixed state"),
    ("hessian", "hessian", "Hessian blocks"),
)


def energy_makers() -> dict[str, Callable[..., Energy]]:
    """The energies of the library by name: every public function of `unified.energies`."""
    found: dict[str, Callable[..., Energy]] = {}
    for name in sorted(zoo.__all__):
        make = getattr(zoo, name)
        if inspect.isfunction(make) and _arguments(make) is not None:
            found[name] = make
    return found


def _arguments(make: Callable[..., Energy]) -> dict[str, Any] | None:
    """Example values for the arguments that have no default, or None if one is unknown."""
    needed = [p for p in inspect.signature(make).parameters.values() if p.default is p.empty]
    if not all(p.name in _EXAMPLES for p in needed):
        return None
    return {p.name: _EXAMPLES[p.name] for p in needed}


def example(name: str) -> Energy:
    """An energy of the library, with example sizes."""
    make = energy_makers()[name]
    return make(**(_arguments(make) or {}))


def functions(source: str) -> dict[str, str]:
    """Generated source cut into its top-level functions, by name."""
    parts = re.split(r"\n{2,}(?=def )", source.strip())
    return {m[1]: part for part in parts if (m := re.match(r"def (\w+)\(", part))}


def energy_blocks(name: str) -> Iterator[Block]:
    """Formulas of an energy with the NumPy code that was generated from each.

    Raises: KeyError if the library has no such energy.
    """
    energy = example(name)
    program = emit(energy, cost=costs.squared(), backend="numpy")
    code = functions(program.source)
    doc = inspect.getdoc(energy_makers()[name]) or ""
    yield Block("heading", doc.splitlines()[0].rstrip(".") if doc else name, name)
    yield Block("text", re.split(r"\n(?=Raises:|Shapes:)", doc)[0].partition("\n")[2].strip())
    yield Block("items", "\n".join(_listed(energy)))
    for view, function, title in _VIEWS:
        if view == "rules" and not energy.params:
            continue
        yield Block("part", title)
        yield Block("formula", energy.latex(view))
        if view == "hessian":
            yield Block("code", repr(energy.structure()), "structure of the Hessian")
        if function in code:
            yield Block("code", code[function], f"generated: {function}, nudged by a squared cost")
    if "drive" in code:
        yield Block("part", "Shared work")
        yield Block("code", code["drive"], "generated: what stays fixed while a phase relaxes; "
                    "its results are the c0, c1, … above")  # fmt: skip


def _listed(energy: Energy) -> Iterator[str]:
    for role in ("states", "params", "inputs"):
        members = getattr(energy, role)
        if members:
            shapes = (f"{v.name} ({', '.join(a.name for a in v.axes)})" for v in members)
            yield f"{role}: {', '.join(shapes)}"
