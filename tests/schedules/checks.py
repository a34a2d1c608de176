"""What must be so when all is read: the numbers are those of the batch query, however processes died, hung, woke up and
lost their broker on the way."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.core import state, wire
from consumer.core.wire import read_entry
from consumer.runtime.transport import Partition, journal_partition
from consumer.tasks.gate import GateTask
from consumer.tasks.gate_keyed import KeyedGateTask
from consumer.tasks.keyer import KeyerTask
from consumer.tasks.watch import WatchTask
from detectors.alerts import Alert, Severity
from tests.day_numbers import expected, latest_receipts, numbers_of_day, numbers_of_receipt, rejected, told
from tests.shop_contract import zone
from tests.simulated_transport import TOPICS, UNKEYED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consumer.tasks.task import Task
    from tests.schedules.drawn import Schedule, Stream
    from tests.simulated_kafka import SimulatedKafka

FACTS = Partition(TOPICS.facts, 0)


@contextmanager
def small_limits() -> Iterator[None]:
    """Small enough that a run of some records has facts and journal entries in parts, and whole snapshot turns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "FEWEST_KEYS", 4)
        patch.setattr(state, "SLICE", 2)
        patch.setattr(wire, "MOST_RECORD_BYTES", 400)
        yield


def check(stream: Stream, schedules: Sequence[Schedule]) -> Counter[str]:
    """Runs the stream through each, and says what happened on the way. Raises AssertionError, with the schedule."""
    happened: Counter[str] = Counter()
    for schedule in schedules:
        try:
            happened += check_one(stream, schedule)
        except BaseException as error:
            error.add_note(f"in {schedule}")
            raise
    return happened


def check_one(stream: Stream, schedule: Schedule) -> Counter[str]:
    """Runs it, and looks at everything that is left."""
    simulation, ledger = stream.simulation(schedule)
    kafka = simulation.kafka
    with simulation.settled() as tasks:
        watch = tasks[FACTS]
        assert isinstance(watch, WatchTask)
        check_days(stream, watch, kafka)
        waiting = [task.state.undated for task in tasks.values() if isinstance(task, GateTask)]
        assert rejected(watch.state.days, waiting) == stream.reasons
        check_events(stream, kafka)
        check_restore(stream, tasks, kafka)
        kafka.advance(60)
        assert all(log.stable == log.end for log in kafka.logs.values())
    counts = {"schedules": 1, "processes": simulation.started, "commits": ledger.commits}
    return Counter(counts) + simulation.happened


def check_days(stream: Stream, watch: WatchTask, kafka: SimulatedKafka) -> None:
    """State, receipts and alerts say what the batch query says."""
    right = expected(stream.days)
    days = watch.state.days
    assert told(days) == right
    reached = watch.clock.furthest_ms
    real = {day for day in days if reached is not None and zone(stream.zone).start_ms(day) <= reached}
    receipts = latest_receipts(kafka.committed_records("sluice.days"))
    assert receipts.keys() == real
    for day, receipt in receipts.items():
        assert numbers_of_receipt(receipt) == numbers_of_day(days[day])
        assert receipt.revision == days[day].revision
    alerts = latest_alerts(kafka)
    collided = {
        day for it in alerts if it.kind == "transaction_collision" for day in (it.evidence or {})["days"]
    }
    assert collided == {day for day, it in right.items() if it.collisions}
    notes = [it for it in alerts if it.kind == "purchase_invalid" and it.severity == Severity.P2_NOTE]
    invalid = {it.day: it.count for it in notes}
    assert invalid == {day: it.purchase_invalid for day, it in right.items() if it.purchase_invalid}


def latest_alerts(kafka: SimulatedKafka) -> list[Alert]:
    """The last state of each alert, by a reader of the compacted topic."""
    by_id = {record.key(): record.value() for record in kafka.committed_records("sluice.alerts")}
    return [msgspec.json.decode(value or b"", type=Alert) for value in by_id.values()]


def check_events(stream: Stream, kafka: SimulatedKafka) -> None:
    """Every rejected record is a dead letter once, with its bytes; every other one has passed once."""
    letters = kafka.committed_records("events.dlq")
    headers = [{name: (value or b"").decode() for name, value in it.headers() or []} for it in letters]
    assert Counter(it["sluice.reason"] for it in headers) == stream.reasons
    origins = (
        [Partition(TOPICS.events, int(it["__connect.errors.partition"])) for it in headers],
        [int(it["__connect.errors.offset"]) for it in headers],
    )
    buried = list(zip(*origins, strict=True))
    assert len(set(buried)) == len(buried)
    for letter, (partition, offset) in zip(letters, buried, strict=True):
        origin = kafka.logs[partition].entries[offset].record
        assert origin is not None
        assert (letter.value(), letter.key()) == (origin.value(), origin.key())
    values = Counter(record.value() for record in kafka.committed_records(TOPICS.events))
    passed = kafka.committed_records("events.valid")
    assert values == Counter(record.value() for record in [*letters, *passed])


def check_restore(stream: Stream, tasks: dict[Partition, Task], kafka: SimulatedKafka) -> None:
    """A fresh task that replays the journal, however much of it was trimmed, remembers the same."""
    for partition, task in tasks.items():
        assert task.next_offset == kafka.offsets.get(partition, 0)
        if partition in kafka.offsets:
            fresh = stream.new_task(partition)
            keyed = TOPICS.keyed if stream.keyed else UNKEYED.keyed
            log = kafka.logs[Partition(TOPICS.journal, journal_partition(partition, TOPICS.facts, keyed))]
            for record in log.committed(0):
                fresh.replay(read_entry(record.value()))
            fresh.restored()
            assert remembered(fresh) == remembered(task)


def remembered(task: Task) -> object:
    """All that a task goes by."""
    assert isinstance(task, WatchTask | GateTask | KeyerTask)
    chain = (task._chain.sequence, task._chain.next_offset)
    if isinstance(task, KeyerTask):
        return chain
    if isinstance(task, KeyedGateTask):
        return chain, task.sessions, task.state, task.channels
    return (chain, task.state.tables()) if isinstance(task, WatchTask) else (chain, task.sessions, task.state)
