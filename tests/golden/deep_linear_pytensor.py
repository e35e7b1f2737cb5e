# ruff: noqa
"""Generated: deep_linear in pytensor. Rewrite with `pytest tests --update`."""


def drive(x, W1, W2, W3):
    """what stays fixed while a phase relaxes"""
    t0 = 0.23570226039551584 * W2
    t1 = (1 / 6) * W3
    t2 = 1 * pt.eye(W1.shape[0], dtype=W1.dtype) + t0.T
    t3 = t2 + t2 @ t0
    t4 = ((1 / 36) * W3).T @ W3
    return (
        x @ (0.3535533905932738 * W1).T,  # c0
        t0,  # c1
        t1,  # c2
        t3,  # c3
        pt.eye(W1.shape[0], dtype=W1.dtype) + t3,  # c4
        t4,  # c5
        pt.eye(W1.shape[0], dtype=W1.dtype) + t4,  # c6
        -t2,  # c7
        -t1.T,  # c8
    )


def energy(c0, z1, z2, c1, c2, z3, y, beta):
    """F = E + beta C"""
    t0 = z1 - c0
    t1 = z2 - (z1 + z1 @ c1.T)
    t2 = z3 - z2 @ c2.T
    t3 = 0.5 * pt.sum(t2 * t2, axis=-1) + 0.5 * pt.sum(t0 * t0, axis=-1) + 0.5 * pt.sum(t1 * t1, axis=-1)
    t4 = z3 - y
    return (
        t3 + pt.sum(t4 * t4, axis=-1) * (0.5 * beta)[:, None],  # F
    )


def force(c0, z1, z2, c1, c2, z3, y, beta):
    """-dF/ds"""
    t0 = z2 - (z1 + z1 @ c1.T)
    t1 = z3 - z2 @ c2.T
    return (
        t0 + t0 @ c1 - (z1 - c0),  # z1
        t1 @ c2 - t0,  # z2
        -(t1 + (z3 - y) * beta[:, None, None]),  # z3
    )


def rule(x, W1, z1, z2, W2, W3, z3):
    """dF/dtheta at fixed state, per sample"""
    t0 = (0.3535533905932738 * x)[:, None, :] * (z1 - x @ (0.3535533905932738 * W1).T)[:, :, :, None]
    t1 = (0.23570226039551584 * z1)[:, :, None, :] * (z2 - (z1 + z1 @ (0.23570226039551584 * W2).T))[:, :, :, None]
    return (
        -t0,  # W1
        -t1,  # W2
        -(((1 / 6) * (z3 - z2 @ ((1 / 6) * W3).T))[:, :, :, None] * z2[:, :, None, :]),  # W3
    )


def contrast(x, W1, z1, z2, W2, W3, z3, weight):
    """sum over phases of weight * batch mean of dF/dtheta"""
    t0 = 1 / x.shape[0]
    t1 = tensordot((weight * (t0 * (0.25 * 1.4142135623730951))), (z1 - x @ (0.3535533905932738 * W1).T), axes=([0], [0]))
    t2 = pt.einsum("abc,abd->adc", (z2 - (z1 + z1 @ (0.23570226039551584 * W2).T)), z1)
    t3 = tensordot((weight * (t0 * ((1 / 6) * 1.4142135623730951))), t2, axes=([0], [0])).T
    t4 = tensordot((weight * ((1 / 6) * t0)), pt.einsum("abc,abd->acd", (z3 - z2 @ ((1 / 6) * W3).T), z2), axes=([0], [0]))
    return (
        -(t1.T @ x),  # W1
        -t3,  # W2
        -t4,  # W3
    )


def grad_z1(c0, z1, z2, c1):
    """dF/dz1"""
    t0 = z2 - (z1 + z1 @ c1.T)
    return (
        z1 - c0 - t0 - t0 @ c1,  # z1
    )


def curvature_z1(c4, z1):
    """d2F/dz12 (dense)"""
    return (
        pt.broadcast_to(c4, (z1.shape[0], z1.shape[1], z1.shape[2], z1.shape[2],)),  # z1
    )


def grad_z2(z1, z2, c1, c2, z3):
    """dF/dz2"""
    return (
        z2 - (z1 + z1 @ c1.T) - (z3 - z2 @ c2.T) @ c2,  # z2
    )


def curvature_z2(c6, z1):
    """d2F/dz22 (dense)"""
    return (
        pt.broadcast_to(c6, (z1.shape[0], z1.shape[1], z1.shape[2], z1.shape[2],)),  # z2
    )


def grad_z3(z2, c2, z3, y, beta):
    """dF/dz3"""
    return (
        z3 - z2 @ c2.T + (z3 - y) * beta[:, None, None],  # z3
    )


