"""Steps 1 and 2 of the demo: what is derived, what is proved, and the code that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unified.base.files import atomic_write_text
from unified.codegen import emit
from unified.commands.demo_nets import Net
from unified.dynamics import Phase
from unified.energies import Energy, costs, hopfield, predictive
from unified.report import Check
from unified.symbolic import derivative, einsum, outer, prove, substitute, tanh, var
from unified.symbolic.instance import symbols_of
from unified.symbolic.nodes import Expr

Arrays = Mapping[str, Any]
EXACT = 1e-12  # the same formula in another order of operations
DERIVED = 1e-10  # a derivative taken by someone else
TINY = (3, 2, 2)  # a net whose every entry SymPy can write out


@dataclass(frozen=True)
class Derivation:
    """What steps 1 and 2 leave: the checks; formulas and source are read off the net."""

    checks: list[Check]


def derive(net: Net, out: Path) -> Derivation:
    """Print the derived formulas and the code of a net, prove, and compare the code."""
    energy = net.energy
    print(f"\n== {net.title} {'-'.join(str(n) for n in energy.sizes.values())}")
    for what in ("energy", "dynamics", "rules"):
        print(f"-- {what}, LaTeX\n{energy.latex(what)}")
    print(f"-- Hessian structure\n{energy.structure()}")
    atomic_write_text(out / f"{net.name}_program.py", net.program.source)
    print(f"-- generated JAX source (all of it in {net.name}_program.py)")
    print(function_source(net, "force", "rule"))
    checks = [*_proofs(net), *_code(net)]
    for check in checks:
        print(f"{'held  ' if check.passed else 'FAILED'} {check.level:7} {check.claim}")
    return Derivation(checks)


def function_source(net: Net, *names: str) -> str:
    """The text of some of the generated functions."""
    parts = net.program.source.split("\n\n\n")
    return "\n\n\n".join(p.strip() for p in parts if p.lstrip().startswith(
        tuple(f"def {name}(" for name in names)))  # fmt: skip


# --- proofs ---------------------------------------------------------------------------------
def by_hand(energy: Energy, *, slopes: bool = True) -> tuple[Expr, Expr]:
    """First force and first rule of a net, as a person would write them.

    `slopes=False` forgets every derivative of tanh: a mistake that has to be noticed.
    """
    v = energy.variables
    x, w1, w2, b1, b2 = (v[k] for k in ("x", "W1", "W2", "b1", "b2"))
    if energy.name == "hopfield":
        s1, s2 = v["s1"], v["s2"]
        drive = x @ w1 + w2 @ tanh(s2) + b1
        force = (1 - tanh(s1) ** 2) * drive - s1 if slopes else drive - s1
        return force, -outer(x, tanh(s1) if slopes else s1)
    z1, z2 = v["z1"], v["z2"]
    mean = tanh(w1 @ x + b1)
    force = mean - z1 + w2.T @ (z2 - w2 @ z1 - b2)
    error = (z1 - mean) * (1 - mean**2) if slopes else z1 - mean
    return force, -outer(error, x)


def _proofs(net: Net) -> list[Check]:
    energy = net.energy
    first = net.states[0]
    force, rule = by_hand(energy)
    found = []

    def proved(id: str, claim: str, lhs: Any, rhs: Any) -> None:
        proof = prove(lhs, rhs)
        found.append(Check.holds(f"proof.{net.name}.{id}", claim, bool(proof), proof.level))

    name = net.title
    proved("force", f"{name}: the derived force of {first} is the one written by hand",
           -energy.grad(first), force)  # fmt: skip
    proved("rule", f"{name}: the derived rule of W1 is the one written by hand",
           energy.rule("W1"), rule)  # fmt: skip
    a, b = net.states
    proved("symmetry", f"{name}: the Hessian blocks ({a}, {b}) and ({b}, {a}) are transposed",
           energy.hessian(a, b), energy.hessian(b, a).T)  # fmt: skip
    for w in ("W1", "W2"):
        proved(
            f"contrast.{w}",
            f"{name}: moving the states changes the local rule of {w} just as {w} changes the "
            "force on them, so a contrast of the rule under a nudge is a loss gradient",
            *_mixed_both_ways(energy, w),
        )
    if net.short == "PC":
        forward = {s: energy.start[s.name] for s in energy.states}
        for w in ("W1", "W2"):
            proved(f"forward.{w}", f"{name}: after a forward pass the rule of {w} vanishes, so "
                   "one nudged phase is enough", substitute(energy.rule(w), forward), 0)
    wrong = by_hand(energy, slopes=False)
    lhs, rhs = (-energy.grad(first), wrong[0]) if net.name == "hopfield" else (
        energy.rule("W1"), wrong[1])  # fmt: skip
    refuted = prove(lhs, rhs)
    caught = refuted.verdict == "false" and refuted.counterexample is not None
    found.append(Check.holds(
        f"control.{net.name}.slope", f"{name}: a formula without the derivative of tanh is "
        "refuted by a counterexample (negative control)", caught, refuted.level,
    ))  # fmt: skip
    return found


def _mixed_both_ways(energy: Energy, w: str) -> tuple[Expr, Expr]:
    """Σ_s (∂²E/∂W∂s)·v with the derivatives taken in either order, v any move of the states."""
    weight = energy.param(w)
    moves = {s: var(f"v_{s.name}", *s.axes) for s in energy.states}
    along, of_rule = None, None
    for s, v in moves.items():
        term = derivative(v @ energy.grad(s), weight)
        other = einsum("ijk,k->ij", derivative(energy.rule(w), s), v)
        along = term if along is None else along + term
        of_rule = other if of_rule is None else of_rule + other
    assert along is not None and of_rule is not None
    return along, of_rule


# --- code -----------------------------------------------------------------------------------
def hand_energy(name: str, state: Arrays, params: Arrays, x: Any) -> Any:
    """The energy of one sample in plain JAX, written independently of what is generated."""
    import jax.numpy as jnp

    p = params
    if name == "hopfield":
        r1, r2 = jnp.tanh(state["s1"]), jnp.tanh(state["s2"])
        own = 0.5 * sum(jnp.sum(s**2) for s in state.values())
        return own - x @ p["W1"] @ r1 - r1 @ p["W2"] @ r2 - p["b1"] @ r1 - p["b2"] @ r2
    e1 = state["z1"] - jnp.tanh(p["W1"] @ x + p["b1"])
    e2 = state["z2"] - p["W2"] @ state["z1"] - p["b2"]
    return 0.5 * (e1 @ e1 + e2 @ e2)


def _code(net: Net) -> list[Check]:
    import jax

    rng = np.random.default_rng(0)
    sizes = {a.name: n for a, n in net.energy.sizes.items()}
    state = {s.name: rng.standard_normal(sizes[s.axes[0].name]) for s in net.energy.states}
    x = rng.standard_normal(sizes["n0"])
    params, phase = net.program.init(0), Phase.free(x)
    with net.program.precision:
        slope = jax.jit(jax.grad(hand_energy, argnums=(1, 2)), static_argnums=0)
        to_state, to_params = slope(net.name, state, params, x)
    force = net.program.force(state, params, phase)
    rule = net.program.rule(state, params, phase)
    gap = max(distance({k: -v for k, v in to_state.items()}, force), distance(to_params, rule))
    numpy = emit(net.energy, costs.squared(), backend="numpy")
    other = distance(numpy.force(state, params, phase), force)
    other = max(other, distance(numpy.rule(state, params, phase), rule))
    return [
        Check.at_most(f"code.{net.name}.autodiff", f"{net.title}: generated force and "
                      "rules agree with jax.grad of an energy written by hand", gap, DERIVED),
        Check.at_most(f"code.{net.name}.numpy", f"{net.title}: the NumPy program agrees "
                      "with the JAX program", other, EXACT),
        Check.at_most(f"code.{net.name}.hessian", f"{net.title}: the generated Hessian of "
                      "a tiny net agrees with SymPy's, entry by entry", _hessian_gap(net), DERIVED),
    ]  # fmt: skip


def distance(a: Arrays, b: Arrays) -> float:
    """The largest |a − b| relative to the largest |b|, over a dict of arrays."""
    return max(
        float(np.max(np.abs(np.asarray(a[k]) - b[k])) / max(np.max(np.abs(b[k])), 1e-300))
        for k in b
    )


def _hessian_gap(net: Net) -> float:
    """Generated against explicit: every entry of the Hessian of a 3-2-2 net at a random point."""
    import sympy

    energy = (hopfield if net.name == "hopfield" else predictive)(TINY)
    dims = {f"n{k}": n for k, n in enumerate(TINY)}
    rng = np.random.default_rng(1)
    values, entries = {}, {}
    for v in energy.variables.values():
        shape = tuple(dims[a.name] for a in v.axes)
        values[v.name] = rng.standard_normal(shape)
        entries[v.name] = np.asarray(symbols_of(v, dims), dtype=object).reshape(shape)
    units = [u for s in energy.states for u in entries[s.name].ravel()]
    at = {e: float(n) for k in values for e, n in zip(
        entries[k].ravel(), values[k].ravel(), strict=True)}  # fmt: skip
    explicit = sympy.hessian(energy.instance(**dims), units).subs(at)
    state = {s.name: values[s.name] for s in energy.states}
    params = {p.name: values[p.name] for p in energy.params}
    found = emit(energy).hessian(state, params, Phase.free(values["x"]))
    return distance({"H": np.array(explicit.tolist(), dtype=float)}, {"H": found})
