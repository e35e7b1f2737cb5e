"""`unified meanfield`: its verdict, its files, and what it refuses."""

import json

import numpy as np
import pytest

from tests.cli.test_cli import refused, say
from unified.commands import (
    meanfield_flows,
    meanfield_games,
    meanfield_many,
    meanfield_nets,
    meanfield_phase,
)
from unified.commands.meanfield_study import Study, order, slope
from unified.report import Check, animate_flow, save_gif


@pytest.fixture(scope="module")
def bits():
    """The moment equations against their law, made once."""
    law = meanfield_flows.closed_forms.ornstein_uhlenbeck(
        meanfield_flows.A, meanfield_flows.B, meanfield_flows.T, meanfield_flows.START,
        meanfield_flows.END, meanfield_flows.K,
    )  # fmt: skip
    return meanfield_flows.by_moments(law)


def test_the_law_is_what_the_methods_are_held_to(bits):
    """Against a law of another attraction every honest method would look broken."""
    row, checks, flow = bits
    assert row["error"] < 1e-9 and all(c.passed for c in checks) and flow.completed
    other = meanfield_flows.closed_forms.ornstein_uhlenbeck(
        meanfield_flows.A, meanfield_flows.B, meanfield_flows.T, meanfield_flows.START,
        meanfield_flows.END, 2 * meanfield_flows.K,
    )  # fmt: skip
    assert meanfield_flows.by_moments(other)[0]["error"] > 1e-2


def test_growth_changes_sign_at_the_critical_temperature():
    """Bisection on a sign that does not change there would find something else."""
    edge = meanfield_phase.closed_forms.desai_zwanzig_critical(1.0)
    assert meanfield_phase.growth(1.0, 0.97 * edge) > 0 > meanfield_phase.growth(1.0, 1.03 * edge)


def test_the_mean_is_the_root_of_its_equation():
    """A magnetisation compared with a wrong curve proves nothing: at T → 0 it is a well's."""
    assert meanfield_phase.self_consistent(1.0, 0.01) == pytest.approx(1.0, abs=0.02)
    assert meanfield_phase.self_consistent(1.0, 0.5) == 0


def test_particles_are_compared_with_their_own_closed_equations():
    """PC on backprop's equations, or the reverse, must not pass."""
    found = meanfield_nets.particle_flow("pc", 8, 0)
    assert meanfield_nets.closed_check("pc", found).passed
    net = meanfield_nets.linear_net_flow(
        found["moments"][0], meanfield_nets.TEACHER, found["flow"].ts, "bp"
    )
    assert np.max(np.abs(net.u[-1] - found["moments"][-1]["u"])) > 1e-3


FEW = {100: 4000, 1000: 1000}
NEAR = {100: 60, 1000: 25}  # flows


def test_particles_miss_the_law_by_one_over_root_n():
    """More particles must help, and as much as draws of the law would; else noise is shared."""
    found = meanfield_many.sampled(FEW, 0)
    checks = meanfield_many.sampling_checks(found)
    assert len(checks) == 4 and all(c.passed for c in checks)
    slope, error = meanfield_many.power(found["mean"], True)
    assert abs(slope + 0.5) < 0.05 and error < 0.02


def test_the_distance_of_a_sample_is_exact():
    """W₂ against a Gaussian by partial means, against a million quantiles of it."""
    from unified.meanfield import ParticleMeasure, distances

    law, x = meanfield_many.GaussianMeasure(0.4, 0.3), np.random.default_rng(0).normal(size=(3, 50))
    fine = [distances.wasserstein_1d(ParticleMeasure(row), law, levels=10**6) for row in x]
    assert np.sqrt(meanfield_many.squared_distances(x, law)) == pytest.approx(fine, rel=1e-5)


def test_attracting_particles_are_biased_by_one_over_n():
    """The limit N → ∞ is what papers prove; at N it is off by what is known in closed form."""
    checks = meanfield_many.coupling_checks(meanfield_many.coupled(NEAR, 0))
    assert len(checks) == 3 and all(c.passed for c in checks)


def test_control_noise_shared_or_too_warm_is_noticed(monkeypatch):
    """With one noise for all particles nothing averages out; with a wrong law nothing converges."""
    import jax

    warm = meanfield_many.sampled({1000: 200, 10000: 50}, 0, 1.1 * meanfield_many.T)
    assert meanfield_many.control_check(warm).passed  # that is: caught
    assert not all(c.passed for c in meanfield_many.sampling_checks(warm))
    draw = jax.random.normal

    def shared(key, shape, dtype):
        return jax.numpy.broadcast_to(draw(key, (1, *shape[1:]), dtype), shape)

    monkeypatch.setattr(jax.random, "normal", shared)
    one = meanfield_many.coupled({100: 4, 1000: 2}, 0)
    assert abs(meanfield_many.power(one["coupling"], True)[0]) < 0.1  # -1/2 without
    assert not any(c.passed for c in meanfield_many.coupling_checks(one))


