"""Oracle: what the two commands promise on paper; the negative controls are broken claims."""

import json
from html.parser import HTMLParser

import pytest

import unified as un
from unified.base.errors import InputError
from unified.cli import main
from unified.commands import claims
from unified.report.abbreviate import SHORT, abbreviate
from unified.report.energy_sheet import energy_makers, functions
from unified.report.plain import plain
from unified.report.writers import escape
from unified.symbolic.nodes import written_size
from unified.symbolic.transform import substitute

n, m = un.axes("n m")
s, A, x = un.var("s", n), un.var("A", n, n), un.var("x", m)
GOOD = un.Claim(
    "T1", "a form sees the symmetric part", [un.Step(s @ A @ s, s @ A.T @ s, "transpose")],
    statement=r"s^\top A s = s^\top A^\top s", breaks_when=["<b>never</b>"],
    refute=[un.Step(A, A.T, "A symmetric")],
)  # fmt: skip
WRONG = un.Claim("T2", "every matrix is symmetric", [un.Step(A, A.T, "wrong")])
WEAK = un.Claim("T3", "refutes the truth", [un.Step(s, s, "id")], refute=[un.Step(A, A, "id")])
BROKEN = un.Claim("T4", "axes that do not meet", [un.Step(s, x, "shapes")])


@pytest.fixture
def only(monkeypatch):
    """Let discovery find just these claims, so that the commands can be seen to fail."""

    def use(*chosen):
        found = [claims.Entry(c, "t", "In words.\n\nTwo\nlines.") for c in chosen]
        monkeypatch.setattr(claims, "discover", lambda: found)

    return use


def test_json_schema(tmp_path, capsys):
    """Machines read this file; a missing key or a blurred level would be believed."""
    out = tmp_path / "v.json"
    assert main(["verify", "--only", "C3*", "--json", str(out)]) == 0
    records = json.loads(out.read_text(encoding="utf-8"))
    assert len(records) >= 4 and all(r["id"].startswith("C3") for r in records)
    for r in records:
        keys = {"id", "title", "verdict", "level", "dims", "error_bound", "seconds"}
        assert set(r) == keys and r["verdict"] == "true" and r["seconds"] >= 0
        assert r["level"] in ("proved", "exact", "numeric")
        assert (r["error_bound"] is None) == (r["level"] != "exact")
        assert all(len(set(d.values())) == len(d) for d in r["dims"])
    shown = capsys.readouterr().out
    assert "C3-zero" in shown and f"All {len(records)} claims hold" in shown


@pytest.mark.parametrize(
    ("claim", "words"),
    [(WRONG, "counterexample at n ="), (WEAK, "must be refuted, but true"), (BROKEN, "same axes")],
)
def test_a_broken_claim_fails(only, tmp_path, capsys, claim, words):
    """An exit status of 0 here would let a false theorem through every build."""
    only(GOOD, claim)
    out = tmp_path / "v.json"
    assert main(["verify", "--json", str(out)]) == 1
    verdicts = [r["verdict"] for r in json.loads(out.read_text(encoding="utf-8"))]
    assert verdicts[0] == "true" and verdicts[1] != "true"
    shown = capsys.readouterr()
    assert words in shown.out and claim.id in shown.err and shown.err.count("\n") == 1
    assert main(["derive", "--book", str(tmp_path / "b.html")]) == 1
    assert "1 of 2 checks failed" in (tmp_path / "b.html").read_text(encoding="utf-8")


