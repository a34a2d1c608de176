"""The pace of replayed events: event time passes `speed` times as fast as the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.runtime.clock import Clock

LONGEST_STEP_SECONDS = 0.1
"""How long is slept at a time, so that whoever waits can do something else in between, and be interrupted."""

LARGEST_GAP_MS = 86_400_000
"""A jump of event time by more than a day, either way, is not waited out: it is a wrong clock, or other data."""


class Pace:
    """Says how long to wait for an event. Times without a zone of doubt: milliseconds since the epoch."""

    def __init__(self, speed: float, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self._began_at = 0.0
        self._began_ms: int | None = None
        self._last_ms = 0

    def wait_for(self, at_ms: int, meanwhile: Callable[[], object]) -> None:
        """Sleeps until the event's turn has come, and calls `meanwhile` before each short sleep.

        The first event's turn is now, and so is that of one more than a day away from the last; an event of the past is
        not waited for.
        """
        now = self._clock.monotonic()
        if self._began_ms is None or abs(at_ms - self._last_ms) > LARGEST_GAP_MS:
            self._began_ms, self._began_at = at_ms, now
        self._last_ms = at_ms
        due = self._began_at + (at_ms - self._began_ms) / 1000 / self._speed
        while (left := due - self._clock.monotonic()) > 0:
            meanwhile()
            self._sleep(min(left, LONGEST_STEP_SECONDS))
