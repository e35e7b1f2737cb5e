# ruff: noqa
"""Generated: free_energy in pytensor. Rewrite with `pytest tests --update`."""


def drive(P2, W2, P1, b1, x, W1):
    """what stays fixed while a phase relaxes"""
    t0 = W2 * P2[:, None]
    t1 = t0.T @ W2
    return (
        t0,  # c0
        t1,  # c1
        t1 + pt.eye(W2.shape[1], dtype=W2.dtype) * P1[:, None],  # c2
        0.5 * P2,  # c3
        0.5 * pt.log(P2),  # c4
        0.5 * pt.log(P1),  # c5
        b1 + x @ W1.T,  # c6
        0.5 * P1,  # c7
        -(P2 * W2.T),  # c8
    )


def energy(W2, c2, z2, z1, b2, c3, c4, c5, c6, c7, y, beta):
    """F = E + beta C"""
    t0 = z2 - (z1 @ W2.T + b2)
    t1 = z1 - c6
    t2 = pt.sum(t0 * (t0 * c3), axis=-1) + tensordot((t1 * t1), c7, axes=([2], [0])) - pt.sum(c4, axis=-1)
    t3 = z2 - y
    return (
        0.5 * pt.linalg.slogdet(c2)[1] + t2 - pt.sum(c5, axis=-1) + pt.sum(t3 * t3, axis=-1) * (0.5 * beta)[:, None],  # F
    )


def force(P2, W2, c0, P1, z2, z1, b2, c6, y, beta):
    """-dF/ds"""
    t0 = z2 - (z1 @ W2.T + b2)
    return (
        t0 @ c0 - P1 * (z1 - c6),  # z1
        -(P2 * t0 + (z2 - y) * beta[:, None, None]),  # z2
    )


def rule(P2, W2, P1, z2, z1, b2, b1, x, W1):
    """dF/dtheta at fixed state, per sample"""
    t0 = W2 * P2[:, None]
    t1 = z2 - (z1 @ W2.T + b2)
    t2 = z1 - (b1 + x @ W1.T)
    t3 = P2 * t1
    t4 = pt.linalg.inv(t0.T @ W2 + pt.eye(W2.shape[1], dtype=W2.dtype) * P1[:, None])
    return (
        -(t2[:, :, :, None] * pt.transpose((P1 * x[:, :, None]), (0, 2, 1))),  # W1
        t0 @ t4.T - z1[:, :, None, :] * t3[:, :, :, None],  # W2
        -(P1 * t2),  # b1
        -t3,  # b2
        0.5 * pt.diagonal(t4, axis1=-2, axis2=-1) + t2 * (0.5 * t2) - 0.5 * (1 / P1),  # P1
        t1 * (0.5 * t1) + pt.sum(W2 * ((0.5 * W2) @ t4), axis=-1) - 0.5 * (1 / P2),  # P2
    )