def test_steps_and_games_hold(monkeypatch):
    """JKO steps of every kind, and games, against closed forms; of another step, against none."""
    study = meanfield_games.play(True)
    assert len(study.checks) == 10 and all(c.passed for c in study.checks)
    exact = meanfield_games.by_steps()
    monkeypatch.setattr(meanfield_games, "by_steps", lambda: exact)
    monkeypatch.setattr(meanfield_games, "STEP", meanfield_games.STEP / 2)  # errors of order one
    assert not meanfield_games.entropic_steps()[1][0].passed
    assert not meanfield_games.quantile_steps((50, 100))[1][0].passed
    moments = meanfield_games.LinearQuadratic(1.2, 2.0, 0.2, 0.8).moments
    monkeypatch.setattr(meanfield_games.LinearQuadratic, "moments", lambda self, *a: moments(*a))
    assert not all(c.passed for c in meanfield_games.linear_quadratic((74, 148))[1])


def test_a_fitted_order_can_fail():
    """An order that is only declared is no order."""
    at = [0.1, 0.05, 0.025]
    assert slope(at, [3 * h**2 for h in at]) == pytest.approx(2)
    assert order("x", "order", 1.98, 2, 0.05).passed
    assert not order("x", "order", 1.9, 2, 0.05).passed


def _stand_in(passed):
    return Study([Check.at_most("some", "A number is small", 0.0 if passed else 2.0, 1.0)],
                 [{"method": "one"}])  # fmt: skip


@pytest.mark.parametrize("passed", [True, False])
def test_the_exit_status_and_the_json_tell_what_failed(capsys, tmp_path, monkeypatch, passed):
    """A script that trusts status 0 must be able to."""
    monkeypatch.setattr(meanfield_flows, "compare_methods", lambda quick, seed: _stand_in(passed))
    for module, name in (
        (meanfield_many, "many_particles"),
        (meanfield_games, "play"),
        (meanfield_phase, "transitions"),
        (meanfield_nets, "train_nets"),
    ):
        monkeypatch.setattr(module, name, lambda *a: Study([], []))
    file = tmp_path / "found.json"
    words = ("meanfield", "--seed", "3", "--json", str(file))
    status, text, err = say(capsys, *words)
    found = json.loads(file.read_text(), parse_constant=pytest.fail)
    assert found["seed"] == 3 and found["rows"]["flows"] == [{"method": "one"}]
    assert found["checks"][0]["passed"] is passed and status == (0 if passed else 1)
    assert ("some" in err) is not passed and ("✗" in text) is not passed


def test_bad_options_are_refused(capsys, tmp_path):
    """Half an hour of flows should not end at a folder that is a file."""
    (tmp_path / "file").write_text("in the way")
    assert "--seed" in refused(capsys, "meanfield", "--seed", "-1")
    assert "--json" in refused(capsys, "meanfield", "--json", str(tmp_path / "file" / "o" / "j"))
    assert "file" in refused(capsys, "meanfield", "--out", str(tmp_path / "file"))


def test_a_gif_has_its_frames(tmp_path, bits):
    """A film of one frame, or of the same frame, shows no flow."""
    from PIL import Image, ImageSequence

    from unified.base.errors import InputError

    path = save_gif(lambda ax, k: ax.plot([0, 1], [0, k]), 3, tmp_path / "a.gif", size=(2, 2))
    with Image.open(path) as film:
        frames = [np.asarray(f.convert("RGB")) for f in ImageSequence.Iterator(film)]
    assert len(frames) == 3 and all(np.any(frames[0] != f) for f in frames[1:])
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]
    for bad in ({"frames": 0}, {"frames": 2, "fps": 0}):
        with pytest.raises(InputError, match="got"):
            save_gif(lambda ax, k: None, path=tmp_path / "b.gif", **bad)
    with pytest.raises(InputError, match="save_gif"):
        animate_flow(bits[2], tmp_path / "c.gif")  # Gaussians have neither


def test_flows_of_both_kinds_become_films(tmp_path):
    """Who has a flow wants to see it in one call."""
    from PIL import Image

    from unified import meanfield as mf

    x = np.linspace(-4, 4, 41)
    start = mf.GaussianMeasure(0.5, 0.3)
    grid = mf.solve_flow(mf.Quadratic(1.0) + mf.Entropy(0.3), start.to_grid(x), 1.0, "fv", saves=2)
    plane = mf.GaussianMeasure([0.0, 1.0], 1.0).to_particles(5, key=0)
    cloud = mf.solve_flow(mf.Quadratic(1.0), plane, 1.0, dt=0.1, saves=3)
    for flow, frames in ((grid, 3), (cloud, 4)):
        with Image.open(animate_flow(flow, tmp_path / "x.gif")) as film:
            assert film.n_frames == frames


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["--quick", None])
def test_every_check_holds(capsys, tmp_path, kind):
    """The study is the proof that the parts work together; a bar missed must show."""
    out = tmp_path / "out"
    words = ["meanfield", "--out", str(out), *([kind] if kind else [])]
    status, text, err = say(capsys, *words)
    assert status == 0 and err == "" and "✗" not in text
    found = json.loads((out / "results.json").read_text(), parse_constant=pytest.fail)
    ids = [c["id"] for c in found["checks"]]
    assert all(any(i.startswith(p) for i in ids) for p in ("flows", "many", "games", "phase",
                                                          "nets", "dissipation"))  # fmt: skip
    for name in found["figures"]:
        assert (out / name).stat().st_size > 1000
    assert "base64" in (out / "report.html").read_text()
