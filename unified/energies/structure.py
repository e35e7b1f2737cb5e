"""Which blocks of a Hessian are zero, diagonal or dense, read off the expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unified.symbolic.axis import indices
from unified.symbolic.build import add
from unified.symbolic.contract import contract
from unified.symbolic.nodes import Add, Delta, Einsum, Expr, Zero

if TYPE_CHECKING:
    from unified.energies.energy import Energy


def is_diagonal(block: Expr) -> bool:
    """True if a block over (axes, axes) is diagonal by construction: identities in every term."""
    d = block.ndim // 2
    if not d or block.axes[:d] != block.axes[d:]:
        return False
    if isinstance(block, Delta | Zero):
        return True
    if isinstance(block, Add):
        return all(is_diagonal(t) for t in block.terms)
    if isinstance(block, Einsum):
        joined = {ls for f, ls in zip(block.factors, block.labels, strict=True)
                  if isinstance(f, Delta)}  # fmt: skip
        return joined >= {(k, k + d) for k in range(d)}
    return False


def diagonal_of(block: Expr) -> Expr:
    """The diagonal of a block over (axes, axes), over axes; identities resolved term by term."""
    if isinstance(block, Add):
        return add(*(diagonal_of(t) for t in block.terms), flatten=False)
    ix = indices(block.axes[: block.ndim // 2])
    return contract(1, [(block, ix + ix)], ix)


def split_diagonal(block: Expr) -> tuple[Expr, Expr]:
    """A block over (axes, axes) as the terms that are dense and the diagonal of the rest."""
    terms = block.terms if isinstance(block, Add) else (block,)
    dense = [t for t in terms if not is_diagonal(t)]
    rest = [diagonal_of(t) for t in terms if is_diagonal(t)]
    none, zero = Zero.make(block.axes), Zero.make(block.axes[: block.ndim // 2])
    return (
        add(*dense, flatten=False) if dense else none,
        add(*rest, flatten=False) if rest else zero,
    )


@dataclass(frozen=True)
class Structure:
    """The kind of every Hessian block: `zero`, `diagonal` or `dense`, by pair of states."""

    states: tuple[str, ...]
    kinds: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, energy: Energy) -> Structure:
        """Read the structure off the symbolic Hessian of an energy."""
        kinds = {}
        for pair, block in energy.hessians.items():
            if isinstance(block, Zero):
                kinds[pair] = "zero"
            else:
                same = pair[0] == pair[1]
                kinds[pair] = "diagonal" if same and is_diagonal(block) else "dense"
        return cls(tuple(s.name for s in energy.states), kinds)

    @property
    def nonzero(self) -> int:
        """The number of blocks that are not structural zeros."""
        return sum(kind != "zero" for kind in self.kinds.values())

    @property
    def bandwidth(self) -> int:
        """The largest |i − j| of a nonzero block (1: block tridiagonal)."""
        at = {name: k for k, name in enumerate(self.states)}
        return max(
            (abs(at[a] - at[b]) for (a, b), kind in self.kinds.items() if kind != "zero"),
            default=0,
        )

    def _repr_latex_(self) -> str:
        mark = {"zero": r"\cdot", "diagonal": r"\diagdown", "dense": r"\blacksquare"}
        rows = [" & ".join(mark[self.kinds[a, b]] for b in self.states) for a in self.states]
        return "$\\begin{pmatrix}" + r" \\ ".join(rows) + "\\end{pmatrix}$"

    def __repr__(self) -> str:
        mark = {"zero": "·", "diagonal": "\\", "dense": "█"}
        width = max(map(len, self.states))
        rows = [
            f"{a:>{width}} " + " ".join(mark[self.kinds[a, b]] for b in self.states)
            for a in self.states
        ]
        return "\n".join([*rows, "· zero   \\ diagonal   █ dense"])
