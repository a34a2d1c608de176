"""How records lie in the keyed topic: the record's own bytes, and in the key where it stood in the input.

The topic is Sluice's own, and so is its key: nothing in it can come from whoever writes events, and headers stay theirs.
Beside records there are *marks*: each batch of a keyer ends with one in every partition, which says how far the input
partition was read by then.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - the module's own name for it is lower case
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import msgspec

from consumer.core.facts import Instant
from consumer.core.wire import WireError

if TYPE_CHECKING:
    from consumer.core.record import Headers, Record

PLAIN, KEYED, CUT, CUT_KEYED, MARK = range(5)
"""What a record is: an event without a key, one with; the same whose value did not fit and is its size instead; a mark."""

_HEAD = Struct(">BIq")
"""Kind, input partition, input offset; the record's own key follows."""

unpack_head = _HEAD.unpack_from
"""Kind, input partition and offset out of a key. Raises `StructError` for one that is too short."""


class Mark(msgspec.Struct, array_like=True):
    """How far an input partition was read. `sequence` counts its keyer's batches, `partitions` is how many the input
    has, `records` how many the batch had. `at_end` and `asked` as in `consumer.tasks.task.Moment`."""

    sequence: int
    partitions: int
    wall_ms: Instant
    records: int
    at_end: bool
    asked: bool


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Mark)


def route(client: str | None, partition: int, partitions: int) -> int:
    """Which of the keyed topic's partitions a client's events go to; without a client that of where they came from.

    >>> route("client 1", 3, 4), route(None, 3, 2)
    (3, 1)
    """
    return partition % partitions if client is None else crc32(client.encode()) % partitions


def event_key(partition: int, offset: int, key: bytes | None) -> bytes:
    """The key of an event that stands at this place of the input and has this key there."""
    return _HEAD.pack(PLAIN, partition, offset) if key is None else _HEAD.pack(KEYED, partition, offset) + key


def cut_key(partition: int, offset: int, key: bytes | None) -> bytes:
    """The same for an event whose value is left out."""
    return (
        _HEAD.pack(CUT, partition, offset) if key is None else _HEAD.pack(CUT_KEYED, partition, offset) + key
    )


def mark_key(partition: int, offset: int) -> bytes:
    """The key of a mark: the partition is read up to this offset."""
    return _HEAD.pack(MARK, partition, offset)


def mark_value(mark: Mark) -> bytes:
    """A mark's bytes."""
    return _encode(mark)


def read_mark(value: bytes | None) -> Mark:
    """Raises WireError."""
    try:
        return _decoder.decode(value or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"a mark in the keyed topic cannot be read: {error}") from error


class Source(NamedTuple):
    """Where an event stood, and its key there."""

    partition: int
    offset: int
    key: bytes | None


def read_source(key: bytes | None) -> Source:
    """Of an event's key in the keyed topic. Raises WireError."""
    try:
        kind, partition, offset = unpack_head(key or b"")
    except StructError as error:
        raise foreign() from error
    return Source(partition, offset, (key or b"")[_HEAD.size :] if kind in (KEYED, CUT_KEYED) else None)


def foreign() -> WireError:
    """What a record in the keyed topic is that no keyer wrote."""
    return WireError("a record of the keyed topic is none of ours")


class OriginalRecord:
    """A record of the keyed topic as it stood in the input (`topic`); its value is None where it was cut."""

    __slots__ = ("_record", "_source", "_topic", "size")

    def __init__(self, record: Record, topic: str) -> None:
        self._record = record
        self._topic = topic
        self._source = read_source(record.key())
        key, value = record.key() or b"", record.value() or b""
        self.size = int(value) if key[0] in (CUT, CUT_KEYED) and value.isdigit() else None
        """Bytes of a value that was cut."""

    def key(self) -> bytes | None:
        return self._source.key

    def value(self) -> bytes | None:
        return self._record.value() if self.size is None else None

    def headers(self) -> Headers | None:
        return self._record.headers()

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._source.partition

    def offset(self) -> int:
        return self._source.offset

    def timestamp(self) -> tuple[int, int]:
        return self._record.timestamp()
