"""Newton's linear systems: eliminate the diagonal layers, then factorise or iterate."""

from __future__ import annotations

from typing import Any

from unified.dynamics import batched
from unified.dynamics.hessian import FactoredHessian, block, has_one_hessian
from unified.dynamics.system import State, System

# Above DENSE_LIMIT remaining units, conjugate gradients beat factorising sample by sample (measured
# on PC, Hopfield and recurrent nets, batch 64); up to FALLBACK_LIMIT a factorisation still helps
# out where they do not get there.
DENSE_LIMIT = 32
FALLBACK_LIMIT = 256
ROUNDING = 1e3  # times the machine precision


def eliminated(system: System) -> tuple[str, ...]:
    """Layers with diagonal blocks that do not meet: solved unit by unit, widest first."""
    kinds = system.coupling
    ranked = sorted(system.names, key=lambda n: -system.width(n))
    chosen: list[str] = []
    for n in ranked:
        apart = all(kinds[n, m] == kinds[m, n] == "zero" for m in chosen)
        if kinds[n, n] == "diagonal" and apart:
            chosen.append(n)
    return tuple(n for n in system.names if n in chosen)


def solve_newton(
    system: System, state: State, grad: State, shift: Any, linear: str
) -> tuple[State, Any]:
    """δ with (H + shift) δ = grad, and whether H + shift was positive definite, per sample."""
    if linear == "cg" or (linear == "auto" and remaining(system) > DENSE_LIMIT):
        return conjugate_gradients(system, state, grad, shift)
    return Schur(system, state, shift).solve(grad)


def remaining(system: System) -> int:
    """How many units remain after the diagonal layers are eliminated.

    Where an image-like layer remains, its blocks are convolutions written out: if they are large,
    all units count, so that Hessian-vector products are used instead.
    """
    outs = eliminated(system)
    total = sum(map(system.width, system.names))
    rest = total - sum(map(system.width, outs))
    images = any(len(system.shapes[n]) > 1 for n in system.names if n not in outs)
    return total if images and rest * total > FALLBACK_LIMIT**2 else rest


def solve(system: System, state: State, right: State) -> State:
    """H⁻¹ right to rounding, H = ∂²F/∂s∂s at a rest point, by the cheapest means that gets there.

    Conjugate gradients are believed only where the residual they leave, computed afresh, is at
    rounding; else a factorisation follows if there are few enough units. NaN where H should be
    positive definite and is not, or the answer is not good to half the digits.
    """
    import jax.numpy as jnp
    from jax import lax

    if not system.descends:
        return system.split(batched.solve_pivoted(system.dense(state), system.flat(right))[0])
    if has_one_hessian(system.program):
        return FactoredHessian.of(system, state).solve(system, right)
    none = jnp.zeros(state[system.names[0]].shape[:2], state[system.names[0]].real.dtype)

    def told(found: State, good: Any) -> State:
        at = {k: good.reshape(*good.shape, *(1,) * (v.ndim - 2)) for k, v in found.items()}
        return {k: jnp.where(at[k], v, jnp.nan) for k, v in found.items()}

    def factorised() -> State:
        return told(*Schur(system, state, none).solve(right))

    width = remaining(system)
    if width <= DENSE_LIMIT:
        return factorised()
    eps = float(jnp.finfo(none.dtype).eps)
    found, _ = conjugate_gradients(system, state, right, none, rtol=eps)
    product = system.product(state, found)
    error = system.norm({k: product[k] - r for k, r in right.items()})
    if width > FALLBACK_LIMIT:
        return told(found, error <= eps**0.5 * system.norm(right))
    good = error <= ROUNDING * eps * (system.norm(right) + system.norm(found))
    return lax.cond(jnp.all(good), lambda: found, factorised)


class Schur:
    """H + shift with its diagonal layers eliminated.

    Equation: S = H_RR − H_RD D⁻¹ H_DR over the remaining layers R, D the diagonal layers.
    """

    def __init__(self, system: System, state: State, shift: Any) -> None:
        import jax.numpy as jnp

        self.system = system
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
            (a, b): block(system, blocks, a, b) for a in self.keep for b in self.outs
            if system.kinds[a, b] != "zero"
        }  # fmt: skip
        rows = []
        for a in self.keep:
            row = []
            for b in self.keep:
                shape = (*lead, system.width(a), system.width(b))
                entry = jnp.zeros(shape, some.dtype)
                if system.kinds[a, b] != "zero":
                    entry = jnp.broadcast_to(block(system, blocks, a, b), shape)
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
        right = self.system.rows(right)
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
        return self.system.shaped({k: found[k] for k in right}), definite


def layer_step(
    system: System, name: str, state: State, grad: Any, sign: float, steps: int = 8
) -> Any:
    """A few conjugate-gradient steps towards D⁻¹ grad, D the layer's own Hessian block.

    Against negative curvature the gradient itself (up to `sign`, −1 for a layer that ascends).
    """
    import jax.numpy as jnp

    own = tuple(range(2, grad.ndim))

    def dot(a: Any, b: Any) -> Any:
        return jnp.sum(a * b, axis=own, keepdims=True)

    still = {n: jnp.zeros_like(v) for n, v in state.items()}
    r = p = sign * grad
    x, rr = jnp.zeros_like(r), dot(r, r)
    going = jnp.ones(rr.shape, bool)
    for k in range(steps):
        ap = sign * system.product(state, {**still, name: p})[name]
        curve = dot(p, ap)
        going = going & _convex(curve)
        size = jnp.where(going, rr / jnp.where(going, curve, 1.0), 0.0 if k else 1.0)
        x, r = x + size * p, r - size * ap
        old, rr = rr, dot(r, r)
        p = r + jnp.where(going, rr / jnp.where(going, old, 1.0), 0.0) * p
    return x


def _convex(curve: Any) -> Any:
    """Whether pᵀHp allows a step; complex symmetric systems only break down where it vanishes."""
    import jax.numpy as jnp

    return curve != 0 if jnp.iscomplexobj(curve) else curve > 0


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
        convex = _convex(curve)
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
