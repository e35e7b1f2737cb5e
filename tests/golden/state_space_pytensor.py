# ruff: noqa
"""Generated: state_space in pytensor. Rewrite with `pytest tests --update`."""


def drive(P0, P_Q, A, u1, B, P_R, C, u2):
    """what stays fixed while a phase relaxes"""
    t0 = P_Q.T @ A
    t1 = P_R.T @ C
    t2 = t0.T @ A
    t3 = t1.T @ C
    return (
        u1 @ B.T,  # c0
        0.5 * P_Q,  # c1
        0.5 * P_R,  # c2
        0.5 * P0,  # c3
        u2 @ B.T,  # c4
        t0,  # c5
        t1,  # c6
        P_R @ C,  # c7
        P_Q @ A,  # c8
        t3,  # c9
        P0 + t2 + t3,  # c10
        t3 + P_Q + t2,  # c11
        -tensordot(P_Q, A, axes=([1], [0])).T,  # c12
        P_Q + t3,  # c13
        C.T @ t1,  # c14
    )


def energy(z2, y, beta, P0, P_Q, z1, A, z0, c0, c1, P_R, y0, C, c2, m0, c3, c4, y2, y1):
    """F = E + beta C"""
    t0 = z2 - y
    t1 = z1 - (z0 @ A.T + c0)
    t2 = y0 - z0 @ C.T
    t3 = z0 - m0
    t4 = z2 - (z1 @ A.T + c4)
    t5 = y2 - z2 @ C.T
    t6 = y1 - z1 @ C.T
    t7 = pt.sum(t3 * (t3 @ c3), axis=-1) + pt.sum(t1 * (t1 @ c1), axis=-1) + pt.sum(t2 * (t2 @ c2), axis=-1)
    t8 = pt.sum(t6 * (t6 @ c2), axis=-1) + pt.sum(t5 * (t5 @ c2), axis=-1) + pt.sum(t4 * (t4 @ c1), axis=-1) + t7
    t9 = t8 - 0.5 * pt.linalg.slogdet(P0)[1] - 1.5 * pt.linalg.slogdet(P_R)[1] - pt.linalg.slogdet(P_Q)[1]
    return (
        pt.sum(t0 * t0, axis=-1) * (0.5 * beta)[:, None] + t9,  # F
    )


def force(z2, y, beta, P0, P_Q, z1, A, z0, c0, y0, C, m0, c4, y2, y1, c5, c6, c7, c8):
    """-dF/ds"""
    t0 = z1 - (z0 @ A.T + c0)
    t1 = z2 - (z1 @ A.T + c4)
    return (
        t0 @ c5 + (y0 - z0 @ C.T) @ c6 - (z0 - m0) @ P0.T,  # z0
        (y1 - z1 @ C.T) @ c7 + t1 @ c8 - t0 @ P_Q.T,  # z1
        (y2 - z2 @ C.T) @ c6 - (z2 - y) * beta[:, None, None] - t1 @ P_Q.T,  # z2
    )


def rule(z2, P0, P_Q, z1, A, z0, u1, B, P_R, y0, C, m0, u2, y2, y1):
    """dF/dtheta at fixed state, per sample"""
    t0 = z1 - (z0 @ A.T + u1 @ B.T)
    t1 = y0 - z0 @ C.T
    t2 = z0 - m0
    t3 = z2 - (z1 @ A.T + u2 @ B.T)
    t4 = y2 - z2 @ C.T
    t5 = y1 - z1 @ C.T
    t6 = z1[:, :, None, :] * (t3 @ P_Q.T)[:, :, :, None] + z0[:, :, None, :] * (t0 @ P_Q.T)[:, :, :, None]
    t7 = pt.einsum("abc,dcbe->abde", t0, (u1 * P_Q[:, :, None, None])) + pt.einsum("abc,dcbe->abde", t3, (u2 * P_Q[:, :, None, None]))
    t8 = z0[:, :, None, :] * (t1 @ P_R.T)[:, :, :, None] + z2[:, :, None, :] * (t4 @ P_R.T)[:, :, :, None]
    t9 = (0.5 * t0)[:, :, :, None] * t0[:, :, None, :] + (0.5 * t3)[:, :, :, None] * t3[:, :, None, :]
    t10 = (0.5 * t4)[:, :, :, None] * t4[:, :, None, :] + (0.5 * t1)[:, :, :, None] * t1[:, :, None, :]
    return (
        -(t2 @ P0.T),  # m0
        -t6,  # A
        -t7,  # B
        -(z1[:, :, None, :] * (t5 @ P_R.T)[:, :, :, None] + t8),  # C
        (0.5 * t2)[:, :, :, None] * t2[:, :, None, :] - 0.5 * pt.linalg.inv(P0),  # P0
        t9 - pt.linalg.inv(P_Q),  # P_Q
        (0.5 * t5)[:, :, :, None] * t5[:, :, None, :] + t10 - 1.5 * pt.linalg.inv(P_R),  # P_R
    )


