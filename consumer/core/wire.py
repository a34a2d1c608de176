"""Versioned bytes: journal entries (msgpack), and facts, days and alerts (JSON). Yesterday's bytes must read today.

A journal entry is what one batch changed in one task. Entries of a partition form a chain: `sequence` without a hole,
each batch beginning at the input offset where the one before it ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from consumer.core.facts import Command, Facts, GateReport
from consumer.core.state import Delta, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_RECORD_BYTES = 900_000
"""Records of ours stay below this, so that they fit Kafka's default limit (1,048,588) with room for headers."""


TaskName = Literal["gate", "watch", "keyer", "keyed gate"]
"""Whose a journal is. A gate that reads the keyed topic is another one than one that reads the input."""


class WireError(ValueError):
    """Bytes that are not what they should be: a corrupt or truncated journal, or one of a newer version."""


class JournalEntry(msgspec.Struct, omit_defaults=True):
    """One part of a batch's changes. `changes` is msgpack of the task's own type; `parts` parts make the batch."""

    task: TaskName
    sequence: int
    from_offset: int
    to_offset: int
    changes: msgspec.Raw
    turn: Turn = Turn()
    part: int = 1
    parts: int = 1
    version: Literal[1] = 1


_pack = msgspec.msgpack.Encoder(decimal_format="string")
_entries = msgspec.msgpack.Decoder(JournalEntry)
_json = msgspec.json.Encoder(decimal_format="string")
_facts = msgspec.json.Decoder(GateReport | Command)

C = TypeVar("C", bound=msgspec.Struct)


def journal_entries(
    task: TaskName, sequence: int, span: tuple[int, int], turn: Turn, changes: msgspec.Struct
) -> list[bytes]:
    """A batch's changes as journal records, in order; `span` = input offsets (from, to), `to` not included."""
    packed = list(_pieces(changes))
    return [
        _pack.encode(JournalEntry(task, sequence, *span, msgspec.Raw(piece), turn, number, len(packed)))
        for number, piece in enumerate(packed, 1)
    ]


def _pieces(changes: msgspec.Struct) -> Iterator[bytes]:
    packed = _pack.encode(changes)
    if len(packed) <= MOST_RECORD_BYTES:
        yield packed
        return
    halves = _halved(changes)
    if halves is None:
        yield packed
        return
    for half in halves:
        yield from _pieces(half)


def _halved(changes: msgspec.Struct) -> tuple[msgspec.Struct, msgspec.Struct] | None:
    """The changes in two of about half as many keys; None when there is a single key left."""
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    most = 0
    for name in changes.__struct_fields__:
        delta: Delta[Any, Any] = getattr(changes, name)
        most = max(most, len(delta.put), len(delta.gone))
        items, half = list(delta.put.items()), (len(delta.put) + 1) // 2
        gone, gone_half = delta.gone, (len(delta.gone) + 1) // 2
        first[name] = Delta(dict(items[:half]), gone[:gone_half])
        second[name] = Delta(dict(items[half:]), gone[gone_half:])
    if most <= 1:
        return None
    return type(changes)(**first), type(changes)(**second)


def read_entry(data: bytes | None) -> JournalEntry:
    """A journal record's entry. Raises WireError with a sentence."""
    try:
        return _entries.decode(data or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"a journal entry cannot be read: {_words(error)}") from error


def read_changes(entry: JournalEntry, kind: type[C]) -> C:
    """An entry's changes as the task's own type. Raises WireError with a sentence."""
    try:
        return msgspec.msgpack.decode(entry.changes, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(
            f"the changes of journal entry {entry.sequence} cannot be read: {_words(error)}"
        ) from error


def gate_reports(report: GateReport) -> list[bytes]:
    """A batch's report as records of `sluice.facts`, in order. How far the partition is stands in the last one only,
    so that facts and progress arrive together."""
    whole = to_json(report)
    if len(whole) <= MOST_RECORD_BYTES:
        return [whole]
    pieces = list(_facts_pieces(report.facts))
    reports = []
    for number, piece in enumerate(pieces, 1):
        part = msgspec.structs.replace(report, facts=piece, part=number, parts=len(pieces))
        if number < len(pieces):
            part.stream_ms = part.idle_since_ms = part.end_ms = None
        reports.append(to_json(part))
    return reports


def _facts_pieces(facts: Facts) -> Iterator[Facts]:
    halves = None if len(to_json(facts)) <= MOST_RECORD_BYTES else facts.halves()
    if halves is None:
        yield facts
        return
    for half in halves:
        yield from _facts_pieces(half)


def to_json(value: Any) -> bytes:
    """JSON bytes of facts, receipts and alerts; decimals become text."""
    return _json.encode(value)


def read_facts(data: bytes | None) -> GateReport | Command:
    """A record of `sluice.facts`. Raises WireError with a sentence."""
    try:
        message: GateReport | Command = _facts.decode(data or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"a record of the facts topic cannot be read: {_words(error)}") from error
    if isinstance(message, GateReport) and not message.facts.is_exact():
        raise WireError("a record of the facts topic cannot be read: an amount in it is no amount of money")
    return message


def _words(error: Exception) -> str:
    """What is wrong, on one line: msgspec quotes what it read, which may be anything."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in str(error))[:500]
