"""An energy: one scalar expression, with its states, parameters and inputs told apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from unified.base.errors import InputError, bad_input
from unified.energies.initial import Initial, default_initial
from unified.energies.structure import Structure
from unified.symbolic.axis import Axis
from unified.symbolic.convolution import fitted, windows_of
from unified.symbolic.diff import directional, gradients
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.transform import substitute

if TYPE_CHECKING:
    import sympy

    from unified.energies.layered import Layer

RESERVED = {"beta", "weight"}


class Energy:
    """An energy E(s; θ, x) and everything derived from it symbolically.

    Equation: force −∂E/∂s, local rule ∂E/∂θ at fixed state, Hessian ∂²E/∂s∂s.
    Shapes: E is a scalar per sample; `grad(s)` has the axes of s, `hessian(a, b)` those of a then
    b, `rule(W)` those of W.
    `output` is the state a cost reads (the last one unless told); `sizes` gives axes numbers;
    `initial` says how each parameter is drawn; `start` gives every state an explicit first value
    in the inputs and parameters (a forward pass), else relaxation starts from zero; `layers` says
    that the energy is a sum of prediction errors (`layered` makes such energies); `positive` names
    parameters that mean nothing unless positive (definite), as the precisions of `layers` do:
    other values are refused when they are given.
    Raises: InputError if a state or parameter is missing from the energy, a variable is
    undeclared or declared twice, or the expression is not a scalar.
    Reference: Scellier & Bengio (2017), arXiv:1602.05179, for energy, force and rule.
    """

    def __init__(
        self,
        expr: Expr,
        states: Iterable[Var],
        params: Iterable[Var] = (),
        inputs: Iterable[Var] = (),
        *,
        output: Var | str | None = None,
        sizes: Mapping[Axis, int] | None = None,
        initial: Mapping[str, Initial] | None = None,
        start: Mapping[str, Expr] | None = None,
        layers: Sequence[Layer] = (),
        positive: Iterable[Var] = (),
        name: str = "energy",
    ) -> None:
        self.expr = expr
        self.states = tuple(states)
        self.params = tuple(params)
        self.inputs = tuple(inputs)
        self.name = name
        self.sizes = fitted(windows_of(expr), sizes or {}) if isinstance(expr, Expr) else {}
        self.start = dict(start or {})
        self.layers = tuple(layers)
        precisions = {layer.precision for layer in self.layers}
        self.positive = frozenset(positive) | {p for p in self.params if p in precisions}
        self._check()
        self.initial = {p.name: default_initial(p) for p in self.params} | dict(initial or {})
        self.output = self.states[-1] if output is None else self.state(output)

    @classmethod
    def from_sympy(
        cls, expr: sympy.Basic, states: Iterable[str], params: Iterable[str] = (),
        inputs: Iterable[str] = (), *, symmetric: Iterable[str] = (), name: str = "energy",
    ) -> Energy:  # fmt: skip
        """An energy written as a SymPy matrix expression; roles are told by symbol name.

        Equation: the scalar `expr` of MatrixSymbols, read through a whitelist of operations.
        Shapes: an n×1 MatrixSymbol is a vector; equal symbolic sizes become one axis.
        Raises: InputError naming what is not on the whitelist, or a name that does not occur.
        """
        from unified.symbolic.from_sympy import read_matrix_expr

        reading = read_matrix_expr(expr, symmetric=tuple(symmetric))

        def pick(names: Iterable[str], what: str) -> list[Var]:
            found = []
            for n in names:
                if n not in reading.variables:
                    known = ", ".join(reading.variables)
                    raise bad_input(what, f"names among {known}", repr(n), "use a symbol's name")
                found.append(reading.variables[n])
            return found

        return cls(
            reading.expr, pick(states, "states"), pick(params, "params"), pick(inputs, "inputs"),
            sizes=reading.sizes, name=name,
        )  # fmt: skip

    # --- checks -----------------------------------------------------------------------------
    def _check(self) -> None:
        if not isinstance(self.expr, Expr) or self.expr.axes:
            got = f"axes {self.expr.axes}" if isinstance(self.expr, Expr) else repr(self.expr)
            raise bad_input("expr", "a scalar expression", got, "sum over all units with .sum()")
        if not self.states:
            raise bad_input("states", "at least one state", "none", "pass states=[s]")
        groups = (("states", self.states), ("params", self.params), ("inputs", self.inputs))
        seen: dict[str, str] = {}
        for group, members in groups:
            for v in members:
                if not isinstance(v, Var):
                    raise bad_input(group, "variables made by un.var", repr(v), "pass the Var")
                if v.name in RESERVED:
                    raise bad_input(group, "a name other than beta, weight", v.name, "rename it")
                if v.name in seen:
                    raise bad_input(group, "each name once", f"'{v.name}' twice", "rename one")
                seen[v.name] = group
                if group != "inputs" and v not in self.expr.free:
                    raise bad_input(
                        group, "variables the energy contains", f"'{v.name}', which it does not",
                        "add its term or drop it from the list",
                    )  # fmt: skip
        strangers = sorted(v.name for v in self.expr.free if v.name not in seen)
        if strangers:
            raise bad_input(
                "expr", "only declared variables", f"undeclared {', '.join(strangers)}",
                "list them under states, params or inputs",
            )  # fmt: skip
        for s in self.states if self.start else ():
            first = self.start.get(s.name)
            if first is None or first.axes != s.axes or first.free & set(self.states):
                raise bad_input(
                    "start", f"a value for '{s.name}' from inputs and params, with its axes",
                    repr(first), "give every state one or leave start out",
                )  # fmt: skip
        declared = {v for _, members in groups for v in members}
        twins = sorted(v.name for v in self.expr.free - declared)
        if twins:
            raise bad_input(
                "expr", "one variable per name", f"another variable named {', '.join(twins)}",
                "use the same un.var object everywhere",
            )  # fmt: skip

    def _pick(self, members: tuple[Var, ...], what: str, name: Var | str) -> Var:
        for v in members:
            if v is name or v.name == name:
                return v
        known = ", ".join(v.name for v in members) or "none"
        raise InputError(f"{what}: expected one of {known}, got {name!r}; use a declared name.")

    def state(self, name: Var | str) -> Var:
        """The state of this name. Raises: InputError if there is none."""
        return self._pick(self.states, "state", name)

    def param(self, name: Var | str) -> Var:
        """The parameter of this name. Raises: InputError if there is none."""
        return self._pick(self.params, "param", name)

    @cached_property
    def variables(self) -> dict[str, Var]:
        """All declared variables by name."""
        return {v.name: v for v in (*self.states, *self.params, *self.inputs)}

    # --- derivatives ------------------------------------------------------------------------
    @cached_property
    def gradient(self) -> dict[str, Expr]:
        """∂E/∂s for every state, from one reverse sweep."""
        found = gradients(self.expr, self.states)
        return {s.name: g for s, g in zip(self.states, found, strict=True)}

    @cached_property
    def rules(self) -> dict[str, Expr]:
        """∂E/∂θ at fixed state for every parameter, from one reverse sweep."""
        found = gradients(self.expr, self.params)
        return {p.name: g for p, g in zip(self.params, found, strict=True)}

    @cached_property
    def hessians(self) -> dict[tuple[str, str], Expr]:
        """All blocks ∂²E/∂a∂b; a structural zero where two states do not meet."""
        blocks = {}
        for a in self.states:
            row = gradients(self.gradient[a.name], self.states)
            blocks.update({(a.name, b.name): h for b, h in zip(self.states, row, strict=True)})
        return blocks

    def grad(self, state: Var | str) -> Expr:
        """∂E/∂s, with the axes of s. Raises: InputError for an unknown state."""
        return self.gradient[self.state(state).name]

    def rule(self, param: Var | str) -> Expr:
        """The local learning rule ∂E/∂θ at fixed state, with the axes of θ.

        Raises: InputError for an unknown parameter.
        """
        return self.rules[self.param(param).name]

    def hessian(self, a: Var | str, b: Var | str) -> Expr:
        """The block ∂²E/∂a∂b, with the axes of a then b. Raises: InputError if unknown."""
        return self.hessians[self.state(a).name, self.state(b).name]

    def mixed(self, param: Var | str, state: Var | str) -> Expr:
        """∂²E/∂θ∂s, with the axes of θ then s. Raises: InputError if unknown."""
        return gradients(self.rule(param), [self.state(state)])[0]

    def hvp(self, direction: Mapping[str, Expr]) -> dict[str, Expr]:
        """Hessian-vector products Σ_b ∂²E/∂a∂b·v_b for every state a, never forming blocks."""
        along = {self.state(k): v for k, v in direction.items()}
        found = gradients(directional(self.expr, along), self.states)
        return {s.name: g for s, g in zip(self.states, found, strict=True)}

    # --- views ------------------------------------------------------------------------------
    def structure(self) -> Structure:
        """Which Hessian blocks are zero, diagonal or dense, read off the expressions."""
        return Structure.of(self)

    def clamp(self, state: Var | str, name: str) -> Energy:
        """The same energy with one state held fixed, as an input called `name`."""
        s = self.state(state)
        rest = tuple(v for v in self.states if v is not s)
        if not rest:
            raise bad_input("clamp", "a state left to relax", f"only '{s.name}'", "add a state")
        fixed = Var.make(name, s.axes, s.symmetric)
        expr = substitute(self.expr, {s: fixed})
        kept = tuple(p for p in self.params if p in expr.free)
        start = {v.name: self.start[v.name] for v in rest} if self.start else None
        layers = [
            layer.replaced({s: fixed}, fixed if layer.state is s else layer.state)
            for layer in self.layers
        ]
        return Energy(
            expr, rest, kept, (*self.inputs, fixed), sizes=self.sizes, start=start,
            initial={p.name: self.initial[p.name] for p in kept}, layers=layers,
            positive=self.positive.intersection(kept), name=f"{self.name}_clamped",
        )  # fmt: skip

    def instance(self, **dims: int) -> sympy.Expr:
        """The energy as an explicit SymPy scalar in the entries of its variables.

        Equation: `instance(n=3, m=2)` writes out every sum. Raises: InputError if a dimension
        is missing or not a positive integer.
        """
        from unified.symbolic.instance import instance

        return instance(self.expr, dims)

    def latex(self, what: str = "energy") -> str:
        """LaTeX of the energy, `dynamics`, `rules` or `hessian`."""
        from unified.energies.show import energy_latex

        return energy_latex(self, what)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __repr__(self) -> str:
        def listed(vs: tuple[Var, ...]) -> str:
            return ", ".join(f"{v.name}[{','.join(a.name for a in v.axes)}]" for v in vs)

        return (
            f"Energy({self.name}: states {listed(self.states)}; params {listed(self.params)}; "
            f"inputs {listed(self.inputs)})"
        )

