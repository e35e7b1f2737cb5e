"""Oracle: exact intervals by the beta law, true draws, and draws that only claim to be true."""

import pytest
from scipy import stats

from unified.commands import bench_calibration, bench_posterior
from unified.commands.bench_calibration import calibrations, clopper_pearson


def test_intervals_are_clopper_and_pearsons():
    """An interval that is too narrow calls a correct protocol broken, or a broken one correct."""
    for count, of in ((3, 400), (0, 150), (150, 150)):
        low, high = clopper_pearson(count, of)
        assert low == pytest.approx(stats.beta.ppf(0.025, count, of - count + 1) if count else 0)
        assert high == pytest.approx(
            stats.beta.ppf(0.975, count + 1, of - count) if count < of else 1
        )


@pytest.mark.slow
def test_the_protocol_errs_as_often_as_it_says():
    """A protocol that rejects true draws, or passes false ones, makes every verdict a guess."""
    found = {b["id"]: b for b in calibrations(seeds=40, controls=40)}
    assert len(found) == 6 and all(b["passed"] for b in found.values())
    assert found["calibration alarms 0.001"]["inconclusive"] == 0


@pytest.mark.slow
def test_control_narrow_draws_are_not_called_true(monkeypatch):
    """If draws that are 3 % too narrow passed for true ones, the bench could not fail."""
    case = bench_posterior.linear_gaussian_case

    def narrow(*at):
        *given, (mean, cov) = case(*at)
        return *given, (mean, 0.97**2 * cov)

    monkeypatch.setattr(bench_posterior, "linear_gaussian_case", narrow)
    found = {b["id"]: b for b in bench_calibration.calibrations(seeds=20, controls=1)}
    assert not found["calibration alarms 0.001"]["passed"]