def contrast(z2, P0, P_Q, z1, A, z0, u1, B, P_R, y0, C, m0, u2, y2, y1, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    t0 = z1 - (z0 @ A.T + u1 @ B.T)
    t1 = y0 - z0 @ C.T
    t2 = z0 - m0
    t3 = z2 - (z1 @ A.T + u2 @ B.T)
    t4 = y2 - z2 @ C.T
    t5 = y1 - z1 @ C.T
    t6 = 1 / y0.shape[0]
    t7 = weight * t6
    t8 = P_Q @ tensordot(t7, pt.einsum("abc,abd->adc", z1, t3), axes=([0], [0])) + P_Q @ tensordot(t7, pt.einsum("abc,abd->acd", z0, t0), axes=([0], [0])).T
    t9 = P_Q @ tensordot(t7, tensordot(t0, u1, axes=([1], [0])), axes=([0], [0])) + P_Q @ tensordot(t7, tensordot(t3, u2, axes=([1], [0])), axes=([0], [0]))
    t10 = P_R @ tensordot(t7, pt.einsum("abc,abd->acd", z2, t4), axes=([0], [0])).T + P_R @ tensordot(t7, pt.einsum("abc,abd->adc", z1, t5), axes=([0], [0]))
    t11 = P_R @ tensordot(t7, pt.einsum("abc,abd->acd", z0, t1), axes=([0], [0])).T + t10
    t12 = weight * (0.5 * t6)
    t13 = tensordot(t12, pt.einsum("abc,abd->acd", t0, t0), axes=([0], [0])) + tensordot(t12, pt.einsum("abc,abd->acd", t3, t3), axes=([0], [0]))
    t14 = tensordot(t12, pt.einsum("abc,abd->acd", t1, t1), axes=([0], [0])) + tensordot(t12, pt.einsum("abc,abd->acd", t5, t5), axes=([0], [0]))
    return (
        -((t7 @ pt.sum(t2, axis=-2)) @ P0.T),  # m0
        -t8,  # A
        -t9,  # B
        -t11,  # C
        tensordot(t12, pt.einsum("abc,abd->acd", t2, t2), axes=([0], [0])) - pt.linalg.inv(P0) * pt.sum(0.5 * weight, axis=-1),  # P0
        t13 - pt.linalg.inv(P_Q) * pt.sum(weight, axis=-1),  # P_Q
        tensordot(t12, pt.einsum("abc,abd->acd", t4, t4), axes=([0], [0])) + t14 - pt.linalg.inv(P_R) * pt.sum(1.5 * weight, axis=-1),  # P_R
    )


def grad_z0(P0, z1, A, z0, c0, y0, C, m0, c5, c6):
    """dF/dz0"""
    return (
        (z0 - m0) @ P0.T - (y0 - z0 @ C.T) @ c6 - (z1 - (z0 @ A.T + c0)) @ c5,  # z0
    )


def curvature_z0(c10, z0):
    """d2F/dz02 (dense)"""
    return (
        pt.broadcast_to(c10, (z0.shape[0], z0.shape[1], z0.shape[2], z0.shape[2],)),  # z0
    )


def grad_z1(z2, P_Q, z1, A, z0, c0, C, c4, y1, c7, c8):
    """dF/dz1"""
    return (
        (z1 - (z0 @ A.T + c0)) @ P_Q.T - (y1 - z1 @ C.T) @ c7 - (z2 - (z1 @ A.T + c4)) @ c8,  # z1
    )


def curvature_z1(c11, z0):
    """d2F/dz12 (dense)"""
    return (
        pt.broadcast_to(c11, (z0.shape[0], z0.shape[1], z0.shape[2], z0.shape[2],)),  # z1
    )


def grad_z2(z2, y, beta, P_Q, z1, A, C, c4, y2, c6):
    """dF/dz2"""
    return (
        (z2 - y) * beta[:, None, None] + (z2 - (z1 @ A.T + c4)) @ P_Q.T - (y2 - z2 @ C.T) @ c6,  # z2
    )


def curvature_z2(beta, P_Q, c9, y0):
    """d2F/dz22 (dense)"""
    return (
        pt.broadcast_to((c9 + P_Q + beta[:, None, None] * pt.eye(P_Q.shape[0], dtype=P_Q.dtype))[:, None, :, :], (beta.shape[0], y0.shape[0], P_Q.shape[0], P_Q.shape[0],)),  # z2
    )


def hessian(beta, c10, c11, c12, c13):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    return (
        c10,  # z0|z0
        c12,  # z0|z1
        c11,  # z1|z1
        c12,  # z1|z2
        c13,  # z2|z2
        beta[:, None, None],  # z2|+
    )


def hvp(beta, P0, P_Q, A, c8, v_z1, v_z0, c14, v_z2):
    """d2F/ds2 times v"""
    t0 = v_z1 @ P_Q.T - v_z0 @ c8.T
    t1 = v_z2 @ P_Q.T - v_z1 @ c8.T
    return (
        v_z0 @ P0.T + v_z0 @ c14 - t0 @ A,  # z0
        t0 + v_z1 @ c14 - t1 @ A,  # z1
        beta[:, None, None] * v_z2 + t1 + v_z2 @ c14,  # z2
    )


def mixed(z2, P0, P_Q, z1, A, z0, u1, B, P_R, y0, C, m0, u2, y2, y1, weight, v_z1, v_z0, v_z2):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    t0 = z1 - (z0 @ A.T + u1 @ B.T)
    t1 = y0 - z0 @ C.T
    t2 = z0 - m0
    t3 = z2 - (z1 @ A.T + u2 @ B.T)
    t4 = y2 - z2 @ C.T
    t5 = y1 - z1 @ C.T
    t6 = P_R @ C
    t7 = P_Q @ A
    t8 = 1 / y0.shape[0]
    t9 = weight * t8
    t10 = weight * (0.5 * t8)
    t11 = v_z1 @ P_Q.T - v_z0 @ t7.T
    t12 = v_z2 @ P_Q.T - v_z1 @ t7.T
    t13 = tensordot(t9, pt.einsum("abc,abd->adc", t11, z0), axes=([0], [0])).T + P_Q @ tensordot(t9, pt.einsum("abc,abd->acd", v_z0, t0), axes=([0], [0])).T
    t14 = P_Q @ tensordot(t9, pt.einsum("abc,abd->adc", v_z1, t3), axes=([0], [0])) + tensordot(t9, pt.einsum("abc,abd->acd", t12, z1), axes=([0], [0])) + t13
    t15 = tensordot(t9, tensordot(t11, u1, axes=([1], [0])), axes=([0], [0])) + tensordot(t9, tensordot(t12, u2, axes=([1], [0])), axes=([0], [0]))
    t16 = t6 @ tensordot(t9, pt.einsum("abc,abd->acd", z2, v_z2), axes=([0], [0])).T + t6 @ tensordot(t9, pt.einsum("abc,abd->acd", z1, v_z1), axes=([0], [0])).T
    t17 = t6 @ tensordot(t9, pt.einsum("abc,abd->adc", z0, v_z0), axes=([0], [0])) + t16
    t18 = t17 - P_R @ tensordot(t9, pt.einsum("abc,abd->acd", v_z2, t4), axes=([0], [0])).T
    t19 = t18 - P_R @ tensordot(t9, pt.einsum("abc,abd->acd", v_z0, t1), axes=([0], [0])).T
    t20 = v_z0[:, :, None, :] * t2[:, :, :, None] + t2[:, :, None, :] * v_z0[:, :, :, None]
    t21 = t3[:, :, None, :] * (v_z1 @ A.T)[:, :, :, None]
    t22 = t0[:, :, None, :] * (v_z0 @ A.T)[:, :, :, None]
    t23 = t3[:, :, None, :] * v_z2[:, :, :, None] + t0[:, :, None, :] * v_z1[:, :, :, None]
    t24 = pt.sum(t23 + pt.transpose((t23 - t21 - t22), (0, 1, 3, 2)) - t21 - t22, axis=-3)
    t25 = t4[:, :, :, None] * (v_z2 @ C.T)[:, :, None, :] + t1[:, :, None, :] * (v_z0 @ C.T)[:, :, :, None]
    t26 = t5[:, :, None, :] * (v_z1 @ C.T)[:, :, :, None] + t25
    t27 = tensordot(pt.sum(t26 + pt.transpose(t26, (0, 1, 3, 2)), axis=-3), t10, axes=([0], [0]))
    return (
        -((t9 @ pt.sum(v_z0, axis=-2)) @ P0.T),  # m0
        -t14,  # A
        -t15,  # B
        t19 - P_R @ tensordot(t9, pt.einsum("abc,abd->adc", v_z1, t5), axes=([0], [0])),  # C
        tensordot(t10, pt.sum(t20, axis=-3), axes=([0], [0])),  # P0
        tensordot(t24, t10, axes=([0], [0])),  # P_Q
        -t27,  # P_R
    )


def start(A, u1, B, m0, u2):
    """first states: a forward pass"""
    t0 = u1 @ B.T + m0 @ A.T
    return (
        m0,  # z0
        t0,  # z1
        u2 @ B.T + t0 @ A.T,  # z2
    )


def cost(z2, y):
    """C"""
    t0 = z2 - y
    return (
        0.5 * pt.sum(t0 * t0, axis=-1),  # C
    )


def cost_gradient(z2, y):
    """dC/ds"""
    t0 = pt.full((z2.shape[0], y.shape[0], y.shape[1],), 0, dtype=y.dtype)
    return (
        t0,  # z0
        t0,  # z1
        z2 - y,  # z2
    )


def cost_rule(y, u1, y0):
    """batch mean of dC/dtheta"""
    t0 = pt.full((y.shape[1], y.shape[1],), 0, dtype=y.dtype)
    return (
        pt.full((y.shape[1],), 0, dtype=y.dtype),  # m0
        t0,  # A
        pt.full((y.shape[1], u1.shape[1],), 0, dtype=u1.dtype),  # B
        pt.full((y0.shape[1], y.shape[1],), 0, dtype=y.dtype),  # C
        t0,  # P0
        t0,  # P_Q
        pt.full((y0.shape[1], y0.shape[1],), 0, dtype=y0.dtype),  # P_R
    )
