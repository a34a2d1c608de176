"""CSV and NDJSON files, plain or gzip, as records: what `backfill`, `backtest` and `produce` read.

A CSV row becomes one JSON object: the header's names are its keys in their order, an empty cell is `null`, and a column
that the file does not have is a key that the object does not have. A line of NDJSON is a record, its bytes untouched.
A record's origin is its file's name and the number of its (first) line: topic, partition 0 and offset.

Everything is streamed; `consumer.runtime.lines` and `consumer.runtime.csv_rows` have the bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from consumer.core.contract import Role
from consumer.core.decode import decode
from consumer.core.events import UNDECODABLE
from consumer.core.record import StoredRecord
from consumer.core.rejection import TRUNCATED
from consumer.runtime.csv_rows import BadRow, read_rows
from consumer.runtime.lines import FileError, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from consumer.core.contract import Contract
    from consumer.core.record import Headers
    from consumer.core.rejection import Rejection
    from consumer.runtime.lines import Cut, Lines, LongLine

__all__ = ["FileError", "FileItem", "Unreadable", "check_files", "key_of", "read_records"]


class Unreadable(NamedTuple):
    """A piece of a file that is no record, and why: its bytes unchanged, as the value of `record`.

    Where only the beginning could be kept, `record` has the header `TRUNCATED`, whose value is the size of the whole.
    """

    record: StoredRecord
    rejection: Rejection


FileItem = StoredRecord | Unreadable

_CSV = (".csv",)
_MOST_NAMED = 4
"""Fields that an error names."""
_NDJSON = (".ndjson", ".jsonl", ".json")


def read_records(
    paths: Sequence[Path],
    identity_names: Sequence[str] = (),
    on_bytes: Callable[[int], object] = lambda _: None,
    fields: Sequence[str] = (),
) -> Iterator[FileItem]:
    """The records of the files, one file after the other, each in its own order.

    Records get the client's id as key (`key_of`) when `identity_names` are given, else none. `on_bytes` is told of
    every reading how many bytes of the files, as they lie on the disk, it took. `fields` are names that events may have
    (empty: any): a CSV file without one of them is no file of events.
    Raises `FileError`, before the first record, when a file is not there or its name has no known ending; and while
    reading, when a file has no readable header, one that names none of the `fields`, or the disk fails.
    """
    return _read(check_files(paths), tuple(identity_names), on_bytes, fields)


def check_files(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """The files with the endings of their names (without `.gz`) that tell their formats.

    Raises `FileError` when a file is not there or its name has no known ending.
    """
    return [(path, _ending(path)) for path in paths]


def names_of_fields(contract: Contract) -> list[str]:
    """The names that an event's fields may have, those first without which it counts for nothing."""
    needed = (Role.TIMESTAMP, Role.EVENT_NAME, Role.IDENTITY)
    ordered = sorted(contract.fields, key=lambda field: field.role not in needed)
    return [name for field in ordered for name in (field.name, *field.aliases)]


def key_of(value: bytes, identity_names: Sequence[str]) -> bytes | None:
    """The key of an event: the first of its identities that is a text and not blank; None when there is none.

    >>> key_of(b'{"client_id": " ", "clientId": "7-a"}', ["client_id", "clientId"])
    b'7-a'
    """
    event = decode(value)
    return _key(event, identity_names) if isinstance(event, dict) else None


def _key(event: Mapping[str, object], identity_names: Sequence[str]) -> bytes | None:
    for name in identity_names:
        client = event.get(name)
        if isinstance(client, str) and client.strip():
            return client.encode()
    return None


def _ending(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    ending = next((known for known in (*_CSV, *_NDJSON) if name.endswith(known)), None)
    if ending is None:
        known = ", ".join((*_CSV, *_NDJSON))
        raise FileError(
            f"{path} is neither CSV nor NDJSON by its name: it must end in {known} (or that and .gz)"
        )
    if path.is_dir():
        raise FileError(f"{path} is a folder: name the files in it")
    if not path.exists():
        raise FileError(f"there is no file {path}")
    return ending


def _read(
    files: list[tuple[Path, str]],
    identity_names: tuple[str, ...],
    on_bytes: Callable[[int], object],
    fields: Sequence[str],
) -> Iterator[FileItem]:
    for path, ending in files:
        lines = read_lines(path, only_lf=ending in _NDJSON, on_bytes=on_bytes)
        if ending in _CSV:
            yield from _csv(path, lines, identity_names, fields)
        else:
            yield from _ndjson(path.name, lines, identity_names)


def _ndjson(name: str, batches: Iterator[Lines], identity_names: tuple[str, ...]) -> Iterator[FileItem]:
    number = 0
    for batch in batches:
        if not isinstance(batch, list):
            number += 1
            yield _unreadable(name, number, batch)
            continue
        for line in batch:
            number += 1
            value = line.rstrip(b"\r\n")
            if value and not value.isspace():
                key = key_of(value, identity_names) if identity_names else None
                yield StoredRecord(value, key, topic=name, offset=number)


def _csv(
    path: Path, lines: Iterator[Lines], identity_names: tuple[str, ...], fields: Sequence[str]
) -> Iterator[FileItem]:
    columns: list[str] = []
    encode = _encoder(columns)
    name = path.name
    for rows in read_rows(path, lines):
        if isinstance(rows, BadRow):
            yield _unreadable(name, rows.line, rows)
        elif not columns:
            (columns,) = rows.cells
            encode = _encoder(columns)
            if fields and not set(fields) & set(columns):
                raise FileError(_no_events(path, fields))
        else:
            for line, cells in enumerate(rows.cells, rows.line):
                values = [cell or None for cell in cells]
                key = (
                    _key(dict(zip(columns, values, strict=True)), identity_names) if identity_names else None
                )
                yield StoredRecord(encode(values), key, topic=name, offset=line)


def _encoder(columns: list[str]) -> Callable[[list[str | None]], bytes]:
    """Makes rows' cells JSON objects. A struct takes half as long to be written as a dict, but not every name."""
    encode = msgspec.json.Encoder().encode
    if len(set(columns)) < len(columns) or any(map(UNDECODABLE.search, columns)):
        return lambda cells: encode(dict(zip(columns, cells, strict=True)))
    places = {f"cell_{place}": column for place, column in enumerate(columns)}
    kind = msgspec.defstruct("Cells", [(place, str | None) for place in places], rename=places, gc=False)
    return lambda cells: encode(kind(*cells))


def _no_events(path: Path, fields: Sequence[str]) -> str:
    named = ", ".join(fields[:_MOST_NAMED]) + (", …" if len(fields) > _MOST_NAMED else "")
    return (
        f"{path}: its first line has none of the contract's fields ({named}): it must name the columns, with commas "
        "between them"
    )


def _unreadable(name: str, line: int, piece: BadRow | LongLine | Cut) -> Unreadable:
    headers: Headers | None = [(TRUNCATED, b"%d" % piece.size)] if piece.size > len(piece.raw) else None
    return Unreadable(StoredRecord(piece.raw, topic=name, offset=line, headers=headers), piece.rejection)
