"""The pace of replayed events, on a clock that only sleeping moves."""

from __future__ import annotations

import pytest

from consumer.runtime.pace import LONGEST_STEP_SECONDS, Pace

HOUR = 3_600_000


class Asleep:
    """A clock that moves while somebody sleeps."""

    def __init__(self):
        self.seconds = 1000.0
        self.longest = 0.0

    def now_ms(self):
        return 0

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        self.longest = max(self.longest, seconds)
        self.seconds += seconds


def turns(speed, times):
    """When each event's turn came, in seconds after the first one's, and how often something else was done."""
    clock, meanwhile = Asleep(), []
    pace = Pace(speed, clock, clock.sleep)
    came = []
    for at_ms in times:
        pace.wait_for(at_ms, lambda: meanwhile.append(clock.seconds))
        came.append(clock.seconds - 1000)
    assert clock.longest <= LONGEST_STEP_SECONDS
    return pytest.approx(came), len(meanwhile)


def test_an_hour_takes_a_minute_at_60x():
    came, meanwhile = turns(60, [5 * HOUR, 5.5 * HOUR, 6 * HOUR])
    assert came == [0, 30, 60]
    assert meanwhile >= 60 / LONGEST_STEP_SECONDS


def test_an_event_of_the_past_is_not_waited_for():
    assert turns(60, [HOUR, 2 * HOUR, 1.5 * HOUR, 3 * HOUR])[0] == [0, 60, 60, 120]


def test_a_clock_that_is_years_ahead_holds_nothing_up():
    assert turns(60, [HOUR, 9999 * HOUR, 2 * HOUR, 3 * HOUR])[0] == [0, 0, 0, 60]
