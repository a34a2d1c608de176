"""The gate on records made by hand: what becomes a dead letter and how, what facts tell, and what stays in memory."""

from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from consumer.core.facts import Facts, GateReport
from consumer.core.instant import rfc3339
from consumer.core.record import Headers, Output, StoredRecord
from consumer.core.timestamps import DAY_MS, MINUTE_MS
from consumer.core.wire import MOST_RECORD_BYTES, read_entry, read_facts
from consumer.tasks.gate import GateTask
from consumer.tasks.task import Decision, Moment
from tests.shop_contract import gate_options

if TYPE_CHECKING:
    from consumer.tasks.gate_state import GateOptions

HOUR_MS = 60 * MINUTE_MS
NOON = 1_740_657_600_000
"""2025-02-27T12:00:00Z."""
MINUTE = NOON // MINUTE_MS
WALL_MS = 1_750_000_000_000
BOUGHT = {"transaction_id": "t1", "revenue": 10, "items": [{"item_id": "m"}]}


def event(at: str = "12:00:00", **fields: Any) -> bytes:
    told = {"timestamp": f"2025-02-27T{at}Z", "event_name": "page_viewed", "client_id": "ann", **fields}
    return json.dumps({key: value for key, value in told.items() if value is not ...}).encode()


def checkout(data: Any) -> bytes:
    return event(event_name="checkout_completed", event_data=data)


class Gated:
    """A gate that is fed values, and what came out of it."""

    def __init__(self, options: GateOptions | None = None, log_ms: int | None = NOON) -> None:
        self.options = options or gate_options()
        self.task = GateTask(3, self.options)
        self.task.begin(0)
        self.log_ms = log_ms
        self.journal: list[bytes] = []
        self.outputs: list[Output] = []

    def read(self, *values: bytes | None, wall_ms: int = WALL_MS, at_end: bool = False) -> Decision:
        start = self.task.next_offset or 0
        records = [
            StoredRecord(
                value, b"key", topic="events", partition=3, offset=start + n, timestamp_ms=self.log_ms
            )
            for n, value in enumerate(values)
        ]
        decision = self.task.decide(records, Moment(wall_ms, start + len(values), at_end, 4))
        self.task.apply(decision)
        self.journal += decision.journal
        self.outputs = decision.outputs
        return decision

    def letters(self) -> list[Output]:
        return [output for output in self.outputs if output.topic == "events.dlq"]

    def reports(self) -> list[GateReport]:
        told = [read_facts(output.value) for output in self.outputs if output.topic == "sluice.facts"]
        return [report for report in told if isinstance(report, GateReport)]

    def facts(self) -> Facts:
        facts = Facts()
        for report in self.reports():
            facts.add(report.facts)
        return facts


@pytest.fixture
def gate() -> Gated:
    return Gated()


def header(output: Output, name: str) -> str:
    return (dict(output.headers or [])[name] or b"").decode()


# -- dead letters ------------------------------------------------------------------------------------------------

