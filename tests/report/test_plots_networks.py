"""Oracle: what was drawn, read back from the axes."""

import numpy as np
import pytest

from unified.base.errors import InputError
from unified.report.plots_networks import plot_circle_features, plot_credit_gaps, plot_flow_risks

RNG = np.random.default_rng(0)
ANGLE = RNG.uniform(0, 2 * np.pi, 6)
FEATURES = (np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1), np.array([1.0, -2, 3, -1, 2, 1]))


def lines(ax):
    return {line.get_label(): line.get_xydata() for line in ax.get_lines()}


def test_features_lie_on_their_directions():
    """A feature drawn on another ray than its weights would show a teacher found that was not."""
    drawn = lines(plot_circle_features(FEATURES, FEATURES, teacher=np.array([[0.0, 2.0]])))
    right = drawn["end, a > 0"]
    chosen = FEATURES[1] > 0
    want = FEATURES[0][chosen] * FEATURES[1][chosen, None] / 3
    np.testing.assert_allclose(right, want)
    np.testing.assert_allclose(drawn["teacher"], [[0, 0], [0, 1.15]], atol=1e-12)
    with pytest.raises(InputError, match="use a net with d=2"):
        plot_circle_features((np.zeros((3, 3)), np.zeros(3)), FEATURES)


def test_risks_and_gaps_are_drawn_as_given():
    """The curve of one credit under the name of another is worse than none."""
    ts = np.linspace(0, 1, 4)
    data = {"risk": {"bp": np.exp(-ts), "fa": np.exp(-ts / 2)}, "ts": ts,
            "closed": {"bp": np.exp(-ts)}, "closed_ts": ts}  # fmt: skip
    drawn = lines(plot_flow_risks(data))
    np.testing.assert_allclose(drawn["fa, particles"][:, 1], np.exp(-ts / 2))
    assert "bp, moments" in drawn and "fa, moments" not in drawn
    n = np.array([10.0, 100, 1000])
    assert "pc: slope -1.00" in lines(plot_credit_gaps({"neurons": n, "gap": {"pc": 3 / n}}))
    with pytest.raises(InputError, match="data: expected an entry 'ts'"):
        plot_flow_risks({"risk": {}})
