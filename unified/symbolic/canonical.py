"""The canonical form of an expression: sound and incomplete; equal forms prove equality."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import sympy

from unified.base.errors import UnifiedError
from unified.symbolic import laws
from unified.symbolic.axis import Index, indices
from unified.symbolic.build import add, scale
from unified.symbolic.contract import Part, contract, is_symmetric
from unified.symbolic.network import inner_indices, ordered, parts_of, shorten
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
    Zero,
    walk,
)  # fmt: skip


class TooLarge(UnifiedError):
    """An expression too large for the canonical form; exact evaluation may still decide it."""


# The steps of one chain share their sides, and so do its wrong versions.
@functools.lru_cache(maxsize=128)
def canonical(x: Expr, *, orthogonal: frozenset[str] = frozenset(), limit: int = 3000) -> Expr:
    """The canonical form of x: sums of products of atoms, laws applied, terms collected.

    Equation: canonical(x) is canonical(y) ⇒ x = y wherever both are defined.
    Shapes: as x.
    Raises: TooLarge if more than `limit` products would have to be written out.
    Reference: design page, tier 1; colour refinement after McKay (1981).
    """
    return Canonical(orthogonal, limit).of(x)


class Canonical:
    """One run of the rewriting, with its memory and its budget."""

    def __init__(self, orthogonal: frozenset[str] = frozenset(), limit: int = 3000) -> None:
        self.orthogonal = orthogonal
        self.limit = limit
        self.left = limit
        self._done: dict[Expr, Expr] = {}

    def of(self, x: Expr) -> Expr:
        """The canonical form, children first."""
        for node in walk(x):
            if node not in self._done:
                self._done[node] = self._node(node)
        return self._done[x]

    def _node(self, node: Expr) -> Expr:
        if isinstance(node, Add):
            return self.sum([self._done[t] for t in node.terms])
        if isinstance(node, Einsum):
            parts, out = parts_of(node)
            return self.product(node.coef, [(self._done[f], ix) for f, ix in parts], out)
        if isinstance(node, Map):
            return laws.elementwise(self, node.fn.expr, self._done[node.arg])
        if isinstance(node, Inv):
            return laws.inverse(self, self._done[node.arg])
        if isinstance(node, LogDet):
            return laws.logdet(self, self._done[node.arg])
        if isinstance(node, LogSumExp | Softmax):
            return laws.shifted(self, type(node), self._done[node.arg])
        return node

    # --- sums -------------------------------------------------------------------------------
    def sum(self, terms: Sequence[Expr]) -> Expr:
        """The sum of canonical terms, like ones collected, sizes in coefficients multiplied out."""
        found = add(*terms)
        parts = found.terms if isinstance(found, Add) else (found,)
        tidy = [self._tidy_coefficient(t) for t in parts]
        return found if all(a is b for a, b in zip(parts, tidy, strict=True)) else add(*tidy)

    @staticmethod
    def _tidy_coefficient(t: Expr) -> Expr:
        if not isinstance(t, Einsum) or t.coef.is_Rational:
            return t
        coef = sympy.expand(t.coef)
        if coef == t.coef:
            return t
        return Zero.make(t.axes) if coef == 0 else Einsum.make(t.axes, coef, t.factors, t.labels)

    # --- products ---------------------------------------------------------------------------
    def product(self, coef: sympy.Expr | int, parts: list[Part], out: Sequence[Index]) -> Expr:
        """The product of canonical factors, sums multiplied out.

        Raises: TooLarge if that takes more products than are left in the budget.
        """
        parts = self._whole(parts, out)
        options = [f.terms if isinstance(f, Add) else (f,) for f, _ in parts]
        count = 1
        for o in options:
            count *= len(o)
        self.left -= count
        if self.left < 0:
            raise TooLarge(
                f"canonical form: expected at most {self.limit} products after multiplying out, "
                "got more; exact evaluation decides instead."
            )
        terms = []
        for choice in itertools.product(*options):
            chosen = [(f, ix) for f, (_, ix) in zip(choice, parts, strict=True)]
            terms.append(self.term(contract(coef, chosen, out)))
        return self.sum(terms) if terms else Zero.make(tuple(i.axis for i in out))

    def term(self, e: Expr) -> Expr:
        """One product of atoms, shortened and in canonical order."""
        return ordered(shorten(e, self.orthogonal))

    def _whole(self, parts: list[Part], out: Sequence[Index]) -> list[Part]:
        """Cancel a sum against its own inverse or reciprocal, before it is multiplied out."""
        for j, (g, gx) in enumerate(parts):
            if not isinstance(g, Add) or len(parts) == 1:
                continue
            square = g.ndim == 2 and g.axes[0] is g.axes[1]
            matrix = laws.inverse(self, g) if square else None
            entry = laws.power(self, g, sympy.Integer(-1))
            for i, (f, fx) in enumerate(parts):
                if i == j:
                    continue
                rest = [p for k, p in enumerate(parts) if k not in (i, j)]
                if f is entry and fx == gx:
                    return self._whole([*rest, (contract(1, [], indices(g.axes)), gx)], out)
                if f is matrix:
                    inner = inner_indices(parts, out)
                    for s, t in ((1, 0), (0, 1), (0, 0), (1, 1)):
                        if fx[s] is gx[t] and fx[s] in inner and (s != t or is_symmetric(g)):
                            one = (Delta.make(fx[s].axis), (fx[1 - s], gx[1 - t]))
                            return self._whole([*rest, one], out)
        return parts

    def times(self, *xs: Expr) -> Expr:
        """The elementwise product of canonical arrays of equal axes."""
        ix = indices(xs[0].axes)
        return self.product(1, [(x, ix) for x in xs], ix)

    def scaled(self, coef: sympy.Expr | int, x: Expr) -> Expr:
        """coef · x."""
        if isinstance(x, Add):
            return self.sum([scale(coef, t) for t in x.terms])
        return self.sum([scale(coef, x)])
