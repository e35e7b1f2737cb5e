"""Oracle: NumPy velocities and Jacobians written here, SciPy's root finder, NumPy eigenvalues."""

import numpy as np
import pytest
from scipy.optimize import root

import unified as un
from unified.base.errors import ConvergenceError, InputError

SIZES = [3, 5, 4, 2]
METHODS = [
    un.Newton(), un.Newton(linear="cg"), un.FixedPoint(300), un.FixedPoint(300, anderson=4),
    un.Flow(),
]  # fmt: skip


def rng(seed):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def layered():
    """A layered net with feedback of its own: program, params, inputs, targets."""
    program = un.emit(un.fields.asymmetric(SIZES), un.costs.squared())
    r = rng(0)
    params = {k: v + 0.3 * r.normal(size=v.shape) for k, v in program.init(0).items()}
    return program, params, r.normal(size=(4, 3)), r.normal(size=(4, 2))


@pytest.fixture(scope="module")
def dense():
    """ṡ = −s + W tanh s + Ux + b in three units."""
    return un.emit(un.fields.asymmetric_recurrent(3, 1, convention="Wf(z)"))


def flow_of(p, x, y, beta, z):
    """The layered field for one sample, by hand."""
    s, at = [], 0
    for n in SIZES[1:]:
        s.append(z[at : at + n])
        at += n
    below, found = x, []
    for k, own in enumerate(s, start=1):
        drive = below @ p[f"W{k}"] + p[f"b{k}"]
        if k < len(s):
            drive = drive + p[f"B{k}"] @ np.tanh(s[k])
        found.append((1 - np.tanh(own) ** 2) * drive - own)
        below = np.tanh(own)
    found[-1] = found[-1] - beta * (s[-1] - y)
    return np.concatenate(found)


def numeric(function, z, h=1e-6):
    """A Jacobian by central differences."""
    columns = [(function(z + h * e) - function(z - h * e)) / (2 * h) for e in np.eye(z.size)]
    return np.stack(columns, axis=1)


def stacked(state, k):
    return np.concatenate([state[n][k] for n in ("s1", "s2", "s3")])


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_every_method_finds_the_root(layered, method):
    """A rest point of the wrong equations gives gradients of another network."""
    program, params, x, y = layered
    rest = un.relax(program, params, un.Phase.nudged(x, y, 0.3), method)
    assert set(rest.state) == {"s1", "s2", "s3"} and np.all(rest.residual <= 1e-10)
    for k in range(4):
        found = root(lambda z, k=k: flow_of(params, x[k], y[k], 0.3, z), np.zeros(11), tol=1e-13)
        np.testing.assert_allclose(stacked(rest.state, k), found.x, atol=2e-9)


def test_velocity_jacobian_and_certificate_are_those_of_numpy(layered):
    """The certificate decides whether a gradient is returned at all."""
    program, params, x, y = layered
    phase = un.Phase.nudged(x, y, 0.3)
    rest = un.relax(program, params, phase)
    state = {k: v + 0.1 * rng(3).normal(size=v.shape) for k, v in rest.state.items()}
    speed = un.velocity(program, state, params, phase)
    whole = un.jacobian(program, state, params, phase)
    rates = un.jacobian(program, rest.state, params, phase)
    for k in range(4):
        by_hand = lambda z, k=k: flow_of(params, x[k], y[k], 0.3, z)  # noqa: E731
        np.testing.assert_allclose(stacked(speed, k), by_hand(stacked(state, k)), atol=1e-13)
        np.testing.assert_allclose(whole[k], numeric(by_hand, stacked(state, k)), atol=1e-8)
    slowest = np.linalg.eigvals(rates).real.max(axis=1)
    np.testing.assert_allclose(rest.certificate.abscissa, slowest, rtol=1e-9)
    assert np.all(rest.certificate.stable) and rest.certificate.method == "dense"
    assert "max Re rate <= -0." in repr(rest)


def test_the_lagrangian_kernels_are_the_field(layered):
    """Rules, co-states and products all come from −aᵀf: a wrong sign there is wrong everywhere."""
    program, params, x, y = layered
    phase = un.Phase.nudged(x, y, 0.3)
    r = rng(4)
    state = {f"s{k}": r.normal(size=(4, n)) for k, n in enumerate(SIZES) if k}
    adj = {f"adj_{k}": r.normal(size=v.shape) for k, v in state.items()}
    speed = un.velocity(program, state, params, un.Phase.free(x))
    force = program.force({**state, **adj}, params, phase)
    for k, v in speed.items():
        np.testing.assert_allclose(force[f"adj_{k}"], v, atol=1e-13)
    jacobian = un.jacobian(program, state, params, un.Phase.free(x))
    for k in range(4):
        a = np.concatenate([adj[f"adj_{n}"][k] for n in state])
        pull = jacobian[k].T @ a
        pull[-2:] -= 0.3 * (state["s3"][k] - y[k])
        np.testing.assert_allclose(np.concatenate([force[n][k] for n in state]), pull, atol=1e-12)


