"""Times for people, in the time zone that the days are cut in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from consumer.core import timestamps

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

UNKNOWN = "unknown"


class Times(NamedTuple):
    """How instants are written: by the clock on the wall of a zone, whose abbreviation stands beside each of them."""

    name: str
    zone: tzinfo

    def moment(self, at: str | None) -> str:
        """An RFC 3339 time to the minute; whatever else the text is, it is an unknown time.

        >>> times_in("UTC").moment("2025-02-24T01:00:00.000Z"), times_in("UTC").moment(None)
        ('2025-02-24 01:00 UTC', 'unknown')
        >>> times_in("Asia/Kathmandu").moment("2025-03-06T18:15:00Z")
        '2025-03-07 00:00 UTC+05:45'
        """
        local = self._local(at)
        return UNKNOWN if local is None else f"{_to_the_minute(local)} {_abbreviation(local)}"

    def period(self, since: str | None, until: str | None) -> str:
        """From one time to another; a day, or a zone's abbreviation, that both have stands once.

        >>> times_in("UTC").period("2025-03-10T12:32:00Z", "2025-03-10T17:57:00Z")
        '2025-03-10 12:32 to 17:57 UTC'
        >>> times_in("America/New_York").period("2025-03-08T12:00:00Z", "2025-03-10T12:00:00Z")
        '2025-03-08 07:00 EST to 2025-03-10 08:00 EDT'
        """
        first, last = self._local(since), self._local(until)
        if first is None or last is None:
            return f"{self.moment(since)} to {self.moment(until)}"
        zone = _abbreviation(first)
        begin = _to_the_minute(first) if zone == _abbreviation(last) else self.moment(since)
        end = f"{last:%H:%M}" if first.date() == last.date() else _to_the_minute(last)
        return f"{begin} to {end} {_abbreviation(last)}"

    def _local(self, at: str | None) -> datetime | None:
        ms = None if at is None else timestamps.parse(at)
        if ms is None:
            return None
        instant = _EPOCH + timedelta(milliseconds=ms)
        try:
            return instant.astimezone(self.zone)
        except OverflowError:  # within a day of year 1 or 9999 there may be no local time
            return instant

    def has_hour(self, day: str, hour: int) -> bool:
        """Whether the clock on the wall shows the hour on that day: not where it is put forward.

        >>> times_in("America/New_York").has_hour("2025-03-09", 2), times_in("UTC").has_hour("2025-03-09", 2)
        (False, True)
        """
        local = datetime.fromisoformat(f"{day}T{hour:02}:00:00").replace(tzinfo=self.zone)
        try:
            return local.astimezone(UTC).astimezone(self.zone).hour == hour
        except OverflowError:
            return True


@lru_cache(maxsize=16)
def times_in(name: str) -> Times:
    """Times in a zone by its IANA name; in UTC where there is none of that name."""
    try:
        return Times(name, ZoneInfo(name))
    except (LookupError, ValueError, OSError):
        return Times("UTC", UTC)


def _to_the_minute(local: datetime) -> str:
    return f"{local.isoformat()[:10]} {local:%H:%M}"


def _abbreviation(local: datetime) -> str:
    """The zone's own, where it is one of letters; else how far it is from UTC."""
    name = local.tzname() or ""
    if name.isalpha():
        return name
    minutes = (local.utcoffset() or timedelta()) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
