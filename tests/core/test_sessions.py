"""Sessions: the 30-minute gap to the millisecond, in whatever order the events come."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.sessions import MOST_SESSIONS, WIDTH, SessionRules, gone, place
from consumer.core.timestamps import MINUTE_MS

MINUTE = MINUTE_MS
GAP = 30 * MINUTE
HOUR = 60 * MINUTE
RULES = SessionRules()
NOON = 1_740_312_000_000
NOON_MINUTE = NOON // MINUTE


def placed(*events, rules=RULES):
    """Sessions and their changes by minute after events of (time, directness), each at its stream's newest time."""
    sessions, total, now = (), {}, 0
    for at, direct in events:
        now = max(now, at)
        sessions, deltas = place(sessions, at, now, rules, lambda direct=direct: direct)
        for minute, count, directly in deltas:
            was = total.get(minute, (0, 0))
            total[minute] = (was[0] + count, was[1] + directly)
    return sessions, {minute: change for minute, change in total.items() if change != (0, 0)}


def spans(sessions):
    return [sessions[i : i + 3] for i in range(0, len(sessions), WIDTH)]


def never():
    pytest.fail("directness was asked for although the event is not the first of its session")


def test_the_gap_is_thirty_minutes_and_the_memory_ninety():
    assert (RULES.gap_ms, RULES.memory_ms) == (GAP, 90 * MINUTE)


def test_the_first_event_opens_a_session():
    assert place((), NOON, NOON, RULES, lambda: True) == ((NOON, NOON, 1, 0), [(NOON_MINUTE, 1, 1)])
    assert place((), NOON, NOON, RULES, lambda: False) == ((NOON, NOON, 0, 0), [(NOON_MINUTE, 1, 0)])


@pytest.mark.parametrize("pause", [0, 1, GAP - 1, GAP])
def test_a_gap_of_at_most_thirty_minutes_continues_the_session(pause):
    sessions = (NOON, NOON + 5, 1, 0)
    after, deltas = place(sessions, NOON + 5 + pause, NOON + 5 + pause, RULES, never)
    assert (after, deltas) == ((NOON, NOON + 5 + pause, 1, 0), [])


