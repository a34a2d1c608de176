"""How far one event is believed, to the millisecond; `test_watermark.py` has the laws of event time."""

from random import Random

import msgspec
import pytest

from consumer.core.timestamps import MINUTE_MS
from consumer.core.watermark import (
    NO_LOG,
    UNKNOWN,
    VOICES,
    ClockRules,
    ClockState,
    StreamClock,
)

MINUTE = MINUTE_MS
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOON = 1_740_312_000_000
RULES = ClockRules()
TRUST = 30 * MINUTE


def take(clock, client, at_ms, log_ms=NO_LOG):
    """One event as the gate's loop tells the clock of it."""
    if client not in clock.voices:
        clock.hear(client, at_ms, log_ms)
    elif client in clock.jumps and at_ms <= clock.ceiling_ms:
        clock.takes_back(client, at_ms)
    if at_ms > clock.now_ms:
        clock.believe(client, at_ms, log_ms)


def clock_after(*events, state=None):
    clock = StreamClock(state or ClockState(), RULES)
    for event in events:
        take(clock, *event)
    return clock


def visitors(count, at_ms=NOON, step=1000):
    """Events of so many clients, one after the other."""
    return [(f"visitor {number}", at_ms + number * step) for number in range(count)]


# -- one stream --------------------------------------------------------------------------------------------------


def test_a_few_voices_are_no_time_yet():
    clock = clock_after(*visitors(7))
    assert clock.now_ms == UNKNOWN
    assert clock.best_guess_ms() == NOON + 3000


def test_with_eight_voices_the_time_is_the_newest_event_that_their_median_believes():
    assert clock_after(*visitors(8)).now_ms == NOON + 7000
    assert clock_after(*visitors(7), ("fast", NOON + DAY)).now_ms == NOON + 6000


def busy(client, at_ms, count=20, log_ms=NO_LOG):
    return [(client, at_ms + number * 1000, log_ms) for number in range(count)]


@pytest.mark.parametrize("ahead_ms", [DAY + HOUR, 500 * DAY])
def test_a_first_visitor_days_ahead_is_corrected_by_the_third(ahead_ms):
    clock = clock_after(*busy("fast", NOON + ahead_ms))
    assert clock.now_ms >= NOON + ahead_ms
    take(clock, "ann", NOON)
    assert clock.now_ms >= NOON + ahead_ms
    take(clock, "bob", NOON + 1000)
    assert clock.now_ms == NOON + 1000
    restored = clock_after(("ann", NOON + 2000), state=clock.state())
    assert restored.now_ms == NOON + 2000


def test_time_goes_back_for_no_less_than_a_day_and_never_again():
    clock = clock_after(*busy("early", NOON + DAY - MINUTE), *visitors(2))
    assert clock.now_ms >= NOON + DAY - MINUTE
    clock = clock_after(*busy("ann", NOON + 9 * DAY), *busy("bob", NOON + 9 * DAY), *visitors(30))
    assert clock.now_ms > NOON + 9 * DAY - HOUR


def test_what_the_log_vouches_for_is_not_corrected():
    now = NOON + 9 * DAY
    clock = clock_after(*busy("live", now, log_ms=now), *((*late, now) for late in visitors(2)))
    assert clock.now_ms >= now


def test_an_event_is_believed_up_to_thirty_minutes_ahead_of_the_median_voice():
    clock = clock_after(*visitors(8, step=0))
    take(clock, "ann", NOON + TRUST)
    assert clock.now_ms == NOON + TRUST
    clock = clock_after(*visitors(8, step=0))
    take(clock, "ann", NOON + TRUST + 1)
    assert clock.now_ms == NOON


def test_a_third_of_all_voices_running_ahead_move_nothing():
    clock = clock_after(*visitors(40))
    for number in range(300):
        take(clock, f"new {number}", NOON + 40_000 + number * 1000)
        if number % 3 == 0:
            take(clock, f"fast {number}", NOON + 10 * DAY + number)
    assert clock.now_ms == NOON + 40_000 + 299_000


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25])
def test_events_far_ahead_among_a_visitors_others_give_it_no_voice_for_their_time(share):
    rng, now = Random(f"{share}"), NOON + 40_000
    clock, broken = clock_after(*visitors(40)), 0
    for number in range(6000):
        now += 20_000
        ahead = rng.random() < share
        broken += ahead
        take(clock, f"client {(number + rng.randrange(6)) // 3}", now + 30 * DAY if ahead else now)
        assert clock.now_ms <= now
    assert clock.now_ms > now - 10 * MINUTE, "time goes on with the others"
    assert sum(clock.events_ahead.values()) == pytest.approx(broken, rel=0.1), "each is found out"


def test_a_quiet_streams_next_visitor_keeps_its_voice():
    clock = clock_after(*visitors(8))
    take(clock, "ann", NOON + HOUR)
    take(clock, "ann", NOON + 10_000)
    assert clock.voices["ann"] == NOON + HOUR
    assert not clock.ahead


