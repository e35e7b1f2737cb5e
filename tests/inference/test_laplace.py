"""Oracle: Gaussian formulas, integrals on a grid, and the order in T at which each must err."""

import numpy as np
import pytest

import unified as un
from tests.inference.laws import bell, chain, double, grid, integral, of, pair
from unified.base.errors import ConvergenceError, InputError
from unified.inference import expansion, laplace
from unified.inference.laplace import laplace_of

HEATS = np.array([0.16, 0.08, 0.04, 0.02])


def order(errors):
    """The slope of log error against log T."""
    return np.polyfit(np.log(HEATS), np.log(np.abs(errors)), 1)[0]


def test_linear_gaussian_law_is_the_formula():
    """A posterior whose covariance is off misstates every error bar made from it."""
    energy, cost, params, x, y = bell()
    found = laplace(energy, cost, params, x, y, beta=0.7, temperature=0.5)
    hessian = params["A"] + 0.7 * np.eye(20)
    mean = np.linalg.solve(hessian, params["b"] + params["U"] @ x + 0.7 * y)
    assert found.exact
    np.testing.assert_allclose(found.mean, mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.cov, 0.5 * np.linalg.inv(hessian), rtol=0, atol=1e-13)
    assert found.logdet == pytest.approx(np.linalg.slogdet(hessian)[1], abs=1e-11)


def test_factorised_by_layers_is_the_whole_matrix():
    """The block route is the one that scales; a wrong block would go unseen in a dense one."""
    problem = of(chain(), 0.7, 0.5)
    found = laplace_of(problem)
    hessian = problem.program.hessian(found.mode.state, problem.params, problem.phase)
    assert len(found.factor.pivots) == 2
    np.testing.assert_allclose(found.inverse, np.linalg.inv(hessian), atol=1e-12)
    np.testing.assert_allclose(found.sd**2, np.diag(found.cov), rtol=1e-12)
    assert found.logdet == pytest.approx(np.linalg.slogdet(hessian)[1], rel=1e-13)


def test_draws_have_the_law():
    """Draws without √T, or with H for H⁻¹, look just as random."""
    found = laplace_of(of(chain(), 0.7, 0.5))
    draws = found.sample(key=0, draws=20000)
    assert draws.shape == (20000, 30)
    white = (draws - found.mean) @ np.linalg.inv(np.linalg.cholesky(found.cov)).T
    assert np.max(np.abs(white.mean(axis=0))) * np.sqrt(20000) < 4.5
    assert np.max(np.abs(np.cov(white.T) - np.eye(30))) * np.sqrt(20000 / 2) < 5
    assert not np.array_equal(draws, found.sample(key=1, draws=20000))


def test_errors_of_the_integral_have_their_orders():
    """The next order in T is the error bar of Laplace's evidence: it must be the true one."""
    plain, better, broken = [], [], []
    for heat in HEATS:
        problem = of(pair(), 1.0, heat)
        law = laplace_of(problem)
        exact, _ = integral(problem)
        more = expansion(law)
        plain.append(law.log_integral - exact)
        better.append(plain[-1] + more.log_integral)
        broken.append(better[-1] + heat * more.fourth / 8)  # the fourth derivative dropped
    assert order(plain) == pytest.approx(1, abs=0.1)
    assert order(better) == pytest.approx(2, abs=0.2)
    assert order(broken) == pytest.approx(1, abs=0.2)


