"""Laws of the watch: no order of facts, no batching, no abort and no restart changes the days.

`test_watch.py` has what it says of single facts.
"""

from __future__ import annotations

import json
import random
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.days import Receipt
from consumer.core.facts import Command, Facts, GateReport, MinuteFacts
from consumer.core.purchases import PurchaseFact
from consumer.core.record import StoredRecord
from consumer.core.timestamps import DAY_MS, MINUTE_MS, parse
from consumer.core.wire import read_entry, to_json
from consumer.tasks.pipeline import Pipeline
from consumer.tasks.task import Moment
from consumer.tasks.watch import WatchTask
from detectors.alerts import Alert
from detectors.purchases import COLLISION, INVALID
from tests.day_numbers import latest_receipts, numbers_of_day
from tests.shop_contract import gate_options, watch_options

WALL_MS = 1_750_000_000_000
START = parse("2025-02-27T00:00:00Z")
AMOUNTS = {"x": Decimal("10.00"), "y": Decimal("0.1"), "bad": None}

PURCHASES = st.builds(
    lambda name, at, content: PurchaseFact(name, START + at, content, AMOUNTS[content]),
    st.sampled_from(["t1", "t2", "t3"]),
    st.sampled_from([0, 1, DAY_MS - 1, DAY_MS, 2 * DAY_MS]),
    st.sampled_from(["x", "x", "x", "y", "bad"]),
)
MINUTES = st.dictionaries(
    st.integers(0, 3 * 24 * 4).map(lambda quarter: START // MINUTE_MS + 15 * quarter),
    st.builds(
        lambda events, sessions, rejected: MinuteFacts(events, 0, sessions, 0, rejected),
        st.integers(1, 9),
        st.integers(-2, 3),
        st.sampled_from([{}, {"purchase_id": 1}, {"not_json": 2}]),
    ),
    max_size=4,
)
FACTS = st.lists(st.builds(Facts, MINUTES, st.lists(PURCHASES, max_size=3)), min_size=1, max_size=8)


def records_of(facts, *, stream_ms=lambda n: START + n * DAY_MS // 2):
    """One report a batch of facts, from one partition whose time goes on by half days."""
    return [
        StoredRecord(to_json(GateReport(0, n, 1, "shop 1", WALL_MS, stream_ms(n), facts=it)))
        for n, it in enumerate(facts, 1)
    ]


class Run:
    """A watch that reads, and all that it wrote."""

    def __init__(self):
        self.task = WatchTask(watch_options())
        self.decisions = []

    def read(self, records):
        self.take(self.task.decide(records, Moment(WALL_MS, (self.task.next_offset or 0) + len(records))))

    def take(self, decision):
        self.task.apply(decision)
        self.decisions.append(decision)

    def end(self):
        self.take(self.task.close_all(Moment(WALL_MS, self.task.next_offset or 0)))
        return self

    def journal(self):
        return [read_entry(data) for decision in self.decisions for data in decision.journal]

    def written(self):
        return [output for decision in self.decisions for output in decision.outputs]

    def days(self):
        return {day: numbers_of_day(sums) for day, sums in self.task.state.days.items() if sums.events}

    def receipts(self):
        """The last receipt of every day, without how far event time was when it was written."""
        receipts = latest_receipts(o for o in self.written() if o.topic == "sluice.days")
        return {day: msgspec.structs.replace(it, watermark=None) for day, it in receipts.items()}

    def alerts(self):
        told = [
            msgspec.json.decode(o.value, type=Alert) for o in self.written() if o.topic == "sluice.alerts"
        ]
        return {alert.id: alert for alert in told}


def run(records, sizes=()):
    made, start = Run(), 0
    for size in [*sizes, len(records)]:
        made.read(records[start : start + size])
        start += size
    return made


def restored(entries):
    task = WatchTask(watch_options())
    for entry in entries:
        task.replay(entry)
    task.restored()
    return task


def of_purchases(alerts):
    """The alerts that do not depend on when facts came: the others are judged by the minute, once."""
    return {name: alert for name, alert in alerts.items() if alert.kind in (COLLISION, INVALID)}


@given(FACTS, st.integers())
@settings(deadline=None)
def test_any_order_of_the_same_facts_gives_the_same_days_and_the_same_alerts(facts, seed):
    first = run(records_of(facts)).end()
    random.Random(seed).shuffle(facts)
    second = run(records_of(facts)).end()
    assert second.days() == first.days()
    others = of_purchases(second.alerts())
    assert others.keys() == of_purchases(first.alerts()).keys()
    for name, alert in of_purchases(first.alerts()).items():
        other = others[name]
        assert (other.count, other.first_seen, other.severity) == (
            alert.count,
            alert.first_seen,
            alert.severity,
        )


@given(FACTS, st.lists(st.integers(0, 3), max_size=4))
@settings(deadline=None)
def test_the_same_facts_in_any_batches_give_the_same_state_and_the_same_last_receipts(facts, sizes):
    records = records_of(facts)
    whole, pieces = run(records).end(), run(records, sizes).end()
    assert pieces.task.state == whole.task.state
    assert pieces.alerts() == whole.alerts()
    assert pieces.receipts() == whole.receipts()


@given(FACTS)
@settings(deadline=None, max_examples=50)
def test_a_batch_that_is_aborted_leaves_no_trace_and_is_decided_the_same_again(facts):
    made = Run()
    for record in records_of(facts):
        before = deepcopy(made.task.state)
        moment = Moment(WALL_MS, 7)
        first = made.task.decide([record], moment)
        closing = made.task.close_all(moment)
        again = made.task.decide([record], moment)
        assert made.task.state == before
        assert (again.outputs, again.journal, again.tally) == (first.outputs, first.journal, first.tally)
        assert made.task.close_all(moment).outputs == closing.outputs
        made.read([record])


@given(FACTS, st.lists(st.integers(0, 3), max_size=4))
@settings(deadline=None, max_examples=50)
def test_what_is_restored_from_the_journal_is_the_state_itself(facts, sizes):
    made = run(records_of(facts), sizes).end()
    task = restored(made.journal())
    assert task.state == made.task.state
    assert task.next_offset == made.task.next_offset
    for day, sums in made.task.state.days.items():
        assert str(task.state.days[day].revenue) == str(sums.revenue)


def test_the_journal_from_the_beginning_of_the_last_whole_turn_restores_the_state():
    made = Run()
    facts = [
        Facts(
            {START // MINUTE_MS + n: MinuteFacts(1)},
            [PurchaseFact(f"{n} {k}", START, "x", None) for k in range(60)],
        )
        for n in range(60)
    ]
    for record in records_of(facts):
        made.read([record])
    entries = made.journal()
    completes = max(n for n, entry in enumerate(entries) if entry.turn.completes)
    begins = max(n for n, entry in enumerate(entries[: completes + 1]) if entry.turn.begins)
    assert 0 < begins <= completes < len(entries) - 1
    assert restored(entries[begins:]).state == made.task.state


# -- operators ---------------------------------------------------------------------------------------------------


def test_a_release_of_a_day_that_is_not_quarantined_does_not_release_what_comes_later():
    made, closing = Run(), START + DAY_MS + 60 * MINUTE_MS
    first, second = (PurchaseFact("t1", START, content, AMOUNTS[content]) for content in "xy")
    made.read(records_of([Facts({START // MINUTE_MS: MinuteFacts(1)}, [first])], stream_ms=lambda _: closing))
    made.read([StoredRecord(to_json(Command("release", "2025-02-27", "ann", "in advance", WALL_MS)))])
    assert made.receipts()["2025-02-27"].revision == 1
    report = GateReport(0, 2, 1, "shop 1", WALL_MS, closing, facts=Facts({}, [second]))
    made.read([StoredRecord(to_json(report))])
    assert made.receipts()["2025-02-27"].status == "quarantined"


# -- the ends of the calendar ------------------------------------------------------------------------------------


def bought(at, client, revenue=1):
    data = {"transaction_id": "t1", "revenue": revenue, "items": [1]}
    event = {"timestamp": at, "event_name": "checkout_completed", "client_id": client, "event_data": data}
    return StoredRecord(json.dumps(event).encode())


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize(
    ("at", "day"), [("0001-01-01T00:00:00Z", "0001-01-01"), ("9999-12-31T23:59:59Z", "9999-12-31")]
)
def test_the_first_and_the_last_day_of_the_calendar_close_as_others_do(zone, at, day):
    gate = replace(gate_options(zone), earliest_ms=parse("0001-01-01T00:00:00Z"))
    pipeline = Pipeline(gate, watch_options(zone))
    pipeline.feed([bought(at, f"c{n}", n) for n in range(20)], wall_ms=WALL_MS, at_end=True)
    pipeline.feed([], wall_ms=WALL_MS + 30 * DAY_MS, at_end=True)
    outputs = pipeline.end(WALL_MS + 30 * DAY_MS)
    sums = pipeline.watch.state.days[day]
    assert (sums.events, sums.sessions, sums.status()) == (20, 20, "quarantined")
    for output in outputs:
        if output.topic == "sluice.days":
            assert msgspec.json.decode(output.value, type=Receipt).day == day
    assert all(incident.alert.state == "expired" for incident in pipeline.watch.state.alerts.values())
