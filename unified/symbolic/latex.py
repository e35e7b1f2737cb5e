"""LaTeX of expressions: matrix notation where it exists, index notation where it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sympy

from unified.base.errors import bad_input
from unified.symbolic.contract import ONE, is_symmetric
from unified.symbolic.latex_index import IndexNotation
from unified.symbolic.latex_product import IDENTITY, Part, Product, Stuck, join_scalars
from unified.symbolic.latex_scalar import (
    ATOM,
    HADAMARD,
    POWER,
    PRODUCT,
    SUM,
    Key,
    Tex,
    bracket,
    law_tex,
    name_tex,
    natural,
    number_tex,
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

# One term of a sum: its sign, its text without the sign, and where it stands among the others.
Term = tuple[bool, Tex, Key]


def latex(x: Expr, names: Mapping[str, str] | None = None) -> str:
    r"""LaTeX of an expression, in matrix notation where it has one.

    Equation: `W @ s` is `W s`, `s @ A @ s` is `s^\top A s`, `(s*s).sum()` is `\lVert s\rVert^{2}`.
    Shapes: vectors are columns; products of more than two axes fall back to indices and `\sum`.
    `names` gives LaTeX for variables by name; the rest is typeset from the name (s1, b_out, beta).
    Raises: InputError if `names` mentions a variable that the expression does not contain.
    Reference: the notation of Petersen & Pedersen, The Matrix Cookbook (2012).
    """
    given = dict(names or {})
    strangers = sorted(given.keys() - {v.name for v in x.free})
    if strangers:
        raise bad_input(
            "names", "variables of the expression", ", ".join(strangers), "drop them from names"
        )
    return Typesetter(given).top(x)


class Typesetter:
    """Prints one expression; remembers what it printed, since subexpressions are shared."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names
        self._done: dict[Expr, Tex | Stuck] = {}

    def top(self, x: Expr) -> str:
        """The whole expression as text."""
        try:
            return self.tex(x).text
        except Stuck:
            index = IndexNotation(self, x)
            return index.entry(x, tuple(index.letter() for _ in x.axes)).text

    def name(self, x: Var) -> str:
        """The LaTeX of a variable."""
        return self.names.get(x.name) or name_tex(x.name)

    def tex(self, x: Expr) -> Tex:
        """Matrix notation of a node. Raises: Stuck if there is none (never for a scalar)."""
        found = self._done.get(x)
        if found is None:
            try:
                found = self._tex(x)
            except Stuck as stuck:
                found = stuck
            self._done[x] = found
        if isinstance(found, Stuck):
            raise found
        return found

    def _tex(self, x: Expr) -> Tex:
        symmetric = is_symmetric(x)
        if isinstance(x, Var):
            text = self.name(x)
            level = POWER if "^" in text else ATOM
            return Tex(text, level, symmetric, key=(0, natural(x.name)))
        if isinstance(x, Zero):
            return Tex(r"\mathbf{0}" if x.ndim else "0", symmetric=symmetric)
        if isinstance(x, Window):
            raise Stuck
        if isinstance(x, Delta):
            return IDENTITY
        if isinstance(x, Inv):
            inner = self.tex(x.arg).at(ATOM)
            turned = "" if symmetric else inner + r"^{-\top}"
            return Tex(inner + "^{-1}", POWER, symmetric, turned, key_of(x))
        if isinstance(x, LogDet):
            return Tex(r"\log\det " + self.tex(x.arg).at(ATOM), PRODUCT, key=key_of(x))
        if isinstance(x, LogSumExp | Softmax):
            name = type(x).__name__.lower()
            text = rf"\operatorname{{{name}}}{bracket(self.tex(x.arg).text)}"
            return Tex(text, key=key_of(x))
        return join_terms(list(self.terms(x)), symmetric, key_of(x))

    def terms(self, x: Expr, negative: bool = False) -> Iterator[Term]:
        """The terms of a sum; sums inside it with coefficient ±1 are opened."""
        if isinstance(x, Add):
            for t in x.terms:
                yield from self.terms(t, negative)
        elif isinstance(x, Einsum) and x.coef in (1, -1) and _only_a_sum(x):
            yield from self.terms(x.factors[0], negative != (x.coef == -1))
        elif isinstance(x, Einsum | Map):
            minus, tex = self._product(x)
            yield minus != negative, tex, _place(x)
        else:
            yield negative, self.tex(x), _place(x)

    def factor(self, f: Expr) -> tuple[sympy.Expr, Tex]:
        """A factor as (constant, rest): signs and constants of sums and laws come out."""
        if isinstance(f, Map):
            return law_tex(f.fn, self.tex(f.arg), key_of(f), scalar=f.ndim == 0)
        if isinstance(f, Add):
            found = list(self.terms(f))
            if all(minus for minus, _, _ in found):
                opened = [(False, tex, place) for _, tex, place in found]
                return -ONE, join_terms(opened, is_symmetric(f), key_of(f))
        return ONE, self.tex(f)

    def _product(self, x: Einsum | Map) -> tuple[bool, Tex]:
        """(negative, text) of one product."""
        try:
            coef, pieces, body = self._pieces(x)
        except Stuck:
            if x.ndim:
                raise
            tex = IndexNotation(self, x).entry(x, ())
            minus = tex.text.startswith("-")
            return minus, Tex(tex.text[1:].lstrip() if minus else tex.text, PRODUCT)
        minus = bool(coef.could_extract_minus_sign())
        coef = -coef if minus else coef
        if not pieces and body is None:
            return minus, Tex(number_tex(coef))
        tex = join_scalars(pieces, body)
        if coef == 1:
            return minus, tex
        level = HADAMARD if tex.level == HADAMARD else PRODUCT
        return minus, Tex(f"{number_tex(coef)} {tex.at(HADAMARD)}", level, tex.symmetric)

    def _pieces(self, x: Einsum | Map) -> tuple[sympy.Expr, Sequence[Tex], Tex | None]:
        """(constant, scalar factors, array factor) of a product."""
        if isinstance(x, Map):
            coef, tex = self.factor(x)
            return coef, [], tex
        coef = x.coef
        parts: list[Part] = []
        for f, labels in zip(x.factors, x.labels, strict=True):
            c, tex = self.factor(f)
            coef = coef * c
            parts.append((tex, labels))
        product = Product(parts, x.ndim)
        body = product.body()
        return coef, product.scalars, body


