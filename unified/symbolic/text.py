"""Plain text of an expression, in index notation: short, exact, unambiguous."""

from __future__ import annotations

import sympy

from unified.symbolic.nodes import (
    Add,
    Delta,
    Einsum,
    Expr,
    Inv,
    LogDet,
    LogSumExp,
    Map,
    Softmax,
    Var,
    Zero,
)  # fmt: skip
from unified.symbolic.scalar import X

_LETTERS = "ijklmnopqrstuvwxyzabcdefgh"
_NAMES: dict[type, str] = {
    Inv: "inv", LogDet: "logdet", LogSumExp: "logsumexp", Softmax: "softmax",
}  # fmt: skip


def text(x: Expr) -> str:
    """The expression as one line of text; entries carry index letters."""
    labels = tuple(range(x.ndim))
    return _entry(x, labels, [x.ndim])


def _letter(label: int) -> str:
    return _LETTERS[label] if label < len(_LETTERS) else f"i{label}"


def _slots(labels: tuple[int, ...]) -> str:
    return "[" + ",".join(map(_letter, labels)) + "]" if labels else ""


def _entry(x: Expr, labels: tuple[int, ...], fresh: list[int]) -> str:
    if isinstance(x, Var):
        return x.name + _slots(labels)
    if isinstance(x, Zero):
        return "0"
    if isinstance(x, Delta):
        return "delta" + _slots(labels)
    if isinstance(x, Add):
        parts = [_entry(t, labels, fresh) for t in x.terms]
        return "(" + " + ".join(parts).replace("+ -", "- ") + ")"
    if isinstance(x, Map):
        inner = _entry(x.arg, labels, fresh)
        if isinstance(x.arg, Einsum) and x.fn.expr.has(sympy.Pow, sympy.Mul):
            inner = f"({inner})"  # (2 v)**3 is not 2 v**3
        return f"({str(x.fn.expr).replace(X.name, inner)})"
    if isinstance(x, Einsum):
        local = dict(enumerate(labels))
        for label in x.label_axes:
            if label not in local:
                local[label] = fresh[0]
                fresh[0] += 1
        body = " ".join(
            _entry(f, tuple(local[k] for k in ls), fresh)
            for f, ls in zip(x.factors, x.labels, strict=True)
        )
        summed = [local[k] for k in x.label_axes if k >= x.ndim]
        mark = f"sum_{{{','.join(map(_letter, summed))}}} " if summed else ""
        coef = "" if x.coef == 1 else "-" if x.coef == -1 else f"{x.coef} "
        return f"{coef}{mark}{body}" if body else str(x.coef)
    arg = x.children[0]
    extra = tuple(range(fresh[0], fresh[0] + arg.ndim - len(labels)))
    fresh[0] += len(extra)
    return f"{_NAMES[type(x)]}({_entry(arg, labels + extra, fresh)}){_slots(labels)}"
