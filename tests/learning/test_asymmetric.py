"""Oracle: implicit-function gradients in NumPy, finite differences, and the error term in closed
form; negative control: the symmetric rule on an asymmetric net."""

import numpy as np
import optax
import pytest

import unified as un
from tests.learning.nets import data_of, params_of
from unified.base.errors import ConvergenceError, InputError


@pytest.fixture(scope="module")
def net():
    """ṡ = −s + tanh(Ws + Ux + b), four units, two read out by a cost of its own."""
    field = un.fields.asymmetric_recurrent(4, 3)
    program = un.emit(field, un.costs.squared())
    r = np.random.default_rng(0)
    params = {"W": 0.6 * r.normal(size=(4, 4)), "U": r.normal(size=(4, 3)), "b": r.normal(size=4)}
    return program, params, r.normal(size=(5, 3)), r.normal(size=(5, 4))


@pytest.fixture(scope="module")
def layered():
    """The layered net with feedback of its own, both costs in use elsewhere."""
    program = un.emit(un.fields.asymmetric([3, 5, 4, 2]), un.costs.cross_entropy())
    r = np.random.default_rng(1)
    params = {k: v + 0.3 * r.normal(size=v.shape) for k, v in program.init(0).items()}
    y = np.eye(2)[r.integers(2, size=4)]
    return program, params, r.normal(size=(4, 3)), y


def implicit(params, x, y, transposed=True):
    """dC/dθ by the implicit function theorem, sample by sample; J⁻¹ for J⁻ᵀ if not transposed."""
    w, u, b = params["W"], params["U"], params["b"]
    total = {k: np.zeros_like(v) for k, v in params.items()}
    antisymmetric = {k: np.zeros_like(v) for k, v in params.items()}
    for xk, yk in zip(x, y, strict=True):
        s = np.zeros(4)
        for _ in range(50):
            a = np.tanh(w @ s + u @ xk + b)
            jac = (1 - a**2)[:, None] * w - np.eye(4)
            s = s - np.linalg.solve(jac, a - s)
        slope, inverse = 1 - s**2, np.linalg.inv(jac)
        true, wrong = inverse.T @ (s - yk), inverse @ (s - yk)
        skew = -2 * inverse @ ((jac - jac.T) / 2) @ inverse.T @ (s - yk)
        np.testing.assert_allclose(wrong - true, skew, atol=1e-12)
        for found, costate in ((total, true if transposed else wrong), (antisymmetric, skew)):
            d = slope * costate
            found["W"] -= np.outer(d, s) / len(x)
            found["U"] -= np.outer(d, xk) / len(x)
            found["b"] -= d / len(x)
    return total, antisymmetric


def difference(a, b):
    return {k: a[k] - b[k] for k in a}


@pytest.mark.parametrize("estimator", [
    un.Implicit(), un.Dyadic(0.5), un.Dyadic(1e-3), un.Dyadic(0.5, method=un.FixedPoint(500)),
    un.Dyadic(0.5, method=un.Flow()), un.Dyadic(0.5, method=un.Newton(linear="cg")),
], ids=lambda e: f"{e} {e.method}")  # fmt: skip
def test_exact_estimators_are_the_implicit_gradient(net, estimator):
    """The bar: no bias at β = 0.5, however the two phases come to rest."""
    program, params, x, y = net
    found = estimator(program, params, x, y)
    assert un.relative_error(found.grad, implicit(params, x, y)[0]) < 1e-9
    assert found.estimator.order is None and set(found.status) == {"converged"}


def test_and_of_finite_differences(layered):
    """The rest point moves with every parameter, feedback weights too."""
    program, params, x, y = layered
    exact = un.Implicit()(program, params, x, y)
    directions = un.random_directions(params, 12, seed=3)
    slopes = un.directional_differences(program, params, x, y, directions)
    mine = [sum(np.sum(exact.grad[k] * d[k]) for k in d) for d in directions]
    np.testing.assert_allclose(mine, slopes, atol=1e-9)
    dyadic = un.Dyadic(0.5)(program, params, x, y)
    assert un.relative_error(dyadic.grad, exact.grad) < 1e-9
    assert dyadic.loss == pytest.approx(exact.loss, rel=1e-10)


