"""Oracle: closed forms by the protocol; samplers against each other; one compile for a sweep."""

from importlib import import_module

import numpy as np
import nutpie
import pytest

import unified as un
from tests.inference.cases import WIDE, deep_linear, hopfield, linear_gaussian, normal_draws
from unified.base import arviz_data
from unified.base.errors import ConvergenceError, InputError
from unified.base.pymc_versions import interpreted
from unified.inference import nuts
from unified.inference.draws import attributes, gate, stacked, to_data

CASE = linear_gaussian(WIDE, 20, 10)
LAW = {"reference": (CASE.mean, CASE.cov), "family": 1e-3}


def drawn(case, **options):
    return un.inference.posterior(*case.given, **case.settings, **{"key": 0, **options})


def compared(case, data, **options):
    return un.inference.compare_posterior(*case.given, **case.settings, draws=data, **options)


def test_nuts_agrees_with_the_closed_form_and_one_compile_serves_a_sweep(monkeypatch):
    """PyMC's answer, by the full protocol at family 1e-3: the check the toolkit is named for."""
    made = []
    compile_ = nutpie.compile_pymc_model
    monkeypatch.setattr(nutpie, "compile_pymc_model",
                        lambda *a, **k: made.append(a) or compile_(*a, **k))  # fmt: skip
    data = drawn(CASE)
    assert "nuts (nutpie)" in attributes(data)["method"]
    assert arviz_data.group(data, "sample_stats")["diverging"].sum() == 0
    found = compared(CASE, data, **LAW)
    assert found.agrees, found
    # The same draws refute a law off by 0.15 sd, and one 5 % too wide.
    sd = np.sqrt(np.diagonal(CASE.cov))
    for law in ((CASE.mean + 0.15 * sd, CASE.cov), (CASE.mean, CASE.cov / 1.05**2)):
        assert compared(CASE, data, reference=law).verdict == "disagrees"
    other = linear_gaussian(WIDE, 20, 10, beta=2.0, temperature=0.1)
    swept = compared(other, drawn(other), reference=(other.mean, other.cov))
    assert swept.agrees and len(made) == 1


@pytest.mark.parametrize("case", [CASE, deep_linear()], ids=["n=20", "chain"])
def test_exact_draws_agree_with_the_closed_form(case):
    """They are offered in place of NUTS where F is quadratic."""
    data = drawn(case, method="exact")
    assert compared(case, data, reference=(case.mean, case.cov)).agrees
    assert attributes(data)["ess_min"] > 2500
    again, other = (drawn(case, method="exact", key=k) for k in (0, 1))
    np.testing.assert_array_equal(stacked(case.problem, data), stacked(case.problem, again))
    assert not np.array_equal(stacked(case.problem, other), stacked(case.problem, data))


@pytest.mark.slow
def test_langevin_agrees_with_the_closed_form():
    """Its own tests are those of un.sample; this is its way into ArviZ data."""
    data = drawn(CASE, method="langevin")
    assert compared(CASE, data, **LAW).agrees


def test_exact_draws_of_images_go_through_the_dense_law():
    """States with several axes have no layers to factorise by."""
    energy = un.energies.conv_predictive((3, 3, 1), [2], f="identity", classes=2)
    cost = un.costs.squared()
    params = un.emit(energy, cost).init(0)
    x, y = np.random.default_rng(0).standard_normal((3, 3, 1)), np.ones(2)
    data = un.inference.posterior(energy, cost, params, x, y, key=0, method="exact")
    found = un.inference.compare_posterior(energy, cost, params, x, y, draws=data)
    assert found.agrees, found


n = un.axes("n")
s = un.var("s", n)


def test_a_nonlinear_law_differs_from_its_laplace_approximation_but_not_from_its_forces():
    """Laplace's law passed for the posterior of a nonlinear net is wrong by what is told here."""
    energy = un.Energy((0.5 * s * s + 0.25 * s * s * s * s).sum(), [s], sizes={n: 4})
    given = (energy, None, {})
    problem = un.inference.Problem.of(*given)
    at = np.linspace(-6, 6, 20001)
    weight = np.exp(-0.5 * at**2 - 0.25 * at**4)
    cdf = np.cumsum(weight) / np.sum(weight)
    draws = np.interp(np.random.default_rng(0).random((4, 1000, 4)), cdf, at)
    data = to_data(problem, draws, "by inversion", gate(draws), {})
    found = un.inference.compare_posterior(*given, draws=data)
    assert found.verdict == "disagrees" and "approximate" in found.reference
    rows = {r["test"]: r for r in found.table()}
    assert rows["total variance"]["rejected"] and not rows["mean"]["rejected"]
    assert not rows["equipartition"]["rejected"]
    sd = np.sqrt(np.sum(at**2 * weight) / np.sum(weight))
    assert found.tests.scale == pytest.approx(sd, rel=0.05) and sd < 0.8


@pytest.mark.slow
def test_langevin_and_nuts_agree_on_a_nonlinear_net():
    """Two samplers of two packages on a law that neither knows in closed form."""
    case = hopfield()
    one = drawn(case, method="langevin", draws=4000)
    two = drawn(case, draws=4000)
    flat = stacked(case.problem, one).reshape(-1, 5), stacked(case.problem, two).reshape(-1, 5)
    ess = attributes(one)["ess_min"], attributes(two)["ess_min"]
    z = (flat[0].mean(0) - flat[1].mean(0)) / (flat[1].std(0) * np.sqrt(1 / ess[0] + 1 / ess[1]))
    assert np.max(np.abs(z)) < 4.5
    for data in (one, two):
        rows = {r["test"]: r for r in compared(case, data).table()}
        assert rows["variance"]["rejected"] and not rows["equipartition"]["rejected"]


def test_pymc_samples_where_nutpie_is_missing(monkeypatch):
    """nutpie is compiled code, and not to be had everywhere."""
    monkeypatch.setattr(nuts, "find_spec", lambda name: None)
    case = linear_gaussian()
    with interpreted():
        data = drawn(case, draws=150, tune=150, chains=2, throw=False)
    told = attributes(data)
    assert told["method"] == "nuts (pymc)" and told["verdict"] == "inconclusive"
    flat = stacked(case.problem, data).reshape(-1, 5)
    z = (flat.mean(axis=0) - case.mean) / np.sqrt(np.diagonal(case.cov) / 60)
    assert np.max(np.abs(z)) < 4


def test_too_few_draws_raise(monkeypatch):
    """They are no posterior."""
    short = normal_draws(CASE.mean, CASE.cov, 0, draws=1000)[:, :50]
    where = import_module("unified.inference.posterior")
    monkeypatch.setattr(where, "exact_draws", lambda *a: short)
    with pytest.raises(ConvergenceError, match=r"effective sample size down to .* inconcl") as e:
        drawn(CASE, method="exact", draws=50)
    assert e.value.status == ["unmixed"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"method": "gibbs"}, "method: expected one of nuts, langevin, exact"),
        ({"key": -1}, "key"),
        ({"key": None}, "key"),
        ({"draws": 3}, "draws"),
        ({"chains": 1}, "chains"),
        ({"method": "exact", "start": {}}, "start"),
    ],
)
def test_bad_options_are_one_sentence(options, word):
    """Each would end in a sampler's own traceback."""
    with pytest.raises(InputError, match=word):
        drawn(deep_linear(), **options)
    with pytest.raises(InputError, match="not quadratic"):
        drawn(hopfield(), method="exact")
