# ruff: noqa
"""Generated: conv_hopfield in pytensor. Rewrite with `pytest tests --update`."""


def drive(b1, W3, K1, x, K2):
    """what stays fixed while a phase relaxes"""
    t0 = im2col(im2col(x, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = tensordot(t0, K1, axes=([3, 4, 5], [0, 1, 2]))
    return (
        t1,  # c0
        b1 + t1,  # c1
        K2 * K2,  # c2
        W3 * W3,  # c3
        tensordot(tensordot(K2, window_array(2, 3, 4, stride=2, padding=1), axes=([1], [1])), window_array(2, 3, 4, stride=2, padding=1), axes=([0], [1])),  # c4
    )


def energy(y, s3, beta, s1, b1, s2, W3, c0, b2, b3, K2):
    """F = E + beta C"""
    t0 = s3 - y
    tanh_s1 = pt.tanh(s1)
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    t1 = pt.sum(tanh_s3 * tensordot(tanh_s2, W3, axes=([2, 3, 4], [0, 1, 2])), axis=-1)
    t2 = im2col(im2col(tanh_s1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t3 = pt.sum(tanh_s2 * tensordot(t2, K2, axes=([4, 5, 6], [0, 1, 2])), axis=(-3, -2, -1))
    t4 = 0.5 * pt.sum(s2 * s2, axis=(-3, -2, -1)) + 0.5 * pt.sum(s3 * s3, axis=-1) + 0.5 * pt.sum(s1 * s1, axis=(-3, -2, -1))
    t5 = t4 - tensordot(pt.sum(tanh_s1, axis=(-3, -2)), b1, axes=([2], [0])) - t1 - pt.einsum("abcde,bcde->ab", tanh_s1, c0)
    t6 = t5 - tensordot(pt.sum(tanh_s2, axis=(-3, -2)), b2, axes=([2], [0])) - tensordot(tanh_s3, b3, axes=([2], [0]))
    return (
        pt.sum(t0 * t0, axis=-1) * (0.5 * beta)[:, None] + t6 - t3,  # F
    )


def force(y, s3, beta, s1, s2, W3, b2, b3, K2, c1):
    """-dF/ds"""
    tanh_s1 = pt.tanh(s1)
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    t0 = im2col(im2col(tanh_s1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = col2im(tensordot(tanh_s2, K2, axes=([4], [3])), -4, -2, size=3, total=4, stride=2, padding=1)
    t2 = (1 - tanh_s1 * tanh_s1) * (col2im(t1, -4, -2, size=3, total=4, stride=2, padding=1) + c1)
    t3 = tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])) + tensordot(tanh_s3, W3, axes=([2], [3]))
    t4 = (1 - tanh_s3 * tanh_s3) * (tensordot(tanh_s2, W3, axes=([2, 3, 4], [0, 1, 2])) + b3)
    return (
        t2 - s1,  # s1
        (1 - tanh_s2 * tanh_s2) * (b2 + t3) - s2,  # s2
        t4 - s3 - (s3 - y) * beta[:, None, None],  # s3
    )


def rule(s3, s1, s2, x):
    """dF/dtheta at fixed state, per sample"""
    tanh_s1 = pt.tanh(s1)
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    t0 = im2col(im2col(x, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = im2col(im2col(tanh_s1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    return (
        -pt.einsum("abcde,bcdfgh->abfghe", tanh_s1, t0),  # K1
        -pt.einsum("abcdefg,abcdh->abefgh", t1, tanh_s2),  # K2
        -(tanh_s3[:, :, None, None, None, :] * tanh_s2[:, :, :, :, :, None]),  # W3
        -pt.sum(tanh_s1, axis=(-3, -2)),  # b1
        -pt.sum(tanh_s2, axis=(-3, -2)),  # b2
        -tanh_s3,  # b3
    )


def contrast(s3, s1, s2, x, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    tanh_s1 = pt.tanh(s1)
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    t0 = im2col(im2col(x, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = im2col(im2col(tanh_s1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t2 = weight * (1 / x.shape[0])
    t3 = pt.transpose(tensordot(tensordot(t2, tanh_s1, axes=([0], [0])), t0, axes=([0, 1, 2], [0, 1, 2])), (1, 2, 3, 0))
    t4 = pt.transpose(tensordot((tanh_s2 * t2[:, None, None, None, None]), t1, axes=([0, 1, 2, 3], [0, 1, 2, 3])), (1, 2, 3, 0))
    t5 = tensordot(t2, pt.einsum("abcde,abf->acdef", tanh_s2, tanh_s3), axes=([0], [0]))
    return (
        -t3,  # K1
        -t4,  # K2
        -t5,  # W3
        -(t2 @ pt.sum(tanh_s1, axis=(-4, -3, -2))),  # b1
        -(t2 @ pt.sum(tanh_s2, axis=(-4, -3, -2))),  # b2
        -(t2 @ pt.sum(tanh_s3, axis=-2)),  # b3
    )


def grad_s1(s1, s2, K2, c1):
    """dF/ds1"""
    tanh_s1 = pt.tanh(s1)
    t0 = col2im(tensordot(pt.tanh(s2), K2, axes=([4], [3])), -4, -2, size=3, total=4, stride=2, padding=1)
    t1 = (1 - tanh_s1 * tanh_s1) * (col2im(t0, -4, -2, size=3, total=4, stride=2, padding=1) + c1)
    return (
        s1 - t1,  # s1
    )


def curvature_s1(s1, s2, K2, c1):
    """d2F/ds12 (diagonal)"""
    tanh_s1 = pt.tanh(s1)
    t0 = col2im(tensordot(pt.tanh(s2), K2, axes=([4], [3])), -4, -2, size=3, total=4, stride=2, padding=1)
    t1 = (col2im(t0, -4, -2, size=3, total=4, stride=2, padding=1) + c1) * (-(tanh_s1 * (2 - 2 * (tanh_s1 * tanh_s1))))
    return (
        1 - t1,  # s1
    )


def grad_s2(s3, s1, s2, W3, b2, K2):
    """dF/ds2"""
    tanh_s2 = pt.tanh(s2)
    t0 = im2col(im2col(pt.tanh(s1), -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])) + tensordot(pt.tanh(s3), W3, axes=([2], [3]))
    return (
        s2 - (1 - tanh_s2 * tanh_s2) * (b2 + t1),  # s2
    )


def curvature_s2(s3, s1, s2, W3, b2, K2):
    """d2F/ds22 (diagonal)"""
    tanh_s2 = pt.tanh(s2)
    t0 = im2col(im2col(pt.tanh(s1), -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])) + tensordot(pt.tanh(s3), W3, axes=([2], [3]))
    return (
        1 - (b2 + t1) * (-(tanh_s2 * (2 - 2 * (tanh_s2 * tanh_s2)))),  # s2
    )


def grad_s3(y, s3, beta, s2, W3, b3):
    """dF/ds3"""
    tanh_s3 = pt.tanh(s3)
    t0 = (1 - tanh_s3 * tanh_s3) * (tensordot(pt.tanh(s2), W3, axes=([2, 3, 4], [0, 1, 2])) + b3)
    return (
        s3 + (s3 - y) * beta[:, None, None] - t0,  # s3
    )


def curvature_s3(s3, beta, s2, W3, b3):
    """d2F/ds32 (diagonal)"""
    tanh_s3 = pt.tanh(s3)
    t0 = (tensordot(pt.tanh(s2), W3, axes=([2, 3, 4], [0, 1, 2])) + b3) * (-(tanh_s3 * (2 - 2 * (tanh_s3 * tanh_s3))))
    return (
        1 + beta[:, None, None] - t0,  # s3
    )


def screen_s1_s2(s1, s2, d_s2, c2):
    """how far s2 giving way lowers the curvature of s1"""
    tanh_s1 = pt.tanh(s1)
    tanh_s2 = pt.tanh(s2)
    t0 = 1 - tanh_s1 * tanh_s1
    t1 = 1 - tanh_s2 * tanh_s2
    t2 = col2im(tensordot((t1 * (t1 * (1 / d_s2))), c2, axes=([4], [3])), -4, -2, size=3, total=4, stride=2, padding=1)
    return (
        col2im(t2, -4, -2, size=3, total=4, stride=2, padding=1) * (t0 * t0),  # s1
    )


def screen_s2_s1(s1, s2, c2, d_s1):
    """how far s1 giving way lowers the curvature of s2"""
    tanh_s1 = pt.tanh(s1)
    tanh_s2 = pt.tanh(s2)
    t0 = 1 - tanh_s1 * tanh_s1
    t1 = 1 - tanh_s2 * tanh_s2
    t2 = im2col(im2col((t0 * t0) * (1 / d_s1), -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    return (
        (t1 * t1) * tensordot(t2, c2, axes=([4, 5, 6], [0, 1, 2])),  # s2
    )


def screen_s2_s3(s3, s2, d_s3, c3):
    """how far s3 giving way lowers the curvature of s2"""
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    t0 = 1 - tanh_s2 * tanh_s2
    t1 = 1 - tanh_s3 * tanh_s3
    return (
        (t0 * t0) * pt.transpose(tensordot(c3, (t1 * (t1 * (1 / d_s3))), axes=([3], [2])), (3, 4, 0, 1, 2)),  # s2
    )


def screen_s3_s2(s3, s2, d_s2, c3):
    """how far s2 giving way lowers the curvature of s3"""
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    t0 = 1 - tanh_s2 * tanh_s2
    t1 = 1 - tanh_s3 * tanh_s3
    return (
        (t1 * t1) * tensordot((t0 * (t0 * (1 / d_s2))), c3, axes=([2, 3, 4], [0, 1, 2])),  # s3
    )


def hessian(s3, beta, s1, s2, W3, b2, b3, K2, c1, c4):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    tanh_s1 = pt.tanh(s1)
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    t0 = im2col(im2col(tanh_s1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = tanh_s1 * tanh_s1
    t2 = col2im(tensordot(tanh_s2, K2, axes=([4], [3])), -4, -2, size=3, total=4, stride=2, padding=1)
    t3 = tanh_s2 * tanh_s2
    t4 = 1 - t3
    t5 = tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])) + tensordot(tanh_s3, W3, axes=([2], [3]))
    t6 = tanh_s3 * tanh_s3
    t7 = (col2im(t2, -4, -2, size=3, total=4, stride=2, padding=1) + c1) * (-(tanh_s1 * (2 - 2 * t1)))
    t8 = (tensordot(tanh_s2, W3, axes=([2, 3, 4], [0, 1, 2])) + b3) * (-(tanh_s3 * (2 - 2 * t6)))
    t9 = t4[:, :, :, :, :, None, None, None] * (1 - t1)[:, :, None, None, None, :, :, :]
    t10 = pt.transpose(t9, (0, 1, 5, 6, 7, 2, 3, 4)) * pt.transpose(c4, (5, 3, 0, 4, 2, 1))
    return (
        1 - t7,  # s1|s1
        -t10,  # s1|s2
        1 - (b2 + t5) * (-(tanh_s2 * (2 - 2 * t3))),  # s2|s2
        -(W3 * (t4[:, :, :, :, :, None] * (1 - t6)[:, :, None, None, None, :])),  # s2|s3
        1 + beta[:, None, None] - t8,  # s3|s3
    )


def hvp(s3, beta, s1, s2, W3, b2, b3, K2, c1, v_s1, v_s2, v_s3):
    """d2F/ds2 times v"""
    tanh_s1 = pt.tanh(s1)
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    t0 = im2col(im2col(tanh_s1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = tanh_s1 * tanh_s1
    t2 = 1 - t1
    t3 = col2im(tensordot(tanh_s2, K2, axes=([4], [3])), -4, -2, size=3, total=4, stride=2, padding=1)
    t4 = tanh_s2 * tanh_s2
    t5 = 1 - t4
    t6 = tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])) + tensordot(tanh_s3, W3, axes=([2], [3]))
    t7 = tanh_s3 * tanh_s3
    t8 = 1 - t7
    t9 = (col2im(t3, -4, -2, size=3, total=4, stride=2, padding=1) + c1) * ((-(tanh_s1 * (2 - 2 * t1))) * v_s1)
    t10 = t5 * v_s2
    t11 = col2im(tensordot(t10, K2, axes=([4], [3])), -4, -2, size=3, total=4, stride=2, padding=1)
    t12 = im2col(im2col(t2 * v_s1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t13 = tensordot(t12, K2, axes=([4, 5, 6], [0, 1, 2])) + tensordot((t8 * v_s3), W3, axes=([2], [3]))
    t14 = (tensordot(tanh_s2, W3, axes=([2, 3, 4], [0, 1, 2])) + b3) * ((-(tanh_s3 * (2 - 2 * t7))) * v_s3)
    return (
        v_s1 - t9 - t2 * col2im(t11, -4, -2, size=3, total=4, stride=2, padding=1),  # s1
        v_s2 - t5 * t13 - (-(tanh_s2 * (2 - 2 * t4))) * ((b2 + t6) * v_s2),  # s2
        v_s3 + beta[:, None, None] * v_s3 - t14 - t8 * tensordot(t10, W3, axes=([2, 3, 4], [0, 1, 2])),  # s3
    )


def mixed(s3, s1, s2, x, weight, v_s1, v_s2, v_s3):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    tanh_s1 = pt.tanh(s1)
    tanh_s3 = pt.tanh(s3)
    tanh_s2 = pt.tanh(s2)
    t0 = im2col(im2col(x, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = im2col(im2col(tanh_s1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t2 = 1 - tanh_s1 * tanh_s1
    t3 = 1 - tanh_s2 * tanh_s2
    t4 = 1 - tanh_s3 * tanh_s3
    t5 = weight * (1 / x.shape[0])
    t6 = im2col(im2col(t2 * v_s1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t7 = pt.transpose(tensordot(pt.einsum("abcde,abcde->bcde", t2, (t5[:, None, None, None, None] * v_s1)), t0, axes=([0, 1, 2], [0, 1, 2])), (1, 2, 3, 0))
    t8 = pt.transpose(tensordot((tanh_s2 * t5[:, None, None, None, None]), t6, axes=([0, 1, 2, 3], [0, 1, 2, 3])), (1, 2, 3, 0))
    t9 = pt.transpose(tensordot((v_s2 * (t3 * t5[:, None, None, None, None])), t1, axes=([0, 1, 2, 3], [0, 1, 2, 3])), (1, 2, 3, 0))
    t10 = tensordot(t5, pt.einsum("abcde,abf->acdef", (t3 * v_s2), tanh_s3), axes=([0], [0]))
    t11 = tensordot(t5, pt.einsum("abcde,abf->acdef", tanh_s2, (t4 * v_s3)), axes=([0], [0]))
    return (
        -t7,  # K1
        -(t8 + t9),  # K2
        -(t10 + t11),  # W3
        -(t5 @ pt.einsum("abcde,abcde->ae", t2, v_s1)),  # b1
        -(t5 @ pt.einsum("abcde,abcde->ae", t3, v_s2)),  # b2
        -(t5 @ pt.einsum("abc,abc->ac", t4, v_s3)),  # b3
    )


def start(b1, W3, K1, x, b2, b3, K2):
    """first states: a forward pass"""
    t0 = im2col(im2col(x, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = b1 + tensordot(t0, K1, axes=([3, 4, 5], [0, 1, 2]))
    t2 = (1 / (1 + pt.sqrt((1 + t1 * (4 * t1))))) * (2 * t1)
    t3 = im2col(im2col(pt.tanh(t2), -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t4 = b2 + tensordot(t3, K2, axes=([3, 4, 5], [0, 1, 2]))
    t5 = t4 * (2 * (1 / (1 + pt.sqrt((1 + t4 * (4 * t4))))))
    t6 = b3 + tensordot(pt.tanh(t5), W3, axes=([1, 2, 3], [0, 1, 2]))
    return (
        t2,  # s1
        t5,  # s2
        (1 / (1 + pt.sqrt((1 + t6 * (4 * t6))))) * (2 * t6),  # s3
    )


def cost(y, s3):
    """C"""
    t0 = s3 - y
    return (
        0.5 * pt.sum(t0 * t0, axis=-1),  # C
    )


def cost_gradient(y, s3, s1, W3):
    """dC/ds"""
    return (
        pt.full((s3.shape[0], y.shape[0], s1.shape[2], s1.shape[3], s1.shape[4],), 0, dtype=s1.dtype),  # s1
        pt.full((s1.shape[0], y.shape[0], W3.shape[0], W3.shape[1], W3.shape[2],), 0, dtype=W3.dtype),  # s2
        s3 - y,  # s3
    )


def cost_rule(K1, K2, W3):
    """batch mean of dC/dtheta"""
    return (
        pt.full((K1.shape[0], K1.shape[1], K1.shape[2], K1.shape[3],), 0, dtype=K1.dtype),  # K1
        pt.full((K2.shape[0], K2.shape[1], K1.shape[3], K2.shape[3],), 0, dtype=K2.dtype),  # K2
        pt.full((W3.shape[0], W3.shape[1], K2.shape[3], W3.shape[3],), 0, dtype=W3.dtype),  # W3
        pt.full((K1.shape[3],), 0, dtype=K1.dtype),  # b1
        pt.full((K2.shape[3],), 0, dtype=K2.dtype),  # b2
        pt.full((W3.shape[3],), 0, dtype=W3.dtype),  # b3
    )
