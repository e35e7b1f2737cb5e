"""`unified infer`: the quick study as users run it, what fails it, what it refuses."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import unified as un
from tests.cli.test_cli import refused, say
from unified.base.errors import ConvergenceError
from unified.commands import infer, infer_study
from unified.commands.infer_net import make_subject
from unified.report import Check

EVERY = {
    "infer.twin.map", "infer.twin.evidence.block", "infer.twin.evidence.laplace",
    "infer.twin.evidence.ti", "infer.twin.pymc", "infer.map.residual", "infer.map.mean",
    "infer.map.order", "infer.draws.langevin.gate", "infer.draws.langevin.equipartition",
    "infer.draws.agree", "infer.temperature.shift", "infer.temperature.seen",
    "infer.temperature.laplace", "infer.evidence.laplace", "infer.evidence.order",
}  # fmt: skip
DEAR = {
    "infer.twin.draws.exact", "infer.twin.control.shift", "infer.twin.control.scale",
    "infer.twin.draws.nuts", "infer.map.pymc", "infer.draws.nuts.gate",
    "infer.draws.nuts.equipartition",
    "infer.evidence.smc", "infer.evidence.total", "infer.gradient.fluctuation",
    "infer.gradient.evidence", "infer.gradient.logdet",
}  # fmt: skip


@pytest.fixture(scope="module")
def subject():
    return make_subject(un.data.load("digits", center=True))


def study(folder, *more):
    """Run the command in a process of its own; its results, and what it said."""
    words = [sys.executable, "-m", "unified.cli", "infer", "--out", str(folder / "out")]
    words += ["--json", str(folder / "study.json"), *more]
    done = subprocess.run(words, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (folder / "study.json").read_text(encoding="utf-8")
    return json.loads(text, parse_constant=pytest.fail), done


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    folder = tmp_path_factory.mktemp("infer")
    return folder, *study(folder, "--quick")


def test_every_promised_comparison_is_among_the_checks(quick):
    """A check that silently dropped out would look exactly like one that passed."""
    _, results, done = quick
    assert {c["id"] for c in results["checks"]} == EVERY
    assert all(c["passed"] for c in results["checks"]) and results["quick"] is True
    assert f"All {len(EVERY)} checks held" in done.stdout and "✗" not in done.stdout


def test_the_numbers_are_there_for_machines(quick):
    """Whoever plots or tabulates the study reads the JSON, and must not have to parse prose."""
    folder, results, _ = quick
    again = json.loads((folder / "out" / "results.json").read_text(encoding="utf-8"))
    assert again == results
    twin, mode, draws, temperature, evidence = results["steps"].values()
    assert set(twin["evidence"]) == {"exact", "laplace", "ti"}
    assert len(mode["map"]) == len(mode["mean"]) == len(mode["units"]) == 26
    assert mode["from_map_in_sd"]["mean"] > 0.05 and draws["samplers"][0]["draws"] == "langevin"
    assert [r["T"] for r in temperature["rows"]] == [0.25, 0.1, 0.05, 0.02]
    assert len(evidence["labels"]) == 10 and len(evidence["curve"]["betas"]) == 9
    assert np.all(np.diff(evidence["curve"]["betas"]) > 0)


def test_the_page_holds_the_figures(quick):
    """A page without its figures, or one that needs the network, is blank elsewhere."""
    folder, results, _ = quick
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert len(results["figures"]) == 4
    for name in results["figures"]:
        assert (folder / "out" / name).read_bytes().startswith(b"\x89PNG")
    assert page.count("data:image/png;base64,") == 5  # and the digit
    assert "https://" not in page and "<math" in page


@pytest.mark.slow
def test_the_whole_study_holds(tmp_path):
    """NUTS, annealed particles and Boltzmann learning are the point of it, and are dear."""
    results, _ = study(tmp_path)
    assert {c["id"] for c in results["checks"]} == EVERY | DEAR
    shares = [row["smc"] for row in list(results["steps"].values())[4]["labels"]]
    assert sum(shares) == pytest.approx(1, abs=0.15)


def test_the_net_is_the_one_that_is_described(subject):
    """The forward pass that chose the image would be another net's."""
    net = subject.net
    hidden = net.params["W1"] @ net.x + net.params["b1"]
    state = {"z1": hidden, "z2": net.params["W2"] @ np.tanh(hidden) + net.params["b2"]}
    program = un.emit(net.energy, backend="numpy")
    force = program.force(state, net.params, un.Phase.free(net.x))
    assert max(np.max(np.abs(v)) for v in force.values()) < 1e-12  # its free rest point
    odds = np.exp(state["z2"] - np.max(state["z2"]))
    assert odds / np.sum(odds) == pytest.approx(subject.forward, abs=1e-10)
    assert subject.test_error < 0.1 and abs(subject.forward[subject.label] - 0.5) < 0.05
    again = make_subject(un.data.load("digits", center=True), number=3)
    assert again.number == 3 and np.array_equal(again.net.params["W2"], net.params["W2"])


