"""An input partition that is at its end says so: at once, every five seconds, and never when it is not."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from consumer.core.facts import GateReport
from consumer.core.wire import read_facts
from tests.one_process import EVENTS, FACTS, OneProcess, Scripted, five_visits, visit
from tests.simulated_transport import SimulatedTransport, Undisturbed

if TYPE_CHECKING:
    from tests.simulated_kafka import SimulatedKafka, Writing


class Told:
    """Every report of the gate as it is committed, with the time."""

    def __init__(self, kafka: SimulatedKafka) -> None:
        self.kafka = kafka
        self.reports: list[tuple[float, GateReport]] = []
        self.transactions = 0
        kafka.told.append(self.note)

    def note(self, writing: Writing) -> None:
        self.transactions += 1
        log = self.kafka.logs[FACTS]
        for record, of in log.entries:
            if of is writing and record is not None:
                report = read_facts(record.value())
                assert isinstance(report, GateReport)
                self.reports.append((self.kafka.now, report))

    def ends(self) -> list[float]:
        """When the partition said that it is at its end."""
        return [at for at, report in self.reports if report.end_ms is not None]


@pytest.fixture
def kafka() -> SimulatedKafka:
    return five_visits()


def test_an_end_is_told_with_the_last_records_and_then_every_five_seconds(kafka):
    told = Told(kafka)
    OneProcess(kafka).run(400)
    ends = told.ends()
    assert told.reports[0][1].end_ms is not None
    assert len(ends) > 10
    assert all(5 <= later - sooner < 6 for sooner, later in pairwise(ends))


def test_an_empty_partition_tells_its_end_at_once(kafka):
    kafka.create_topic("sluice.journal", 3)
    kafka.create_topic("events", 2)
    told = Told(kafka)
    OneProcess(kafka).run(10)
    empty = [(at, report) for at, report in told.reports if report.partition == 1]
    assert empty[0][0] < 2
    assert (empty[0][1].end_ms is None, empty[0][1].stream_ms) == (False, None)


def test_an_idle_process_has_little_to_commit(kafka):
    told = Told(kafka)
    process = OneProcess(kafka)
    process.run(400)
    assert kafka.now > 60
    assert told.transactions <= 2 + 2 * kafka.now / 5


def test_a_partition_with_records_left_does_not_say_that_it_is_at_its_end(kafka):
    told = Told(kafka)
    OneProcess(kafka, most_records=1).run(12)
    ends = [report.end_ms is not None for _, report in told.reports]
    assert ends[:4] == [False] * 4
    assert ends[4:5] == [True]


def test_what_is_written_after_the_end_was_reached_is_no_end(kafka):
    class LateWriter(Undisturbed):
        """Somebody writes just before the end is asked for again."""

        asked = 0

        def step(self, place: str) -> None:
            if place == "ask ends" and kafka.now > 4:
                self.asked += 1
                if self.asked == 1:
                    kafka.logs[EVENTS].append(visit(7))

    told = Told(kafka)
    OneProcess(kafka, LateWriter(kafka)).run(60)
    before = [at for at in told.ends() if at < 4]
    read = next(at for at, report in told.reports if at > 4 and report.facts.minutes)
    assert before
    assert not [at for at in told.ends() if before[-1] < at < read]


def test_an_end_that_was_refused_is_told_again(kafka):
    fate = Scripted(kafka)
    told = Told(kafka)
    process = OneProcess(kafka, fate)
    process.run(60)
    fate.faults["commit_refused"] = 3
    process.run(80)
    assert process.aborts == 3
    ends = told.ends()
    assert max(later - sooner for sooner, later in pairwise(ends)) < 8


def test_a_partition_to_which_records_trickle_is_asked_for_its_end_every_five_seconds_all_the_same(kafka):
    class Trickle(Undisturbed):
        """Somebody writes a record a second."""

        written = 0

        def step(self, place: str) -> None:
            if place == "poll" and kafka.now >= self.written:
                kafka.logs[EVENTS].append(visit(5))
                self.written += 1

    told = Told(kafka)
    OneProcess(kafka, Trickle(kafka)).run(400)
    ends = told.ends()
    assert len(ends) > 5
    assert all(5 <= later - sooner < 7 for sooner, later in pairwise(ends))
    with_records = [report for _, report in told.reports if report.facts.minutes]
    assert len(with_records) > 30
    assert all(report.idle_since_ms is not None for report in with_records), (
        "each was at its end when it was read"
    )


def test_an_empty_partition_tells_its_end_while_another_is_read_from_a_backlog(kafka):
    kafka.create_topic("sluice.journal", 3)
    kafka.create_topic("events", 2)
    for number in range(50):
        kafka.logs[EVENTS].append(visit(number))
    told = Told(kafka)
    OneProcess(kafka, most_records=1).run(20)
    partitions = [report.partition for _, report in told.reports]
    assert partitions.index(1) < 5
    assert partitions.count(0) > 5


def test_a_partition_that_is_not_at_its_end_after_all_is_not_asked_again_at_once(kafka, monkeypatch):
    class Unread(Undisturbed):
        """After a while somebody writes a record that takes long to come."""

        written = False

        def happens(self, fault: str) -> bool:
            if kafka.now > 4 and not self.written:
                kafka.logs[EVENTS].append(visit(7))
                self.written = True
            return fault == "fetch_slow" and self.written

    asked = []
    ask = SimulatedTransport.still_at_end
    monkeypatch.setattr(
        SimulatedTransport, "still_at_end", lambda it, those: asked.extend(those) or ask(it, those)
    )
    told = Told(kafka)
    OneProcess(kafka, Unread(kafka)).run(200)
    assert kafka.now > 40
    assert max(told.ends()) < 5
    assert 3 < len(asked) <= 2 + kafka.now / 5
