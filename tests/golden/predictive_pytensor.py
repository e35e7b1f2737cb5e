# ruff: noqa
"""Generated: predictive in pytensor. Rewrite with `pytest tests --update`."""


def drive(b1, x, W1, W2):
    """what stays fixed while a phase relaxes"""
    t0 = W2.T @ W2
    return (
        pt.tanh(b1 + x @ W1.T),  # c0
        t0,  # c1
        t0 + pt.eye(W1.shape[0], dtype=W1.dtype),  # c2
        -W2.T,  # c3
    )


def energy(c0, z1, z2, W2, b2, y, beta):
    """F = E + beta C"""
    t0 = z1 - c0
    t1 = z2 - (z1 @ W2.T + b2)
    t2 = z2 - y
    return (
        0.5 * pt.sum(t0 * t0, axis=-1) + 0.5 * pt.sum(t1 * t1, axis=-1) + pt.sum(t2 * t2, axis=-1) * (0.5 * beta)[:, None],  # F
    )


def force(c0, z1, z2, W2, b2, y, beta):
    """-dF/ds"""
    t0 = z2 - (z1 @ W2.T + b2)
    return (
        t0 @ W2 - (z1 - c0),  # z1
        -(t0 + (z2 - y) * beta[:, None, None]),  # z2
    )


def rule(b1, x, W1, z1, z2, W2, b2):
    """dF/dtheta at fixed state, per sample"""
    t0 = pt.tanh(b1 + x @ W1.T)
    t1 = z2 - (z1 @ W2.T + b2)
    t2 = (z1 - t0) * (1 - t0 * t0)
    return (
        -(x[:, None, :] * t2[:, :, :, None]),  # W1
        -(t1[:, :, :, None] * z1[:, :, None, :]),  # W2
        -t2,  # b1
        -t1,  # b2
    )


def contrast(b1, x, W1, z1, z2, W2, b2, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    t0 = pt.tanh(b1 + x @ W1.T)
    t1 = z1 - t0
    t2 = z2 - (z1 @ W2.T + b2)
    t3 = 1 - t0 * t0
    t4 = weight * (1 / x.shape[0])
    return (
        -((t3 * tensordot(t1, t4, axes=([0], [0]))).T @ x),  # W1
        -tensordot((t2 * t4[:, None, None]), z1, axes=([0, 1], [0, 1])),  # W2
        -(t4 @ pt.einsum("abc,bc->ac", t1, t3)),  # b1
        -(t4 @ pt.sum(t2, axis=-2)),  # b2
    )


def grad_z1(c0, z1, z2, W2, b2):
    """dF/dz1"""
    return (
        z1 - c0 - (z2 - (z1 @ W2.T + b2)) @ W2,  # z1
    )


def curvature_z1(c2, z1):
    """d2F/dz12 (dense)"""
    return (
        pt.broadcast_to(c2, (z1.shape[0], z1.shape[1], z1.shape[2], z1.shape[2],)),  # z1
    )


def grad_z2(z1, z2, W2, b2, y, beta):
    """dF/dz2"""
    return (
        z2 - (z1 @ W2.T + b2) + (z2 - y) * beta[:, None, None],  # z2
    )


def curvature_z2(beta, x, y):
    """d2F/dz22 (diagonal)"""
    return (
        pt.broadcast_to((1 + beta)[:, None, None], (beta.shape[0], x.shape[0], y.shape[1],)),  # z2
    )


def hessian(beta, c1, x, W1, c3):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    return (
        c1,  # z1|z1
        pt.full((beta.shape[0], x.shape[0], W1.shape[0],), 1, dtype=W1.dtype),  # z1|+
        c3,  # z1|z2
        (1 + beta)[:, None, None],  # z2|z2
    )


def hvp(W2, beta, v_z1, v_z2):
    """d2F/ds2 times v"""
    t0 = v_z2 - v_z1 @ W2.T
    return (
        v_z1 - t0 @ W2,  # z1
        t0 + beta[:, None, None] * v_z2,  # z2
    )


def mixed(b1, x, W1, z1, z2, W2, b2, weight, v_z1, v_z2):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    t0 = pt.tanh(b1 + x @ W1.T)
    t1 = 1 - t0 * t0
    t2 = weight * (1 / x.shape[0])
    t3 = v_z2 - v_z1 @ W2.T
    t4 = tensordot(((z2 - (z1 @ W2.T + b2)) * t2[:, None, None]), v_z1, axes=([0, 1], [0, 1]))
    return (
        -((t1 * tensordot(t2, v_z1, axes=([0], [0]))).T @ x),  # W1
        -(t4 + tensordot((t2[:, None, None] * t3), z1, axes=([0, 1], [0, 1]))),  # W2
        -(t2 @ pt.einsum("abc,bc->ac", v_z1, t1)),  # b1
        -(t2 @ pt.sum(t3, axis=-2)),  # b2
    )


def start(b1, x, W1, W2, b2):
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
    )


def errors(c0, z1, W2, b2, y):
    """z - mu(z) of every free layer, y - mu(z) of the observed one"""
    return (
        z1 - c0,  # z1
        y - (z1 @ W2.T + b2),  # z2
    )


def misfit(c0, W2, b2, y, e_z1):
    """y - mu of the observed layer, from the errors"""
    return (
        y - (b2 + (c0 + e_z1) @ W2.T),  # r
    )


def unfold(c0, W2, b2, e_z1, e_z2):
    """the states, from the errors"""
    t0 = c0 + e_z1
    return (
        t0,  # z1
        b2 + t0 @ W2.T + e_z2,  # z2
    )


def adjoint_z1(W2, a_z2):
    """rows of adjoints of z1, from those of the layers that read it"""
    return (
        a_z2 @ W2,  # z1
    )
