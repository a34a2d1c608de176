"""CSV lines to rows of cells, by the header: a row that fits no header is set aside with its bytes, and reading goes on.

Where every row is well formed the answer is that of Python's own `csv.DictReader`. The two differ on one point only: a
quote that is opened and never closed. DictReader lets it swallow the rows behind it; here it costs its own line.

Nearly every row is well formed and takes one line: those are read many at once. What is not is read by itself, with its
bytes at hand.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

from consumer.core.decode import MOST_EVENT_BYTES
from consumer.core.rejection import Reason, Rejection
from consumer.runtime.lines import Cut, FileError, Lines, LongLine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_ROW_BYTES = MOST_EVENT_BYTES
"""A row of several lines ends here, so that no stray quote can make the whole file one row."""


_AT_ONCE = 256
"""Rows that are read at once, at most: enough that the cost per turn vanishes, few enough to be little memory."""


class Rows(NamedTuple):
    """The cells of some rows, and the number of the first one's first line (the file's first line is 1). Each takes one
    line, but for one that comes alone."""

    line: int
    cells: list[list[str]]


class BadRow(NamedTuple):
    """What cannot be read as a row: its bytes and why. `size` > `len(raw)` when only the beginning was kept."""

    line: int
    raw: bytes
    size: int
    rejection: Rejection


def read_rows(path: Path, lines: Iterator[Lines]) -> Iterator[Rows | BadRow]:
    """The header, then every row with as many cells as the header; what fits neither comes as `BadRow`.

    Blank lines are skipped. Raises `FileError` when the header cannot be read: no row has a meaning without it.
    """
    sheet = _Sheet(lines)
    header = _header(path, sheet)
    if header is not None:
        (columns,) = header.cells
        sheet.repeated = _repeated(columns)
        yield header
        yield from _rows(sheet, len(columns))
    elif sheet.stop is not None:
        yield sheet.pass_stop(sheet.stop)


def _header(path: Path, sheet: _Sheet) -> Rows | None:
    """The first row that is not blank; None when the file ends, or breaks off, before it is whole."""
    try:
        for cells in csv.reader(sheet.texts(), strict=True):
            if sheet.not_utf8:
                break
            row = Rows(sheet.line, [cells])
            blank = not "".join(cells).strip()
            sheet.done()
            if not blank:
                return row
    except csv.Error as error:
        if isinstance(sheet.stop, Cut):
            return None
        raise FileError(f"{path}: its first line cannot be read as CSV column names ({error})") from error
    if sheet.not_utf8 or isinstance(sheet.stop, LongLine):
        raise FileError(
            f"{path}: its first line is no line of CSV column names in UTF-8: save it as UTF-8 CSV"
        )
    return None


def _repeated(columns: list[str]) -> list[list[int]]:
    """Where the names stand that stand more than once."""
    places: dict[str, list[int]] = {}
    for place, column in enumerate(columns):
        places.setdefault(column, []).append(place)
    return [several for several in places.values() if len(several) > 1]


def _rows(sheet: _Sheet, width: int) -> Iterator[Rows | BadRow]:
    while True:
        plain = sheet.plain_rows(width)
        if plain.cells:
            yield plain
        try:
            cells = next(csv.reader(sheet.texts(), strict=True), [])
        except csv.Error:
            cells = None  # the lines of the row are in sheet.raw, and are dealt with below
        if cells is not None and len(cells) in (0, width):
            if cells:
                yield sheet.row(cells)
            sheet.done()
        if sheet.raw and not (sheet.ended and isinstance(sheet.stop, Cut)):
            yield from _first_line(sheet, width)
        elif not sheet.ended:
            continue
        elif sheet.stop is not None:
            yield sheet.pass_stop(sheet.stop)
        else:
            return


def _first_line(sheet: _Sheet, width: int) -> Iterator[Rows | BadRow]:
    """The row that is being read has something wrong: its first line alone, which may do, and the others again."""
    if sheet.overflowing:
        yield sheet.bad(
            Rejection(Reason.TOO_BIG, f"the row has more than {MOST_ROW_BYTES} bytes", keyword="csv")
        )
        sheet.done()
        return
    sheet.read_again()
    cells = _cells(sheet.raw[0], width)
    if isinstance(cells, list):
        yield sheet.row(cells)
    elif sheet.raw[0].strip():
        yield sheet.bad(cells)
    sheet.done()


def _cells(line: bytes, width: int) -> list[str] | Rejection:
    """One line read as one row, as leniently as DictReader does, or what is wrong with it."""
    try:
        feed = iter((line.decode(), ""))
        cells = next(csv.reader(feed), [])
    except UnicodeDecodeError:
        return _NOT_UTF8
    except csv.Error:
        return Rejection(
            Reason.TOO_BIG, f"a cell has more than {csv.field_size_limit()} characters", keyword="csv"
        )
    if next(feed, None) is None:
        return Rejection(Reason.NOT_JSON, "the row opens a quote and never closes it", keyword="csv")
    if len(cells) == width:
        return cells
    return Rejection(
        Reason.NOT_JSON, f"the row has {len(cells)} cells, the header has {width}", keyword="csv"
    )


_NOT_UTF8 = Rejection(Reason.NOT_UTF8, "the row is not UTF-8", keyword="csv")
_TWO_VALUES = Rejection(
    Reason.NOT_JSON, "two columns have the same name, and in this row different values", keyword="csv"
)


class _Sheet:
    """Hands a file's lines to `csv.reader` and remembers the bytes of the row that it is reading."""

    def __init__(self, pieces: Iterator[Lines]) -> None:
        self._pieces = pieces
        self._lines: list[bytes] = []
        self._next = 0
        self._taken = 0
        self._size = 0
        self.raw: list[bytes] = []
        self.not_utf8 = False
        self.ended = False
        self.stop: LongLine | Cut | None = None
        self.repeated: list[list[int]] = []

    def plain_rows(self, width: int) -> Rows:
        """As many rows as follow in what was read of the file that are well formed, with as many cells as the header, and
        take one line each."""
        rows = Rows(self.line, [])
        if self.repeated or not self._has_lines():
            return rows
        lines = self._lines[self._next : self._next + _AT_ONCE]
        reader = csv.reader(map(bytes.decode, lines), strict=True)
        try:
            for number, cells in enumerate(reader, 1):
                if len(cells) != width or reader.line_num != number:
                    break
                rows.cells.append(cells)
        except (csv.Error, UnicodeDecodeError) as ignored:
            del ignored  # it is read again by itself
        self._next += len(rows.cells)
        self._taken += len(rows.cells)
        return rows

    def texts(self) -> Iterator[str]:
        """The lines as text. Ends (`ended`) with the file, before what is no whole line (`stop`), or when the row
        has too many bytes (`overflowing`)."""
        self.ended = False
        while self._has_lines():
            line = self._lines[self._next]
            self._next += 1
            yield self._take(line)
            if self._size > MOST_ROW_BYTES:
                break
        self.ended = True

    def _has_lines(self) -> bool:
        """Whether a line follows before `stop` and the file's end; reads on if need be."""
        while self._next == len(self._lines) and self.stop is None:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            if isinstance(piece, list):
                self._lines, self._next = piece, 0
            else:
                self.stop = piece
        return self._next < len(self._lines)

    def _take(self, line: bytes) -> str:
        self.raw.append(line)
        self._taken += 1
        self._size += len(line)
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.not_utf8 = True
            return line.decode(errors="surrogateescape")

    @property
    def line(self) -> int:
        """The number of the first line of the row being read."""
        return self._taken - len(self.raw) + 1

    @property
    def overflowing(self) -> bool:
        """Whether the row being read has more bytes than a row may have."""
        return self._size > MOST_ROW_BYTES

    def done(self) -> None:
        """The row being read is dealt with."""
        self.raw.clear()
        self._size = 0
        self.not_utf8 = False

    def row(self, cells: list[str]) -> Rows | BadRow:
        """The row being read, whose cells are as many as the header's.

        Columns of one name share what one of them holds; when two hold different values, nobody can say which counts.
        """
        if self.not_utf8:
            return self.bad(_NOT_UTF8)
        for places in self.repeated:
            values = {cells[place] for place in places} - {""}
            if len(values) > 1:
                return self.bad(_TWO_VALUES)
            for place in places:
                cells[place] = next(iter(values), "")
        return Rows(self.line, [cells])

    def bad(self, rejection: Rejection) -> BadRow:
        """All of the row being read as one that cannot be used."""
        raw = b"".join(self.raw)
        return BadRow(self.line, raw, len(raw), rejection)

    def read_again(self) -> None:
        """All lines of the row being read but its first are to be read once more, as rows of their own."""
        others = len(self.raw) - 1
        if self._next >= others:
            self._next -= others
        else:  # the row began in an earlier piece of the file
            self._lines, self._next = self.raw[1:] + self._lines[self._next :], 0
        self._taken -= len(self.raw) - 1
        del self.raw[1:]

    def pass_stop(self, stop: LongLine | Cut) -> BadRow:
        """`stop`, after what was read of its row, as a row that cannot be used; reading can go on behind it."""
        self.stop = None
        before = b"".join(self.raw)
        row = BadRow(self.line, before + stop.raw, len(before) + stop.size, stop.rejection)
        self._taken += 1
        self.done()
        return row
