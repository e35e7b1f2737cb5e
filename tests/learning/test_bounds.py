"""Oracle: closed forms of a quadratic net, finite differences, dense norms, loose tolerances."""

import numpy as np
import pytest

import unified as un
from tests.learning.nets import data_of, params_of
from unified.base.errors import ConvergenceError, InputError
from unified.learning.error_bound import operator_norm


@pytest.mark.parametrize("net", ["hopfield", "recurrent"])
def test_the_loss_lies_between_its_bounds(program, net):
    """B3: a training curve read off L_β must be known to be too low, and by how much."""
    p = program(net)
    here = (p, params_of(p), *data_of(p))
    found = [un.integrated_loss(*here, beta) for beta in (0.05, 0.1)]
    for b in found:
        assert b.lower.shape == (4,) and np.all(b.lower < b.loss) and np.all(b.loss < b.upper)
    off = [np.max(np.abs((b.upper - b.lower) / b.gap - 1)) for b in found]
    assert off[1] / off[0] == pytest.approx(4, abs=0.5)  # the gap is first order, the rest β²
    assert "<= loss" in repr(found[0])


def test_the_bounds_of_a_quadratic_net_are_the_ones_by_hand(program):
    """F is quadratic: V(β) = V(0) + ½β rᵀ(1 + βA⁻¹)⁻¹r, to the last digit."""
    p = program("gaussian")
    params, (x, y) = params_of(p), data_of(p)
    inverse = np.linalg.inv(params["A"])
    r = (params["b"] + x @ params["U"].T) @ inverse - y

    def byhand(beta):
        return 0.5 * np.sum(r * np.linalg.solve(np.eye(3) + beta * inverse, r.T).T, axis=1)

    found = un.integrated_loss(p, params, x, y, 0.2)
    for value, beta in ((found.lower, 0.2), (found.loss, 0.0), (found.upper, -0.2)):
        np.testing.assert_allclose(value, byhand(beta), rtol=1e-11)
    np.testing.assert_allclose(found.gap, 0.2 * np.sum((r @ inverse) * r, axis=1), rtol=1e-11)


@pytest.mark.parametrize(
    ("estimator", "objective"),
    [
        (un.OneSided(0.5), lambda b: np.mean(b.lower)),
        (un.Centered(0.5), lambda b: np.mean(b.lower + b.upper) / 2),
    ],
    ids=["one-sided", "centered"],
)
def test_finite_nudges_are_exact_gradients_of_their_own_loss(program, estimator, objective):
    """At β = 0.5 the bias is large, and yet nothing is approximate: it is L_β that is learned."""
    p = program("hopfield")
    params, (x, y) = params_of(p), data_of(p)
    grad = estimator(p, params, x, y).grad

    def value(d, h):
        moved = {k: params[k] + h * d[k] for k in params}
        return objective(un.integrated_loss(p, moved, x, y, 0.5))

    for d in un.random_directions(params, 6, seed=3):
        near, far = ((value(d, h) - value(d, -h)) / (2 * h) for h in (1e-3, 2e-3))
        along = sum(float(np.sum(d[k] * grad[k])) for k in grad)
        assert (4 * near - far) / 3 == pytest.approx(along, rel=1e-7, abs=1e-9)


def test_no_bound_past_the_guard_or_for_a_wrong_sign(program):
    """There the centered loss is no bound of anything."""
    p = program("gaussian")
    params, (x, y) = params_of(p), data_of(p)
    edge = np.linalg.eigvalsh(params["A"])[0]
    with pytest.raises(ConvergenceError, match="nudge_too_negative"):
        un.integrated_loss(p, params, x, y, 1.1 * edge)
    with pytest.raises(InputError, match="beta: expected a positive number"):
        un.integrated_loss(p, params, x, y, -0.1)


