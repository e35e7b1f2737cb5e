"""Packages whose public names are imported at their first use (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, exports: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package, from a table of its public names.

    Each name stands for "module" or "module:attribute".
    """

    def find(name: str) -> Any:
        target = exports.get(name)
        if target is None:
            told = f"module {package!r} has no attribute {name!r}; see dir({package})"
            raise AttributeError(told)
        module, _, attribute = target.partition(":")
        value: Any = import_module(module)
        if attribute:
            value = getattr(value, attribute)
        setattr(sys.modules[package], name, value)
        return value

    return find, lambda: sorted(vars(sys.modules[package])["__all__"])
