"""The gate behind a keyed topic: several input partitions come together in it, each with a time of its own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.facts import GateReport
from consumer.core.instant import rfc3339
from consumer.core.keyed import Mark, event_key, mark_key, mark_value
from consumer.core.record import StoredRecord
from consumer.core.timestamps import MINUTE_MS
from consumer.core.wire import read_entry, read_facts
from consumer.tasks.gate_keyed import KeyedGateTask
from consumer.tasks.pipeline import Pipeline
from consumer.tasks.task import Moment
from tests.day_numbers import expected, told
from tests.oracle import judge
from tests.shop_contract import gate_options, watch_options
from tests.strategies import (
    MOST_DAYS,
    OWN_DOMAINS,
    Arrival,
    batchings,
    judged,
    partitionings,
    shuffled_within,
    streams,
)
from tests.unkeyed_pipeline import UnkeyedPipeline

NOON = 1_740_657_600_000
"""2025-02-27T12:00:00Z."""

DAY_MS = 1440 * MINUTE_MS
LATENESS_MS = 60 * MINUTE_MS
WALL_MS = NOON + MOST_DAYS * DAY_MS


def record(arrival: Arrival) -> StoredRecord:
    made, partition = arrival
    return StoredRecord(made.value, topic="events", partition=partition, timestamp_ms=made.log_time)


def in_batches(arrivals: list[Arrival], sizes: list[int]) -> list[tuple[int, list[StoredRecord]]]:
    batches: list[tuple[int, list[StoredRecord]]] = []
    start = 0
    for size in sizes:
        some = arrivals[start : start + size]
        start += size
        batches += [
            (partition, [record(it) for it in some if it.partition == partition])
            for partition in sorted({it.partition for it in some})
        ]
    return batches


@settings(deadline=None)
@given(streams(most=25), st.sampled_from([1, 2, 3]), st.data())
def test_any_spread_of_a_clients_events_gives_the_days_of_a_keyed_input_and_of_the_batch_query(
    stream, partitions, data
):
    spread = data.draw(
        shuffled_within(stream, LATENESS_MS, data.draw(partitionings(partitions, keyed=False)))
    )
    unkeyed = UnkeyedPipeline(gate_options(), watch_options(), partitions)
    for partition, records in in_batches(spread, data.draw(batchings(len(spread)))):
        unkeyed.key(records, wall_ms=WALL_MS, partition=partition, at_end=data.draw(st.booleans()))
        gate, most = data.draw(st.tuples(st.integers(0, partitions - 1), st.integers(0, 9)))
        unkeyed.read(gate, most, wall_ms=WALL_MS, at_end=data.draw(st.booleans()))
    for gate in range(partitions):
        unkeyed.read(gate, len(unkeyed.keyed[gate]), wall_ms=WALL_MS)
    unkeyed.end(WALL_MS)
    together = data.draw(shuffled_within(stream, LATENESS_MS, data.draw(partitionings(partitions))))
    keyed = Pipeline(gate_options(), watch_options(), partitions)
    for partition, records in in_batches(together, data.draw(batchings(len(together)))):
        keyed.feed(records, wall_ms=WALL_MS, partition=partition)
    keyed.end(WALL_MS)
    right = expected(judge(judged(spread), own_domains=OWN_DOMAINS))
    assert told(unkeyed.watch.state.days) == told(keyed.watch.state.days) == right


class Gate:
    """One gate of two input partitions; marks and events of both."""

    def __init__(self, partitions: int = 2) -> None:
        self.task = KeyedGateTask(0, gate_options())
        self.partitions = partitions
        self.sequence = dict.fromkeys(range(partitions), 0)
        self.journal: list[bytes] = []

    def event(self, channel: int, at_ms: int, client: str = "c") -> StoredRecord:
        fields = {"timestamp": rfc3339(at_ms), "event_name": "page_viewed", "client_id": client}
        key = event_key(channel, 0, None)
        return StoredRecord(json.dumps(fields).encode(), key, topic="sluice.keyed", timestamp_ms=at_ms)

    def mark(
        self, channel: int, wall_ms: int = NOON, records: int = 0, *, end: bool = False, asked: bool = True
    ) -> StoredRecord:
        self.sequence[channel] += 1
        mark = Mark(self.sequence[channel], self.partitions, wall_ms, records, end, asked)
        return StoredRecord(mark_value(mark), mark_key(channel, 0), topic="sluice.keyed")

    def read(self, *records: StoredRecord, wall_ms: int = NOON, at_end: bool = True) -> GateReport:
        decision = self.task.decide(records, Moment(wall_ms, len(records), at_end))
        self.task.apply(decision)
        self.journal += decision.journal
        report = read_facts(next(it.value for it in decision.outputs if it.topic == "sluice.facts"))
        assert isinstance(report, GateReport)
        return report


def busy(gate: Gate, channel: int, at_ms: int, visitors: int = 8) -> list[StoredRecord]:
    """Enough visitors of one time that it is believed, and the mark behind them."""
    events = [gate.event(channel, at_ms, f"{channel} {at_ms} {number}") for number in range(visitors)]
    return [*events, gate.mark(channel, records=visitors)]


def test_nothing_is_known_of_time_before_every_input_partition_has_told_its_own():
    gate = Gate()
    assert gate.read(*busy(gate, 0, NOON)).stream_ms is None
    assert gate.read(*busy(gate, 1, NOON)).stream_ms == NOON


def test_time_is_that_of_the_input_partition_that_is_furthest_behind():
    gate = Gate()
    report = gate.read(*busy(gate, 0, NOON + DAY_MS), *busy(gate, 1, NOON))
    assert report.stream_ms == NOON
    assert gate.read(*busy(gate, 1, NOON + 2 * MINUTE_MS)).stream_ms == NOON + 2 * MINUTE_MS


def test_a_session_waits_for_the_events_of_an_input_partition_that_is_days_behind():
    gate = Gate()
    first = gate.read(gate.event(1, NOON), *busy(gate, 1, NOON), *busy(gate, 0, NOON + 3 * DAY_MS))
    assert sum(minute.sessions for minute in first.facts.minutes.values()) == 17
    later = gate.read(gate.event(0, NOON + 3 * DAY_MS), gate.event(1, NOON + 20 * MINUTE_MS))
    assert {at: it.sessions for at, it in later.facts.minutes.items()} == {
        (NOON + 3 * DAY_MS) // MINUTE_MS: 1,
        NOON // MINUTE_MS + 20: 0,
    }


def test_what_comes_of_an_input_partition_that_is_behind_is_no_event_that_comes_again():
    gate = Gate()
    gate.read(*busy(gate, 0, NOON), *busy(gate, 1, NOON))
    gate.read(*busy(gate, 0, NOON + 20 * MINUTE_MS))
    visit = [gate.event(0, NOON + minute * MINUTE_MS) for minute in (0, 10, 20)]
    report = gate.read(*visit, gate.event(1, NOON + 5 * MINUTE_MS))
    assert sum(minute.repeated for minute in report.facts.minutes.values()) == 0
    gate.read(*busy(gate, 1, NOON + 20 * MINUTE_MS))
    report = gate.read(gate.event(1, NOON + 5 * MINUTE_MS))
    assert sum(minute.repeated for minute in report.facts.minutes.values()) == 1


def test_an_input_partition_that_is_read_to_its_end_holds_time_up_for_two_marks():
    gate = Gate()
    gate.read(*busy(gate, 0, NOON), *busy(gate, 1, NOON))
    ahead = NOON + 10 * MINUTE_MS
    assert gate.read(*busy(gate, 0, ahead), gate.mark(1, end=True)).stream_ms == NOON
    assert gate.read(gate.mark(1, end=True)).stream_ms == ahead


def test_an_end_that_was_only_met_while_reading_lets_time_wait():
    gate = Gate()
    gate.read(*busy(gate, 0, NOON), *busy(gate, 1, NOON))
    gate.read(*busy(gate, 0, NOON + MINUTE_MS), gate.mark(1, end=True, asked=False))
    assert gate.read(gate.mark(1, end=True, asked=False)).stream_ms == NOON


def test_a_keyer_that_is_gone_holds_time_where_it_is_though_the_keyed_topic_is_at_its_end():
    gate = Gate()
    gate.read(*busy(gate, 0, NOON), *busy(gate, 1, NOON), gate.mark(1, end=True))
    held = gate.read(gate.mark(1, end=True)).stream_ms
    for minute in range(1, 9):
        report = gate.read(*busy(gate, 0, NOON + minute * MINUTE_MS), wall_ms=NOON + minute * MINUTE_MS)
        assert report.stream_ms == held == NOON
        assert report.end_ms == report.idle_since_ms  # event time does not go on with the wall clock


def test_once_the_whole_input_is_at_its_end_time_goes_on_with_the_wall_clock_of_whoever_was_idle_last():
    gate = Gate()
    gate.read(*busy(gate, 0, NOON), *busy(gate, 1, NOON))
    gate.read(gate.mark(0, NOON, end=True), gate.mark(1, NOON + 4_000, end=True))
    report = gate.read(gate.mark(0, NOON + 9_000, end=True), gate.mark(1, NOON + 10_000, end=True))
    assert report.end_ms is not None
    assert report.end_ms - (report.idle_since_ms or 0) == 6_000
    report = gate.read(gate.mark(0, NOON + 14_000, records=3, end=True))
    assert report.end_ms == report.idle_since_ms


def test_a_partition_that_the_input_gets_later_is_waited_for():
    gate = Gate(1)
    gate.read(*busy(gate, 0, NOON))
    gate.partitions, gate.sequence[1] = 2, 0
    assert gate.read(*busy(gate, 0, NOON + MINUTE_MS)).stream_ms == NOON
    assert gate.read(*busy(gate, 1, NOON + MINUTE_MS)).stream_ms == NOON + MINUTE_MS


@pytest.mark.parametrize("cut", [False, True])
def test_a_gate_is_restored_with_all_its_channels(cut, monkeypatch):
    monkeypatch.setattr("consumer.core.state.FEWEST_KEYS", 4)
    monkeypatch.setattr("consumer.core.state.SLICE", 2)
    gate, begun = Gate(), 0
    for minute in range(30):
        gate.read(*busy(gate, minute % 5 == 0, NOON + minute * MINUTE_MS, visitors=2))
        turn = read_entry(gate.journal[-1]).turn
        begun = len(gate.journal) - 1 if turn.begins else begun
    assert begun > 0
    fresh = KeyedGateTask(0, gate_options())
    for entry in gate.journal[begun if cut else 0 :]:
        fresh.replay(read_entry(entry))
    fresh.restored()
    assert (fresh.channels, fresh.state) == (gate.task.channels, gate.task.state)
    if not cut:  # a turn that is under way has not re-written every session yet
        assert fresh.sessions == gate.task.sessions