def _only_a_sum(x: Einsum) -> bool:
    return (
        len(x.factors) == 1
        and isinstance(x.factors[0], Add)
        and x.labels[0] == tuple(range(x.ndim))
    )


def key_of(x: Expr) -> Key:
    """Where a piece stands among pieces that commute: variables, functions, sums, the rest."""
    rank = {Var: 0, Map: 1, Add: 2}.get(type(x), 3)
    return rank, " ".join(sorted(natural(v.name) for v in x.free))


def _place(x: Expr) -> Key:
    """Where a term stands in a sum: constants, then by layer number, biases last."""
    factors = x.factors if isinstance(x, Einsum) else (x,)
    if not x.free:
        return 0, ""
    bias = any(isinstance(f, Var) and f.name[0] == "b" and f.name != "beta" for f in factors)
    return (2 if bias else 1), key_of(x)[1]


def join_terms(terms: list[Term], symmetric: bool, key: Key) -> Tex:
    """A sum, positive terms first."""
    terms = sorted(terms, key=lambda t: (t[0], t[2], t[1].text))
    minus, first, _ = terms[0]
    if len(terms) == 1 and not minus:
        return Tex(first.text, first.level, symmetric or first.symmetric, first.turned, key)
    text = ("-" if minus else "") + first.at(HADAMARD)
    for minus, tex, _ in terms[1:]:
        text += (" - " if minus else " + ") + tex.at(HADAMARD)
    return Tex(text, SUM, symmetric, key=key)
