"""Tables for notebooks: rows of text as unstyled HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def html_table(rows: Sequence[Sequence[str]], align: str, caption: str = "") -> str:
    """A table whose first row is the header.

    align: `<` or `>` for each column
    caption: shown above the table
    """
    sides = ["right" if sign == ">" else "left" for sign in align]
    head, *body = [_row(row, sides, "th" if i == 0 else "td") for i, row in enumerate(rows)]
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead>{head}</thead><tbody>{''.join(body)}</tbody></table>"


def _row(row: Sequence[str], sides: Sequence[str], tag: str) -> str:
    cells = (
        f'<{tag} style="text-align:{side}">{escape(cell)}</{tag}>'
        for cell, side in zip(row, sides, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"
