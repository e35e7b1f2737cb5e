"""Elementwise functions: SymPy does every scalar, including its derivative."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import sympy
from sympy.core.function import AppliedUndef, ArgumentIndexError

from unified.base.errors import bad_input

if TYPE_CHECKING:
    from unified.symbolic.nodes import Expr

X = sympy.Symbol("x_", real=True)


class _Primitive(sympy.Function):
    """A function of one argument that every printer knows how to evaluate stably."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        if argindex != 1:
            raise ArgumentIndexError(self, argindex)
        return self._slope(self.args[0])

    @classmethod
    def eval(cls, x: sympy.Expr) -> sympy.Expr | None:
        """The exact value at a real number, so that constants fold to numbers."""
        return cls._value(x) if x.is_number and x.is_extended_real else None

    @staticmethod
    def _slope(x: sympy.Expr) -> sympy.Expr:
        raise NotImplementedError

    @staticmethod
    def _value(x: sympy.Expr) -> sympy.Expr:
        raise NotImplementedError


class logistic(_Primitive):
    """1/(1+exp(-x)), evaluated without overflow."""

    @staticmethod
    def _value(x: sympy.Expr) -> sympy.Expr:
        return 1 / (1 + sympy.exp(-x))

    @staticmethod
    def _slope(x: sympy.Expr) -> sympy.Expr:
        return logistic(x) * (1 - logistic(x))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\sigma{power}\left({printer._print(self.args[0])}\right)"


class softplus(_Primitive):
    """log(1+exp(x)), evaluated without overflow; its slope is `logistic`."""

    @staticmethod
    def _value(x: sympy.Expr) -> sympy.Expr:
        return sympy.log(1 + sympy.exp(x))

    @staticmethod
    def _slope(x: sympy.Expr) -> sympy.Expr:
        return logistic(x)


class step(_Primitive):
    """1 for x > 0, else 0 (so the subgradient of `relu` at 0 is 0); its slope is 0."""

    @staticmethod
    def _value(x: sympy.Expr) -> sympy.Expr:
        return sympy.Integer(1 if x.is_positive else 0)

    @staticmethod
    def _slope(x: sympy.Expr) -> sympy.Expr:
        return sympy.Integer(0)


class relu(_Primitive):
    """max(0, x); subgradient policy: slope 0 at x = 0."""

    @staticmethod
    def _value(x: sympy.Expr) -> sympy.Expr:
        return x if x.is_positive else sympy.Integer(0)

    @staticmethod
    def _slope(x: sympy.Expr) -> sympy.Expr:
        return step(x)


class hard_sigmoid(_Primitive):
    """min(1, max(0, x)); subgradient policy: slope 0 at both corners."""

    @staticmethod
    def _value(x: sympy.Expr) -> sympy.Expr:
        return sympy.Min(1, sympy.Max(0, x))

    @staticmethod
    def _slope(x: sympy.Expr) -> sympy.Expr:
        return step(x) * step(1 - x)


NAMED: dict[str, type[sympy.Function]] = {
    "tanh": sympy.tanh, "sigmoid": logistic, "softplus": softplus, "relu": relu,
    "hard_sigmoid": hard_sigmoid, "erf": sympy.erf, "sin": sympy.sin, "cos": sympy.cos,
    "exp": sympy.exp, "log": sympy.log, "atan": sympy.atan,
}  # fmt: skip
NONSMOOTH: tuple[type, ...] = (
    relu, hard_sigmoid, step, sympy.Abs, sympy.sign, sympy.Max, sympy.Min, sympy.Heaviside,
    sympy.Piecewise,
)  # fmt: skip
NONHOLOMORPHIC: tuple[type, ...] = (*NONSMOOTH, sympy.re, sympy.im, sympy.conjugate, sympy.arg)


class ScalarFn:
    """An elementwise function of one variable, held as a SymPy expression in `X`.

    Equation: y_i = f(x_i); `.diff()` is f'.
    Raises: InputError if the expression has symbols other than X.
    Reference: SymPy's `diff` on scalars.
    """

    __slots__ = ("_diff", "expr", "key")
    _known: ClassVar[dict[sympy.Expr, ScalarFn]] = {}

    def __new__(cls, expr: sympy.Expr) -> ScalarFn:
        found = cls._known.get(expr)
        if found is None:
            found = super().__new__(cls)
            found.expr = expr
            found.key = sympy.srepr(expr)
            found._diff = None
            cls._known[expr] = found
        return found

    expr: sympy.Expr
    key: str
    _diff: ScalarFn | None

    def diff(self) -> ScalarFn:
        """The derivative f' as another elementwise function."""
        if self._diff is None:
            self._diff = ScalarFn(sympy.diff(self.expr, X))
        return self._diff

    @property
    def abstract(self) -> bool:
        """True if the function is only a name (an undefined SymPy function)."""
        return bool(self.expr.atoms(AppliedUndef))

    @property
    def smooth(self) -> bool:
        """False if the function or its slope jumps somewhere (relu, clip, abs)."""
        return not self.expr.has(*NONSMOOTH)

    @property
    def holomorphic(self) -> bool:
        """True if the function extends to complex arguments near the real axis."""
        return not self.expr.has(*NONHOLOMORPHIC)

    def __reduce__(self) -> tuple[type, tuple[sympy.Expr]]:
        return ScalarFn, (self.expr,)

    def __repr__(self) -> str:
        return f"ScalarFn({self.expr})"


@cache
def scalar_fn(function: Any) -> ScalarFn:
    """Turn a SymPy function class, a SymPy Lambda or a known name into a ScalarFn."""
    if isinstance(function, ScalarFn):
        return function
    if isinstance(function, str):
        if function == "identity":
            return ScalarFn(X)
        if function not in NAMED:
            raise bad_input(
                "function", f"one of {', '.join(['identity', *NAMED])}", repr(function),
                "or pass un.fn(sympy function) for your own",
            )  # fmt: skip
        return ScalarFn(NAMED[function](X))
    if isinstance(function, sympy.Lambda):
        if len(function.variables) != 1:
            raise bad_input("function", "a Lambda of one variable", str(function), "use one")
        expr = function(X)
    elif isinstance(function, type(sympy.Function)) or callable(function):
        expr = function(X)
    else:
        raise bad_input(
            "function", "a SymPy function, a Lambda or a name", repr(function), "try sympy.tanh"
        )
    if not isinstance(expr, sympy.Expr):
        raise bad_input("function", "a SymPy expression as its value", repr(expr), "use SymPy")
    if expr.free_symbols - {X}:
        extra = ", ".join(sorted(map(str, expr.free_symbols - {X})))
        raise bad_input(
            "function", "an expression in its argument only", f"free symbols {extra}",
            "multiply the argument by a un.scalar(...) instead",
        )  # fmt: skip
    return ScalarFn(expr)


def fn(function: Any) -> Callable[[Expr], Expr]:
    """An elementwise function that can be applied to array expressions.

    Equation: `rho = fn(sympy.tanh)`, `rho(s)` has entries tanh(s_i); `fn(sympy.Function("rho"))`
    stays abstract. Names: identity, tanh, sigmoid, softplus, relu, hard_sigmoid, erf, ...
    Shapes: rho(s) has the axes of s.
    Raises: InputError for an unknown name or a function of more than one variable.
    Reference: elementwise maps of Laue et al. (2018).
    """
    law = scalar_fn(function)

    def apply(x: Expr) -> Expr:
        from unified.symbolic.build import as_expr, elementwise

        return elementwise(law, as_expr(x))

    apply.law = law  # type: ignore[attr-defined]
    return apply
