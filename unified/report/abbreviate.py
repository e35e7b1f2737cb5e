"""Long expressions made readable: shared parts get names, so that a page can show them."""

from __future__ import annotations

from collections import Counter

from unified.symbolic.nodes import Delta, Expr, Var, Zero, walk, written_size
from unified.symbolic.transform import rebuild

SHORT = 45  # nodes, shared ones counted every time, that one line can still show
_SHARED, _LARGE = 9, 40  # a part is named if it is this large and shared, or simply large
_LETTERS = {0: "kappa", 1: "u", 2: "M"}


def abbreviate(*roots: Expr) -> tuple[list[Expr], list[tuple[Var, Expr]]]:
    """The expressions with their shared parts named, and what each name stands for.

    Shapes: as given; a name has the axes of its part.  Short expressions come back as they are.
    An expression is a graph: written out, a few shared steps of a recursion fill megabytes.
    """
    if written_size(*roots) <= SHORT:
        return list(roots), []
    taken = {v.name for r in roots for v in r.free}
    uses = Counter(c for node in walk(*roots) for c in node.children)
    done: dict[Expr, Expr] = {}
    size: dict[Expr, int] = {}
    names: list[tuple[Var, Expr]] = []
    for node in walk(*roots):
        if isinstance(node, Var | Zero | Delta):
            done[node], size[node] = node, 1
            continue
        changed = any(done[c] is not c for c in node.children)
        done[node] = rebuild(node, done) if changed else node
        size[node] = 1 + sum(size[c] for c in node.children)
        wanted = size[node] > _LARGE or (uses[node] > 1 and size[node] >= _SHARED)
        if node not in roots and node.ndim in _LETTERS and wanted:
            letter, k = _LETTERS[node.ndim], len(names) + 1
            while f"{letter}{k}" in taken:
                k += 1
            taken.add(f"{letter}{k}")
            name = Var.make(f"{letter}{k}", node.axes, False)
            names.append((name, done[node]))
            done[node], size[node] = name, 1
    return [done[r] for r in roots], names
