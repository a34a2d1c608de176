"""The only place that reads a clock. Everything else is told the time, or is handed a `Clock`."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two kinds of time: `now_ms` to say when something was, `monotonic` to measure how long it took."""

    def now_ms(self) -> int:
        """The wall clock: whole milliseconds since 1970-01-01T00:00:00Z. May jump when the host's time is set."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment in the past, which never go back. Only differences mean anything."""
        ...


class SystemClock:
    """The host's clocks."""

    def now_ms(self) -> int:
        """The operating system's wall clock."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """The operating system's monotonic clock: stands still while the host is suspended."""
        return time.monotonic()
