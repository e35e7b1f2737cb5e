"""Plain array functions from expressions: no states, phases or batch axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from unified.base.errors import bad_input
from unified.codegen.lower import Lowering
from unified.codegen.module import Module, Signature, printer_for
from unified.codegen.printer import Function
from unified.symbolic.axis import Axis
from unified.symbolic.nodes import Expr, Var


def array_functions(
    functions: Mapping[str, Mapping[str, Expr]],
    inputs: Iterable[Var],
    backend: str = "jax",
    *,
    sizes: Mapping[Axis, int] | None = None,
) -> Module:
    """The generated code of named functions, each with named outputs.

    Equation: every output is its expression in the `inputs`; what two outputs of one function
    share is computed once. `sizes` are guesses by which contractions are ordered.
    Shapes: arrays have the axes of their variables, results those of their expressions.
    Raises: InputError for an unknown backend, or a variable missing from `inputs`.
    Reference: Laue, Mitterreiter, Giesen (2020), arXiv:2002.08247.
    """
    known = tuple(inputs)
    kind = printer_for(backend)
    lowering = Lowering(frozenset(known), dict(sizes or {}))
    printer = kind(lowering.graph, {v.name: v.axes for v in known})
    parts: list[str] = []
    signatures: dict[str, Signature] = {}
    for name, outputs in functions.items():
        found = {}
        for label, x in outputs.items():
            strangers = sorted(v.name for v in x.free - set(known))
            if strangers:
                raise bad_input("inputs", f"every variable of {name}", f"no {strangers[0]}",
                                "list it")  # fmt: skip
            value = lowering.full(x)
            if lowering.graph[value].axes != x.axes:
                value = lowering.graph.put("broadcast", (value,), x.axes, x.axes)
            found[label] = value
        text, args = printer.function(Function(name, found, ", ".join(outputs)), {})
        parts.append(text)
        signatures[name] = Signature(args, tuple(outputs))
    return Module(backend, "\n\n".join(parts), signatures)