REJECTED: list[tuple[bytes | None, str, str]] = [
    (None, "tombstone", "$"),
    (b"", "empty", "$"),
    (b"{", "not_json", "$"),
    (b'{"timestamp": \xff}', "not_utf8", "$"),
    (b"[]", "not_an_object", "$"),
    (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep", "$"),
    (event(page_url=None)[:-1] + b', "a": ' + b"[" * 300 + b"]" * 300 + b"}", "too_deep", "$"),
    (b'{"a": ' + b"[" * 301, "too_deep", "$"),
    (event(event_data=...)[:-1] + b', "event_data": ' + b"[" * 301 + b"]" * 301 + b"}", "too_deep", "$"),
    (event(page_url="x" * 1_048_577), "too_big", "$"),
    (b'{"a": "' + b"x" * 1_048_576 + b'"}', "too_big", "$"),
    (event(timestamp=...), "timestamp_missing", "$.timestamp"),
    (event(timestamp=NOON), "timestamp_missing", "$.timestamp"),
    (event(timestamp="today"), "timestamp_invalid", "$.timestamp"),
    (event(event_name=None), "event_name_missing", "$.event_name"),
    (checkout(None), "purchase_data", "$.event_data"),
    (checkout("{"), "purchase_data", "$.event_data"),
    (checkout({**BOUGHT, "transaction_id": " "}), "purchase_id", "$.event_data.transaction_id"),
    (checkout({**BOUGHT, "revenue": 0}), "purchase_revenue", "$.event_data.revenue"),
    (checkout(json.dumps({**BOUGHT, "items": []})), "purchase_items", "$.event_data.items"),
]


@pytest.mark.parametrize(("value", "reason", "path"), REJECTED)
def test_a_dead_letter_says_why_and_where_and_has_its_bytes_unchanged(gate, value, reason, path):
    gate.read(event(), value)
    (letter,) = gate.letters()
    assert (letter.value, letter.key, letter.partition) == (value, b"key", None)
    assert header(letter, "sluice.reason") == reason
    assert json.loads(header(letter, "errors"))[0]["path"] == path
    assert header(letter, "__connect.errors.topic") == "events"
    assert (header(letter, "__connect.errors.partition"), header(letter, "__connect.errors.offset")) == (
        "3",
        "1",
    )
    assert header(letter, "timestamp") == "2025-06-15T15:06:40.000Z"


@pytest.mark.parametrize(("value", "reason", "path"), REJECTED)
def test_an_invalid_purchase_still_visits_and_nothing_else_that_is_rejected_does(gate, value, reason, path):
    gate.read(value)
    visits = sum(minute.events for minute in gate.facts().minutes.values())
    assert visits == reason.startswith("purchase_")
    assert len(gate.task.sessions) == visits


@pytest.mark.parametrize(("ahead_ms", "rejected"), [(0, 0), (1, 1)])
def test_an_event_a_day_beyond_its_log_is_the_last_that_is_believed(ahead_ms, rejected):
    gate = Gated(log_ms=NOON - DAY_MS - ahead_ms)
    gate.read(event())
    assert [header(letter, "sluice.reason") for letter in gate.letters()] == ["timestamp_ahead"] * rejected


@pytest.mark.parametrize(
    ("days", "reason"), [(400, None), (401, "timestamp_ahead"), (-400, None), (-401, "timestamp_too_old")]
)
def test_an_event_over_400_days_from_its_stream_is_no_event(days, reason):
    gate = Gated(log_ms=None)
    gate.read(*[event(client_id=f"c{n}") for n in range(10)])
    far = {400: "2026-04-03", 401: "2026-04-04", -400: "2024-01-24", -401: "2024-01-23"}[days]
    gate.read(event(timestamp=f"{far}T12:00:00Z"))
    assert [header(letter, "sluice.reason") for letter in gate.letters()] == ([reason] if reason else [])


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_a_first_visitor_years_ahead_makes_nobody_too_old(batch):
    gate = Gated(log_ms=None)
    values = [event(timestamp=f"2029-01-01T00:00:{n:02d}Z", client_id="fast") for n in range(20)]
    values += [event(f"12:{n:02d}:00", client_id=f"c{n % 5}") for n in range(60)]
    letters = []
    for start in range(0, len(values), batch):
        gate.read(*values[start : start + batch])
        letters += gate.letters()
    assert letters == []
    gate.read(
        event(timestamp="2029-01-01T00:01:00Z", client_id="fast"), event(timestamp="2020-01-01T00:00:00Z")
    )
    assert [header(letter, "sluice.reason") for letter in gate.letters()] == [
        "timestamp_ahead",
        "timestamp_too_old",
    ]


def test_foreign_headers_of_a_record_stay_with_its_dead_letter(gate):
    headers: Headers = [("trace", b"1"), ("sluice.reason", b"from an earlier failure"), ("trace", None)]
    record = StoredRecord(b"{", topic="events", headers=headers)
    letter = gate.task.decide([record], Moment(WALL_MS, 1)).outputs[0]
    assert [it for it in letter.headers or [] if it[0] == "trace"] == [("trace", b"1"), ("trace", None)]
    assert [it[1] for it in letter.headers or [] if it[0] == "sluice.reason"] == [b"not_json"]


def test_rejects_without_a_time_count_at_their_streams_time():
    gate = Gated(log_ms=None)
    gate.read(event("13:00:00"), b"{")
    assert gate.facts().minutes[MINUTE + 60].rejected == {"not_json": 1}


def test_rejects_before_any_event_wait_until_the_stream_has_a_time(gate):
    gate.read(b"{", b"")
    assert gate.facts().minutes == {}
    gate.read(b"{")
    gate.read(event())
    assert gate.facts().minutes[MINUTE].rejected == {"not_json": 2, "empty": 1}
    gate.read(event())
    assert gate.facts().minutes[MINUTE].rejected == {}


def test_an_event_that_lacks_only_its_name_counts_at_its_own_time():
    gate = Gated(log_ms=None)
    gate.read(event("13:00:00"), event("11:00:00", event_name=None))
    assert gate.facts().minutes[MINUTE - 60].rejected == {"event_name_missing": 1}


def test_a_nameless_event_of_another_age_counts_at_its_streams_time(gate):
    gate.read(event(), event(timestamp="2001-01-01T00:00:00Z", event_name=None))
    assert gate.facts().minutes[MINUTE].rejected == {"event_name_missing": 1}


# -- identity, sessions, purchases ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "client"),
    [
        ({"client_id": "bob"}, "bob"),
        ({"client_id": ..., "clientId": "bob"}, "bob"),
        ({"client_id": "", "clientId": "bob"}, "bob"),
        ({"client_id": " \t", "clientId": "bob"}, "bob"),
        ({"client_id": 5, "clientId": "bob"}, "bob"),
        ({"client_id": "bob", "clientId": "ann"}, "bob"),
        ({"client_id": None}, None),
        ({"client_id": ["bob"]}, None),
    ],
)
def test_identity_is_the_first_of_its_names_that_says_anything(gate, identity, client):
    gate.read(event(**identity))
    assert list(gate.task.sessions) == ([] if client is None else [client])
    assert gate.facts().minutes[MINUTE].identity_missing == (client is None)