def test_a_voice_far_ahead_is_counted_once_others_have_spoken_after_it_and_most_of_them_are_not():
    clock = clock_after(("fast", NOON + DAY), *visitors(14))
    assert clock.ahead == 0
    take(clock, "one more", NOON)
    assert clock.ahead == 1
    for event in visitors(3 * VOICES):
        take(clock, *event)
    assert clock.ahead == 1
    assert clock_after(*visitors(7), *visitors(9, NOON + DAY)).ahead == 0


@pytest.mark.parametrize("gap", [2, 4])
def test_where_visitors_are_few_a_record_without_a_time_is_dated_by_the_last_of_them(gap):
    few = [(f"visitor {number}", NOON + number * gap * MINUTE) for number in range(100)]
    clock = clock_after(*few)
    assert few[-1][1] - clock.now_ms > 10 * MINUTE or gap == 2
    assert few[-1][1] - clock.present_ms() <= 3 * gap * MINUTE
    assert clock_after(*few, *visitors(9)).present_ms() >= few[-1][1] - 3 * gap * MINUTE
    assert clock_after(*few, *visitors(5, NOON + 9 * DAY)).present_ms() <= few[-1][1] + HOUR
    assert clock_after(state=clock.state()).present_ms() == clock.present_ms()


def test_what_comes_again_in_a_live_stream_came_when_the_log_wrote_it():
    live = [(client, at_ms, at_ms) for client, at_ms in visitors(40, step=MINUTE)]
    now = NOON + 45 * MINUTE
    again = [(f"again {number}", NOON - number * MINUTE, now) for number in range(20)]
    assert clock_after(*live, *again).arrived_ms(now) == now


def test_what_comes_in_a_backlog_came_with_the_newest_voice_whatever_the_log_says():
    behind = [(client, at_ms, at_ms + 20 * MINUTE) for client, at_ms in visitors(40, step=MINUTE)]
    assert clock_after(*behind).arrived_ms(NOON + 60 * MINUTE) == NOON + 39 * MINUTE


@pytest.mark.parametrize("gap", [1, 2, 4])
def test_old_events_that_come_again_do_not_make_forget_how_far_the_newest_voice_had_come(gap):
    few = [(f"visitor {number}", NOON + number * gap * MINUTE) for number in range(100)]
    before = clock_after(*few)
    again = clock_after(*visitors(3 * VOICES, NOON + gap * HOUR // 4), state=before.state())
    assert before.arrived_ms(NO_LOG) == few[-1][1]
    assert few[-1][1] - gap * MINUTE <= again.arrived_ms(NO_LOG) <= few[-1][1]


def test_one_clock_that_is_ahead_says_of_nothing_that_it_came_then():
    few = [(f"visitor {number}", NOON + number * 2 * MINUTE) for number in range(100)]
    clock = clock_after(*few, ("fast", few[-1][1] + 25 * MINUTE), *visitors(3 * VOICES))
    assert clock.arrived_ms(NO_LOG) == few[-1][1]


def test_a_stream_whose_visitors_all_move_on_moves_on_however_long_the_pause():
    clock = clock_after(*visitors(100), *visitors(VOICES + 16, NOON + 10 * DAY))
    assert clock.now_ms == NOON + 10 * DAY + (VOICES + 15) * 1000


# -- the log's own clock -----------------------------------------------------------------------------------------


def settled():
    return clock_after(*visitors(8, step=0))


@pytest.mark.parametrize("behind", [0, HOUR])
def test_an_event_far_ahead_is_believed_at_once_if_the_log_wrote_it_live(behind):
    clock = settled()
    take(clock, "ann", NOON + DAY, log_ms=NOON + DAY + behind)
    assert clock.now_ms == NOON + DAY


def test_an_event_that_the_log_wrote_over_an_hour_later_is_not_live():
    clock = settled()
    take(clock, "ann", NOON + DAY, log_ms=NOON + DAY + HOUR + 1)
    assert clock.now_ms == NOON


@pytest.mark.parametrize(("ahead", "believed"), [(5 * MINUTE, True), (5 * MINUTE + 1, False)])
def test_an_event_ahead_of_the_log_is_live_up_to_the_tolerance(ahead, believed):
    clock = settled()
    take(clock, "ann", NOON + DAY + ahead, log_ms=NOON + DAY)
    assert clock.now_ms == (NOON + DAY + ahead if believed else NOON)


def test_a_believed_event_moves_the_stream_no_further_than_the_logs_clock_allows():
    clock = settled()
    take(clock, "ann", NOON + 20 * MINUTE, log_ms=NOON + MINUTE)
    assert clock.now_ms == NOON + 6 * MINUTE
    take(clock, "bob", NOON + 20 * MINUTE, log_ms=NOON - HOUR)
    assert clock.now_ms == NOON + 6 * MINUTE


def test_without_log_times_nothing_is_confirmed_and_nothing_limited():
    clock = settled()
    take(clock, "ann", NOON + 20 * MINUTE)
    assert clock.now_ms == NOON + 20 * MINUTE
    take(clock, "ann", NOON + DAY)
    assert clock.now_ms == NOON + 20 * MINUTE


def test_deciding_on_a_batch_leaves_the_state_as_it_was():
    state = clock_after(*visitors(20)).state()
    before = msgspec.msgpack.encode(state)
    clock_after(*visitors(50, NOON + HOUR), state=state)
    assert msgspec.msgpack.encode(state) == before
