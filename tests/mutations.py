"""One-edit mutants of true identities, each refuted or equal: `python -m tests.mutations`.

A mutant is made on the expression tree: a sign, a coefficient, a dropped term, a transpose, two
swapped factors, a lost inverse, a lost derivative.  The engine's verdict is compared with an
independent float64 oracle; one disagreement either way is a failure.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import sympy

from tests.proofs.identities import Identity, identities
from tests.proofs.oracle import same
from unified.symbolic.assume import prepare
from unified.symbolic.axis import Index, indices
from unified.symbolic.build import add, elementwise, inv, logdet, logsumexp, softmax
from unified.symbolic.contract import contract
from unified.symbolic.nodes import (
    Add,
    Einsum,
    Expr,
    Inv,
    LogDet,
    LogSumExp,
    Map,
    Softmax,
    walk,
)  # fmt: skip
from unified.symbolic.proof import Proof
from unified.symbolic.prove import prove

DIMS = ({"n": 3, "m": 2, "k": 4}, {"n": 2, "m": 4, "k": 3})
_UNARY = {Inv: inv, LogDet: logdet, LogSumExp: logsumexp, Softmax: softmax}


class Mutant(NamedTuple):
    """An identity with one edit on its right-hand side."""

    identity: Identity
    edit: str
    rhs: Expr


class Outcome(NamedTuple):
    """A decided mutant: the proof, what the oracle says, and why it is equal if it is."""

    mutant: Mutant
    proof: Proof
    equal: bool
    gap: float

    @property
    def agrees(self) -> bool:
        """True if engine and oracle give the same verdict."""
        return self.proof.verdict == ("true" if self.equal else "false")

    @property
    def reason(self) -> str:
        """In words."""
        if self.proof.verdict == "true":
            return f"equal ({self.mutant.edit}): {self.proof.evidence}"
        return f"refuted: {self.proof.evidence}"


def replace(root: Expr, old: Expr, new: Expr) -> Expr:
    """The tree with one node exchanged, built again through the constructors."""
    done: dict[Expr, Expr] = {}
    for node in walk(root):
        kids = node.children
        if node is old:
            done[node] = new
        elif all(done[c] is c for c in kids):
            done[node] = node
        elif isinstance(node, Einsum):
            done[node] = _product(node, [done[f] for f in node.factors])
        elif isinstance(node, Add):
            done[node] = add(*(done[t] for t in node.terms), flatten=False)
        elif isinstance(node, Map):
            done[node] = elementwise(node.fn, done[node.arg])
        else:
            done[node] = _UNARY[type(node)](done[kids[0]])
    return done[root]


def _product(node: Einsum, factors: list[Expr], swap: int | None = None) -> Expr:
    ix = {label: Index(axis) for label, axis in node.label_axes.items()}
    parts = []
    for k, (f, ls) in enumerate(zip(factors, node.labels, strict=True)):
        ls = ls[::-1] if k == swap else ls
        parts.append((f, tuple(ix[q] for q in ls)))
    return contract(node.coef, parts, [ix[k] for k in range(node.ndim)])


def _scaled(x: Expr, coef: sympy.Rational) -> Expr:
    ix = indices(x.axes)
    return contract(coef, [(x, ix)], ix)


def edits(node: Expr) -> Iterator[tuple[str, Expr]]:
    """Every edit of one node, with its name."""
    if isinstance(node, Add):
        for k, t in enumerate(node.terms):
            rest = [u for j, u in enumerate(node.terms) if j != k]
            yield f"sign of term {k}", add(*rest, _scaled(t, sympy.Integer(-1)))
            yield f"dropped term {k}", add(*rest)
            yield f"3/2 of term {k}", add(*rest, _scaled(t, sympy.Rational(3, 2)))
    if isinstance(node, Einsum):
        yield "coefficient doubled", _scaled(node, sympy.Integer(2))
        for k, f in enumerate(node.factors):
            if f.ndim == 2 and f.axes[0] is f.axes[1]:
                yield f"factor {k} transposed", _product(node, list(node.factors), k)
            for j in range(k):
                g = node.factors[j]
                if g.axes == f.axes and g is not f:
                    swapped = list(node.factors)
                    swapped[j], swapped[k] = f, g
                    yield f"factors {j} and {k} swapped", _product(node, swapped)
    if isinstance(node, Inv):
        yield "inverse lost", node.arg
    if isinstance(node, Map) and node.fn.expr.has(sympy.Function):
        yield "derivative taken", elementwise(node.fn.diff(), node.arg)


def mutants(identity: Identity) -> Iterator[Mutant]:
    """All one-edit mutants of the right-hand side, and a sign flip of the whole."""
    root = identity.rhs
    seen = {root}
    for node in walk(root):
        for name, new in edits(node):
            found = replace(root, node, new)
            if found not in seen:
                seen.add(found)
                yield Mutant(identity, name, found)
    minus = _scaled(root, sympy.Integer(-1))
    if minus not in seen:
        yield Mutant(identity, "sign of the whole", minus)


def oracle(identity: Identity, rhs: Expr) -> tuple[bool, float]:
    """Whether the independent evaluator finds the sides equal at every point."""
    ready = prepare((identity.lhs, rhs), identity.assume)
    kinds = {name: next(iter(k)) for name, k in ready.kinds.items()}
    found = [same(*ready.roots, dims, kinds, seed) for dims in DIMS for seed in (1, 2)]
    return all(ok for ok, _ in found), max(gap for _, gap in found)


def run() -> list[Outcome]:
    """Decide every mutant of every identity."""
    found = []
    for identity in identities():
        for mutant in mutants(identity):
            proof = prove(identity.lhs, mutant.rhs, assume=identity.assume)
            found.append(Outcome(mutant, proof, *oracle(identity, mutant.rhs)))
    return found


def main() -> int:
    """Print the table; the status is 0 iff engine and oracle agree everywhere."""
    start = time.perf_counter()
    truths = [prove(i.lhs, i.rhs, assume=i.assume) for i in identities()]
    outcomes = run()
    for o in outcomes:
        if o.equal or not o.agrees:
            mark = "equal" if o.agrees else "WRONG"
            name = f"{o.mutant.identity.name} / {o.mutant.edit}"
            print(f"{mark}  {name}: {o.proof} oracle {o.gap:.1e}")
    wrong = sum(not o.agrees for o in outcomes) + sum(not t for t in truths)
    print(
        f"{len(truths)} identities, {sum(map(bool, truths))} true; {len(outcomes)} mutants, "
        f"{sum(o.proof.verdict == 'false' for o in outcomes)} refuted, "
        f"{sum(o.proof.verdict == 'true' for o in outcomes)} equal; {wrong} wrong verdicts; "
        f"{time.perf_counter() - start:.1f} s"
    )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