def contrast(P2, W2, P1, z2, z1, b2, b1, x, W1, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    t0 = (W2 * P2[:, None]).T @ W2 + pt.eye(W2.shape[1], dtype=W2.dtype) * P1[:, None]
    t1 = z2 - (z1 @ W2.T + b2)
    t2 = z1 - (b1 + x @ W1.T)
    t3 = pt.linalg.inv(t0)
    t4 = 1 / x.shape[0]
    t5 = weight * t4
    t6 = pt.einsum("ab,bac->ac", (P2[:, None] * t5), pt.einsum("abc,abd->acd", t1, z1))
    t7 = pt.sum(0.5 * weight, axis=-1)
    t8 = weight * (0.5 * t4)
    t9 = pt.diagonal(t3, axis1=-2, axis2=-1) * t7 + t8 @ pt.einsum("abc,abc->ac", t2, t2)
    return (
        -(pt.einsum("abc,ac->bc", t2, (P1 * t5[:, None])).T @ x),  # W1
        (W2 @ t3.T) * (P2 * pt.sum(weight, axis=-1))[:, None] - t6,  # W2
        -(P1 * (t5 @ pt.sum(t2, axis=-2))),  # b1
        -(P2 * (t5 @ pt.sum(t1, axis=-2))),  # b2
        t9 - (1 / P1) * t7,  # P1
        t7 * pt.sum(W2 * (W2 @ t3), axis=-1) + t8 @ pt.einsum("abc,abc->ac", t1, t1) - (1 / P2) * t7,  # P2
    )


def grad_z1(W2, c0, P1, z2, z1, b2, c6):
    """dF/dz1"""
    return (
        P1 * (z1 - c6) - (z2 - (z1 @ W2.T + b2)) @ c0,  # z1
    )


def curvature_z1(c2, z1):
    """d2F/dz12 (dense)"""
    return (
        pt.broadcast_to(c2, (z1.shape[0], z1.shape[1], z1.shape[2], z1.shape[2],)),  # z1
    )


def grad_z2(P2, W2, z2, z1, b2, y, beta):
    """dF/dz2"""
    return (
        P2 * (z2 - (z1 @ W2.T + b2)) + (z2 - y) * beta[:, None, None],  # z2
    )


def curvature_z2(P2, beta, x):
    """d2F/dz22 (diagonal)"""
    return (
        pt.broadcast_to((P2 + beta[:, None])[:, None, :], (beta.shape[0], x.shape[0], P2.shape[0],)),  # z2
    )


def hessian(P2, c1, P1, beta, c8):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    return (
        c1,  # z1|z1
        P1,  # z1|+
        c8,  # z1|z2
        (P2 + beta[:, None])[:, None, :],  # z2|z2
    )


def hvp(P2, W2, c0, P1, beta, v_z1, v_z2):
    """d2F/ds2 times v"""
    t0 = P2 * v_z2 - v_z1 @ c0.T
    return (
        P1 * v_z1 - t0 @ W2,  # z1
        t0 + beta[:, None, None] * v_z2,  # z2
    )


def mixed(P2, W2, P1, z2, z1, b2, b1, x, W1, weight, v_z1, v_z2):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    t0 = z2 - (z1 @ W2.T + b2)
    t1 = weight * (1 / x.shape[0])
    t2 = P2 * v_z2 - v_z1 @ (W2 * P2[:, None]).T
    t3 = pt.einsum("abc,abd->acd", t0, v_z1)
    t4 = tensordot(t1, pt.einsum("abc,abd->acd", t2, z1), axes=([0], [0])) + pt.einsum("ab,bac->ac", (P2[:, None] * t1), t3)
    return (
        -(pt.einsum("abc,ac->bc", v_z1, (P1 * t1[:, None])).T @ x),  # W1
        -t4,  # W2
        -(P1 * (t1 @ pt.sum(v_z1, axis=-2))),  # b1
        -(t1 @ pt.sum(t2, axis=-2)),  # b2
        t1 @ pt.einsum("abc,abc->ac", (z1 - (b1 + x @ W1.T)), v_z1),  # P1
        t1 @ pt.einsum("abc,abc->ac", t0, v_z2) - t1 @ pt.einsum("ab,cab->ca", W2, t3),  # P2
    )


def start(W2, b2, b1, x, W1):
    """first states: a forward pass"""
    t0 = b1 + x @ W1.T
    return (
        t0,  # z1
        b2 + t0 @ W2.T,  # z2
    )


def cost(z2, y):
    """C"""
    t0 = z2 - y
    return (
        0.5 * pt.sum(t0 * t0, axis=-1),  # C
    )


def cost_gradient(z2, y, W1):
    """dC/ds"""
    return (
        pt.full((z2.shape[0], y.shape[0], W1.shape[0],), 0, dtype=W1.dtype),  # z1
        z2 - y,  # z2
    )


def cost_rule(W1, y):
    """batch mean of dC/dtheta"""
    t0 = pt.full((W1.shape[0],), 0, dtype=W1.dtype)
    t1 = pt.full((y.shape[1],), 0, dtype=y.dtype)
    return (
        pt.full((W1.shape[0], W1.shape[1],), 0, dtype=W1.dtype),  # W1
        pt.full((y.shape[1], W1.shape[0],), 0, dtype=W1.dtype),  # W2
        t0,  # b1
        t1,  # b2
        t0,  # P1
        t1,  # P2
    )
