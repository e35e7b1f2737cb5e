# ruff: noqa
"""Generated: predictive_diagonal in pytensor. Rewrite with `pytest tests --update`."""


def drive(P2, W2, b1, x, W1, P1):
    """what stays fixed while a phase relaxes"""
    t0 = W2 * P2[:, None]
    t1 = t0.T @ W2
    return (
        0.5 * P2,  # c0
        pt.tanh(b1 + x @ W1.T),  # c1
        0.5 * P1,  # c2
        0.5 * pt.log(P2),  # c3
        0.5 * pt.log(P1),  # c4
        t0,  # c5
        t1,  # c6
        t1 + pt.eye(W1.shape[0], dtype=W1.dtype) * P1[:, None],  # c7
        -(P2 * W2.T),  # c8
    )


def energy(z2, W2, z1, b2, c0, c1, c2, c3, c4, y, beta):
    """F = E + beta C"""
    t0 = z2 - (z1 @ W2.T + b2)
    t1 = z1 - c1
    t2 = pt.sum(t0 * (t0 * c0), axis=-1) + tensordot((t1 * t1), c2, axes=([2], [0])) - pt.sum(c3, axis=-1)
    t3 = z2 - y
    return (
        t2 - pt.sum(c4, axis=-1) + pt.sum(t3 * t3, axis=-1) * (0.5 * beta)[:, None],  # F
    )


def force(P2, z2, W2, z1, b2, c1, P1, y, beta, c5):
    """-dF/ds"""
    t0 = z2 - (z1 @ W2.T + b2)
    return (
        t0 @ c5 - (z1 - c1) * P1,  # z1
        -(P2 * t0 + (z2 - y) * beta[:, None, None]),  # z2
    )


def rule(P2, z2, W2, z1, b2, b1, x, W1, P1):
    """dF/dtheta at fixed state, per sample"""
    t0 = z2 - (z1 @ W2.T + b2)
    t1 = pt.tanh(b1 + x @ W1.T)
    t2 = z1 - t1
    t3 = P2 * t0
    t4 = P1 * (1 - t1 * t1)
    t5 = t2[:, :, :, None] * pt.transpose((x[:, :, None] * t4[:, None, :]), (0, 2, 1))
    return (
        -t5,  # W1
        -(z1[:, :, None, :] * t3[:, :, :, None]),  # W2
        -(t2 * t4),  # b1
        -t3,  # b2
        t2 * (0.5 * t2) - 0.5 * (1 / P1),  # P1
        t0 * (0.5 * t0) - 0.5 * (1 / P2),  # P2
    )


