"""A generated module: source text, the arguments each function takes, and the live functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from unified.base.errors import bad_input
from unified.codegen.error_kernels import COVARIANCE, ROWS
from unified.codegen.graph import Graph
from unified.codegen.kernels import BATCH, PHASE, Kernel, Kernels
from unified.codegen.lower import Lowering
from unified.codegen.print_jax import JaxPrinter
from unified.codegen.print_numpy import NumpyPrinter
from unified.codegen.print_pytensor import PytensorPrinter
from unified.codegen.printer import AbstractPrinter, Function
from unified.symbolic.axis import Axis
from unified.symbolic.nodes import Expr

PRINTERS: dict[str, type[AbstractPrinter]] = {
    "numpy": NumpyPrinter, "jax": JaxPrinter, "pytensor": PytensorPrinter,
}  # fmt: skip


@dataclass(frozen=True)
class Signature:
    """What a generated function takes and returns, by name; `zeros` are outputs left out."""

    args: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Module:
    """Generated source with its signatures; `functions` are made on first use."""

    backend: str
    source: str
    signatures: Mapping[str, Signature]

    @cached_property
    def functions(self) -> dict[str, Callable[..., tuple]]:
        """The live functions, run in a namespace that holds only the array library."""
        # The array library imports parts of itself at first use, by the caller's builtins.
        builtins = {"__import__": __import__}
        space: dict[str, Any] = PRINTERS[self.backend].namespace() | {"__builtins__": builtins}
        exec(compile(self.source, "<generated>", "exec"), space)  # our own text
        return {name: space[name] for name in self.signatures}

    def is_plain(self, name: str) -> bool:
        """True if a function is products and sums only (its hoisted values aside)."""
        body = self.source.partition(f"def {name}(")[2].partition("\ndef ")[0]
        used = PRINTERS[self.backend].functions.values()
        return not any(spelling.partition("{")[0] in body for spelling in used)

    def call(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Run one function on named arrays; its named outputs."""
        s = self.signatures[name]
        args = [values[a] for a in s.args]
        found = PRINTERS[self.backend].call(self.functions[name], args)
        return dict(zip(s.outputs, found, strict=True))

    def to_json(self) -> str:
        """The module as text, for the cache."""
        return json.dumps(
            {
                "backend": self.backend,
                "source": self.source,
                "signatures": {k: [s.args, s.outputs] for k, s in self.signatures.items()},
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Module:
        """Read a module back. Raises: ValueError or KeyError if the text is not one."""
        raw = json.loads(text)
        signatures = {k: Signature(tuple(a), tuple(o)) for k, (a, o) in raw["signatures"].items()}
        return cls(raw["backend"], raw["source"], signatures)


def printer_for(backend: str) -> type[AbstractPrinter]:
    """The printer of a backend. Raises: InputError for an unknown one."""
    if backend not in PRINTERS:
        raise bad_input("backend", f"one of {', '.join(PRINTERS)}", repr(backend), "choose one")
    return PRINTERS[backend]


def generate(kernels: Kernels, backend: str, sizes: Mapping[Axis, int]) -> Module:
    """Lower and print every kernel; what no phase changes is hoisted into `drive`.

    Raises: InputError for an unknown backend or a function the backend cannot evaluate.
    """
    kind = printer_for(backend)
    for name in kernels.inputs:
        if name in kind.namespace():
            raise bad_input(
                "energy", f"names other than {', '.join(kind.namespace())}", repr(name),
                "rename the variable; the generated code uses that name",
            )  # fmt: skip
    # Few rows: what varies by sample goes into them, so that weights meet them in one product.
    lowering = Lowering(kernels.varying, {PHASE: 2, BATCH: 64, ROWS: 1, **sizes})
    graph = lowering.graph
    printer = kind(graph, kernels.inputs)
    specs = [(k, _outputs(lowering, k)) for k in kernels.all()]
    drive = _invariants(graph, specs)
    taken = set(kernels.inputs)
    given = {v: name for v, name in zip(drive, _labels(len(drive), taken), strict=True)}
    parts: list[str] = []
    signatures: dict[str, Signature] = {}

    def put(name: str, doc: str, outputs: dict[str, int], known: dict[int, str]) -> None:
        text, args = printer.function(Function(name, outputs, doc), known)
        parts.append(text)
        signatures[name] = Signature(args, tuple(outputs))

    put("drive", "what stays fixed while a phase relaxes", {n: v for v, n in given.items()}, {})
    for k, outputs in specs:
        put(k.name, k.doc, outputs, given if k.loop else {})
    return Module(backend, "\n\n".join(parts), signatures)


def _outputs(lowering: Lowering, kernel: Kernel) -> dict[str, int]:
    """The values of a kernel's outputs, aligned to the axes an output must have.

    Hessian blocks, starts and covariances may broadcast; all others are spelled out in full.
    """
    found = {}
    g = lowering.graph
    for name, expr in kernel.outputs.items():
        value, present = lowering(expr)
        want = _shape(kernel, expr)
        lead = len(want) - expr.ndim  # batch axes the expression does not have
        have = [a for a in want[:2] if a in expr.axes[:2]] if lead else []
        labels = [want.index(expr.axes[k]) if k < len(have) else k + lead for k in present]
        value = g.aligned(value, tuple(labels), tuple(range(len(want))))
        loose = kernel.name in ("hessian", "start") or kernel.name.startswith(COVARIANCE)
        loose = loose and bool(g[value].axes)  # a bare number is no array
        if not loose and g[value].axes != want:
            value = g.put("broadcast", (value,), want, want)
        found[name] = value
    return found


def _shape(kernel: Kernel, expr: Expr) -> tuple[Axis, ...]:
    """The axes an output must have: per sample and phase, or those of the parameter."""
    if kernel.name in ("contrast", "mixed", "cost_rule"):
        return expr.axes
    rest = tuple(a for a in expr.axes if a not in (PHASE, BATCH))
    return (PHASE, BATCH, *rest)


def _invariants(graph: Graph, specs: list[tuple[Kernel, dict[str, int]]]) -> list[int]:
    """Values worth computing once per phase: used in a loop, not varying, more than a view."""
    found: set[int] = set()
    for kernel, outputs in specs:
        if not kernel.loop:
            continue
        stack, seen = list(outputs.values()), set()
        while stack:
            k = stack.pop()
            if k in seen:
                continue
            seen.add(k)
            v = graph[k]
            if v.varies or v.is_view or v.op == "broadcast":
                stack.extend(v.args)
            elif v.axes:
                found.add(k)
            else:
                stack.extend(v.args)
    return sorted(found)


def _labels(count: int, taken: set[str]) -> list[str]:
    names = (f"c{k}" for k in range(count + len(taken)))
    free = [n for n in names if n not in taken]
    return free[:count]
