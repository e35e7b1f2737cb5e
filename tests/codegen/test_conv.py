"""Oracle: the same energies written by hand with `lax.conv`, differentiated by JAX in float64."""

import numpy as np
import pytest

import unified as un
from unified.base.errors import InputError
from unified.codegen.dense import assemble

SHAPE, CHANNELS, CLASSES, BETA = (6, 5, 2), [3, 2], 3, 0.3
LAYOUTS = {
    "strided": {"kernel": [3, 3], "stride": [2, 2], "padding": [1, 1]},
    "uneven": {"kernel": [3, 2], "stride": [1, 2], "padding": [0, 1]},
    "pooled": {"kernel": [3, 2], "stride": [1, 1], "padding": [1, 1], "pool": 2},
}
NAMES = ("conv_hopfield", "conv_predictive")


def by_hand(energy, layout):
    """(state, params, x, y) → F per sample, with JAX's own convolution."""
    import jax.numpy as jnp
    from jax import lax

    names = [s.name for s in energy.states]
    q = layout.get("pool", 1)

    def pooled(z):
        return lax.reduce_window(z, 0.0, lax.add, (1, q, q, 1), (1, q, q, 1), "VALID") / q**2

    def total(state, p, x, y):
        below, found = x, 0.5 * BETA * jnp.sum((state[names[-1]] - y) ** 2, -1)
        for k, name in enumerate(names):
            s, last = state[name], name == names[-1]
            signal = below if k == 0 else pooled(below)
            if last:
                drive = jnp.einsum("bhwc,hwco->bo", signal, p[f"W{k + 1}"])
            else:
                drive = lax.conv_general_dilated(
                    signal, p[f"K{k + 1}"], (layout["stride"][k],) * 2,
                    [(layout["padding"][k],) * 2] * 2,
                    dimension_numbers=("NHWC", "HWIO", "NHWC"),
                )  # fmt: skip
            drive, own = drive + p[f"b{k + 1}"], tuple(range(1, s.ndim))
            if energy.name == "conv_hopfield":
                below = jnp.tanh(s)
                found += 0.5 * jnp.sum(s * s, own) - jnp.sum(below * drive, own)
            else:
                below = s
                found += 0.5 * jnp.sum((s - (drive if last else jnp.tanh(drive))) ** 2, own)
        return found

    return total


def drawn(energy, program, seed=0, batch=2):
    """Random state, parameters, input and target."""
    rng = np.random.default_rng(seed)
    params = {k: 0.5 * rng.normal(size=v.shape) for k, v in program.init(0).items()}
    state = {s.name: rng.normal(size=(batch, *(energy.sizes[a] for a in s.axes)))
             for s in energy.states}  # fmt: skip
    return state, params, rng.normal(size=(batch, *SHAPE)), rng.normal(size=(batch, CLASSES))


def everything(program, values):
    """All functions of a program on arrays with phase and batch axes."""
    found = {k: program.core(k, values) for k in ("energy", "force", "rule", "hvp")}
    return found | {"hessian": {"H": assemble(program, values)}}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", NAMES)
def test_generated_convolutions_are_those_of_jax(name, layout):
    """A transposed kernel or a lost border shows in one of energy, force, rule, hvp, Hessian."""
    import jax
    import jax.numpy as jnp

    kind = LAYOUTS[layout]
    energy = getattr(un.energies, name)(SHAPE, CHANNELS, classes=CLASSES, **kind)
    programs = [un.emit(energy, un.costs.squared(), backend=b) for b in ("jax", "numpy")]
    state, params, x, y = drawn(energy, programs[0])
    values, _ = programs[0].values(state, params, un.Phase.nudged(x, y, BETA))
    along = {k: np.cos(np.arange(s.size)).reshape(s.shape) for k, s in state.items()}
    names = programs[0].kernels.directions
    values |= {names[k].name: v[None] for k, v in along.items()}
    total = by_hand(energy, kind)
    shapes = {k: s.shape[1:] for k, s in state.items()}
    cuts = np.cumsum([np.prod(s) for s in shapes.values()])[:-1]

    def flat(z, x, y):
        parts = zip(shapes.items(), jnp.split(z, cuts), strict=True)
        parts = {k: q.reshape(1, *shape) for (k, shape), q in parts}
        return total(parts, params, x[None], y[None])[0]

    def theirs(s, z):
        force = jax.grad(lambda s: -total(s, params, x, y).sum())
        return {
            "energy": {"F": total(s, params, x, y)},
            "force": force(s),
            "rule": jax.jacobian(lambda p: total(s, p, x, y))(params),
            "hvp": {k: -v for k, v in jax.jvp(force, (s,), (along,))[1].items()},
            "hessian": {"H": jax.vmap(jax.hessian(flat))(z, x, y)},
        }

    with programs[0].precision:
        z = np.concatenate([s.reshape(len(x), -1) for s in state.values()], axis=1)
        want = jax.tree.map(np.asarray, jax.jit(theirs)(state, z))
        ours = [jax.jit(lambda v: everything(programs[0], v))(values)]
    ours.append(everything(programs[1], values))
    for found in ours:
        for function, outputs in want.items():
            for k, w in outputs.items():
                got = np.asarray(found[function][k])[0]
                np.testing.assert_allclose(got, w, rtol=1e-11, atol=1e-12, err_msg=function)


