"""Two weeks with faults in them: batches, restarts and caches change nothing of what is found, or is remembered."""

from __future__ import annotations

import importlib
import pkgutil
import random
from decimal import Decimal

import pytest

import consumer.tasks
import detectors
from consumer.core.facts import Command, Facts, GateReport, MinuteFacts
from consumer.core.purchases import PurchaseFact
from consumer.core.record import StoredRecord
from consumer.core.timestamps import MINUTE_MS, parse
from consumer.core.wire import to_json
from tests.tasks.test_watch_laws import START, WALL_MS, Run, restored

A_DAY = 144
"""Reports of ten minutes each."""
NO_PURCHASES = range(7 * A_DAY + 72, 8 * A_DAY)
HALF_FROM = 9 * A_DAY
ACCEPTED_AT = 13 * A_DAY + 75
END = 14 * A_DAY


def report(n: int, rng: random.Random) -> StoredRecord:
    """Ten minutes of a shop that sells little before noon: from the eighth noon on nothing for half a day, and from the
    tenth day on there are half the visits."""
    first, sessions = START // MINUTE_MS + 10 * n, rng.randint(6, 9) // (2 if n >= HALF_FROM else 1)
    minutes = {
        first + at: MinuteFacts(3 * sessions, 0, sessions, sessions // 3, names={"page_viewed": 3 * sessions})
        for at in (2, 7)
    }
    sold = n not in NO_PURCHASES and (n % A_DAY >= A_DAY // 2 or rng.random() < 0.15)
    bought = [first + rng.randrange(10)] if sold else []
    purchases = [PurchaseFact(f"t{n}", at * MINUTE_MS, "x", Decimal(rng.randint(50, 90))) for at in bought]
    stream_ms = (first + 10) * MINUTE_MS
    return StoredRecord(
        to_json(GateReport(0, n + 1, 1, "shop 1", WALL_MS, stream_ms, facts=Facts(minutes, purchases)))
    )


def read(records: list[StoredRecord], size: int, *, restart: bool = False) -> Run:
    """All of them in batches of a size; before each of them a new process, if wanted, that knows only the journal."""
    made = Run()
    for start in range(0, len(records), size):
        if restart:
            made.task = restored(made.journal())
        made.read(records[start : start + size])
    return made


@pytest.fixture(scope="module")
def records() -> list[StoredRecord]:
    rng = random.Random(2)
    found = [report(n, rng) for n in range(END)]
    (alert,) = [
        it for it in read(found[:ACCEPTED_AT], END).alerts().values() if it.kind == "sessions_anomaly"
    ]
    order = Command("accept", alert.id, "ann", "fewer campaigns", WALL_MS, {"from": "2025-03-08"})
    return [*found[:ACCEPTED_AT], StoredRecord(to_json(order)), *found[ACCEPTED_AT:]]


@pytest.fixture(scope="module")
def whole(records: list[StoredRecord]) -> Run:
    return read(records, len(records))


def test_the_faults_are_told_once_and_an_accepted_level_is_normal_from_then_on(whole: Run) -> None:
    told = {alert.kind: alert for alert in whole.alerts().values()}
    assert len(told) == len(whole.alerts())
    assert told["purchase_silence"].first_seen.startswith("2025-03-06T11:5")
    assert told["sessions_anomaly"].evidence["accepted"] == "accepted by ann: fewer campaigns"
    assert {told[kind].state for kind in ("purchase_silence", "sessions_anomaly")} == {"resolved"}


@pytest.mark.parametrize("size", [17, 500])
def test_batches_of_any_size_find_and_remember_the_same(
    records: list[StoredRecord], whole: Run, size: int
) -> None:
    pieces = read(records, size)
    assert pieces.alerts() == whole.alerts()
    assert pieces.task.state == whole.task.state


def test_a_restart_before_each_batch_finds_and_remembers_the_same(
    records: list[StoredRecord], whole: Run
) -> None:
    pieces = read(records, 40, restart=True)
    assert pieces.alerts() == whole.alerts()
    assert pieces.task.state == whole.task.state


def test_a_silence_is_told_as_soon_as_event_time_reaches_it(records: list[StoredRecord], whole: Run) -> None:
    silence = next(it for it in whole.alerts().values() if it.kind == "purchase_silence")
    made, first = read(records[: NO_PURCHASES.start], END), NO_PURCHASES.start
    while silence.id not in made.alerts():
        made.read([records[first]])
        first += 1
    told_ms = START + 10 * first * MINUTE_MS
    assert 0 < told_ms - parse(silence.opened_at) <= 15 * MINUTE_MS


def test_no_sum_of_floats_is_left_to_the_python_that_runs_it(
    records: list[StoredRecord], whole: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 3.12 on `sum` rounds floats better than before, so that a replay would differ in the last digits."""
    summed = []

    def only_whole(numbers, start=0):  # type: ignore[no-untyped-def]
        numbers = list(numbers)
        assert not any(isinstance(number, float) for number in numbers), numbers
        summed.append(numbers)
        return sum(numbers, start)

    for package in (detectors, consumer.tasks):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            monkeypatch.setattr(importlib.import_module(found.name), "sum", only_whole, raising=False)
    assert read(records, len(records)).alerts() == whole.alerts()
    assert summed
