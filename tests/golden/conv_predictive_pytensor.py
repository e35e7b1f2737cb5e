# ruff: noqa
"""Generated: conv_predictive in pytensor. Rewrite with `pytest tests --update`."""


def drive(K2, K1, x, b1, W3):
    """what stays fixed while a phase relaxes"""
    t0 = im2col(im2col(x, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    return (
        pt.tanh(tensordot(t0, K1, axes=([3, 4, 5], [0, 1, 2])) + b1),  # c0
        tensordot(tensordot(K2, window_array(2, 3, 4, stride=2, padding=1), axes=([1], [1])), window_array(2, 3, 4, stride=2, padding=1), axes=([0], [1])),  # c1
        tensordot(W3, W3, axes=([3], [3])),  # c2
        -W3,  # c3
    )


def energy(b2, K2, z1, z2, c0, b3, W3, z3, y, beta):
    """F = E + beta C"""
    t0 = im2col(im2col(z1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = z2 - pt.tanh(b2 + tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])))
    t2 = z1 - c0
    t3 = z3 - (b3 + tensordot(z2, W3, axes=([2, 3, 4], [0, 1, 2])))
    t4 = 0.5 * pt.sum(t1 * t1, axis=(-3, -2, -1)) + 0.5 * pt.sum(t2 * t2, axis=(-3, -2, -1))
    t5 = z3 - y
    return (
        0.5 * pt.sum(t3 * t3, axis=-1) + t4 + pt.sum(t5 * t5, axis=-1) * (0.5 * beta)[:, None],  # F
    )


def force(b2, K2, z1, z2, c0, b3, W3, z3, y, beta):
    """-dF/ds"""
    t0 = im2col(im2col(z1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = pt.tanh(b2 + tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])))
    t2 = z2 - t1
    t3 = z3 - (b3 + tensordot(z2, W3, axes=([2, 3, 4], [0, 1, 2])))
    t4 = col2im(tensordot((t2 * (1 - t1 * t1)), K2, axes=([4], [3])), -4, -2, size=3, total=4, stride=2, padding=1)
    return (
        col2im(t4, -4, -2, size=3, total=4, stride=2, padding=1) - (z1 - c0),  # z1
        tensordot(t3, W3, axes=([2], [3])) - t2,  # z2
        -(t3 + (z3 - y) * beta[:, None, None]),  # z3
    )


