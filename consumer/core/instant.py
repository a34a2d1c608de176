"""An instant as people and files read it: RFC 3339, UTC, milliseconds. Inside, an instant is whole milliseconds
since 1970-01-01T00:00:00Z, never a binary fraction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

FIRST_MS = -62_135_596_800_000
"""0001-01-01T00:00:00.000Z, the earliest instant that `rfc3339` can write."""

LAST_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the latest one: RFC 3339 has four digits for the year."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(ms: int) -> str:
    """The instant `ms` milliseconds after the epoch, exactly.

    Raises ValueError outside `FIRST_MS`..`LAST_MS`: check a foreign number (a record's Kafka timestamp) first.

    >>> rfc3339(0), rfc3339(-1), rfc3339(1_700_000_000_123)
    ('1970-01-01T00:00:00.000Z', '1969-12-31T23:59:59.999Z', '2023-11-14T22:13:20.123Z')
    """
    if not FIRST_MS <= ms <= LAST_MS:
        raise ValueError(f"{ms} ms is outside the years 1 to 9999")
    moment = _EPOCH + timedelta(milliseconds=ms)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
