"""A Markdown table whose source reads like a table, too: in a terminal, in a plain e-mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NARROWEST = 3
"""Columns; a delimiter row needs three dashes in some dialects."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    r"""The table's lines: columns padded, the first aligned to the left, the others to the right. Cells are Markdown
    already (`escape.markdown` for whatever is not ours).

    >>> print("\n".join(table(("metric", "value"), [("sessions", "4,070")])))
    | metric   | value |
    |:---------|------:|
    | sessions | 4,070 |
    """
    widths = [max(_NARROWEST, *map(len, column)) for column in zip(header, *rows, strict=True)]
    first, *rest = widths
    rule = f"|:{'-' * (first + 1)}|" + "".join(f"{'-' * (width + 1)}:|" for width in rest)
    lines = [_line(row, widths) for row in (header, *rows)]
    return [lines[0], rule, *lines[1:]]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
    return f"| {' | '.join(cells)} |"
