"""How far event time has come: laws of one stream's clock, and of the watermark over all partitions."""

from __future__ import annotations

from statistics import median_low

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.timestamps import DAY_MS, MINUTE_MS
from consumer.core.watermark import (
    NO_LOG,
    UNKNOWN,
    VOICES,
    ClockRules,
    ClockState,
    Progress,
    StreamClock,
    reached,
    watermark,
)

RULES = ClockRules()
HOUR_MS = 60 * MINUTE_MS
START = 1_740_614_400_000

Heard = tuple[str | None, int, int]
"""Client, event time, log time."""


def listen(events: list[Heard], state: ClockState | None = None) -> StreamClock:
    """A clock that has heard the events as the gate tells them."""
    clock = StreamClock(state or ClockState(), RULES)
    for client, at_ms, log_ms in events:
        if client not in clock.voices:
            clock.hear(client, at_ms, log_ms)
        elif client in clock.jumps and at_ms <= clock.ceiling_ms:
            clock.takes_back(client, at_ms)
        if at_ms > clock.now_ms:
            clock.believe(client, at_ms, log_ms)
    return clock


clients = st.sampled_from([None, *map(str, range(50))])
moments = st.integers(START, START + 2 * HOUR_MS) | st.integers(START - DAY_MS, START + 5 * DAY_MS)
streams = st.lists(st.tuples(clients, moments, st.just(NO_LOG) | moments), max_size=80)


# -- one stream --------------------------------------------------------------------------------------------------


@given(streams, streams)
def test_a_streams_time_never_goes_back(first, second):
    before = listen(first)
    assert listen(second, before.state()).now_ms >= before.now_ms


@given(streams, st.integers(0, 80))
def test_a_stream_cut_into_batches_has_the_same_time(events, cut):
    whole = listen(events)
    pieces = listen(events[cut:], listen(events[:cut]).state())
    assert pieces.state() == whole.state()
    assert list(pieces.state().voices) == list(whole.state().voices), "the order of voices decides who leaves"


@given(streams, st.just(NO_LOG) | moments)
def test_when_a_record_came_does_not_depend_on_what_was_asked_before(events, log_ms):
    clock = StreamClock(ClockState(), RULES)
    for client, at_ms, its_log_ms in events:
        if client not in clock.voices:
            clock.hear(client, at_ms, its_log_ms)
        elif client in clock.jumps and at_ms <= clock.ceiling_ms:
            clock.takes_back(client, at_ms)
        if at_ms > clock.now_ms:
            clock.believe(client, at_ms, its_log_ms)
        assert clock.arrived_ms(log_ms) == StreamClock(clock.state(), RULES).arrived_ms(log_ms)


@given(streams)
def test_no_more_voices_are_kept_than_promised(events):
    assert len(listen(events).voices) <= VOICES


@given(st.lists(st.tuples(clients, moments, moments), min_size=1, max_size=80))
def test_with_a_log_no_stream_is_ahead_of_its_newest_record(events):
    newest = max(log_ms for _, _, log_ms in events)
    clock = listen(events)
    assert clock.now_ms <= newest + RULES.log_tolerance_ms
    assert (clock.best_guess_ms() or 0) <= newest + RULES.log_tolerance_ms


def test_a_first_visitor_whose_clock_runs_ahead_does_not_decide_the_time():
    clock = listen([("fast", START + 20 * HOUR_MS, START)])
    assert clock.now_ms == UNKNOWN
    assert clock.best_guess_ms() == START + RULES.log_tolerance_ms


@given(st.integers(1, 300), st.integers(31, 5000), st.randoms(use_true_random=False))
def test_one_clock_that_runs_ahead_moves_nothing_however_busy(fast_events, minutes_ahead, random):
    honest = [(f"c{number % 20}", START + number * 1000, NO_LOG) for number in range(200)]
    fast = [("fast", START + minutes_ahead * MINUTE_MS, NO_LOG)] * fast_events
    rest = honest[20:] + fast
    random.shuffle(rest)
    clock = listen(honest[:20] + rest)
    assert clock.now_ms <= START + 200_000


