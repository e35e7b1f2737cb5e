"""LaTeX of names and of elementwise functions: SymPy prints the scalars, we print the argument."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sympy
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter

from unified.symbolic.scalar import ScalarFn, X, logistic

# How tightly a piece of LaTeX holds together; a looser piece is bracketed inside a tighter one.
SUM, HADAMARD, PRODUCT, POWER, ATOM = range(5)

Key = tuple[int, str]
_GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda",
    "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega",
}  # fmt: skip
_SPECIAL = {"eps": r"\varepsilon", "epsilon": r"\varepsilon", "lam": r"\lambda"}
_MACROS = {
    "tanh", "sinh", "cosh", "coth", "sin", "cos", "tan", "exp", "log", "arctan", "arcsin", "arccos",
}  # fmt: skip
_RENAMED = {"atan": "arctan", "asin": "arcsin", "acos": "arccos", "hard_sigmoid": "hardsigmoid"}


@dataclass(frozen=True)
class Tex:
    """A piece of LaTeX, how tightly it binds, and what its transpose looks like.

    `key` orders pieces that commute; `turned` is the transpose where it has a form of its own.
    """

    text: str
    level: int = ATOM
    symmetric: bool = False
    turned: str = ""
    key: Key = (9, "")

    def at(self, level: int) -> str:
        """The text, bracketed if it binds less tightly than `level`."""
        return self.text if self.level >= level else bracket(self.text)


def bracket(text: str) -> str:
    r"""The text in \left( \right)."""
    return rf"\left({text}\right)"


def split_name(name: str) -> tuple[str, str]:
    r"""The LaTeX base and subscript of a name: `b_out` is (`b`, `\mathrm{out}`)."""
    found = re.match(r"([A-Za-z]+)(.*)", name)
    if found is None:
        return rf"\mathrm{{{re.sub(r'[^A-Za-z0-9]', '', name) or '?'}}}", ""
    base, tail = found.groups()
    parts = [p for p in re.split(r"_|(?<=\d)(?=[A-Za-z])", tail) if p]
    subs = [p if p.isdigit() else _word(p, upright=True) for p in parts]
    return _word(base), ",".join(subs)


def _word(word: str, upright: bool = False) -> str:
    word = re.sub(r"[^A-Za-z0-9]", "", word)
    if word in _SPECIAL:
        return _SPECIAL[word]
    if word in _GREEK:
        return "\\" + word
    return word if len(word) == 1 else rf"\mathrm{{{word}}}"


def name_tex(name: str) -> str:
    """LaTeX of a name, with one subscript group at most."""
    base, sub = split_name(name)
    return f"{base}_{{{sub}}}" if sub else base


def natural(name: str) -> str:
    """A key that sorts x, W1, s1, s2, s10 in this order: by number, then by letter."""
    digits = re.search(r"(\d+)$", name)
    return f"{int(digits.group(1)) + 1 if digits else 0:08d}{name}"


class _LawPrinter(LatexPrinter):
    """Prints a function of X with the LaTeX of the argument in the place of X."""

    def __init__(self, arg: Tex) -> None:
        super().__init__()
        self._arg = arg

    def _inside(self, x: sympy.Basic) -> str:
        return self._arg.text if x == X else self._print(x)

    def _print(self, expr: Any, **kwargs: Any) -> str:
        if isinstance(expr, sympy.Symbol):
            return self._arg.at(ATOM) if expr == X else super()._print(expr, **kwargs)
        if expr == 1 / X:
            return rf"\frac{{1}}{{{self._arg.text}}}"
        if isinstance(expr, sympy.Abs):
            return rf"\left\lvert {self._inside(expr.args[0])}\right\rvert" + _power(kwargs)
        if isinstance(expr, sympy.exp):
            raised = rf"e^{{{self._inside(expr.args[0])}}}"
            return bracket(raised) + _power(kwargs) if kwargs.get("exp") else raised
        if isinstance(expr, sympy.Derivative):
            return self._slope(expr, expr.args[0].args[0])
        if isinstance(expr, sympy.Subs) and isinstance(expr.expr, sympy.Derivative):
            return self._slope(expr.expr, expr.point[0])
        if isinstance(expr, sympy.Function) and len(expr.args) == 1:
            inner = bracket(self._inside(expr.args[0]))
            return _function(expr) + _power(kwargs) + inner
        return super()._print(expr, **kwargs)

    def _slope(self, law: sympy.Expr, at: sympy.Basic) -> str:
        order = law.derivative_count
        mark = "'" * order if order < 3 else f"^{{({order})}}"
        return _function(law.args[0]) + mark + bracket(self._inside(at))


def _power(kwargs: dict[str, Any]) -> str:
    return f"^{{{kwargs['exp']}}}" if kwargs.get("exp") else ""


def _function(call: sympy.Expr) -> str:
    name = type(call).__name__
    if isinstance(call, AppliedUndef):
        return name_tex(name)
    if isinstance(call, logistic):
        return r"\sigma"
    name = _RENAMED.get(name, name)
    return "\\" + name if name in _MACROS else rf"\operatorname{{{name.replace('_', '')}}}"


def law_tex(law: ScalarFn, arg: Tex, key: Key, scalar: bool) -> tuple[sympy.Expr, Tex]:
    r"""The constant factor of a law, and the LaTeX of the rest at `arg`.

    Equation: −2(1−tanh²(x))tanh(x) is the constant −2 and `(1−tanh²(x)) ⊙ tanh(x)`.
    """
    coef, rest = sympy.factor_terms(law.expr).as_independent(X, as_Add=False)
    parts = [_part(p, arg) for p in sympy.Mul.make_args(rest)]
    if len(parts) == 1:
        (p,) = parts
        return coef, Tex(p.text, p.level, symmetric=arg.symmetric, key=key)
    join, level = (" ", PRODUCT) if scalar else (r" \odot ", HADAMARD)
    parts.sort(key=lambda p: -p.level)
    return coef, Tex(join.join(p.at(POWER) for p in parts), level, arg.symmetric, key=key)


def _part(expr: sympy.Expr, arg: Tex) -> Tex:
    if expr == X:
        return arg
    text = _LawPrinter(arg).doprint(expr)
    if isinstance(expr, sympy.Add | sympy.Piecewise):
        return Tex(text, SUM)
    if isinstance(expr, sympy.Pow | sympy.exp):
        return Tex(text, POWER)
    return Tex(text, ATOM)


def number_tex(value: sympy.Expr) -> str:
    r"""A positive constant: `\tfrac{1}{2}`, `3`, `n_{0}`."""
    if value.is_Rational and value.q != 1:
        return rf"\tfrac{{{value.p}}}{{{value.q}}}"
    text = sympy.latex(value)
    return bracket(text) if isinstance(value, sympy.Add) else text
