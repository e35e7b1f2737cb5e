"""The Hessian of a phase by layers: its blocks, and their factorisation where it is constant."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from unified.dynamics.block_tridiagonal import BlockTridiagonal, Factor

if TYPE_CHECKING:
    from unified.codegen.program import Program
    from unified.dynamics.system import State, System


def has_one_hessian(program: Program) -> bool:
    """True if one H serves all states and samples of a phase, and can be factorised by layers."""
    return program.kernels.uniform and all(s.ndim == 1 for s in program.model.states)


def block(system: System, blocks: State, a: str, b: str) -> Any:
    """Block (a, b) as a matrix, from the stored upper triangle."""
    import jax.numpy as jnp

    if a == b and system.kinds[a, a] == "diagonal":
        d = blocks[f"{a}|{a}"]
        return d[..., None] * jnp.eye(system.width(a), dtype=d.dtype)
    if a == b and f"{a}|+" in blocks:
        d = blocks[f"{a}|+"]
        return blocks[f"{a}|{a}"] + d[..., None] * jnp.eye(system.width(a), dtype=d.dtype)
    if f"{a}|{b}" in blocks:
        return blocks[f"{a}|{b}"]
    return jnp.swapaxes(blocks[f"{b}|{a}"], -1, -2)


class FactoredHessian(NamedTuple):
    """∂²F/∂s∂s at a state, factorised over runs of neighbouring layers.

    With Hessian bandwidth b (1: a chain), b layers side by side are one block, which makes any
    Hessian block tridiagonal.
    Shapes: `factor.definite` broadcasts to (phase, batch), with size 1 where nothing varies.
    """

    factor: Factor

    @classmethod
    def of(cls, system: System, state: State, *, real: bool = False) -> FactoredHessian:
        """The factors at a state (any state, where F is quadratic), `real`: of the real part."""
        found = hessian(system, state)
        if real:
            found = BlockTridiagonal(*(tuple(b.real for b in blocks) for blocks in found))
        return cls(found.factor())

    def solve(self, system: System, right: State) -> State:
        """H⁻¹ right, NaN where H is not positive definite."""
        import jax.numpy as jnp

        runs = _runs(system)
        sides = [jnp.concatenate([right[n] for n in run], axis=-1) for run in runs]
        return _unstack(system, runs, self.factor.solve(sides))

    def sample(
        self, system: System, shape: tuple[int, ...], *, key: Any, temperature: Any
    ) -> State:
        """Independent draws from N(0, T·H⁻¹), (*shape, phase, batch, ...) per state, H real."""
        parts = self.factor.sample(shape, key=key, temperature=temperature)
        return _unstack(system, _runs(system), parts)


def hessian(system: System, state: State) -> BlockTridiagonal:
    """∂²F/∂s∂s as a block-tridiagonal matrix over runs of neighbouring layers."""
    blocks = {pair: _lean(system, pair, v) for pair, v in system.blocks(state).items()}
    runs = _runs(system)
    diagonal = tuple(_run_block(system, blocks, run, run) for run in runs)
    upper = tuple(_run_block(system, blocks, a, b) for a, b in pairwise(runs))
    return BlockTridiagonal(diagonal, upper)


def _runs(system: System) -> list[tuple[str, ...]]:
    names, width = system.names, max(1, system.program.kernels.structure.bandwidth)
    return [names[k : k + width] for k in range(0, len(names), width)]


def _lean(system: System, pair: str, block: Any) -> Any:
    """A block with its leading axes, of size 1 where it does not vary."""
    a, _, b = pair.partition("|")
    own = 1 if b == "+" or (a == b and system.kinds[a, a] == "diagonal") else 2
    if block.ndim == own:  # made of parameters alone
        return block[None, None]
    phase, batch = system.program.kernels.varies(a, a if b == "+" else b)
    block = block if batch else block[:, :1]
    return block if phase else block[:1]


def _run_block(system: System, blocks: State, rows: Sequence[str], cols: Sequence[str]) -> Any:
    """The block of two runs of layers, put together from their own blocks."""
    import jax.numpy as jnp

    found = {
        (a, b): block(system, blocks, a, b)
        for a in rows for b in cols if system.kinds[a, b] != "zero"
    }  # fmt: skip
    if len(rows) == len(cols) == 1 and found:
        return found[rows[0], cols[0]]
    kind = next(iter(blocks.values())).dtype
    lead = jnp.broadcast_shapes((1, 1), *(v.shape[:2] for v in found.values()))
    lines = []
    for a in rows:
        line = []
        for b in cols:
            shape = (*lead, system.width(a), system.width(b))
            line.append(jnp.broadcast_to(found.get((a, b), jnp.zeros((), kind)), shape))
        lines.append(jnp.concatenate(line, axis=-1))
    return jnp.concatenate(lines, axis=-2)


def _unstack(system: System, runs: Sequence[Sequence[str]], parts: Sequence[Any]) -> State:
    found: State = {}
    for run, part in zip(runs, parts, strict=True):
        start = 0
        for n in run:
            found[n] = part[..., start : start + system.width(n)]
            start += system.width(n)
    return found
