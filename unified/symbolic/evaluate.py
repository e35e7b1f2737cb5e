"""Evaluating expressions on explicit dimensions in any algebra: a prime field, or float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import sympy
from sympy.core.function import AppliedUndef

from unified.base.errors import bad_input
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
)  # fmt: skip
from unified.symbolic.scalar import X


class Algebra(Protocol):
    """What an algebra must offer; arrays are NumPy arrays of its own dtype."""

    dtype: Any

    def reduce(self, x: Any) -> Any: ...
    def number(self, value: sympy.Rational) -> Any: ...
    def constant(self, value: sympy.Expr) -> Any: ...
    def power(self, x: Any, exponent: sympy.Rational) -> Any: ...
    def call(self, name: str, order: int, x: Any) -> Any: ...
    def function(self, expr: sympy.Expr, x: Any) -> Any: ...
    def inv(self, x: np.ndarray) -> np.ndarray: ...
    def logdet(self, x: np.ndarray) -> np.ndarray: ...
    def softmax(self, x: np.ndarray) -> np.ndarray: ...
    def logsumexp(self, x: np.ndarray) -> np.ndarray: ...


def scalar_value(e: sympy.Expr, env: Mapping[sympy.Symbol, Any], algebra: Algebra) -> Any:
    """The value of a SymPy scalar, walked node by node; no text is ever evaluated.

    Shapes: entries of `env` may be arrays; the value broadcasts over them.
    Raises: InputError for a symbol that is not in `env`.
    """
    if isinstance(e, sympy.Symbol):
        if e not in env:
            raise bad_input(
                "coefficient", "numbers and axis sizes only", f"the undeclared symbol {e.name}",
                "declare it with un.scalar",
            )  # fmt: skip
        return env[e]
    if e.is_Rational:
        return algebra.number(e)
    if e.has(sympy.zoo, sympy.oo, -sympy.oo, sympy.nan, sympy.I):
        raise bad_input("expression", "finite real coefficients", str(e), "check for 1/0 and √−1")
    if e.is_Add:
        total = scalar_value(e.args[0], env, algebra)
        for a in e.args[1:]:
            total = total + scalar_value(a, env, algebra)
        return algebra.reduce(total)
    if e.is_Mul:
        product = scalar_value(e.args[0], env, algebra)
        for a in e.args[1:]:
            product = algebra.reduce(product * scalar_value(a, env, algebra))
        return product
    if e.is_Pow and e.exp.is_Rational:
        return algebra.power(scalar_value(e.base, env, algebra), e.exp)
    if isinstance(e, sympy.Subs) and len(e.variables) == 1:
        inner = {**env, e.variables[0]: scalar_value(e.point[0], env, algebra)}
        return scalar_value(e.expr, inner, algebra)
    if isinstance(e, sympy.Derivative) and isinstance(e.expr, AppliedUndef):
        inner = e.expr.args[0]
        if len(e.expr.args) == 1 and len(e.variable_count) == 1 and e.variables[0] == inner:
            order = int(e.variable_count[0][1])
            name = e.expr.func.__name__
            return algebra.call(name, order, scalar_value(inner, env, algebra))
    if isinstance(e, AppliedUndef) and len(e.args) == 1:
        return algebra.call(e.func.__name__, 0, scalar_value(e.args[0], env, algebra))
    if isinstance(e, sympy.Function) and len(e.args) == 1:
        return algebra.function(e.func(X), scalar_value(e.args[0], env, algebra))
    if not e.free_symbols:
        return algebra.constant(e)
    if e.free_symbols == {X}:
        return algebra.function(e, env[X])
    raise bad_input("coefficient", "an exact scalar", str(e), "rewrite it with un.scalar")


def sizes(dims: Mapping[str, int]) -> dict[sympy.Symbol, int]:
    """The symbolic axis sizes with their values, for coefficients such as tr 1 = n."""
    return {sympy.Symbol(k, integer=True, positive=True): v for k, v in dims.items()}


def evaluate(
    roots: list[Expr], values: Mapping[str, np.ndarray], dims: Mapping[str, int], algebra: Algebra
) -> list[np.ndarray]:
    """The arrays the expressions stand for, shared sub-expressions computed once.

    Shapes: `values[name]` has the shape of the variable; results have the shapes of the roots.
    """
    env = sizes(dims)
    done: dict[Expr, np.ndarray] = {}
    for node in walk(*roots):
        shape = tuple(dims[a.name] for a in node.axes)
        done[node] = _node(node, done, values, shape, env, algebra)
    return [done[r] for r in roots]


def _node(
    node: Expr, done: dict[Expr, np.ndarray], values: Mapping[str, np.ndarray],
    shape: tuple[int, ...], env: dict[sympy.Symbol, int], algebra: Algebra,
) -> np.ndarray:  # fmt: skip
    if isinstance(node, Var):
        return values[node.name]
    if isinstance(node, Zero):
        return _full(shape, 0, algebra)
    if isinstance(node, Delta):
        found = _full(shape, 0, algebra)
        for k in range(shape[0]):
            found[k, k] = 1
        return found
    if isinstance(node, Window):
        found = _full(shape, 0, algebra)
        for h, i in np.ndindex(shape[:2]):
            if 0 <= node.met(h, i) < shape[2]:
                found[h, i, node.met(h, i)] = 1
        return found
    if isinstance(node, Add):
        total = done[node.terms[0]]
        for t in node.terms[1:]:
            total = total + done[t]
        return _array(algebra.reduce(total), shape, algebra)
    if isinstance(node, Map):
        return _array(scalar_value(node.fn.expr, {X: done[node.arg]}, algebra), shape, algebra)
    if isinstance(node, Einsum):
        return _einsum(node, done, shape, env, algebra)
    arg = done[node.children[0]]
    if isinstance(node, Inv):
        return algebra.inv(arg)
    if isinstance(node, LogDet):
        return _array(algebra.logdet(arg), shape, algebra)
    if isinstance(node, LogSumExp):
        return _array(algebra.logsumexp(arg), shape, algebra)
    if isinstance(node, Softmax):
        return algebra.softmax(arg)
    raise NotImplementedError(type(node).__name__)  # pragma: no cover - a new node class


def _full(shape: tuple[int, ...], value: Any, algebra: Algebra) -> np.ndarray:
    return np.full(shape, value, dtype=algebra.dtype)


def _array(value: Any, shape: tuple[int, ...], algebra: Algebra) -> np.ndarray:
    if isinstance(value, np.ndarray) and value.shape == shape:
        return value
    found = np.empty(shape, dtype=algebra.dtype)
    found[...] = value
    return found


def _einsum(
    node: Einsum, done: dict[Expr, np.ndarray], shape: tuple[int, ...],
    env: dict[sympy.Symbol, int], algebra: Algebra,
) -> np.ndarray:  # fmt: skip
    out = set(range(node.ndim))
    work = [(done[f], ls) for f, ls in zip(node.factors, node.labels, strict=True)]
    work = [_contract([w], _others(work, k) | out, algebra) for k, w in enumerate(work)]
    while len(work) > 1:
        best: tuple[float, int, int] | None = None
        for i in range(len(work)):
            for j in range(i + 1, len(work)):
                cost = _cost(work[i], work[j], _others(work, i, j) | out)
                if best is None or cost < best[0]:
                    best = (cost, i, j)
        assert best is not None
        _, i, j = best
        keep = _others(work, i, j) | out
        pair = [work[i], work[j]]
        work = [w for k, w in enumerate(work) if k not in (i, j)]
        work.append(_contract(pair, keep, algebra))
    coef = scalar_value(node.coef, env, algebra)
    if not work:
        return _array(coef, shape, algebra)
    array, labels = work[0]
    order = sorted(labels)
    array = np.transpose(array, [labels.index(k) for k in order])
    array = array.reshape([shape[k] if k in labels else 1 for k in range(node.ndim)])
    return _array(algebra.reduce(np.broadcast_to(array, shape) * coef), shape, algebra)


def _others(work: list, *skip: int) -> set[int]:
    return {k for i, (_, ls) in enumerate(work) if i not in skip for k in ls}


def _cost(a: tuple, b: tuple, keep: set[int]) -> float:
    size = dict(zip(a[1], a[0].shape, strict=True)) | dict(zip(b[1], b[0].shape, strict=True))
    work, result = 1, 1
    for label, n in size.items():
        work *= n
        result *= n if label in keep else 1
    return result - a[0].size - b[0].size + 1e-3 * work


def _contract(parts: list[tuple], keep: set[int], algebra: Algebra) -> tuple:
    labels = list(dict.fromkeys(k for _, ls in parts for k in ls))
    kept = tuple(k for k in labels if k in keep)
    if len(parts) == 1 and len(kept) == len(parts[0][1]):
        return parts[0][0], kept
    at = {k: i for i, k in enumerate(labels)}
    args: list[Any] = []
    for array, ls in parts:
        args += [array, [at[k] for k in ls]]
    found = algebra.reduce(np.einsum(*args, [at[k] for k in kept]))
    return _array(found, tuple(np.shape(found)), algebra), kept
