"""Exact evaluation over the prime field: rational laws exact, functions uninterpreted."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy

from unified.symbolic.modular import (
    Logs,
    P,
    identity,
    inverse,
    random_element,
    root,
    solve,
)  # fmt: skip
from unified.symbolic.nodes import Var

_HALF = sympy.Rational(1, 2)


class Field:
    """The algebra of one random draw modulo p = 2⁶¹ − 1.

    An abstract function is a pseudo-random table from arguments to values, each derivative a
    table of its own.  exp is such a table with exp(−x) = 1/exp(x) and exp(0) = 1; tanh, the
    logistic function and the hyperbolic functions are rational in exp, sine and cosine rational
    in tan(x/2); log and log|det| are formal (see `modular.Logs`).  `interpreted` collects the
    functions whose further laws (exp(a+b), …) are not known here: a mismatch that involves one
    of them is no disproof yet.
    Raises: Singular where an inverse or a quotient does not exist at this draw.
    Reference: Schwartz (1980), J. ACM 27, 701; Gonnet (1984), STOC, on transcendental functions.
    """

    dtype: Any = object

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.interpreted: set[str] = set()

    # --- arithmetic -------------------------------------------------------------------------
    def reduce(self, x: Any) -> Any:
        return x % P

    def number(self, value: sympy.Rational) -> int:
        return int(value.p) * inverse(int(value.q)) % P

    def power(self, x: Any, exponent: sympy.Rational) -> Any:
        return self._each(lambda v: self._power(self._plain(v), exponent), x)

    def _power(self, v: int, exponent: sympy.Rational) -> int:
        base, top = v, int(exponent.p)
        if exponent.q == 2:
            base = self._root(v)
        elif exponent.q != 1:
            self.interpreted.add(f"power 1/{exponent.q}")
            base = self._table(f"power 1/{exponent.q}", 0, v)
        return pow(inverse(base) if top < 0 else base, abs(top), P)

    def _root(self, v: int) -> int:
        self.interpreted.add("sqrt")  # its sign is a convention, and half the field has no root
        found = root(v)
        return self._table("sqrt", 0, v) if found is None else found

    # --- functions --------------------------------------------------------------------------
    def _table(self, name: str, order: int, v: int) -> int:
        return random_element(self.seed, name, order, v)

    def _plain(self, v: Any) -> int:
        if not isinstance(v, Logs):
            return int(v) % P
        self.interpreted.add("log")
        return v.collapse(lambda d: self._table("log", 0, d))

    @staticmethod
    def _each(law: Any, x: Any) -> Any:
        return np.frompyfunc(law, 1, 1)(x)

    def call(self, name: str, order: int, x: Any) -> Any:
        """An abstract function, or its derivative of this order."""
        return self._each(lambda v: self._table("fn " + name, order, self._plain(v)), x)

    def function(self, expr: sympy.Expr, x: Any) -> Any:
        """A known function of one variable."""
        name = expr.func.__name__
        self.interpreted.add(name)
        known = getattr(self, f"_{name}", None) if isinstance(expr, sympy.Function) else None
        if known is not None and expr.args[0].is_Symbol:
            return self._each(known, x)
        key = sympy.srepr(expr)
        return self._each(lambda v: self._table(key, 0, self._plain(v)), x)

    def constant(self, value: sympy.Expr) -> Any:
        """π, e, log 2, …: π is a random square, others are functions of what is inside them."""
        if value is sympy.pi:
            return self._table("pi", 0, 0) ** 2 % P
        if value is sympy.E:
            return self._exp(1)
        self.interpreted.add(str(value))
        return self._table(sympy.srepr(value), 0, 0)

    def _exp(self, v: Any) -> int:
        if not isinstance(v, Logs):
            v = int(v) % P
            if v == 0:
                return 1
            if v > P // 2:
                return inverse(self._table("exp", 0, P - v))
            return self._table("exp", 0, v)
        plain, linear, more = v.split()
        if more:
            return self._exp(self._plain(v))
        found = self._exp(plain)
        for d, c in linear.items():
            times = c if c < P // 2 else c - P
            twice = 2 * c % P if 2 * c % P < P // 2 else 2 * c % P - P
            if abs(times) < 64:
                found = found * self._power(d, sympy.Integer(times)) % P
            elif abs(twice) < 64:
                found = found * self._power(self._root(d), sympy.Integer(twice)) % P
            else:
                found = found * self._table("exp log", c, d) % P
        return found

    def _log(self, v: Any) -> Any:
        return Logs.log(self._plain(v)) % P

    def _logistic(self, v: Any) -> int:
        e = self._exp(v)
        return e * inverse(1 + e) % P

    def _softplus(self, v: Any) -> Any:
        return Logs.log(1 + self._exp(v)) % P

    def _tanh(self, v: Any) -> int:
        e = self._exp(v) ** 2 % P
        return (e - 1) * inverse(e + 1) % P

    def _cosh(self, v: Any) -> int:
        e = self._exp(v)
        return (e + inverse(e)) * inverse(2) % P

    def _sinh(self, v: Any) -> int:
        e = self._exp(v)
        return (e - inverse(e)) * inverse(2) % P

    def _half_tangent(self, v: Any) -> int:
        v = self._plain(v)
        if v > P // 2:
            return P - self._half_tangent(P - v)
        return self._table("tan half", 0, v) if v else 0

    def _sin(self, v: Any) -> int:
        t = self._half_tangent(v)
        return 2 * t * inverse(1 + t * t) % P

    def _cos(self, v: Any) -> int:
        t = self._half_tangent(v)
        return (1 - t * t) * inverse(1 + t * t) % P

    # --- linear algebra ---------------------------------------------------------------------
    def inv(self, x: np.ndarray) -> np.ndarray:
        found = np.empty_like(x)
        plain = self._each(self._plain, x)
        for k in np.ndindex(x.shape[:-2]):
            found[k] = solve(plain[k])[1]
        return found

    def logdet(self, x: np.ndarray) -> np.ndarray:
        self.interpreted.add("logdet")
        found = np.empty(x.shape[:-2], dtype=object)
        plain = self._each(self._plain, x)
        for k in np.ndindex(found.shape):
            found[k] = Logs.log(solve(plain[k])[0]) % P
        return found

    def softmax(self, x: np.ndarray) -> np.ndarray:
        self.interpreted.add("exp")
        e = self._each(self._exp, x)
        total = e.sum(axis=-1, keepdims=True) % P
        return e * self._each(inverse, total) % P

    def logsumexp(self, x: np.ndarray) -> Any:
        self.interpreted.add("exp")
        return self._each(self._log, self._each(self._exp, x).sum(axis=-1) % P)


def draw(v: Var, shape: tuple[int, ...], kinds: frozenset[str], seed: str) -> np.ndarray:
    """A random array over the field for a variable, obeying its assumptions.

    Shapes: `shape` in, an object array of that shape out.
    An orthogonal matrix is the Cayley transform (1 − K)(1 + K)⁻¹ of a random K = −Kᵀ, which
    covers all but a thin subset of the rotations.
    Raises: Singular if the Cayley transform does not exist at this draw.
    Reference: Weyl (1946), The Classical Groups, on Cayley's parametrisation.
    """
    found = np.empty(shape, dtype=object)
    for k in np.ndindex(shape):
        found[k] = random_element(seed, "var", v.name, *k)
    if "orthogonal" in kinds:
        skew = (np.triu(found, 1) - np.triu(found, 1).T) % P
        one = identity(shape[0])
        return (one - skew).dot(solve((one + skew) % P)[1]) % P
    if v.symmetric or "symmetric" in kinds:
        found = np.triu(found) + np.triu(found, 1).T
    return found
