"""What must hold at every single commit, checked by the broker's side of the simulation.

Positions go with their journal entries and nothing else does; a journal's chain has no hole and ends at the committed
offset; facts are numbered without a hole; every input offset below the committed one is counted once or is a dead
letter once; the watermark never goes back, and never passes what lay unread in a log when somebody told that event time
had come so far.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from consumer.core.facts import GateReport
from consumer.core.rejection import PURCHASE_INVALID
from consumer.core.wire import read_changes, read_entry, read_facts
from consumer.runtime.transport import Partition, journal_partition
from consumer.tasks.watch_state import WatchChanges
from tests.simulated_keyed_ledger import KeyedLedger, is_mark

if TYPE_CHECKING:
    from consumer.core.record import StoredRecord
    from consumer.core.wire import JournalEntry
    from tests.simulated_kafka import SimulatedKafka, Writing
    from tests.simulated_transport import Topics

DEAD_LETTERS = "events.dlq"
LONG_AGO = -(2**62)


class Told(NamedTuple):
    """What a gate told of a partition: up to which offset it is read, and its event time; and where that was written."""

    partition: int
    read_to: int
    time_ms: int
    place: int


class Ledger:
    """Looks at each transaction that is committed."""

    def __init__(self, kafka: SimulatedKafka, topics: Topics) -> None:
        self.commits = 0
        self.excused = 0
        """How often the watermark went on beyond the own time of a partition."""
        self._kafka = kafka
        self._topics = topics
        self._journal: dict[Partition, JournalEntry] = {}
        self._facts: dict[int, int] = {}
        self._watermark_ms = -(2**62)
        self._told: dict[int, Told] = {}
        self._merged = 0
        self._read: dict[int, int] = {}
        self._own_ms: dict[int, int] = {}
        self._reached: list[tuple[int, int]] = []
        self._accounted: Counter[int] = Counter()
        self._keyed = KeyedLedger(kafka, topics)
        kafka.told.append(self.check)

    def check(self, writing: Writing) -> None:
        """Called after the commit. Raises AssertionError."""
        self.commits += 1
        journals = {p for p in writing.starts if p.topic == self._topics.journal}
        expected = {
            Partition(self._topics.journal, journal_partition(p, self._topics.facts, self._topics.keyed)): p
            for p in writing.offsets
        }
        assert journals == expected.keys(), "positions without journal entries, or entries without positions"
        for journal, consumed in expected.items():
            self._check_journal(journal, consumed, writing)
        for partition in writing.starts:
            if partition.topic == self._topics.facts:
                self._check_facts(writing)
            elif partition.topic == DEAD_LETTERS:
                self._account_dead_letters(partition, writing)
        if self._topics.keyed:
            self._check_keyed(writing)
            return
        for partition, offset in writing.offsets.items():
            if partition.topic == self._topics.events:
                assert self._accounted[partition.number] == offset, "an event was counted twice, or never"

    def _records(self, partition: Partition, writing: Writing) -> list[StoredRecord]:
        log = self._kafka.logs[partition]
        return [
            record
            for record, of in log.entries[writing.starts[partition] - log.first :]
            if of is writing and record is not None
        ]

    def _check_journal(self, journal: Partition, consumed: Partition, writing: Writing) -> None:
        entries = [read_entry(record.value()) for record in self._records(journal, writing)]
        first, last = entries[0], entries[-1]
        assert [entry.part for entry in entries] == list(range(1, first.parts + 1))
        before = self._journal.get(journal)
        if before is not None:
            assert first.sequence == before.sequence + 1, "a batch was journalled twice, or never"
            assert first.from_offset == before.to_offset
        assert last.to_offset == writing.offsets[consumed] == self._kafka.offsets[consumed]
        self._journal[journal] = last
        if journal.number == 0:
            self._merge(writing.offsets[consumed])
            for entry in entries:
                self._check_watermark(entry)

    def _merge(self, to_offset: int) -> None:
        """Goes along with the watch: how far each partition is read, and where it was first told how far time is."""
        for offset in range(self._merged, to_offset):
            if offset in self._told:
                told = self._told.pop(offset)
                self._read[told.partition] = told.read_to
                self._own_ms[told.partition] = max(told.time_ms, self._own_ms.get(told.partition, LONG_AGO))
                if not self._reached or self._reached[-1][0] < told.time_ms:
                    self._reached.append((told.time_ms, told.place))
        self._merged = to_offset

    def _check_watermark(self, entry: JournalEntry) -> None:
        clock = read_changes(entry, WatchChanges).clock.put.get("")
        if clock is not None and clock.watermark_ms is not None:
            assert clock.watermark_ms >= self._watermark_ms, "the watermark went back"
            if clock.watermark_ms > self._watermark_ms:
                self._check_passed(clock.watermark_ms)
            self._watermark_ms = clock.watermark_ms

    def _check_passed(self, watermark_ms: int) -> None:
        """No partition was left out that had something unread in its log when time was first told to be here."""
        since = next((place for time_ms, place in self._reached if time_ms >= watermark_ms), None)
        assert since is not None, "the watermark is ahead of everybody"
        for number, read_to in self._read.items():
            if self._own_ms[number] < watermark_ms:
                log = self._kafka.logs[Partition(self._topics.keyed or self._topics.events, number)]
                unread = [it.place for it in log.standing(read_to) if not is_mark(it.record)]
                assert all(place > since for place in unread), "the watermark passed unread events"
                self.excused += 1
        if self._topics.keyed:
            self._keyed.check_passed(watermark_ms)

    def _check_facts(self, writing: Writing) -> None:
        for record in self._records(Partition(self._topics.facts, 0), writing):
            report = read_facts(record.value())
            if isinstance(report, GateReport):
                expected = self._facts.get(report.partition, 0) + (report.part == 1)
                assert report.sequence == expected, "facts have a hole"
                self._facts[report.partition] = report.sequence
                if report.part == report.parts:
                    self._told[record.offset()] = self._told_by(report, record, writing)
                events = sum(minute.events for minute in report.facts.minutes.values())
                self._accounted[report.partition] += events

    def _told_by(self, report: GateReport, record: StoredRecord, writing: Writing) -> Told:
        log = self._kafka.logs[Partition(self._topics.facts, 0)]
        idle_ms = (report.end_ms or 0) - (report.idle_since_ms or 0) if report.end_ms else 0
        return Told(
            report.partition,
            writing.offsets[Partition(self._topics.keyed or self._topics.events, report.partition)],
            LONG_AGO if report.stream_ms is None else report.stream_ms + max(0, idle_ms),
            log.places[record.offset() - log.first],
        )

    def _check_keyed(self, writing: Writing) -> None:
        for partition in writing.starts:
            if partition.topic == self._topics.keyed:
                self._keyed.write(self._records(partition, writing))
        self._keyed.read(writing)
        assert self._accounted.total() == self._keyed.judged, "an event was counted twice, or never"

    def _account_dead_letters(self, partition: Partition, writing: Writing) -> None:
        """Those of records that are no events: an invalid purchase is an event as well."""
        for record in self._records(partition, writing):
            headers = {name: (value or b"").decode() for name, value in record.headers() or []}
            if headers["sluice.reason"] not in PURCHASE_INVALID:
                self._accounted[int(headers["__connect.errors.partition"])] += 1
