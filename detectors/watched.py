"""The watched metrics as a table: what each is made of, and what a change must be to matter.

Every threshold of the watch's rules on a metric stands here, with its default and the reason for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from detectors.alerts import Severity

if TYPE_CHECKING:
    from detectors.totals import Part, Totals


class Kind(StrEnum):
    """What kind of number a metric is; its noise and its thresholds follow from that."""

    VOLUME = "volume"
    RATIO = "ratio"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Limits:
    """What makes a change of one metric matter besides its z: `relative` and `absolute`, both.

    `absolute` is in the metric's unit. `spread` is how much a metric of this kind varies from day to day at least, as
    a share of its median (the `r` of `s = max(1.4826 MAD, floor, r |m|)`); `spread_hourly` the same of an hour against
    its day. A fall by the share `breakage_fall`, or a rise by the share `breakage_rise`, implies that something is
    broken rather than that business is bad: P0.
    """

    relative: float
    absolute: float
    spread: float
    spread_hourly: float
    breakage_fall: float | None = None
    breakage_rise: float | None = None


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """The thresholds by metric. A drop and a rise count alike; shares are 0-1."""

    z: float = 4.5
    events: Limits = Limits(0.35, 100, 0.06, 0.06, breakage_fall=0.9, breakage_rise=4.0)
    sessions: Limits = Limits(0.30, 50, 0.06, 0.06, breakage_fall=0.9, breakage_rise=4.0)
    purchases: Limits = Limits(0.35, 5, 0.06, 0.06, breakage_fall=0.9, breakage_rise=4.0)
    revenue: Limits = Limits(0.35, 5_000, 0.06, 0.06, breakage_fall=0.9, breakage_rise=4.0)
    conversion_rate: Limits = Limits(0.30, 0.002, 0.06, 0.06)
    direct_share: Limits = Limits(0.0, 0.08, 0.05, 0.04)
    purchase_value: Limits = Limits(0.40, 150, 0.05, 0.05)

    def of(self, metric: str) -> Limits:
        """The thresholds of one metric."""
        limits: Limits = getattr(self, metric)
        return limits


class Watched(NamedTuple):
    """One metric: `part`, or `part` divided by `whole`."""

    metric: str
    rule: str
    kind: Kind
    unit: str
    part: Part
    whole: Part | None = None


WATCHED: tuple[Watched, ...] = (
    Watched("sessions", "sessions_anomaly", Kind.VOLUME, "sessions", "sessions"),
    Watched("purchases", "purchases_anomaly", Kind.VOLUME, "purchases", "purchases"),
    Watched("revenue", "revenue_anomaly", Kind.MONEY, "currency", "revenue"),
    Watched("conversion_rate", "conversion_shift", Kind.RATIO, "share of sessions", "purchases", "sessions"),
    Watched("direct_share", "direct_share_shift", Kind.RATIO, "share of sessions", "direct", "sessions"),
    Watched(
        "purchase_value", "purchase_value_shift", Kind.MONEY, "currency per purchase", "revenue", "purchases"
    ),
)
"""Judged at the end of the day and as it goes on."""

EVENTS = Watched("events", "volume_drop", Kind.VOLUME, "events", "events")
"""Judged only as the day goes on: a rise is a `volume_spike`."""

PACED: tuple[Watched, ...] = (EVENTS, *WATCHED)


def size_of(watched: Watched) -> Part:
    """The part that a metric's noise depends on: a ratio's whole, the purchases behind an amount, a count itself."""
    return watched.whole or ("purchases" if watched.part == "revenue" else watched.part)


def value(watched: Watched, totals: Totals) -> float | None:
    """The metric's value; None when it has no meaning (a share of nothing).

    >>> from detectors.totals import Totals
    >>> value(WATCHED[3], Totals(sessions=200, purchases=3)), value(WATCHED[3], Totals(purchases=3))
    (0.015, None)
    """
    part: float = getattr(totals, watched.part)
    if watched.whole is None:
        return part
    whole: float = getattr(totals, watched.whole)
    return part / whole if whole > 0 else None


def without_largest(watched: Watched, totals: Totals) -> float | None:
    """The metric without its day's largest order, for amounts; any other metric as it is. One order, however large, is
    no change of level.

    The largest order is taken to be sum(x^2) / sum(x), the order that an average unit of revenue belongs to (the
    contraharmonic mean): all of the excess where one order dwarfs the others, two or three usual orders otherwise.

    >>> from detectors.totals import Totals
    >>> without_largest(WATCHED[2], Totals(purchases=11, revenue=1100.0, revenue_squares=1_001_000.0))  # 1000 and ten of 10
    190.0
    """
    if watched.kind is not Kind.MONEY or totals.revenue <= 0:
        return value(watched, totals)
    revenue = totals.revenue - min(totals.revenue_squares / totals.revenue, totals.revenue)
    if watched.whole is None:
        return revenue
    return revenue / (totals.purchases - 1) if totals.purchases > 1 else None


def severity(limits: Limits, relative: float | None) -> Severity:
    """How loud a change that fired is: P0 only where its size implies breakage.

    >>> limits = WatchLimits().revenue
    >>> severity(limits, -0.95).value, severity(limits, -0.5).value, severity(limits, 99.0).value
    ('P0_BLOCKER', 'P1_HIGH', 'P0_BLOCKER')
    """
    if relative is None:
        return Severity.P1_HIGH
    fell = limits.breakage_fall is not None and relative <= -limits.breakage_fall
    rose = limits.breakage_rise is not None and relative >= limits.breakage_rise
    return Severity.P0_BLOCKER if fell or rose else Severity.P1_HIGH