def test_an_event_that_moves_a_sessions_beginning_takes_back_what_was_told(gate):
    gate.read(event("12:10:00", referrer="https://search.test/"))
    gate.read(event("12:00:00"))
    minutes = gate.facts().minutes
    assert (minutes[MINUTE + 10].sessions, minutes[MINUTE + 10].direct) == (-1, 0)
    assert (minutes[MINUTE].sessions, minutes[MINUTE].direct) == (1, 1)


def test_a_valid_purchase_is_told_whole_and_is_no_dead_letter(gate):
    gate.read(checkout(BOUGHT), checkout(json.dumps(BOUGHT, indent=2)))
    first, second = gate.facts().purchases
    assert first == second
    assert (first.id, first.at_ms, first.amount) == ("t1", NOON, 10)
    assert gate.letters() == []


def test_an_invalid_purchase_with_an_id_is_told_too_so_that_it_can_collide(gate):
    gate.read(checkout({**BOUGHT, "revenue": -1}))
    (told,) = gate.facts().purchases
    assert told.amount is None


def test_a_huge_number_elsewhere_in_a_purchase_leaves_its_integer_id_an_id(gate):
    gate.read(
        checkout({**BOUGHT, "transaction_id": 7, "note": 1})[:-1].replace(
            b'"note": 1', b'"note": 1e99999999999999999999'
        )
        + b"}"
    )
    (told,) = gate.facts().purchases
    assert (told.id, told.amount) == ("7", 10)


# -- passing -----------------------------------------------------------------------------------------------------


def test_passed_events_are_written_only_where_a_topic_is_named_with_their_day(gate):
    gate.read(event())
    assert {output.topic for output in gate.outputs} == {"sluice.facts"}
    named = Gated(gate_options("Asia/Kathmandu", "events.valid"))
    named.read(event("18:14:59"), event("18:15:00"), b"{", checkout(None))
    passed = [output for output in named.outputs if output.topic == "events.valid"]
    assert [(o.value, o.key, header(o, "sluice-day")) for o in passed] == [
        (event("18:14:59"), b"key", "2025-02-27"),
        (event("18:15:00"), b"key", "2025-02-28"),
    ]


# -- how far its partition is --------------------------------------------------------------------------------------


def test_reports_are_numbered_without_a_hole_across_restarts(gate):
    for expected in (1, 2):
        gate.read(event())
        assert [(r.partition, r.sequence, r.partitions) for r in gate.reports()] == [(3, expected, 4)]
    fresh = GateTask(3, gate.options)
    for data in gate.journal:
        fresh.replay(read_entry(data))
    gate.task = fresh
    gate.read(event())
    assert gate.reports()[0].sequence == 3


