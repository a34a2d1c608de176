"""What has to follow from the records in the input topic, by the batch oracle. None of the product's code."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from tests.oracle import Columns, JudgedRecord, OracleDay, add, columns, days_in, emptied
from tests.topic_reader import log_ends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from confluent_kafka import Message

Place = tuple[int, int]
"""Partition and offset in the input topic."""

DAY_MS = 86_400_000
LATENESS_MS = 3_600_000
STEP_MS = 3_600_000
"""An event further ahead of its stream is of a clock that runs ahead; the load's streams pause for less."""

FAR_MS = 400 * DAY_MS
"""An event further away from its stream is a dead letter."""

MOST_BYTES = 1_048_576
DEEP = 10_000
"""Levels that nobody reads. (The exact limit is not promised: the load stays well away from it.)"""

CHUNK = 20_000
QUIET_SECONDS = 60

AHEAD_MS = 24 * 3_600_000
UTC = ZoneInfo("UTC")

DEAD = """
SELECT arrival, no_event FROM judged WHERE no_event IS NOT NULL
UNION ALL SELECT arrival, invalid FROM checkouts WHERE invalid IS NOT NULL
"""

_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')


class Judged(NamedTuple):
    """A record: what it is recognised by, and why it is a dead letter (None = it is an event that passes)."""

    digest: bytes
    reason: str | None
    day: str | None


class Truth(NamedTuple):
    """What lies in the input topic, and what has to follow from it."""

    records: dict[Place, Judged]
    days: dict[str, OracleDay]
    late: dict[str, int]
    """By day the events of which nobody can expect that they come before it closes: their own partition had left it by
    the allowed lateness."""


def read_all(servers: str, topic: str) -> Iterator[Message]:
    """All committed records of the topic, each partition in its order, up to the log's end as of now.

    Reaching that end proves that no transaction is left open: else an AssertionError after a minute without a record.
    """
    missing = {number: end for number, end in log_ends(servers, topic).items() if end}
    reader = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "verifier",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }
    )
    reader.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in missing])
    deadline = time.monotonic() + QUIET_SECONDS
    try:
        while missing:
            assert time.monotonic() < deadline, f"{topic}: not readable up to {missing}"
            for message in reader.consume(CHUNK, 0.1):
                deadline = time.monotonic() + QUIET_SECONDS
                error = message.error()
                if error is None:
                    yield message
                elif _is_end(message, missing):
                    missing.pop(message.partition(), None)
    finally:
        reader.close()


def _is_end(message: Message, ends: dict[int, int]) -> bool:
    error = message.error()
    at_end = error is not None and error.code() == KafkaError._PARTITION_EOF
    return at_end and message.offset() >= ends.get(message.partition(), 0)


def digest(message: Message, added: Callable[[str], bool] = lambda _: False) -> bytes:
    """What a record is recognised by: key, value, and its headers but for those that were added."""
    headers = [header for header in message.headers() or [] if not added(header[0])]
    parts = repr((message.key(), message.value(), headers)).encode()
    return hashlib.blake2b(parts, digest_size=12).digest()


def judged(messages: Iterable[Message]) -> Truth:
    """What the oracle makes of these records."""
    database, rows, near, streams = emptied(), [], {}, Streams()
    places: list[Place] = []
    known: list[tuple[bytes, str | None]] = []
    for message in messages:
        row = _without_far(_columns(message, len(places)), message.partition(), near)
        places.append((message.partition(), message.offset()))
        known.append((digest(message), row.day))
        streams.see(row, message.partition())
        rows.append(row)
        if len(rows) == CHUNK:
            add(database, rows)
            rows.clear()
    add(database, rows)
    reasons = dict(database.execute(DEAD).fetchall())
    records = {
        place: Judged(known[number][0], reasons.get(number), known[number][1])
        for number, place in enumerate(places)
    }
    return Truth(records, days_in(database), dict(streams.late))


class Streams:
    """How far each partition's events had come, clocks that run ahead left out, and which events came after their day."""

    def __init__(self) -> None:
        self.late: Counter[str] = Counter()
        self._now: dict[int, int] = {}

    def see(self, row: Columns, partition: int) -> None:
        """The next record of a partition."""
        if row.ts is None or row.day is None or row.event_name is None:
            return
        now = self._now.setdefault(partition, row.ts)
        if now < row.ts <= now + STEP_MS:
            now = self._now[partition] = row.ts
        ends = datetime.fromisoformat(f"{row.day}T00:00:00+00:00").timestamp() * 1000 + DAY_MS
        self.late[row.day] += now >= ends + LATENESS_MS


def _columns(message: Message, arrival: int) -> Columns:
    """The record's columns; the limits, of which the oracle knows nothing, are those of the documentation."""
    value, log_time = message.value(), message.timestamp()[1]
    record = JudgedRecord(value, arrival, message.partition(), log_time)
    if value is not None and len(value) > MOST_BYTES:
        return Columns(arrival, log_time, unusable="too_big")
    try:
        return columns(record, UTC, ())
    except RecursionError:
        if _levels(value or b"") > DEEP:
            return Columns(arrival, log_time, unusable="too_deep")
    shallow = {**json.loads(value or b"{}"), "event_data": None}  # it is the text in there that is too deep
    return columns(record._replace(value=json.dumps(shallow).encode()), UTC, ())


def _levels(value: bytes) -> int:
    """How deep the JSON nests, texts left out."""
    deepest = level = 0
    for byte in _TEXT.sub(b"", value):
        if byte in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif byte in b"]}":
            level -= 1
    return deepest


def _without_far(row: Columns, partition: int, near: dict[int, int]) -> Columns:
    """An event too far from its stream is none. `near` has the newest time of each stream that is not."""
    if row.ts is None or row.event_name is None or row.ts > (row.log_time or 0) + AHEAD_MS:
        return row
    away = row.ts - near.setdefault(partition, row.ts)
    if abs(away) <= FAR_MS:
        near[partition] = row.ts
        return row
    reason = "timestamp_too_old" if away < 0 else "timestamp_ahead"
    return Columns(row.arrival, row.log_time, unusable=reason)
