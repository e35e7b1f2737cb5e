"""Newton's linear systems: eliminate the diagonal layers, then factorise or iterate."""

from __future__ import annotations

from typing import Any

from unified.dynamics import batched
from unified.dynamics.system import State, System

DENSE_LIMIT = 256


def eliminated(system: System) -> tuple[str, ...]:
    """Layers with diagonal blocks that do not meet: solved unit by unit, widest first."""
    kinds = system.kinds
    ranked = sorted(system.names, key=lambda n: -system.width(n))
    chosen: list[str] = []
    for n in ranked:
        if kinds[n, n] == "diagonal" and all(kinds[n, m] == "zero" for m in chosen):
            chosen.append(n)
    return tuple(n for n in system.names if n in chosen)


def solve_newton(
    system: System, state: State, grad: State, shift: Any, linear: str
) -> tuple[State, Any]:
    """δ with (H + shift) δ = grad, and whether H + shift was positive definite, per sample."""
    rest = sum(system.width(n) for n in system.names) - sum(map(system.width, eliminated(system)))
    if linear == "cg" or (linear == "auto" and rest > DENSE_LIMIT):
        return conjugate_gradients(system, state, grad, shift)
    return _schur(system, state, grad, shift)


class Schur:
    """H + shift with its diagonal layers eliminated.

    Equation: S = H_RR − H_RD D⁻¹ H_DR over the remaining layers R, D the diagonal layers.
    """

    def __init__(self, system: System, state: State, shift: Any) -> None:
        import jax.numpy as jnp

        blocks = system.blocks(state)
        self.outs = eliminated(system)
        self.keep = tuple(n for n in system.names if n not in self.outs)
        some = state[system.names[0]]
        lead = some.shape[:2]
        self.diagonal = {n: blocks[f"{n}|{n}"] + shift[..., None] for n in self.outs}
        self.definite = jnp.ones(lead, bool)
        for d in self.diagonal.values():
            least = jnp.min(jnp.abs(d) if jnp.iscomplexobj(d) else d, axis=-1)
            self.definite = self.definite & (jnp.broadcast_to(least, lead) > 0)
        self.cross = {
            (a, b): _block(system, blocks, a, b) for a in self.keep for b in self.outs
            if system.kinds[a, b] != "zero"
        }  # fmt: skip
        rows = []
        for a in self.keep:
            row = []
            for b in self.keep:
                shape = (*lead, system.width(a), system.width(b))
                entry = jnp.zeros(shape, some.dtype)
                if system.kinds[a, b] != "zero":
                    entry = jnp.broadcast_to(_block(system, blocks, a, b), shape)
                if a == b:
                    entry = entry + shift[..., None, None] * jnp.eye(shape[-1], dtype=some.dtype)
                for n in self.outs:
                    if (a, n) in self.cross and (b, n) in self.cross:
                        left = self.cross[a, n] / self.diagonal[n][..., None, :]
                        entry = entry - left @ jnp.swapaxes(self.cross[b, n], -1, -2)
                row.append(entry)
            rows.append(jnp.concatenate(row, axis=-1))
        self.matrix = jnp.concatenate(rows, axis=-2) if rows else None

    def solve(self, right: State) -> tuple[State, Any]:
        """(H + shift)⁻¹ right and definiteness."""
        import jax.numpy as jnp

        definite = self.definite
        kept = {}
        for a in self.keep:
            r = right[a]
            for n in self.outs:
                if (a, n) in self.cross:
                    scaled = (right[n] / self.diagonal[n])[..., None]
                    r = r - (self.cross[a, n] @ scaled)[..., 0]
            kept[a] = r
        found: State = {}
        if self.keep:
            stacked = jnp.concatenate([kept[a] for a in self.keep], axis=-1)
            solved, good = batched.solve(self.matrix, stacked)
            definite = definite & good
            start = 0
            for a in self.keep:
                stop = start + right[a].shape[-1]
                found[a] = solved[..., start:stop]
                start = stop
        for n in self.outs:
            r = right[n]
            for a in self.keep:
                if (a, n) in self.cross:
                    r = r - (found[a][..., None, :] @ self.cross[a, n])[..., 0, :]
            found[n] = r / self.diagonal[n]
        return {k: found[k] for k in right}, definite


def _block(system: System, blocks: State, a: str, b: str) -> Any:
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


def _schur(system: System, state: State, grad: State, shift: Any) -> tuple[State, Any]:
    return Schur(system, state, shift).solve(grad)


def conjugate_gradients(
    system: System, state: State, grad: State, shift: Any, rtol: float | None = None
) -> tuple[State, Any]:
    """Conjugate gradients, every sample to its own tolerance; negative curvature is reported."""
    import jax.numpy as jnp
    from jax import lax

    right = system.flat(grad)
    size = jnp.sqrt(jnp.sum(jnp.abs(right) ** 2, axis=-1))
    # A loose solve far from rest, a tight one near it, keeps convergence superlinear.
    goal = size * (jnp.minimum(0.1, size) if rtol is None else rtol)
    floor = 4 * jnp.finfo(right.real.dtype).eps * size
    goal = jnp.maximum(goal, floor)

    def apply(v: Any) -> Any:
        return system.flat(system.product(state, system.split(v))) + shift[..., None] * v

    def going(carry: Any) -> Any:
        k, *_, active, _ = carry
        return (k < 2 * right.shape[-1] + 10) & jnp.any(active)

    def step(carry: Any) -> Any:
        k, x, r, p, rr, active, definite = carry
        ap = apply(p)
        curve = jnp.sum(p * ap, axis=-1)
        convex = curve.real > 0
        move = jnp.where(active & convex, rr / jnp.where(convex, curve, 1.0), 0.0)[..., None]
        x, r = x + move * p, r - move * ap
        new = jnp.sum(r * r, axis=-1)
        ratio = (new / jnp.where(rr == 0, 1.0, rr))[..., None]
        p = jnp.where(active[..., None], r + ratio * p, p)
        definite = definite & (convex | ~active)
        active = active & convex & (jnp.sqrt(jnp.abs(new)) > goal)
        return k + 1, x, r, p, new, active, definite

    rr = jnp.sum(right * right, axis=-1)
    zero = jnp.zeros_like(right)
    begin = (0, zero, right, right, rr, size > goal, jnp.ones(size.shape, bool))
    _, x, *_, definite = lax.while_loop(going, step, begin)
    return system.split(x), definite
