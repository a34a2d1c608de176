"""What must hold on the way from an input that is not keyed to its gates, at every single commit.

Every input offset below the committed one stands in the keyed topic once, each client in one partition of it; and the
watermark never passes an event that lay in the input before any event of that time had come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.core.decode import decode
from consumer.core.keyed import MARK, read_source, unpack_head
from consumer.core.timestamps import parse
from consumer.runtime.transport import Partition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.core.record import StoredRecord
    from tests.simulated_kafka import SimulatedKafka, Writing
    from tests.simulated_transport import Topics

Where = tuple[int, int]


def is_mark(record: StoredRecord) -> bool:
    """Whether a record of the keyed topic is a mark; one of the input is none."""
    return record.topic() != "events" and unpack_head(record.key() or b"")[0] == MARK


def event_of(record: StoredRecord) -> dict[str, object]:
    """The event, empty if it is none."""
    event = decode(record.value())
    return event if isinstance(event, dict) else {}


def time_of(record: StoredRecord) -> int | None:
    """The time that an event names."""
    text = event_of(record).get("timestamp")
    return parse(text) if isinstance(text, str) else None


class KeyedLedger:
    """Told of each transaction that is committed."""

    def __init__(self, kafka: SimulatedKafka, topics: Topics) -> None:
        self._kafka, self._topics = kafka, topics
        self._written: dict[Where, int] = {}
        self._home: dict[str, int] = {}
        self._read_to: dict[Partition, int] = {}
        self._judged: set[Where] = set()

    @property
    def judged(self) -> int:
        """How many events the gates have read."""
        return len(self._judged)

    def write(self, records: Iterable[StoredRecord]) -> None:
        """Records that a keyer wrote to one partition."""
        for record in records:
            if is_mark(record):
                continue
            source = read_source(record.key())
            where = (source.partition, source.offset)
            assert where not in self._written, "an event was keyed twice"
            self._written[where] = record.partition()
            original = self._kafka.logs[Partition(self._topics.events, where[0])].entries[where[1]].record
            assert original is not None
            assert (record.value(), record.headers(), record.timestamp()) == (
                original.value(),
                original.headers(),
                original.timestamp(),
            )
            assert source.key == original.key()
            client = event_of(record).get("client_id")
            if isinstance(client, str) and client.strip():
                assert self._home.setdefault(client, record.partition()) == record.partition()

    def read(self, writing: Writing) -> None:
        """What the transaction says that was read."""
        for partition, offset in writing.offsets.items():
            if partition.topic == self._topics.events:
                keyed = sum(where[0] == partition.number for where in self._written)
                assert keyed == offset, "an event was not keyed"
            elif partition.topic == self._topics.keyed:
                log = self._kafka.logs[partition]
                for record in log.committed(self._read_to.get(partition, 0), offset):
                    if not is_mark(record):
                        source = read_source(record.key())
                        self._judged.add((source.partition, source.offset))
                self._read_to[partition] = offset

    def check_passed(self, watermark_ms: int) -> None:
        """Of a partition that is behind the watermark, nothing lies unread that came before the first event of that
        time."""
        logs = [log for where, log in self._kafka.logs.items() if where.topic == self._topics.events]
        standing = [it for log in logs for it in log.standing(0)]
        born = [it.place for it in standing if (time_of(it.record) or 0) >= watermark_ms]
        for log in logs:
            number = log.partition.number
            read = [it for it in log.standing(0) if (number, it.record.offset()) in self._judged]
            if any((time_of(it.record) or 0) >= watermark_ms for it in read):
                continue
            for it in log.standing(0):
                if (number, it.record.offset()) not in self._judged and born:
                    assert it.place >= min(born), "the watermark passed events that nobody has read"
