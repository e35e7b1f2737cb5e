"""Expressions written out in single entries: the oracle that generated code is checked against.

Every node is read here a second time, straight from its definition, by loops over indices.
Nothing is shared with code generation, so a mistake there cannot hide here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from numbers import Integral

import sympy

from unified.base.errors import bad_input
from unified.symbolic.axis import Axis
from unified.symbolic.convolution import fitted, windows_of
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
from unified.symbolic.scalar import ScalarFn, X, hard_sigmoid, logistic, relu, softplus, step

Slots = tuple[int, ...]
Entries = dict[Slots, sympy.Expr]


def instance(expr: Expr, dims: Mapping[str, int]) -> sympy.Expr | sympy.NDimArray:
    """The expression with concrete sizes, every sum written out, in the entries of its variables.

    Equation: `instance(W @ s, {"n": 2, "m": 2})` is [W_0_0 s_0 + W_0_1 s_1, W_1_0 s_0 + ...].
    Shapes: a scalar expression gives a SymPy expression, others an array of the same axes.
    Symmetric variables share entries (W_0_1 stands for both slots).
    Raises: InputError if a dimension is missing, unknown or not a positive integer, or if two
    variables would have an entry of the same name.
    Reference: the node definitions of `unified.symbolic.nodes`.
    """
    sizes = _checked(expr, dims)
    _distinct(expr, sizes)
    done: dict[Expr, Entries] = {}
    for node in walk(expr):
        done[node] = _entries(node, done, sizes)
    found = done[expr]
    return _array(found, tuple(sizes[a.name] for a in expr.axes)) if expr.axes else found[()]


def symbols_of(var: Var, dims: Mapping[str, int]) -> sympy.Expr | sympy.NDimArray:
    """The entry symbols of a variable, as `instance` names them: s_0, W_0_1; a scalar its name.

    Shapes: an array with the axes of the variable; equal symbols in both slots if symmetric.
    Raises: InputError if a dimension is missing or not a positive integer.
    """
    needed = {a.name: dims[a.name] for a in var.axes if a.name in dims}
    return instance(var, needed)


def _array(entries: Entries, shape: Slots) -> sympy.NDimArray:
    return sympy.ImmutableDenseNDimArray([entries[i] for i in _slots(shape)], shape)


def _slots(shape: Slots) -> Iterator[Slots]:
    return product(*(range(n) for n in shape))


def _checked(expr: Expr, dims: Mapping[str, int]) -> dict[str, int]:
    """The sizes by axis name, every one present and good."""
    needed: set[str] = set()
    for node in walk(expr):
        needed |= {a.name for a in node.axes}
        if isinstance(node, Einsum):
            needed |= {a.name for a in node.label_axes.values()}
            needed |= {str(s) for s in node.coef.free_symbols}
    listed = ", ".join(sorted(needed)) or "none"
    unknown = sorted(str(k) for k in dims if k not in needed)
    if unknown:
        raise bad_input("dims", f"sizes for the axes {listed}", ", ".join(unknown), "drop them")
    windows = windows_of(expr)
    if windows:
        good = {Axis(k): v for k, v in dims.items() if isinstance(v, Integral)}
        dims = {**dims, **{a.name: n for a, n in fitted(windows, good).items()}}
    missing = sorted(needed - dims.keys())
    if missing:
        raise bad_input(
            "dims", f"sizes for the axes {listed}", f"none for {', '.join(missing)}",
            f"pass e.g. {missing[0]}=3",
        )  # fmt: skip
    for name, size in dims.items():
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise bad_input(name, "a positive integer", repr(size), f"pass e.g. {name}=3")
    return {name: int(size) for name, size in dims.items()}


def _distinct(expr: Expr, sizes: Mapping[str, int]) -> None:
    """Refuse variables whose entries would be one symbol: W over two axes and W_0 over one."""
    owner: dict[str, Var] = {}
    for v in sorted(expr.free, key=lambda v: (v.name, v.digest)):
        for symbol in _var(v, sizes).values():
            if owner.setdefault(symbol.name, v) is not v:
                raise bad_input(
                    "expr", "variables whose entries have names of their own",
                    f"{symbol.name} in both {owner[symbol.name].name} and {v.name}", "rename one",
                )  # fmt: skip


def _shape(axes: tuple[Axis, ...], sizes: Mapping[str, int]) -> Slots:
    return tuple(sizes[a.name] for a in axes)


def _var(x: Var, sizes: Mapping[str, int]) -> Entries:
    def symbol(slot: Slots) -> sympy.Symbol:
        order = sorted(slot) if x.symmetric else slot
        return sympy.Symbol("_".join([x.name, *map(str, order)]))

    return {slot: symbol(slot) for slot in _slots(_shape(x.axes, sizes))}


def _entries(x: Expr, done: Mapping[Expr, Entries], sizes: Mapping[str, int]) -> Entries:
    slots = list(_slots(_shape(x.axes, sizes)))
    if isinstance(x, Var):
        return _var(x, sizes)
    if isinstance(x, Zero):
        return {s: sympy.Integer(0) for s in slots}
    if isinstance(x, Delta):
        return {s: sympy.Integer(int(s[0] == s[1])) for s in slots}
    if isinstance(x, Window):
        return {s: sympy.Integer(int(s[2] == s[0] * x.stride + s[1] - x.padding)) for s in slots}
    if isinstance(x, Add):
        return {s: sympy.Add(*(done[t][s] for t in x.terms)) for s in slots}
    if isinstance(x, Einsum):
        return _einsum(x, done, sizes)
    arg = done[x.children[0]]
    if isinstance(x, Map):
        return {s: _law(x.fn, arg[s]) for s in slots}
    last = range(sizes[x.children[0].axes[-1].name])
    if isinstance(x, LogSumExp):
        return {s: sympy.log(sympy.Add(*(sympy.exp(arg[*s, j]) for j in last))) for s in slots}
    if isinstance(x, Softmax):
        return {
            s: sympy.exp(arg[s]) / sympy.Add(*(sympy.exp(arg[*s[:-1], j]) for j in last))
            for s in slots
        }
    if isinstance(x, LogDet):  # log|d| = ½ log d², which SymPy can differentiate
        return {s: sympy.log(_matrix(arg, s, last).det(method="berkowitz") ** 2) / 2 for s in slots}
    if isinstance(x, Inv):
        inverses = {s[:-2]: _inverse(_matrix(arg, s[:-2], last)) for s in slots}
        return {s: inverses[s[:-2]][s[-2], s[-1]] for s in slots}
    raise NotImplementedError(type(x).__name__)  # pragma: no cover - a new node class


def _einsum(x: Einsum, done: Mapping[Expr, Entries], sizes: Mapping[str, int]) -> Entries:
    """coef · Σ over the labels beyond the output of the product of the factors' entries."""
    over = x.label_axes
    labels = sorted(over)
    coef = x.coef.subs({s: sizes[s.name] for s in x.coef.free_symbols})
    terms: dict[Slots, list[sympy.Expr]] = {}
    for values in _slots(tuple(sizes[over[k].name] for k in labels)):
        at = dict(zip(labels, values, strict=True))
        entries = (
            done[f][tuple(at[k] for k in ls)] for f, ls in zip(x.factors, x.labels, strict=True)
        )
        slot = tuple(at[k] for k in range(x.ndim))
        terms.setdefault(slot, []).append(sympy.Mul(coef, *entries))
    return {slot: sympy.Add(*found) for slot, found in terms.items()}