@pytest.mark.parametrize("fixture", ["net", pytest.param("layered", marks=pytest.mark.slow)])
def test_the_augmented_field_has_order_two(request, fixture):
    """theory B5: O(β²) centered, with the force −2J_a(s − s_0)."""
    program, params, x, y = request.getfixturevalue(fixture)
    exact = un.Implicit()(program, params, x, y).grad
    found = un.measure_order(un.Augmented, (0.01, 0.02, 0.04), exact, program, params, x, y)
    assert found.slope == pytest.approx(2.0, abs=0.1) and found.declared == 2


def test_the_error_of_the_vector_field_rule_is_the_predicted_one(net):
    """Negative control: the symmetric rule points visibly elsewhere, by exactly J⁻¹ − J⁻ᵀ."""
    program, params, x, y = net
    truth, skew = implicit(params, x, y)
    wrong, _ = implicit(params, x, y, transposed=False)
    near, far = (un.VectorField(b)(program, params, x, y).grad for b in (1e-3, 2e-3))
    rule = {k: (4 * near[k] - far[k]) / 3 for k in near}  # β → 0
    assert un.relative_error(rule, wrong) < 1e-7
    assert un.relative_error(difference(rule, truth), skew) < 1e-7
    assert un.cosine(rule, truth) < 0.95 and un.relative_error(rule, truth) > 0.3
    assert un.cosine(un.Augmented(1e-3)(program, params, x, y).grad, truth) > 1 - 1e-9


@pytest.mark.slow
def test_where_the_jacobian_is_symmetric_all_rules_agree(net):
    """B = W and W = Wᵀ: the vector-field rule then is centered equilibrium propagation."""
    program = un.emit(un.fields.asymmetric_recurrent(4, 3, convention="hopfield"),
                      un.costs.squared())  # fmt: skip
    _, params, x, y = net
    params = params | {"W": (params["W"] + params["W"].T) / 4}
    exact = un.Implicit()(program, params, x, y).grad
    rules = [e(1e-3)(program, params, x, y).grad for e in (un.VectorField, un.Augmented)]
    assert un.relative_error(rules[0], rules[1]) < 1e-9
    assert un.relative_error(rules[0], exact) < 1e-5
    energy = un.emit(un.energies.recurrent(4, 3), un.costs.squared())
    theirs = un.Implicit()(energy, params, x, y).grad
    theirs["W"] = exact["W"]  # where symmetric slots count once
    assert un.relative_error(exact, theirs) < 1e-9
    assert un.homeostasis(program, params, x).value < 1e-20


@pytest.mark.parametrize("name", [
    "gaussian", *(pytest.param(n, marks=pytest.mark.slow) for n in ("hopfield", "coding"))
])  # fmt: skip
def test_energies_are_fields_too(program, estimate, name):
    """Every estimator runs on any energy where its conditions hold; there J = Jᵀ."""
    exact = estimate(name, un.Implicit()).grad
    assert un.relative_error(estimate(name, un.Dyadic(0.5)).grad, exact) < 1e-9
    rules = [estimate(name, e(1e-3)).grad for e in (un.VectorField, un.Augmented)]
    assert un.relative_error(rules[0], exact) < 1e-4
    assert un.relative_error(rules[0], rules[1]) < 1e-12
    p = program(name)
    assert un.homeostasis(p, params_of(p), data_of(p)[0]).value < 1e-20


def test_least_squares_energies_learn_asymmetric_nets(net):
    """½|s − g|²: ordinary estimators, exact gradients of a net that has no energy."""
    program, params, x, y = net
    energy = un.emit(program.field.least_squares(), un.costs.squared())
    truth = implicit(params, x, y)[0]
    assert un.relative_error(un.Implicit()(energy, params, x, y).grad, truth) < 1e-8
    found = un.measure_order(un.Centered, (0.004, 0.008, 0.016), truth, energy, params, x, y)
    assert found.slope == pytest.approx(2.0, abs=0.1)
    one = un.OneSided(1e-3)(energy, params, x, y)
    assert np.all(one.equilibria[0].energy < 1e-20)  # so the free phase adds nothing
    assert un.relative_error(one.grad, truth) < 0.05


