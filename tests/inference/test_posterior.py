"""Oracle: closed forms by the protocol; samplers against each other; one compile for a sweep."""

import numpy as np
import nutpie
import pytensor
import pytest

import unified as un
from tests.inference.cases import WIDE, deep_linear, hopfield, linear_gaussian
from unified.base.errors import ConvergenceError, InputError
from unified.inference import arviz_data, nuts
from unified.inference.draws import attributes, stacked

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


@pytest.mark.parametrize(
    ("method", "case"), [("exact", CASE), ("exact", deep_linear()), ("langevin", CASE)]
)
def test_our_samplers_agree_with_the_closed_form(method, case):
    """Both are offered in place of NUTS."""
    data = drawn(case, method=method)
    assert compared(case, data, reference=(case.mean, case.cov)).agrees
    if method == "exact":
        assert attributes(data)["ess_min"] > 2500
        again = drawn(case, method=method)
        np.testing.assert_array_equal(stacked(case.problem, data), stacked(case.problem, again))
        other = drawn(case, method=method, key=1)
        assert not np.array_equal(stacked(case.problem, other), stacked(case.problem, data))


def test_exact_draws_of_images_go_through_the_dense_law():
    """States with several axes have no layers to factorise by."""
    energy = un.energies.conv_predictive((3, 3, 1), [2], f="identity", classes=2)
    cost = un.costs.squared()
    params = un.emit(energy, cost).init(0)
    x, y = np.random.default_rng(0).standard_normal((3, 3, 1)), np.ones(2)
    data = un.inference.posterior(energy, cost, params, x, y, key=0, method="exact")
    found = un.inference.compare_posterior(energy, cost, params, x, y, draws=data)
    assert found.agrees, found


def test_a_nonlinear_law_differs_from_its_laplace_approximation_but_not_from_its_forces():
    """Laplace's law passed for the posterior of a nonlinear net is wrong by what is told here."""
    case = hopfield()
    data = drawn(case, method="langevin", draws=2000)
    found = compared(case, data)
    assert found.verdict == "disagrees" and "approximate" in found.reference
    rows = {r["test"]: r for r in found.table()}
    assert not rows["equipartition"]["rejected"] and rows["equipartition"]["effect"] == (
        pytest.approx(1, abs=0.05)
    )
    assert np.max(found.tests.scale) > 1.15 and np.max(np.abs(found.tests.shift)) > 0.3


def test_pymc_samples_where_nutpie_is_missing(monkeypatch):
    """nutpie is compiled code, and not to be had everywhere."""
    monkeypatch.setattr(nuts, "find_spec", lambda name: None)
    case = linear_gaussian()
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        data = drawn(case, draws=150, tune=150, chains=2, throw=False)
    told = attributes(data)
    assert told["method"] == "nuts (pymc)" and told["verdict"] == "inconclusive"
    flat = stacked(case.problem, data).reshape(-1, 5)
    z = (flat.mean(axis=0) - case.mean) / np.sqrt(np.diagonal(case.cov) / 60)
    assert np.max(np.abs(z)) < 4


def test_too_few_draws_raise():
    """They are no posterior."""
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
