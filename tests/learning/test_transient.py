"""Oracle: forward mode on one side, JAX's reverse mode through copies of θ on the other."""

import numpy as np
import pytest

import unified as un
from tests.learning.nets import data_of, params_of
from unified.base.errors import InputError


@pytest.mark.parametrize("net", ["hopfield", "recurrent", "coding, Wf"])
def test_ep_and_bptt_agree_step_by_step(program, net):
    """B4: if one step disagrees, EP with finitely many steps is another algorithm."""
    p = program(net)
    params, (x, y) = params_of(p), data_of(p)
    found = un.transient(p, params, x, y, steps=12, eta=0.15)
    assert found.errors.shape == (12,) and np.all(found.errors <= 1e-10)
    for terms in (found.ep_state, found.bptt_state):
        assert all(v.shape[:2] == (12, 4) for v in terms.values())
    assert {k: v.shape[1:] for k, v in found.ep_rule.items()} == {
        k: v.shape for k, v in params.items()
    }
    assert np.max(np.abs(found.ep_rule[next(iter(params))])) > 1e-4  # two zeros would agree too


def test_the_sum_is_truncated_backpropagation(program, estimate):
    """The steps add up to the gradient that `Unrolled` computes with generated adjoints."""
    p = program("hopfield")
    here = (p, params_of(p), *data_of(p))
    found = un.transient(*here, steps=20, eta=0.2)
    whole = {k: v.sum(axis=0) for k, v in found.ep_rule.items()}
    assert un.relative_error(whole, estimate("hopfield", un.Unrolled(20)).grad) < 1e-10


def test_control_sequential_steps_break_it(program):
    """B4 needs a symmetric step; a check that passed here would check nothing."""
    p = program("hopfield")
    found = un.transient(p, params_of(p), *data_of(p), steps=6, eta=0.3, sequential=True)
    assert found.errors.min() > 0.01
    assert "differ by" in repr(found)


def test_recurrent_backprop_is_truncated_backpropagation_on_the_way(program, estimate):
    """One recursion, two names: after k steps it must be the k-step truncated gradient."""
    p = program("hopfield")
    here = (p, params_of(p), *data_of(p))
    cut = un.RecurrentBackprop(20)(*here, throw=False)
    assert set(cut.status) == {"max_steps"} and cut.equilibria[1].residual.min() > 1e-6
    assert un.relative_error(cut.grad, estimate("hopfield", un.Unrolled(20)).grad) < 1e-10
    settled, exact = (estimate("hopfield", e).grad for e in (un.RecurrentBackprop(), un.Implicit()))
    assert un.relative_error(settled, exact) < 1e-10
    wild = un.RecurrentBackprop(eta=5.0)(*here, throw=False)
    assert set(wild.status) <= {"diverged", "non_finite"}


@pytest.mark.parametrize(("steps", "eta", "word"), [(0, 0.1, "steps"), (5, -1.0, "eta")])
def test_bad_settings_are_refused(program, steps, eta, word):
    """A step of 0 compares nothing, and finds no difference."""
    p = program("hopfield")
    with pytest.raises(InputError, match=f"{word}: expected"):
        un.transient(p, params_of(p), *data_of(p), steps=steps, eta=eta)
    with pytest.raises(InputError, match=f"{word}: expected"):
        un.RecurrentBackprop(steps, eta)