def quickly(monkeypatch, subject, *steps):
    monkeypatch.setattr(infer, "steps", lambda whole: list(steps))
    monkeypatch.setattr("unified.commands.infer_net.make_subject", lambda *_: subject)


def test_a_failed_check_fails_the_run(monkeypatch, capsys, subject):
    """If a false claim left the exit status at 0, no script would ever notice it."""

    def step(_):
        bad = Check.at_most("a.b", "it holds", 2.0, 1.0)
        return infer_study.Finding("A step", [bad], {}, [], lambda page: None)

    quickly(monkeypatch, subject, step)
    status, out, err = say(capsys, "infer", "--quick")
    assert status == 1 and "✗ it holds" in out
    assert err.count("\n") == 1 and "a.b (it holds: 2.0)" in err


def test_chains_that_do_not_mix_are_inconclusive_not_good(monkeypatch, capsys, subject, tmp_path):
    """Numbers of a chain that is still on its way look like any others."""

    def lost(_):
        """Lost chains: they wander."""
        raise ConvergenceError("sample: R-hat up to 1.3; draw more.", ("unmixed",))

    quickly(monkeypatch, subject, lost)
    status, _, err = say(capsys, "infer", "--quick", "--json", str(tmp_path / "a.json"))
    assert status == 1 and err.count("\n") == 1 and "inconclusive: sample: R-hat" in err
    (check,) = json.loads((tmp_path / "a.json").read_text())["checks"]
    assert check["id"] == "infer.lost.conclusive" and check["passed"] is False


def test_an_inconclusive_comparison_is_no_agreement_and_no_catch():
    """A gate that failed must fail the check, whatever verdict was hoped for."""
    for verdict, hoped, passed in (
        ("agrees", "agrees", True), ("disagrees", "agrees", False),
        ("inconclusive", "agrees", False), ("inconclusive", "disagrees", False),
        ("disagrees", "disagrees", True), ("agrees", "disagrees", False),
    ):  # fmt: skip
        found = SimpleNamespace(verdict=verdict, reason="too few", tests=SimpleNamespace(
            adjusted=np.array([0.5, 1.0])))  # fmt: skip
        check = infer_study.compared("id", "it is so", found, hoped)
        assert check.passed is passed
        assert ("too few" in check.claim) is (verdict == "inconclusive")


def test_bad_options_are_refused(capsys, tmp_path):
    """A typo found after minutes of sampling has cost minutes."""
    (tmp_path / "file").write_text("in the way")
    for words in (["--seed", "-1"], ["--seed", str(2**31)], ["--image", "-1"],
                  ["--image", "100000"], ["--seed", "x"]):  # fmt: skip
        assert words[0] in refused(capsys, "infer", *words)
    blocked = str(tmp_path / "file" / "o" / "c")
    for option in ("--out", "--json"):
        assert option in refused(capsys, "infer", option, blocked)