def test_homeostasis_measures_and_lowers_the_asymmetry(net):
    """Value against NumPy's Jacobian, gradient against differences, probes against the exact."""
    program, params, x, _ = net
    rest = un.relax(program, params, un.Phase.free(x), tol=1e-12)
    jac = un.jacobian(program, rest.state, params, un.Phase.free(x))
    skew = (jac - jac.swapaxes(1, 2)) / 2
    found = un.homeostasis(program, params, x)
    np.testing.assert_allclose(found.per_sample, 2 * np.sum(skew**2, axis=(1, 2)), rtol=1e-12)
    assert found.value == pytest.approx(found.per_sample.mean())
    for d in un.random_directions(params, 6, seed=4):
        h = 1e-4
        up, down = (
            un.homeostasis(program, {k: params[k] + t * d[k] for k in d}, x).value for t in (h, -h)
        )
        slope = sum(np.sum(found.grad[k] * d[k]) for k in d)
        assert slope == pytest.approx((up - down) / (2 * h), rel=1e-6, abs=1e-8)
    probed = un.homeostasis(program, params, x, probes=4000, key=1)
    assert probed.value == pytest.approx(found.value, rel=0.05)
    assert un.cosine(probed.grad, found.grad) > 0.995
    here = params
    for _ in range(40):
        grad = un.homeostasis(program, here, x).grad
        here = {k: here[k] - 0.1 * grad[k] for k in here}
    assert un.homeostasis(program, here, x).value < 0.05 * found.value


def test_rules_for_energies_refuse_a_field_and_say_where(layered):
    """An asymmetric net given to symmetric EP returns a plausible wrong gradient elsewhere."""
    program, params, x, y = layered
    for estimator in (un.Centered(), un.OneSided(), un.Contrastive(), un.Holomorphic()):
        with pytest.raises(InputError, match=r"df_s1/ds2 is not the transpose of df_s2/ds1, so use "
                           r"un.Dyadic, un.Augmented or un.Implicit"):  # fmt: skip
            estimator(program, params, x, y)
    flow = un.emit(un.Field.of(un.energies.hopfield([3, 4, 2])), un.costs.squared())
    with pytest.raises(InputError, match="emit the energy that hopfield_field derives from"):
        un.Centered()(flow, params, x, y)
    with pytest.raises(InputError, match="metric"):
        un.Dyadic(metric=un.Identity())(program, params, x, y)
    for bad in (0.0, np.inf, 0.1j):
        with pytest.raises(InputError, match="beta"):
            un.Dyadic(bad)
    with pytest.raises(InputError, match="probes"):
        un.homeostasis(program, params, x, probes=3)


@pytest.mark.parametrize("estimator", [
    pytest.param(un.VectorField(0.01), marks=pytest.mark.slow), un.Augmented(0.01),
    pytest.param(un.Dyadic(0.5), marks=pytest.mark.slow), un.Implicit(),
], ids=str)  # fmt: skip
def test_no_gradient_without_a_stable_rest_point(estimator):
    """EP refuses on limit cycles: the last iterate, or the focus inside, is no equilibrium."""
    program = un.emit(un.fields.asymmetric_recurrent(2, 1, convention="Wf(z)"), un.costs.squared())
    params = {"W": np.array([[1.5, -1.0], [1.0, 1.5]]), "U": np.ones((2, 1)), "b": np.zeros(2)}
    x, y = np.array([[0.0], [6.0]]), np.zeros((2, 2))
    with pytest.raises(ConvergenceError, match="sample 0: unstable"):
        estimator(program, params, x, y)
    found = estimator(program, params, x, y, throw=False)
    assert found.status.tolist() == ["unstable", "converged"]


def test_an_estimator_says_that_a_net_cycles():
    """`max_steps` sends people after more steps; a cycle never ends."""
    program = un.emit(un.fields.asymmetric_recurrent(2, 1, convention="Wf(z)"), un.costs.squared())
    params = {"W": np.array([[1.5, -1.0], [1.0, 1.5]]), "U": np.ones((2, 1)), "b": np.full(2, 0.1)}
    with pytest.raises(ConvergenceError, match="limit_cycle"):
        un.Dyadic(method=un.Flow(300))(program, params, np.zeros((1, 1)), np.zeros((1, 2)))


def test_a_field_can_be_fitted():
    """fit, predict and error_rate see no difference between a field and an energy."""
    program = un.emit(un.fields.asymmetric([2, 8, 2]), un.costs.squared())
    r = np.random.default_rng(5)
    x = r.normal(size=(96, 2))
    y = np.eye(2)[(x[:, 0] * x[:, 1] > 0).astype(int)]
    result = un.fit(program, un.Dyadic(), x, y, key=0, epochs=25, batch_size=32,
                    optimizer=optax.adam(0.03), test=(x, y))  # fmt: skip
    assert result.loss[-1] < 0.6 * result.loss[0]
    wrong = un.error_rate(program, result.params, x, y)
    assert wrong == pytest.approx(result.test_error[-1]) and wrong < 0.2
