"""What comes in: one record of a topic, as the Kafka client hands it over.

`Record` is a protocol with exactly the methods of `confluent_kafka.Message` that the core needs, so records from
Kafka reach the core without a copy. Files, tests and the simulated Kafka use `StoredRecord`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

Headers = list[tuple[str, bytes | None]]

NO_TIMESTAMP = 0
"""First item of `Record.timestamp()` when the log has no time for the record (as in librdkafka)."""

CREATE_TIME = 1
"""First item of `Record.timestamp()` when the producer set the record's time."""


class Record(Protocol):
    """One record: its bytes, where it stands, and the time the log gave it."""

    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> Headers | None: ...
    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def timestamp(self) -> tuple[int, int]:
        """(kind, milliseconds since the epoch); kind 0 = the log has no time for it."""
        ...


class StoredRecord:
    """A record that did not come from a Kafka client: a file's row, a test's event, the simulation's."""

    __slots__ = ("_headers", "_key", "_offset", "_partition", "_timestamp_ms", "_topic", "_value")

    def __init__(
        self,
        value: bytes | None,
        key: bytes | None = None,
        *,
        topic: str = "",
        partition: int = 0,
        offset: int = 0,
        timestamp_ms: int | None = None,
        headers: Headers | None = None,
    ) -> None:
        self._value = value
        self._key = key
        self._topic = topic
        self._partition = partition
        self._offset = offset
        self._timestamp_ms = timestamp_ms
        self._headers = headers

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Headers | None:
        return self._headers

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return (NO_TIMESTAMP, -1) if self._timestamp_ms is None else (CREATE_TIME, self._timestamp_ms)

    def __repr__(self) -> str:
        return f"StoredRecord({self._topic!r}[{self._partition}]@{self._offset}, {len(self._value or b'')} bytes)"


class Output(NamedTuple):
    """A record to write: `partition` None lets the topic's partitioner choose by key, `timestamp_ms` None is the time of
    writing."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: Headers | None = None
    partition: int | None = None
    timestamp_ms: int | None = None