LOOSE = {"method": un.FixedPoint(), "tol": 1e-5}
BOUNDED = {
    "one-sided": ("hopfield", un.OneSided(0.1), un.OneSided(0.1, **LOOSE)),
    "centered": ("hopfield", un.Centered(0.1), un.Centered(0.1, **LOOSE)),
    "richardson": ("hopfield", un.Richardson(0.1), un.Richardson(0.1, **LOOSE)),
    "holomorphic": ("hopfield", un.Holomorphic(0.1, 4), un.Holomorphic(0.1, 4, **LOOSE)),
    "contrastive": ("hopfield", un.Contrastive(), un.Contrastive(**LOOSE)),
    "coupled": ("hopfield", un.Coupled(0.1), un.Coupled(0.1, **LOOSE)),
    "truncated": ("coding", un.PredictiveCoding(), un.PredictiveCoding(steps=40, eta=0.2)),
}


@pytest.mark.parametrize("name", BOUNDED)
def test_the_error_bound_holds_and_says_something(program, estimate, name):
    """B8: a bound that fails is a lie, one a thousand times too large is no information."""
    net, settled, loose = BOUNDED[name]
    exact, found = estimate(net, settled), estimate(net, loose)
    error = np.sqrt(sum(np.sum((found.grad[k] - v) ** 2) for k, v in exact.grad.items()))
    assert 1e-9 < error <= found.error_bound < 100 * error
    assert exact.error_bound < 1e-9  # and it shrinks with the residuals
    assert f"error bound {found.error_bound:.2g}" in repr(found)


def test_the_bound_is_the_formula_where_everything_is_known(program):
    """Oracle: dense matrices of one sample, ‖∂²E/∂θ∂s‖(|f_+| + |f_−|)/(2βλ_min)."""
    p = program("gaussian")
    params = params_of(p)
    x, y = (v[:1] for v in data_of(p))
    found = un.Centered(0.1, method=un.FixedPoint(), tol=1e-4)(p, params, x, y)
    for rest, beta in zip(found.equilibria[1:], (0.1, -0.1), strict=True):
        phase = un.Phase.nudged(x, y, beta)
        assert rest.residual == pytest.approx(
            np.linalg.norm(p.force(rest.state, params, phase)["s"], axis=1)
            / max(1, np.linalg.norm(rest.state["s"])), rel=1e-9)  # fmt: skip
    size = 0.0
    for rest, beta in zip(found.equilibria[1:], (0.1, -0.1), strict=True):
        force = np.linalg.norm(p.force(rest.state, params, un.Phase.nudged(x, y, beta))["s"])
        s, eye = rest.state["s"][0], np.eye(3)
        mixed = np.concatenate([
            ((np.einsum("i,jk->ijk", s, eye) + np.einsum("ik,j->ijk", eye, s)) / 2).reshape(-1, 3),
            -eye, -np.einsum("ik,j->ijk", eye, x[0]).reshape(-1, 3),
        ])  # fmt: skip
        lowest = np.linalg.eigvalsh(params["A"] + beta * eye)[0]
        size += np.linalg.norm(mixed, 2) * force / (0.2 * lowest)
    assert found.error_bound == pytest.approx(size, rel=0.02)


def test_where_it_does_not_apply_it_says_so(estimate):
    """A number for a rule it was not derived for would be taken for one."""
    for estimator in (un.Implicit(), un.Unrolled(20), un.FiniteDifference()):
        found = estimate("gaussian", estimator)
        assert np.isnan(found.error_bound) and "no error bound (n" in repr(found)
    net = un.emit(un.energies.linear_gaussian(2, 1), un.costs.squared())
    saddle = {"A": np.diag([1.0, -1.0]), "b": np.ones(2), "U": np.ones((2, 1))}
    here = (net, saddle, np.ones((1, 1)), np.ones((1, 2)))
    found = un.OneSided(0.1, method=un.Newton(), certify=False)(*here, throw=False)
    assert np.isnan(found.error_bound) and "minimum" in repr(found)


def test_power_iteration_finds_a_complex_norm():
    """Conjugating the wrong factor gives the norm of AAᵀ, which may be far smaller."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    a = rng.normal(size=(5, 4)) + 1j * rng.normal(size=(5, 4))
    with jax.enable_x64(True):
        found = float(operator_norm(lambda v: jnp.asarray(a) @ v, jnp.zeros(4, complex)))
    assert found == pytest.approx(np.linalg.norm(a, 2), rel=5e-3)
