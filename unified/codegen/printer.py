"""From array programs to readable Python source; a backend is a subclass that spells the names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import sympy

from unified.base.errors import bad_input
from unified.codegen.graph import Graph
from unified.symbolic.axis import Axis

ATOM, PRODUCT, SUM = 3, 2, 1
LIMIT = 76


@dataclass(frozen=True)
class Function:
    """A generated function: what it is called, what it takes, what it returns, in words."""

    name: str
    outputs: dict[str, int]
    doc: str
    args: tuple[str, ...] = field(default=())


class AbstractPrinter:
    """Spells every graph operation in one array library."""

    library: ClassVar[str]
    functions: ClassVar[dict[str, str]]

    def __init__(self, graph: Graph, inputs: dict[str, tuple[Axis, ...]]) -> None:
        self.graph = graph
        self.inputs = inputs

    @classmethod
    def namespace(cls) -> dict[str, Any]:
        """The only names generated code can see."""
        raise NotImplementedError

    @classmethod
    def call(cls, function: Callable[..., tuple], args: Sequence[Any]) -> Sequence[Any]:
        """Run a generated function on arrays."""
        return function(*args)

    # --- one function -----------------------------------------------------------------------
    def function(self, spec: Function, given: dict[int, str]) -> tuple[str, tuple[str, ...]]:
        """The source of a function and its arguments; `given` values come as arguments."""
        g = self.graph
        reach = self._reach(spec.outputs.values(), given)
        uses = Counter(a for k in reach if k not in given for a in g[k].args)
        uses.update(spec.outputs.values())
        names: set[str] = set(self.inputs) | set(given.values()) | set(spec.args)
        needed: dict[str, None] = dict.fromkeys(spec.args)
        text: dict[int, tuple[str, int]] = {}
        lines: list[str] = []
        for k in sorted(reach):
            v = g[k]
            if k in given:
                text[k] = (given[k], ATOM)
                needed[given[k]] = None
                continue
            code, level = self._spell(k, text, needed)
            inline = v.is_view or (uses[k] == 1 and len(code) <= LIMIT)
            if k in spec.outputs.values() and uses[k] == 1:
                inline = True
            if not inline:
                name = self._name(k, text, names)
                lines.append(f"    {name} = {code}")
                code, level = name, ATOM
            text[k] = (code, level)
        args = tuple(needed)
        results = [f"        {text[k][0]},  # {label}" for label, k in spec.outputs.items()]
        head = f'def {spec.name}({", ".join(args)}):\n    """{spec.doc}"""'
        body = "\n".join([*lines, "    return (", *results, "    )"])
        return f"{head}\n{body}\n", args

    def _reach(self, outputs: Any, given: dict[int, str]) -> set[int]:
        reach: set[int] = set()
        stack = list(outputs)
        while stack:
            k = stack.pop()
            if k not in reach:
                reach.add(k)
                if k not in given:
                    stack.extend(self.graph[k].args)
        return reach

    def _name(self, k: int, text: dict[int, tuple[str, int]], names: set[str]) -> str:
        v = self.graph[k]
        inner = text[v.args[0]][0] if v.op == "unary" else ""
        base = f"{v.attr}_{inner}" if inner.isidentifier() else "t0"
        name, serial = base, 0
        while name in names:
            serial += 1
            name = f"t{serial}" if base == "t0" else f"{base}_{serial}"
        names.add(name)
        return name

    # --- one operation ----------------------------------------------------------------------
    def _spell(
        self, k: int, text: dict[int, tuple[str, int]], needed: dict[str, None]
    ) -> tuple[str, int]:
        v = self.graph[k]

        def arg(i: int, level: int) -> str:
            code, have = text[v.args[i]]
            return code if have >= level else f"({code})"

        xp = self.library
        match v.op:
            case "input":
                needed[v.attr] = None
                return v.attr, ATOM
            case "const":
                return number(v.attr)
            case "dim":
                return self._dim(v.attr, needed), ATOM
            case "eye":
                source, _ = self._carrier(v.attr, needed)
                return f"{xp}.eye({self._dim(v.attr, needed)}, dtype={source}.dtype)", ATOM
            case "unary":
                return self.functions[v.attr].format(arg(0, SUM)), ATOM
            case "power":
                return self._power(arg(0, ATOM), v.attr)
            case "add":
                return f"{arg(0, SUM)} + {arg(1, SUM)}", SUM
            case "sub":
                return f"{arg(0, SUM)} - {arg(1, PRODUCT)}", SUM
            case "neg":
                return f"-{arg(0, ATOM)}", PRODUCT
            case "mul":
                return f"{arg(0, ATOM)} * {arg(1, ATOM)}", PRODUCT
            case "transpose":
                return self._transpose(arg(0, ATOM), v.attr), ATOM
            case "expand":
                return f"{arg(0, ATOM)}[{_pattern(v.attr)}]", ATOM
            case "sum":
                axes = str(v.attr[0]) if len(v.attr) == 1 else str(v.attr)
                return f"{xp}.sum({arg(0, SUM)}, axis={axes})", ATOM
            case "dot":
                return self._dot(v.attr, arg(0, ATOM), arg(1, ATOM))
            case "window":
                *sizes, stride, padding = v.attr
                told = ", ".join(self._length(n, needed) for n in sizes)
                return f"window_array({told}, stride={stride}, padding={padding})", ATOM
            case "im2col":
                axis, place, size, stride, padding = v.attr
                told = f"{axis}, {place}, size={self._length(size, needed)}"
                return f"im2col({arg(0, SUM)}, {told}, stride={stride}, padding={padding})", ATOM
            case "col2im":
                axis, place, size, total, stride, padding = v.attr
                told = f"{axis}, {place}, size={self._length(size, needed)}"
                told += f", total={self._length(total, needed)}"
                return f"col2im({arg(0, SUM)}, {told}, stride={stride}, padding={padding})", ATOM
            case "diagonal":
                return f"{xp}.diagonal({arg(0, SUM)}, axis1=-2, axis2=-1)", ATOM
            case "inv":
                return f"{xp}.linalg.inv({arg(0, SUM)})", ATOM
            case "logdet":
                return f"{xp}.linalg.slogdet({arg(0, SUM)})[1]", ATOM
            case "logsumexp" | "softmax":
                return f"{v.op}({arg(0, SUM)})", ATOM
            case "broadcast":
                shape = ", ".join(self._dim(a, needed) for a in v.attr)
                if self.graph[v.args[0]].op == "const":
                    source, _ = self._carrier(v.attr[-1], needed)
                    filled = f"({shape},), {arg(0, SUM)}, dtype={source}.dtype"
                    return f"{xp}.full({filled})", ATOM
                return f"{xp}.broadcast_to({arg(0, SUM)}, ({shape},))", ATOM
        raise NotImplementedError(v.op)  # pragma: no cover - a new op must be spelled

    def _carrier(self, axis: Axis, needed: dict[str, None]) -> tuple[str, int]:
        """An argument that has this axis; one already needed if possible, else one that is fixed.

        What is computed once per phase, before any state is known, must not ask a state for a size.
        """

        def rank(name: str) -> tuple[bool, bool]:
            return name not in needed, any(a.name == "_phase" for a in self.inputs[name])

        ranked = sorted(self.inputs, key=rank)
        for name in ranked:
            if axis in self.inputs[name]:
                needed[name] = None
                return name, self.inputs[name].index(axis)
        raise bad_input("axis", "an axis of some argument", axis.name, "declare an array over it")

    def _dim(self, axis: Axis, needed: dict[str, None]) -> str:
        name, k = self._carrier(axis, needed)
        return f"{name}.shape[{k}]"

    def _length(self, size: Any, needed: dict[str, None]) -> str:
        return self._dim(size, needed) if isinstance(size, Axis) else str(size)

    def _power(self, x: str, exponent: sympy.Expr) -> tuple[str, int]:
        if exponent == sympy.Rational(1, 2):
            return f"{self.library}.sqrt({x})", ATOM
        if exponent == -1:
            return f"1 / {x}", SUM
        return f"{x} ** ({float(exponent)!r})", SUM

    def _transpose(self, x: str, perm: tuple[int, ...]) -> str:
        if perm == (1, 0):
            return f"{x}.T"
        return f"{self.library}.transpose({x}, {perm})"

    def _dot(self, spec: str, x: str, y: str) -> tuple[str, int]:
        """The shortest spelling: `@`, an inner product, tensordot, or einsum."""
        xp = self.library
        left, out = spec.split("->")
        a, b = left.split(",")
        for p, q, u, w in ((x, y, a, b), (y, x, b, a)):
            found = _matmul(p, q, u, w, out)
            if found:
                return found, PRODUCT
        gone = [c for c in a if c in b and c not in out]
        if sorted(a) == sorted(b) == sorted([*out, *gone]) and a == b and a.startswith(out):
            axes = tuple(range(-len(gone), 0))
            where = str(axes[0]) if len(axes) == 1 else str(axes)
            return f"{xp}.sum({x} * {y}, axis={where})", ATOM
        free = [c for c in a if c not in gone] + [c for c in b if c not in gone]
        if len(set(free)) == len(free) and set(free) == set(out) and all(c in b for c in gone):
            swapped = [c for c in b if c not in gone] + [c for c in a if c not in gone]
            # Nothing to transpose this way round; or aᵀb, which is quicker with the narrower first.
            leading = set(a[: len(gone)]) == set(b[: len(gone)]) == set(gone) != set()
            narrow = leading and len(b) < len(a)
            if len(out) > 2 and (narrow or (swapped == list(out) != free and not leading)):
                x, y, a, b, free = y, x, b, a, swapped
            pairs = ([a.index(c) for c in gone], [b.index(c) for c in gone])
            code = f"{xp}.tensordot({x}, {y}, axes={pairs})"
            perm = tuple(free.index(c) for c in out)
            if perm != tuple(range(len(perm))):
                code = self._transpose(code, perm)
            return code, ATOM
        return f'{xp}.einsum("{spec}", {x}, {y})', ATOM


def _matmul(x: str, y: str, a: str, b: str, out: str) -> str | None:
    """`x @ y` if the labels a, b -> out are a matrix product, possibly with transposes."""
    if len(b) == 2 and out and a:
        for inner, column, right in ((b[0], b[1], y), (b[1], b[0], f"{y}.T")):
            if a[-1] == inner and out == a[:-1] + column and column not in a and inner not in out:
                return f"{x} @ {right}"
    if len(a) == len(b) == 2 and len(out) == 2 and a[0] == b[0] and out == a[1] + b[1]:
        return f"{x}.T @ {y}"
    if len(a) == len(b) == len(out) and len(a) > 2:
        lead = out[:-2]
        if a[:-2] == b[:-2] == lead and a[-1] == b[-2] and out == lead + a[-2] + b[-1]:
            return f"{x} @ {y}"
    return None


def _pattern(pattern: tuple) -> str:
    marks = ["None" if p is None else ":" for p in pattern]
    return ", ".join(marks)


def number(value: sympy.Expr) -> tuple[str, int]:
    """An exact number as Python source, to full double precision."""
    if value.is_Integer:
        return str(value), ATOM if value >= 0 else PRODUCT
    if value.is_Rational and value.q & (value.q - 1) == 0 and value.q < 1 << 20:
        return repr(float(value)), ATOM if value >= 0 else PRODUCT
    if value.is_Rational:
        return f"{value.p} / {value.q}", PRODUCT - 1
    return repr(float(value)), ATOM if value >= 0 else PRODUCT
