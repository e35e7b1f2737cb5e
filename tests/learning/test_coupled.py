"""Oracle: the closed form of theory B3, dense linear algebra, and finite differences."""

import numpy as np
import pytest

import unified as un
from tests.learning.nets import data_of, params_of
from unified.base.errors import InputError


def limit(p, params, x, y):
    """(∂²E/∂θ∂s) H⁻¹ P_o ((H⁻¹)_oo)⁻¹ (s_o − y), the mixed derivative by differences."""
    free = un.relax(p, params, un.Phase.free(x), tol=1e-12)
    names = list(free.state)
    inverse = np.linalg.inv(p.hessian(free.state, params, un.Phase.free(x)))
    width = y.shape[1]
    pull = np.linalg.solve(inverse[:, -width:, -width:], (y - free.state[names[-1]])[..., None])
    move = (inverse[:, :, -width:] @ pull)[..., 0]
    stops = np.cumsum([free.state[n].shape[1] for n in names])[:-1]
    step = dict(zip(names, np.split(move, stops, axis=1), strict=True))

    def rule(h):
        state = {n: free.state[n] + h * step[n] for n in names}
        return p.rule(state, params, un.Phase.free(x))

    near = [rule(h) for h in (1e-3, -1e-3, 2e-3, -2e-3)]
    return {
        k: np.mean((8 * (near[0][k] - near[1][k]) - (near[2][k] - near[3][k])) / 12e-3, axis=0)
        for k in near[0]
    }


@pytest.mark.parametrize("net", ["hopfield", "coding, Wf"])
def test_it_tends_to_its_closed_form(program, net):
    """B3: not the loss gradient but another force; a wrong clamp would show as another limit."""
    p = program(net)
    here = (params_of(p), *data_of(p))
    reference = limit(p, *here)
    order = un.measure_order(un.Coupled, (0.005, 0.01, 0.02), reference, p, *here)
    assert order.slope == pytest.approx(1, abs=0.1) and order.require()
    near, far = (un.Coupled(b)(p, *here).grad for b in (0.001, 0.002))
    extrapolated = {k: 2 * near[k] - far[k] for k in near}
    assert un.relative_error(extrapolated, reference) < 1e-5


def test_it_is_not_the_loss_gradient(estimate):
    """Reporting it as one is the mistake theory B3 warns of."""
    coupled, exact = (estimate("hopfield", e) for e in (un.Coupled(1e-3), un.Implicit()))
    assert un.relative_error(coupled.grad, exact.grad) > 0.1
    assert "loss" not in coupled.estimator.exact_for


def test_held_all_the_way_it_is_the_contrastive_rule(estimate):
    """β = 1 clamps at the target itself, so two classes must give one answer."""
    whole, contrast = (estimate("hopfield", e) for e in (un.Coupled(1.0), un.Contrastive()))
    assert un.relative_error(whole.grad, contrast.grad) < 1e-10
    assert whole.objective == pytest.approx(contrast.objective, rel=1e-10)
    held = whole.equilibria[1]
    np.testing.assert_allclose(held.energy, contrast.equilibria[1].energy, rtol=1e-10)


@pytest.mark.parametrize("beta", [0.0, -0.1, 1.5, np.nan])
def test_a_fraction_outside_its_range_is_refused(beta):
    """Past the target, or away from it, is another rule."""
    with pytest.raises(InputError, match="beta: expected"):
        un.Coupled(beta)
