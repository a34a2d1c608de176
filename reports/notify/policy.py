"""What a receiver wants to hear: which alerts, at which hours, how often. Times of the day are those of its zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta  # noqa: F401 - UTC is for the examples below
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from detectors.alerts import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from detectors.alerts import Alert

MINUTE_MS = 60_000
DAY_MINUTES = 1_440

LOUD: frozenset[Severity] = frozenset({Severity.P0_BLOCKER, Severity.P1_HIGH})


@dataclass(frozen=True, slots=True)
class Route:
    """Which alerts. Empty `kinds` or `metrics` = all of them, also those without a metric. A kind may be a pattern
    (`schema_*`)."""

    severities: frozenset[Severity] = LOUD
    kinds: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()

    def takes(self, alert: Alert) -> bool:
        """Whether the alert goes to this receiver."""
        return (
            alert.severity in self.severities
            and (not self.kinds or any(fnmatchcase(alert.kind, kind) for kind in self.kinds))
            and (not self.metrics or alert.metric in self.metrics)
        )


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of every night (or day) in which only a P0 may disturb, from `begin` to `end`, minutes after midnight.

    >>> QuietHours(22 * 60, 7 * 60, UTC).end_ms(23 * 3_600_000) == (24 + 7) * 3_600_000
    True
    >>> QuietHours(22 * 60, 7 * 60, UTC).end_ms(12 * 3_600_000) is None
    True
    """

    begin: int
    end: int
    zone: tzinfo

    def end_ms(self, at_ms: int) -> int | None:
        """When the quiet time ends that this moment lies in; None = it lies in none."""
        local = datetime.fromtimestamp(at_ms / 1000, self.zone)
        minute = local.hour * 60 + local.minute
        crosses = self.begin > self.end
        quiet = minute >= self.begin or minute < self.end if crosses else self.begin <= minute < self.end
        if not quiet:
            return None
        day = local.date() + timedelta(days=1 if crosses and minute >= self.begin else 0)
        later = (end for end in _moments(day, self.end, self.zone) if end > at_ms)
        return next(later, at_ms + MINUTE_MS)


@dataclass(frozen=True, slots=True)
class Daily:
    """A time of every day, in minutes after midnight.

    >>> Daily(8 * 60, UTC).last(9 * 3_600_000)
    ('1970-01-01', 28800000)
    >>> Daily(8 * 60, UTC).last(7 * 3_600_000)
    ('1969-12-31', -57600000)
    """

    minute: int
    zone: tzinfo

    def last(self, at_ms: int) -> tuple[str, int]:
        """The newest one that is not in the future: its date (ISO) and its moment."""
        return max(slot for slot in self._around(at_ms) if slot[1] <= at_ms)

    def next_ms(self, at_ms: int) -> int:
        """The moment of the one after that."""
        return min(moment for _, moment in self._around(at_ms) if moment > at_ms)

    def _around(self, at_ms: int) -> Iterator[tuple[str, int]]:
        today = datetime.fromtimestamp(at_ms / 1000, self.zone).date()
        for days in (-2, -1, 0, 1, 2):
            day = today + timedelta(days=days)
            yield day.isoformat(), next(_moments(day, self.minute, self.zone))


def _moments(day: date, minute: int, zone: tzinfo) -> Iterator[int]:
    """When a clock on the wall shows that minute of the day: twice where an hour is repeated."""
    shown = datetime.combine(day, time(minute // 60, minute % 60))
    for fold in (0, 1):
        yield round(shown.replace(tzinfo=zone, fold=fold).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Policy:
    """One receiver's wishes. `site` names the installation in messages. `grace_ms`: what turned longer ago than that
    when it was noticed is no news of now. `update_ms` lies between two messages about changed numbers of one alert."""

    receiver: str
    site: str = "sluice"
    route: Route = Route()
    quiet: QuietHours | None = None
    digest: Daily | None = None
    update_ms: int = 120 * MINUTE_MS
    grace_ms: int = 120 * MINUTE_MS
    resend_ms: int = MINUTE_MS
