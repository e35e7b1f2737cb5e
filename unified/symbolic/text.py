"""Plain text of an expression, in index notation: short, exact, unambiguous."""

from __future__ import annotations

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
    Window,
    Zero,
    walk,
    written_size,
)
from unified.symbolic.scalar import X

_LETTERS = "ijklmnopqrstuvwxyzabcdefgh"
_NAMES: dict[type, str] = {
    Inv: "inv", LogDet: "logdet", LogSumExp: "logsumexp", Softmax: "softmax",
}  # fmt: skip
LIMIT = 2000  # nodes of the written-out tree
_ATOM, _POWER, _PRODUCT, _SUM = 4, 3, 2, 1
Signed = tuple[int, str, int]  # a sign, the text of the rest, how tightly that holds together


def text(x: Expr) -> str:
    """The expression as one line of text; entries carry index letters.

    Written out, shared parts are repeated: an expression past `LIMIT` nodes is only described.
    """
    if written_size(x) > LIMIT:
        names = ", ".join(sorted(v.name for v in x.free))
        axs = ", ".join(a.name for a in x.axes)
        return f"<{len(list(walk(x)))} shared nodes over ({axs}) in {names}>"
    labels = tuple(range(x.ndim))
    sign, body, level = _entry(x, labels, [x.ndim])
    return body if sign > 0 else f"-{_wrapped(body, level, _PRODUCT)}"


def _letter(label: int) -> str:
    return _LETTERS[label] if label < len(_LETTERS) else f"i{label}"


def _slots(labels: tuple[int, ...]) -> str:
    return "[" + ",".join(map(_letter, labels)) + "]" if labels else ""


def _wrapped(body: str, level: int, least: int) -> str:
    return body if level >= least else f"({body})"


def _entry(x: Expr, labels: tuple[int, ...], fresh: list[int]) -> Signed:
    """One entry of x; a sign common to all of it is left to the caller."""
    if isinstance(x, Var):
        return 1, x.name + _slots(labels), _ATOM
    if isinstance(x, Zero):
        return 1, "0", _ATOM
    if isinstance(x, Delta):
        return 1, "delta" + _slots(labels), _ATOM
    if isinstance(x, Window):
        h, i, u = map(_letter, labels)
        step = f"{x.stride}*{h}" if x.stride > 1 else h
        shift = f"-{x.padding}" if x.padding else ""
        return 1, f"[{u}=={step}+{i}{shift}]", _ATOM
    if isinstance(x, Add):
        return _sum(x, labels, fresh)
    if isinstance(x, Einsum):
        return _product(x, labels, fresh)
    if isinstance(x, Map):
        return _function(x, labels, fresh)
    arg = x.children[0]
    extra = tuple(range(fresh[0], fresh[0] + arg.ndim - len(labels)))
    fresh[0] += len(extra)
    inner = _plain(arg, labels + extra, fresh)
    return 1, f"{_NAMES[type(x)]}({inner}){_slots(labels)}", _ATOM


def _plain(x: Expr, labels: tuple[int, ...], fresh: list[int], least: int = _SUM) -> str:
    sign, body, level = _entry(x, labels, fresh)
    if sign < 0:
        body, level = f"-{_wrapped(body, level, _PRODUCT)}", _SUM
    return _wrapped(body, level, least)


def _sum(x: Add, labels: tuple[int, ...], fresh: list[int]) -> Signed:
    # Positive terms first, short before long: z - f(Wz), not -f(Wz) + z.
    terms = sorted((_entry(t, labels, fresh) for t in x.terms), key=lambda t: (-t[0], len(t[1])))
    first = terms[0][0]
    body = _wrapped(terms[0][1], terms[0][2], _SUM)
    for sign, term, level in terms[1:]:
        minus = sign != first
        body += (" - " if minus else " + ") + _wrapped(term, level, _PRODUCT if minus else _SUM)
    return first, body, _SUM


def _product(x: Einsum, labels: tuple[int, ...], fresh: list[int]) -> Signed:
    local = dict(enumerate(labels))
    for label in x.label_axes:
        if label not in local:
            local[label] = fresh[0]
            fresh[0] += 1
    coef, sign = x.coef, 1
    if coef.could_extract_minus_sign():
        coef, sign = -coef, -1
    parts = []
    for f, ls in zip(x.factors, x.labels, strict=True):
        s, body, level = _entry(f, tuple(local[k] for k in ls), fresh)
        sign *= s
        parts.append(_wrapped(body, level, _PRODUCT))
    # Arrays before functions of them, as one writes W tanh(s).
    body = "*".join(sorted(parts, key=lambda p: ("(" in p, len(p))))
    if not parts:
        return sign, str(coef), _ATOM if coef.is_Integer else _SUM
    summed = [local[k] for k in x.label_axes if k >= x.ndim]
    level = _PRODUCT
    if summed:
        body, level = f"sum_{{{','.join(map(_letter, summed))}}}({body})", _ATOM
    if coef != 1:
        number = str(coef) if coef.is_Integer or coef.is_Symbol else f"({coef})"
        body, level = f"{number}*{body}", _PRODUCT
    return sign, body, level


def _function(x: Map, labels: tuple[int, ...], fresh: list[int]) -> Signed:
    law = x.fn.expr
    inside = _SUM if law.is_Function and law.args == (X,) else _ATOM
    body = str(law).replace(X.name, _plain(x.arg, labels, fresh, inside))
    level = _ATOM if law.is_Function else _POWER if law.is_Pow else _SUM
    return 1, body, level
