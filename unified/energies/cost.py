"""A cost: what the target says about the states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from unified.base.errors import bad_input
from unified.energies.energy import Energy
from unified.symbolic.nodes import Expr, Var


class Cost:
    """A cost C(s, y; θ), scalar per sample.

    Equation: total energy F = E + βC. Shapes: `target` y has its own axes.
    Raises: InputError if the expression is not a scalar or the target is not in it.
    Reference: Scellier & Bengio (2017), arXiv:1602.05179.
    """

    def __init__(self, expr: Expr, target: Var, *, name: str = "cost") -> None:
        if not isinstance(expr, Expr) or expr.axes:
            raise bad_input("expr", "a scalar expression", repr(expr), "sum over units with .sum()")
        if not isinstance(target, Var) or target not in expr.free:
            got = getattr(target, "name", repr(target))
            raise bad_input("target", "a variable of the cost", got, "pass target=y with y in expr")
        self.expr = expr
        self.target = target
        self.name = name

    def bind(self, energy: Energy) -> Cost:
        """This cost, after checking that all its variables belong to the energy."""
        known = {*energy.variables.values(), self.target}
        strangers = sorted(v.name for v in self.expr.free - known)
        if strangers:
            raise bad_input(
                "cost", "only states, params and inputs of the energy",
                f"also {', '.join(strangers)}", "build it from the energy's own variables",
            )  # fmt: skip
        if self.target in energy.variables.values():
            raise bad_input("cost", "a target of its own", self.target.name, "rename the target")
        return self

    def __repr__(self) -> str:
        return f"Cost({self.name}: {self.expr})"

    def _repr_latex_(self) -> str:
        from unified.symbolic.latex import latex

        return f"$\\displaystyle C = {latex(self.expr)}$"


@dataclass(frozen=True)
class CostFamily:
    """A cost for whatever energy it meets: `law(output, y)` on the energy's output state."""

    law: Callable[[Expr, Expr], Expr]
    name: str
    target: str = "y"

    def bind(self, energy: Energy) -> Cost:
        """The cost of this family on the output state of an energy."""
        out = energy.output
        if self.target in energy.variables:
            raise bad_input("cost", "an energy without a variable 'y'", "one", "rename it")
        y = Var.make(self.target, out.axes, False)
        return Cost(self.law(out, y), y, name=self.name)