def test_clocks_that_run_ahead_are_counted_when_their_voice_is_replaced():
    events = [(f"c{number}", START + number * 1000, NO_LOG) for number in range(100)]
    events.insert(50, ("fast", START + DAY_MS, NO_LOG))
    assert listen(events).ahead == 1


@pytest.mark.parametrize("visitors", [1, 2, 3, 7, 8, 9, 16, 31, 32, 33, 100])
def test_history_of_few_visitors_gets_on_as_history_of_many_does(visitors):
    hours = 24 * 20
    events = [(f"c{hour % visitors}", START + hour * HOUR_MS, NO_LOG) for hour in range(hours)]
    behind = START + (hours - 1) * HOUR_MS - listen(events).now_ms
    assert 0 <= behind <= 33 * HOUR_MS


def test_events_without_identity_are_one_voice_each():
    events: list[Heard] = [(None, START + hour * HOUR_MS, NO_LOG) for hour in range(24 * 20)]
    assert listen(events).now_ms >= START + (24 * 20 - 33) * HOUR_MS


@pytest.mark.parametrize(
    ("behind_log_ms", "believed"),
    [(0, True), (RULES.live_ms, True), (RULES.live_ms + 1, False), (-RULES.log_tolerance_ms, True)],
)
def test_an_event_that_the_log_wrote_within_the_hour_is_believed_at_once(behind_log_ms, believed):
    clock = listen([("c", START, START + behind_log_ms)])
    assert (clock.now_ms == START) is believed


def test_after_a_quiet_night_the_first_event_of_the_morning_is_believed_if_the_log_agrees():
    evening = [(f"c{number}", START + number, START + number) for number in range(40)]
    morning = START + 9 * HOUR_MS
    assert listen([*evening, ("early", morning, morning)]).now_ms == morning
    assert listen([*evening, ("early", morning, NO_LOG)]).now_ms < START + HOUR_MS


def test_a_stream_whose_time_is_not_known_guesses_the_median():
    ats = [START + minute * MINUTE_MS for minute in (5, 1, 9, 3, 7)]
    clock = listen([(str(at), at, NO_LOG) for at in ats])
    assert clock.now_ms == UNKNOWN
    assert clock.best_guess_ms() == median_low(ats)
    assert listen([]).best_guess_ms() is None


# -- all partitions ----------------------------------------------------------------------------------------------

WALL = START + 30 * DAY_MS


def reading(stream_ms: int | None) -> Progress:
    """A partition with records left to read."""
    return Progress(1, stream_ms)


def ended(
    stream_ms: int | None,
    excused_ms: int | None = None,
    end_ms: int | None = WALL,
    idle_since_ms: int = WALL,
) -> Progress:
    """A partition that was at its end at `end_ms`, and had told nothing else when the others had come to `excused_ms`."""
    return Progress(1, stream_ms, idle_since_ms, end_ms, excused_ms=excused_ms)


@pytest.mark.parametrize(
    ("partitions", "expected", "mark"),
    [
        ([], 1, None),
        ([reading(START)], 2, None),
        ([reading(None)], 1, None),
        ([reading(START)], 1, START),
        ([reading(START + 5), reading(START)], 2, START),
        ([reading(START), reading(None)], 2, None),
        # at its end: left out as far as it is excused
        ([reading(START + 5), ended(START, START + 5)], 2, START + 5),
        ([reading(START + 5), ended(START, START + 3)], 2, START + 3),
        ([reading(START + 5), ended(START)], 2, START),
        ([reading(START + 5), ended(START + 7, START + 3)], 2, START + 5),
        # an empty one knows no time of its own
        ([reading(START + 5), ended(None, START + 3)], 2, START + 3),
        ([reading(START + 5), ended(None)], 2, None),
        ([ended(None), ended(None)], 2, None),
        # all at their end: the furthest, as far as the others are sure of it
        ([ended(START, START + 5), ended(START + 5)], 2, START + 5),
        ([ended(START, START + 3), ended(START + 5)], 2, START + 3),
        ([ended(START), ended(START + DAY_MS)], 2, START),
        # idle: goes on with the wall clock, as far as the broker was asked
        ([ended(START, None, WALL + 7000)], 1, START + 7000),
        ([ended(START, None, WALL - 7000)], 1, START),
        ([ended(START, None, None)], 1, START),
        ([ended(START, START + 9000, WALL + 7000)], 1, START + 9000),
        # whoever has more to read is not excused, whatever was told before
        ([reading(START + 5), Progress(1, START, excused_ms=START + 5)], 2, START),
        # more partitions than the topic has are no reason to wait
        ([reading(START), reading(START + 5)], 1, START),
    ],
)
def test_the_watermark_is_what_no_partition_is_behind(partitions, expected, mark):
    assert watermark(partitions, expected, None) == mark


