"""Oracle: closed forms of linear chains (theory C4) and NumPy on the assembled Hessian."""

from functools import partial

import jax
import numpy as np
import pytest

import unified as un
from tests.dynamics.nets import DOT, rng, symmetric
from unified.dynamics import linear
from unified.dynamics.hessian import FactoredHessian, has_one_hessian
from unified.dynamics.relax import phase_values
from unified.dynamics.solve import relax_arrays, start_state
from unified.dynamics.system import System

SIZES = {2: [3, 5, 2], 3: [3, 4, 6, 2], 4: [3, 4, 3, 5, 2], 5: [3, 4, 2, 5, 3, 2]}


def chain(depth, f="identity"):
    """A PC chain with full precisions, its parameters and data."""
    program = un.emit(un.energies.predictive(SIZES[depth], f, precision="full"), un.costs.squared())
    r = rng(depth)
    params = {k: v if k[0] == "W" else r.normal(size=v.shape) for k, v in program.init(1).items()}
    for k, n in enumerate(SIZES[depth][1:], start=1):
        params[f"P{k}"] = np.diag(r.uniform(0.5, 2.0, n)) + symmetric(n, 10 + k, 0.3)
    return program, params, r.normal(size=(4, 3)), r.normal(size=(4, 2))


CHAINS = {depth: chain(depth) for depth in SIZES}


def factored(program, params, phase):
    """The factors of H, the log-determinant, and both covariance blocks, as NumPy arrays."""
    with program.precision:
        values, _ = phase_values(program, params, phase)

        def read(v):
            system = System(program, v)
            found = FactoredHessian.of(system, system.begin(start_state(program, v))).factor
            return found.logdet, found.inverse_blocks()

        return jax.tree.map(np.asarray, jax.jit(read)(values))


def stacked(rest):
    return np.concatenate(list(rest.state.values()), axis=-1)


@pytest.mark.parametrize(
    ("depth", "clamped"), [(2, True), (3, False), (4, True), (5, False)], ids=str
)
def test_energy_and_determinant_are_the_closed_forms(depth, clamped):
    """-log evidence of a linear PC net is F* + ½ log det S: both halves are pinned here."""
    program, params, x, y = CHAINS[depth]
    beta = 0.7
    p = [params[f"P{k}"] for k in range(1, depth + 1)]
    s = np.linalg.inv(p[-1]) + (0 if clamped else np.eye(2) / beta)
    out, total = x, np.eye(2)
    for k in range(1, depth + 1):
        out = out @ params[f"W{k}"].T + params[f"b{k}"]
    for k in range(depth, 1, -1):
        total = total @ params[f"W{k}"]
        s = s + total @ np.linalg.inv(p[k - 2]) @ total.T
    residual = y - out
    constant = -0.5 * sum(np.linalg.slogdet(q)[1] for q in p)
    least = 0.5 * np.sum(residual * np.linalg.solve(s, residual.T).T, axis=1) + constant

    phase = un.Phase.clamped(x, y) if clamped else un.Phase.nudged(x, y, beta)
    rest = un.relax(program, params, phase, tol=1e-12)
    assert rest.method == "Exact" and np.all(rest.steps == 1)
    np.testing.assert_allclose(rest.energy, least, rtol=1e-12, atol=1e-12)

    inner, at = (program.clamped, un.Phase({"x": x, "y": y})) if clamped else (program, phase)
    logdet, _ = factored(inner, {k.name: params[k.name] for k in inner.model.params}, at)
    assert logdet.shape == (1, 1)
    own = np.linalg.slogdet(s)[1] + sum(np.linalg.slogdet(q)[1] for q in p)
    own += 0.0 if clamped else 2 * np.log(beta)  # n_L log β
    np.testing.assert_allclose(logdet, own, rtol=1e-12)


@pytest.mark.parametrize("depth", [2, 5, 8])
def test_an_orthogonal_chain_has_the_condition_number_of_theory(depth):
    """κ = cot²(π/2L): why plain gradient inference slows down with depth, and this does not."""
    program = un.emit(un.energies.predictive([4] * (depth + 1), f="identity"), un.costs.squared())
    r = rng(depth)
    params = {k: np.linalg.qr(r.normal(size=(4, 4)))[0] if k[0] == "W" else v
              for k, v in program.init(0).items()}  # fmt: skip
    x, y = r.normal(size=(2, 3, 4))
    rest = un.relax(program, params, un.Phase.clamped(x, y), tol=1e-12)
    inner = program.clamped
    kept = {v.name: params[v.name] for v in inner.model.params}
    first = {k: v[0] for k, v in rest.state.items()}
    own = np.linalg.eigvalsh(inner.hessian(first, kept, un.Phase({"x": x[0], "y": y[0]})))
    np.testing.assert_allclose(own[-1] / own[0], 1 / np.tan(np.pi / (2 * depth)) ** 2, rtol=1e-10)
    np.testing.assert_allclose(rest.certificate.lambda_min, own[0], rtol=1e-10)


