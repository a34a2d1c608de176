"""RFC 3339 timestamps to milliseconds since the epoch, strictly and fast.

Accepted: `2025-02-23T00:00:01.750Z` and everything else RFC 3339 allows: any fraction (cut to milliseconds),
`z` and `t` in lower case, a space instead of `T` (section 5.6, note), an offset instead of `Z`, and a leap second
where there can be one (23:59:60 UTC, counted as the last millisecond of its day). Refused: no zone, dates that do
not exist, and instants outside of the years 1 to 9999.
"""

from __future__ import annotations

import re
from datetime import date

MINUTE_MS = 60_000
DAY_MS = 86_400_000

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_FIRST_MS = (date.min.toordinal() - _EPOCH_DAY) * DAY_MS
_LAST_MS = (date.max.toordinal() - _EPOCH_DAY + 1) * DAY_MS - 1

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))\Z",
    re.ASCII,
)

SECONDS_OF_HOUR = {
    f"{minute:02d}:{second:02d}": minute * MINUTE_MS + second * 1000
    for minute in range(60)
    for second in range(60)
}
"""Milliseconds by the digits of minutes and seconds."""

FRACTIONS = {f".{ms:03d}Z": ms for ms in range(1000)} | {"Z": 0}
"""Milliseconds by all that follows the seconds, in the two forms that nearly every event has."""

_MOST_HOURS = 20_000


class HourCache(dict[str, int]):
    """Epoch milliseconds by the first 14 characters (`2025-02-23T00:`) of timestamps seen lately.

    With it, `cache[text[:14]] + SECONDS_OF_HOUR[text[14:19]] + FRACTIONS[text[19:]]` is the whole parse of a common
    timestamp; a `KeyError` means: ask `parse`. Only canonical prefixes of UTC timestamps get in, and never more
    than 20,000 of them.
    """

    def __missing__(self, prefix: str) -> int:
        start = parse(prefix + "00:00Z") if prefix[10:11] == "T" else None
        if start is None:
            raise KeyError(prefix)
        if len(self) >= _MOST_HOURS:
            self.clear()
        self[prefix] = start
        return start


def parse(text: str) -> int | None:
    """Milliseconds since the epoch, or None if the text is no RFC 3339 timestamp.

    >>> parse("1970-01-01T00:00:01.5Z"), parse("1970-01-01T01:00:00+01:00"), parse("2025-02-30T00:00:00Z")
    (1500, 0, None)
    >>> parse("2016-12-31T23:59:60Z") == parse("2016-12-31T23:59:59.999Z"), parse("2016-12-31T12:00:60Z")
    (True, None)
    """
    match = _RFC3339.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, off_hour, off_minute = match.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    minutes = int(hour) * 60 + int(minute)
    if sign:
        offset = int(off_hour) * 60 + int(off_minute)
        minutes += -offset if sign == "+" else offset
    milliseconds = int((fraction or "")[:3].ljust(3, "0"))
    if second == "60":
        if minutes % 1440 != 1439:  # noqa: PLR2004 - the last minute of a UTC day
            return None
        second, milliseconds = "59", 999
    at = days * DAY_MS + minutes * MINUTE_MS + int(second) * 1000 + milliseconds
    return at if _FIRST_MS <= at <= _LAST_MS else None