def test_the_symmetric_case_is_the_hopfield_net(layered):
    """B = W is the promise that ties the asymmetric net to its energy."""
    program, params, x, y = layered
    params = params | {"B1": params["W2"], "B2": params["W3"]}
    energy = un.emit(un.energies.hopfield(SIZES), un.costs.squared())
    own = {k: v for k, v in params.items() if not k.startswith("B")}
    phase = un.Phase.nudged(x, y, 0.2)
    mine, theirs = un.relax(program, params, phase), un.relax(energy, own, phase)
    for k in mine.state:
        np.testing.assert_allclose(mine.state[k], theirs.state[k], atol=1e-9)
    np.testing.assert_allclose(
        -mine.certificate.abscissa, theirs.certificate.lambda_min, rtol=1e-6
    )  # fmt: skip


def test_which_blocks_are_asymmetric_is_proved():
    """The refusal names a block; naming a symmetric one would send people after nothing."""
    assert un.fields.asymmetric(SIZES).asymmetric_blocks == (("s1", "s2"), ("s2", "s3"))
    assert un.Field.of(un.energies.hopfield(SIZES)).asymmetric_blocks == ()
    assert un.Field.of(un.energies.recurrent(3)).asymmetric_blocks == ()
    for convention in ("f(Wz)", "Wf(z)", "hopfield"):
        field = un.fields.asymmetric_recurrent(3, convention=convention)
        assert field.asymmetric_blocks == (("s", "s"),)


def test_an_unstable_rest_point_is_not_converged(dense):
    """Newton likes saddles and unstable foci as well as sinks; only the spectrum tells."""
    w = np.array([[1.5, -1.0, 0.0], [1.0, 1.5, 0.0], [0.0, 0.0, 0.3]])
    params = {"W": w, "U": np.eye(3)[:, :1], "b": np.zeros(3)}
    phase = un.Phase.free(np.zeros((2, 1)))
    rest = un.relax(dense, params, phase, throw=False)
    assert rest.status.tolist() == ["unstable"] * 2 and not np.any(rest.certificate.stable)
    np.testing.assert_allclose(rest.certificate.abscissa, 0.5)
    with pytest.raises(ConvergenceError, match=r"unstable.*or use Flow, which leaves it"):
        un.relax(dense, params, phase)
    unsure = un.relax(dense, params, phase, certify=False)
    assert unsure.certificate.method == "none" and np.all(np.isnan(unsure.certificate.abscissa))