def test_covariance_blocks_are_those_of_the_dense_posterior():
    """Learning precisions needs Cov ε; without it a hidden precision diverges."""
    program, params, x, y = CHAINS[5]
    _, (own, side) = factored(program, params, un.Phase.nudged(x, y, 0.7))
    one = {s.name: np.zeros(program.model.sizes[s.axes[0]]) for s in program.model.states}
    inverse = np.linalg.inv(program.hessian(one, params, un.Phase.nudged(x[0], y[0], 0.7)))
    stops = np.cumsum([0, *SIZES[5][1:]])
    for k, block in enumerate(own):
        here = slice(stops[k], stops[k + 1])
        np.testing.assert_allclose(block[0, 0], inverse[here, here], rtol=0, atol=1e-13)
        if k + 1 < len(own):
            above = slice(stops[k + 1], stops[k + 2])
            np.testing.assert_allclose(side[k][0, 0], inverse[here, above], rtol=0, atol=1e-13)


def quadratic(hessian):
    """½ s'Hs − (b + x)'s as one recurrent net with a general matrix."""
    n = len(hessian)
    a = un.axes("whole")
    s, b, x, w = un.var("s", a), un.var("b", a), un.var("x", a), un.var("A", a, a, symmetric=True)
    return un.emit(
        un.Energy(0.5 * (s @ w @ s) - b @ s - x @ s, [s], [w, b], [x], sizes={a: n}),
        un.costs.squared(),
    )  # fmt: skip


def skipping():
    """A linear PC net in which the input of the first layer also reaches the third."""
    axs = un.axes("k0 k1 k2 k3 k4")
    x, *z = [un.var(f"z{k}", a) for k, a in enumerate(axs)]
    w = [un.var(f"W{k}", axs[k], axs[k - 1]) for k in range(1, 5)]
    skip = un.var("V", axs[3], axs[1])
    means = [w[0] @ x, w[1] @ z[0], w[2] @ z[1] + skip @ z[0], w[3] @ z[2]]
    layers = [un.energies.Layer(s, m) for s, m in zip(z, means, strict=True)]
    sizes = dict(zip(axs, [3, 4, 5, 2, 3], strict=True))
    return un.emit(un.energies.layered(layers, [*w, skip], [x], sizes=sizes), un.costs.squared())


@pytest.mark.parametrize("beta", [0.4, 0.3 + 0.2j])
@pytest.mark.parametrize("net", ["skips", "Hopfield", "one matrix"])
def test_every_quadratic_energy_is_solved_not_chains_alone(net, beta):
    """Skip connections or a wide band must not fall back to iterating, nor to a wrong solve."""
    program = {
        "skips": skipping, "one matrix": lambda: quadratic(np.eye(5)),
        "Hopfield": lambda: un.emit(un.energies.hopfield([3, 5, 4, 2], "identity"),
                                    un.costs.squared()),
    }[net]()  # fmt: skip
    r = rng(3)
    params = program.init(3)
    params |= {"A": 2 * np.eye(5) + symmetric(5, 3, 0.9)} if net == "one matrix" else {}
    sizes = program.model.sizes
    x = r.normal(size=(6, sizes[program.model.inputs[0].axes[0]]))
    y = r.normal(size=(6, sizes[program.model.output.axes[0]]))
    rest = un.relax(program, params, un.Phase.nudged(x, y, beta), tol=1e-12)
    assert rest.method == "Exact" and np.all(rest.steps == 1)
    kind = np.result_type(float, beta)
    zero = {s.name: np.zeros((6, sizes[s.axes[0]]), kind) for s in program.model.states}
    whole = program.hessian(zero, params, un.Phase.nudged(x, y, beta))
    push = np.concatenate(
        list(program.force(zero, params, un.Phase.nudged(x, y, beta)).values()), axis=1
    )
    exact = np.linalg.solve(whole, push[..., None])[..., 0]
    np.testing.assert_allclose(stacked(rest), exact, rtol=0, atol=1e-12)


