# ruff: noqa
"""Generated: predictive_full in pytensor. Rewrite with `pytest tests --update`."""


def drive(P1, P2, W2, b1, x, W1):
    """what stays fixed while a phase relaxes"""
    t0 = W2.T @ P2
    t1 = tensordot(P2, W2, axes=([1], [0])).T
    return (
        0.5 * P2,  # c0
        pt.tanh(b1 + x @ W1.T),  # c1
        0.5 * P1,  # c2
        t0,  # c3
        P1 + t0 @ W2,  # c4
        t1,  # c5
        -t1,  # c6
    )


def energy(P1, P2, z2, W2, z1, b2, c0, c1, c2, y, beta):
    """F = E + beta C"""
    t0 = z2 - (z1 @ W2.T + b2)
    t1 = z1 - c1
    t2 = pt.sum(t0 * (t0 @ c0), axis=-1) + pt.sum(t1 * (t1 @ c2), axis=-1) - 0.5 * pt.linalg.slogdet(P1)[1]
    t3 = z2 - y
    return (
        t2 - 0.5 * pt.linalg.slogdet(P2)[1] + pt.sum(t3 * t3, axis=-1) * (0.5 * beta)[:, None],  # F
    )


def force(P1, P2, z2, W2, z1, b2, c1, y, beta, c3):
    """-dF/ds"""
    t0 = z2 - (z1 @ W2.T + b2)
    return (
        t0 @ c3.T - (z1 - c1) @ P1.T,  # z1
        -(t0 @ P2.T + (z2 - y) * beta[:, None, None]),  # z2
    )


def rule(P1, P2, z2, W2, z1, b2, b1, x, W1):
    """dF/dtheta at fixed state, per sample"""
    t0 = z2 - (z1 @ W2.T + b2)
    t1 = pt.tanh(b1 + x @ W1.T)
    t2 = z1 - t1
    t3 = t0 @ P2.T
    t4 = pt.einsum("abc,dcb->abd", t2, (P1[:, :, None] * (1 - t1 * t1).T[:, None, :]))
    return (
        -(x[:, None, :] * t4[:, :, :, None]),  # W1
        -(z1[:, :, None, :] * t3[:, :, :, None]),  # W2
        -t4,  # b1
        -t3,  # b2
        (0.5 * t2)[:, :, :, None] * t2[:, :, None, :] - 0.5 * pt.linalg.inv(P1),  # P1
        (0.5 * t0)[:, :, :, None] * t0[:, :, None, :] - 0.5 * pt.linalg.inv(P2),  # P2
    )


