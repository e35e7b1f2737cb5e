r"""Index notation, for what matrix notation cannot say: entries and explicit \sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy

from unified.symbolic.latex_product import Stuck
from unified.symbolic.latex_scalar import (
    ATOM,
    HADAMARD,
    PRODUCT,
    SUM,
    Tex,
    bracket,
    law_tex,
    number_tex,
    split_name,
)  # fmt: skip
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
)  # fmt: skip

if TYPE_CHECKING:
    from unified.symbolic.latex import Typesetter

_LETTERS = "ijklpqruvghabcdef"


class IndexNotation:
    """Prints the entries of one expression; index letters avoid its variables' names."""

    def __init__(self, setter: Typesetter, x: Expr) -> None:
        self.setter = setter
        taken = {v.name for v in x.free}
        self._letters = [c for c in _LETTERS if c not in taken]
        self._next = 0

    def letter(self) -> str:
        """A letter not used yet."""
        k, self._next = self._next, self._next + 1
        plain = len(self._letters)
        return self._letters[k] if k < plain else rf"\iota_{{{k - plain + 1}}}"

    def entry(self, x: Expr, at: tuple[str, ...]) -> Tex:
        """The entry of x at these index letters."""
        if isinstance(x, Var):
            return Tex(self._indexed(x, at))
        if isinstance(x, Zero):
            return Tex("0")
        if isinstance(x, Delta):
            return Tex(rf"\delta_{{{''.join(at)}}}")
        if isinstance(x, Window):
            h, i, u = at
            step = f"{x.stride} {h}" if x.stride > 1 else h
            shift = f" - {x.padding}" if x.padding else ""
            return Tex(rf"\delta_{{{u},\, {step} + {i}{shift}}}")
        if isinstance(x, Map):
            coef, tex = law_tex(x.fn, self.entry(x.arg, at), (1, ""), scalar=True)
            return _times(coef, "", tex)
        if isinstance(x, Einsum):
            return self._product(x, at)
        if at:
            try:  # a part that has matrix notation is clearer as one bracket with indices
                return Tex(self.setter.tex(x).at(ATOM) + f"_{{{''.join(at)}}}")
            except Stuck:
                pass
        else:
            try:
                return self.setter.tex(x)
            except Stuck:
                pass
        if isinstance(x, Add):
            return self._sum(x, at)
        return self._unary(x, at)

    def _indexed(self, x: Var, at: tuple[str, ...]) -> str:
        given = self.setter.names.get(x.name)
        letters = "".join(at)
        if not letters:
            return self.setter.name(x)
        if given is not None:
            return (bracket(given) if "_" in given else given) + f"_{{{letters}}}"
        base, sub = split_name(x.name)
        return f"{base}_{{{sub},{letters}}}" if sub else f"{base}_{{{letters}}}"

    def _product(self, x: Einsum, at: tuple[str, ...]) -> Tex:
        names = dict(enumerate(at))
        summed = [k for k in x.label_axes if k >= x.ndim]
        names.update({k: self.letter() for k in summed})
        coef, pieces = x.coef, []
        for f, labels in zip(x.factors, x.labels, strict=True):
            tex = self.entry(f, tuple(names[k] for k in labels))
            pieces.append(tex.at(PRODUCT))
        mark = rf"\sum_{{{', '.join(names[k] for k in summed)}}} " if summed else ""
        return _times(coef, mark, Tex(" ".join(pieces), PRODUCT))

    def _sum(self, x: Add, at: tuple[str, ...]) -> Tex:
        texts = sorted((self.entry(t, at).text for t in x.terms), key=lambda t: t.startswith("-"))
        return Tex(" + ".join(texts).replace("+ -", "- "), SUM)

    def _unary(self, x: Expr, at: tuple[str, ...]) -> Tex:
        arg = x.children[0]
        if isinstance(x, LogSumExp):
            j = self.letter()
            return Tex(rf"\log \sum_{{{j}}} e^{{{self.entry(arg, (*at, j)).text}}}", PRODUCT)
        if isinstance(x, Softmax):
            j = self.letter()
            top = self.entry(arg, at).text
            below = self.entry(arg, (*at[:-1], j)).text
            return Tex(rf"\frac{{e^{{{top}}}}}{{\sum_{{{j}}} e^{{{below}}}}}")
        i, j = self.letter(), self.letter()
        lead = at[:-2] if isinstance(x, Inv) else at
        inner = rf"\left[{self.entry(arg, (*lead, i, j)).text}\right]_{{{i}{j}}}"
        if isinstance(x, LogDet):
            return Tex(rf"\log\det {inner}", PRODUCT)
        return Tex(rf"{bracket(inner)}^{{-1}}_{{{''.join(at[-2:])}}}")


def _times(coef: sympy.Expr, mark: str, tex: Tex) -> Tex:
    minus = bool(coef.could_extract_minus_sign())
    size = -coef if minus else coef
    if size != 1:
        mark = f"{number_tex(size)} {mark}"
    body = tex.text if not mark and not minus else tex.at(HADAMARD)
    text = (f"{mark}{body}" if body else mark or "1").rstrip()
    if minus:
        return Tex("-" + text, SUM)
    return Tex(text, PRODUCT if mark else tex.level)
