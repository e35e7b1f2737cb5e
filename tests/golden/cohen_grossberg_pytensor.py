# ruff: noqa
"""Generated: cohen_grossberg in pytensor. Rewrite with `pytest tests --update`."""


def drive(x, W1, W2):
    """what stays fixed while a phase relaxes"""
    return (
        x @ W1,  # c0
        W2 * W2,  # c1
    )


def energy(y, s2, beta, s1, c0, W2, b1, b2):
    """F = E + beta C"""
    t0 = s2 - y
    tanh_s1 = pt.tanh(s1)
    tanh_s2 = pt.tanh(s2)
    t1 = pt.sum(s1 * tanh_s1, axis=-1) + pt.sum(s2 * tanh_s2, axis=-1) - pt.sum(pt.softplus(2 * s2) - 0.6931471805599453 - s2, axis=-1)
    t2 = t1 - pt.einsum("abc,bc->ab", tanh_s1, c0) - pt.sum(tanh_s2 * (tanh_s1 @ W2), axis=-1)
    t3 = t2 - tensordot(tanh_s1, b1, axes=([2], [0])) - pt.sum(pt.softplus(2 * s1) - 0.6931471805599453 - s1, axis=-1)
    return (
        pt.sum(t0 * t0, axis=-1) * (0.5 * beta)[:, None] + t3 - tensordot(tanh_s2, b2, axes=([2], [0])),  # F
    )


def force(y, s2, beta, s1, c0, W2, b1, b2):
    """-dF/ds"""
    tanh_s1 = pt.tanh(s1)
    tanh_s2 = pt.tanh(s2)
    t0 = (s2 - y) * beta[:, None, None] + (1 - tanh_s2 * tanh_s2) * (s2 - b2 - tanh_s1 @ W2)
    return (
        -((1 - tanh_s1 * tanh_s1) * (s1 - b1 - c0 - tanh_s2 @ W2.T)),  # s1
        -t0,  # s2
    )


def rule(s2, x, s1):
    """dF/dtheta at fixed state, per sample"""
    tanh_s1 = pt.tanh(s1)
    tanh_s2 = pt.tanh(s2)
    return (
        -(x[:, :, None] * tanh_s1[:, :, None, :]),  # W1
        -(tanh_s2[:, :, None, :] * tanh_s1[:, :, :, None]),  # W2
        -tanh_s1,  # b1
        -tanh_s2,  # b2
    )


