"""What a report has to say of one day, before any markup: which day, its numbers beside the usual ones, what is
open and under which cause, and the days before. The renderers for people only dress this up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING

from consumer.core import timestamps
from consumer.core.days import METRICS, USABLE, Receipt
from detectors.alerts import LIVE, Alert, Severity
from reports.render.alerts_json import generated_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BASELINE_DAYS = 7
"""How many prior usable days the usual value is the median of, at most."""

FEWEST_DAYS = 3
"""Below this many a median says nothing: there is no baseline yet. The watch's rules use the same two numbers."""

RECENT_DAYS = 14


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One metric of the day. `value` None = not measurable; `usual` None = no baseline yet, and `days` says how many
    prior usable days there are."""

    metric: str
    value: Decimal | None
    usual: Decimal | None
    days: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything a report shows. Alerts are in the order in which they are shown, the loudest first.

    `filling` are days other than this one that are not closed yet. `recent` has one entry for each calendar day, newest first; None = nothing was received for that day.
    """

    asked: str | None
    receipt: Receipt | None
    metrics: tuple[MetricLine, ...]
    loud: tuple[Alert, ...]
    notes: tuple[Alert, ...]
    over: tuple[Alert, ...]
    also_quarantined: tuple[str, ...]
    filling: tuple[Receipt, ...]
    recent: tuple[tuple[str, Receipt | None], ...]
    alerts: dict[str, Alert]
    as_of: str | None

    def symptoms(self, cause: Alert) -> list[Alert]:
        """The known alerts that the cause explains, whichever of the two names the other."""
        named = set(cause.explains or ())
        return [
            alert
            for alert in self.alerts.values()
            if alert.id != cause.id
            and (alert.id in named or (alert.state == "inhibited" and alert.caused_by == cause.id))
        ]


def summarise(receipts: Iterable[Receipt], alerts: Iterable[Alert], day: str | None = None) -> Summary:
    """The summary of `day`, or of the day that `newest_day` chooses."""
    days = {receipt.day: receipt for receipt in sorted(receipts, key=lambda receipt: receipt.day)}
    known = sorted(alerts, key=lambda alert: (alert.severity, alert.opened_at, alert.id))
    receipt = days.get(day) if day else newest_day(list(days.values()))
    shown = receipt.day if receipt else day
    standing = [alert for alert in known if alert.state in LIVE and alert.state != "inhibited"]
    return Summary(
        asked=day,
        receipt=receipt,
        metrics=tuple(_line(receipt, metric, list(days.values())) for metric in METRICS) if receipt else (),
        loud=tuple(alert for alert in standing if alert.severity != Severity.P2_NOTE),
        notes=tuple(alert for alert in standing if alert.severity == Severity.P2_NOTE),
        over=tuple(alert for alert in known if alert.state not in LIVE and shown in days_of(alert)),
        also_quarantined=tuple(d for d, r in days.items() if r.status == "quarantined" and d != shown),
        filling=tuple(r for d, r in days.items() if r.status == "open" and d != shown),
        recent=_recent(days, shown),
        alerts={alert.id: alert for alert in known},
        as_of=generated_at(days.values(), known),
    )


def days_of(alert: Alert) -> set[str]:
    """The days that an alert is about: its own one, and those that its evidence names; none = about no day."""
    named = (alert.evidence or {}).get("days")
    days = [alert.day, *(named if isinstance(named, list) else [])]
    return {day for day in days if isinstance(day, str)}


def concerns(alert: Alert, day: str, ends: str | None = None) -> bool:
    """Whether the alert belongs to the state as of a day: it is about that day or an earlier one, or it is about none and
    had begun by the day's end (`ends`: RFC 3339, as in the receipt; where it is not known, that of the UTC day)."""
    days = days_of(alert)
    if days:
        return min(days) <= day
    began, end = timestamps.parse(alert.first_seen), timestamps.parse(ends or "")
    if began is None or end is None:
        return alert.first_seen[: len(day)] <= day
    return began < end


def newest_day(receipts: Sequence[Receipt]) -> Receipt | None:
    """The newest closed day; while none has closed, the newest open one; None before the first."""
    closed = [receipt for receipt in receipts if receipt.status != "open"]
    return max(closed or receipts, key=lambda receipt: receipt.day, default=None)


def _line(receipt: Receipt, metric: str, receipts: Sequence[Receipt]) -> MetricLine:
    prior = [
        value
        for other in receipts
        if other.day < receipt.day
        and other.status in USABLE
        and (value := value_of(other, metric)) is not None
    ][-BASELINE_DAYS:]
    usual = median(prior) if len(prior) >= FEWEST_DAYS else None
    return MetricLine(metric, value_of(receipt, metric), usual, len(prior))


def value_of(receipt: Receipt, metric: str) -> Decimal | None:
    """A metric of the day; None = not measurable."""
    value: str | int | None = getattr(receipt.metrics, metric)
    return None if value is None else Decimal(value)


def _recent(days: dict[str, Receipt], last: str | None) -> tuple[tuple[str, Receipt | None], ...]:
    if last is None or not days:
        return ()
    newest, oldest = date.fromisoformat(last), date.fromisoformat(min(days))
    span = min(RECENT_DAYS, (newest - oldest).days + 1)
    calendar = [(newest - timedelta(days=back)).isoformat() for back in range(span)]
    return tuple((day, days.get(day)) for day in calendar)