def curvature_z3(beta, x, y):
    """d2F/dz32 (diagonal)"""
    return (
        pt.broadcast_to((1 + beta)[:, None, None], (beta.shape[0], x.shape[0], y.shape[1],)),  # z3
    )


def hessian(beta, c3, c5, x, W1, c7, c8):
    """upper nonzero blocks of d2F/ds2; diagonal parts as vectors"""
    t0 = pt.full((beta.shape[0], x.shape[0], W1.shape[0],), 1, dtype=W1.dtype)
    return (
        c3,  # z1|z1
        t0,  # z1|+
        c7,  # z1|z2
        c5,  # z2|z2
        t0,  # z2|+
        c8,  # z2|z3
        (1 + beta)[:, None, None],  # z3|z3
    )


def hvp(c1, c2, beta, v_z2, v_z1, v_z3):
    """d2F/ds2 times v"""
    t0 = v_z2 - v_z1 - v_z1 @ c1.T
    t1 = v_z3 - v_z2 @ c2.T
    return (
        v_z1 - t0 - t0 @ c1,  # z1
        t0 - t1 @ c2,  # z2
        t1 + beta[:, None, None] * v_z3,  # z3
    )


def mixed(x, z1, z2, W2, W3, z3, weight, v_z2, v_z1, v_z3):
    """sum of weight * batch mean of d/dtheta (dF/ds . v)"""
    t0 = 0.23570226039551584 * W2
    t1 = (1 / 6) * W3
    t2 = 1 / x.shape[0]
    t3 = weight * (t2 * ((1 / 6) * 1.4142135623730951))
    t4 = weight * ((1 / 6) * t2)
    t5 = tensordot((weight * (t2 * (0.25 * 1.4142135623730951))), v_z1, axes=([0], [0]))
    t6 = tensordot(t3, pt.einsum("abc,abd->adc", (z2 - (z1 + z1 @ t0.T)), v_z1), axes=([0], [0])).T
    t7 = tensordot(t3, pt.einsum("abc,abd->acd", (v_z2 - v_z1 - v_z1 @ t0.T), z1), axes=([0], [0]))
    t8 = tensordot(t4, pt.einsum("abc,abd->acd", (v_z3 - v_z2 @ t1.T), z2), axes=([0], [0]))
    t9 = tensordot(t4, pt.einsum("abc,abd->adc", (z3 - z2 @ t1.T), v_z2), axes=([0], [0])).T
    return (
        -(t5.T @ x),  # W1
        -(t6 + t7),  # W2
        -(t8 + t9),  # W3
    )


def start(x, W1, W2, W3):
    """first states: a forward pass"""
    t0 = x @ (0.3535533905932738 * W1).T
    t1 = t0 + x @ (((1 / 12) * W2) @ W1).T
    return (
        t0,  # z1
        t1,  # z2
        t1 @ ((1 / 6) * W3).T,  # z3
    )


def cost(z3, y):
    """C"""
    t0 = z3 - y
    return (
        0.5 * pt.sum(t0 * t0, axis=-1),  # C
    )


def cost_gradient(z3, y, W1):
    """dC/ds"""
    t0 = pt.full((z3.shape[0], y.shape[0], W1.shape[0],), 0, dtype=W1.dtype)
    return (
        t0,  # z1
        t0,  # z2
        z3 - y,  # z3
    )


def cost_rule(W1, y):
    """batch mean of dC/dtheta"""
    return (
        pt.full((W1.shape[0], W1.shape[1],), 0, dtype=W1.dtype),  # W1
        pt.full((W1.shape[0], W1.shape[0],), 0, dtype=W1.dtype),  # W2
        pt.full((y.shape[1], W1.shape[0],), 0, dtype=W1.dtype),  # W3
    )


def errors(c0, z1, z2, c1, c2, y):
    """z - mu(z) of every free layer, y - mu(z) of the observed one"""
    return (
        z1 - c0,  # z1
        z2 - (z1 + z1 @ c1.T),  # z2
        y - z2 @ c2.T,  # z3
    )


def misfit(c0, c1, c2, y, e_z2, e_z1):
    """y - mu of the observed layer, from the errors"""
    t0 = c0 + e_z1
    return (
        y - (e_z2 + t0 + t0 @ c1.T) @ c2.T,  # r
    )


def unfold(c0, c1, c2, e_z2, e_z1, e_z3):
    """the states, from the errors"""
    t0 = c0 + e_z1
    t1 = e_z2 + t0 + t0 @ c1.T
    return (
        t0,  # z1
        t1,  # z2
        t1 @ c2.T + e_z3,  # z3
    )


def adjoint_z2(c2, a_z3):
    """rows of adjoints of z2, from those of the layers that read it"""
    return (
        a_z3 @ c2,  # z2
    )


def adjoint_z1(c1, a_z2):
    """rows of adjoints of z1, from those of the layers that read it"""
    return (
        a_z2 + a_z2 @ c1,  # z1
    )