def test_idle_is_told_since_the_first_time_that_the_end_was_reached(gate):
    def told() -> tuple[int | None, int | None]:
        (report,) = gate.reports()
        return report.idle_since_ms, report.end_ms

    gate.read(event(), wall_ms=100)
    assert told() == (None, None)
    gate.read(wall_ms=200, at_end=True)
    assert told() == (200, 200)
    gate.read(wall_ms=300, at_end=True)
    assert told() == (200, 300)
    gate.read(event(), wall_ms=400, at_end=True)
    assert told() == (400, 400)
    gate.read(event(), wall_ms=500)
    assert told() == (None, None)
    gate.read(wall_ms=600, at_end=True)
    assert told() == (600, 600)


def test_an_end_that_was_met_and_not_asked_for_is_idle_but_no_end(gate):
    gate.task.apply(gate.task.decide([], Moment(100, 0, at_end=True, input_partitions=4)))
    decision = gate.task.decide([], Moment(200, 0, at_end=True, input_partitions=4, asked=False))
    (report,) = (read_facts(it.value) for it in decision.outputs if it.topic == "sluice.facts")
    assert (report.idle_since_ms, report.end_ms) == (100, None)


def test_an_empty_partition_says_that_it_is_at_its_end_and_knows_no_time(gate):
    gate.read(at_end=True)
    (report,) = gate.reports()
    assert (report.stream_ms, report.end_ms) == (None, WALL_MS)


# -- memory ------------------------------------------------------------------------------------------------------


def test_deciding_changes_nothing_and_says_the_same_again(gate):
    gate.read(event(), checkout(BOUGHT), b"{")
    records = [
        StoredRecord(value, topic="events", partition=3, offset=n)
        for n, value in enumerate([event("12:40:00"), event("11:59:00"), event(client_id="bob"), None])
    ]
    before = deepcopy((gate.task.sessions, gate.task.state))
    first, second = (gate.task.decide(records, Moment(WALL_MS, 9)) for _ in range(2))
    assert (first.outputs, first.journal) == (second.outputs, second.journal)
    assert (gate.task.sessions, gate.task.state) == before


def test_sessions_leave_the_memory_after_gap_and_lateness(monkeypatch):
    monkeypatch.setattr("consumer.core.state.FEWEST_KEYS", 1)
    gate = Gated(log_ms=None)
    for minute in range(0, 20 * 60, 5):
        gate.read(event(f"{minute // 60:02d}:{minute % 60:02d}:00", client_id=f"c{minute}"))
    assert len(gate.task.sessions) < 100
    assert "c0" not in gate.task.sessions


def hostile_values() -> list[bytes]:
    """What would make state and facts large if it could."""
    return [
        *(event(client_id=f"{n}" + "x" * 1_000_000) for n in range(40)),
        *(event(**{f"{n}-{k}" + "\u0001" * 100: None for k in range(50)}) for n in range(500)),
        *(event(event_name=f"{n}" + "\U0001f600" * 5000) for n in range(1000)),
        *(
            event(f"{n % 24:02d}:{n % 60:02d}:{n % 59:02d}", event_name="\u0001" * 90 + f"{n}")
            for n in range(3000)
        ),
        *(
            checkout({**BOUGHT, "transaction_id": f"{n}" + "y" * 10_000, "revenue": 10**14 + n})
            for n in range(300)
        ),
        *(
            event(timestamp=f"2024-{2 + n % 11:02d}-{1 + n % 28:02d}T00:00:00Z", client_id="one")
            for n in range(500)
        ),
    ]


def test_no_record_that_the_gate_writes_is_larger_than_promised_whatever_events_say(gate):
    gate.read(*hostile_values())
    facts = [output.value or b"" for output in gate.outputs if output.topic == "sluice.facts"]
    assert max(map(len, facts)) <= MOST_RECORD_BYTES
    assert max(map(len, gate.journal)) <= MOST_RECORD_BYTES + 1000
    assert sum(minute.events for minute in gate.facts().minutes.values()) == len(hostile_values())


def test_dead_letters_fit_their_topic():
    gate = Gated(replace(gate_options(), most_dead_letter_bytes=1000))
    gate.read(b"{" + b"x" * 2000)
    (letter,) = gate.letters()
    assert letter.value is None
    assert header(letter, "sluice.truncated") == "2001"
    assert header(letter, "__connect.errors.offset") == "0"


def test_a_stream_that_began_with_broken_clocks_finds_its_time(gate):
    gate = Gated(log_ms=None)
    gate.read(*(event(timestamp="2001-01-01T00:00:00Z", client_id=f"old {n}") for n in range(4)))
    lost = 0
    for n in range(200):
        gate.read(event(f"12:{n // 60:02d}:{n % 60:02d}", client_id=f"new {n}"))
        lost += len(gate.letters())
    assert 0 < lost < 40
    assert gate.letters() == []