def test_mean_and_marginal_modes_to_first_order():
    """D3: MAP, mean and marginal mode are three places; each shift is checked on a grid."""
    states, _ = grid()
    axis = np.unique(states[:, 0])
    mean, marginal, plain, mixed = [], [], [], []
    for heat in HEATS:
        problem = of(pair(), 1.0, heat)
        law = laplace_of(problem)
        _, p = integral(problem)
        more = expansion(law)
        mean.append(np.max(np.abs(p @ states - law.mean - more.mean_shift)))
        table = p.reshape(len(axis), len(axis))
        tops = [peak(axis, table.sum(axis=1 - k)) for k in range(2)]
        marginal.append(np.max(np.abs(tops - law.mean - more.marginal_shift)))
        plain.append(np.max(np.abs(p @ states - law.mean)))  # the MAP for the mean
        mixed.append(np.max(np.abs(tops - law.mean - more.mean_shift)))  # mean for marginal mode
    assert order(plain) == pytest.approx(1, abs=0.2)
    assert order(mixed) == pytest.approx(1, abs=0.2)
    assert order(mean) == pytest.approx(2, abs=0.2)
    assert order(marginal) == pytest.approx(2, abs=0.3)


def peak(axis, density):
    """Where a density on a grid is highest, by a sextic through its logarithm."""
    k, z = int(np.argmax(density)), np.arange(-3, 4)
    fitted = np.polyfit(z, np.log(density[k - 3 : k + 4]), 6)
    turns = np.roots(np.polyder(fitted))
    return axis[k] + (axis[1] - axis[0]) * turns[np.argmin(np.abs(turns))].real


def test_what_is_no_law_is_refused_in_a_sentence():
    """An improper law or a saddle has no covariance; numbers for one would be believed."""
    energy, cost, params, x, y = bell()
    loose = params | {"A": params["A"] - 2 * np.eye(20)}
    with pytest.raises(InputError, match=r"energy: expected a positive definite H.*s\[\d+\]"):
        laplace(energy, cost, loose, x, y)
    with pytest.raises(InputError, match=r"smaller \|beta"):
        laplace(energy, cost, params, x, y, beta=-3.0)
    with pytest.raises(InputError, match="temperature"):
        laplace(energy, cost, params, x, y, temperature=0.0)
    net = double()
    even = net.params | {"b": np.zeros(8)}
    with pytest.raises(ConvergenceError, match=r"eigenvalue -0\.8.* along .*s\[\d\].*modes"):
        laplace(net.energy, None, even)
    well = laplace(net.energy, None, even, start={"s": net.pattern})
    assert not well.exact and np.sign(well.mean) @ net.pattern == 8


def test_results_name_their_units():
    """A covariance whose rows nobody can name is of no use to the next program."""
    found = laplace_of(of(chain(), 0.7, 0.5))
    data = found.to_xarray()
    assert data.unit.size == 30 and list(data.unit.values[[0, 29]]) == ["z1[0]", "z2[9]"]
    assert data.attrs["temperature"] == 0.5 and len(data.attrs["fingerprint"]) == 16
    tree = found.to_arviz(draws=50)
    first = next(iter(found.problem.shapes))
    assert tree["posterior"][first].shape == (4, 50, 20)
    assert "exact" in repr(found) and "30 units" in repr(found)
    with pytest.raises(InputError, match="draws"):
        found.sample(key=0, draws=0)


def test_one_program_serves_a_sweep():
    """Compiling anew for every β would make a curve of 50 of them take minutes."""
    a, b = of(bell(), 0.7), of(bell(), 0.9, 2.0)
    assert a.program is b.program
    assert un.inference.laplace is laplace


def test_one_energy_of_many_sizes():
    """What was compiled for 2 units must not be used for 3: its shapes are other ones."""
    n = un.axes("n")
    s, b = un.var("s", n), un.var("b", n)
    energy = un.Energy(0.5 * s.sq() - b @ un.tanh(s), [s], [b])
    for size in (2, 3):
        law = laplace(energy, None, {"b": np.full(size, 0.5)}, temperature=0.1)
        more = expansion(law)
        assert more.third.shape == (size,) * 3
        one = more.log_integral / size
    pair_ = expansion(laplace(energy, None, {"b": np.full(2, 0.5)}, temperature=0.1))
    assert pair_.log_integral / 2 == pytest.approx(one, rel=1e-10)  # independent units add up
