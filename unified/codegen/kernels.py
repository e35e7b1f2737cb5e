"""Which functions a program consists of, as expressions over a phase axis and a batch axis.

States and directions carry (phase, batch, ...), data carry (batch, ...), the nudge `beta` and the
contrast `weight` carry (phase,), parameters are shared.  A free phase is one phase with beta = 0;
the two nudges of a centered estimate, or the points of a holomorphic one, are several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from unified.base.names import fresh_name
from unified.codegen.error_kernels import COVARIANCE, ErrorKernels
from unified.energies.cost import Cost
from unified.energies.energy import Energy
from unified.energies.structure import Structure, diagonal_of, is_diagonal, split_diagonal
from unified.symbolic.axis import Axis, Index, indices
from unified.symbolic.build import add, multiply, power, scale
from unified.symbolic.contract import contract
from unified.symbolic.diff import directional, gradients
from unified.symbolic.nodes import Add, Expr, Var, Window, Zero
from unified.symbolic.transform import batched, lead_axes

PHASE, BATCH = Axis("_phase"), Axis("_batch")
LEAD = (PHASE, BATCH)


@dataclass(frozen=True)
class Kernel:
    """One function to generate: named output expressions, already batched."""

    name: str
    doc: str
    outputs: dict[str, Expr]
    loop: bool = True


class Kernels:
    """The derivations behind a program, batched, for an energy and an optional cost."""

    def __init__(self, energy: Energy, cost: Cost | None) -> None:
        self.energy = energy
        self.cost = cost
        self.beta = Var.make("beta", ())
        self.total = energy.expr
        if cost is not None:
            self.total = add(energy.expr, multiply(self.beta, cost.expr), flatten=False)
        self.data = (*energy.inputs, *((cost.target,) if cost else ()))
        taken = {v.name for v in (*energy.variables.values(), *self.data)}
        self.directions = {s.name: Var.make(fresh_name(f"v_{s.name}", taken), s.axes)
                           for s in energy.states}  # fmt: skip
        self.stiffness = {s: Var.make(fresh_name(f"d_{s.name}", taken), s.axes)
                          for s in energy.states}  # fmt: skip
        led = (*energy.states, *self.directions.values(), *self.stiffness.values())
        both: dict[Var, tuple[Axis, ...]] = dict.fromkeys(led, LEAD)
        self.batch: dict[Var, Var] = {v: _lead(v, axs) for v, axs in both.items()}
        self.batch |= {v: _lead(v, (BATCH,)) for v in self.data}
        self.batch[self.beta] = _lead(self.beta, (PHASE,))
        self.errors = ErrorKernels.of(energy, cost, lambda name: fresh_name(name, taken))
        if self.errors is not None:
            self.batch |= {v: _lead(v, LEAD) for v in self.errors.variables}
        self.weight = Var.make("weight", (PHASE,))

    @cached_property
    def inputs(self) -> dict[str, tuple[Axis, ...]]:
        """Every argument a generated function may take, with its axes."""
        found = {v.name: v.axes for v in self.batch.values()}
        found |= {p.name: p.axes for p in self.energy.params}
        found["weight"] = self.weight.axes
        return found

    @property
    def varying(self) -> frozenset[Var]:
        """What changes while a phase relaxes: all that carries the phase axis."""
        return frozenset(v for v in (*self.batch.values(), self.weight) if PHASE in v.axes)

    def _batched(self, x: Expr) -> Expr:
        return batched(x, self.batch, LEAD)

    def _negative(self, x: Expr) -> Expr:
        """−x with the sign carried into a sum, so that no code multiplies by −1."""
        if isinstance(x, Add):
            return add(*(scale(-1, t) for t in x.terms), flatten=False)
        return scale(-1, x)

    @cached_property
    def gradient(self) -> dict[str, Expr]:
        """∂F/∂s for every state."""
        states = self.energy.states
        return dict(zip([s.name for s in states], gradients(self.total, states), strict=True))

    @cached_property
    def blocks(self) -> dict[tuple[str, str], Expr]:
        """The upper blocks of ∂²F/∂s∂s."""
        found = {}
        for k, a in enumerate(self.energy.states):
            rest = self.energy.states[k:]
            row = gradients(self.gradient[a.name], rest)
            found.update({(a.name, b.name): h for b, h in zip(rest, row, strict=True)})
        return found

    @cached_property
    def structure(self) -> Structure:
        """The structure of the Hessian of F."""
        kinds = {}
        for (a, b), block in self.blocks.items():
            kind = "zero" if isinstance(block, Zero) else "dense"
            if a == b and is_diagonal(block) and kind != "zero":
                kind = "diagonal"
            kinds[a, b] = kinds[b, a] = kind
        return Structure(tuple(s.name for s in self.energy.states), kinds)

    def varies(self, a: str, b: str) -> tuple[bool, bool]:
        """Whether an upper Hessian block varies over phases, and over samples."""
        free = self.blocks[a, b].free
        state = not free.isdisjoint(self.energy.states)
        return state or self.beta in free, state or not free.isdisjoint(self.data)

    @cached_property
    def quadratic(self) -> bool:
        """True if F is quadratic in the states: no Hessian block contains one."""
        states = self.energy.states
        return all(h.free.isdisjoint(states) for h in self.blocks.values())

    @cached_property
    def uniform(self) -> bool:
        """True if moreover no block contains data: all samples of a phase share the Hessian."""
        return self.quadratic and not any(self.varies(*pair)[1] for pair in self.blocks)

    def block(self, a: str, b: str) -> Expr:
        """A batched Hessian block; the diagonal as a vector where it is one by construction."""
        block = self.blocks[a, b]
        if self.structure.kinds[a, b] == "diagonal" and a == b:
            block = diagonal_of(block)
        return self._batched(block)

    def _mean(self, rule: Expr) -> Expr:
        """Σ_phase weight · mean over the batch: the one place where the batch mean is taken.

        Each term of a sum is averaged on its own, so that an outer product over the batch
        becomes one matrix product and no per-sample parameter array is ever made.
        """
        if isinstance(rule, Add):
            return add(*(self._mean(t) for t in rule.terms), flatten=False)
        have = lead_axes(rule, LEAD)
        k, b = Index(PHASE), Index(BATCH)
        lead = tuple({PHASE: k, BATCH: b}[a] for a in have)
        rest = indices(rule.axes[len(have) :])
        coef = 1 / BATCH.size if BATCH in have else 1
        return contract(coef, [(self.weight, (k,)), (rule, (*lead, *rest))], rest)

    def _by_param(self, found: Sequence[Expr]) -> dict[str, Expr]:
        return {p.name: x for p, x in zip(self.energy.params, found, strict=True)}

    def all(self) -> list[Kernel]:
        """Every function of the program, in the order a reader wants them."""
        e = self.energy
        names = [s.name for s in e.states]
        b = self._batched
        kernels = [
            Kernel("energy", "F = E + beta C", {"F": b(self.total)}),
            Kernel("force", "-dF/ds", {n: b(self._negative(g)) for n, g in self.gradient.items()}),
        ]
        rules = gradients(self.total, e.params)
        if e.params:
            kernels.append(
                Kernel("rule", "dF/dtheta at fixed state, per sample",
                       {n: b(r) for n, r in self._by_param(rules).items()}, loop=False)
            )  # fmt: skip
            kernels.append(
                Kernel("contrast", "sum over phases of weight * batch mean of dF/dtheta",
                       {n: self._mean(b(r)) for n, r in self._by_param(rules).items()}, loop=False)
            )  # fmt: skip
        for n, ndim in zip(names, [s.ndim for s in e.states], strict=True):
            kernels.append(Kernel(f"grad_{n}", f"dF/d{n}", {n: b(self.gradient[n])}))
            kind = self.structure.kinds[n, n]
            if kind == "dense" and ndim > 1:
                continue  # a convolution written out, which no method asks for
            kernels.append(
                Kernel(f"curvature_{n}", f"d2F/d{n}2 ({kind})", {n: self.block(n, n)})
            )  # fmt: skip
        kernels += self._screens()
        upper: dict[str, Expr] = {}
        for p, q in self.blocks:
            kind = self.structure.kinds[p, q]
            if p == q and kind == "dense":
                dense, diagonal = split_diagonal(self.blocks[p, p])
                upper[f"{p}|{p}"] = b(dense)
                if not isinstance(diagonal, Zero):
                    upper[f"{p}|+"] = b(diagonal)
            elif kind != "zero":
                upper[f"{p}|{q}"] = self.block(p, q)
        doc = "upper nonzero blocks of d2F/ds2; diagonal parts as vectors"
        kernels.append(Kernel("hessian", doc, upper))
        along = {s: self.directions[s.name] for s in e.states}
        product = gradients(directional(self.total, dict(along)), e.states)
        kernels.append(
            Kernel("hvp", "d2F/ds2 times v", {n: b(h) for n, h in zip(names, product, strict=True)})
        )
        if e.params:
            mixed = gradients(directional(self.total, dict(along)), e.params)
            kernels.append(
                Kernel("mixed", "sum of weight * batch mean of d/dtheta (dF/ds . v)",
                       {n: self._mean(b(m)) for n, m in self._by_param(mixed).items()}, loop=False)
            )  # fmt: skip
        if e.start:
            kernels.append(
                Kernel("start", "first states: a forward pass",
                       {n: b(e.start[n]) for n in names}, loop=False)
            )  # fmt: skip
        if self.cost is not None:
            kernels += self._cost_kernels(self.cost)
        for name, doc, outputs in self.errors.functions if self.errors else ():
            loop = not name.startswith(COVARIANCE)
            kernels.append(Kernel(name, doc, {n: b(x) for n, x in outputs.items()}, loop))
        return kernels

    def _screens(self) -> list[Kernel]:
        """How much a unit's curvature is lowered because a neighbouring layer gives way.

        Equation: screen_a_b = Σ_j (∂²F/∂a_i∂b_j)² / stiff_j, the diagonal of H_ab D⁻¹ H_ba, for
        pairs of layers whose own blocks are diagonal (image-like ones: if it is a convolution).
        """
        kinds = self.structure.kinds
        found = []
        for a in self.energy.states:
            for b in self.energy.states:
                both = (kinds[a.name, a.name], kinds[b.name, b.name])
                if a is b or kinds[a.name, b.name] == "zero" or both != ("diagonal", "diagonal"):
                    continue
                block = self.blocks.get((a.name, b.name))
                i, j = indices(a.axes), indices(b.axes)
                at = i + j
                if block is None:
                    block, at = self.blocks[b.name, a.name], j + i
                soft = power(self.stiffness[b], -1)
                screen = contract(1, [(block, at), (block, at), (soft, j)], i)
                if a.ndim + b.ndim > 2 and _count_windows(screen) > _count_windows(block):
                    continue  # the square of a block is no convolution again: costly
                label = f"screen_{a.name}_{b.name}"
                doc = f"how far {b.name} giving way lowers the curvature of {a.name}"
                found.append(Kernel(label, doc, {a.name: self._batched(screen)}))
        return found

    def _cost_kernels(self, cost: Cost) -> list[Kernel]:
        e, b = self.energy, self._batched
        by_state = gradients(cost.expr, e.states)
        found = [
            Kernel("cost", "C", {"C": b(cost.expr)}, loop=False),
            Kernel("cost_gradient", "dC/ds",
                   {s.name: b(g) for s, g in zip(e.states, by_state, strict=True)}, loop=False),
        ]  # fmt: skip
        if e.params:
            by_param = self._by_param(gradients(cost.expr, e.params))
            found.append(
                Kernel("cost_rule", "batch mean of dC/dtheta",
                       {n: self._mean(b(r)) for n, r in by_param.items()}, loop=False)
            )  # fmt: skip
        return found


def _lead(v: Var, axs: tuple[Axis, ...]) -> Var:
    """The batched version of a variable; symmetry of its own slots is not tracked."""
    return Var.make(v.name, (*axs, *v.axes))


def _count_windows(x: Expr) -> float:
    """How many windows a product holds; a sum counts as too many."""
    if isinstance(x, Add):
        return float("inf")
    return sum(isinstance(f, Window) for f in x.children)
