"""What must hold at every single commit, checked by the broker's side of the simulation.

Positions go with their journal entries and nothing else does; a journal's chain has no hole and ends at the committed
offset; facts are numbered without a hole; every input offset below the committed one is counted once or is a dead
letter once; the watermark never goes back.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from consumer.core.facts import GateReport
from consumer.core.rejection import PURCHASE_INVALID
from consumer.core.wire import read_changes, read_entry, read_facts
from consumer.runtime.transport import Partition, journal_partition
from consumer.tasks.watch_state import WatchChanges

if TYPE_CHECKING:
    from consumer.core.record import StoredRecord
    from consumer.core.wire import JournalEntry
    from tests.simulated_kafka import SimulatedKafka, Writing
    from tests.simulated_transport import Topics

DEAD_LETTERS = "events.dlq"


class Ledger:
    """Looks at each transaction that is committed."""

    def __init__(self, kafka: SimulatedKafka, topics: Topics) -> None:
        self.commits = 0
        self._kafka = kafka
        self._topics = topics
        self._journal: dict[Partition, JournalEntry] = {}
        self._facts: dict[int, int] = {}
        self._watermark_ms = -(2**62)
        self._accounted: Counter[int] = Counter()
        kafka.told.append(self.check)

    def check(self, writing: Writing) -> None:
        """Called after the commit. Raises AssertionError."""
        self.commits += 1
        journals = {p for p in writing.starts if p.topic == self._topics.journal}
        expected = {
            Partition(self._topics.journal, journal_partition(p, self._topics.facts)): p
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
            for entry in entries:
                self._check_watermark(entry)

    def _check_watermark(self, entry: JournalEntry) -> None:
        clock = read_changes(entry, WatchChanges).clock.put.get("")
        if clock is not None and clock.watermark_ms is not None:
            assert clock.watermark_ms >= self._watermark_ms, "the watermark went back"
            self._watermark_ms = clock.watermark_ms

    def _check_facts(self, writing: Writing) -> None:
        for record in self._records(Partition(self._topics.facts, 0), writing):
            report = read_facts(record.value())
            if isinstance(report, GateReport):
                expected = self._facts.get(report.partition, 0) + (report.part == 1)
                assert report.sequence == expected, "facts have a hole"
                self._facts[report.partition] = report.sequence
                events = sum(minute.events for minute in report.facts.minutes.values())
                self._accounted[report.partition] += events

    def _account_dead_letters(self, partition: Partition, writing: Writing) -> None:
        """Those of records that are no events: an invalid purchase is an event as well."""
        for record in self._records(partition, writing):
            headers = {name: (value or b"").decode() for name, value in record.headers() or []}
            if headers["sluice.reason"] not in PURCHASE_INVALID:
                self._accounted[int(headers["__connect.errors.partition"])] += 1
