"""What a claim may assume about its variables, and what follows for the expressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from unified.base.errors import AxisError, InputError, bad_input
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.transform import substitute

SQUARE = ("symmetric", "positive definite", "invertible", "orthogonal")


@dataclass(frozen=True)
class Assumption:
    """One assumption: a property of a variable, or (kind "let") what a name abbreviates."""

    kind: str
    var: Var
    expr: Expr | None = None

    def __repr__(self) -> str:
        if self.expr is not None:
            return f"{self.var.name} = {self.expr!r}"
        return f"{self.var.name} {self.kind}"


def _property(kind: str, var: Var) -> Assumption:
    if not isinstance(var, Var):
        raise bad_input(kind, "a variable made by un.var", repr(var), "name it with un.let first")
    if var.ndim != 2 or var.axes[0] is not var.axes[1]:
        got = ", ".join(a.name for a in var.axes)
        raise AxisError(
            f"{kind}: expected a square matrix, got '{var.name}' with axes ({got}); "
            "give it one axis twice."
        )
    return Assumption(kind, var)


def symmetric(var: Var) -> Assumption:
    """A = Aᵀ. Raises: InputError if not a variable, AxisError if not square."""
    return _property("symmetric", var)


def positive_definite(var: Var) -> Assumption:
    """A = Aᵀ ≻ 0. Modulo p only symmetry and invertibility are used: the identities a positive
    definite matrix obeys are those of all symmetric ones. Raises: as `symmetric`."""
    return _property("positive definite", var)


def invertible(var: Var) -> Assumption:
    """A⁻¹ exists; true of almost every draw, so it only documents. Raises: as `symmetric`."""
    return _property("invertible", var)


def orthogonal(var: Var) -> Assumption:
    """QQᵀ = QᵀQ = 1. Raises: as `symmetric`."""
    return _property("orthogonal", var)


def let(name: Var, expr: Expr) -> Assumption:
    """`name` abbreviates `expr`: it is replaced before anything is checked.

    This is also how a condition enters: to use s = Wρ(s) + b, let b be s − Wρ(s).
    Raises: AxisError if the axes differ, InputError if `name` is not a variable or occurs in
    `expr`.
    """
    if not isinstance(name, Var):
        raise bad_input("let", "a variable made by un.var", repr(name), "declare it first")
    if not isinstance(expr, Expr):
        raise bad_input("let", "an expression", repr(expr), "build it from un.var variables")
    if name.axes != expr.axes:
        raise AxisError(
            f"let: expected axes {name.axes} for '{name.name}', got {expr.axes}; "
            "transpose the expression."
        )
    if name in expr.free:
        raise bad_input("let", "a new name", f"'{name.name}' inside its own meaning", "rename it")
    return Assumption("let", name, expr)


@dataclass(frozen=True)
class Prepared:
    """Expressions with abbreviations replaced, and the properties of each variable by name."""

    roots: tuple[Expr, ...]
    kinds: Mapping[str, frozenset[str]]

    @property
    def orthogonal(self) -> frozenset[str]:
        """Names of the orthogonal matrices."""
        return frozenset(k for k, v in self.kinds.items() if "orthogonal" in v)


def prepare(roots: Iterable[Expr], assume: Iterable[Assumption]) -> Prepared:
    """Apply assumptions: abbreviations in the order given (later ones may be used in earlier).

    Raises: InputError for something that is not an assumption, a name that means two things,
    or two different variables of one name.
    """
    found = tuple(roots)
    assumptions = tuple(assume)
    kinds: dict[str, frozenset[str]] = {}
    named: set[Var] = set()
    twins: dict[Var, Expr] = {}
    for a in assumptions:
        if not isinstance(a, Assumption):
            remedy = "use un.symmetric(A), un.orthogonal(Q), un.let(S, expr), …"
            raise bad_input("assume", "assumptions", repr(a), remedy)
        if a.kind == "let":
            if a.var in named:
                twice = f"two for '{a.var.name}'"
                raise bad_input("let", "one meaning per name", twice, "drop one")
            named.add(a.var)
            continue
        kinds[a.var.name] = kinds.get(a.var.name, frozenset()) | {a.kind}
        if a.kind in ("symmetric", "positive definite"):
            twins[a.var] = Var.make(a.var.name, a.var.axes, True)
    for _ in range(len(named) + 1):
        for a in assumptions:
            if a.expr is not None:
                found = tuple(substitute(r, {a.var: a.expr}) for r in found)
        if not any(r.free & named for r in found):
            break
    else:
        names = ", ".join(sorted(v.name for v in named))
        raise InputError(f"let: expected abbreviations in terms of others, got a circle through "
                         f"{names}; break it.")  # fmt: skip
    found = tuple(substitute(r, twins) for r in found)
    check_names(found)
    return Prepared(found, kinds)


def check_names(roots: Iterable[Expr]) -> None:
    """Raises: InputError if two different variables share a name."""
    seen: dict[str, Var] = {}
    for r in roots:
        for v in r.free:
            if seen.setdefault(v.name, v) is not v:
                raise bad_input(
                    "expression", "one variable per name", f"two different ones named '{v.name}'",
                    "rename one, or use the same un.var object everywhere",
                )  # fmt: skip
