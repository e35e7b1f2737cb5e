"""Typed axes: a dimension with a name, and the indices that run over it."""

from __future__ import annotations

from functools import cached_property
from itertools import count
from typing import ClassVar

import sympy

from unified.base.names import check_identifier

_serial = count()


class Axis:
    """A named dimension; two axes are the same dimension iff their names are equal.

    Equation: an array with axes (n, m) has entries a_{ij}, i < n, j < m.
    Shapes: the size stays symbolic (`.size`, a positive SymPy integer) until code runs.
    Raises: InputError if the name is not a plain identifier.
    Reference: typed axes after Laue, Mitterreiter, Giesen (2018), arXiv:1807.09698.
    """

    __slots__ = ("__dict__", "name")
    name: str
    _known: ClassVar[dict[str, Axis]] = {}

    def __new__(cls, name: str) -> Axis:
        found = cls._known.get(name)
        if found is None:
            found = super().__new__(cls)
            object.__setattr__(found, "name", name)
            cls._known[name] = found
        return found

    def __setattr__(self, key: str, value: object) -> None:
        raise AttributeError("Axis is immutable")

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return Axis, (self.name,)

    @cached_property
    def size(self) -> sympy.Symbol:
        """The symbolic size, a positive integer symbol with the axis' name."""
        return sympy.Symbol(self.name, integer=True, positive=True)

    def __repr__(self) -> str:
        return self.name


class Index:
    """One running index over an axis; used while an expression is being built."""

    __slots__ = ("axis", "serial")

    def __init__(self, axis: Axis) -> None:
        self.axis = axis
        self.serial = next(_serial)

    def __repr__(self) -> str:
        return f"{self.axis.name}'{self.serial}"


def axes(names: str) -> Axis | tuple[Axis, ...]:
    """Declare axes by name, as `sympy.symbols` does for symbols.

    Equation: `n, m = axes("n m")`.
    Raises: InputError for a name that is not a plain identifier.
    Reference: design of `sympy.symbols`.
    """
    found = tuple(Axis(check_identifier(name, "axis")) for name in names.replace(",", " ").split())
    if not found:
        from unified.base.errors import bad_input

        raise bad_input("names", "at least one axis name", repr(names), 'write axes("n m")')
    return found[0] if len(found) == 1 else found


def indices(axs: tuple[Axis, ...]) -> tuple[Index, ...]:
    """A fresh index for every axis."""
    return tuple(Index(a) for a in axs)
