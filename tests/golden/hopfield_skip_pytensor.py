# ruff: noqa
"""Generated: hopfield_skip in pytensor. Rewrite with `pytest tests --update`."""


def drive(W3, W1_3, x, W1, W2, b1):
    """what stays fixed while a phase relaxes"""
    t0 = x @ W1
    return (
        t0,  # c0
        t0 + b1,  # c1
        W2 * W2,  # c2
        W1_3 * W1_3,  # c3
        W3 * W3,  # c4
    )


def energy(y, s3, beta, W3, s2, W1_3, s1, c0, W2, b1, b3, b2):
    """F = E + beta C"""
    t0 = s3 - y
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    tanh_s1 = pt.tanh(s1)
    t1 = 0.5 * pt.sum(s3 * s3, axis=-1) + 0.5 * pt.sum(s1 * s1, axis=-1) + 0.5 * pt.sum(s2 * s2, axis=-1)
    t2 = t1 - pt.sum(tanh_s3 * (tanh_s2 @ W3), axis=-1) - pt.sum(tanh_s3 * (tanh_s1 @ W1_3), axis=-1)
    t3 = t2 - pt.einsum("abc,bc->ab", tanh_s1, c0) - pt.sum(tanh_s2 * (tanh_s1 @ W2), axis=-1)
    t4 = t3 - tensordot(tanh_s1, b1, axes=([2], [0])) - tensordot(tanh_s3, b3, axes=([2], [0]))
    return (
        pt.sum(t0 * t0, axis=-1) * (0.5 * beta)[:, None] + t4 - tensordot(tanh_s2, b2, axes=([2], [0])),  # F
    )


def force(y, s3, beta, W3, s2, W1_3, s1, W2, b3, b2, c1):
    """-dF/ds"""
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    tanh_s1 = pt.tanh(s1)
    return (
        (1 - tanh_s1 * tanh_s1) * (tanh_s2 @ W2.T + tanh_s3 @ W1_3.T + c1) - s1,  # s1
        (tanh_s3 @ W3.T + tanh_s1 @ W2 + b2) * (1 - tanh_s2 * tanh_s2) - s2,  # s2
        (b3 + tanh_s2 @ W3 + tanh_s1 @ W1_3) * (1 - tanh_s3 * tanh_s3) - s3 - (s3 - y) * beta[:, None, None],  # s3
    )


def rule(s3, s2, s1, x):
    """dF/dtheta at fixed state, per sample"""
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    tanh_s1 = pt.tanh(s1)
    return (
        -(x[:, :, None] * tanh_s1[:, :, None, :]),  # W1
        -(tanh_s2[:, :, None, :] * tanh_s1[:, :, :, None]),  # W2
        -(tanh_s3[:, :, None, :] * tanh_s2[:, :, :, None]),  # W3
        -(tanh_s1[:, :, :, None] * tanh_s3[:, :, None, :]),  # W1_3
        -tanh_s1,  # b1
        -tanh_s2,  # b2
        -tanh_s3,  # b3
    )


