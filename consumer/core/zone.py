"""Which calendar day an instant belongs to, in the one configured time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER = 15
"""Minutes. Offsets of time zones have been whole quarters of an hour since 1972, so a quarter lies in one day."""

_MOST_CACHED = 100_000


class DayZone:
    """Days of a time zone. Instants are minutes since the epoch, days are ISO dates.

    Exact since 1972. Before, where a zone's offset was no whole quarter of an hour (Amsterdam's +00:20, say), the
    minutes of the quarter in which a day begins are told to the day before.

    >>> DayZone(UTC, "UTC").day_of(29004480)
    '2025-02-23'
    """

    def __init__(self, zone: tzinfo, name: str) -> None:
        self.name = name
        self._zone = zone
        self._hours: dict[int, tuple[str, int]] = {}
        self._starts: dict[str, int] = {}
        self._ends: dict[str, int] = {}

    def day_of(self, minute: int) -> str:
        """The ISO date of the day that the minute lies in."""
        hour = self._hours.get(minute // QUARTER)
        return self.hour_of(minute)[0] if hour is None else hour[0]

    def hour_of(self, minute: int) -> tuple[str, int]:
        """The minute's day, and the hour (0-23) that a clock on the wall shows in it; an hour that comes twice is one.

        >>> DayZone(UTC, "UTC").hour_of(29004480 + 61)
        ('2025-02-23', 1)
        """
        quarter = minute // QUARTER
        hour = self._hours.get(quarter)
        if hour is None:
            if len(self._hours) >= _MOST_CACHED:
                self._hours.clear()
            local = self._local(quarter * QUARTER)
            hour = self._hours[quarter] = local.date().isoformat(), local.hour
        return hour

    def start_ms(self, day: str) -> int:
        """Milliseconds since the epoch at which the day begins."""
        start = self._starts.get(day)
        if start is None:
            if len(self._starts) >= _MOST_CACHED:
                self._starts.clear()
            start = self._starts[day] = self._midnight(date.fromisoformat(day))
        return start

    def end_ms(self, day: str) -> int:
        """Milliseconds since the epoch at which the day is over: the next one's beginning."""
        end = self._ends.get(day)
        if end is None:
            if len(self._ends) >= _MOST_CACHED:
                self._ends.clear()
            end = self._ends[day] = self._end_ms(day)
        return end

    def _end_ms(self, day: str) -> int:
        try:
            return self._midnight(date.fromisoformat(day) + timedelta(days=1))
        except OverflowError:
            return self.start_ms(day) + 86_400_000

    def _midnight(self, day: date) -> int:
        local = datetime.combine(day, time(), tzinfo=self._zone)
        return (local - _EPOCH) // timedelta(milliseconds=1)

    def _local(self, minute: int) -> datetime:
        instant = _EPOCH + timedelta(minutes=minute)
        try:
            return instant.astimezone(self._zone)
        except OverflowError:  # within a day of year 1 or 9999 there may be no local time
            return instant
