"""The quick demo, run as users run it; its rows, checks and files are read back from disk."""

import json
import subprocess
import sys
from argparse import Namespace
from types import SimpleNamespace

import pytest

import unified as un
from unified.commands import demo, demo_derive, demo_gradients, demo_report, demo_train
from unified.commands.demo_nets import make_nets, sizes_of
from unified.report import Check
from unified.report.results import LEVELS, TRAINING_KEYS


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    words = [sys.executable, "-m", "unified.cli", "demo", "--quick", "--out", str(out)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done, out, json.loads((out / "results.json").read_text(encoding="utf-8"))


def test_results_have_the_agreed_shape(quick):
    """Programs that read results.json would break, or worse, read the wrong number."""
    _, _, results = quick
    assert {"checks", "training", "environment", "seconds"} <= set(results)
    for check in results["checks"]:
        assert set(check) == {"id", "claim", "level", "value", "tolerance", "passed"}
        assert check["level"] in LEVELS
    for row in results["training"]:
        assert set(TRAINING_KEYS) <= set(row)
        assert 0 <= row["test_error"] <= 1 and row["epochs"] == 1 and row["dataset"] == "digits"
    ids = [c["id"] for c in results["checks"]]
    assert len(ids) == len(set(ids)) and all(c["passed"] for c in results["checks"])
    assert results["seconds"] > 0 and results["environment"]["packages"]["jax"]


def test_every_promised_comparison_is_among_the_checks(quick):
    """A check that silently dropped out would look exactly like one that passed."""
    ids = {c["id"] for c in quick[2]["checks"]}
    for net in ("hopfield", "predictive"):
        wanted = [
            f"proof.{net}.force", f"proof.{net}.contrast.W1", f"control.{net}.slope",
            f"code.{net}.autodiff", f"code.{net}.numpy", f"code.{net}.hessian",
            f"phase.{net}.free", f"phase.{net}.nudged", f"phase.{net}.nudged-",
            f"gradient.{net}.implicit", f"order.{net}.OneSided", f"order.{net}.Centered",
            f"order.{net}.Holomorphic8", f"control.{net}.right",
        ]  # fmt: skip
        assert set(wanted) <= ids
        labels = [r["estimator"] for r in quick[2]["gradients"][net]]
        for name in ("OneSided", "Centered", "Holomorphic", "Contrastive"):
            assert any(label.startswith(name) for label in labels)
    assert "proof.predictive.forward.W1" in ids and "order.predictive.PredictiveCoding" in ids


def test_both_rules_and_the_exact_gradient_were_trained(quick):
    """Without its own exact twin a rule's error says nothing about the rule."""
    pairs = {(r["energy"], r["rule"]) for r in quick[2]["training"]}
    expected = {("hopfield", "EP"), ("predictive", "PC")}
    assert pairs == expected | {("hopfield", "exact"), ("predictive", "exact")}


def test_inference_is_checked_in_pymc(quick):
    """The third word of the slogan would be a promise only."""
    ids = {c["id"] for c in quick[2]["checks"]}
    assert {"infer.twin.map", "infer.twin.pymc", "infer.twin.evidence.block"} <= ids
    facts, _ = quick[2]["parts"].values()
    assert len(facts["steps"]) == 1 and facts["label"] in range(10)


def test_wide_networks_are_among_the_sections(quick):
    """A section that fell out of the list would not be missed by any other test."""
    ids = {c["id"] for c in quick[2]["checks"]}
    wanted = {"flows.moments", "flows.fv", "phase.desai_zwanzig.1", "nets.pc.closed"}
    assert {f"meanfield.{w}" for w in wanted} <= ids
    _, facts = quick[2]["parts"].values()
    assert facts["credits"]["pc"] < 1e-10


def test_a_quick_run_says_that_training_is_unchecked(quick):
    """One epoch cannot reach the bar; a reader must not take its silence for success."""
    _, out, results = quick
    assert results["quick"] is True and results["training_checked"] is False
    assert not any(c["id"].startswith("training.") for c in results["checks"])
    assert "not checked" in (out / "report.html").read_text(encoding="utf-8")


def test_files_are_there_and_the_page_is_whole(quick):
    """A page that needs the network or a missing file is blank on someone else's machine."""
    _, out, results = quick
    assert len(results["figures"]) == 11
    for name in results["figures"]:
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    page = (out / "report.html").read_text(encoding="utf-8")
    images = len(results["figures"]) + 1  # and the digit that is inferred about
    assert page.count("data:image/png;base64,") == images
    assert "<math" in page and "http://" not in page.replace("http://www.w3.org/1998/Math", "")
    assert "https://" not in page and 'class="latex"' not in page  # every formula was converted
    for name in ("hopfield", "predictive"):
        compile((out / f"{name}_program.py").read_text(encoding="utf-8"), name, "exec")
    assert not (out / "checkpoints").exists()


def test_formulas_and_code_are_printed(quick):
    """The first promise: an energy goes in, its dynamics and rules come out, readable."""
    said = quick[0].stdout
    for piece in (r"\dot{s}_{1} &=", r"\frac{\partial E}{\partial W_{1}} &=", r"\dot{z}_{1} &=",
                  "def force(", "def rule(", "· zero"):  # fmt: skip
        assert piece in said
    assert "epoch" in quick[0].stderr  # the progress bar


def test_a_failed_check_fails_the_run(tmp_path, monkeypatch, capsys):
    """If a false claim left the exit status at 0, no script would ever notice it."""
    bad = Check.at_most("a.b", "it holds", 2.0, 1.0)
    part = SimpleNamespace(checks=[bad], rows=[], phases=[], orders={}, summary=[])
    none = SimpleNamespace(**{**vars(part), "checks": []})
    good = SimpleNamespace(checks=[Check.holds("c", "so does this", True)])
    for module, name, value in (
        (demo_derive, "derive", lambda net, out: SimpleNamespace(checks=[])),
        (demo_gradients, "compare", lambda net, *_: part if net.name == "hopfield" else none),
        (demo_train, "train", lambda *a, **k: SimpleNamespace(rows=[], summary=[], **vars(good))),
        (demo_report, "figures", lambda *a: []),
        (demo_report, "page", lambda *a: None),
    ):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(demo, "PARTS", ())
    args = Namespace(out=str(tmp_path), data="digits", seeds=1, epochs=1, quick=False)
    assert demo.run(args) == 1
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [c["passed"] for c in results["checks"]] == [False, True]
    assert "FAILED a.b: it holds" in capsys.readouterr().out


def test_training_resumes_from_its_checkpoints(tmp_path, capsys):
    """A demo killed near its end would otherwise have to start from nothing."""
    data = un.data.load("digits", center=True)
    net = make_nets(sizes_of(data))[1]
    first = demo_train.train([net], data, tmp_path, 1, 1, quick=True)
    files = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    again = demo_train.train([net], data, tmp_path, 1, 1, quick=True)
    assert len(files) == 2
    for a, b in zip(first.rows, again.rows, strict=True):
        assert (a["test_error"], a["loss"]) == (b["test_error"], b["loss"])
        assert b["seconds"] < a["seconds"]
    longer = demo_train.train([net], data, tmp_path, 1, 2, quick=True)  # other settings, other file
    for a, b in zip(first.rows, longer.rows, strict=True):
        assert b["epochs"] == 2 and b["loss"] < a["loss"]
    demo_train.forget(tmp_path)
    assert not (tmp_path / "checkpoints").exists()
    capsys.readouterr()
