"""How few products any Krylov method needs: what bounds a learning step of a deep Hopfield net."""

from __future__ import annotations

from typing import Any

MANY = 60  # iterations after which a sample is given up


def krylov_counts(
    program: Any, params: Any, x: Any, y: Any, beta: float, tol: float, width: int
) -> dict[str, int]:
    """The least iterations to residual `tol` of a net linearised where it rests, worst sample.

    Equation: the layers other than the widest middle one are eliminated exactly,
    S = H_tt − H_to H_oo⁻¹ H_ot, and S is scaled by its diagonal; the count is the least k for which
    min ‖g + S p(S)g‖ over polynomials p of degree < k is within the tolerance, which no method
    that only multiplies by the weights can beat. `free` starts at s = 0, `nudged` from the force of
    a nudge at the free rest point (one solve serves both signs, as the force is linear in β).
    Every iteration multiplies by W₂ and by its transpose.
    Shapes: x (batch, n0), y (batch, n_L); `width` units in each of the two wide layers.
    Reference: Saad (2003), 6.5 and 14.2.
    """
    import numpy as np

    from unified.dynamics import Newton, Phase, relax

    phase = Phase.free(x)
    rest = relax(program, params, phase, Newton(), 1e-9, certify=False)
    hessians = program.hessian(rest.state, params, phase)
    flat = np.concatenate([rest.state[s.name] for s in program.model.states], axis=1)
    out = rest.state[program.model.output.name]
    found = {"free": 0, "nudged": 0}
    for h, s, miss in zip(hessians, flat, out - y, strict=True):
        nudge = np.zeros_like(s)
        nudge[-len(miss) :] = beta * miss
        t = np.arange(width, 2 * width)
        o = np.setdiff1d(np.arange(len(s)), t)
        back = np.linalg.solve(h[np.ix_(o, o)], h[np.ix_(o, t)])
        schur = h[np.ix_(t, t)] - h[np.ix_(t, o)] @ back
        scale = np.sqrt(np.diag(schur))
        # The scaled residual within this is below the tolerance in the units of the force.
        goal = tol * max(1.0, float(np.linalg.norm(s))) / float(np.min(scale))
        for name, g in (("free", -h @ s), ("nudged", nudge)):
            force = (g[t] - back.T @ g[o]) / scale
            k = _iterations(schur / np.outer(scale, scale), force, goal)
            found[name] = max(found[name], k)
    return found


def _iterations(matrix: Any, force: Any, goal: float) -> int:
    """The least degree at which a Krylov space holds a point of residual within the goal."""
    import numpy as np

    basis = [force / np.linalg.norm(force)]
    images: list[Any] = []
    for k in range(MANY):
        if not images:
            left = np.linalg.norm(force)
        else:
            tall = np.array(images).T
            left = np.linalg.norm(force - tall @ np.linalg.lstsq(tall, force, rcond=None)[0])
        if left <= goal:
            return k
        images.append(matrix @ basis[-1])
        new = images[-1]
        for _ in range(2):
            new = new - sum((b @ new) * b for b in basis)
        basis.append(new / np.linalg.norm(new))
    return MANY