def test_a_layer_with_data_in_its_curvature_is_solved_sample_by_sample():
    """Inputs may gate a layer: one factorisation for the batch would then be another net's."""
    h = un.var("h", DOT)
    s, k = un.var("s", DOT), un.scalar("k")
    energy = un.Energy(0.5 * k * (h * s * s).sum() - s.sum(), [s], [k], [h], sizes={DOT: 1})
    program = un.emit(energy, un.costs.squared())
    assert program.kernels.quadratic and not has_one_hessian(program)
    x = np.array([[1.0], [-0.5], [2.0], [0.5]])
    rest = un.relax(program, {"k": 1.0}, un.Phase.free(x), un.Exact(), throw=False)
    assert rest.status.tolist() == ["converged", "not_a_minimum", "converged", "converged"]
    np.testing.assert_allclose(rest.state["s"][[0, 2, 3], 0], [1.0, 0.5, 2.0], rtol=1e-14)
    assert un.relax(program, {"k": 1.0}, un.Phase.free(x[2:])).method == "Newton"


def test_what_is_quadratic_is_read_off_the_expressions():
    """A net wrongly taken for quadratic would be solved by one step that does not reach rest."""
    e, c = un.energies, un.costs
    cases = [
        (e.predictive([3, 4, 2], "identity"), c.squared(), True),
        (e.predictive([3, 4, 2]), c.squared(), True),  # f acts on the input only
        (e.predictive([3, 4, 4, 2]), c.squared(), False),
        (e.predictive([3, 4, 2], convention="Wf(z)"), c.squared(), False),
        (e.predictive([3, 4, 2], "identity"), c.cross_entropy(), False),
        (e.hopfield([3, 4, 2], "identity"), c.squared(), True),
        (e.hopfield([3, 4, 2]), c.squared(), False),
    ]
    for energy, cost, expected in cases:
        assert un.emit(energy, cost, cache=False).kernels.uniform is expected
    net = un.emit(e.hopfield([3, 4, 2]), c.squared())
    with pytest.raises(un.errors.InputError, match=r"method: expected .*quadratic.*un\.Newton"):
        un.relax(net, net.init(0), un.Phase.free(np.ones((2, 3))), un.Exact())


def test_results_do_not_depend_on_the_batch():
    """Shuffled or split data must give the same rest points; a GEMM of another shape rounds."""
    program, params, _, _ = CHAINS[3]
    r = rng(4)
    x, y = r.normal(size=(512, 3)), r.normal(size=(512, 2))
    whole = stacked(un.relax(program, params, un.Phase.nudged(x, y, 0.5), certify=False))
    for batch in (1, 8, 64):
        part = un.Phase.nudged(x[:batch], y[:batch], 0.5)
        alone = stacked(un.relax(program, params, part, certify=False))
        np.testing.assert_allclose(alone, whole[:batch], rtol=0, atol=1e-13)


def test_there_is_one_factorisation_per_layer_whatever_the_batch():
    """Factorising per sample is what made exact inference slower than iterating."""
    program, params, x, y = CHAINS[3]

    def count(batch, betas):
        phase = un.Phase(np.repeat(x, batch, axis=0), np.repeat(y, batch, axis=0), betas)
        with program.precision:
            values, _ = phase_values(program, params, phase)
            run = partial(relax_arrays, program, method=un.Exact(), tol=1e-12)
            jaxpr = jax.make_jaxpr(lambda v: run(v, start=start_state(program, v)))(values)
        return str(jaxpr).count("= cholesky ")

    assert count(1, 0.5) == count(16, 0.5) == 3
    assert count(16, np.array([0.2, 0.5, 0.9])) == 3  # the last of them mapped over phases


def test_an_ill_conditioned_chain_meets_the_tolerance():
    """Refinement is what lets a trained, badly scaled chain count as converged at 1e-12."""
    program, params, x, y = CHAINS[5]
    scaled = {k: v * 30.0 if k[0] == "P" and k != "P3" else v for k, v in params.items()}
    scaled["P3"] = 1e-4 * params["P3"]
    rest = un.relax(program, scaled, un.Phase.clamped(x, y), tol=1e-12)
    inner = program.clamped
    kept = {v.name: scaled[v.name] for v in inner.model.params}
    first = {k: v[0] for k, v in rest.state.items()}
    whole = inner.hessian(first, kept, un.Phase({"x": x[0], "y": y[0]}))
    assert np.linalg.cond(whole) > 1e3
    assert rest.converged and np.all(rest.residual <= 1e-12) and np.all(rest.steps <= 3)


