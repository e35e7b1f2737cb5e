"""Oracle: estimators that are right, biased by a known amount, or broken on purpose."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

import unified as un
from unified.base.errors import InputError
from unified.commands.small_nets import make_net
from unified.commands.validate_controls import MISTAKES, Broken
from unified.report.plots_validation import plot_validation_intervals, plot_validation_scatter
from unified.report.validation import validate_cases, validate_gradient
from unified.report.validation_cases import best_differences, make_cases
from unified.report.validation_measures import Measures
from unified.report.validation_verdict import TESTS, decide

SEEDS = range(6)


@dataclass(frozen=True)
class Spoiled(un.Implicit):
    """The exact gradient with a relative error of known size, or a status of choice."""

    error: float = 0.0
    status: str = "converged"
    bad_seed_mean: float = np.inf

    def __call__(self, program, params, x, y, *, throw=True):
        found = un.Implicit()(program, params, x, y, throw=throw)
        rng = np.random.default_rng(int(1e6 * abs(params["W1"].flat[0])))
        noise = {k: rng.normal(size=v.shape) for k, v in found.grad.items()}
        size, g = (np.sqrt(sum(np.sum(v**2) for v in d.values())) for d in (noise, found.grad))
        moved = {k: v + self.error * g / size * noise[k] for k, v in found.grad.items()}
        status = np.full(len(x), self.status if x.mean() < self.bad_seed_mean else "max_steps")
        return replace(found, grad=moved, status=status)


@pytest.fixture(scope="module")
def nets():
    return {name: make_net(name) for name in ("hopfield", "predictive")}


@pytest.fixture(scope="module")
def cases(nets):
    """Both nets at six seeds, with the implicit gradient as reference."""
    programs, data, params = (
        {k: getattr(net, what) for k, net in nets.items()} for what in ("program", "data", "params")
    )
    return make_cases(un.Implicit(), programs, data, SEEDS, params=params, directions=5)


@pytest.fixture(scope="module")
def hopfield(cases):
    return [c for c in cases if c.network == "hopfield"]


def test_a_right_estimator_agrees_and_its_numbers_are_kept(cases):
    """A validation that never says agrees is worth nothing; what it rests on must be readable."""
    found = validate_cases(un.Centered(2e-3), cases)
    assert found.attrs["verdict"] == "agrees" == found["verdict"].item()
    assert set(found["network_verdict"].values) == {"agrees"}
    assert dict(found.sizes) | {"network": 2, "seed": 6, "direction": 5} == dict(found.sizes)
    assert found.attrs["declared_order"] == 2 and found.attrs["nudge"] == 2e-3
    assert found["relative_error"].max() < 1e-3 and found["cosine"].min() > 1 - 1e-6
    assert found["residual"].max() < 1e-11
    assert {"W1", "W2", "b1", "b2"} == set(found["parameter"].values)
    assert np.all(found["slope_interval"].sel(bound="low") <= found["slope"].mean("seed"))
    assert len(set(found["fingerprint"].values)) == 2
    json.dumps(dict(found.attrs))  # attributes must survive any file format


def test_the_measures_of_a_seed_are_what_numpy_says(hopfield):
    """Oracle: the same numbers from the two gradients by other formulas."""
    found = validate_cases(un.Centered(0.05), hopfield).sel(network="hopfield", seed=3)
    case = next(c for c in hopfield if c.seed == 3)
    e = un.Centered(0.05)(case.program, case.params, case.x, case.y).grad
    g = case.reference.grad
    assert found["cosine"] == pytest.approx(un.cosine(e, g), abs=1e-12)
    assert found["relative_error"] == pytest.approx(un.relative_error(e, g), rel=1e-9)
    u, v = (np.concatenate([d[k].ravel() for k in sorted(d)]) for d in (g, e))
    slope, offset = np.polyfit(u, v, 1)
    assert found["slope"] == pytest.approx(slope, rel=1e-9)
    assert found["intercept"] == pytest.approx(offset / np.sqrt(np.mean(u**2)), rel=1e-6)
    for p in found["parameter"].values:
        want = np.linalg.norm(e[p] - g[p]) / np.linalg.norm(g[p])
        assert found["parameter_error"].sel(parameter=p) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_broken_estimator_disagrees_on_every_net(cases, mistake):
    """The validation is worth what it catches; each of these mistakes has been made somewhere."""
    found = validate_cases(Broken(mistake=mistake), cases)
    assert found.attrs["verdict"] == "disagrees"
    assert set(found["network_verdict"].values) == {"disagrees"}


def test_broken_estimators_are_otherwise_right(hopfield):
    """A control whose hand-written part is wrong would be caught for the wrong reason."""
    from unified.commands.validate_controls import BETA, _contrast

    c = hopfield[0]
    honest = un.Centered(BETA)(c.program, c.params, c.x, c.y)
    _, toward, away = (e.state for e in honest.equilibria)
    again = _contrast(c.program, c.params, c.x, c.y, [(toward, BETA, 1), (away, -BETA, -1)])
    assert un.relative_error(again, honest.grad) < 1e-9


def test_what_is_wrong_shows_where(hopfield):
    """A scale error must not look like a wrong direction, nor a lost rule like a wrong scale."""
    scale = validate_cases(Broken(mistake="half beta in the denominator"), hopfield)
    assert scale["slope_interval"].sel(bound="centre").item() == pytest.approx(2, abs=1e-3)
    assert scale["cosine"].min() > 1 - 1e-6
    lost = validate_cases(Broken(mistake="a rule that is zero"), hopfield)
    errors = lost["parameter_error"].isel(network=0).mean("seed")
    assert errors.sel(parameter="b2") == pytest.approx(1) and errors.sel(parameter="W1") < 1e-3


def test_a_bias_of_the_declared_order_is_told(hopfield):
    """At a large nudge a right estimator differs; the report must say that this was to be expected.

    Oracle: the bias of a one-sided estimate, less its β² part.
    """
    found = validate_cases(un.OneSided(0.1), hopfield)
    assert found.attrs["verdict"] == "disagrees" and "its order" in found.attrs["reason"]
    bias, left = found["declared_bias"], found["unexplained_error"]
    assert np.all(left < 0.2 * bias)
    assert np.allclose(bias, found["relative_error"], rtol=0.2)
    broken = validate_cases(Broken(mistake="phases swapped"), hopfield)
    assert "its order" not in broken.attrs["reason"]


@pytest.mark.parametrize(("error", "verdict"), [
    (1e-4, "agrees"), (0.005, "agrees"), (0.02, "disagrees"), (0.01, "inconclusive"),
])  # fmt: skip
def test_the_margin_decides(hopfield, error, verdict):
    """Oracle: an estimator whose relative error is exactly known at every seed."""
    found = validate_cases(Spoiled(error=error), hopfield)
    assert found["relative_error"].values == pytest.approx(error, rel=1e-6)
    if verdict == "inconclusive":  # on the margin up to rounding: not agreement, whatever else
        assert found.attrs["verdict"] != "agrees"
    else:
        assert found.attrs["verdict"] == verdict


def test_few_seeds_and_lost_phases_are_inconclusive(hopfield):
    """Three seeds, or the seeds that happened to converge, are no evidence."""
    few = validate_cases(un.Implicit(), hopfield[:4])
    assert few.attrs["verdict"] == "inconclusive" and "at least 5" in few.attrs["reason"]
    means = sorted(c.x.mean() for c in hopfield)
    lost = validate_cases(Spoiled(bad_seed_mean=means[-1]), hopfield)
    assert lost.attrs["verdict"] == "inconclusive" and "max_steps" in lost.attrs["reason"]
    assert lost["seeds_used"].item() == 5 and (lost["status"] == "max_steps").sum() == 1
    assert np.isnan(lost["relative_error"]).sum() == 1
    cut = un.Centered(1e-3, method=un.FixedPoint(max_steps=1))
    assert "did not converge" in validate_cases(cut, hopfield).attrs["reason"]
    strict = validate_cases(un.Centered(1e-3), hopfield, residual=1e-30)
    assert "residual" in strict.attrs["reason"] and strict.attrs["verdict"] == "inconclusive"
    assert validate_cases(Spoiled(status="diverged"), hopfield).attrs["verdict"] == "inconclusive"


def test_a_wrong_reference_is_not_believed(nets):
    """Two estimators that share a mistake agree with each other; differences of the loss do not."""
    net = nets["hopfield"]
    wrong = Spoiled(error=0.05)
    found = validate_gradient(wrong, wrong, net.program, net.data, SEEDS, params=net.params,
                              directions=5)  # fmt: skip
    assert found.attrs["verdict"] == "inconclusive"
    assert "finite differences of its own objective" in found.attrs["reason"]


def test_full_differences_are_a_reference_for_any_objective(nets):
    """Contrastive learning has its own objective; held to the loss it would always fail."""
    net = nets["hopfield"]
    rule = un.Contrastive()
    found = validate_gradient(rule, un.FiniteDifference(of=rule), net.program, net.data, range(5),
                              params=net.params, directions=2)  # fmt: skip
    assert found.attrs["verdict"] == "agrees" and found["relative_error"].max() < 1e-8
    assert found.attrs["estimates"] == "E_clamped - E_free"


@pytest.mark.parametrize("noise", [0.0, 1e-12, 1e-8])
def test_the_best_step_balances_truncation_and_rounding(noise):
    """Oracle: a derivative in closed form, with the noise of an unconverged phase added."""
    rng = np.random.default_rng(0)

    def slope(h):
        def f(t):
            return np.exp(np.sin(3 * t)) + noise * rng.uniform(-1, 1)

        return (4 * (f(h) - f(-h)) / (2 * h) - (f(2 * h) - f(-2 * h)) / (4 * h)) / 3

    value, error, step = best_differences(slope)
    truth = abs(value - 3.0)
    assert truth <= 3 * error + 1e-12 and truth < 1e4 * max(noise, 1e-15) ** 0.8
    coarse = abs(slope(0.025) - 3.0), abs(slope(6e-6) - 3.0)
    assert truth <= 3 * max(*coarse, 1e-12) and 6e-6 <= step <= 0.025
    assert np.isnan(best_differences(lambda h: np.nan)).all()


def simulated(rng, mean, spread, seeds=6):
    """Seeds whose relative errors are normal; angle, slope and intercept follow them."""
    found = []
    for e in np.abs(mean + spread * rng.normal(size=seeds)):
        found.append(Measures(
            relative_error=e, angle=e / 2, slope=1 + e / 2, intercept=0.0, pair_reference=1.0,
            pair_estimate=rng.normal(), difference_of_reference=0.0,
        ))  # fmt: skip
    return found


@pytest.mark.parametrize("networks", [1, 4])
def test_wrong_verdicts_are_as_rare_as_promised(networks):
    """Oracle: simulated seeds with the mean error exactly on the margin: any claim is false.

    The promise is 2.5 % for each claim over *all* networks; four standard errors are allowed.
    """
    rng, runs = np.random.default_rng(0), 800 // networks
    wrong = {"agrees": 0, "disagrees": 0}
    for _ in range(runs):
        at = {str(k): simulated(rng, 0.01, 0.001) for k in range(networks)}
        verdicts = {v.verdict for v in decide(at, 0.01, 0.95).values()}
        for word in wrong:
            wrong[word] += word in verdicts
    assert max(wrong.values()) / runs <= 0.025 + 4 * np.sqrt(0.025 * 0.975 / runs)


def test_a_single_bad_seed_stops_agreement():
    """A mean hides it when the others are good enough."""
    rng = np.random.default_rng(1)
    good = simulated(rng, 1e-5, 1e-6, seeds=30)
    bad = replace(good[0], relative_error=0.02)
    assert decide({"a": good}, 0.01, 0.95)["a"].verdict == "agrees"
    assert decide({"a": [*good, bad]}, 0.01, 0.95)["a"].verdict == "inconclusive"
    assert len(TESTS) == 6


def test_figures_say_verdicts_in_words(cases):
    """Colour alone is lost in print, and on some eyes."""
    found = {"right": validate_cases(un.Centered(2e-3), cases),
             "wrong": validate_cases(Broken(mistake="phases swapped"), cases)}  # fmt: skip
    for quantity in ("relative_error", "slope", "intercept", "cosine", "pearson"):
        ax = plot_validation_intervals(found, quantity)
        words = [t.get_text() for t in ax.texts]
        assert words == ["agrees", "agrees", "disagrees", "disagrees"]
        assert un.report.png_bytes(ax).startswith(b"\x89PNG")
    ax = plot_validation_scatter(found["wrong"])
    labels = ax.get_legend_handles_labels()[1]
    assert [w for w in labels if "slope -1" in w and "disagrees" in w] == labels[:2]
    own = un.report.new_axes()
    assert plot_validation_scatter(found["right"], ax=own) is own
    with pytest.raises(InputError, match="quantity"):
        plot_validation_intervals(found, "colour")


@pytest.mark.parametrize(("change", "words"), [
    ({"seeds": [1, 1, 2]}, "a repeated seed is a copy"), ({"seeds": []}, "seeds"),
    ({"seeds": 3}, "seeds"), ({"seeds": [0.5]}, "seeds"), ({"margin": 0}, "margin"),
    ({"margin": 2.0}, "margin"), ({"level": 1.0}, "level"), ({"directions": 0}, "directions"),
    ({"data": 3}, "data"), ({"data": {"other": 1}}, "data of hopfield"),
    ({"reference": "finite differences"}, "reference"), ({"estimator": "EP"}, "estimator"),
    ({"residual": -1.0}, "residual"), ({"program": {}}, "program"),
    ({"estimator": un.PredictiveCoding(0.01)}, "one-phase"),
])  # fmt: skip
def test_bad_input_gets_a_sentence(nets, change, words):
    """Copies of one seed would make any interval as narrow as one likes."""
    net = nets["hopfield"]
    given = {"estimator": un.Implicit(), "reference": un.Implicit(), "program": net.program,
             "data": net.data, "seeds": [0]} | change  # fmt: skip
    with pytest.raises(InputError, match=words):
        validate_gradient(**given)


def test_single_precision_is_refused():
    """Its rounding would be reported as disagreement."""
    p = un.emit(un.energies.hopfield([3, 4, 2]), un.costs.squared(), dtype="float32")
    with pytest.raises(InputError, match="float64"):
        validate_gradient(un.Implicit(), un.Implicit(), p, (np.zeros((1, 3)), np.zeros((1, 2))))


def test_rows_of_a_data_set_are_drawn_per_seed():
    """The same images at every seed would make seeds less independent than they are counted."""
    digits = un.data.load("digits")
    p = un.emit(un.energies.hopfield([64, 10]), un.costs.squared())
    a, b = make_cases(un.Implicit(), p, digits, [0, 1], directions=1)
    assert a.x.shape == (16, 64) and not np.array_equal(a.x, b.x)
