# ruff: noqa
"""Generated: excitatory_inhibitory in pytensor. Rewrite with `pytest tests --update`."""


def drive(W_e, W_i, x, U):
    """what stays fixed while a phase relaxes"""
    return (
        0.5 * W_e,  # c0
        0.5 * W_i,  # c1
        x @ U.T,  # c2
        1 * pt.eye(W_e.shape[0], dtype=W_e.dtype),  # c3
        1 * pt.eye(W_i.shape[0], dtype=W_i.dtype),  # c4
    )


def energy(beta, u, y, c0, v, c, K, b, c1, c2):
    """F = E + beta C"""
    t0 = u - y
    tanh_u = pt.tanh(u)
    tanh_v = pt.tanh(v)
    t1 = pt.sum(tanh_v * (tanh_u @ K), axis=-1) + tensordot(tanh_v, c, axes=([2], [0])) + 0.5 * pt.sum(u * u, axis=-1)
    t2 = t1 - pt.sum(tanh_u * (tanh_u @ c0), axis=-1) - tensordot(tanh_u, b, axes=([2], [0]))
    t3 = t2 - pt.sum(tanh_v * (tanh_v @ c1), axis=-1) - 0.5 * pt.sum(v * v, axis=-1) - pt.einsum("abc,bc->ab", tanh_u, c2)
    return (
        pt.sum(t0 * t0, axis=-1) * (0.5 * beta)[:, None] + t3,  # F
    )


def force(beta, u, y, W_e, v, c, K, b, W_i, c2):
    """-dF/ds"""
    tanh_u = pt.tanh(u)
    tanh_v = pt.tanh(v)
    t0 = (tanh_v @ K.T - tanh_u @ W_e.T - c2 - b) * (1 - tanh_u * tanh_u) + u + (u - y) * beta[:, None, None]
    return (
        -t0,  # u
        v - (1 - tanh_v * tanh_v) * (c + tanh_u @ K - tanh_v @ W_i.T),  # v
    )


def rule(u, v, x):
    """dF/dtheta at fixed state, per sample"""
    tanh_u = pt.tanh(u)
    tanh_v = pt.tanh(v)
    return (
        -((0.5 * tanh_u)[:, :, :, None] * tanh_u[:, :, None, :]),  # W_e
        tanh_v[:, :, None, :] * tanh_u[:, :, :, None],  # K
        -(tanh_v[:, :, None, :] * (0.5 * tanh_v)[:, :, :, None]),  # W_i
        -(tanh_u[:, :, :, None] * x[:, None, :]),  # U
        -tanh_u,  # b
        tanh_v,  # c
    )