def contrast(s3, s2, s1, x, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    tanh_s1 = pt.tanh(s1)
    t0 = weight * (1 / x.shape[0])
    t1 = tensordot(t0, pt.einsum("abc,abd->adc", tanh_s1, tanh_s2), axes=([0], [0])).T
    t2 = tensordot(t0, pt.einsum("abc,abd->adc", tanh_s2, tanh_s3), axes=([0], [0])).T
    t3 = tensordot(t0, pt.einsum("abc,abd->adc", tanh_s1, tanh_s3), axes=([0], [0])).T
    return (
        -(x.T @ tensordot(t0, tanh_s1, axes=([0], [0]))),  # W1
        -t1,  # W2
        -t2,  # W3
        -t3,  # W1_3
        -(t0 @ pt.sum(tanh_s1, axis=-2)),  # b1
        -(t0 @ pt.sum(tanh_s2, axis=-2)),  # b2
        -(t0 @ pt.sum(tanh_s3, axis=-2)),  # b3
    )


def grad_s1(s3, s2, W1_3, s1, W2, c1):
    """dF/ds1"""
    tanh_s1 = pt.tanh(s1)
    return (
        s1 - (1 - tanh_s1 * tanh_s1) * (pt.tanh(s2) @ W2.T + pt.tanh(s3) @ W1_3.T + c1),  # s1
    )


def curvature_s1(s3, s2, W1_3, s1, W2, c1):
    """d2F/ds12 (diagonal)"""
    tanh_s1 = pt.tanh(s1)
    t0 = (pt.tanh(s2) @ W2.T + pt.tanh(s3) @ W1_3.T + c1) * (-(tanh_s1 * (2 - 2 * (tanh_s1 * tanh_s1))))
    return (
        1 - t0,  # s1
    )


def grad_s2(s3, W3, s2, s1, W2, b2):
    """dF/ds2"""
    tanh_s2 = pt.tanh(s2)
    return (
        s2 - (pt.tanh(s3) @ W3.T + pt.tanh(s1) @ W2 + b2) * (1 - tanh_s2 * tanh_s2),  # s2
    )


def curvature_s2(s3, W3, s2, s1, W2, b2):
    """d2F/ds22 (diagonal)"""
    tanh_s2 = pt.tanh(s2)
    t0 = (pt.tanh(s3) @ W3.T + pt.tanh(s1) @ W2 + b2) * (-(tanh_s2 * (2 - 2 * (tanh_s2 * tanh_s2))))
    return (
        1 - t0,  # s2
    )


def grad_s3(y, s3, beta, W3, s2, W1_3, s1, b3):
    """dF/ds3"""
    tanh_s3 = pt.tanh(s3)
    return (
        s3 + (s3 - y) * beta[:, None, None] - (b3 + pt.tanh(s2) @ W3 + pt.tanh(s1) @ W1_3) * (1 - tanh_s3 * tanh_s3),  # s3
    )


def curvature_s3(s3, beta, W3, s2, W1_3, s1, b3):
    """d2F/ds32 (diagonal)"""
    tanh_s3 = pt.tanh(s3)
    t0 = (b3 + pt.tanh(s2) @ W3 + pt.tanh(s1) @ W1_3) * (-(tanh_s3 * (2 - 2 * (tanh_s3 * tanh_s3))))
    return (
        1 + beta[:, None, None] - t0,  # s3
    )


def screen_s1_s2(s2, s1, d_s2, c2):
    """how far s2 giving way lowers the curvature of s1"""
    tanh_s2 = pt.tanh(s2)
    tanh_s1 = pt.tanh(s1)
    t0 = 1 - tanh_s1 * tanh_s1
    t1 = 1 - tanh_s2 * tanh_s2
    return (
        (t0 * t0) * ((t1 * (t1 * (1 / d_s2))) @ c2.T),  # s1
    )


def screen_s1_s3(s3, s1, d_s3, c3):
    """how far s3 giving way lowers the curvature of s1"""
    tanh_s3 = pt.tanh(s3)
    tanh_s1 = pt.tanh(s1)
    t0 = 1 - tanh_s1 * tanh_s1
    t1 = 1 - tanh_s3 * tanh_s3
    return (
        (t0 * t0) * ((t1 * (t1 * (1 / d_s3))) @ c3.T),  # s1
    )


def screen_s2_s1(s2, s1, c2, d_s1):
    """how far s1 giving way lowers the curvature of s2"""
    tanh_s2 = pt.tanh(s2)
    tanh_s1 = pt.tanh(s1)
    t0 = 1 - tanh_s1 * tanh_s1
    t1 = 1 - tanh_s2 * tanh_s2
    return (
        (t1 * t1) * ((t0 * (t0 * (1 / d_s1))) @ c2),  # s2
    )


def screen_s2_s3(s3, s2, d_s3, c4):
    """how far s3 giving way lowers the curvature of s2"""
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    t0 = 1 - tanh_s2 * tanh_s2
    t1 = 1 - tanh_s3 * tanh_s3
    return (
        (t0 * t0) * ((t1 * (t1 * (1 / d_s3))) @ c4.T),  # s2
    )


def screen_s3_s1(s3, s1, c3, d_s1):
    """how far s1 giving way lowers the curvature of s3"""
    tanh_s3 = pt.tanh(s3)
    tanh_s1 = pt.tanh(s1)
    t0 = 1 - tanh_s1 * tanh_s1
    t1 = 1 - tanh_s3 * tanh_s3
    return (
        (t1 * t1) * ((t0 * (t0 * (1 / d_s1))) @ c3),  # s3
    )


def screen_s3_s2(s3, s2, d_s2, c4):
    """how far s2 giving way lowers the curvature of s3"""
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    t0 = 1 - tanh_s2 * tanh_s2
    t1 = 1 - tanh_s3 * tanh_s3
    return (
        (t1 * t1) * ((t0 * (t0 * (1 / d_s2))) @ c4),  # s3
    )


def hessian(s3, beta, W3, s2, W1_3, s1, W2, b3, b2, c1):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    tanh_s1 = pt.tanh(s1)
    t0 = tanh_s1 * tanh_s1
    t1 = 1 - t0
    t2 = tanh_s2 * tanh_s2
    t3 = tanh_s3 * tanh_s3
    t4 = 1 - t3
    t5 = W2 * pt.transpose(((1 - t2)[:, :, :, None] * t1[:, :, None, :]), (0, 1, 3, 2))
    return (
        1 - (tanh_s2 @ W2.T + tanh_s3 @ W1_3.T + c1) * (-(tanh_s1 * (2 - 2 * t0))),  # s1|s1
        -t5,  # s1|s2
        -(t1[:, :, :, None] * pt.transpose((W1_3.T * t4[:, :, :, None]), (0, 1, 3, 2))),  # s1|s3
        1 - (tanh_s3 @ W3.T + tanh_s1 @ W2 + b2) * (-(tanh_s2 * (2 - 2 * t2))),  # s2|s2
        -((W3 * (1 - t2)[:, :, :, None]) * t4[:, :, None, :]),  # s2|s3
        1 + beta[:, None, None] - (b3 + tanh_s2 @ W3 + tanh_s1 @ W1_3) * (-(tanh_s3 * (2 - 2 * t3))),  # s3|s3
    )


def hvp(s3, beta, W3, s2, W1_3, s1, W2, b3, b2, c1, v_s1, v_s2, v_s3):
    """d2F/ds2 times v"""
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    tanh_s1 = pt.tanh(s1)
    t0 = tanh_s1 * tanh_s1
    t1 = 1 - t0
    t2 = tanh_s2 * tanh_s2
    t3 = 1 - t2
    t4 = tanh_s3 * tanh_s3
    t5 = 1 - t4
    t6 = (tanh_s2 @ W2.T + tanh_s3 @ W1_3.T + c1) * ((-(tanh_s1 * (2 - 2 * t0))) * v_s1)
    t7 = t3 * v_s2
    t8 = t5 * v_s3
    t9 = t1 * v_s1
    t10 = v_s3 + beta[:, None, None] * v_s3 - (-(tanh_s3 * (2 - 2 * t4))) * ((b3 + tanh_s2 @ W3 + tanh_s1 @ W1_3) * v_s3)
    return (
        v_s1 - t6 - t1 * (t7 @ W2.T + t8 @ W1_3.T),  # s1
        v_s2 - t3 * (t9 @ W2 + t8 @ W3.T) - (-(tanh_s2 * (2 - 2 * t2))) * ((tanh_s3 @ W3.T + tanh_s1 @ W2 + b2) * v_s2),  # s2
        t10 - t5 * (t9 @ W1_3 + t7 @ W3),  # s3
    )


def mixed(s3, s2, s1, x, weight, v_s1, v_s2, v_s3):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    tanh_s1 = pt.tanh(s1)
    t0 = 1 - tanh_s1 * tanh_s1
    t1 = 1 - tanh_s2 * tanh_s2
    t2 = 1 - tanh_s3 * tanh_s3
    t3 = weight * (1 / x.shape[0])
    t4 = t1 * v_s2
    t5 = t2 * v_s3
    t6 = t0 * v_s1
    t7 = tensordot(t3, pt.einsum("abc,abd->adc", t6, tanh_s2), axes=([0], [0])).T + tensordot(t3, pt.einsum("abc,abd->acd", tanh_s1, t4), axes=([0], [0]))
    t8 = tensordot(t3, pt.einsum("abc,abd->acd", tanh_s2, t5), axes=([0], [0])) + tensordot(t3, pt.einsum("abc,abd->adc", t4, tanh_s3), axes=([0], [0])).T
    t9 = tensordot(t3, pt.einsum("abc,abd->adc", t6, tanh_s3), axes=([0], [0])).T + tensordot(t3, pt.einsum("abc,abd->acd", tanh_s1, t5), axes=([0], [0]))
    return (
        -(x.T @ pt.einsum("abc,abc->bc", t0, (v_s1 * t3[:, None, None]))),  # W1
        -t7,  # W2
        -t8,  # W3
        -t9,  # W1_3
        -(t3 @ pt.einsum("abc,abc->ac", t0, v_s1)),  # b1
        -(t3 @ pt.einsum("abc,abc->ac", t1, v_s2)),  # b2
        -(t3 @ pt.einsum("abc,abc->ac", t2, v_s3)),  # b3
    )


def start(W3, W1_3, x, W1, W2, b1, b3, b2):
    """first states: a forward pass"""
    t0 = x @ W1 + b1
    t1 = t0 * (2 * (1 / (1 + pt.sqrt((1 + t0 * (4 * t0))))))
    tanh_t1 = pt.tanh(t1)
    t2 = b2 + tanh_t1 @ W2
    t3 = (1 / (1 + pt.sqrt((1 + t2 * (4 * t2))))) * (2 * t2)
    t4 = b3 + tanh_t1 @ W1_3 + pt.tanh(t3) @ W3
    return (
        t1,  # s1
        t3,  # s2
        (1 / (1 + pt.sqrt((1 + t4 * (4 * t4))))) * (2 * t4),  # s3
    )


def cost(y, s3):
    """C"""
    t0 = s3 - y
    return (
        0.5 * pt.sum(t0 * t0, axis=-1),  # C
    )


def cost_gradient(y, s3, W1, W2):
    """dC/ds"""
    return (
        pt.full((s3.shape[0], y.shape[0], W1.shape[1],), 0, dtype=W1.dtype),  # s1
        pt.full((s3.shape[0], y.shape[0], W2.shape[1],), 0, dtype=W2.dtype),  # s2
        s3 - y,  # s3
    )


def cost_rule(x, W1, W2, y):
    """batch mean of dC/dtheta"""
    return (
        pt.full((x.shape[1], W1.shape[1],), 0, dtype=W1.dtype),  # W1
        pt.full((W1.shape[1], W2.shape[1],), 0, dtype=W2.dtype),  # W2
        pt.full((W2.shape[1], y.shape[1],), 0, dtype=y.dtype),  # W3
        pt.full((W1.shape[1], y.shape[1],), 0, dtype=y.dtype),  # W1_3
        pt.full((W1.shape[1],), 0, dtype=W1.dtype),  # b1
        pt.full((W2.shape[1],), 0, dtype=W2.dtype),  # b2
        pt.full((y.shape[1],), 0, dtype=y.dtype),  # b3
    )