def test_screens_of_a_convolution_are_those_of_the_dense_hessian():
    """A wrong screen sends the sweeps past their minimum, slowly enough not to be noticed."""
    energy = un.energies.conv_hopfield(SHAPE, CHANNELS, classes=CLASSES)
    program = un.emit(energy, un.costs.squared(), backend="numpy")
    state, params, x, y = drawn(energy, program)
    dense = program.hessian(state, params, un.Phase.nudged(x, y, BETA))
    values, _ = program.values(state, params, un.Phase.nudged(x, y, BETA))
    stiff = np.abs(drawn(energy, program, 1)[0]["s2"]) + 1.0
    found = program.core("screen_s1_s2", {**values, "d_s2": stiff[None]})["s1"][0]
    first = state["s1"][0].size
    block = dense[:, :first, first : first + state["s2"][0].size]
    want = np.einsum("bij,bj->bi", block**2, 1 / stiff.reshape(2, -1))
    np.testing.assert_allclose(found.reshape(2, -1), want, rtol=1e-12)


def test_float32_stays_float32():
    """A window array of another type would silently double the memory of a network."""
    energy = un.energies.conv_hopfield(SHAPE, CHANNELS, classes=CLASSES, stride=1, pool=2)
    for backend in ("jax", "numpy"):
        program = un.emit(energy, un.costs.squared(), backend=backend, dtype="float32")
        state, params, x, y = drawn(energy, program)
        values, _ = program.values(state, params, un.Phase.nudged(x, y, BETA))
        with program.precision:
            blocks = program.jit("blocks", lambda v, p=program: p.core("hessian", v))(values)
        assert {np.asarray(v).dtype.name for v in blocks.values()} == {"float32"}


def test_code_of_a_layer_has_no_dense_convolution():
    """Written out, one layer of a small image net is a matrix of millions of entries."""
    for name in NAMES:
        energy = getattr(un.energies, name)((28, 28, 1), [16, 32])
        source = un.emit(energy, un.costs.squared()).source
        for function in ("energy", "force", "hvp", "contrast", "mixed", "rule"):
            body = source.partition(f"def {function}(")[2].partition("\ndef ")[0]
            assert "window_array" not in body, function
            assert "im2col" in body or "col2im" in body, function


def test_sizes_that_do_not_fit_are_told_by_a_run():
    """An energy without declared sizes learns them from arrays: they must fit as well."""
    u, c, i, o = un.axes("u c i o")
    line, kernel = un.var("line", u, c), un.var("kernel", i, c, o)
    y = un.conv(line, kernel)
    s = un.var("s", *y.axes)
    program = un.emit(un.Energy(0.5 * s.sq() - s.dot(y), [s], [kernel], [line]), backend="numpy")
    at = {"kernel": np.ones((3, 1, 2))}
    phase = un.Phase.free(np.ones((6, 1)))
    assert program.force({"s": np.zeros((4, 2))}, at, phase)["s"].shape == (4, 2)
    with pytest.raises(InputError, match=r"conv axis u_i: expected size 4 .* got 5"):
        program.force({"s": np.zeros((5, 2))}, at, phase)
    with pytest.raises(InputError, match="conv kernel axis i: expected at most 2"):
        program.force({"s": np.zeros((4, 2))}, at, un.Phase.free(np.ones((2, 1))))
