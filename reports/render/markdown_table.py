"""A Markdown table whose source reads like a table, too: in a terminal, in a plain e-mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NARROWEST = 3
"""Columns; a delimiter row needs three dashes in some dialects."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> list[str]:
    r"""The table's lines, columns padded: the first `words` columns aligned to the left, numbers to the right. Cells
    are Markdown already (`escape.markdown` for whatever is not ours).

    >>> print("\n".join(table(("metric", "value"), [("sessions", "4,070")])))
    | metric   | value |
    |:---------|------:|
    | sessions | 4,070 |
    """
    widths = [max(_NARROWEST, *map(len, column)) for column in zip(header, *rows, strict=True)]
    dashes = ["-" * (width + 1) for width in widths]
    rule = [f":{dash}" if at < words else f"{dash}:" for at, dash in enumerate(dashes)]
    lines = [_line(row, widths, words) for row in (header, *rows)]
    return [lines[0], f"|{'|'.join(rule)}|", *lines[1:]]


def _line(row: Sequence[str], widths: Sequence[int], words: int) -> str:
    cells = [
        cell.ljust(width) if at < words else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return f"| {' | '.join(cells)} |"