def test_a_gap_of_one_millisecond_over_thirty_minutes_opens_another_session():
    at = NOON + GAP + 1
    after, deltas = place((NOON, NOON, 1, 0), at, at, RULES, lambda: False)
    assert spans(after) == [(NOON, NOON, 1), (at, at, 0)]
    assert deltas == [(at // MINUTE, 1, 0)]


@pytest.mark.parametrize("pause", [1, GAP - 1, GAP])
def test_an_earlier_event_within_the_gap_becomes_the_first_and_tells_the_directness_anew(pause):
    at = NOON - pause
    after, deltas = place((NOON, NOON + 5, 1, 0), at, NOON + 5, RULES, lambda: False)
    assert spans(after) == [(at, NOON + 5, 0)]
    assert deltas == [(NOON_MINUTE, -1, -1), (at // MINUTE, 1, 0)]


def test_an_earlier_event_beyond_the_gap_opens_a_session_of_its_own_before():
    at = NOON - GAP - 1
    after, deltas = place((NOON, NOON, 1, 0), at, NOON, RULES, lambda: False)
    assert spans(after) == [(at, at, 0), (NOON, NOON, 1)]
    assert deltas == [(at // MINUTE, 1, 0)]


def test_an_event_inside_of_a_session_changes_nothing():
    sessions = (NOON, NOON + 20 * MINUTE, 1, 0)
    assert place(sessions, NOON + 7, NOON + 20 * MINUTE, RULES, never) == (sessions, [])


def test_of_equal_timestamps_the_earlier_arrival_stays_first():
    assert place((NOON, NOON, 1, 0), NOON, NOON, RULES, never) == ((NOON, NOON, 1, 0), [])


def test_an_event_within_the_gap_of_two_sessions_joins_them_and_takes_the_later_one_back():
    later = NOON + 2 * GAP
    two = (NOON, NOON, 0, 0, later, later + 9, 1, 0)
    after, deltas = place(two, NOON + GAP, later + 9, RULES, never)
    assert spans(after) == [(NOON, later + 9, 0)]
    assert sorted(deltas) == sorted([(NOON_MINUTE, -1, 0), (later // MINUTE, -1, -1), (NOON_MINUTE, 1, 0)])
    assert len(placed((NOON, True), (later, True), (NOON + GAP, True))[1]) == 1


@pytest.mark.parametrize("where", [-1, 1])
def test_an_event_a_millisecond_too_far_from_one_of_two_sessions_joins_only_the_other(where):
    later = NOON + 2 * GAP + 1
    two = (NOON, NOON, 1, 0, later, later, 1, 0)
    at = NOON + GAP + (where > 0)
    after, _ = place(two, at, later, RULES, lambda: False)
    expected = [(NOON, at, 1), (later, later, 1)] if where < 0 else [(NOON, NOON, 1), (at, later, 0)]
    assert spans(after) == expected


def test_a_third_session_is_not_touched_when_two_are_joined():
    sessions = tuple(n for k in range(3) for n in (NOON + k * 2 * GAP, NOON + k * 2 * GAP, k % 2, 0))
    after, _ = place(sessions, NOON + GAP, NOON + 3 * GAP, RULES, never)
    assert spans(after) == [(NOON, NOON + 2 * GAP, 0), (NOON + 4 * GAP, NOON + 4 * GAP, 0)]
    after, _ = place(sessions, NOON + 3 * GAP, NOON + 3 * GAP, RULES, never)
    assert spans(after) == [(NOON, NOON, 0), (NOON + 2 * GAP, NOON + 4 * GAP, 1)]


def test_a_session_can_be_joined_for_exactly_gap_and_lateness_after_its_last_event():
    last = RULES.memory_ms
    joined, deltas = place((NOON, NOON, 1, 0), NOON + 1, NOON + last, RULES, never)
    assert (spans(joined), deltas) == ([(NOON, NOON + 1, 1)], [])
    fresh, deltas = place((NOON, NOON, 1, 0), NOON + 1, NOON + last + 1, RULES, lambda: True)
    assert (spans(fresh), deltas) == ([(NOON + 1, NOON + 1, 1)], [(NOON_MINUTE, 1, 1)])


def test_a_client_is_gone_a_millisecond_after_gap_and_lateness():
    assert not gone((NOON, NOON + 5, 1, 0), NOON + 5 + RULES.memory_ms, RULES)
    assert gone((NOON, NOON + 5, 1, 0), NOON + 6 + RULES.memory_ms, RULES)


def test_a_client_with_several_sessions_is_gone_with_the_last_of_them():
    two = (NOON, NOON, 1, 0, NOON + HOUR, NOON + HOUR, 1, 0)
    assert not gone(two, NOON + HOUR + RULES.memory_ms, RULES)
    assert gone(two, NOON + HOUR + RULES.memory_ms + 1, RULES)
    lagging = (NOON, NOON, 1, 600, NOON + HOUR, NOON + HOUR, 1, 0)
    assert not gone(lagging, NOON + HOUR + RULES.memory_ms + 1, RULES)
    assert gone(lagging, NOON + 10 * HOUR + RULES.memory_ms + 1, RULES)


def test_sessions_that_the_stream_has_left_are_dropped_when_another_event_comes():
    now = NOON + 3 * HOUR
    after, deltas = place((NOON, NOON, 1, 0), now, now, RULES, lambda: False)
    assert (spans(after), deltas) == ([(now, now, 0)], [(now // MINUTE, 1, 0)])


def test_a_day_delivered_late_finds_its_own_sessions():
    now = NOON + 24 * HOUR
    sessions, total = (), 0
    for number in range(10):
        at = NOON + number * 10 * MINUTE
        sessions, deltas = place(sessions, at, now + number, RULES, lambda: True)
        total += sum(count for _, count, _ in deltas)
    assert spans(sessions) == [(NOON, NOON + 90 * MINUTE, 1)]
    assert total == 1
    assert sessions[3] == 24 * 60 - 90
    assert not gone(sessions, now + 89 * MINUTE, RULES)
    assert gone(sessions, now + 91 * MINUTE, RULES)


def test_an_event_in_order_takes_the_lag_of_a_late_one_back():
    late, _ = place((), NOON, NOON + 5 * HOUR, RULES, lambda: True)
    assert late[3] == 300
    after, _ = place(late, NOON + 5, NOON + 5, RULES, never)
    assert after[3] == 0


def test_of_a_client_with_more_sessions_than_are_remembered_the_oldest_is_let_go():
    rules = SessionRules(lateness_ms=10_000 * HOUR)
    sessions = ()
    for number in range(MOST_SESSIONS + 1):
        sessions, deltas = place(sessions, NOON + number * HOUR, NOON + number * HOUR, rules, lambda: True)
        assert [count for _, count, _ in deltas] == [1]
    assert len(sessions) == MOST_SESSIONS * WIDTH
    assert sessions[0] == NOON + HOUR
    for _ in range(2):
        sessions, deltas = place(sessions, NOON, NOON + 64 * HOUR, rules, lambda: True)
        assert deltas == [(NOON_MINUTE, 1, 1)]
    assert len(sessions) == MOST_SESSIONS * WIDTH


NEAR_GAP = [0, 1, MINUTE, GAP - 1, GAP, GAP + 1, 2 * GAP, 2 * GAP + 1, 5 * HOUR]


@st.composite
def visits(draw):
    """Events of one client at different moments on the edges of sessions, each direct or not."""
    at, events = NOON, []
    for step in draw(st.lists(st.sampled_from(NEAR_GAP), max_size=12)):
        at += step or 3
        events.append((at, draw(st.booleans())))
    return events


def batch_sessions(events):
    """The batch definition: ordered by time, cut where the gap is longer than thirty minutes."""
    sessions, changes = [], {}
    for event, before in zip(sorted(events), [None, *sorted(events)], strict=False):
        if before is None or event[0] - before[0] > GAP:
            sessions.append((event[0], event[0], int(event[1])))
            was = changes.get(event[0] // MINUTE, (0, 0))
            changes[event[0] // MINUTE] = (was[0] + 1, was[1] + event[1])
        else:
            sessions[-1] = (sessions[-1][0], event[0], sessions[-1][2])
    return sessions, changes


@given(visits(), st.randoms())
def test_any_order_within_memory_gives_the_sessions_of_the_batch_definition(events, shuffled):
    expected = batch_sessions(events)
    shuffled.shuffle(events)
    sessions, changes = placed(*events, rules=SessionRules(lateness_ms=1000 * HOUR))
    assert (spans(sessions), changes) == expected


@given(visits(), st.integers(0, 10**6))
def test_events_that_are_late_by_no_more_than_the_lateness_are_placed_as_if_they_were_not(events, seed):
    rng = random.Random(seed)
    arrival = sorted(events, key=lambda event: event[0] + rng.choice([0, HOUR // 2, HOUR]))
    assert placed(*arrival)[1] == batch_sessions(events)[1]


@given(visits(), st.randoms())
def test_sessions_are_kept_in_order_and_more_than_a_gap_apart(events, shuffled):
    shuffled.shuffle(events)
    sessions = placed(*events)[0]
    for before, after in pairwise(spans(sessions)):
        assert before[1] + GAP < after[0]
    assert all(first <= last for first, last, _ in spans(sessions))
