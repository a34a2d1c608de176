"""The simulation itself: a seed is a whole run, and the runs get to where exactly-once is hard."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from consumer.core import state, wire
from consumer.core.days import Receipt
from consumer.core.instant import rfc3339
from consumer.core.wire import read_entry
from consumer.tasks.gate import GateTask
from consumer.tasks.gate_keyed import KeyedGateTask
from consumer.tasks.keyer import KeyerOptions, KeyerTask
from consumer.tasks.watch import WatchTask
from tests.day_numbers import latest_receipts, numbers_of_receipt
from tests.shop_contract import CONTRACT, gate_options, watch_options
from tests.simulated_ledger import Ledger
from tests.simulated_transport import TOPICS
from tests.simulation import Setting, Silent, Simulation
from tests.strategies import DAY, HOUR, Arrival, Made

if TYPE_CHECKING:
    from consumer.runtime.transport import Fenced, Partition, Retry
    from consumer.tasks.task import Task

START = 1_740_614_400_000
"""2025-02-27T00:00:00Z."""


def three_days(*, in_order: bool = False, keyed: bool = True) -> list[Arrival]:
    """Twenty visits to each day, two hours late now and then and at last two days (unless they are in order), and
    purchases that repeat and contradict each other."""
    arrivals = []
    for number in range(60):
        at = START + number * 72 * 60_000
        behind = 2 * DAY if number > 55 else 2 * HOUR if number % 7 == 6 else 0
        late = at if in_order else at - behind
        client = f"c{number % 9}"
        bought = {"transaction_id": f"t{number % 11}", "revenue": 1 + number % 5, "items": [{}]}
        event = {
            "timestamp": rfc3339(late),
            "event_name": "checkout_completed" if number % 5 == 0 else "page_viewed",
            "client_id": client,
            "event_data": bought if number % 5 == 0 else None,
        }
        partition = number % 9 % 2 if keyed else number % 2
        arrivals.append(Arrival(Made(json.dumps(event).encode(), late, client, at), partition))
    return arrivals


class Notes(Silent):
    """Counts over all processes what they had to do."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def restored(self, _: Partition, _tasks: object, entries: int, seconds: float, *_rest: object) -> None:
        self.seen["restored from a journal"] += entries > 0
        self.seen["waited for a dead owner's transaction"] += seconds >= 0.2

    def aborted(self, error: Retry) -> None:
        self.seen[f"refused: {error.code}"] += 1

    def recovering(self, error: Fenced) -> None:
        self.seen[f"connected anew: {error.outcome}"] += 1


SETTING = Setting(processes=3, most_records=4, faulty_steps=400, live=True)


def new_task(partition: Partition) -> Task:
    if partition.topic == TOPICS.facts:
        return WatchTask(watch_options())
    return GateTask(partition.number, gate_options())


def new_task_of_an_unkeyed_input(partition: Partition) -> Task:
    if partition.topic == TOPICS.facts:
        return WatchTask(watch_options())
    if partition.topic == TOPICS.events:
        return KeyerTask(partition.number, KeyerOptions(CONTRACT))
    return KeyedGateTask(partition.number, gate_options())


def run(seed: int, notes: Notes) -> tuple[dict[str, int], list[bytes | None]]:
    """A whole run with many faults; the log's ends, and everything on the days topic."""
    simulation = Simulation(seed, three_days(), 2, SETTING, new_task, lambda _: notes)
    kafka = simulation.kafka
    ledger = Ledger(kafka, TOPICS)
    with simulation.settled():
        notes.seen["time went on beyond an idle partition's own"] += ledger.excused
        receipts = latest_receipts(kafka.committed_records("sluice.days"))
        notes.seen["a day closed"] += any(receipt.revision for receipt in receipts.values())
        notes.seen["a closed day was amended"] += any(receipt.revision > 1 for receipt in receipts.values())
        journals = [log for partition, log in kafka.logs.items() if partition.topic == TOPICS.journal]
        entries = [read_entry(record.value()) for log in journals for record in log.committed(0)]
        notes.seen["a journal was trimmed"] += any(log.first for log in journals)
        notes.seen["a journal entry has parts"] += any(entry.parts > 1 for entry in entries)
        notes.seen["processes"] += simulation.started
        ends = {f"{partition.topic}[{partition.number}]": log.end for partition, log in kafka.logs.items()}
        return ends, [record.value() for record in kafka.committed_records("sluice.days")]


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "FEWEST_KEYS", 4)
    monkeypatch.setattr(state, "SLICE", 2)
    monkeypatch.setattr(wire, "MOST_RECORD_BYTES", 400)


def test_the_same_seed_is_the_same_run():
    assert run(7, Notes()) == run(7, Notes())


def test_the_runs_get_to_where_it_is_hard():
    notes = Notes()
    for seed in range(40):
        run(seed, notes)
    assert {what for what, times in notes.seen.items() if times} >= {
        "restored from a journal",
        "waited for a dead owner's transaction",
        "refused: UNKNOWN_MEMBER_ID",
        "refused: ILLEGAL_GENERATION",
        "refused: COORDINATOR_LOAD_IN_PROGRESS",
        "connected anew: lost",
        "connected anew: unknown",
        "connected anew: fenced",
        "connected anew: overtaken",
        "a day closed",
        "a closed day was amended",
        "a journal was trimmed",
        "a journal entry has parts",
        "time went on beyond an idle partition's own",
    }
    assert notes.seen["processes"] > 200


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_no_day_closes_before_its_events_are_read_whoever_dies(seed, keyed):
    """Visits that are written in the order of time. Wall clocks that jump by an hour close days of an idle input."""
    arrivals, setting = three_days(in_order=True, keyed=keyed), replace(SETTING, keyed=keyed)
    make = new_task if keyed else new_task_of_an_unkeyed_input
    simulation = Simulation(seed, arrivals, 2, setting, make)
    simulation.never("clock_jumps")
    Ledger(simulation.kafka, simulation.topics)
    with simulation.settled():
        written = simulation.kafka.committed_records("sluice.days")
        told = [msgspec.json.decode(record.value() or b"", type=Receipt) for record in written]
        closed = [receipt for receipt in told if receipt.revision]
        final = {receipt.day: numbers_of_receipt(receipt) for receipt in told}
        assert closed
        assert [receipt.counts.late for receipt in closed] == [0] * len(closed)
        assert [numbers_of_receipt(it).events for it in closed] == [final[it.day].events for it in closed]
