"""Exactly once: however processes die, hang, wake up and lose their broker, the numbers are those of the batch query.

Each example is a whole run of the real loop and the real tasks on the simulated Kafka. `SLUICE_SCHEDULES` says how many
(a campaign: `SLUICE_SCHEDULES=20000 pytest tests/runtime/test_loop_simulated.py`).
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.core import state, wire
from consumer.core.timestamps import MINUTE_MS
from consumer.core.wire import read_entry
from consumer.runtime.transport import Partition, journal_partition
from consumer.tasks.gate import GateTask
from consumer.tasks.gate_keyed import KeyedGateTask
from consumer.tasks.keyer import KeyerOptions, KeyerTask
from consumer.tasks.watch import WatchTask
from detectors.alerts import Alert
from tests.day_numbers import expected, latest_receipts, numbers_of_day, numbers_of_receipt, rejected, told
from tests.oracle import dead_letters, judge
from tests.shop_contract import gate_options, watch_options, zone
from tests.simulated_ledger import Ledger
from tests.simulated_transport import TOPICS, UNKEYED
from tests.simulation import Setting, Simulation
from tests.strategies import OWN_DOMAINS, judged, partitionings, shuffled_within, streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.tasks.task import Task
    from tests.oracle import JudgedRecord
    from tests.simulated_kafka import SimulatedKafka
    from tests.strategies import Arrival

SCHEDULES = int(os.environ.get("SLUICE_SCHEDULES", "400"))
LATENESS_MS = 60 * MINUTE_MS
pytestmark = pytest.mark.timeout(180 + SCHEDULES)  # seconds: far more than they need
FACTS = Partition(TOPICS.facts, 0)


@pytest.fixture(scope="module", autouse=True)
def small_limits() -> Iterator[None]:
    """Small enough that a run of some records has facts and journal entries in parts, and whole snapshot turns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "FEWEST_KEYS", 4)
        patch.setattr(state, "SLICE", 2)
        patch.setattr(wire, "MOST_RECORD_BYTES", 400)
        yield


class Run(NamedTuple):
    """All that decides what happens in a run."""

    seed: int
    arrivals: list[Arrival]
    partitions: int
    setting: Setting
    zone: str = "UTC"

    def new_task(self, partition: Partition) -> Task:
        """A gate for a partition of the input, the watch for the facts."""
        if partition.topic == TOPICS.facts:
            return WatchTask(watch_options(self.zone))
        options = gate_options(self.zone, "events.valid")
        if self.setting.keyed:
            return GateTask(partition.number, options)
        if partition.topic == TOPICS.events:
            return KeyerTask(partition.number, KeyerOptions(options.contract))
        return KeyedGateTask(partition.number, options)

    def simulation(self) -> Simulation:
        """The run, ready to go, with its commits watched."""
        simulation = Simulation(self.seed, self.arrivals, self.partitions, self.setting, self.new_task)
        Ledger(simulation.kafka, simulation.topics)
        return simulation

    def judged(self) -> list[JudgedRecord]:
        return judged(self.arrivals)


@st.composite
def runs(draw: st.DrawFn, *, keyed: bool = True) -> Run:
    """Streams of some records over some partitions, and a seed for everything that happens to them."""
    partitions = draw(st.sampled_from([1, 2, 2, 3]))
    stream = draw(streams(most=20))
    spread = draw(partitionings(partitions, keyed=keyed))
    arrivals = draw(shuffled_within(stream, LATENESS_MS, spread))
    return Run(
        draw(st.integers(0, 2**32 - 1)),
        arrivals,
        partitions,
        Setting(
            processes=draw(st.sampled_from([1, 2, 3])),
            most_records=draw(st.sampled_from([1, 3, 10, 100] if keyed else [4, 10, 100])),
            faulty_steps=draw(st.sampled_from([300, 50, 0])),
            live=draw(st.booleans()),
            grows=draw(st.sampled_from([False, False, True])),
            keyed=keyed,
        ),
        draw(st.sampled_from(["UTC", "America/New_York"])),
    )


@settings(max_examples=SCHEDULES, deadline=None, suppress_health_check=list(HealthCheck))
@given(runs())
def test_no_fault_of_processes_or_broker_changes_a_number(run: Run) -> None:
    check(run)


@settings(max_examples=SCHEDULES, deadline=None, suppress_health_check=list(HealthCheck))
@given(runs(keyed=False))
def test_nor_does_one_where_the_events_of_a_client_lie_in_any_partitions(run: Run) -> None:
    check(run)


def check(run: Run) -> None:
    """Runs it, and looks at everything that is left."""
    simulation = run.simulation()
    with simulation.settled() as tasks:
        watch = tasks[FACTS]
        assert isinstance(watch, WatchTask)
        check_days(run, watch, simulation.kafka)
        waiting = [task.state.undated for task in tasks.values() if isinstance(task, GateTask)]
        reasons = Counter(dead_letters(run.judged(), zone=run.zone))
        assert rejected(watch.state.days, waiting) == reasons
        check_events(run, simulation.kafka)
        check_restore(run, tasks, simulation.kafka)
        simulation.kafka.advance(60)
        assert all(log.stable == log.end for log in simulation.kafka.logs.values())


def check_days(run: Run, watch: WatchTask, kafka: SimulatedKafka) -> None:
    """State, receipts and alerts say what the batch query says."""
    right = expected(judge(run.judged(), zone=run.zone, own_domains=OWN_DOMAINS))
    days = watch.state.days
    assert told(days) == right
    reached = watch.clock.furthest_ms
    real = {day for day in days if reached is not None and zone(run.zone).start_ms(day) <= reached}
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
    invalid = {it.day: it.count for it in alerts if it.kind == "purchase_invalid"}
    assert invalid == {day: it.purchase_invalid for day, it in right.items() if it.purchase_invalid}


def latest_alerts(kafka: SimulatedKafka) -> list[Alert]:
    """The last state of each alert, by a reader of the compacted topic."""
    by_id = {record.key(): record.value() for record in kafka.committed_records("sluice.alerts")}
    return [msgspec.json.decode(value or b"", type=Alert) for value in by_id.values()]


def check_events(run: Run, kafka: SimulatedKafka) -> None:
    """Every rejected record is a dead letter once, with its bytes; every other one has passed once."""
    letters = kafka.committed_records("events.dlq")
    headers = [{name: (value or b"").decode() for name, value in it.headers() or []} for it in letters]
    reasons = Counter(dead_letters(run.judged(), zone=run.zone))
    assert Counter(it["sluice.reason"] for it in headers) == reasons
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


def check_restore(run: Run, tasks: dict[Partition, Task], kafka: SimulatedKafka) -> None:
    """A fresh task that replays the journal, however much of it was trimmed, remembers the same."""
    for partition, task in tasks.items():
        assert task.next_offset == kafka.offsets.get(partition, 0)
        if partition in kafka.offsets:
            fresh = run.new_task(partition)
            keyed = TOPICS.keyed if run.setting.keyed else UNKEYED.keyed
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