def rule(b2, K2, z1, z2, K1, x, b1, b3, W3, z3):
    """dF/dtheta at fixed state, per sample"""
    t0 = im2col(im2col(z1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = pt.tanh(b2 + tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])))
    t2 = z2 - t1
    t3 = im2col(im2col(x, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t4 = pt.tanh(tensordot(t3, K1, axes=([3, 4, 5], [0, 1, 2])) + b1)
    t5 = z1 - t4
    t6 = z3 - (b3 + tensordot(z2, W3, axes=([2, 3, 4], [0, 1, 2])))
    t7 = 1 - t1 * t1
    t8 = 1 - t4 * t4
    t9 = pt.einsum("abcde,bcdfghe->abfghe", t5, (t8[:, :, :, None, None, None, :] * t3[:, :, :, :, :, :, None]))
    return (
        -t9,  # K1
        -pt.einsum("abcdefg,abcdh->abefgh", t0, (t2 * t7)),  # K2
        -(t6[:, :, None, None, None, :] * z2[:, :, :, :, :, None]),  # W3
        -pt.einsum("abcde,bcde->abe", t5, t8),  # b1
        -pt.einsum("abcde,abcde->abe", t2, t7),  # b2
        -t6,  # b3
    )


def contrast(b2, K2, z1, z2, K1, x, b1, b3, W3, z3, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    t0 = im2col(im2col(z1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = pt.tanh(b2 + tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])))
    t2 = z2 - t1
    t3 = im2col(im2col(x, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t4 = pt.tanh(tensordot(t3, K1, axes=([3, 4, 5], [0, 1, 2])) + b1)
    t5 = z1 - t4
    t6 = z3 - (b3 + tensordot(z2, W3, axes=([2, 3, 4], [0, 1, 2])))
    t7 = 1 - t1 * t1
    t8 = 1 - t4 * t4
    t9 = weight * (1 / x.shape[0])
    t10 = pt.einsum("abcdefg,abcg->defg", (t8[:, :, :, None, None, None, :] * t3[:, :, :, :, :, :, None]), tensordot(t9, t5, axes=([0], [0])))
    t11 = pt.transpose(tensordot((t7 * (t2 * t9[:, None, None, None, None])), t0, axes=([0, 1, 2, 3], [0, 1, 2, 3])), (1, 2, 3, 0))
    return (
        -t10,  # K1
        -t11,  # K2
        -tensordot(t9, pt.einsum("abcde,abf->acdef", z2, t6), axes=([0], [0])),  # W3
        -(t9 @ pt.einsum("abcde,bcde->ae", t5, t8)),  # b1
        -(t9 @ pt.einsum("abcde,abcde->ae", t2, t7)),  # b2
        -(t9 @ pt.sum(t6, axis=-2)),  # b3
    )


def grad_z1(b2, K2, z1, z2, c0):
    """dF/dz1"""
    t0 = im2col(im2col(z1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = pt.tanh(b2 + tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])))
    t2 = col2im(tensordot(((z2 - t1) * (1 - t1 * t1)), K2, axes=([4], [3])), -4, -2, size=3, total=4, stride=2, padding=1)
    return (
        z1 - c0 - col2im(t2, -4, -2, size=3, total=4, stride=2, padding=1),  # z1
    )


def grad_z2(b2, K2, z1, z2, b3, W3, z3):
    """dF/dz2"""
    t0 = im2col(im2col(z1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = tensordot((z3 - (b3 + tensordot(z2, W3, axes=([2, 3, 4], [0, 1, 2])))), W3, axes=([2], [3]))
    return (
        z2 - pt.tanh(b2 + tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2]))) - t1,  # z2
    )


def grad_z3(z2, b3, W3, z3, y, beta):
    """dF/dz3"""
    return (
        z3 - (b3 + tensordot(z2, W3, axes=([2, 3, 4], [0, 1, 2]))) + (z3 - y) * beta[:, None, None],  # z3
    )


def curvature_z3(beta, x, y):
    """d2F/dz32 (diagonal)"""
    return (
        pt.broadcast_to((1 + beta)[:, None, None], (beta.shape[0], x.shape[0], y.shape[1],)),  # z3
    )


def hessian(b2, K2, z1, z2, beta, c1, c2, c3):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    t0 = im2col(im2col(z1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = pt.tanh(b2 + tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])))
    t2 = t1 * t1
    t3 = 1 - t2
    t4 = ((z2 - t1) * (-(t1 * (2 - 2 * t2))))[:, :, None, None, None, :, :, :] * pt.transpose(c1, (5, 3, 0, 4, 2, 1))
    t5 = pt.transpose(c1, (5, 3, 0, 4, 2, 1)) * (t3 * t3)[:, :, None, None, None, :, :, :]
    t6 = col2im(tensordot((t5 - t4), K2, axes=([7], [3])), -4, -2, size=3, total=4, stride=2, padding=1)
    return (
        col2im(t6, -4, -2, size=3, total=4, stride=2, padding=1),  # z1|z1
        pt.full((z1.shape[0], z1.shape[1], z1.shape[2], z1.shape[3], K2.shape[2],), 1, dtype=K2.dtype),  # z1|+
        -(pt.transpose(c1, (5, 3, 0, 4, 2, 1)) * t3[:, :, None, None, None, :, :, :]),  # z1|z2
        c2,  # z2|z2
        pt.full((z1.shape[0], z1.shape[1], z2.shape[2], z2.shape[3], K2.shape[3],), 1, dtype=K2.dtype),  # z2|+
        c3,  # z2|z3
        (1 + beta)[:, None, None],  # z3|z3
    )


def hvp(b2, K2, z1, z2, W3, beta, v_z1, v_z2, v_z3):
    """d2F/ds2 times v"""
    t0 = im2col(im2col(z1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = pt.tanh(b2 + tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])))
    t2 = t1 * t1
    t3 = 1 - t2
    t4 = im2col(im2col(v_z1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t5 = tensordot(t4, K2, axes=([4, 5, 6], [0, 1, 2]))
    t6 = v_z2 - t3 * t5
    t7 = tensordot((((z2 - t1) * (-(t1 * (2 - 2 * t2)))) * t5 + t3 * t6), K2, axes=([4], [3]))
    t8 = col2im(col2im(t7, -4, -2, size=3, total=4, stride=2, padding=1), -4, -2, size=3, total=4, stride=2, padding=1)
    t9 = v_z3 - tensordot(v_z2, W3, axes=([2, 3, 4], [0, 1, 2]))
    return (
        v_z1 - t8,  # z1
        t6 - tensordot(t9, W3, axes=([2], [3])),  # z2
        t9 + beta[:, None, None] * v_z3,  # z3
    )


def mixed(b2, K2, z1, z2, K1, x, b1, b3, W3, z3, weight, v_z1, v_z2, v_z3):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    t0 = im2col(im2col(z1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = pt.tanh(b2 + tensordot(t0, K2, axes=([4, 5, 6], [0, 1, 2])))
    t2 = z2 - t1
    t3 = im2col(im2col(x, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t4 = pt.tanh(tensordot(t3, K1, axes=([3, 4, 5], [0, 1, 2])) + b1)
    t5 = t1 * t1
    t6 = 1 - t5
    t7 = 1 - t4 * t4
    t8 = weight * (1 / x.shape[0])
    t9 = im2col(im2col(v_z1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t10 = tensordot(t9, K2, axes=([4, 5, 6], [0, 1, 2]))
    t11 = (t2 * (-(t1 * (2 - 2 * t5)))) * t10 + t6 * (v_z2 - t6 * t10)
    t12 = v_z3 - tensordot(v_z2, W3, axes=([2, 3, 4], [0, 1, 2]))
    t13 = pt.einsum("abcdefg,abcg->defg", (t7[:, :, :, None, None, None, :] * t3[:, :, :, :, :, :, None]), tensordot(t8, v_z1, axes=([0], [0])))
    t14 = pt.transpose(tensordot((t8[:, None, None, None, None] * t11), t0, axes=([0, 1, 2, 3], [0, 1, 2, 3])), (1, 2, 3, 0))
    t15 = pt.transpose(tensordot((t6 * (t2 * t8[:, None, None, None, None])), t9, axes=([0, 1, 2, 3], [0, 1, 2, 3])), (1, 2, 3, 0))
    t16 = pt.einsum("abcde,abf->acdef", v_z2, (z3 - (b3 + tensordot(z2, W3, axes=([2, 3, 4], [0, 1, 2])))))
    t17 = tensordot(t8, t16, axes=([0], [0])) + tensordot(t8, pt.einsum("abcde,abf->acdef", z2, t12), axes=([0], [0]))
    return (
        -t13,  # K1
        -(t14 + t15),  # K2
        -t17,  # W3
        -(t8 @ pt.einsum("abcde,bcde->ae", v_z1, t7)),  # b1
        -(t8 @ pt.sum(t11, axis=(-4, -3, -2))),  # b2
        -(t8 @ pt.sum(t12, axis=-2)),  # b3
    )


def start(b2, K2, K1, x, b1, b3, W3):
    """first states: a forward pass"""
    t0 = im2col(im2col(x, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t1 = pt.tanh(tensordot(t0, K1, axes=([3, 4, 5], [0, 1, 2])) + b1)
    t2 = im2col(im2col(t1, -2, -2, size=3, stride=2, padding=1), -4, -3, size=3, stride=2, padding=1)
    t3 = pt.tanh(b2 + tensordot(t2, K2, axes=([3, 4, 5], [0, 1, 2])))
    return (
        t1,  # z1
        t3,  # z2
        b3 + tensordot(t3, W3, axes=([1, 2, 3], [0, 1, 2])),  # z3
    )


def cost(z3, y):
    """C"""
    t0 = z3 - y
    return (
        0.5 * pt.sum(t0 * t0, axis=-1),  # C
    )


def cost_gradient(z3, y, z1, W3):
    """dC/ds"""
    return (
        pt.full((z3.shape[0], y.shape[0], z1.shape[2], z1.shape[3], z1.shape[4],), 0, dtype=z1.dtype),  # z1
        pt.full((z1.shape[0], y.shape[0], W3.shape[0], W3.shape[1], W3.shape[2],), 0, dtype=W3.dtype),  # z2
        z3 - y,  # z3
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