def contrast(s2, x, s1, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    tanh_s1 = pt.tanh(s1)
    tanh_s2 = pt.tanh(s2)
    t0 = weight * (1 / x.shape[0])
    return (
        -(x.T @ tensordot(t0, tanh_s1, axes=([0], [0]))),  # W1
        -tensordot(tanh_s1, (tanh_s2 * t0[:, None, None]), axes=([0, 1], [0, 1])),  # W2
        -(t0 @ pt.sum(tanh_s1, axis=-2)),  # b1
        -(t0 @ pt.sum(tanh_s2, axis=-2)),  # b2
    )


def grad_s1(s2, s1, c0, W2, b1):
    """dF/ds1"""
    tanh_s1 = pt.tanh(s1)
    return (
        (1 - tanh_s1 * tanh_s1) * (s1 - b1 - c0 - pt.tanh(s2) @ W2.T),  # s1
    )


def curvature_s1(s2, s1, c0, W2, b1):
    """d2F/ds12 (diagonal)"""
    tanh_s1 = pt.tanh(s1)
    t0 = tanh_s1 * tanh_s1
    return (
        1 - t0 + (s1 - b1 - c0 - pt.tanh(s2) @ W2.T) * (-(tanh_s1 * (2 - 2 * t0))),  # s1
    )


def grad_s2(y, s2, beta, s1, W2, b2):
    """dF/ds2"""
    tanh_s2 = pt.tanh(s2)
    return (
        (s2 - y) * beta[:, None, None] + (1 - tanh_s2 * tanh_s2) * (s2 - b2 - pt.tanh(s1) @ W2),  # s2
    )


def curvature_s2(s2, beta, s1, W2, b2):
    """d2F/ds22 (diagonal)"""
    tanh_s2 = pt.tanh(s2)
    t0 = tanh_s2 * tanh_s2
    t1 = beta[:, None, None] + (s2 - b2 - pt.tanh(s1) @ W2) * (-(tanh_s2 * (2 - 2 * t0)))
    return (
        1 - t0 + t1,  # s2
    )


def screen_s1_s2(s2, s1, d_s2, c1):
    """how far s2 giving way lowers the curvature of s1"""
    tanh_s1 = pt.tanh(s1)
    tanh_s2 = pt.tanh(s2)
    t0 = 1 - tanh_s1 * tanh_s1
    t1 = 1 - tanh_s2 * tanh_s2
    return (
        (t0 * t0) * ((t1 * (t1 * (1 / d_s2))) @ c1.T),  # s1
    )


def screen_s2_s1(s2, s1, c1, d_s1):
    """how far s1 giving way lowers the curvature of s2"""
    tanh_s1 = pt.tanh(s1)
    tanh_s2 = pt.tanh(s2)
    t0 = 1 - tanh_s1 * tanh_s1
    t1 = 1 - tanh_s2 * tanh_s2
    return (
        (t1 * t1) * ((t0 * (t0 * (1 / d_s1))) @ c1),  # s2
    )


def hessian(s2, beta, s1, c0, W2, b1, b2):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    tanh_s1 = pt.tanh(s1)
    tanh_s2 = pt.tanh(s2)
    t0 = tanh_s1 * tanh_s1
    t1 = 1 - t0
    t2 = tanh_s2 * tanh_s2
    t3 = 1 - t2
    return (
        t1 + (s1 - b1 - c0 - tanh_s2 @ W2.T) * (-(tanh_s1 * (2 - 2 * t0))),  # s1|s1
        -(W2 * pt.transpose((t3[:, :, :, None] * t1[:, :, None, :]), (0, 1, 3, 2))),  # s1|s2
        t3 + beta[:, None, None] + (s2 - b2 - tanh_s1 @ W2) * (-(tanh_s2 * (2 - 2 * t2))),  # s2|s2
    )


def hvp(s2, beta, s1, c0, W2, b1, b2, v_s1, v_s2):
    """d2F/ds2 times v"""
    tanh_s1 = pt.tanh(s1)
    tanh_s2 = pt.tanh(s2)
    t0 = tanh_s1 * tanh_s1
    t1 = 1 - t0
    t2 = tanh_s2 * tanh_s2
    t3 = 1 - t2
    t4 = t3 * v_s2
    t5 = t1 * v_s1
    t6 = (-(tanh_s2 * (2 - 2 * t2))) * ((s2 - b2 - tanh_s1 @ W2) * v_s2) + t4 + beta[:, None, None] * v_s2
    return (
        (s1 - b1 - c0 - tanh_s2 @ W2.T) * ((-(tanh_s1 * (2 - 2 * t0))) * v_s1) + t5 - t1 * (t4 @ W2.T),  # s1
        t6 - t3 * (t5 @ W2),  # s2
    )


def mixed(s2, x, s1, weight, v_s1, v_s2):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    tanh_s1 = pt.tanh(s1)
    tanh_s2 = pt.tanh(s2)
    t0 = 1 - tanh_s1 * tanh_s1
    t1 = 1 - tanh_s2 * tanh_s2
    t2 = weight * (1 / x.shape[0])
    t3 = tensordot((t0 * v_s1), (tanh_s2 * t2[:, None, None]), axes=([0, 1], [0, 1])) + tensordot(tanh_s1, (t2[:, None, None] * (t1 * v_s2)), axes=([0, 1], [0, 1]))
    return (
        -(x.T @ pt.einsum("abc,abc->bc", t0, (t2[:, None, None] * v_s1))),  # W1
        -t3,  # W2
        -(t2 @ pt.einsum("abc,abc->ac", t0, v_s1)),  # b1
        -(t2 @ pt.einsum("abc,abc->ac", t1, v_s2)),  # b2
    )


def start(x, W1, W2, b1, b2):
    """first states: a forward pass"""
    t0 = x @ W1 + b1
    return (
        t0,  # s1
        b2 + pt.tanh(t0) @ W2,  # s2
    )


def cost(y, s2):
    """C"""
    t0 = s2 - y
    return (
        0.5 * pt.sum(t0 * t0, axis=-1),  # C
    )


def cost_gradient(y, s2, W1):
    """dC/ds"""
    return (
        pt.full((s2.shape[0], y.shape[0], W1.shape[1],), 0, dtype=W1.dtype),  # s1
        s2 - y,  # s2
    )


def cost_rule(x, W1, y):
    """batch mean of dC/dtheta"""
    return (
        pt.full((x.shape[1], W1.shape[1],), 0, dtype=W1.dtype),  # W1
        pt.full((W1.shape[1], y.shape[1],), 0, dtype=y.dtype),  # W2
        pt.full((W1.shape[1],), 0, dtype=W1.dtype),  # b1
        pt.full((y.shape[1],), 0, dtype=y.dtype),  # b2
    )
