# ruff: noqa
"""Generated: predictive_wf in pytensor. Rewrite with `pytest tests --update`."""


def drive(y, b1, x, W1, W2):
    """what stays fixed while a phase relaxes"""
    return (
        pt.sum(y, axis=-1),  # c0
        b1 + x @ W1.T,  # c1
        1 * pt.eye(W1.shape[0], dtype=W1.dtype),  # c2
        W2.T @ W2,  # c3
        1 * pt.eye(y.shape[1], dtype=y.dtype),  # c4
    )


def energy(beta, y, z2, c0, c1, z1, b2, W2):
    """F = E + beta C"""
    t0 = z1 - c1
    t1 = z2 - (b2 + pt.tanh(z1) @ W2.T)
    return (
        (logsumexp(z2) * c0 - pt.einsum("abc,bc->ab", z2, y)) * beta[:, None] + 0.5 * pt.sum(t0 * t0, axis=-1) + 0.5 * pt.sum(t1 * t1, axis=-1),  # F
    )


def force(beta, y, z2, c0, c1, z1, b2, W2):
    """-dF/ds"""
    tanh_z1 = pt.tanh(z1)
    t0 = z2 - (b2 + tanh_z1 @ W2.T)
    return (
        (1 - tanh_z1 * tanh_z1) * (t0 @ W2) - (z1 - c1),  # z1
        y * beta[:, None, None] - softmax(z2) * (c0 * beta[:, None])[:, :, None] - t0,  # z2
    )


def rule(z2, b1, x, W1, z1, b2, W2):
    """dF/dtheta at fixed state, per sample"""
    t0 = z1 - (b1 + x @ W1.T)
    tanh_z1 = pt.tanh(z1)
    t1 = z2 - (b2 + tanh_z1 @ W2.T)
    return (
        -(t0[:, :, :, None] * x[:, None, :]),  # W1
        -(tanh_z1[:, :, None, :] * t1[:, :, :, None]),  # W2
        -t0,  # b1
        -t1,  # b2
    )


