"""The laws the canonical form knows: powers, exp and log, inverses, determinants, shifts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sympy

from unified.symbolic.axis import Index, indices
from unified.symbolic.build import constant
from unified.symbolic.contract import Part, contract, is_symmetric
from unified.symbolic.network import parts_of, power_of, power_parts
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
from unified.symbolic.scalar import ScalarFn, X

if TYPE_CHECKING:
    from unified.symbolic.canonical import Canonical

ONE = sympy.Integer(1)
_ODD = (sympy.tanh, sympy.sin, sympy.atan, sympy.erf, sympy.sinh)
_EVEN = (sympy.cos, sympy.cosh)
_MAX_POWER = 12


def terms_of(x: Expr) -> tuple[Expr, ...]:
    """The terms of a canonical expression."""
    return x.terms if isinstance(x, Add) else (x,)


def core_of(t: Expr) -> tuple[sympy.Expr, Expr]:
    """Coefficient and the rest of one term."""
    if not isinstance(t, Einsum) or t.coef == 1:
        return ONE, t
    ix = indices(t.axes)
    bare = Einsum.make(t.axes, ONE, t.factors, t.labels)
    return t.coef, contract(1, [(bare, ix)], ix)


def content(x: Expr) -> sympy.Expr:
    """A rational factor that makes multiples of one expression look alike when divided out."""
    lead = min((core_of(t) for t in terms_of(x)), key=lambda c: c[1].digest)[0]
    return lead if lead.is_Rational and lead != 0 else ONE


# --- elementwise functions --------------------------------------------------------------------
def elementwise(run: Canonical, law: sympy.Expr, a: Expr) -> Expr:
    """law(a) entry by entry: polynomials multiplied out, the rest as powers of atoms."""
    if not law.has(X):
        return contract(law, [], indices(a.axes))
    if isinstance(a, Zero) or (isinstance(a, Einsum) and not a.factors):
        value = law.subs(X, a.coef if isinstance(a, Einsum) else 0)
        if value.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo, sympy.I):
            return Map.make(ScalarFn(law), a)  # undefined: exact evaluation will say so
        return contract(value, [], indices(a.axes))
    small, keep = squeezed(a)
    if small is not a:
        inner = elementwise(run, law, small)
        ix = indices(a.axes)
        return run.product(1, [(inner, tuple(ix[k] for k in keep))], ix)
    expanded = sympy.expand(law, power_base=False, power_exp=False, log=False)
    terms = []
    for term in sympy.Add.make_args(expanded):
        coef, rest = term.as_independent(X, as_Add=False)
        atoms = [_atom(run, f, a) for f in sympy.Mul.make_args(rest) if f != 1]
        ix = indices(a.axes)
        carried: list[Part] = [(x, ix) for x in atoms]
        terms.append(run.product(coef, carried or [(contract(1, [], ix), ix)], ix))
    return run.sum(terms)


def squeezed(a: Expr) -> tuple[Expr, tuple[int, ...]]:
    """a without the axes along which it is constant, and which axes were kept."""
    used = {k for t in terms_of(a) for k in _carried(t)}
    keep = tuple(k for k in range(a.ndim) if k in used)
    if len(keep) == a.ndim:
        return a, keep
    terms = []
    for t in terms_of(a):
        assert isinstance(t, Einsum)
        parts, out = parts_of(t)
        terms.append(contract(t.coef, parts, [out[k] for k in keep]))
    from unified.symbolic.build import add

    return add(*terms), keep


def _carried(t: Expr) -> set[int]:
    if not isinstance(t, Einsum):
        return set(range(t.ndim))
    return {k for ls in t.labels for k in ls if k < t.ndim}


def _atom(run: Canonical, f: sympy.Expr, a: Expr) -> Expr:
    if f == X:
        return a
    if f.is_Pow and f.exp.is_Rational:
        return power(run, elementwise(run, f.base, a), f.exp)
    if not isinstance(f, sympy.Function) or len(f.args) != 1:
        return Map.make(ScalarFn(f), a)
    if f.args[0] != X:
        a = elementwise(run, f.args[0], a)
        return elementwise(run, f.func(X), a)
    if isinstance(f, sympy.exp):
        return _exp(run, a)
    if isinstance(f, sympy.log):
        return _log(run, a)
    if isinstance(f, _ODD + _EVEN):
        flipped = run.scaled(-1, a)
        if flipped.digest < a.digest:
            sign = -1 if isinstance(f, _ODD) else 1
            return run.scaled(sign, Map.make(ScalarFn(f), flipped))
    return Map.make(ScalarFn(f), a)


def _entrywise(t: Expr) -> tuple[list[Part], tuple[Index, ...]] | None:
    """The factors of a product without sums, or None."""
    if not isinstance(t, Einsum) or not t.coef.is_Rational:
        return None
    if any(k >= t.ndim for ls in t.labels for k in ls):
        return None
    parts, out = parts_of(t)
    return None if any(isinstance(f, Delta) for f, _ in parts) else (parts, out)


def power(run: Canonical, a: Expr, q: sympy.Rational) -> Expr:
    """a^q entry by entry; for a fraction q the entries are taken to be positive."""
    ix = indices(a.axes)
    if q.is_Integer and 0 <= q <= _MAX_POWER:
        return run.product(1, [(a, ix)] * int(q), ix)
    split = _entrywise(a)
    if split is not None and isinstance(a, Einsum) and (q.is_Integer or a.coef > 0):
        parts, out = split
        found: list[Part] = []
        for f, fx in parts:
            base, p = power_of(f)
            found += power_parts(base, fx, p * q)
        return run.product(a.coef**q, [*found, (contract(1, [], indices(a.axes)), out)], out)
    lead = content(a)
    if not q.is_Integer:
        lead = abs(lead)
    base, p = power_of(run.scaled(1 / lead, a))
    return run.product(lead**q, power_parts(base, ix, p * q), ix)


def _exp(run: Canonical, a: Expr) -> Expr:
    ix = indices(a.axes)
    parts: list[Part] = []
    for t in terms_of(a):
        coef, core = core_of(t)
        whole = coef if coef.is_Integer and abs(coef) <= _MAX_POWER else ONE
        inner = core if whole == coef else t
        small, keep = squeezed(inner)
        kx = tuple(ix[k] for k in keep)
        if isinstance(inner, Einsum) and not inner.factors:
            parts.append((constant(sympy.exp(inner.coef * whole)), ()))
        elif isinstance(small, Map) and small.fn.expr == sympy.log(X):
            parts += power_parts(small.arg, kx, whole)
        else:
            parts += power_parts(Map.make(ScalarFn(sympy.exp(X)), small), kx, whole)
    return run.product(1, [*parts, (contract(1, [], indices(a.axes)), ix)], ix)


def _log(run: Canonical, a: Expr) -> Expr:
    split = _entrywise(a)
    base, p = power_of(a)
    ix = indices(a.axes)
    if isinstance(a, Map) and a.fn.expr == sympy.exp(X):
        return a.arg
    if isinstance(a, Softmax):
        total = shifted(run, LogSumExp, a.arg)
        return run.sum([a.arg, run.product(-1, [(total, ix[:-1])], ix)])
    if p != 1:
        return run.scaled(p, _log(run, base))
    if split is None or not isinstance(a, Einsum) or a.coef <= 0:
        lead = abs(content(a))
        rest = Map.make(ScalarFn(sympy.log(X)), run.scaled(1 / lead, a))
        return run.sum([rest, contract(sympy.log(lead), [], indices(a.axes))])
    parts, out = split
    logs = [run.product(1, [(_log(run, f), fx)], out) for f, fx in parts]
    return run.sum([*logs, contract(sympy.log(a.coef), [], indices(a.axes))])


def shifted(run: Canonical, kind: type, a: Expr) -> Expr:
    """logsumexp or softmax: a part that is constant along the last axis comes out."""
    last = a.ndim - 1
    still = [t for t in terms_of(a) if last in _carried(t)]
    loose = [t for t in terms_of(a) if last not in _carried(t) and not isinstance(t, Zero)]
    moving = run.sum(still) if still else Zero.make(a.axes)
    node = kind.make(moving)  # type: ignore[attr-defined]
    if kind is Softmax:
        return node
    pulled = []
    for t in loose:
        assert isinstance(t, Einsum)
        parts, out = parts_of(t)
        pulled.append(run.term(contract(t.coef, parts, out[:-1])))
    return run.sum([node, *pulled])


# --- matrices ---------------------------------------------------------------------------------
class Chain(NamedTuple):
    """coef · scalars · a product of square matrices on the way from row to column."""

    coef: sympy.Expr
    scalars: list[Part]
    links: list[Part]
    row: Index
    column: Index


def chain(a: Expr) -> Chain | None:
    """A matrix read as a product of square matrices and scalars, or None if it is none."""
    if not isinstance(a, Einsum) or a.ndim != 2:
        return None
    parts, (row, column) = parts_of(a)
    left = [p for p in parts if p[1]]
    met: list[Part] = []
    at = row
    while left:
        step = [p for p in left if len(p[1]) == 2 and at in p[1] and p[1][0] is not p[1][1]]
        if len(step) != 1:
            return None
        left = [p for p in left if p is not step[0]]
        met.append(step[0])
        at = step[0][1][1] if step[0][1][0] is at else step[0][1][0]
        if at.axis is not row.axis or (at is column and left):
            return None
    if at is not column:
        return None
    return Chain(a.coef, [p for p in parts if not p[1]], met, row, column)


def inverse(run: Canonical, a: Expr) -> Expr:
    """a⁻¹: products reversed, scalars inverted, (Aᵀ)⁻¹ = (A⁻¹)ᵀ, Q⁻¹ = Qᵀ."""
    i, j = indices(a.axes[-2:]) if a.ndim == 2 else (None, None)
    if isinstance(a, Delta):
        return a
    if isinstance(a, Inv):
        return a.arg
    if i is None or j is None or isinstance(a, Zero):
        return Inv.make(a)
    if isinstance(a, Var) and a.name in run.orthogonal:
        return run.product(1, [(a, (j, i))], (i, j))
    split = chain(a)
    if split is not None:
        flipped: list[Part] = [(inverse(run, f), (v, u)) for f, (u, v) in split.links]
        for f, _ in split.scalars:
            base, p = power_of(f)
            flipped += power_parts(base, (), -p)
        return run.product(1 / split.coef, flipped, (split.column, split.row))
    lead = content(a)
    unit = run.scaled(1 / lead, a)
    turned = run.product(1, [(unit, (i, j))], (j, i))
    if isinstance(a, Add) and turned.digest < unit.digest and not is_symmetric(unit):
        other = content(turned)
        node = Inv.make(run.scaled(1 / other, turned))
        return run.product(1 / (lead * other), [(node, (j, i))], (i, j))
    return run.scaled(1 / lead, Inv.make(unit))


def logdet(run: Canonical, a: Expr) -> Expr:
    """log |det a|: products become sums, scalars come out n times, inverses change sign."""
    if isinstance(a, Delta) or (isinstance(a, Var) and a.name in run.orthogonal):
        return Zero.make(())
    if isinstance(a, Inv) and a.ndim == 2:
        return run.scaled(-1, logdet(run, a.arg))
    if a.ndim != 2 or isinstance(a, Zero):
        return LogDet.make(a)
    size = a.axes[0].size
    split = chain(a)
    if split is not None:
        terms = [logdet(run, f) for f, _ in split.links]
        terms += [run.scaled(size, _log(run, f)) for f, _ in split.scalars]
        if split.coef.is_Rational:
            terms.append(constant(size * sympy.log(abs(split.coef))))
            return run.sum(terms)
    lead = content(a)
    unit = run.scaled(1 / lead, a)
    i, j = indices(a.axes)
    turned = run.product(1, [(unit, (i, j))], (j, i))
    if isinstance(a, Add) and turned.digest < unit.digest:
        other = content(turned)
        lead, unit = lead * other, run.scaled(1 / other, turned)
    terms = [LogDet.make(unit)]
    if abs(lead) != 1:
        terms.append(constant(size * sympy.log(abs(lead))))
    return run.sum(terms)