@pytest.mark.parametrize("certify", [True, False])
def test_a_chain_without_a_minimum_is_reported(certify):
    """Past the guard, or with an indefinite precision, the stationary point is a saddle."""
    program, params, x, y = CHAINS[3]
    free = un.relax(program, params, un.Phase.free(x))
    assert free.converged
    _, (own, _) = factored(program, params, un.Phase.free(x))
    edge = 1 / np.linalg.eigvalsh(own[-1][0, 0])[-1]  # H(−β) ≻ 0 iff β < 1/λ_max(Σ_LL)

    def status(at, phase):
        return set(un.relax(program, at, phase, certify=certify, throw=False).status)

    assert status(params, un.Phase.nudged(x, y, -0.99 * edge)) == {"converged"}
    assert status(params, un.Phase.nudged(x, y, -1.01 * edge)) == {"nudge_too_negative"}
    bad = quadratic(np.eye(4))
    at = {"A": np.diag([1.0, 2.0, -0.1, 1.0]), "b": np.zeros(4)}
    rest = un.relax(bad, at, un.Phase.free(np.ones((3, 4))), certify=certify, throw=False)
    assert set(rest.status) == {"not_a_minimum"}
    with pytest.raises(un.errors.ConvergenceError, match="not_a_minimum"):
        un.relax(bad, at, un.Phase.free(np.ones((3, 4))), certify=certify)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [
    un.Implicit(), un.Centered(0.01), un.Holomorphic(0.1, 4), un.PredictiveCoding(),
], ids=str)  # fmt: skip
def test_gradients_of_chains_are_those_of_newton(estimator):
    """The default changed under every estimator; their gradients must not have."""
    program, params, x, y = CHAINS[2]
    found = estimator(program, params, x, y)
    assert {e.method for e in found.equilibria} == {"Exact"}
    newton = type(estimator)(
        **{f: getattr(estimator, f) for f in ("beta", "radius", "points") if hasattr(estimator, f)},
        method=un.Newton(linear="dense"),
    )
    assert un.relative_error(found.grad, newton(program, params, x, y).grad) < 1e-12


@pytest.mark.slow
def test_the_lowest_curvature_of_a_long_chain_is_numpys():
    """Lanczos on H itself finds the end of a chain's spectrum slowly, and from above."""
    program = un.emit(un.energies.predictive([60] * 8, f="identity"), un.costs.squared())
    params = program.init(0)
    r = rng(6)
    x, y = r.normal(size=(2, 2, 60))
    rest = un.relax(program, params, un.Phase.clamped(x, y))
    inner = program.clamped
    kept = {v.name: params[v.name] for v in inner.model.params}
    first = {k: v[0] for k, v in rest.state.items()}
    whole = inner.hessian(first, kept, un.Phase({"x": x[0], "y": y[0]}))
    assert len(whole) > 300 and rest.certificate.method == "lanczos"
    lowest = np.linalg.eigvalsh(whole)[0]
    np.testing.assert_allclose(rest.certificate.lambda_min, lowest, rtol=1e-8)


@pytest.mark.parametrize(("smallest", "told"), [(0.5, "cg"), (1e-9, "factorised"), (-0.5, "NaN")])
def test_an_adjoint_is_exact_or_not_a_number(smallest, told):
    """Implicit is the yardstick of every estimator; conjugate gradients may stop short."""
    n = 60
    assert linear.DENSE_LIMIT < n <= linear.FALLBACK_LIMIT
    s, w = un.var("s", DOT), un.var("A", DOT, DOT, symmetric=True)
    quartic = 0.25 * (s * s * s * s).sum()  # not quadratic, yet with Hessian A at 0
    program = un.emit(un.Energy(0.5 * (s @ w @ s) + quartic, [s], [w], sizes={DOT: n}))
    q, _ = np.linalg.qr(rng(7).normal(size=(n, n)))
    a = (q * np.geomspace(abs(smallest), 1.0, n)) @ q.T
    a = a if smallest > 0 else a - 1.5 * abs(smallest) * np.eye(n)
    a = (a + a.T) / 2
    right = rng(8).normal(size=(1, 2, n))
    with program.precision:
        values, _ = phase_values(program, {"A": a}, un.Phase.free())

        def run(v, g):
            system = System(program, v)
            state = system.begin({"s": jax.numpy.zeros((1, 2, n))})
            return linear.solve(system, state, {"s": g})["s"]

        found = np.asarray(jax.jit(run)(values, right))
    if told == "NaN":
        assert np.isnan(found).all()
        return
    exact = np.linalg.solve(a, right[0].T).T
    size = np.linalg.norm(exact)
    assert np.linalg.norm(found[0] - exact) < 1e-14 / smallest * size