def contrast(z2, b1, x, W1, z1, b2, W2, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    t0 = z1 - (b1 + x @ W1.T)
    tanh_z1 = pt.tanh(z1)
    t1 = z2 - (b2 + tanh_z1 @ W2.T)
    t2 = weight * (1 / x.shape[0])
    return (
        -(tensordot(t0, t2, axes=([0], [0])).T @ x),  # W1
        -tensordot((t1 * t2[:, None, None]), tanh_z1, axes=([0, 1], [0, 1])),  # W2
        -(t2 @ pt.sum(t0, axis=-2)),  # b1
        -(t2 @ pt.sum(t1, axis=-2)),  # b2
    )


def grad_z1(z2, c1, z1, b2, W2):
    """dF/dz1"""
    tanh_z1 = pt.tanh(z1)
    return (
        z1 - c1 - (1 - tanh_z1 * tanh_z1) * ((z2 - (b2 + tanh_z1 @ W2.T)) @ W2),  # z1
    )


def curvature_z1(z2, z1, b2, W2, c2, c3):
    """d2F/dz12 (dense)"""
    tanh_z1 = pt.tanh(z1)
    t0 = tanh_z1 * tanh_z1
    t1 = 1 - t0
    t2 = pt.eye(W2.shape[1], dtype=W2.dtype) * (((z2 - (b2 + tanh_z1 @ W2.T)) @ W2) * (-(tanh_z1 * (2 - 2 * t0))))[:, :, :, None]
    return (
        c2 + c3 * (t1[:, :, :, None] * t1[:, :, None, :]) - t2,  # z1
    )


def grad_z2(beta, y, z2, c0, z1, b2, W2):
    """dF/dz2"""
    t0 = z2 - (b2 + pt.tanh(z1) @ W2.T) + softmax(z2) * (c0 * beta[:, None])[:, :, None]
    return (
        t0 - y * beta[:, None, None],  # z2
    )


def curvature_z2(beta, z2, c0, c4):
    """d2F/dz22 (dense)"""
    t0 = softmax(z2)
    t1 = c0 * beta[:, None]
    t2 = pt.eye(z2.shape[2], dtype=z2.dtype) * t1[:, :, None, None] - (t0 * t1[:, :, None])[:, :, :, None]
    return (
        c4 + t2 * t0[:, :, None, :],  # z2
    )


def hessian(beta, z2, c0, z1, b2, W2, c3):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    tanh_z1 = pt.tanh(z1)
    t0 = tanh_z1 * tanh_z1
    t1 = 1 - t0
    t2 = softmax(z2)
    t3 = c0 * beta[:, None]
    t4 = pt.eye(W2.shape[0], dtype=W2.dtype) * t3[:, :, None, None] - (t2 * t3[:, :, None])[:, :, :, None]
    return (
        c3 * (t1[:, :, :, None] * t1[:, :, None, :]),  # z1|z1
        1 - ((z2 - (b2 + tanh_z1 @ W2.T)) @ W2) * (-(tanh_z1 * (2 - 2 * t0))),  # z1|+
        -(t1[:, :, :, None] * W2.T),  # z1|z2
        t4 * t2[:, :, None, :],  # z2|z2
        pt.full((z1.shape[0], z1.shape[1], W2.shape[0],), 1, dtype=W2.dtype),  # z2|+
    )


def hvp(beta, z2, c0, z1, b2, W2, v_z1, v_z2):
    """d2F/ds2 times v"""
    tanh_z1 = pt.tanh(z1)
    t0 = tanh_z1 * tanh_z1
    t1 = 1 - t0
    t2 = softmax(z2)
    t3 = c0 * beta[:, None]
    t4 = v_z2 - (t1 * v_z1) @ W2.T
    t5 = v_z1 - ((z2 - (b2 + tanh_z1 @ W2.T)) @ W2) * ((-(tanh_z1 * (2 - 2 * t0))) * v_z1)
    return (
        t5 - t1 * (t4 @ W2),  # z1
        t4 + t2 * (t3[:, :, None] * v_z2 - (t3 * pt.sum(t2 * v_z2, axis=-1))[:, :, None]),  # z2
    )


def mixed(z2, x, z1, b2, W2, weight, v_z1, v_z2):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    tanh_z1 = pt.tanh(z1)
    t0 = weight * (1 / x.shape[0])
    t1 = (1 - tanh_z1 * tanh_z1) * v_z1
    t2 = v_z2 - t1 @ W2.T
    t3 = tensordot(((z2 - (b2 + tanh_z1 @ W2.T)) * t0[:, None, None]), t1, axes=([0, 1], [0, 1]))
    return (
        -(tensordot(t0, v_z1, axes=([0], [0])).T @ x),  # W1
        -(tensordot((t0[:, None, None] * t2), tanh_z1, axes=([0, 1], [0, 1])) + t3),  # W2
        -(t0 @ pt.sum(v_z1, axis=-2)),  # b1
        -(t0 @ pt.sum(t2, axis=-2)),  # b2
    )


def start(b1, x, W1, b2, W2):
    """first states: a forward pass"""
    t0 = b1 + x @ W1.T
    return (
        t0,  # z1
        b2 + pt.tanh(t0) @ W2.T,  # z2
    )


def cost(y, z2):
    """C"""
    return (
        logsumexp(z2) * pt.sum(y, axis=-1) - pt.einsum("abc,bc->ab", z2, y),  # C
    )


def cost_gradient(y, z2, W1):
    """dC/ds"""
    return (
        pt.full((z2.shape[0], y.shape[0], W1.shape[0],), 0, dtype=W1.dtype),  # z1
        softmax(z2) * pt.sum(y, axis=-1)[:, None] - y,  # z2
    )


def cost_rule(W1, y):
    """batch mean of dC/dtheta"""
    return (
        pt.full((W1.shape[0], W1.shape[1],), 0, dtype=W1.dtype),  # W1
        pt.full((y.shape[1], W1.shape[0],), 0, dtype=W1.dtype),  # W2
        pt.full((W1.shape[0],), 0, dtype=W1.dtype),  # b1
        pt.full((y.shape[1],), 0, dtype=y.dtype),  # b2
    )