def test_stable_although_not_dissipative(dense):
    """λ_max(J_s) > 0 > max Re λ(J): a test by the symmetric part alone would refuse good nets."""
    w = np.array([[0.0, 9.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    rest = un.relax(dense, {"W": w, "U": np.zeros((3, 1)), "b": np.zeros(3)},
                    un.Phase.free(np.zeros((1, 1))))  # fmt: skip
    assert rest.converged and rest.certificate.abscissa == pytest.approx(-1.0)
    assert np.linalg.eigvalsh((w + w.T) / 2 - np.eye(3)).max() > 3


def test_a_large_field_is_solved_and_certified_by_products():
    """Above the dense limits other code runs: GMRES and Arnoldi, against NumPy's dense algebra."""
    n = 320
    r = rng(5)
    w = 0.9 * r.normal(size=(n, n)) / np.sqrt(n)
    w[0, 0] = 1.7  # one slow direction, so that the rightmost eigenvalue stands apart
    program = un.emit(un.fields.asymmetric_recurrent(n, 2))
    params = {"W": w, "U": r.normal(size=(n, 2)), "b": np.zeros(n)}
    x = 2.0 + r.normal(size=(2, 2))
    rest = un.relax(program, params, un.Phase.free(x))
    assert rest.certificate.method == "arnoldi"
    for k in range(2):
        s = rest.state["s"][k]
        np.testing.assert_allclose(s, np.tanh(w @ s + params["U"] @ x[k]), atol=1e-8)
        j = (1 - s**2)[:, None] * w - np.eye(n)
        slowest = np.linalg.eigvals(j).real.max()
        assert rest.certificate.abscissa[k] == pytest.approx(slowest, abs=0.02)


def test_a_result_does_not_depend_on_the_batch_around_it(layered):
    """A line search shared by the batch would make every sample wait for the worst."""
    program, params, x, _ = layered
    whole = un.relax(program, params, un.Phase.free(x))
    for k in range(4):
        one = un.relax(program, params, un.Phase.free(x[k]))
        assert one.residual.shape == ()
        for n in one.state:
            np.testing.assert_allclose(one.state[n], whole.state[n][k], rtol=1e-12, atol=1e-13)


def test_a_user_field_of_multiplied_axes_relaxes():
    """States with two axes are flattened on the way to the solvers and must come back."""
    n, m = un.axes("n m")
    s, w, x = un.var("s", n, m), un.var("W", n, n), un.var("x", n, m)
    field = un.Field({s: w @ s + x - s}, [w], [x], sizes={n: 3, m: 2})
    w_ = 0.3 * rng(6).normal(size=(3, 3))
    x_ = rng(7).normal(size=(2, 3, 2))
    rest = un.relax(un.emit(field), {"W": w_}, un.Phase.free(x_))
    exact = np.linalg.solve(np.eye(3) - w_, x_)
    np.testing.assert_allclose(rest.state["s"], exact, atol=1e-9)


def test_least_squares_rests_where_the_field_does(layered):
    """Its zero minima are the whole point of ½|f|²."""
    program, params, x, _ = layered
    energy = un.emit(program.field.least_squares(), un.costs.squared())
    mine = un.relax(energy, params, un.Phase.free(x), tol=1e-12)
    theirs = un.relax(program, params, un.Phase.free(x))
    assert np.all(mine.energy < 1e-20)
    for k in mine.state:
        np.testing.assert_allclose(mine.state[k], theirs.state[k], atol=1e-8)


def test_bad_fields_and_calls_are_refused_in_one_sentence(layered, dense):
    """People write fields by hand; each slip must be named."""
    program, params, x, y = layered
    n, m = un.axes("n m")
    s, t, w = un.var("s", n), un.var("t", m), un.var("W", n, n)
    cases = [
        (lambda: un.Field({}), "dict"),
        (lambda: un.Field({"s": -s}), "un.var as keys"),
        (lambda: un.Field({s: t}), "velocity of s: expected an expression with axes"),
        (lambda: un.Field({s: w @ s - s}), "undeclared W"),
        (lambda: un.Field({s: -s}, [w]), "'W', which it does not"),
        (lambda: un.Field({s: -s}, output="z"), "output: expected one of s"),
        (lambda: un.Field({s: -s}).jacobian("s", "q"), "state: expected one of s"),
        (lambda: un.fields.asymmetric([3]), "sizes"),
        (lambda: un.fields.asymmetric_recurrent(3, convention="WW"), "convention"),
        (lambda: un.relax(program, params, un.Phase.clamped(x, y)), "clamped"),
        (lambda: un.relax(program, params, un.Phase.nudged(x, y, 0.1j)), "complex"),
        (lambda: un.relax(program, params, un.Phase.free(x), metric=un.Identity()), "metric"),
        (lambda: un.relax(program, params, un.Phase.free(x), tol=-1.0), "tol"),
        (lambda: un.relax(program, params, un.Phase.free(x), start={"s1": np.zeros((4, 5))}), "s2"),
        (lambda: program.clamped, "clamped"),
        (lambda: un.velocity(program, {}, params, un.Phase.free(x)), "s1"),
        (lambda: un.jacobian(dense, {"s": np.zeros(3)}, {}, un.Phase.nudged(x, y, 1.0)), "cost"),
    ]
    for call, told in cases:
        with pytest.raises(InputError, match=told) as caught:
            call()
        told = str(caught.value).replace("e.g. ", "")
        assert told.count(". ") == 0 and told.endswith(".")
    numpy = un.emit(un.Field({s: w @ s - s}, [w]), backend="numpy")
    with pytest.raises(InputError, match="backend='jax'"):
        un.velocity(numpy, {"s": np.zeros(2)}, {"W": np.eye(2)}, un.Phase.free())


def test_a_field_shows_itself():
    """The formula in a notebook is how people check what they wrote."""
    field = un.fields.asymmetric_recurrent(2, convention="Wf(z)")
    assert r"\dot{s} &=" in field.latex() and "$" in field._repr_latex_()
    assert repr(field).startswith("Field(asymmetric_recurrent: states s[n0]")
