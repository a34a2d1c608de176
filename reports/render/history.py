"""What the charts show: each metric's last days, the hours beside normal ones, the funnel, the fields' coverage."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from consumer.core import timestamps
from consumer.core.days import METRICS, USABLE
from reports.render.summary import FEWEST_DAYS, metric_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.core.days import Receipt
    from reports.render.summary import MetricLine

NORMAL_DAYS = 7
"""Hours, steps and fields are shown beside the median of so many usable days before, at most."""

HOUR_MS = 3_600_000
HOURS = 24

SERIES = ("events", "sessions", "purchases")


@dataclass(frozen=True, slots=True)
class HourLine:
    """One count by hour. `values` reach as far as the day has come; `normal` has the lowest, the median and the highest
    of the usable days before, or nothing while they are too few. `so_far` is the sum of the hours that are over, and
    `so_far_normal` what it usually is by then."""

    name: str
    values: list[int]
    normal: list[tuple[float, float, float]]
    so_far: int
    so_far_normal: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the funnel: its count, and how many of 100 sessions that is, today and usually."""

    name: str
    count: int
    per_100: float | None = None
    usual_per_100: float | None = None
    is_event: bool = False


@dataclass(frozen=True, slots=True)
class FieldLine:
    """A field's coverage (0-1) by day, oldest first; None = not known."""

    path: str
    shares: list[float | None]
    now: float | None
    usual: float | None

    @property
    def moved(self) -> float:
        """How far it is from the usual."""
        return 0.0 if self.now is None or self.usual is None else self.now - self.usual


def past_lines(
    receipts: dict[str, Receipt], recent: Sequence[tuple[str, Receipt | None]]
) -> dict[str, list[MetricLine | None]]:
    """Each metric's lines by day; None where there is no closed day."""
    lines: dict[str, list[MetricLine | None]] = {}
    for _, receipt in recent:
        told = metric_lines(receipt, receipts) if receipt is not None and receipt.status != "open" else None
        for metric in METRICS:
            found = next((one for one in told or () if one.metric == metric), None)
            lines.setdefault(metric, []).append(found)
    return lines


def usable_before(receipts: dict[str, Receipt], day: str, most: int = NORMAL_DAYS) -> list[Receipt]:
    """The usable days before a day, oldest first, at most so many."""
    return [r for d, r in sorted(receipts.items()) if d < day and r.status in USABLE][-most:]


def whole_days(receipts: dict[str, Receipt]) -> dict[str, Receipt]:
    """Without the oldest day, where the data begins in the middle of it: its first hours are not empty, but unknown."""
    oldest = min(receipts, default=None)
    if oldest is None or (hours := receipts[oldest].hours) is None or not hours.events or hours.events[0]:
        return receipts
    return {day: receipt for day, receipt in receipts.items() if day != oldest}


def hour_lines(receipt: Receipt, before: Sequence[Receipt]) -> list[HourLine]:
    """A day's hours beside normal ones; nothing where they are not known."""
    if receipt.hours is None or not _whole(receipt):
        return []
    known = [past for past in before if past.hours is not None and _whole(past)]
    over, begun = _hours_over(receipt)
    lines = []
    for name in SERIES:
        values: list[int] = getattr(receipt.hours, name)
        past: list[list[int]] = [getattr(one.hours, name) for one in known]
        normal, by_now = [], None
        if len(past) >= FEWEST_DAYS:
            columns = list(zip(*past, strict=True))
            normal = [(float(min(column)), float(median(column)), float(max(column))) for column in columns]
            by_now = float(median([sum(one[:over]) for one in past]))
        lines.append(HourLine(name, values[:begun], normal, sum(values[:over]), by_now))
    return lines


def hours_over(receipt: Receipt) -> int:
    """How many of the day's hours are over for sure."""
    return _hours_over(receipt)[0]


def _hours_over(receipt: Receipt) -> tuple[int, int]:
    """How many hours are over, and how many have begun."""
    if receipt.status != "open":
        return HOURS, HOURS
    begin = timestamps.parse(receipt.begins or "")
    mark = timestamps.parse(receipt.watermark or "")
    if begin is None or mark is None:
        return 0, HOURS
    over = min(max((mark - begin) // HOUR_MS, 0), HOURS)
    return over, min(over + 1, HOURS)


def _whole(receipt: Receipt) -> bool:
    """Whether every hour is told."""
    hours = receipt.hours
    return hours is not None and all(len(getattr(hours, name)) == HOURS for name in SERIES)


def funnel(receipt: Receipt, before: Sequence[Receipt]) -> list[Step]:
    """From sessions by way of events to purchases: the events in the order in which they usually are the most."""
    if not receipt.names:
        return []
    sessions = receipt.metrics.sessions
    known = [past for past in before if past.names and past.metrics.sessions]

    def usual(name: str) -> float | None:
        rates = [100 * past.names.get(name, 0) / (past.metrics.sessions or 1) for past in known]
        return median(rates) if len(rates) >= FEWEST_DAYS else None

    def per_100(count: int) -> float | None:
        return 100 * count / sessions if sessions else None

    steps = [Step(name, n, per_100(n), usual(name), is_event=True) for name, n in receipt.names.items()]
    steps.sort(key=lambda step: (-(step.usual_per_100 or step.per_100 or 0.0), -step.count, step.name))
    if sessions is not None:
        steps.insert(0, Step("sessions", sessions))
    if receipt.metrics.purchases is not None:
        counted = [
            100 * past.metrics.purchases / (past.metrics.sessions or 1)
            for past in known
            if past.metrics.purchases is not None
        ]
        normal = median(counted) if len(counted) >= FEWEST_DAYS else None
        bought = receipt.metrics.purchases
        steps.append(Step("purchases counted", bought, per_100(bought), normal))
    return steps


def field_lines(
    receipt: Receipt, before: Sequence[Receipt], recent: Sequence[tuple[str, Receipt | None]]
) -> list[FieldLine]:
    """Every field's coverage over the last days, those that moved most first."""
    shown = [one for _, one in recent]
    lines = []
    for path in receipt.coverage:
        past = [share for one in before if (share := _share(one, path)) is not None]
        usual = median(past) if len(past) >= FEWEST_DAYS else None
        shares = [None if one is None else _share(one, path) for one in shown]
        lines.append(FieldLine(path, shares, _share(receipt, path), usual))
    return sorted(lines, key=lambda line: -abs(line.moved))


def _share(receipt: Receipt, path: str) -> float | None:
    try:
        share = float(receipt.coverage[path])
    except (KeyError, ValueError):
        return None
    return share if 0 <= share <= 1 else None