def contrast(P2, z2, W2, z1, b2, b1, x, W1, P1, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    t0 = z2 - (z1 @ W2.T + b2)
    t1 = pt.tanh(b1 + x @ W1.T)
    t2 = z1 - t1
    t3 = 1 - t1 * t1
    t4 = 1 / x.shape[0]
    t5 = weight * t4
    t6 = pt.einsum("ab,acb->bc", pt.einsum("abc,ac->bc", t2, (P1 * t5[:, None])), (x[:, :, None] * t3[:, None, :]))
    t7 = pt.einsum("ab,bac->ac", (P2[:, None] * t5), pt.einsum("abc,abd->acd", t0, z1))
    t8 = weight * (0.5 * t4)
    t9 = pt.sum(0.5 * weight, axis=-1)
    return (
        -t6,  # W1
        -t7,  # W2
        -(P1 * (t5 @ pt.einsum("abc,bc->ac", t2, t3))),  # b1
        -(P2 * (t5 @ pt.sum(t0, axis=-2))),  # b2
        t8 @ pt.einsum("abc,abc->ac", t2, t2) - (1 / P1) * t9,  # P1
        t8 @ pt.einsum("abc,abc->ac", t0, t0) - (1 / P2) * t9,  # P2
    )


def grad_z1(z2, W2, z1, b2, c1, P1, c5):
    """dF/dz1"""
    return (
        (z1 - c1) * P1 - (z2 - (z1 @ W2.T + b2)) @ c5,  # z1
    )


def curvature_z1(c7, z1):
    """d2F/dz12 (dense)"""
    return (
        pt.broadcast_to(c7, (z1.shape[0], z1.shape[1], z1.shape[2], z1.shape[2],)),  # z1
    )


def grad_z2(P2, z2, W2, z1, b2, y, beta):
    """dF/dz2"""
    return (
        P2 * (z2 - (z1 @ W2.T + b2)) + (z2 - y) * beta[:, None, None],  # z2
    )


def curvature_z2(P2, beta, x):
    """d2F/dz22 (diagonal)"""
    return (
        pt.broadcast_to((P2 + beta[:, None])[:, None, :], (beta.shape[0], x.shape[0], P2.shape[0],)),  # z2
    )


def hessian(P2, P1, beta, c6, c8):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    return (
        c6,  # z1|z1
        P1,  # z1|+
        c8,  # z1|z2
        (P2 + beta[:, None])[:, None, :],  # z2|z2
    )


def hvp(P2, W2, P1, beta, c5, v_z1, v_z2):
    """d2F/ds2 times v"""
    t0 = P2 * v_z2 - v_z1 @ c5.T
    return (
        P1 * v_z1 - t0 @ W2,  # z1
        t0 + beta[:, None, None] * v_z2,  # z2
    )


def mixed(P2, z2, W2, z1, b2, b1, x, W1, P1, weight, v_z1, v_z2):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    t0 = z2 - (z1 @ W2.T + b2)
    t1 = pt.tanh(b1 + x @ W1.T)
    t2 = 1 - t1 * t1
    t3 = weight * (1 / x.shape[0])
    t4 = P2 * v_z2 - v_z1 @ (W2 * P2[:, None]).T
    t5 = pt.einsum("abc,ac->cb", (x[:, :, None] * t2[:, None, :]), pt.einsum("abc,ac->bc", v_z1, (P1 * t3[:, None])))
    t6 = pt.einsum("abc,abd->acd", t0, v_z1)
    t7 = tensordot(t3, pt.einsum("abc,abd->acd", t4, z1), axes=([0], [0])) + pt.einsum("ab,bac->ac", (P2[:, None] * t3), t6)
    return (
        -t5,  # W1
        -t7,  # W2
        -(P1 * (t3 @ pt.einsum("abc,bc->ac", v_z1, t2))),  # b1
        -(t3 @ pt.sum(t4, axis=-2)),  # b2
        t3 @ pt.einsum("abc,abc->ac", (z1 - t1), v_z1),  # P1
        t3 @ pt.einsum("abc,abc->ac", t0, v_z2) - t3 @ pt.einsum("ab,cab->ca", W2, t6),  # P2
    )


def start(W2, b2, b1, x, W1):
    """first states: a forward pass"""
    t0 = pt.tanh(b1 + x @ W1.T)
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


def errors(W2, z1, b2, c1, y):
    """z - mu(z) of every free layer, y - mu(z) of the observed one"""
    return (
        z1 - c1,  # z1
        y - (z1 @ W2.T + b2),  # z2
    )


def misfit(W2, b2, c1, y, e_z1):
    """y - mu of the observed layer, from the errors"""
    return (
        y - (b2 + (c1 + e_z1) @ W2.T),  # r
    )


def unfold(W2, b2, c1, e_z1, e_z2):
    """the states, from the errors"""
    t0 = c1 + e_z1
    return (
        t0,  # z1
        b2 + t0 @ W2.T + e_z2,  # z2
    )


def adjoint_z1(W2, a_z2):
    """rows of adjoints of z1, from those of the layers that read it"""
    return (
        a_z2 @ W2,  # z1
    )


def weigh_z1(P1, a_z1):
    """rows times the precision of z1"""
    return (
        P1 * a_z1,  # z1
    )


def covariance_z1(P1):
    """the covariance of z1"""
    return (
        1 / P1,  # z1
    )


def weigh_z2(P2, a_z2):
    """rows times the precision of z2"""
    return (
        P2 * a_z2,  # z2
    )


def covariance_z2(P2):
    """the covariance of z2"""
    return (
        1 / P2,  # z2
    )
