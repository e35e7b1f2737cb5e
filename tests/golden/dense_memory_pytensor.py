# ruff: noqa
"""Generated: dense_memory in pytensor. Rewrite with `pytest tests --update`."""


def drive(x, U, Xi, kappa):
    """what stays fixed while a phase relaxes"""
    t0 = kappa * (1 / kappa)
    return (
        x @ U.T,  # c0
        Xi * kappa,  # c1
        Xi * t0,  # c2
        1 * pt.eye(Xi.shape[1], dtype=Xi.dtype),  # c3
        t0 * Xi.T,  # c4
    )


def energy(s, y, beta, c0, kappa, c1):
    """F = E + beta C"""
    t0 = s - y
    t1 = 0.5 * pt.sum(s * s, axis=-1) - pt.einsum("abc,bc->ab", s, c0) - logsumexp(s @ c1.T) * (1 / kappa)
    return (
        pt.sum(t0 * t0, axis=-1) * (0.5 * beta)[:, None] + t1,  # F
    )


def force(s, y, beta, c0, c1, c2):
    """-dF/ds"""
    return (
        c0 + softmax(s @ c1.T) @ c2 - s - (s - y) * beta[:, None, None],  # s
    )


def rule(s, x, Xi, kappa):
    """dF/dtheta at fixed state, per sample"""
    t0 = s @ (Xi * kappa).T
    t1 = 1 / kappa
    t2 = softmax(t0)
    return (
        -(t2[:, :, :, None] * (s * (kappa * t1))[:, :, None, :]),  # Xi
        -(logsumexp(t0) * (-(kappa ** (-2.0))) + pt.sum(s * (t2 @ (Xi * t1)), axis=-1)),  # kappa
        -(x[:, None, :] * s[:, :, :, None]),  # U
    )


def contrast(s, x, Xi, kappa, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    t0 = s @ (Xi * kappa).T
    t1 = 1 / kappa
    t2 = 1 / x.shape[0]
    t3 = pt.einsum("abc,abd->acd", softmax(t0), s)
    t4 = ((-(kappa ** (-2.0))) * t2) * pt.sum(weight * pt.sum(logsumexp(t0), axis=-1), axis=-1)
    t5 = (t1 * t2) * pt.sum(weight * tensordot(t3, Xi, axes=([1, 2], [0, 1])), axis=-1)
    return (
        -tensordot(t3, (weight * (t1 * (kappa * t2))), axes=([0], [0])),  # Xi
        -(t4 + t5),  # kappa
        -(tensordot((weight * t2), s, axes=([0], [0])).T @ x),  # U
    )


def grad_s(s, y, beta, c0, c1, c2):
    """dF/ds"""
    return (
        s + (s - y) * beta[:, None, None] - softmax(s @ c1.T) @ c2 - c0,  # s
    )


def curvature_s(s, beta, c1, c2, c3, c4):
    """d2F/ds2 (dense)"""
    t0 = softmax(s @ c1.T)
    return (
        (beta[:, None, None] * pt.eye(s.shape[2], dtype=s.dtype))[:, None, :, :] + c3 + (((t0 @ c2)[:, :, :, None] - c4) * t0[:, :, None, :]) @ c1,  # s
    )


def hessian(s, beta, c1, c2, c4):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    t0 = softmax(s @ c1.T)
    return (
        (((t0 @ c2)[:, :, :, None] - c4) * t0[:, :, None, :]) @ c1,  # s|s
        (1 + beta)[:, None, None],  # s|+
    )


def hvp(s, beta, c1, c2, v_s):
    """d2F/ds2 times v"""
    t0 = softmax(s @ c1.T)
    t1 = (t0 * (pt.sum((t0 @ c2) * v_s, axis=-1)[:, :, None] - v_s @ c2.T)) @ c1 + beta[:, None, None] * v_s
    return (
        v_s + t1,  # s
    )


def mixed(s, x, Xi, kappa, weight, v_s):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    t0 = 1 / kappa
    t1 = softmax(s @ (Xi * kappa).T)
    t2 = Xi * (kappa * t0)
    t3 = 1 / x.shape[0]
    t4 = kappa * t3
    t5 = weight * t3
    t6 = pt.einsum("abc,abd->adc", (t1 * (pt.sum((t1 @ t2) * v_s, axis=-1)[:, :, None] - v_s @ t2.T)), s)
    t7 = pt.einsum("abc,abd->acd", t1, v_s)
    t8 = pt.sum(weight * tensordot(t7, Xi, axes=([1, 2], [0, 1])), axis=-1)
    t9 = pt.sum(t5 * tensordot(t6, Xi, axes=([1, 2], [1, 0])), axis=-1) - (t0 * t3) * t8
    return (
        tensordot((weight * t4), t6, axes=([0], [0])).T - tensordot(t7, (weight * (t0 * t4)), axes=([0], [0])),  # Xi
        t9 - t8 * (kappa * ((-(kappa ** (-2.0))) * t3)),  # kappa
        -(tensordot(t5, v_s, axes=([0], [0])).T @ x),  # U
    )


def start(x, U):
    """first states: a forward pass"""
    return (
        x @ U.T,  # s
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


def cost_rule(Xi, x):
    """batch mean of dC/dtheta"""
    return (
        pt.full((Xi.shape[0], Xi.shape[1],), 0, dtype=Xi.dtype),  # Xi
        0,  # kappa
        pt.full((Xi.shape[1], x.shape[1],), 0, dtype=x.dtype),  # U
    )
