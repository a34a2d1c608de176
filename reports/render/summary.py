"""What a report has to say of one day, before any markup: which day, its numbers beside what was normal, what is
open, new and over and under which cause, and the days before. The renderers for people only dress this up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from consumer.core import timestamps
from consumer.core.days import METRICS, USABLE, Receipt
from detectors.alerts import LIVE, Alert, Severity, quarantines
from reports.render.alerts_json import generated_at
from reports.render.incidents import Incident, days_of, incidents, is_about
from reports.render.source import Source
from reports.render.times import Times, times_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from detectors.verdict import Check

FEWEST_DAYS = 3
"""The watch's rules need so many trusted days before they say what is normal."""

BAND_SCALES = 2
"""Half of a band in scales (what the metric usually varies by): 19 of 20 quiet days lie within, and the watch takes two
days beyond it on the same side for a change (`DeviationRules.sustained_z`)."""

RECENT_DAYS = 28

WEEK_DAYS = 7

FLAG = "an alert"
"""The reason of a check that an alert has left behind, with a colon and the alert's subject if it has one."""

_WHOLE_SHARE = Decimal(1)
_SHARES = frozenset({"conversion_rate", "direct_share"})

Place = Literal["low", "within", "high", "unknown"]


@dataclass(frozen=True, slots=True)
class MetricLine:
    """One metric of the day. `value` None = not measurable; `usual` and `spread` (half of the band) as the watch had
    them when the day closed, None = not known; where they are not, `days` says how many usable days there are before.
    `last_week` is the same weekday's a week before."""

    metric: str
    value: Decimal | None
    usual: Decimal | None = None
    spread: Decimal | None = None
    days: int = 0
    last_week: Decimal | None = None

    @property
    def band(self) -> tuple[Decimal, Decimal] | None:
        """The lowest and the highest usual value."""
        if self.usual is None or self.spread is None:
            return None
        high = self.usual + self.spread
        return max(self.usual - self.spread, Decimal(0)), min(
            high, _WHOLE_SHARE
        ) if self.metric in _SHARES else high

    @property
    def place(self) -> Place:
        """Where the value lies beside its band."""
        band = self.band
        if band is None or self.value is None:
            return "unknown"
        return "low" if self.value < band[0] else "high" if self.value > band[1] else "within"


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything a report shows. Incidents are in the order in which they are shown, the loudest first.

    `pending` are incidents that have left the list of what is open while a day that they quarantined still waits for a
    person; `waiting` are all such days, oldest first. `filling` are days other than this one that are not closed yet.
    `recent` has one entry for each calendar day up to the newest one known, oldest first; None = nothing was received
    for that day. `notes` are alerts that never reach a person by themselves: live ones, and those of the day that are
    over. `later` are the open alerts that are only about later days, where an earlier day is reported. `lost` are the
    rules that say of the day that an alert of theirs speaks against it, while there is none any more. `days` are the
    receipts up to the day, or all; `as_of` is how far the whole state had come; `is_past`: a later day has closed.
    """

    asked: str | None
    receipt: Receipt | None
    metrics: tuple[MetricLine, ...]
    open: tuple[Incident, ...]
    pending: tuple[Incident, ...]
    over: tuple[Incident, ...]
    notes: tuple[Alert, ...]
    waiting: tuple[str, ...]
    also_quarantined: tuple[str, ...]
    filling: tuple[Receipt, ...]
    recent: tuple[tuple[str, Receipt | None], ...]
    alerts: dict[str, Alert]
    later: tuple[Alert, ...]
    lost: tuple[str, ...]
    days: dict[str, Receipt]
    as_of: str | None
    is_past: bool
    times: Times
    source: Source

    @property
    def day(self) -> str | None:
        """The day that it is about."""
        return self.receipt.day if self.receipt else self.asked


def summarise(
    receipts: Iterable[Receipt],
    alerts: Iterable[Alert],
    day: str | None = None,
    source: Source = Source.KAFKA,
) -> Summary:
    """The summary of `day`, or of the day that `newest_day` chooses, out of everything that is known. Of a day before
    the newest closed one it tells what is known of it and of the days before."""
    everything = {receipt.day: receipt for receipt in sorted(receipts, key=lambda receipt: receipt.day)}
    ordered = sorted(alerts, key=lambda alert: (alert.severity, alert.opened_at, alert.id))
    newest = newest_day(list(everything.values()))
    receipt = everything.get(day) if day else newest
    shown = receipt.day if receipt else day
    days, known = everything, ordered
    is_past = shown is not None and newest is not None and shown < newest.day
    if shown is not None and is_past:
        ends = receipt.ends if receipt else None
        days = {one: told for one, told in everything.items() if one <= shown}
        known = [alert for alert in ordered if concerns(alert, shown, ends)]
    found = incidents(known, shown, receipt)
    waiting = tuple(one for one, told in days.items() if told.status == "quarantined")
    over = [incident for incident in found if incident.alert.state not in LIVE]
    return Summary(
        asked=day,
        receipt=receipt,
        metrics=metric_lines(receipt, days) if receipt else (),
        open=tuple(incident for incident in found if incident.alert.state in LIVE),
        pending=tuple(incident for incident in over if _quarantines(incident.alert, waiting)),
        over=tuple(incident for incident in over if not _quarantines(incident.alert, waiting)),
        notes=tuple(alert for alert in known if _is_note_of(alert, shown)),
        waiting=waiting,
        also_quarantined=tuple(one for one in waiting if one != shown),
        filling=tuple(told for one, told in days.items() if told.status == "open" and one != shown),
        recent=_recent(days, shown),
        alerts={alert.id: alert for alert in known},
        later=_later(ordered, known),
        lost=lost_alerts(receipt, ordered) if receipt else (),
        days=days,
        as_of=generated_at(everything.values(), ordered),
        is_past=is_past,
        times=times_in(receipt.time_zone if receipt else "UTC"),
        source=source,
    )


def _quarantines(alert: Alert, waiting: Collection[str]) -> bool:
    """Whether a day that waits for a person is quarantined because of it."""
    return quarantines(alert.layer, alert.severity) and not days_of(alert).isdisjoint(waiting)


def _later(everything: Iterable[Alert], known: Iterable[Alert]) -> tuple[Alert, ...]:
    told = {alert.id for alert in known}
    return tuple(
        alert
        for alert in everything
        if alert.id not in told and _stands(alert) and alert.severity != Severity.P2_NOTE
    )


def is_flag(check: Check) -> bool:
    """Whether an alert has left the check behind."""
    return check.reason == FLAG or check.reason.startswith(f"{FLAG}: ")


def lost_alerts(receipt: Receipt, alerts: Collection[Alert]) -> tuple[str, ...]:
    """The rules of which the receipt says that an alert speaks against the day, and no alert is known: whoever kept
    them does so no longer. Nobody may say then that none fired."""
    flagged = {check.rule for check in receipt.checks if is_flag(check)}
    kept = {alert.kind for alert in alerts if alert.kind in flagged and is_about(alert, receipt.day, receipt)}
    return tuple(sorted(flagged - kept))


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


def metric_lines(receipt: Receipt, days: dict[str, Receipt]) -> tuple[MetricLine, ...]:
    """The five metrics of a day."""
    return tuple(_line(receipt, metric, days) for metric in METRICS)


def _line(receipt: Receipt, metric: str, days: dict[str, Receipt]) -> MetricLine:
    normal = receipt.normal.get(metric)
    before = days.get(earlier(receipt.day, WEEK_DAYS) or "")
    usable = 0 if normal is not None else sum(_counts(other, metric, receipt.day) for other in days.values())
    return MetricLine(
        metric,
        value_of(receipt, metric),
        None if normal is None else Decimal(str(normal.median)),
        None if normal is None else Decimal(str(normal.scale)) * BAND_SCALES,
        usable,
        None if before is None or before.status == "open" else value_of(before, metric),
    )


def _counts(receipt: Receipt, metric: str, day: str) -> bool:
    """Whether a receipt's day could tell a later one what is normal."""
    return receipt.day < day and receipt.status in USABLE and value_of(receipt, metric) is not None


