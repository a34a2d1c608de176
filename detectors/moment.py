"""Instants of the alerts' files, from and to milliseconds since the epoch: RFC 3339, UTC, milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

MINUTE_MS = 60_000
DAY_MS = 86_400_000

_FIRST_MS = -62_135_596_800_000
_LAST_MS = 253_402_300_799_999
"""The years 1 to 9999: what RFC 3339 can write."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1024)
def text_of(ms: int) -> str:
    """The instant as text; one outside of the years 1 to 9999 is the nearest that can be written.

    >>> text_of(1_700_000_000_123), text_of(10**18)
    ('2023-11-14T22:13:20.123Z', '9999-12-31T23:59:59.999Z')
    """
    moment = _EPOCH + timedelta(milliseconds=min(max(ms, _FIRST_MS), _LAST_MS))
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def ms_of(text: str) -> int:
    """The instant that `text_of` wrote. Raises ValueError for another text.

    >>> ms_of(text_of(1_700_000_000_123))
    1700000000123
    """
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
