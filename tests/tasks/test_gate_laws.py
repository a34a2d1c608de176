"""Laws of the gate: no batching, no abort and no restart changes what it says, and no event makes it large.

`test_gate.py` has what it says of single events.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from copy import deepcopy
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.core.facts import Facts
from consumer.core.instant import rfc3339
from consumer.core.record import StoredRecord
from consumer.core.sessions import place
from consumer.core.timestamps import MINUTE_MS, parse
from consumer.core.wire import MOST_RECORD_BYTES, read_entry, read_facts
from consumer.tasks.gate import GateTask
from consumer.tasks.task import Moment
from tests.shop_contract import gate_options
from tests.strategies import streams

WALL_MS = 1_750_000_000_000
NOON = parse("2025-02-23T12:00:00Z")
OPTIONS = gate_options(valid_topic="events.valid")


def records_of(stream):
    return [
        StoredRecord(
            made.value, (made.client or "").encode(), topic="events", offset=n, timestamp_ms=made.log_time
        )
        for n, made in enumerate(stream)
    ]


def events(*told, **fields):
    """One record a dict, a minute apart within eight hours."""
    good = {"event_name": "page_viewed", "client_id": "ann"} | fields
    return [
        StoredRecord(
            json.dumps(
                {"timestamp": f"2025-02-23T{12 + n // 60 % 8:02}:{n % 60:02}:00Z"} | good | it
            ).encode()
        )
        for n, it in enumerate(told)
    ]


class Run:
    """A gate that reads, and all that it wrote."""

    def __init__(self, options=OPTIONS):
        self.task = GateTask(0, options)
        self.decisions = []

    def read(self, records, moment=None):
        reached = (self.task.next_offset or 0) + len(records)
        decision = self.task.decide(records, moment or Moment(WALL_MS, reached))
        self.task.apply(decision)
        self.decisions.append(decision)
        return decision

    def written(self, topic):
        return [(o.key, o.value, o.headers) for d in self.decisions for o in d.outputs if o.topic == topic]

    def facts(self):
        total = Facts()
        for _, value, _ in self.written("sluice.facts"):
            total.add(read_facts(value).facts)
        return total

    def journal(self):
        return [read_entry(data) for decision in self.decisions for data in decision.journal]


def state_of(task):
    """Everything that a gate remembers, with the order that decides which voice leaves first."""
    return deepcopy(task.sessions), deepcopy(task.state), list(task.state.clock.voices), task.next_offset


def restored(entries, options=OPTIONS):
    task = GateTask(0, options)
    for entry in entries:
        task.replay(entry)
    task.restored()
    return task


def told(facts):
    """What facts say, without the order of anything, without the minute of rejects that have no time of their own, and
    without the kinds of values, which are a sample."""
    minutes = {minute: deepcopy(it) for minute, it in facts.minutes.items()}
    rejected = Counter()
    for minute in minutes.values():
        rejected.update(minute.rejected)
        minute.rejected.clear()
        minute.kinds.clear()
    return {
        minute: it for minute, it in minutes.items() if any(it.tables()) or it.events or it.sessions
    }, rejected


def said(decision):
    """What a decision says: facts by their content, since a session that is gone may or may not be dropped yet, and the
    order of minutes shows it."""
    return [o if o.topic != "sluice.facts" else read_facts(o.value) for o in decision.outputs]


def mixed(stream, seed):
    """The stream as it is, or in any order at all."""
    if seed is not None:
        random.Random(seed).shuffle(stream)
    return stream


STREAMS = st.builds(mixed, streams() | streams(log_times=False), st.none() | st.integers())
SIZES = st.lists(st.integers(0, 8), max_size=6)


def batches(records, sizes):
    start = 0
    for size in [*sizes, len(records)]:
        yield records[start : start + size]
        start += size


@given(STREAMS, SIZES)
@settings(deadline=None, max_examples=60)
def test_the_same_records_in_any_batches_give_the_same_state_and_the_same_outputs(stream, sizes):
    records = records_of(stream)
    whole, pieces = Run(), Run()
    whole.read(records)
    for batch in batches(records, sizes):
        pieces.read(batch)
    assert state_of(pieces.task) == state_of(whole.task)
    assert told(pieces.facts()) == told(whole.facts())
    assert pieces.facts().purchases == whole.facts().purchases
    assert pieces.facts().voices_ahead == whole.facts().voices_ahead
    assert set(pieces.facts().clients) == set(whole.facts().clients)
    for topic in ("events.dlq", "events.valid"):
        assert pieces.written(topic) == whole.written(topic)


@given(STREAMS, SIZES)
@settings(deadline=None, max_examples=40)
def test_a_batch_that_is_aborted_leaves_no_trace_and_is_decided_the_same_again(stream, sizes):
    records = records_of(stream)
    run, quiet = Run(), Run()
    for batch in batches(records, sizes):
        before = state_of(run.task)
        aborted = run.task.decide(batch, Moment(WALL_MS, (run.task.next_offset or 0) + len(batch)))
        run.task.decide(records, Moment(WALL_MS, 10_000))
        assert state_of(run.task) == before
        again = run.read(batch)
        assert (again.outputs, again.journal, again.tally) == (
            aborted.outputs,
            aborted.journal,
            aborted.tally,
        )
        assert quiet.read(batch).outputs == again.outputs


@given(STREAMS, SIZES, st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_restart_changes_nothing(stream, sizes, at_end):
    records = records_of(stream)
    run, steady = Run(), Run()
    for batch in batches(records, sizes):
        run.task = restored(run.journal()) if run.decisions else run.task
        reached = (steady.task.next_offset or 0) + len(batch)
        decision = steady.read(batch, Moment(WALL_MS, reached, at_end))
        assert said(run.read(batch, Moment(WALL_MS, reached, at_end))) == said(decision)
        assert state_of(restored(run.journal())) == state_of(run.task)


def test_the_journal_from_the_beginning_of_the_last_whole_turn_restores_the_state():
    run = Run()
    for number in range(60):
        run.read(events(*({"client_id": f"client {number} {n}"} for n in range(59))))
    entries = run.journal()
    completes = max(n for n, entry in enumerate(entries) if entry.turn.completes)
    begins = max(n for n, entry in enumerate(entries[: completes + 1]) if entry.turn.begins)
    assert 0 < begins <= completes < len(entries) - 1
    assert state_of(restored(entries[begins:]))[0] == run.task.sessions
    assert restored(entries[begins:]).next_offset == run.task.next_offset == 60 * 59


def test_entries_that_come_in_parts_restore_the_state_as_well():
    run = Run()
    for number in range(2):
        run.read(events(*({"client_id": f"{number} {n} " + "x" * 200} for n in range(4_500))))
    assert max(entry.parts for entry in run.journal()) > 1
    assert state_of(restored(run.journal())) == state_of(run.task)


# -- sessions to the millisecond -----------------------------------------------------------------------------------

GAP, MEMORY = 30 * MINUTE_MS, 90 * MINUTE_MS


def at(ms, client="ann"):
    event = {"timestamp": rfc3339(NOON + ms), "event_name": "page_viewed", "client_id": client}
    return StoredRecord(json.dumps(event).encode(), timestamp_ms=NOON + ms)


@pytest.mark.parametrize(("pause_ms", "sessions"), [(GAP - 1, 1), (GAP, 1), (GAP + 1, 2)])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_a_gap_of_exactly_thirty_minutes_continues_the_session(pause_ms, sessions, backwards, apart):
    run, pair = Run(), [at(0), at(pause_ms)]
    pair = pair[::-1] if backwards else pair
    for batch in [pair[:1], pair[1:]] if apart else [pair]:
        run.read(batch)
    assert sum(minute.sessions for minute in run.facts().minutes.values()) == sessions
    assert len(run.task.sessions["ann"]) == 4 * sessions


@pytest.mark.parametrize(("stream_ms", "sessions"), [(MEMORY, 1), (MEMORY + 1, 2)])
def test_a_session_is_joined_for_exactly_gap_and_lateness_of_stream_time(stream_ms, sessions):
    run = Run()
    run.read([at(0), *(at(stream_ms, f"client {n}") for n in range(8)), at(GAP)])
    assert run.task.stream_ms == NOON + stream_ms
    assert sum(minute.sessions for minute in run.facts().minutes.values()) == sessions + 8


@given(
    st.lists(st.sampled_from([0, 1, MINUTE_MS, GAP, GAP + 1, MEMORY, MEMORY + 1]), max_size=12),
    st.sampled_from([0, MINUTE_MS, 5 * MEMORY]),
    st.randoms(),
)
@settings(deadline=None, max_examples=50)
def test_the_short_way_of_an_ordinary_event_gives_what_placing_it_gives(steps, ahead, shuffled):
    moments = list(accumulate(steps, initial=0))
    if len(steps) % 2:
        shuffled.shuffle(moments)
    run, sessions = Run(), ()
    run.read([at(ahead, "bob")])
    for ms in moments:
        run.read([at(ms)])
        sessions, _ = place(sessions, NOON + ms, run.task.state.clock.now_ms, OPTIONS.sessions, lambda: True)
        assert run.task.sessions["ann"] == sessions


# -- nothing that events say makes the gate large ------------------------------------------------------------------


def test_unknown_keys_without_end_neither_fill_a_record_nor_are_miscounted():
    rows = [{f"{number:05} {key:02} " + "\0" * 55: None for key in range(20)} for number in range(10_000)]
    run = Run()
    run.read(events(*rows))
    facts = run.written("sluice.facts")
    assert max(len(value) for _, value, _ in facts) <= MOST_RECORD_BYTES + 1000
    assert sum(len(value) for _, value, _ in facts) < 20 * MOST_RECORD_BYTES
    minutes = run.facts().minutes
    assert sum(minute.events for minute in minutes.values()) == 10_000
    assert sum(sum(minute.unknown.values()) for minute in minutes.values()) == 200_000
    assert max(len(minute.unknown) for minute in minutes.values()) == 51


def test_event_names_without_end_are_counted_together():
    run = Run()
    run.read(events(*({"event_name": f"name {n}", "timestamp": "2025-02-23T12:00:00Z"} for n in range(3000))))
    (minute,) = run.facts().minutes.values()
    assert len(minute.names) <= 501
    assert sum(minute.names.values()) == 3000


@pytest.mark.parametrize("length", [255, 256, 257, 100_000])
def test_a_client_id_without_end_is_still_one_client_and_takes_little_room(length):
    run = Run()
    run.read(events({}, {}, client_id="x" * length))
    ((client, sessions),) = run.task.sessions.items()
    assert len(client) <= 256
    assert len(sessions) == 4
    assert list(run.task.state.clock.voices) == [client]


@pytest.mark.parametrize("timestamp", ["9999-12-31T23:59:59.999Z", "2000-01-01T00:00:00Z"])
def test_an_event_at_any_end_of_what_can_be_is_counted_in_its_minute(timestamp):
    run = Run()
    run.read(events({}, timestamp=timestamp))
    assert {minute: it.events for minute, it in run.facts().minutes.items()} == {
        parse(timestamp) // 60_000: 1
    }


@given(st.lists(st.binary(max_size=40) | st.none(), max_size=5))
@settings(deadline=None, max_examples=50)
def test_no_bytes_raise_and_each_is_a_dead_letter(values):
    run = Run()
    decision = run.read([StoredRecord(value) for value in values])
    assert len(run.written("events.dlq")) == len(values) == sum(decision.tally.rejected.values())
