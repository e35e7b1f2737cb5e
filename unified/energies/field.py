"""A vector field: dynamics that need not derive from an energy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import sympy

from unified.base.errors import bad_input
from unified.base.names import fresh_name
from unified.energies.energy import Energy
from unified.energies.initial import Initial
from unified.symbolic.axis import Axis
from unified.symbolic.build import add, einsum, scale, total
from unified.symbolic.diff import derivative
from unified.symbolic.nodes import Expr, Var
from unified.symbolic.prove import prove

_HALF = sympy.Rational(1, 2)


class Field:
    """Dynamics ṡ = f(s; θ, x), symmetric or not; a cost enters as −β ∂C/∂s.

    Equation: ṡ_l = f_l, `velocity` giving f_l by its state. All code comes from the Lagrangian
    L(s, a) = −Σ_l a_lᵀ f_l: ∂L/∂a = −f, ∂L/∂s = −Jᵀa, ∂L/∂θ = −(∂f/∂θ)ᵀa.
    Shapes: f_l has the axes of s_l. `output` is the state a cost reads (the last one unless told);
    `sizes`, `initial` and `start` are those of `Energy`.
    Raises: InputError if an f_l has other axes than its state, or variables are undeclared,
    missing or declared twice.
    Reference: Scellier et al. (2018), arXiv:1808.04873; theory page B5.
    """

    def __init__(
        self,
        velocity: Mapping[Var, Expr],
        params: Iterable[Var] = (),
        inputs: Iterable[Var] = (),
        *,
        output: Var | str | None = None,
        sizes: Mapping[Axis, int] | None = None,
        initial: Mapping[str, Initial] | None = None,
        start: Mapping[str, Expr] | None = None,
        name: str = "field",
    ) -> None:
        if not isinstance(velocity, Mapping) or not velocity:
            raise bad_input("velocity", "a dict {state: its velocity}", velocity, "e.g. {s: -s}")
        for s, f in velocity.items():
            if not isinstance(s, Var):
                raise bad_input("velocity", "states made by un.var as keys", s, "use the Var")
            if not isinstance(f, Expr) or f.axes != s.axes:
                got = f"axes {f.axes}" if isinstance(f, Expr) else repr(f)
                raise bad_input(
                    f"velocity of {s.name}", f"an expression with axes {s.axes}", got,
                    "give every unit of the state its own velocity",
                )  # fmt: skip
        self.states = tuple(velocity)
        self.velocity = {s.name: f for s, f in velocity.items()}
        self.params, self.inputs = tuple(params), tuple(inputs)
        self.sizes, self.start, self.name = dict(sizes or {}), dict(start or {}), name
        taken = {v.name for v in (*self.states, *self.params, *self.inputs)}
        self.costates = tuple(
            Var.make(fresh_name(f"adj_{s.name}", taken), s.axes) for s in self.states
        )
        terms = [total(a * f) for a, f in zip(self.costates, velocity.values(), strict=True)]
        names = [s.name for s in self.states]
        if output is not None and getattr(output, "name", output) not in names:
            raise bad_input("output", "one of " + ", ".join(names), output, "use a state's name")
        # Co-states are never relaxed from the start of the states; an Energy only wants all named.
        first = {a.name: self.start[s.name] for s, a in zip(self.states, self.costates, strict=True)
                 if s.name in self.start}  # fmt: skip
        self.lagrangian = Energy(
            scale(-1, add(*terms)), (*self.costates, *self.states), self.params, self.inputs,
            output=self.states[-1] if output is None else output, sizes=self.sizes,
            initial=initial, start={**first, **self.start} if start else None, name=name,
        )  # fmt: skip
        self.output = self.lagrangian.output

    @classmethod
    def of(cls, energy: Energy) -> Field:
        """The gradient flow of an energy, ṡ = −∂E/∂s, its symmetry forgotten."""
        return cls(
            {s: scale(-1, energy.grad(s)) for s in energy.states}, energy.params, energy.inputs,
            output=energy.output, sizes=energy.sizes, initial=energy.initial,
            start=energy.start or None, name=f"{energy.name}_field",
        )  # fmt: skip

    def state(self, name: Var | str) -> Var:
        """The state of this name. Raises: InputError if there is none."""
        wanted = getattr(name, "name", name)
        found = [s for s in self.states if s.name == wanted]
        if not found:
            known = ", ".join(s.name for s in self.states)
            raise bad_input("state", f"one of {known}", repr(wanted), "use a declared name")
        return found[0]

    def jacobian(self, a: Var | str, b: Var | str) -> Expr:
        """The block ∂f_a/∂s_b, with the axes of a, then b. Raises: InputError if unknown."""
        return derivative(self.velocity[self.state(a).name], self.state(b))

    @cached_property
    def asymmetric_blocks(self) -> tuple[tuple[str, str], ...]:
        """The pairs of states (a, b) whose blocks are not proved to be each other's transpose."""
        found = []
        for k, a in enumerate(self.states):
            for b in self.states[k:]:
                here, there = self.jacobian(a, b), self.jacobian(b, a)
                if here.ndim != 2 or prove(here, einsum("ij->ji", there)).verdict != "true":
                    found.append((a.name, b.name))
        return tuple(found)

    @property
    def asymmetry(self) -> str:
        """Which blocks of the Jacobian forbid rules for energies, and what to do, as a clause."""
        if not self.asymmetric_blocks:
            return f"emit the energy that {self.name} derives from, its Jacobian is symmetric"
        a, b = self.asymmetric_blocks[0]
        left = f"df_{a}/d{b}"
        right = "its own transpose" if a == b else f"the transpose of df_{b}/d{a}"
        return (
            f"in {self.name} {left} is not {right}, so use un.Dyadic, un.Augmented or un.Implicit, "
            "or train field.least_squares()"
        )

    def least_squares(self) -> Energy:
        """The energy ½|f|², an ordinary one whose zero minima are the rest points of the field.

        Equation: E = ½Σ_l |f_l|²; for f = −s + g(s, θ) it is ½|s − g|². Nudging it gives the exact
        gradient at rest points of the field, symmetric or not; ∂E/∂θ is 0 in the free phase.
        Reference: theory page B5 (derivation b5_least_squares).
        """
        return Energy(
            scale(_HALF, add(*(f.sq() for f in self.velocity.values()))), self.states,
            self.params, self.inputs, output=self.output, sizes=self.sizes,
            initial=self.lagrangian.initial, start=self.start or None,
            name=f"{self.name}_least_squares",
        )  # fmt: skip

    def latex(self) -> str:
        """LaTeX of the dynamics, a line per state."""
        from unified.symbolic.latex import latex
        from unified.symbolic.latex_scalar import split_name

        rows = []
        for s in self.states:
            base, sub = split_name(s.name)
            dotted = rf"\dot{{{base}}}" + (f"_{{{sub}}}" if sub else "")
            rows.append(f"{dotted} &= {latex(self.velocity[s.name])}")
        return r"\begin{split}" + r" \\ ".join(rows) + r"\end{split}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __repr__(self) -> str:
        def listed(members: tuple[Var, ...]) -> str:
            return ", ".join(f"{v.name}[{','.join(a.name for a in v.axes)}]" for v in members)

        return (
            f"Field({self.name}: states {listed(self.states)}; params {listed(self.params)}; "
            f"inputs {listed(self.inputs)})"
        )