def value_of(receipt: Receipt, metric: str) -> Decimal | None:
    """A metric of the day; None = not measurable."""
    value: str | int | None = getattr(receipt.metrics, metric)
    return None if value is None else Decimal(value)


def earlier(day: str, days: int) -> str | None:
    """The day so many days before; None before the calendar.

    >>> earlier("2025-03-01", 7), earlier("0001-01-02", 7)
    ('2025-02-22', None)
    """
    try:
        return (date.fromisoformat(day) - timedelta(days=days)).isoformat()
    except OverflowError:
        return None


def _is_note_of(alert: Alert, day: str | None) -> bool:
    if alert.severity != "P2_NOTE":
        return False
    return (
        alert.state in LIVE and alert.state != "inhibited"
        if day is None
        else _stands(alert) or day in days_of(alert)
    )


def _stands(alert: Alert) -> bool:
    return alert.state in LIVE and alert.state != "inhibited"


def _recent(days: dict[str, Receipt], last: str | None) -> tuple[tuple[str, Receipt | None], ...]:
    """The calendar up to the newest day that is known, or asked for."""
    if last is None or not days:
        return ()
    newest, oldest = date.fromisoformat(max([last, *days])), date.fromisoformat(min(days))
    span = min(RECENT_DAYS, (newest - oldest).days + 1)
    calendar = [(newest - timedelta(days=back)).isoformat() for back in reversed(range(span))]
    return tuple((day, days.get(day)) for day in calendar)
