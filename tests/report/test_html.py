"""Oracle: the page parsed again by the standard library's HTML parser."""

from html.parser import HTMLParser

import pytest

from unified.base.errors import InputError
from unified.report import Check, Report, new_axes, png_bytes, save_png
from unified.report.markup import highlight, mathml, show

VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links, self.words = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def read(page):
    reader = Reader()
    reader.feed(page.html())
    assert not reader.open
    return reader


def full_page():
    good = Check.at_most("good.id", "It agrees.", 1e-7, 1e-6)
    bad = Check.at_most("bad.id", "It does not.", float("nan"), 1e-6)
    page = Report("T <1>").section("One & only").text("a `b<c` d\n\ne").checks([good, bad])
    page.formula(r"\frac{\partial E}{\partial s}", "force").code("def f(x):\n    return 'é' # c\n")
    page.table([{"rule": "EP", "error": 0.5}, {"rule": "PC", "error": None}], caption="t")
    return page.figure(png_bytes(new_axes()), "nothing <yet>")


def test_page_is_well_formed_and_self_contained():
    """A page that needs the network is blank on the train, and dead in ten years."""
    reader = read(full_page())
    assert reader.links
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in reader.links)
    assert "script" not in reader.tags and "link" not in reader.tags
    assert "url(" not in full_page().html() and "@import" not in full_page().html()
    assert {"math", "mfrac", "table", "figure", "img", "pre"} <= set(reader.tags)


def test_text_is_escaped():
    """A claim with a < would swallow the rest of the page."""
    page = Report("<b>").section("<b>").text("<b>").code("<b>").table([["<b>"]], header=["<b>"])
    page.formula(r"\text{<b>hello</b>}").checks([Check.holds("<b>", "<b>", False)])
    assert "<b>" not in page.html()
    read(page)


def test_failures_come_first():
    """A failure at the bottom of a long page is not seen."""
    html = full_page().html()
    assert html.index("1 of 2 checks failed") < html.index("bad.id") < html.index("<nav>")
    assert html.index("<nav>") < html.rindex("bad.id") < html.index("good.id")
    passed = Report("T").checks([Check.holds("a", "c", True)]).html()
    assert "All 1 checks passed." in passed and "failed." not in passed


@pytest.mark.parametrize("latex", [r"\frac{", r"\left(x", "", r"\text{<script>a</script>}"])
def test_formula_that_cannot_be_converted_is_shown_as_text(latex):
    """One odd formula must neither end the run nor inject markup."""
    assert mathml(latex).startswith('<code class="latex">')
    assert "<script" not in mathml(latex)


SOURCES = ["x = '''a\nb''' + \"<\"\n", "def f(:\n  '", "", "# é\n\tif x:\n"]


@pytest.mark.parametrize("source", SOURCES)
def test_highlighting_changes_no_character(source):
    """The page must show the program that ran."""
    reader = Reader()
    reader.feed(highlight(source))
    reader.close()
    assert "".join(reader.words) == source


def test_cells():
    """Noise digits and raw NaNs make tables hard to read."""
    values = [0.123456, float("nan"), True, None, 3, -1e-7]
    assert [show(v) for v in values] == ["0.1235", "NaN", "yes", "–", "3", "−1e−07"]


def test_write_and_figures(tmp_path):
    """Text written in another encoding garbles every β."""
    save_png(new_axes(), tmp_path / "a.png")
    path = Report("β").figure(tmp_path / "a.png", "c").write(tmp_path / "r.html")
    assert "<title>β</title>" in path.read_text(encoding="utf-8")
    (tmp_path / "b.png").write_text("no picture")
    for name in ("b.png", "missing.png"):
        with pytest.raises(InputError, match=name):
            Report("β").figure(tmp_path / name, "c")
