"""The numbers do not depend on how the events arrive: gate and watch in memory against the batch query.

Without Kafka, so that many streams can be tried; `tests/schedules` adds Kafka and its faults.
"""

from __future__ import annotations

import os
from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.core import state, wire
from consumer.core.record import StoredRecord
from consumer.core.timestamps import MINUTE_MS
from consumer.core.wire import read_entry
from consumer.tasks.gate import GateTask
from consumer.tasks.pipeline import Pipeline
from consumer.tasks.task import Moment
from consumer.tasks.watch import WatchTask
from detectors.alerts import Alert
from detectors.purchases import COLLISION, INVALID
from tests.day_numbers import expected, latest_receipts, numbers_of_receipt, rejected, told
from tests.oracle import dead_letters, judge
from tests.shop_contract import gate_options, watch_options
from tests.strategies import (
    DAY,
    MOST_DAYS,
    OWN_DOMAINS,
    batchings,
    judged,
    partitionings,
    shuffled_within,
    streams,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.core.record import Output
    from consumer.tasks.task import Decision
    from tests.oracle import OracleDay
    from tests.strategies import Arrival

EXAMPLES = int(os.environ.get("SLUICE_EXAMPLES", "100"))
LATENESS_MS = 60 * MINUTE_MS
pytestmark = pytest.mark.timeout(180 + EXAMPLES)  # seconds: far more than they need
ZONES = ["UTC", "America/New_York", "Asia/Kathmandu"]
WALL_MS = 1_750_000_000_000

several = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


class Arriving(NamedTuple):
    """Records in the order of their arrival, and how they are cut into batches."""

    arrivals: list[Arrival]
    partitions: int
    sizes: list[int]

    def oracle(self, zone: str = "UTC") -> dict[str, OracleDay]:
        """What the batch query says."""
        return expected(judge(judged(self.arrivals), zone=zone, own_domains=OWN_DOMAINS))

    def batches(self) -> list[tuple[int, list[StoredRecord]]]:
        """The arrivals in batches, each split by partition."""
        batches, start = [], 0
        for size in self.sizes:
            batch = self.arrivals[start : start + size]
            start += size
            batches += [
                (partition, [record(a) for a in batch if a.partition == partition])
                for partition in sorted({arrival.partition for arrival in batch})
            ]
        return batches


def record(arrival: Arrival) -> StoredRecord:
    made, partition = arrival
    return StoredRecord(made.value, topic="events", partition=partition, timestamp_ms=made.log_time)


@st.composite
def arriving(draw: st.DrawFn, lateness_ms: int = LATENESS_MS, most: int = 30) -> Arriving:
    """A stream as it arrives within the lateness."""
    partitions = draw(st.sampled_from([1, 1, 2, 3]))
    stream = draw(streams(most=most, log_times=draw(st.booleans())))
    arrivals = draw(shuffled_within(stream, lateness_ms, draw(partitionings(partitions))))
    return Arriving(arrivals, partitions, draw(batchings(len(arrivals))))


def fed(arriving: Arriving, zone: str = "UTC", *, at_end: bool = False) -> tuple[Pipeline, list[Output]]:
    """A pipeline that has read all of it, and what came out."""
    pipeline = Pipeline(gate_options(zone), watch_options(zone), arriving.partitions)
    outputs = []
    for number, (partition, records) in enumerate(arriving.batches()):
        outputs += pipeline.feed(records, wall_ms=WALL_MS + number, partition=partition, at_end=at_end)
    return pipeline, outputs + pipeline.end(WALL_MS)


@several
@given(arriving(), st.sampled_from(ZONES), st.booleans())
def test_any_arrival_within_the_lateness_gives_the_numbers_of_the_batch_query(arriving, zone, at_end):
    pipeline, outputs = fed(arriving, zone, at_end=at_end)
    right = arriving.oracle(zone)
    days = pipeline.watch.state.days
    assert told(days) == right
    assert rejected(days, [gate.state.undated for gate in pipeline.gates]) == Counter(
        dead_letters(judged(arriving.arrivals), zone=zone)
    )
    for day, receipt in latest_receipts(o for o in outputs if o.topic == "sluice.days").items():
        assert receipt.status != "open"
        assert numbers_of_receipt(receipt) == right.get(day, numbers_of_receipt(receipt))


@several
@given(arriving(lateness_ms=MOST_DAYS * DAY))
def test_whatever_arrives_too_late_still_counts_and_only_ever_opens_sessions_of_its_own(arriving):
    pipeline, _ = fed(arriving)
    found, right = told(pipeline.watch.state.days), arriving.oracle()
    without_sessions = {"sessions": 0, "direct_sessions": 0}
    assert _replaced(found, without_sessions) == _replaced(right, without_sessions)
    assert sum(day.sessions for day in found.values()) >= sum(day.sessions for day in right.values())


def alerts(arrivals: list[Arrival], batches: list[int]) -> dict[str, Alert]:
    """The latest state of every alert."""
    _, outputs = fed(Arriving(arrivals, 1, batches))
    told = [msgspec.json.decode(o.value or b"", type=Alert) for o in outputs if o.topic == "sluice.alerts"]
    return {alert.id: alert for alert in told}


def of_purchases(told: dict[str, Alert]) -> dict[str, tuple[object, ...]]:
    """What alerts about single purchases say, but how often they were over in between."""
    return {
        a.id: (a.kind, a.day, a.first_seen, a.opened_at, a.count, a.message)
        for a in told.values()
        if a.kind in (COLLISION, INVALID)
    }


@several
@given(streams(), st.data())
def test_the_same_alerts_with_all_their_times_in_any_batches(stream, data):
    arrivals = data.draw(shuffled_within(stream, 0))
    one, other = (data.draw(batchings(len(arrivals))) for _ in range(2))
    assert alerts(arrivals, one) == alerts(arrivals, other)


@several
@given(streams(), st.data())
def test_alerts_about_purchases_say_the_same_in_whatever_order_their_evidence_arrives(stream, data):
    in_order = data.draw(shuffled_within(stream, 0))
    shuffled = data.draw(shuffled_within(stream, LATENESS_MS))
    one, other = (data.draw(batchings(len(stream))) for _ in range(2))
    assert of_purchases(alerts(in_order, one)) == of_purchases(alerts(shuffled, other))


def _replaced(days: dict[str, OracleDay], fields: dict[str, int]) -> dict[str, OracleDay]:
    return {day: type(it)(**{**vars(it), **fields}) for day, it in days.items()}


# -- decide, then apply --------------------------------------------------------------------------------------------


def remembered(task: GateTask | WatchTask) -> object:
    """All that a task goes by; the order of voices decides who leaves."""
    chain = (task._chain.sequence, task._chain.next_offset)
    if isinstance(task, WatchTask):
        return chain, task.state.tables()
    return chain, task.sessions, task.state, list(task.state.clock.voices)


class Journalled:
    """Gates and watch that are aborted now and then, with their journals, trimmed as soon as a snapshot allows it."""

    def __init__(self, partitions: int) -> None:
        self.tasks: list[GateTask | WatchTask] = [
            WatchTask(watch_options()),
            *(GateTask(number, gate_options()) for number in range(partitions)),
        ]
        self.journals: list[list[bytes]] = [[] for _ in self.tasks]
        self.begun: list[int | None] = [None for _ in self.tasks]
        self.trimmed = 0
        self.facts = 0
        for task in self.tasks:
            task.begin(0)

    def feed(self, partition: int, records: Sequence[StoredRecord], *, abort: bool) -> None:
        gated = self._act(partition + 1, records, abort=abort)
        facts = [StoredRecord(o.value, topic=o.topic) for o in gated.outputs if o.topic == "sluice.facts"]
        self._act(0, facts, abort=abort)

    def _act(self, number: int, records: Sequence[StoredRecord], *, abort: bool) -> Decision:
        task = self.tasks[number]
        moment = Moment(WALL_MS, (task.next_offset or 0) + len(records), input_partitions=len(self.tasks) - 1)
        if abort:
            before = deepcopy(remembered(task))
            aborted = task.decide(records, moment)
            assert remembered(task) == before, "deciding moved the state"
            decision = task.decide(records, moment)
            assert (aborted.outputs, aborted.journal) == (decision.outputs, decision.journal)
        else:
            decision = task.decide(records, moment)
        task.apply(decision)
        self._write(number, decision)
        return decision

    def _write(self, number: int, decision: Decision) -> None:
        """Appends to the journal, and trims it as the loop does."""
        journal, turn = self.journals[number], decision.slice.turn
        if turn.begins:
            self.begun[number] = len(journal)
        journal += decision.journal
        begun = self.begun[number]
        if turn.completes and begun is not None:
            self.trimmed += begun
            del journal[:begun]
            self.begun[number] = None

    def check_restore(self) -> None:
        """Fresh tasks that replay the journals remember the same."""
        for number, task in enumerate(self.tasks):
            fresh = WatchTask(watch_options()) if number == 0 else GateTask(number - 1, gate_options())
            for data in self.journals[number]:
                fresh.replay(read_entry(data))
            fresh.restored()
            if self.journals[number]:
                assert remembered(fresh) == remembered(task)

    def restart(self) -> None:
        """All tasks are dropped and restored; the snapshot starts anew."""
        for number in range(len(self.tasks)):
            fresh = WatchTask(watch_options()) if number == 0 else GateTask(number - 1, gate_options())
            for data in self.journals[number]:
                fresh.replay(read_entry(data))
            if fresh.next_offset is None:
                fresh.begin(0)
            self.tasks[number] = fresh
            self.begun[number] = None


@several
@given(
    arriving(most=40),
    st.data(),
    st.sampled_from([1, 4, 20]),
    st.sampled_from([1, 2, 7]),
    st.sampled_from([200, 900_000]),
)
def test_a_journal_trimmed_at_the_promised_place_restores_what_lives(
    arriving, data, fewest_keys, slice_keys, most_bytes
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "FEWEST_KEYS", fewest_keys)
        patch.setattr(state, "SLICE", slice_keys)
        patch.setattr(wire, "MOST_RECORD_BYTES", most_bytes)
        journalled = Journalled(arriving.partitions)
        for partition, records in arriving.batches():
            journalled.feed(partition, records, abort=data.draw(st.booleans()))
            journalled.check_restore()
            if data.draw(st.sampled_from([False, False, True])):
                journalled.restart()
        watch = journalled.tasks[0]
        assert isinstance(watch, WatchTask)
        assert told(watch.state.days) == arriving.oracle()


def test_a_journal_is_trimmed_again_and_again(monkeypatch):
    monkeypatch.setattr(state, "FEWEST_KEYS", 4)
    monkeypatch.setattr(state, "SLICE", 2)
    journalled = Journalled(1)
    for number in range(200):
        value = (
            b'{"timestamp": "2025-02-27T%02d:%02d:00Z", "event_name": "page_viewed", "client_id": "c%d"}'
            % (number // 60, number % 60, number)
        )
        journalled.feed(0, [StoredRecord(value, topic="events")], abort=False)
    journalled.check_restore()
    assert all(len(journal) < 120 for journal in journalled.journals)
    assert journalled.trimmed > 100
