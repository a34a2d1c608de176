"""Dead letters of files as a file: one JSON object a line, with the record's bytes as they were."""

from __future__ import annotations

import base64
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.core.dead_letters import read_letter
from consumer.core.record import StoredRecord
from consumer.core.requeue import COUNTED
from consumer.runtime.lines import FileError, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from consumer.core.dead_letters import Letter
    from consumer.core.record import Output

NAME = "dead_letters.ndjson"


def line_of(letter: Output) -> bytes:
    """A dead letter as a line: where it came from, why, and its value (as text if it is UTF-8, else in base64)."""
    headers = {name: value for name, value in letter.headers or [] if value is not None}
    line: dict[str, Any] = {
        "file": _text(headers.get("__connect.errors.topic")),
        "line": int(headers.get("__connect.errors.offset", b"0")),
        "reason": _text(headers.get("sluice.reason")),
        "errors": msgspec.json.decode(headers.get("errors", b"[]")),
        "counted": msgspec.Raw(headers.get(COUNTED, b"null")),
    }
    value = letter.value or b""
    try:
        line["value"] = value.decode()
    except UnicodeDecodeError:
        line["value_base64"] = base64.b64encode(value).decode()
    return msgspec.json.encode(line) + b"\n"


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


@contextmanager
def dead_letter_file(folder: Path) -> Iterator[Callable[[Output], None]]:
    """Writes `dead_letters.ndjson`, put in place whole when the block ends well; else nothing of it stays. Raises
    OSError."""
    partial = folder / f".{NAME}.partial"
    partial.unlink(missing_ok=True)  # one that somebody laid there has his mode, or leads elsewhere
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)  # whole events
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield lambda letter: _write(file, letter)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / NAME)
    finally:
        partial.unlink(missing_ok=True)


class _Line(msgspec.Struct):
    file: str
    line: int
    reason: str
    errors: msgspec.Raw
    counted: msgspec.Raw = msgspec.Raw(b"null")  # older files have none
    value: str = ""
    value_base64: str = ""


_lines = msgspec.json.Decoder(_Line)


def read_dead_letters(path: Path) -> Iterator[tuple[str, Letter]]:
    """The dead letters of such a file, each with the number of its line. Raises FileError."""
    if not path.is_file():
        raise FileError(f"there is no file {path}")
    number = 0
    for batch in read_lines(path, only_lf=True, on_bytes=lambda _: None):
        for line in batch if isinstance(batch, list) else [batch.raw]:
            number += 1
            letter = read_letter(_record(path, number, line))
            if letter is not None:
                yield str(number), letter


def _record(path: Path, number: int, line: bytes) -> StoredRecord:
    try:
        read = _lines.decode(line)
        value = (
            base64.b64decode(read.value_base64, validate=True) if read.value_base64 else read.value.encode()
        )
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise FileError(
            f"{path}, line {number} is no dead letter as `sluice backfill` writes them"
        ) from error
    return StoredRecord(
        value,
        headers=[
            ("__connect.errors.topic", read.file.encode()),
            ("__connect.errors.partition", b"0"),
            ("__connect.errors.offset", b"%d" % max(read.line, 0)),
            ("sluice.reason", read.reason.encode()),
            ("errors", bytes(read.errors)),
            (COUNTED, bytes(read.counted)),
        ],
    )


def _write(file: Any, letter: Output) -> None:
    file.write(line_of(letter))