def contrast(P1, P2, z2, W2, z1, b2, b1, x, W1, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    t0 = z2 - (z1 @ W2.T + b2)
    t1 = pt.tanh(b1 + x @ W1.T)
    t2 = z1 - t1
    t3 = 1 - t1 * t1
    t4 = 1 / x.shape[0]
    t5 = weight * t4
    t6 = tensordot(t2, t5, axes=([0], [0]))
    t7 = pt.sum(0.5 * weight, axis=-1)
    t8 = weight * (0.5 * t4)
    return (
        -(pt.einsum("abc,cb->ac", (P1[:, :, None] * t3.T[:, None, :]), t6) @ x),  # W1
        -(P2 @ tensordot(t5, pt.einsum("abc,abd->adc", z1, t0), axes=([0], [0]))),  # W2
        -pt.sum(P1 * (t3.T @ t6), axis=-1),  # b1
        -((t5 @ pt.sum(t0, axis=-2)) @ P2.T),  # b2
        tensordot(t8, pt.einsum("abc,abd->acd", t2, t2), axes=([0], [0])) - pt.linalg.inv(P1) * t7,  # P1
        tensordot(t8, pt.einsum("abc,abd->acd", t0, t0), axes=([0], [0])) - pt.linalg.inv(P2) * t7,  # P2
    )


def grad_z1(P1, z2, W2, z1, b2, c1, c3):
    """dF/dz1"""
    return (
        (z1 - c1) @ P1.T - (z2 - (z1 @ W2.T + b2)) @ c3.T,  # z1
    )


def curvature_z1(c4, z1):
    """d2F/dz12 (dense)"""
    return (
        pt.broadcast_to(c4, (z1.shape[0], z1.shape[1], z1.shape[2], z1.shape[2],)),  # z1
    )


def grad_z2(P2, z2, W2, z1, b2, y, beta):
    """dF/dz2"""
    return (
        (z2 - (z1 @ W2.T + b2)) @ P2.T + (z2 - y) * beta[:, None, None],  # z2
    )


def curvature_z2(P2, beta, x):
    """d2F/dz22 (dense)"""
    return (
        pt.broadcast_to((P2 + beta[:, None, None] * pt.eye(P2.shape[0], dtype=P2.dtype))[:, None, :, :], (beta.shape[0], x.shape[0], P2.shape[0], P2.shape[0],)),  # z2
    )


def hessian(P2, beta, c4, c6):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    return (
        c4,  # z1|z1
        c6,  # z1|z2
        P2,  # z2|z2
        beta[:, None, None],  # z2|+
    )


def hvp(P1, P2, W2, beta, c5, v_z1, v_z2):
    """d2F/ds2 times v"""
    t0 = v_z2 @ P2.T - v_z1 @ c5
    return (
        v_z1 @ P1.T - t0 @ W2,  # z1
        t0 + beta[:, None, None] * v_z2,  # z2
    )


def mixed(P1, P2, z2, W2, z1, b2, b1, x, W1, weight, v_z1, v_z2):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    t0 = z2 - (z1 @ W2.T + b2)
    t1 = pt.tanh(b1 + x @ W1.T)
    t2 = z1 - t1
    t3 = 1 - t1 * t1
    t4 = 1 / x.shape[0]
    t5 = weight * t4
    t6 = weight * (0.5 * t4)
    t7 = v_z2 @ P2.T - v_z1 @ tensordot(P2, W2, axes=([1], [0])).T
    t8 = tensordot(t5, v_z1, axes=([0], [0]))
    t9 = tensordot(t5, pt.einsum("abc,abd->acd", t7, z1), axes=([0], [0])) + P2 @ tensordot(t5, pt.einsum("abc,abd->adc", v_z1, t0), axes=([0], [0]))
    t10 = t2[:, :, :, None] * v_z1[:, :, None, :] + t2[:, :, None, :] * v_z1[:, :, :, None]
    t11 = t0[:, :, None, :] * v_z2[:, :, :, None]
    t12 = t0[:, :, None, :] * (v_z1 @ W2.T)[:, :, :, None]
    return (
        -(pt.einsum("abc,cb->ac", (P1[:, :, None] * t3.T[:, None, :]), t8) @ x),  # W1
        -t9,  # W2
        -pt.sum(P1 * (t3.T @ t8), axis=-1),  # b1
        -(t5 @ pt.sum(t7, axis=-2)),  # b2
        tensordot(pt.sum(t10, axis=-3), t6, axes=([0], [0])),  # P1
        tensordot(t6, pt.sum(t11 + pt.transpose((t11 - t12), (0, 1, 3, 2)) - t12, axis=-3), axes=([0], [0])),  # P2
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
    return (
        pt.full((W1.shape[0], W1.shape[1],), 0, dtype=W1.dtype),  # W1
        pt.full((y.shape[1], W1.shape[0],), 0, dtype=W1.dtype),  # W2
        pt.full((W1.shape[0],), 0, dtype=W1.dtype),  # b1
        pt.full((y.shape[1],), 0, dtype=y.dtype),  # b2
        pt.full((W1.shape[0], W1.shape[0],), 0, dtype=W1.dtype),  # P1
        pt.full((y.shape[1], y.shape[1],), 0, dtype=y.dtype),  # P2
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
        a_z1 @ P1.T,  # z1
    )


def covariance_z1(P1):
    """the covariance of z1"""
    return (
        pt.linalg.inv(P1),  # z1
    )


def weigh_z2(P2, a_z2):
    """rows times the precision of z2"""
    return (
        a_z2 @ P2.T,  # z2
    )


def covariance_z2(P2):
    """the covariance of z2"""
    return (
        pt.linalg.inv(P2),  # z2
    )