def test_a_clock_that_was_never_set_makes_no_day_of_its_own_also_where_it_is_the_first_to_be_heard(gate):
    never_set = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1999-12-31T23:59:59.999Z"]
    gate.read(*(event(timestamp=at, client_id=at) for at in never_set))
    assert [header(letter, "sluice.reason") for letter in gate.letters()] == ["timestamp_too_old"] * 3
    assert "timestamp is before 2000-01-01" in header(gate.letters()[0], "errors")
    assert gate.task.stream_ms is None
    gate.read(event(), event(timestamp="1970-01-01T00:00:00Z", client_id="old"))
    assert {minute: it.events for minute, it in gate.facts().minutes.items()} == {MINUTE: 1}
    assert gate.facts().minutes[MINUTE].rejected == {"timestamp_too_old": 4}
    assert gate.task.stream_ms == NOON


def test_old_events_written_now_are_a_stream_of_their_own_time():
    gate = Gated()
    times = ["2000-01-01T00:00:00Z", *(f"2000-01-01T00:00:{n:02d}Z" for n in range(1, 40))]
    gate.read(*(event(timestamp=at, client_id=at) for at in times))
    assert gate.letters() == []
    assert gate.task.stream_ms == 946_684_839_000


def test_no_clock_of_the_log_vouches_for_a_time_before_all_events():
    gate = Gated(log_ms=1000)
    gate.read(event(timestamp="1970-01-01T00:00:01Z"))
    assert len(gate.letters()) == 1


def test_the_logs_own_clock_vouches_for_an_event_far_from_its_stream(gate):
    gate.read(*(event(timestamp="2001-01-01T00:00:00Z", client_id=f"old {n}") for n in range(4)))
    gate.read(*(event("11:59:59", client_id=f"new {n}") for n in range(3)))
    assert gate.letters() == []


def test_a_live_stream_of_nothing_but_broken_records_goes_on_with_the_logs_clock(gate):
    gate.read(*(event("11:59:30", client_id=f"c{n}") for n in range(3)))
    assert gate.task.stream_ms == NOON - 30_000
    for minute in (10, 20):
        gate.log_ms = NOON + minute * 60_000
        gate.read(b"{")
        assert list(gate.facts().minutes) == [NOON // 60_000 + minute]
    assert gate.task.stream_ms == NOON + 18 * 60_000
    gate.read(event("12:19:00"))
    assert gate.letters() == []


def test_a_broken_record_in_a_backlog_that_is_read_at_once_moves_no_time(gate):
    gate.log_ms = NOON + 50 * 60_000
    gate.read(*(event(f"11:59:{n}", client_id=f"c{n}") for n in range(10, 50)))
    gate.read(b"{", event("12:10:00", client_id="late"), b"{")
    assert gate.task.stream_ms == NOON + 10 * 60_000
    assert sorted(gate.facts().minutes) == [NOON // 60_000 - 1, NOON // 60_000 + 10]


def test_when_garbage_came_is_the_same_in_any_batches_also_after_a_clock_took_its_word_back():
    def said(client: str, after_ms: int) -> bytes:
        return event(timestamp=rfc3339(NOON + after_ms), client_id=client)

    before = [said("late", -27 * MINUTE_MS), said("early", 8 * MINUTE_MS)]
    before += [said(f"v{number}", -27 * MINUTE_MS - number * 1000) for number in range(12)]
    before += [
        said("x", -10 * MINUTE_MS),
        said("z", -27 * MINUTE_MS),
        said("a", -4 * MINUTE_MS),
        said("far", 11 * HOUR_MS),
    ]
    after = [said("far", 2 * MINUTE_MS), b"{nope"]

    def told(*batches: list[bytes]) -> dict[int, int]:
        gate = Gated(log_ms=NOON + 20 * HOUR_MS)
        found: Counter[int] = Counter()
        for batch in batches:
            gate.read(*batch)
            minutes = gate.facts().minutes
            found += Counter({at: facts.rejected.get("not_json", 0) for at, facts in minutes.items()})
        return found

    together = told([*before, b"{nope", *after])
    assert sum(together.values()) == 2
    assert told([*before, b"{nope"], after) == together
