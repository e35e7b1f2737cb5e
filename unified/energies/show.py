"""What an energy says, to people: its formulas as LaTeX, and a summary for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unified.base.errors import bad_input
from unified.symbolic.build import scale
from unified.symbolic.latex import latex
from unified.symbolic.latex_scalar import name_tex, split_name
from unified.symbolic.nodes import Var, Zero
from unified.symbolic.text import text

if TYPE_CHECKING:
    from unified.energies.energy import Energy

_VIEWS = ("energy", "dynamics", "rules", "hessian")


def energy_latex(energy: Energy, what: str = "energy") -> str:
    r"""LaTeX of an energy or of what follows from it.

    Equation: `energy` E = ...; `dynamics` \dot s = −∂E/∂s = ..., a line per state; `rules`
    ∂E/∂θ = ..., a line per parameter; `hessian` the block matrix, then its nonzero blocks.
    Shapes: several lines come in one `split` environment, which TeX, MathJax and MathML
    converters all read (`aligned` is not read by the last).
    Raises: InputError for any other view.
    Reference: Scellier & Bengio (2017), arXiv:1602.05179.
    """
    if what == "energy":
        return f"E = {latex(energy.expr)}"
    if what == "dynamics":
        return _lines([_dynamics(energy, s) for s in energy.states])
    if what == "rules":
        if not energy.params:
            raise bad_input("what", "a view this energy has", "rules", "declare params=[...] first")
        return _lines([f"{_slope(p)} &= {latex(energy.rule(p))}" for p in energy.params])
    if what == "hessian":
        return _lines(_hessian(energy))
    raise bad_input("what", "one of " + ", ".join(_VIEWS), repr(what), "choose one")


def _lines(rows: list[str]) -> str:
    return r"\begin{split}" + r" \\ ".join(rows) + r"\end{split}"


def _slope(v: Var) -> str:
    return rf"\frac{{\partial E}}{{\partial {name_tex(v.name)}}}"


def _dynamics(energy: Energy, s: Var) -> str:
    base, sub = split_name(s.name)
    dotted = rf"\dot{{{base}}}" + (f"_{{{sub}}}" if sub else "")
    return f"{dotted} &= -{_slope(s)} = {latex(scale(-1, energy.grad(s)))}"


def _hessian(energy: Energy) -> list[str]:
    """The block pattern with names for its nonzero blocks, then what each name means."""
    names: dict[tuple[str, str], str] = {}
    rows, meanings = [], []
    for a in energy.states:
        row = []
        for b in energy.states:
            block = energy.hessian(a, b)
            mirrored = names.get((b.name, a.name)) if a.ndim == b.ndim == 1 else None
            if isinstance(block, Zero):
                row.append("0")
            elif mirrored is not None and a is not b:
                row.append(mirrored + r"^\top")
            else:
                name = rf"H_{{{name_tex(a.name)} {name_tex(b.name)}}}"
                names[a.name, b.name] = name
                row.append(name)
                meanings.append(f"{name} &= {latex(block)}")
        rows.append(" & ".join(row))
    matrix = r"\begin{pmatrix}" + r" \\ ".join(rows) + r"\end{pmatrix}"
    return [rf"\nabla^{{2}} E &= {matrix}", *meanings]


def energy_text(energy: Energy) -> str:
    """A summary for a terminal: variables, dynamics, learning rules and Hessian structure."""

    def listed(members: tuple[Var, ...]) -> str:
        shown = (f"{v.name}[{', '.join(a.name for a in v.axes)}]" for v in members)
        return ", ".join(shown).replace("[]", "") or "none"

    out = [
        f"energy {energy.name}",
        f"  states  {listed(energy.states)}",
        f"  params  {listed(energy.params)}",
        f"  inputs  {listed(energy.inputs)}",
        f"  E = {text(energy.expr)}",
        "dynamics",
        *(f"  d{s.name}/dt = {text(scale(-1, energy.grad(s)))}" for s in energy.states),
        "rules",
        *(f"  dE/d{p.name} = {text(energy.rule(p))}" for p in energy.params),
        "hessian",
        *(f"  {line}" for line in repr(energy.structure()).splitlines()),
    ]
    return "\n".join(out)
