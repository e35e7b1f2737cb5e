"""Oracle: exact draws of known laws, and laws that are off by a known amount."""

import numpy as np
import pytest
from scipy import stats

import unified as un
from tests.inference.cases import WIDE, deep_linear, linear_gaussian, normal_draws
from unified.base.errors import InputError
from unified.inference.compare_tests import KINDS, run_tests
from unified.inference.draws import gate, to_data

FAMILY = 1e-3
CASE = linear_gaussian(WIDE, 20, 10)


def judged(case, draws, family=FAMILY, lost=0):
    """The tests, with the slopes of a quadratic energy written out."""
    heat = case.settings["temperature"]
    slopes = (draws - case.mean) @ (heat * np.linalg.inv(case.cov))
    return run_tests(draws, case.mean, case.cov, slopes, heat, family, lost)


def rejected(tests, family=FAMILY):
    return bool(np.min(tests.adjusted) < family)


def off(case, draws, how):
    """Draws of a broken sampler."""
    sd = np.sqrt(np.diagonal(case.cov))
    if how == "shift of one unit":
        return draws + 0.15 * sd * (np.arange(len(sd)) == 3)
    return case.mean + (draws - case.mean) * {"scale": 1.05, "narrow": 0.95}[how]


def test_correct_draws_raise_false_alarms_at_the_stated_rate():
    """Too many, and no sampler ever agrees; far too few, and the tests have no power."""
    runs = 120
    least, p = [], []
    for seed in range(runs):
        tests = judged(CASE, normal_draws(CASE.mean, CASE.cov, seed))
        assert tests.gate.status == "converged"
        least.append(np.min(tests.adjusted))
        p.append(tests.p)
    least = np.array(least)
    assert np.sum(least < FAMILY) <= stats.binom.isf(1e-4, runs, FAMILY)
    for rate in (0.05, 0.2):
        assert np.sum(least < rate) <= stats.binom.isf(1e-4, runs, rate)
    # Holm's bound is nearly reached: most of the tests are independent.
    assert np.sum(least < 0.2) >= stats.binom.ppf(1e-4, runs, 0.2 / 2)
    p = np.array(p)
    for kind in KINDS[:2]:  # each p-value by itself is uniform
        each = np.ravel(p[:, tests.kind == kind])
        assert np.mean(each < 0.01) == pytest.approx(0.01, abs=4 * np.sqrt(0.01 / each.size))


@pytest.mark.parametrize("how", ["shift of one unit", "scale", "narrow"])
def test_control_small_errors_are_caught_every_time(how):
    """A mean off by 0.15 sd, or an sd off by 5 %: the protocol promises to see both."""
    seeds = range(20)
    caught = [
        rejected(judged(CASE, off(CASE, normal_draws(CASE.mean, CASE.cov, 1000 + s), how)))
        for s in seeds
    ]
    assert all(caught)


def test_autocorrelated_draws_are_not_taken_for_independent_ones():
    """Treating draws of a slow chain as independent ones rejects every correct sampler."""
    alarms, naive = 0, 0
    phi, runs = 0.9, 10
    for seed in range(runs):
        noise = normal_draws(np.zeros(20), np.eye(20), seed, draws=3000)
        x = noise.copy()
        for t in range(1, 3000):
            x[:, t] = phi * x[:, t - 1] + np.sqrt(1 - phi**2) * noise[:, t]
        draws = CASE.mean + x @ np.linalg.cholesky(CASE.cov).T
        tests = judged(CASE, draws)
        alarms += rejected(tests)
        z = tests.shift * np.sqrt(draws[..., 0].size)
        naive += bool(np.min(2 * stats.norm.sf(np.abs(z))) * 20 < FAMILY)
    assert alarms == 0 and naive > runs / 2


def data_of(case, draws):
    return to_data(case.problem, draws, "by hand", gate(draws), {})


def compare(case, draws, **options):
    return un.inference.compare_posterior(*case.given, **case.settings,
                                          draws=data_of(case, draws), **options)  # fmt: skip


@pytest.mark.parametrize("case", [CASE, deep_linear()], ids=["n=20", "chain"])
def test_verdicts(case):
    """The three words that the report prints."""
    draws = normal_draws(case.mean, case.cov, 7)
    good = compare(case, draws)
    assert good.agrees and "agrees" in repr(good) and "exact normal law" in repr(good)
    for how in ("shift of one unit", "scale"):
        bad = compare(case, off(case, draws, how))
        assert bad.verdict == "disagrees" and "REJECTED" in repr(bad)
    assert bad.table()[2]["rejected"] and bad.table()[2]["test"] == "total variance"
    assert bad.tests.scale == pytest.approx(good.tests.scale * 1.05)
    few = compare(case, draws[:, :150])
    assert few.verdict == "inconclusive" and "too few draws" in few.reason
    stuck = draws.copy()
    stuck[0] = stuck[0, :1]  # a chain that never moved from a typical place
    assert compare(case, stuck).verdict == "inconclusive"


def test_a_chain_stuck_in_another_well_is_inconclusive_not_averaged():
    """Its mean may even be right; a z test alone would let it pass."""
    draws = normal_draws(CASE.mean, CASE.cov, 3)
    far = 4 * np.sqrt(np.diagonal(CASE.cov))
    draws[:2], draws[2:] = draws[:2] + far, draws[2:] - far
    found = compare(CASE, draws)
    assert found.verdict == "inconclusive" and found.tests.gate.status == "unmixed"
    assert np.max(np.abs(found.tests.shift)) < 0.1


def test_equipartition_sees_what_a_wrong_reference_hides():
    """Given the draws' own mean and covariance as reference, only the forces can tell."""
    draws = off(CASE, normal_draws(CASE.mean, CASE.cov, 5), "scale")
    flat = draws.reshape(-1, 20)
    found = compare(CASE, draws, reference=(flat.mean(axis=0), np.cov(flat.T)))
    (row,) = [r for r in found.table() if r["rejected"]]
    assert row["test"] == "equipartition" and row["effect"] == pytest.approx(1.05**2, rel=0.02)
    assert found.verdict == "disagrees" and "given" in found.reference


def test_results_convert():
    """Reports and ArviZ's plots read them."""
    draws = normal_draws(CASE.mean, CASE.cov, 7)
    found = compare(CASE, draws)
    table = found.to_xarray()
    assert table.attrs["verdict"] == "agrees" and table.sizes == {"unit": 20, "test": 42}
    assert list(table["unit"].values[:2]) == ["s[0]", "s[1]"]
    again = un.inference.compare_posterior(*CASE.given, **CASE.settings, draws=found.to_arviz())
    assert again.verdict == "agrees"
    assert found.to_arviz().attrs["comparison"] == "agrees"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"family": 0.0}, "family"),
        ({"family": 1}, "family"),
        ({"reference": (np.zeros(3), np.eye(3))}, "over 20 stacked units"),
    ],
)
def test_bad_options_are_one_sentence(options, word):
    """A reference of another net would be broadcast."""
    with pytest.raises(InputError, match=word):
        compare(CASE, normal_draws(CASE.mean, CASE.cov, 7), **options)