def contrast(u, v, x, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    tanh_u = pt.tanh(u)
    tanh_v = pt.tanh(v)
    t0 = 1 / x.shape[0]
    t1 = weight * (0.5 * t0)
    t2 = weight * t0
    return (
        -tensordot(t1, pt.einsum("abc,abd->acd", tanh_u, tanh_u), axes=([0], [0])),  # W_e
        tensordot(t2, pt.einsum("abc,abd->adc", tanh_u, tanh_v), axes=([0], [0])).T,  # K
        -tensordot(t1, pt.einsum("abc,abd->acd", tanh_v, tanh_v), axes=([0], [0])),  # W_i
        -(tensordot(t2, tanh_u, axes=([0], [0])).T @ x),  # U
        -(t2 @ pt.sum(tanh_u, axis=-2)),  # b
        t2 @ pt.sum(tanh_v, axis=-2),  # c
    )


def grad_u(beta, u, y, W_e, v, K, b, c2):
    """dF/du"""
    tanh_u = pt.tanh(u)
    return (
        (u - y) * beta[:, None, None] + u + (pt.tanh(v) @ K.T - tanh_u @ W_e.T - c2 - b) * (1 - tanh_u * tanh_u),  # u
    )


def curvature_u(beta, u, W_e, v, K, b, c2, c3):
    """d2F/du2 (dense)"""
    tanh_u = pt.tanh(u)
    t0 = tanh_u * tanh_u
    t1 = 1 - t0
    t2 = pt.eye(W_e.shape[0], dtype=W_e.dtype) * ((pt.tanh(v) @ K.T - tanh_u @ W_e.T - c2 - b) * (-(tanh_u * (2 - 2 * t0))))[:, :, :, None]
    t3 = (beta[:, None, None] * pt.eye(W_e.shape[0], dtype=W_e.dtype))[:, None, :, :] + t2 + c3
    return (
        t3 - (W_e * t1[:, :, :, None]) * t1[:, :, None, :],  # u
    )


def grad_v(u, v, c, K, W_i):
    """dF/dv"""
    tanh_v = pt.tanh(v)
    return (
        (1 - tanh_v * tanh_v) * (c + pt.tanh(u) @ K - tanh_v @ W_i.T) - v,  # v
    )


def curvature_v(u, v, c, K, W_i, c4):
    """d2F/dv2 (dense)"""
    tanh_v = pt.tanh(v)
    t0 = tanh_v * tanh_v
    t1 = 1 - t0
    t2 = pt.eye(K.shape[1], dtype=K.dtype) * ((c + pt.tanh(u) @ K - tanh_v @ W_i.T) * (-(tanh_v * (2 - 2 * t0))))[:, :, :, None]
    return (
        t2 - (W_i * t1[:, :, :, None]) * t1[:, :, None, :] - c4,  # v
    )


def hessian(beta, u, W_e, v, c, K, b, W_i, c2):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    tanh_u = pt.tanh(u)
    tanh_v = pt.tanh(v)
    t0 = tanh_u * tanh_u
    t1 = 1 - t0
    t2 = tanh_v * tanh_v
    t3 = 1 - t2
    t4 = beta[:, None, None] + (tanh_v @ K.T - tanh_u @ W_e.T - c2 - b) * (-(tanh_u * (2 - 2 * t0)))
    return (
        -((W_e * t1[:, :, :, None]) * t1[:, :, None, :]),  # u|u
        1 + t4,  # u|+
        t1[:, :, :, None] * pt.transpose((t3[:, :, :, None] * K.T), (0, 1, 3, 2)),  # u|v
        -((W_i * t3[:, :, :, None]) * t3[:, :, None, :]),  # v|v
        (c + tanh_u @ K - tanh_v @ W_i.T) * (-(tanh_v * (2 - 2 * t2))) - 1,  # v|+
    )


def hvp(beta, u, W_e, v, c, K, b, W_i, c2, v_u, v_v):
    """d2F/ds2 times v"""
    tanh_u = pt.tanh(u)
    tanh_v = pt.tanh(v)
    t0 = tanh_u * tanh_u
    t1 = 1 - t0
    t2 = tanh_v * tanh_v
    t3 = 1 - t2
    t4 = (-(tanh_u * (2 - 2 * t0))) * ((tanh_v @ K.T - tanh_u @ W_e.T - c2 - b) * v_u)
    t5 = t1 * v_u
    t6 = t3 * v_v
    t7 = (c + tanh_u @ K - tanh_v @ W_i.T) * ((-(tanh_v * (2 - 2 * t2))) * v_v) + t3 * (t5 @ K - t6 @ W_i.T)
    return (
        t1 * (t6 @ K.T - t5 @ W_e.T) + v_u + t4 + beta[:, None, None] * v_u,  # u
        t7 - v_v,  # v
    )


def mixed(u, v, x, weight, v_u, v_v):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    tanh_u = pt.tanh(u)
    tanh_v = pt.tanh(v)
    t0 = 1 - tanh_u * tanh_u
    t1 = 1 - tanh_v * tanh_v
    t2 = 1 / x.shape[0]
    t3 = weight * (0.5 * t2)
    t4 = weight * t2
    t5 = t0 * v_u
    t6 = t1 * v_v
    t7 = tanh_u[:, :, None, :] * t5[:, :, :, None] + tanh_u[:, :, :, None] * t5[:, :, None, :]
    t8 = tanh_v[:, :, :, None] * t6[:, :, None, :] + tanh_v[:, :, None, :] * t6[:, :, :, None]
    return (
        -tensordot(pt.sum(t7, axis=-3), t3, axes=([0], [0])),  # W_e
        tensordot(t4, pt.einsum("abc,abd->adc", t5, tanh_v), axes=([0], [0])).T + tensordot(t4, pt.einsum("abc,abd->acd", tanh_u, t6), axes=([0], [0])),  # K
        -tensordot(pt.sum(t8, axis=-3), t3, axes=([0], [0])),  # W_i
        -(pt.einsum("abc,abc->bc", t0, (v_u * t4[:, None, None])).T @ x),  # U
        -(t4 @ pt.einsum("abc,abc->ac", t0, v_u)),  # b
        t4 @ pt.einsum("abc,abc->ac", t1, v_v),  # c
    )


def cost(u, y):
    """C"""
    t0 = u - y
    return (
        0.5 * pt.sum(t0 * t0, axis=-1),  # C
    )


def cost_gradient(u, y, K):
    """dC/ds"""
    return (
        u - y,  # u
        pt.full((u.shape[0], y.shape[0], K.shape[1],), 0, dtype=K.dtype),  # v
    )


def cost_rule(y, K, x):
    """batch mean of dC/dtheta"""
    return (
        pt.full((y.shape[1], y.shape[1],), 0, dtype=y.dtype),  # W_e
        pt.full((y.shape[1], K.shape[1],), 0, dtype=K.dtype),  # K
        pt.full((K.shape[1], K.shape[1],), 0, dtype=K.dtype),  # W_i
        pt.full((y.shape[1], x.shape[1],), 0, dtype=x.dtype),  # U
        pt.full((y.shape[1],), 0, dtype=y.dtype),  # b
        pt.full((K.shape[1],), 0, dtype=K.dtype),  # c
    )