def test_discovery_and_selection():
    """A claim that is not found is a claim that is not checked."""
    found = claims.discover()
    ids = [e.claim.id for e in found]
    assert len(set(ids)) == len(ids) >= 17
    assert {"C1", "C2", "C3", "C4-depth2", "D1", "D2", "D4"} <= set(ids)
    chosen = [e.claim.id for e in claims.select(found, "d")]
    assert chosen == [i for i in ids if i.startswith("D")]
    assert [e.claim.id for e in claims.select(found, "*-small-error")] == ["C4-small-error"]
    with pytest.raises(InputError, match="beginning of a claim's id"):
        claims.select(found, "Z")
    with pytest.raises(InputError, match="beginning of a claim's id"):
        claims.select(found, "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["verify", "--only", "Q9"], "Q9"),
        (["verify", "--json", "{tmp}/file/v.json"], "--json"),
        (["derive", "C33"], "did you mean C1"),
        (["derive"], "got nothing"),
        (["derive", "D1", "--latex", "--html"], "not allowed"),
        (["derive", "--book", "{tmp}/file/b.html"], "--book"),
        (["derive", "D1", "--out", "{tmp}/file/b.html"], "--out"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, capsys, words, expected):
    """A traceback, or work done before the complaint, wastes the user's time."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(SystemExit) if "--latex" in words else _nothing() as stopped:
        status = main([w.replace("{tmp}", str(tmp_path)) for w in words])
    assert (stopped.value.code if "--latex" in words else status) == 2
    shown = capsys.readouterr()
    assert expected in shown.err and shown.err.count("\n") == 1 and not shown.out


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class _Links(HTMLParser):
    """Collects what a page would load, and its anchors."""

    def __init__(self):
        super().__init__()
        self.loaded, self.anchors, self.ids = [], [], set()

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.ids.add(named.get("id"))
        self.loaded += [named[k] for k in ("src", "srcset", "data", "action") if k in named]
        if tag in ("script", "iframe", "link", "object"):
            self.loaded.append(tag)
        if tag == "a":
            self.anchors.append(named["href"])


def test_the_book_is_self_contained(only, tmp_path):
    """Formulas that need a network are gone on the train, and from an archive in ten years."""
    only(GOOD, *(e.claim for e in claims.discover() if e.claim.id in ("C2", "B4", "D1")))
    assert main(["derive", "--book", str(tmp_path / "b.html")]) == 0
    page = (tmp_path / "b.html").read_text(encoding="utf-8")
    read = _Links()
    read.feed(page)
    assert read.loaded == [] and "url(" not in page and "@import" not in page
    assert all(a[0] == "#" and a[1:] in read.ids for a in read.anchors)
    assert len(read.anchors) == 1 + 4 + len(energy_makers())  # verdicts, claims, energies
    assert "<b>never</b>" not in page and "&lt;b&gt;never" in page
    assert 'class="latex"' not in page  # every formula became MathML
    for words in ("Wrong versions, refuted", "Breaks when", "counterexample at", "canonical form"):
        assert words in page
    assert page.count('<span class="d">force</span>') == len(energy_makers())
    assert len(page) < 3_000_000


@pytest.mark.parametrize("name", ["T1", "hopfield", "linear_gaussian", "predictive", "recurrent"])
def test_every_style(only, tmp_path, capsys, name):
    """A style that drops the formula or the verdict is no derivation."""
    only(GOOD)
    for style, sign in ((None, "ᵀ"), ("latex", r"\top"), ("markdown", r"\top"), ("html", "math")):
        assert main(["derive", name, *([f"--{style}"] if style else [])]) == 0
        shown = capsys.readouterr().out
        assert sign in shown and ("proved" in shown if name == "T1" else "def force(" in shown
                                  or "force</span>" in shown)  # fmt: skip
    assert main(["derive", name, "--latex", "--out", str(tmp_path / "d.tex")]) == 0
    text = (tmp_path / "d.tex").read_text(encoding="utf-8")
    assert text.count(r"\[") == text.count(r"\]") > 0 and r"\end{document}" in text


def test_the_list_names_everything(capsys):
    """A name that is not listed cannot be found."""
    assert main(["derive", "--list"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n{name} " in f"\n{shown}" for name in ("C1", "D4", *energy_makers()))


def test_long_expressions_are_named_not_written_out():
    """An unrolled recursion is a small graph and megabytes of formula: the book would hang."""
    step = un.tanh(A @ s)
    for _ in range(30):
        step = un.tanh(A @ step) * step + step
    (short,), names = abbreviate(step)
    sizes = written_size(step), written_size(short), len(names)  # not in the assert: its message
    assert sizes[0] > 10**9 and sizes[1] < 5 * SHORT and sizes[2] > 20  # would write step out
    back = short
    for name, meaning in reversed(names):
        back = substitute(back, {name: meaning})
    same = un.prove(back, step, limit=0, draws=1, dims=[{"n": 2}]).verdict
    assert same == "true"
    assert abbreviate(s @ A @ s) == ([s @ A @ s], [])


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\tfrac{1}{2} s_{1}^\top A^{-1} s", "½ s₁ᵀ A⁻¹ s"),
        (r"\frac{\partial E}{\partial W} = -\log\det \left(I + \beta B\right)",
         "∂E/∂W = − log det (I + β B)"),
        (r"\begin{split}a &= b \\ c &= \dot{s}_{\beta}\end{split}", "a = b\nc = ṡ_β"),
        (r"\unknown{x} \frac{a + b}{2}", r"\unknownx (a + b)/2"),
    ],
)  # fmt: skip
def test_formulas_as_text(latex, expected):
    """A terminal shows no LaTeX; a lost minus or transpose there misleads as much as in print."""
    assert plain(latex) == expected.replace("ṡ", "s\u0307")


def test_pieces():
    """Generated code is shown function by function; words must not become commands of TeX."""
    found = functions("def a(x):\n    return x\n\n\ndef b(y):\n    '''\n\n    '''\n    return y\n")
    assert list(found) == ["a", "b"] and found["b"].endswith("return y")
    assert escape("a_b & 50% {x} \\y ^") == (
        r"a\_b \& 50\% \{x\} \textbackslash{}y \textasciicircum{}"
    )
