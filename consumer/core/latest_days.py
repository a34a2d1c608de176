"""The newest days with their five metrics, each beside the range in which a whole day of it is quiet: what a dashboard
shows."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from consumer.core.daybook import Span, receipt
from consumer.core.days import METRICS
from consumer.core.timestamps import MINUTE_MS
from detectors.band import NOTHING, Band, judge
from detectors.totals import Totals
from detectors.watched import WATCHED, Limits, Watched, WatchLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from consumer.core.daybook import Day
    from consumer.core.days import Status
    from consumer.core.zone import DayZone
    from detectors.verdict import Normal

_WATCHED = {watched.metric: watched for watched in WATCHED}

_HALVINGS = 40
"""A bound is exact to the 40th binary digit of the median."""

_MOST_TIMES = 1e6
"""A rise to this many times the median, or beyond, has no bound."""


class Range(NamedTuple):
    """What is normal for a metric on a day, and from where to where a whole day may lie without an alert. In the metric's
    unit; no `high` = none that matters."""

    low: float
    median: float
    high: float | None


class LatestDay(NamedTuple):
    """One day: when it begins (milliseconds since the epoch), its status, its metrics as far as they are measurable, and
    their ranges, which are known once the day is closed."""

    begins_ms: int
    status: Status
    values: dict[str, float]
    ranges: dict[str, Range]


def latest_days(
    days: Mapping[str, Day], furthest_ms: int | None, zone: DayZone, limits: WatchLimits, count: int
) -> dict[int, LatestDay]:
    """The newest `count` calendar days, by how many days before the newest one they were. The newest one is that which
    the streams have reached; a day that no event was for is left out."""
    if furthest_ms is None:
        return {}
    today = date.fromisoformat(zone.day_of(furthest_ms // MINUTE_MS))
    known = {(today - date.fromisoformat(day)).days: day for day in days}
    return {ago: _latest(known[ago], days[known[ago]], zone, limits) for ago in range(count) if ago in known}


def _latest(day: str, sums: Day, zone: DayZone, limits: WatchLimits) -> LatestDay:
    begins_ms = zone.start_ms(day)
    seen = receipt(Span(day, zone.name, begins_ms, zone.end_ms(day)), sums, "", None)
    values = {name: float(value) for name in METRICS if (value := getattr(seen.metrics, name)) is not None}
    ranges = {
        name: quiet_range(_WATCHED[name], seen.normal[name], limits.of(name), limits.z)
        for name in METRICS
        if name in seen.normal
    }
    return LatestDay(begins_ms, seen.status, values, ranges)


@lru_cache(maxsize=1024)
def quiet_range(watched: Watched, normal: Normal, limits: Limits, z: float) -> Range:
    """From where to where a whole day's metric may lie without an alert, by the rule itself (`detectors.band.judge`):
    asked again and again, since it has no inverse.

    >>> from detectors.verdict import Normal
    >>> watched, limits = WATCHED[0], WatchLimits()
    >>> low, median, high = quiet_range(watched, Normal(1000.0, 60.0, 0.0, 28), limits.sessions, limits.z)
    >>> round(low), median, round(high)
    (700, 1000.0, 1309)
    """
    band = Band(normal.median, 0.0, normal.scale, max(normal.days, 1), "")

    def fires(x: float) -> bool:
        return judge(watched, _day_of(watched, x), band, limits, z).fired

    low = _edge(fires, normal.median, 0.0) if normal.median > 0 and fires(0.0) else 0.0
    unit = max(normal.median, normal.scale, limits.absolute, NOTHING)
    far = 2 * unit
    while not fires(far):
        far *= 2
        if far > _MOST_TIMES * unit:
            return Range(low, normal.median, None)
    return Range(low, normal.median, _edge(fires, normal.median, far))


def _edge(fires: Callable[[float], bool], quiet: float, loud: float) -> float:
    """The last quiet value on the way to a loud one."""
    for _ in range(_HALVINGS):
        middle = (quiet + loud) / 2
        if fires(middle):
            loud = middle
        else:
            quiet = middle
    return quiet


def _day_of(watched: Watched, x: float) -> Totals:
    """A day whose metric is x, and that has no order larger than the others."""
    day = msgspec.structs.replace(Totals(), **{watched.part: x})
    return day if watched.whole is None else msgspec.structs.replace(day, **{watched.whole: 1.0})
