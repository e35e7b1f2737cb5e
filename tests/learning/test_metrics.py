"""Oracles for gradients in a metric: rate nets of SciPy, finite differences, the bounds of B3."""

import numpy as np
import pytest
from scipy.optimize import root

import unified as un
from tests.codegen.test_bad_input import one_sentence
from unified.base.errors import ConvergenceError, InputError

SKEW = un.SkewGradient(("v",), tau={"v": 0.5})
SIZES = (3, 2, 2)


@pytest.fixture(scope="module", params=["u", "v"])
def net(request):
    """An E–I net whose cost reads descending (u) or ascending (v) units, with data."""
    energy = un.energies.excitatory_inhibitory(*SIZES, output=request.param)
    program = un.emit(energy, un.costs.squared())
    rng = np.random.default_rng(0)
    params = {k: v + 0.2 * rng.normal(size=v.shape) for k, v in program.init(0).items()}
    params |= {k: (params[k] + params[k].T) / 2 for k in ("W_e", "W_i")}
    width = SIZES["uv".index(request.param)]
    return program, params, rng.normal(size=(2, 2)), 0.5 * rng.normal(size=(2, width))


def resting(params, x, y=None, beta_u=0.0, beta_v=0.0):
    """Rest states of the rate equations by SciPy: +β pulls that population to y in its equation."""
    n, m, _ = SIZES

    def field(s):
        u, v = s[:n], s[n:]
        ru, rv = np.tanh(u), np.tanh(v)
        drive_u = params["W_e"] @ ru - params["K"] @ rv + params["b"] + params["U"] @ x
        drive_v = params["K"].T @ ru - params["W_i"] @ rv + params["c"]
        du, dv = -u + (1 - ru**2) * drive_u, -v + (1 - rv**2) * drive_v
        if beta_u:
            du = du - beta_u * (u - y)
        if beta_v:
            dv = dv - beta_v * (v - y)
        return np.r_[du, dv]

    found = root(field, np.zeros(n + m), tol=1e-14)
    assert np.abs(field(found.x)).max() < 1e-12
    return {"u": found.x[:n], "v": found.x[n:]}


def loss(program, params, x, y):
    """The batch-mean cost at the rest points of the rate equations."""
    out = program.model.output.name
    return np.mean([0.5 * np.sum((resting(params, a)[out] - b) ** 2)
                    for a, b in zip(x, y, strict=True)])  # fmt: skip


def differences(program, params, x, y, h=1e-3):
    """Its gradient by fourth-order differences, both slots of a symmetric pair moved at once."""
    grad = {}
    for p in program.model.params:
        grad[p.name] = np.zeros(params[p.name].shape)
        for at in np.ndindex(params[p.name].shape):
            one = np.zeros(params[p.name].shape)
            one[at] = 1.0
            one = (one + one.T) / 2 if p.symmetric else one

            def value(step, name=p.name, one=one):
                return loss(program, {**params, name: params[name] + step * one}, x, y)

            near, far = value(h) - value(-h), value(2 * h) - value(-2 * h)
            grad[p.name][at] = (8 * near - far) / (12 * h)
    return grad


@pytest.fixture(scope="module")
def truth(net):
    """The reference gradient, which sees neither the energy nor the library's relaxation."""
    return differences(*net)


