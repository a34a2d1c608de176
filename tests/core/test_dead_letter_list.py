"""Dead letters chosen and counted."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core import dead_letter_list
from consumer.core.dead_letter_list import REST, Column, Groups, Reading, Seen, Wanted, paths
from consumer.core.dead_letters import Outcome, read_letter
from consumer.core.record import StoredRecord
from consumer.core.rejection import Origin, Reason, Rejection, dead_letter
from consumer.core.requeue import Counted
from consumer.core.timestamps import MINUTE_MS
from consumer.core.zone import DayZone
from tests.shop_contract import CONTRACT

BERLIN = Reading(CONTRACT, DayZone(ZoneInfo("Europe/Berlin"), "Europe/Berlin"))
LATE = 1_740_351_600_000
"""2025-02-23T23:00:00Z, the first minute of the 24th in Berlin."""
COUNTED_AT = LATE // MINUTE_MS - 24 * 60 - 1
"""In the last minute of the 22nd."""
REASONS = [Reason.NOT_JSON, Reason.TIMESTAMP_INVALID]


def letter(
    reason=Reason.TIMESTAMP_INVALID,
    value=b'{"event_name":"page_viewed"}',
    at_ms=LATE,
    path="$.timestamp",
    minute=COUNTED_AT,
):
    record = StoredRecord(value, topic="events", partition=1, offset=2)
    counted = Counted(reason.value, minute)
    output = dead_letter("dlq", record, Rejection(reason, "why", path), Origin("sluice", "1"), "", counted)
    return read_letter(StoredRecord(output.value, headers=output.headers, timestamp_ms=at_ms))


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        (Column.REASON, "timestamp_invalid"),
        (Column.FIELD, "timestamp"),
        (Column.EVENT, "page_viewed"),
        (Column.DAY, "2025-02-22"),
        (Column.HOUR, "2025-02-24T00"),
        (Column.PARTITION, "3"),
        (Column.OUTCOME, "open"),
    ],
)
def test_a_column_says_what_it_is_about(column, cell):
    assert BERLIN.cell(column, letter(), Outcome.OPEN, "3/42") == cell


def test_what_no_day_counts_yet_has_none():
    assert BERLIN.day(letter(minute=None)) == ""


@pytest.mark.parametrize(
    "value", [None, b"", b"no json", b"[]", b"{}", b'{"event_name":7}', b"\xff", b"[" * 100_000]
)
def test_what_has_no_name_has_none(value):
    assert BERLIN.event(letter(value=value)) == ""


@pytest.mark.parametrize(
    ("wanted", "has"),
    [
        (Wanted(), True),
        (Wanted(reasons=frozenset({"timestamp_invalid"})), True),
        (Wanted(reasons=frozenset({"not_json"})), False),
        (Wanted(fields=paths(["$.timestamp"])), True),
        (Wanted(fields=paths(["event_name"])), False),
        (Wanted(events=frozenset({"page_viewed"})), True),
        (Wanted(events=frozenset({"other"})), False),
        (Wanted(days=frozenset({"2025-02-22", "2025-02-20"})), True),
        (Wanted(days=frozenset({"2025-02-24"})), False),
        (Wanted(since_ms=LATE, until_ms=LATE + 1), True),
        (Wanted(since_ms=LATE + 1), False),
        (Wanted(until_ms=LATE), False),
    ],
)
def test_filters_choose(wanted, has):
    assert wanted.has(letter(), BERLIN) is has
    assert wanted.is_everything is (wanted == Wanted())


SEEN = st.lists(
    st.tuples(st.sampled_from(REASONS), st.sampled_from(list(Outcome)), st.integers(0, 9)), max_size=20
)


@given(SEEN)
def test_every_dead_letter_is_counted_in_one_group(seen):
    groups = Groups([Column.REASON], BERLIN)
    for number, (reason, outcome, at_ms) in enumerate(seen):
        groups.add(Seen(letter(reason, at_ms=at_ms), outcome, f"0/{number}"))
    told = groups.ordered()
    assert sum(group.count for group in told) == groups.outcomes().total() == len(seen)
    assert [group.count for group in told] == sorted((group.count for group in told), reverse=True)
    for group in told:
        mine = [(outcome, at, n) for n, (reason, outcome, at) in enumerate(seen) if reason == group.cells[0]]
        assert (group.first_ms, group.last_ms) == (min(m[1] for m in mine), max(m[1] for m in mine))
        newest = [n for outcome, _, n in mine if outcome == "open"] or [n for _, _, n in mine]
        assert group.example == f"0/{newest[-1]}"


def test_groups_without_end_share_one(monkeypatch):
    monkeypatch.setattr(dead_letter_list, "MOST_GROUPS", 3)
    groups = Groups([Column.EVENT], BERLIN)
    for number in range(9):
        groups.add(Seen(letter(value=b'{"event_name":"n%d"}' % number), Outcome.OPEN, "0/1"))
    assert sorted((group.cells[0], group.count) for group in groups.ordered()) == [
        ("n0", 1), ("n1", 1), ("n2", 1), (REST, 6),
    ]  # fmt: skip
