"""Oracle: scipy's own intervals, and simulated samples on which error rates are counted."""

import numpy as np
import pytest
from scipy import stats

from unified.base.errors import InputError
from unified.base.multiplicity import holm
from unified.report.validation_statistics import (
    angle,
    bootstrap_interval,
    correlation,
    fisher_interval,
    line,
    mean_interval,
    sign_tests,
)

RUNS = 4000


def within(count, runs, rate, sigmas=4.0):
    """Whether a count is a binomial one of this rate, to `sigmas` standard errors."""
    return abs(count / runs - rate) <= sigmas * np.sqrt(rate * (1 - rate) / runs)


def test_fisher_interval_is_scipys():
    """A correlation of 0.99 from six seeds means little; the interval has to say so."""
    rng = np.random.default_rng(0)
    for n in (4, 6, 30):
        x = rng.normal(size=n)
        y = x + rng.normal(size=n)
        found = stats.pearsonr(x, y)
        want = found.confidence_interval(0.9)
        assert correlation(x, y) == pytest.approx(found.statistic, rel=1e-12)
        assert fisher_interval(found.statistic, n, 0.9) == pytest.approx((want.low, want.high))


def test_fisher_interval_covers():
    """Oracle: bivariate normal pairs of known correlation; its level is what readers believe."""
    rng, hits = np.random.default_rng(1), 0
    for _ in range(RUNS):
        x, e = rng.normal(size=(2, 10))
        low, high = fisher_interval(correlation(x, 0.8 * x + 0.6 * e), 10, 0.95)
        hits += low <= 0.8 <= high
    assert within(hits, RUNS, 0.95)


def test_mean_interval_is_scipys_and_covers():
    """Too narrow an interval calls noise a finding."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(RUNS, 6))
    want = stats.ttest_1samp(x[0], 0).confidence_interval(0.95)
    assert mean_interval(x[0])[1:] == pytest.approx((want.low, want.high), rel=1e-12)
    spans = np.array([mean_interval(row)[1:] for row in x])
    assert within(np.sum((spans[:, 0] <= 0) & (spans[:, 1] >= 0)), RUNS, 0.95)


def test_bootstrap_interval_is_scipys():
    """A wrong acceleration shifts the interval of every skewed sample."""
    x = np.random.default_rng(3).lognormal(size=12)
    mine = bootstrap_interval(x, 0.9, resamples=40_000)
    want = stats.bootstrap(
        (x,), np.mean, confidence_level=0.9, n_resamples=40_000, method="BCa", rng=0
    ).confidence_interval
    assert mine == pytest.approx((want.low, want.high), rel=0.02)


def test_bootstrap_coverage_is_as_documented():
    """It covers less than its level for few values; that it does is said, and how much."""
    rng, hits, runs = np.random.default_rng(4), 0, 1500
    for k in range(runs):
        low, high = bootstrap_interval(rng.normal(size=10), resamples=600, seed=k)
        hits += low <= 0 <= high
    assert 0.86 < hits / runs < 0.95
    hits = 0
    for k in range(400):
        low, high = bootstrap_interval(rng.normal(size=80), resamples=600, seed=k)
        hits += low <= 0 <= high
    assert within(hits, 400, 0.94)


def test_constant_and_single_values():
    """Broken estimators can be wrong by exactly the same at every seed: no division by zero."""
    assert bootstrap_interval([0.3] * 7) == (0.3, 0.3)
    assert mean_interval([2.0] * 5) == (2.0, 2.0, 2.0)
    assert np.isnan(mean_interval([1.0])[1:]).all() and np.isnan(bootstrap_interval([1.0])).all()
    below, above = sign_tests([[1.0] * 5, [-1.0] * 5, [0.0] * 5])
    assert below.tolist() == [1, 0, 0.5] and above.tolist() == [0, 1, 0.5]
    assert sign_tests([[1.0]])[0].tolist() == [1] and sign_tests([[1.0]])[1].tolist() == [1]
    assert fisher_interval(1.0, 9) == (1, 1) and np.isnan(fisher_interval(0.9, 3)).all()


def test_sign_tests_are_scipys():
    """Which tail is which decides between agrees and disagrees."""
    x = np.random.default_rng(5).normal(0.3, 1, size=(3, 8))
    below, above = sign_tests(x)
    for k in range(3):
        less, more = (stats.ttest_1samp(x[k], 0, alternative=a).pvalue for a in ("less", "greater"))
        assert (below[k], above[k]) == pytest.approx((less, more), rel=1e-9)


@pytest.mark.parametrize("n", [5, 10])
def test_false_positive_rate_at_the_margin_is_the_level(n):
    """Oracle: simulated nulls. On the margin itself both claims are false 2.5 % of the time."""
    excess = np.random.default_rng(6).normal(size=(RUNS, n))
    below, above = sign_tests(excess)
    assert within(np.sum(below < 0.025), RUNS, 0.025)
    assert within(np.sum(above < 0.025), RUNS, 0.025)


def test_power_is_that_of_the_noncentral_t():
    """A test without power would never say disagrees, and would pass all tests of its level."""
    excess = np.random.default_rng(7).normal(1.5, 1, size=(RUNS, 8))
    want = stats.nct.sf(stats.t.ppf(0.975, 7), 7, 1.5 * np.sqrt(8))
    assert want > 0.9 and within(np.sum(sign_tests(excess)[1] < 0.025), RUNS, want)


def test_holm_by_hand_and_its_family_error():
    """Without it, twenty networks make one false finding."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([[0.5, 0.9]]).shape == (1, 2) and holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]).size == 0
    p = np.random.default_rng(8).uniform(size=(RUNS, 5))
    wrong = sum(np.any(holm(row) < 0.05) for row in p)
    assert within(wrong, RUNS, 1 - 0.99**5)
    for bad in ([0.1, np.nan], [1.2], [-0.1]):
        with pytest.raises(InputError, match="from 0 to 1"):
            holm(bad)


def test_line_and_angle():
    """The slope tells a wrong scale, the angle a wrong direction; each must not see the other."""
    rng = np.random.default_rng(9)
    x, e = rng.normal(size=(2, 50))
    want = stats.linregress(x, x + e)
    assert line(x, x + e) == pytest.approx((want.slope, want.intercept), rel=1e-12)
    assert np.isnan(line([1.0, 1.0], [0.0, 2.0])).all()
    assert angle(x, 3 * x) < 1e-15 and angle(x, -x) == pytest.approx(np.pi)
    turned = x + 1e-10 * (e - x * (e @ x) / (x @ x))
    size = 1e-10 * np.linalg.norm(e - x * (e @ x) / (x @ x)) / np.linalg.norm(x)
    assert angle(x, turned) == pytest.approx(size, rel=1e-5)  # arccos of the cosine would give 0
    assert np.isnan(angle(x, 0 * x))