def _matrix(arg: Entries, lead: Slots, last: range) -> sympy.Matrix:
    return sympy.Matrix([[arg[*lead, i, j] for j in last] for i in last])


def _inverse(m: sympy.Matrix) -> sympy.Matrix:
    """The adjugate over the determinant: no pivots, so no symbolic zero tests."""
    return m.adjugate(method="berkowitz") / m.det(method="berkowitz")


def _law(law: ScalarFn, value: sympy.Expr) -> sympy.Expr:
    """f(value) with the library's own primitives replaced by what they mean."""
    return law.expr.replace(_is_primitive, _meaning).subs(X, value)


def _is_primitive(e: sympy.Basic) -> bool:
    return isinstance(e, logistic | softplus | step | relu | hard_sigmoid)


def _meaning(e: sympy.Expr) -> sympy.Expr:
    (x,) = e.args
    if isinstance(e, logistic):
        return 1 / (1 + sympy.exp(-x))
    if isinstance(e, softplus):
        return sympy.log(1 + sympy.exp(x))
    if isinstance(e, step):
        return sympy.Piecewise((1, x > 0), (0, True))
    if isinstance(e, relu):
        return sympy.Piecewise((x, x > 0), (0, True))
    return sympy.Piecewise((0, x <= 0), (1, x >= 1), (x, True))
