"""Pieces of HTML: formulas, source code, tables. Every text that comes in is escaped."""

import io
import keyword
import math
import token
import tokenize
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from xml.etree import ElementTree

import latex2mathml.converter

_CLASSES = {tokenize.COMMENT: "c", token.STRING: "s"}


def mathml(latex: str) -> str:
    """``latex`` as block MathML; as escaped LaTeX where it cannot be converted.

    The converter's output is accepted only if it is well-formed and holds nothing but MathML.
    """
    try:
        text = latex2mathml.converter.convert(latex, display="block")
        # Norm bars are lone operators to the converter: browsers would stretch each on its own.
        text = text.replace("<mo>&#x02016;</mo>", '<mo stretchy="false">&#x02016;</mo>')
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}
        if all(tag.startswith("m") and tag.isalpha() for tag in tags):
            return text
    except Exception:
        pass  # a formula the converter does not know is shown as it was written
    return f'<code class="latex">{escape(latex)}</code>'


def highlight(source: str) -> str:
    """Python source as escaped HTML with keywords, strings, comments and definitions marked."""
    lines = source.splitlines(keepends=True)
    pieces: list[str] = []
    row, column, after_def = 1, 0, False
    try:
        for item in tokenize.generate_tokens(io.StringIO(source).readline):
            pieces.append(escape(_between(lines, (row, column), item.start)))
            mark = _CLASSES.get(item.type)
            if item.type == token.NAME:
                mark = "k" if keyword.iskeyword(item.string) else "d" if after_def else None
                after_def = item.string in ("def", "class")
            body = escape(_between(lines, item.start, item.end))
            pieces.append(f'<span class="{mark}">{body}</span>' if mark else body)
            row, column = item.end
    except (tokenize.TokenError, SyntaxError):
        return escape(source)
    return "".join(pieces)


def table(
    rows: Sequence[Mapping[str, Any]] | Sequence[Sequence[Any]],
    header: Sequence[str] | None = None,
    caption: str = "",
) -> str:
    """Rows (mappings, or sequences with ``header``) as a table; numbers are aligned right."""
    if header is None:
        keys = (key for row in rows if isinstance(row, Mapping) for key in row)
        header = list(dict.fromkeys(keys))
    cells = [[row.get(k) for k in header] if isinstance(row, Mapping) else row for row in rows]
    numeric = [
        any(_is_number(row[j]) for row in cells)
        and all(_is_number(row[j]) or row[j] is None for row in cells)
        for j in range(len(header))
    ]
    kinds = [' class="number"' if flag else "" for flag in numeric]
    parts = ['<div class="scroll"><table>']
    if caption:
        parts.append(f"<caption>{escape(caption)}</caption>")
    if header:
        head = "".join(f"<th{k}>{escape(str(h))}</th>" for h, k in zip(header, kinds, strict=True))
        parts.append(f"<thead><tr>{head}</tr></thead>")
    parts.append("<tbody>")
    for row in cells:
        body = "".join(
            f"<td{kinds[j] if j < len(kinds) else ''}>{escape(show(v))}</td>"
            for j, v in enumerate(row)
        )
        parts.append(f"<tr>{body}</tr>")
    parts.append("</tbody></table></div>")
    return "".join(parts)


def show(value: Any) -> str:
    """A cell: floats to four significant digits, true and false as yes and no, None as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "item") and getattr(value, "size", 0) == 1:
        return show(value.item())
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "NaN")
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    dtype_kind = getattr(getattr(value, "dtype", None), "kind", "")
    return isinstance(value, int | float) or dtype_kind in ("i", "u", "f")


def _between(lines: Sequence[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    (row, column), (last, stop) = start, end
    if row > len(lines):
        return ""
    if row == last:
        return lines[row - 1][column:stop]
    middle = lines[row : last - 1]
    final = lines[last - 1][:stop] if last <= len(lines) else ""
    return lines[row - 1][column:] + "".join(middle) + final
