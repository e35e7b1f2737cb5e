"""One HTML page that holds everything: formulas, code, figures, tables, and what failed first."""

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from unified.base.errors import bad_input
from unified.base.files import atomic_write_text
from unified.report.markup import highlight, mathml, show, table
from unified.report.results import Check, failed_first
from unified.report.style import CSS

_SHORT_CONTENTS = 12  # more sections than this are listed in two columns
_PNG = b"\x89PNG\r\n\x1a\n"


class Report:
    """A page that grows from top to bottom; every method returns the report itself.

    >>> page = Report("Demo").section("Energy").formula(r"\\frac{1}{2} |s|^2", "at rest")
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._sections: list[str] = []
        self._body: list[str] = []
        self._checks: list[Check] = []

    def section(self, title: str) -> "Report":
        """Start a section; it gets an entry in the table of contents."""
        self._sections.append(title)
        return self._add(f'<h2 id="section-{len(self._sections)}">{escape(title)}</h2>')

    def part(self, title: str) -> "Report":
        """Start a part of a section; it is not in the table of contents."""
        return self._add(f"<h3>{escape(title)}</h3>")

    def items(self, items: Iterable[str]) -> "Report":
        """Add a list."""
        return self._add("<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>")

    def text(self, text: str) -> "Report":
        """Add paragraphs, separated by empty lines; `backquotes` mark code."""
        for paragraph in text.strip().split("\n\n"):
            pieces = escape(paragraph).split("`")
            if len(pieces) % 2:
                pieces[1::2] = [f"<code>{piece}</code>" for piece in pieces[1::2]]
                joined = "".join(pieces)
            else:
                joined = "`".join(pieces)
            self._add(f"<p>{joined}</p>")
        return self

    def formula(self, latex: str, caption: str = "") -> "Report":
        """Add a formula (LaTeX without dollar signs) as MathML."""
        body = f'<div class="scroll">{mathml(latex)}</div>'
        return self._add(f'<div class="formula">{_caption(caption)}{body}</div>')

    def code(self, source: str, caption: str = "") -> "Report":
        """Add Python source."""
        return self._add(f"{_caption(caption)}<pre>{highlight(source)}</pre>")

    def table(
        self,
        rows: Sequence[Mapping[str, Any]] | Sequence[Sequence[Any]],
        header: Sequence[str] | None = None,
        caption: str = "",
    ) -> "Report":
        """Add a table: rows are mappings (keys head the columns) or sequences with ``header``."""
        return self._add(table(rows, header, caption))

    def figure(self, png: str | os.PathLike[str] | bytes, caption: str) -> "Report":
        """Add a PNG, from a file or as bytes, inside the page; the caption also describes it.

        Raises:
            InputError: the file cannot be read or is no PNG.
        """
        if isinstance(png, bytes):
            data, name = png, "png"
        else:
            name = Path(png).name
            try:
                data = Path(png).read_bytes()
            except OSError as error:
                got = error.strerror or "an unreadable file"
                raise bad_input(name, "a readable PNG", got, "save the figure first") from error
        if not data.startswith(_PNG):
            raise bad_input(name, "a PNG", "another kind of file", "use save_png")
        source = "data:image/png;base64," + base64.b64encode(data).decode("ascii")
        alt = escape(caption)
        image = f'<img alt="{alt}" src="{source}">'
        return self._add(f"<figure>{image}<figcaption>{alt}</figcaption></figure>")

    def checks(self, checks: Iterable[Check]) -> "Report":
        """Add the table of checks, failed ones first.

        The verdict at the top of the page counts them, and repeats those that failed.
        """
        listed = failed_first(checks)
        self._checks += listed
        return self._add(_check_table(listed))

    def html(self) -> str:
        """The whole page as text."""
        kind = ' class="long"' if len(self._sections) > _SHORT_CONTENTS else ""
        links = "\n".join(  # without a space between them a line of links cannot be broken
            f'<a href="#section-{number}">{escape(title)}</a>'
            for number, title in enumerate(self._sections, start=1)
        )
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
            f"<h1>{escape(self.title)}</h1>\n{self._verdict()}\n<nav{kind}>{links}</nav>\n"
            + "\n".join(self._body)
            + "\n</body>\n</html>\n"
        )

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to ``path``, wholly or not at all."""
        return atomic_write_text(path, self.html())

    def _repr_html_(self) -> str:
        return "\n".join([f"<h1>{escape(self.title)}</h1>", self._verdict(), *self._body])

    def __repr__(self) -> str:
        return f"Report({self.title!r}: {len(self._sections)} sections, {len(self._checks)} checks)"

    def _add(self, piece: str) -> "Report":
        self._body.append(piece)
        return self

    def _verdict(self) -> str:
        if not self._checks:
            return ""
        failed = [check for check in self._checks if not check.passed]
        total = len(self._checks)
        if failed:
            verdict = f"{len(failed)} of {total} checks failed."
            return f'<p class="verdict bad">{verdict}</p>\n{_check_table(failed)}'
        return f'<p class="verdict good">All {total} checks passed.</p>'


def _caption(text: str) -> str:
    return f'<div class="caption">{escape(text)}</div>' if text else ""


def _check_table(checks: Sequence[Check]) -> str:
    number = ' class="number"'
    head = f"<th></th><th>claim</th><th>level</th><th{number}>value</th><th{number}>tolerance</th>"
    body = "".join(map(_check_row, checks))
    return (
        f'<div class="scroll"><table class="checks"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _check_row(check: Check) -> str:
    word = "passed" if check.passed else "failed"
    mark = ("✓ " if check.passed else "✗ ") + word
    return (
        f'<tr class="{word}"><td class="{word}">{mark}</td>'
        f"<td>{escape(check.claim)}<br><code>{escape(check.id)}</code></td>"
        f"<td>{escape(check.level)}</td>"
        f'<td class="number">{escape(show(check.value))}</td>'
        f'<td class="number">{escape(show(check.tolerance))}</td></tr>'
    )
