# ruff: noqa
"""Generated: quadratic_chain in pytensor. Rewrite with `pytest tests --update`."""


def drive(W2, x, W1, A1, A2):
    """what stays fixed while a phase relaxes"""
    return (
        x @ W1,  # c0
        0.5 * A1,  # c1
        0.5 * A2,  # c2
        -W2,  # c3
    )


def energy(s1, W2, s2, c0, b1, c1, b2, c2, y, beta):
    """F = E + beta C"""
    t0 = pt.sum(s1 * (s1 @ c1), axis=-1) + pt.sum(s2 * (s2 @ c2), axis=-1) - pt.sum(s2 * (s1 @ W2), axis=-1)
    t1 = t0 - pt.einsum("abc,bc->ab", s1, c0) - tensordot(s1, b1, axes=([2], [0])) - tensordot(s2, b2, axes=([2], [0]))
    t2 = s2 - y
    return (
        t1 + pt.sum(t2 * t2, axis=-1) * (0.5 * beta)[:, None],  # F
    )


def force(s1, W2, s2, c0, b1, A1, b2, A2, y, beta):
    """-dF/ds"""
    return (
        c0 + b1 + s2 @ W2.T - s1 @ A1.T,  # s1
        s1 @ W2 + b2 - s2 @ A2.T - (s2 - y) * beta[:, None, None],  # s2
    )


def rule(s1, s2, x):
    """dF/dtheta at fixed state, per sample"""
    return (
        (0.5 * s1)[:, :, :, None] * s1[:, :, None, :],  # A1
        (0.5 * s2)[:, :, :, None] * s2[:, :, None, :],  # A2
        -(s1[:, :, None, :] * x[:, :, None]),  # W1
        -(s2[:, :, None, :] * s1[:, :, :, None]),  # W2
        -s1,  # b1
        -s2,  # b2
    )


def contrast(s1, s2, x, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    t0 = 1 / x.shape[0]
    t1 = weight * (0.5 * t0)
    t2 = weight * t0
    return (
        tensordot(t1, pt.einsum("abc,abd->acd", s1, s1), axes=([0], [0])),  # A1
        tensordot(t1, pt.einsum("abc,abd->acd", s2, s2), axes=([0], [0])),  # A2
        -(x.T @ tensordot(t2, s1, axes=([0], [0]))),  # W1
        -tensordot(t2, pt.einsum("abc,abd->acd", s1, s2), axes=([0], [0])),  # W2
        -(t2 @ pt.sum(s1, axis=-2)),  # b1
        -(t2 @ pt.sum(s2, axis=-2)),  # b2
    )


def grad_s1(s1, W2, s2, c0, b1, A1):
    """dF/ds1"""
    return (
        s1 @ A1.T - b1 - s2 @ W2.T - c0,  # s1
    )


def curvature_s1(A1, s1):
    """d2F/ds12 (dense)"""
    return (
        pt.broadcast_to(A1, (s1.shape[0], s1.shape[1], A1.shape[0], A1.shape[0],)),  # s1
    )


def grad_s2(s1, W2, s2, b2, A2, y, beta):
    """dF/ds2"""
    return (
        s2 @ A2.T + (s2 - y) * beta[:, None, None] - b2 - s1 @ W2,  # s2
    )


def curvature_s2(A2, beta, x):
    """d2F/ds22 (dense)"""
    return (
        pt.broadcast_to((A2 + beta[:, None, None] * pt.eye(A2.shape[0], dtype=A2.dtype))[:, None, :, :], (beta.shape[0], x.shape[0], A2.shape[0], A2.shape[0],)),  # s2
    )


def hessian(A1, A2, beta, c3):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    return (
        A1,  # s1|s1
        c3,  # s1|s2
        A2,  # s2|s2
        beta[:, None, None],  # s2|+
    )


def hvp(W2, A1, A2, beta, v_s1, v_s2):
    """d2F/ds2 times v"""
    return (
        v_s1 @ A1.T - v_s2 @ W2.T,  # s1
        v_s2 @ A2.T + beta[:, None, None] * v_s2 - v_s1 @ W2,  # s2
    )


def mixed(s1, s2, x, weight, v_s1, v_s2):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    t0 = 1 / x.shape[0]
    t1 = weight * (0.5 * t0)
    t2 = weight * t0
    t3 = s1[:, :, None, :] * v_s1[:, :, :, None] + s1[:, :, :, None] * v_s1[:, :, None, :]
    t4 = v_s2[:, :, None, :] * s2[:, :, :, None] + s2[:, :, None, :] * v_s2[:, :, :, None]
    t5 = tensordot(t2, pt.einsum("abc,abd->adc", s1, v_s2), axes=([0], [0])).T + tensordot(t2, pt.einsum("abc,abd->acd", v_s1, s2), axes=([0], [0]))
    return (
        tensordot(t1, pt.sum(t3, axis=-3), axes=([0], [0])),  # A1
        tensordot(pt.sum(t4, axis=-3), t1, axes=([0], [0])),  # A2
        -(x.T @ tensordot(v_s1, t2, axes=([0], [0]))),  # W1
        -t5,  # W2
        -(t2 @ pt.sum(v_s1, axis=-2)),  # b1
        -(t2 @ pt.sum(v_s2, axis=-2)),  # b2
    )


def cost(s2, y):
    """C"""
    t0 = s2 - y
    return (
        0.5 * pt.sum(t0 * t0, axis=-1),  # C
    )


def cost_gradient(s2, y, A1):
    """dC/ds"""
    return (
        pt.full((s2.shape[0], y.shape[0], A1.shape[0],), 0, dtype=A1.dtype),  # s1
        s2 - y,  # s2
    )


def cost_rule(A1, y, x):
    """batch mean of dC/dtheta"""
    return (
        pt.full((A1.shape[0], A1.shape[0],), 0, dtype=A1.dtype),  # A1
        pt.full((y.shape[1], y.shape[1],), 0, dtype=y.dtype),  # A2
        pt.full((x.shape[1], A1.shape[0],), 0, dtype=A1.dtype),  # W1
        pt.full((A1.shape[0], y.shape[1],), 0, dtype=y.dtype),  # W2
        pt.full((A1.shape[0],), 0, dtype=A1.dtype),  # b1
        pt.full((y.shape[1],), 0, dtype=y.dtype),  # b2
    )