ESTIMATORS = [
    un.Implicit(metric=SKEW),
    un.Centered(1e-4, metric=SKEW),
    pytest.param(un.Holomorphic(0.02, 6, metric=SKEW), marks=pytest.mark.slow),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_the_gradient_of_a_skew_net_is_that_of_its_rate_equations(net, truth, estimator):
    """The bar: on a saddle a definite solver or a nudge past the metric is wrong, even in sign."""
    found = estimator(*net)
    assert set(found.status) == {"converged"}
    for k, v in truth.items():
        assert np.abs(found.grad[k] - v).max() <= 1e-7 * max(1.0, np.abs(v).max()), k
    assert found.loss == pytest.approx(loss(*net), rel=1e-10)
    assert all(np.all(e.certificate.stable) for e in found.equilibria[:2])


def test_one_sided_bias_is_of_first_order(net):
    """Along a branch of saddles the order in β is that of minima; only bounds may turn round."""
    exact = ESTIMATORS[0](*net).grad
    error = [un.relative_error(un.OneSided(b, metric=SKEW)(*net).grad, exact)
             for b in (1e-3, 2e-3)]  # fmt: skip
    assert error[1] / error[0] == pytest.approx(2.0, abs=0.05) and error[0] > 1e-6


def test_full_finite_differences_take_the_metric_along(net):
    """The reference would otherwise look for a minimum that a skew net does not have."""
    program, params, x, y = net
    along = un.random_directions(params, 3, 0)
    slopes = un.directional_differences(program, params, x, y, along, of=ESTIMATORS[0])
    exact = ESTIMATORS[0](*net).grad
    want = [sum(np.sum(exact[k] * d[k]) for k in d) for d in along]
    np.testing.assert_allclose(slopes, want, atol=1e-9)
    assert un.FiniteDifference(metric=SKEW).differenced == ESTIMATORS[0]


def test_a_nudge_past_the_metric_is_caught(net, truth):
    """Pulling an inhibitory unit to its target by −β∂C trains the net in the wrong direction."""
    program, params, x, y = net
    out, beta = program.model.output.name, 1e-3

    def contrast(sign):
        """Centered EP with nudge −β∂C on u, and −sign·β∂C on v, written on the rate equations."""
        grad = {k: 0.0 for k in params}
        for a, b in zip(x, y, strict=True):
            for e in (beta, -beta):
                pull = {"beta_u": e} if out == "u" else {"beta_v": sign * e}
                rule = program.rule(resting(params, a, b, **pull), params, un.Phase.free(a))
                grad = {k: g + rule[k] * e / (2 * beta**2 * len(x)) for k, g in grad.items()}
        return grad

    assert un.relative_error(contrast(-1), truth) < 1e-4  # through M: an ascending unit is pushed
    if out == "v":
        assert un.cosine(contrast(+1), truth) < -0.99


def test_the_integrated_losses_bound_the_loss_the_way_the_units_move(net):
    """L_β printed as a lower bound is an upper one where the cost reads ascending units."""
    program, params, x, y = net
    phases = [un.Phase.free(x), *(un.Phase.nudged(x, y, b) for b in (0.05, -0.05, 0.01, -0.01))]
    rests = [un.relax(program, params, p, tol=1e-12, metric=SKEW) for p in phases]
    cost = program.cost(rests[0].state, params, un.Phase(x, y))
    ahead, behind, near, back = (
        (r.energy - rests[0].energy) / b
        for r, b in zip(rests[1:], (0.05, -0.05, 0.01, -0.01), strict=True)
    )
    if program.model.output.name == "u":
        assert np.all(ahead < near) and np.all(near < cost) and np.all(cost < back)
        assert np.all(back < behind)
    else:
        assert np.all(ahead > near) and np.all(near > cost) and np.all(cost > back)
        assert np.all(back > behind)


SELF = {"W_e": [[0.5]], "K": [[0.3]], "W_i": [[-0.4]], "U": [[1.0]], "b": [0.1], "c": [0.2]}


@pytest.mark.parametrize(("output", "beta", "status"), [
    ("u", 0.65, "nudge_too_negative"),  # H_uu = 0.5, and 0.15 through v, are lost at −β
    ("v", 0.8, "unstable"),  # H_vv = −0.6, and −0.18 through u, are lost at +β
])  # fmt: skip
def test_a_nudge_that_destabilises_is_refused(output, beta, status):
    """Past the guard the nudged state is another fixed point, which the net would never visit."""
    energy = un.energies.excitatory_inhibitory(1, 1, 1, rho="identity", output=output)
    program = un.emit(energy, un.costs.squared())
    x, y, metric = np.ones((1, 1)), np.zeros((1, 1)), un.SkewGradient(("v",))
    exact = un.Implicit(metric=metric)(program, SELF, x, y)
    good = un.Centered(beta / 10, metric=metric)(program, SELF, x, y)
    assert un.cosine(good.grad, exact.grad) > 0.99
    bad = un.Centered(2.0 * beta, metric=metric)
    found = bad(program, SELF, x, y, throw=False)
    assert set(found.status) == {status}
    with pytest.raises(ConvergenceError, match=f"{status}.*"):
        bad(program, SELF, x, y)


def test_an_unstable_free_phase_gives_no_gradient():
    """The implicit gradient exists at every saddle; a net that runs away from it cannot have it."""
    energy = un.energies.excitatory_inhibitory(1, 1, 1, rho="identity")
    program = un.emit(energy, un.costs.squared())
    params = {**SELF, "W_e": [[2.0]], "K": [[3.0]], "W_i": [[1.0]]}
    x, y = np.ones((1, 1)), np.zeros((1, 1))
    for tau, stable in ((1.9, True), (2.1, False)):
        estimator = un.Implicit(metric=un.SkewGradient(("v",), tau={"v": tau}))
        found = estimator(program, params, x, y, throw=False)
        assert set(found.status) == {"converged" if stable else "unstable"}
    with pytest.raises(ConvergenceError, match=r"unstable.*time constants"):
        estimator(program, params, x, y)


@pytest.mark.parametrize("metric", [
    un.TimeConstants({"s1": 3.0, "s2": (0.5, 2.0)}),
    un.CohenGrossberg("tanh"),
], ids=lambda m: type(m).__name__)  # fmt: skip
def test_metrics_without_ascending_units_share_the_gradient(program, estimate, metric):
    """The learning rule must not depend on how fast units are, if both phases settle."""
    from tests.learning.nets import data_of, params_of

    p = program("hopfield")
    exact = estimate("hopfield", un.Implicit())
    found = un.Implicit(method=un.Flow(), metric=metric)(p, params_of(p), *data_of(p))
    for k, v in exact.grad.items():
        np.testing.assert_allclose(found.grad[k], v, atol=1e-10)


def test_a_metric_for_other_states_is_refused(program):
    """An estimator made for an E–I net must not quietly run on a Hopfield net."""
    from tests.learning.nets import data_of, params_of

    p = program("hopfield")
    with pytest.raises(InputError, match="metric: expected states among s1, s2, got 'v'"):
        un.Centered(metric=SKEW)(p, params_of(p), *data_of(p))


@pytest.mark.parametrize("estimator", [
    un.Unrolled(metric=SKEW), un.RecurrentBackprop(metric=SKEW), un.VectorField(metric=SKEW),
], ids=lambda e: type(e).__name__)  # fmt: skip
def test_estimators_with_steps_of_their_own_refuse_a_metric(net, estimator):
    """Plain gradient steps run away from a saddle, and their gradient would be of that flight."""
    with pytest.raises(InputError) as caught:
        estimator(*net)
    one_sentence(caught.value, "metric", type(estimator).__name__, "rest points")


def test_a_skew_net_learns(net):
    """All of it at once: phases, guards, rule and optimiser on a saddle."""
    program, params, x, y = net
    here, seen = dict(params), []
    for _ in range(30):
        found = ESTIMATORS[1](program, here, x, y)
        seen.append(found.loss)
        here = {k: v - 0.3 * found.grad[k] for k, v in here.items()}
    assert seen[-1] < 0.2 * seen[0]
