"""Blocks on paper: terminal text, Markdown, LaTeX, and the HTML page."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from unified.report.derivation import Block
from unified.report.html import Report
from unified.report.plain import plain

_WIDTH = 96
_ESCAPES = {c: "\\" + c for c in "#$%&_{}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
_PREAMBLE = r"""% Compile with lualatex or xelatex: the words carry Unicode mathematics.
\documentclass{article}
\usepackage{amsmath,amssymb,fontspec,unicode-math,fullpage,fancyvrb}
\setmainfont{DejaVu Serif}\setmonofont{DejaVu Sans Mono}
\begin{document}
"""


def to_text(blocks: Iterable[Block]) -> str:
    """For a terminal: formulas as Unicode, words wrapped."""
    out: list[str] = []
    for b in blocks:
        if b.kind == "heading":
            title = f"{b.caption}  {b.body}"
            out += [title, "═" * len(title)]
        elif b.kind == "part":
            out += ["", b.body, "─" * len(b.body)]
        elif b.kind == "text":
            out += [*(_wrap(p) for p in b.body.split("\n\n")), ""]
        elif b.kind == "items":
            out += [_wrap(line, "• ", "  ") for line in b.body.splitlines()]
        elif b.kind == "code":
            out += [_wrap(b.caption), textwrap.indent(b.body, "    "), ""]
        else:
            out += [_wrap(b.caption)] if b.caption else []
            lines = (_wrap(line, "", "    ") for line in plain(b.body).splitlines())
            out.append(textwrap.indent("\n".join(lines), "    "))
    return "\n".join(out).strip() + "\n"


def _wrap(text: str, first: str = "", rest: str = "") -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=rest,
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def to_markdown(blocks: Iterable[Block]) -> str:
    """For a notebook or a repository page: formulas between double dollars."""
    out: list[str] = []
    for b in blocks:
        if b.kind == "heading":
            out.append(f"# {b.caption} · {b.body}")
        elif b.kind == "part":
            out.append(f"## {b.body}")
        elif b.kind == "text":
            out.append(b.body)
        elif b.kind == "items":
            out.append("\n".join(f"- {line}" for line in b.body.splitlines()))
        elif b.kind == "code":
            out += [f"{b.caption}:", f"```python\n{b.body}\n```"]
        else:
            caption = b.caption.replace(". ", "\\. ", 1) if b.caption[:1].isdigit() else b.caption
            out += [caption] if caption else []
            out.append(f"$$\n{b.body}\n$$")
    return "\n\n".join(out) + "\n"


def to_latex(blocks: Iterable[Block]) -> str:
    """A LaTeX document on its own."""
    out: list[str] = []
    for b in blocks:
        if b.kind == "heading":
            out.append(rf"\section*{{{escape(b.caption)}\quad {escape(b.body)}}}")
        elif b.kind == "part":
            out.append(rf"\subsection*{{{escape(b.body)}}}")
        elif b.kind == "text":
            out.append(escape(b.body))
        elif b.kind == "items":
            lines = "\n".join(rf"\item {escape(line)}" for line in b.body.splitlines())
            out.append(f"\\begin{{itemize}}\n{lines}\n\\end{{itemize}}")
        elif b.kind == "code":
            out.append(f"{escape(b.caption)}:\n\\begin{{Verbatim}}[fontsize=\\footnotesize]\n"
                       f"{b.body}\n\\end{{Verbatim}}")  # fmt: skip
        else:
            out.append((f"{escape(b.caption)}\n" if b.caption else "") + f"\\[\n{b.body}\n\\]")
    return _PREAMBLE + "\n\n".join(out) + "\n\\end{document}\n"


def escape(text: str) -> str:
    """Words with the characters that LaTeX would read as commands made plain."""
    return "".join(_ESCAPES.get(c, c) for c in text)


def to_page(blocks: Iterable[Block], page: Report) -> Report:
    """Add the blocks to a page."""
    for b in blocks:
        if b.kind == "heading":
            page.section(f"{b.caption} · {b.body}")
        elif b.kind == "part":
            page.part(b.body)
        elif b.kind == "text":
            page.text(b.body)
        elif b.kind == "items":
            page.items(b.body.splitlines())
        elif b.kind == "code":
            page.code(b.body, b.caption)
        else:
            page.formula(b.body, b.caption)
    return page