@pytest.mark.parametrize(
    ("others", "time_ms"),
    [
        ([], None),
        ([reading(START + 5), reading(START)], START),
        ([reading(START), reading(None)], None),
        ([reading(START), ended(START + 5), ended(START - 5)], START),
        ([ended(START + 5), ended(START), ended(None)], START + 5),
        ([ended(START, None, WALL + 7000), ended(START + 5)], START + 7000),
        ([ended(None)], None),
    ],
)
def test_others_have_come_as_far_as_they_would_let_the_watermark_go(others, time_ms):
    assert reached(others) == time_ms


def test_an_end_excuses_as_far_as_the_others_had_come_when_the_fact_before_was_told():
    first = Progress().told(1, START, WALL, WALL, others_ms=START + 5)
    assert first.holds_ms() == START, "the others may have come there after it was asked"
    second = first.told(2, START, WALL, WALL, others_ms=START + 9)
    assert second.holds_ms() == START + 5
    assert second.told(3, START, WALL, WALL, others_ms=None).holds_ms() == START + 9


def test_an_end_that_was_not_asked_excuses_no_further_than_before():
    asked = Progress().told(1, START, WALL, WALL, START + 5).told(2, START, WALL, WALL, START + 9)
    met = asked.told(3, START, WALL, None, START + 20)
    assert met.holds_ms() == START + 5
    assert met.told(4, START, WALL, WALL, START + 30).holds_ms() == START + 20


def test_a_partition_with_more_to_read_counts_with_its_own_time_until_it_is_at_its_end_again():
    asked = Progress().told(1, START, WALL, WALL, START + 5).told(2, START, WALL, WALL, START + 9)
    more = asked.told(3, START + 1, None, None, START + 20)
    assert more.holds_ms() == START + 1
    assert more.told(4, START + 2, WALL, WALL, START + 30).holds_ms() == START + 20


def test_what_the_others_had_reached_before_one_of_them_found_more_to_read_does_not_stay():
    high = Progress().told(1, START, WALL, WALL, START + DAY_MS).told(2, START, WALL, WALL, START + 5)
    assert high.holds_ms() == START + DAY_MS
    assert high.told(3, START, WALL, WALL, START + 5).holds_ms() == START + 5


times = st.none() | moments
progresses = st.lists(st.builds(Progress, st.just(1), times, times, times, times, times), max_size=5)


@given(progresses, st.integers(1, 5), moments)
def test_the_watermark_never_goes_back(partitions, expected, before_ms):
    assert (watermark(partitions, expected, before_ms) or 0) >= before_ms


@given(progresses, st.integers(1, 5), st.randoms(use_true_random=False))
def test_the_order_of_partitions_does_not_matter(partitions, expected, random):
    mixed = list(partitions)
    random.shuffle(mixed)
    assert watermark(mixed, expected, None) == watermark(partitions, expected, None)
    assert reached(mixed) == reached(partitions)


@given(progresses.filter(bool))
def test_the_watermark_is_never_ahead_of_what_any_partition_allows(partitions):
    mark = watermark(partitions, len(partitions), None)
    assert mark is None or all(mark <= p.holds_ms() for p in partitions)
