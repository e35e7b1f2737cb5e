# ruff: noqa
"""Generated: linear_gaussian in pytensor. Rewrite with `pytest tests --update`."""


def drive(A, b, x, U):
    """what stays fixed while a phase relaxes"""
    t0 = x @ U.T
    return (
        0.5 * A,  # c0
        t0,  # c1
        b + t0,  # c2
    )


def energy(s, y, beta, c0, b, c1):
    """F = E + beta C"""
    t0 = s - y
    t1 = pt.sum(s * (s @ c0), axis=-1) - tensordot(s, b, axes=([2], [0])) - pt.einsum("abc,bc->ab", s, c1)
    return (
        pt.sum(t0 * t0, axis=-1) * (0.5 * beta)[:, None] + t1,  # F
    )


def force(s, y, beta, A, c2):
    """-dF/ds"""
    return (
        c2 - s @ A.T - (s - y) * beta[:, None, None],  # s
    )


def rule(s, x):
    """dF/dtheta at fixed state, per sample"""
    return (
        (0.5 * s)[:, :, :, None] * s[:, :, None, :],  # A
        -s,  # b
        -(x[:, None, :] * s[:, :, :, None]),  # U
    )


def contrast(s, x, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    t0 = 1 / x.shape[0]
    t1 = weight * t0
    return (
        tensordot((weight * (0.5 * t0)), pt.einsum("abc,abd->acd", s, s), axes=([0], [0])),  # A
        -(t1 @ pt.sum(s, axis=-2)),  # b
        -(tensordot(t1, s, axes=([0], [0])).T @ x),  # U
    )


def grad_s(s, y, beta, A, b, c1):
    """dF/ds"""
    return (
        s @ A.T + (s - y) * beta[:, None, None] - c1 - b,  # s
    )


def curvature_s(beta, A, x):
    """d2F/ds2 (dense)"""
    return (
        pt.broadcast_to((A + beta[:, None, None] * pt.eye(A.shape[0], dtype=A.dtype))[:, None, :, :], (beta.shape[0], x.shape[0], A.shape[0], A.shape[0],)),  # s
    )


def hessian(beta, A):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    return (
        A,  # s|s
        beta[:, None, None],  # s|+
    )


def hvp(beta, A, v_s):
    """d2F/ds2 times v"""
    return (
        v_s @ A.T + beta[:, None, None] * v_s,  # s
    )


def mixed(s, x, weight, v_s):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    t0 = 1 / x.shape[0]
    t1 = weight * t0
    t2 = s[:, :, None, :] * v_s[:, :, :, None] + s[:, :, :, None] * v_s[:, :, None, :]
    return (
        tensordot(pt.sum(t2, axis=-3), (weight * (0.5 * t0)), axes=([0], [0])),  # A
        -(t1 @ pt.sum(v_s, axis=-2)),  # b
        -(tensordot(t1, v_s, axes=([0], [0])).T @ x),  # U
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
        pt.full((y.shape[1], y.shape[1],), 0, dtype=y.dtype),  # A
        pt.full((y.shape[1],), 0, dtype=y.dtype),  # b
        pt.full((y.shape[1], x.shape[1],), 0, dtype=x.dtype),  # U
    )
