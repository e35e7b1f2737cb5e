# ruff: noqa
"""Generated: recurrent in pytensor. Rewrite with `pytest tests --update`."""


def drive(W, x, U, b):
    """what stays fixed while a phase relaxes"""
    t0 = x @ U.T
    return (
        0.5 * W,  # c0
        t0,  # c1
        t0 + b,  # c2
        1 * pt.eye(W.shape[0], dtype=W.dtype),  # c3
    )


def energy(s, y, beta, c0, c1, b):
    """F = E + beta C"""
    t0 = s - y
    tanh_s = pt.tanh(s)
    t1 = 0.5 * pt.sum(s * s, axis=-1) - pt.sum(tanh_s * (tanh_s @ c0), axis=-1) - pt.einsum("abc,bc->ab", tanh_s, c1)
    return (
        pt.sum(t0 * t0, axis=-1) * (0.5 * beta)[:, None] + t1 - tensordot(tanh_s, b, axes=([2], [0])),  # F
    )


def force(s, y, beta, W, c2):
    """-dF/ds"""
    tanh_s = pt.tanh(s)
    return (
        (1 - tanh_s * tanh_s) * (tanh_s @ W.T + c2) - s - (s - y) * beta[:, None, None],  # s
    )


def rule(s, x):
    """dF/dtheta at fixed state, per sample"""
    tanh_s = pt.tanh(s)
    return (
        -((0.5 * tanh_s)[:, :, :, None] * tanh_s[:, :, None, :]),  # W
        -tanh_s,  # b
        -(x[:, None, :] * tanh_s[:, :, :, None]),  # U
    )


def contrast(s, x, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    tanh_s = pt.tanh(s)
    t0 = 1 / x.shape[0]
    t1 = tensordot((weight * (0.5 * t0)), pt.einsum("abc,abd->acd", tanh_s, tanh_s), axes=([0], [0]))
    t2 = weight * t0
    return (
        -t1,  # W
        -(t2 @ pt.sum(tanh_s, axis=-2)),  # b
        -(tensordot(t2, tanh_s, axes=([0], [0])).T @ x),  # U
    )


def grad_s(s, y, beta, W, c2):
    """dF/ds"""
    tanh_s = pt.tanh(s)
    return (
        s + (s - y) * beta[:, None, None] - (1 - tanh_s * tanh_s) * (tanh_s @ W.T + c2),  # s
    )


def curvature_s(s, beta, W, c2, c3):
    """d2F/ds2 (dense)"""
    tanh_s = pt.tanh(s)
    t0 = tanh_s * tanh_s
    t1 = 1 - t0
    t2 = pt.eye(W.shape[0], dtype=W.dtype) * ((tanh_s @ W.T + c2) * (-(tanh_s * (2 - 2 * t0))))[:, :, :, None]
    t3 = c3 + (beta[:, None, None] * pt.eye(W.shape[0], dtype=W.dtype))[:, None, :, :]
    return (
        t3 - t2 - (W * t1[:, :, :, None]) * t1[:, :, None, :],  # s
    )


def hessian(s, beta, W, c2):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    tanh_s = pt.tanh(s)
    t0 = tanh_s * tanh_s
    t1 = 1 - t0
    return (
        -((W * t1[:, :, :, None]) * t1[:, :, None, :]),  # s|s
        1 + beta[:, None, None] - (tanh_s @ W.T + c2) * (-(tanh_s * (2 - 2 * t0))),  # s|+
    )


def hvp(s, beta, W, c2, v_s):
    """d2F/ds2 times v"""
    tanh_s = pt.tanh(s)
    t0 = tanh_s * tanh_s
    t1 = 1 - t0
    t2 = v_s + beta[:, None, None] * v_s - (tanh_s @ W.T + c2) * ((-(tanh_s * (2 - 2 * t0))) * v_s)
    return (
        t2 - t1 * ((t1 * v_s) @ W.T),  # s
    )


def mixed(s, x, weight, v_s):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    tanh_s = pt.tanh(s)
    t0 = 1 - tanh_s * tanh_s
    t1 = 1 / x.shape[0]
    t2 = weight * t1
    t3 = t0 * v_s
    t4 = tanh_s[:, :, :, None] * t3[:, :, None, :] + tanh_s[:, :, None, :] * t3[:, :, :, None]
    return (
        -tensordot(pt.sum(t4, axis=-3), (weight * (0.5 * t1)), axes=([0], [0])),  # W
        -(t2 @ pt.einsum("abc,abc->ac", t0, v_s)),  # b
        -(pt.einsum("abc,abc->bc", v_s, (t0 * t2[:, None, None])).T @ x),  # U
    )


def cost(s, y):
    """C"""
    t0 = s - y
    return (
        0.5 * pt.sum(t0 * t0, axis=-1),  # C
    )


def cost_gradient(s, y):
    """dC/ds"""
    return (
        s - y,  # s
    )


def cost_rule(y, x):
    """batch mean of dC/dtheta"""
    return (
        pt.full((y.shape[1], y.shape[1],), 0, dtype=y.dtype),  # W
        pt.full((y.shape[1],), 0, dtype=y.dtype),  # b
        pt.full((y.shape[1], x.shape[1],), 0, dtype=x.dtype),  # U
    )
