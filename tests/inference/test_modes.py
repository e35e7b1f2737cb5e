"""Oracle: the rank-one net's exact integrals; and chains made to be stuck, which must be named."""

import numpy as np
import pytest

from tests.inference.laws import SQUARED, bell, double, of
from unified.base.errors import ConvergenceError, InputError
from unified.dynamics import sample
from unified.inference import chain_visits, mode_weights, modes
from unified.inference.modes import modes_of
from unified.inference.sampling import sample_wells
from unified.inference.smc import Annealed, anneal, reference_of
from unified.inference.weights import weigh

HEAT = 0.15


@pytest.fixture(scope="module")
def net():
    """A rank-one net of 8 units with a small bias: two wells."""
    return double()


@pytest.fixture(scope="module")
def law(net):
    """Its problem without nudge."""
    return of(net, 0.0, HEAT)


@pytest.fixture(scope="module")
def found(law):
    """Its wells."""
    return modes_of(law, key=0)


@pytest.fixture(scope="module")
def run(found):
    """Annealed particles."""
    return anneal(found.problem, *reference_of(found), key=0)


def test_both_wells_are_found(net, found):
    """A well nobody looked for is a posterior nobody saw."""
    assert found.states.shape == (2, 8) and np.sum(found.counts) == 64
    assert np.all(found.counts > 16) and found.saddles == found.failed == 0
    assert found.energies[0] < found.energies[1]
    overlaps = net.overlap(found.states)
    assert overlaps[0] > 4 > -4 > overlaps[1]
    force = [found.problem.force(s) for s in found.states]
    assert np.max(np.abs(force)) < 1e-8
    assert "2:" in repr(found) and found.to_xarray()["weight"].sum() == pytest.approx(1)


def test_laplace_weights_err_as_they_say(net, found):
    """The mixture is the cheap answer; its own error estimate decides whether to trust it."""
    exact = net.law(HEAT).above()
    assert 0.005 < abs(found.weights[0] - exact) < 3 * found.weight_errors[0]
    colder = modes(net.energy, SQUARED, net.params, beta=0.0, temperature=0.06, key=0)
    gap = abs(colder.weights[0] - net.law(0.06).above())
    assert gap < 0.5 * abs(found.weights[0] - exact) and gap < 3 * colder.weight_errors[0]
    mean, cov = colder.moments()
    far = net.law(0.06)
    assert np.max(np.abs(mean - far.mean)) < 0.04 and np.max(np.abs(cov - far.cov)) < 0.05


def test_annealed_weights_are_exact_within_their_scatter(net, found, run):
    """Global weights from at least 8 runs, against an integral that has no error to speak of."""
    exact = net.law(HEAT)
    got = weigh(found, run)
    assert got.runs.shape == (8, 2) and got.status == "converged"
    assert abs(got.weights[0] - exact.above()) <= 3 * got.se[0] + barrier(net, exact)
    assert abs(run.log_integral - exact.log_integral) <= 3 * run.error
    side, error = got.average(lambda s: net.above(s, HEAT))
    assert abs(side - exact.above()) <= 3 * error and error < 0.02
    assert got.weights.sum() == pytest.approx(1 - got.elsewhere)
    means = [got.average(lambda s, k=k: s[..., k]) for k in range(8)]
    z = [(m - t) / e for (m, e), t in zip(means, exact.mean, strict=True)]
    assert np.max(np.abs(z)) < 4
    even = abs(0.5 - exact.above()) / got.se[0]
    assert even > 6  # control: wells weighed as equal would be seen
    assert set(got.to_xarray().data_vars) >= {"weight", "se", "laplace", "runs"}


def barrier(net, exact):
    """How much of the law lies so near h = 0 that flow and sign may part."""
    return exact.above(-0.5) - exact.above(0.5)


def test_stuck_chains_are_reported_and_not_averaged(net):
    """Chains that each sit in a well of their own have a mean that is nobody's."""
    cold = of(net, 0.0, 0.06)
    alike = sample(cold.program, cold.params, cold.phase, 0.06, key=0, draws=2048, throw=False)
    assert alike.converged  # all by chance in one well: R-hat and effective size see nothing
    known = modes_of(cold, key=0)
    assert chain_visits(known, alike).stuck == (0, 1, 2, 3)
    drawn = sample_wells(cold, key=0, draws=2048, throw=False)
    assert not drawn.converged
    with pytest.raises(ConvergenceError, match="R-hat"):
        sample_wells(cold, key=0, draws=2048)
    seen = chain_visits(known, drawn)
    assert seen.label == "local" and seen.stuck == (0, 1, 2, 3)
    assert np.all(np.isin(seen.occupancy, (0, 1))) and np.all(seen.occupancy.sum(axis=0) > 0)
    with pytest.raises(ConvergenceError, match="never left one well: 0, 1, 2, 3"):
        _ = seen.mean
    well = np.argmax(seen.occupancy, axis=1)
    assert np.all(np.sign(seen.means @ net.pattern) == 1 - 2 * well)
    assert "local" in repr(seen)


def test_all_chains_in_one_well_are_not_global(found):
    """R-hat is 1.00 when every chain is stuck in the same well: the gate alone passes that."""
    rng = np.random.default_rng(0)
    draws = found.states[0] + 0.05 * rng.standard_normal((4, 2048, 8))
    seen = chain_visits(found, draws)
    assert seen.label == "local" and seen.stuck == (0, 1, 2, 3)


def test_chains_that_cross_are_global(found):
    """A test that calls everything stuck is switched off."""
    rng = np.random.default_rng(0)
    wells = rng.choice(2, size=(4, 2048), p=found.weights)
    draws = found.states[wells] + 0.05 * rng.standard_normal((4, 2048, 8))
    seen = chain_visits(found, draws)
    assert seen.label == "global" and seen.stuck == ()
    np.testing.assert_allclose(seen.mean, draws.mean(axis=(0, 1)))
    with pytest.raises(InputError, match="draws: expected"):
        chain_visits(found, draws[0])


def test_particles_elsewhere_or_runs_apart_are_inconclusive(found):
    """Weights of the wells that were found say nothing of one that was not."""
    rng = np.random.default_rng(1)
    lone = type(found)(found.problem, found.laws[:1], found.counts[:1], 0, 0)
    wells = rng.choice(2, size=(8, 1024), p=found.weights)
    particles = found.states[wells] + 0.05 * rng.standard_normal((8, 1024, 8))
    even = Annealed(np.zeros(8), particles, np.ones(8), np.ones(8))
    with pytest.raises(ConvergenceError, match="lie in no well that was found"):
        weigh(lone, even)
    wells = np.repeat(np.arange(8) % 2, 1024).reshape(8, 1024)
    apart = Annealed(np.zeros(8), found.states[wells], np.ones(8), np.ones(8))
    with pytest.raises(ConvergenceError, match="runs disagree"):
        weigh(found, apart)
    assert "disagree" in weigh(found, apart, throw=False).status


def test_one_well_of_a_quadratic(net):
    """A Gaussian has one mode, and its weight is 1, whatever the starts."""
    got = modes_of(of(bell(), 0.7), key=0)
    assert got.weights.tolist() == [1.0] and got.weight_errors.tolist() == [0.0]
    with pytest.raises(InputError, match="starts"):
        modes_of(of(bell()), key=0, starts=0)
    with pytest.raises(InputError, match="spread"):
        modes_of(of(bell()), key=0, spread=-1.0)
    with pytest.raises(InputError, match="runs: expected a whole number of at least 8"):
        mode_weights(*bell(), key=0, runs=4)
