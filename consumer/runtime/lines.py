"""A file's bytes, plain or gzip, as lines: streamed, so memory is bounded whatever the file holds.

Whole lines come in lists, one for each piece of the file that was read, with their line ends. Between the lists come
the two things that are not whole lines: one too long to be kept, and the rest of a file that breaks off.
"""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING, NamedTuple

from consumer.core.rejection import Reason, Rejection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _typeshed import WriteableBuffer

CHUNK_BYTES = 262_144
"""How much is read at once: enough that the cost per piece vanishes, little enough to stay in a CPU's cache."""

MOST_LINE_BYTES = 16_777_216
"""A longer line is not kept: 16 times what an event may have (`consumer.core.decode.MOST_EVENT_BYTES`)."""

KEPT_BYTES = 65_536
"""At most so much of the beginning of a line that is too long is kept, so that a person can see what it is."""

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class FileError(Exception):
    """A file that cannot be read at all. Its text is one sentence for the person who named the file."""


class LongLine(NamedTuple):
    """A line of more than `MOST_LINE_BYTES`: its beginning, and how many bytes it had in all."""

    raw: bytes
    size: int

    @property
    def rejection(self) -> Rejection:
        """Why it is no record."""
        return Rejection(
            Reason.TOO_BIG, f"the line has {self.size} bytes, at most {MOST_LINE_BYTES} are read"
        )


class Cut(NamedTuple):
    """The end of a file that breaks off: what followed the last whole line, and why nothing more could be read."""

    raw: bytes
    why: str

    @property
    def size(self) -> int:
        """How many bytes it has: all of them are in `raw`."""
        return len(self.raw)

    @property
    def rejection(self) -> Rejection:
        """Why it is no record."""
        return Rejection(Reason.CUT_SHORT, f"the file breaks off: {self.why}")


Lines = list[bytes] | LongLine | Cut


def read_lines(path: Path, *, only_lf: bool, on_bytes: Callable[[int], object]) -> Iterator[Lines]:
    r"""The file's lines. A byte order mark at its start belongs to the file, not to its first line.

    A line ends with `\n` or, unless `only_lf`, with `\r\n` or `\r` as well (Python's universal newlines).
    `on_bytes` is told how many bytes of the file (compressed, if it is gzip) each reading took.
    Raises `FileError` when the file cannot be opened, or the disk fails on the way.
    """
    try:
        with path.open("rb", buffering=0) as file, io.BufferedReader(_Counted(file, on_bytes)) as source:
            yield from _without_mark(_split(_pieces(path, source), only_lf=only_lf))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


class _Counted(io.RawIOBase):
    """A file that tells how much was read from it."""

    def __init__(self, file: io.FileIO, on_bytes: Callable[[int], object]) -> None:
        self._file = file
        self._on_bytes = on_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        size = self._file.readinto(buffer)
        self._on_bytes(size or 0)
        return size


def _pieces(path: Path, source: io.BufferedReader[_Counted]) -> Iterator[bytes | Cut]:
    """What the file holds, unpacked, a piece at a time; `Cut` with an empty rest when gzip data break off."""
    unpacked: io.BufferedReader[_Counted] | gzip.GzipFile = source
    if path.suffix.lower() == ".gz":
        if not _GZIP_MAGIC.startswith(source.peek(2)[:2]):
            raise FileError(f"{path} is named .gz but is not gzip: rename it or compress it")
        unpacked = gzip.GzipFile(fileobj=source)
    try:
        while piece := unpacked.read1(CHUNK_BYTES):
            yield piece
    except EOFError:
        yield Cut(b"", "its gzip data end too early")
    except (zlib.error, gzip.BadGzipFile):
        yield Cut(b"", "its gzip data are damaged")


def _split(pieces: Iterator[bytes | Cut], *, only_lf: bool) -> Iterator[Lines]:
    rest = _Rest()
    for piece in pieces:
        if isinstance(piece, Cut):
            end = rest.close()
            if isinstance(end, LongLine):
                yield end
                end = [b""]
            yield Cut(end[0], piece.why)
            return
        if not only_lf and rest.last == b"\r" and not piece.startswith(b"\n"):
            yield rest.close()
        lines = io.BytesIO(piece).readlines() if only_lf else piece.splitlines(keepends=True)
        unfinished = b"" if lines[-1].endswith(b"\n") else lines.pop()
        if rest.last and lines:
            rest.add(lines.pop(0))
            yield rest.close()
        if lines:
            yield lines
        rest.add(unfinished)
    if rest.last:
        yield rest.close()


class _Rest:
    """The line of which only the beginning has been read: never more of it than the longest line allowed."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self.last = b""
        """Its last byte so far; empty when nothing is waiting."""

    def add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= MOST_LINE_BYTES:
            self._parts.append(part)
        else:
            del self._parts[1:]
        self.last = part[-1:] or self.last

    def close(self) -> list[bytes] | LongLine:
        """The whole line; nothing is waiting afterwards."""
        whole, size = b"".join(self._parts), self._size
        self._parts, self._size, self.last = [], 0, b""
        return [whole] if size <= MOST_LINE_BYTES else LongLine(whole[:KEPT_BYTES], size)


def _without_mark(batches: Iterator[Lines]) -> Iterator[Lines]:
    for first in batches:
        match first:
            case LongLine(raw) | Cut(raw):
                yield first._replace(raw=raw.removeprefix(_BYTE_ORDER_MARK))
            case [line, *others]:
                yield [line.removeprefix(_BYTE_ORDER_MARK), *others]
            case _:
                continue
        break
    yield from batches
