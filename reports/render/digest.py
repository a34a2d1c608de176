"""What a range of days has to say, before any markup: how the days ended, what fired, what of it was true as far as
people said, and how noisy each rule was."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from consumer.core import timestamps
from consumer.core.days import METRICS, USABLE
from consumer.core.money import add
from detectors.alerts import LIVE, Alert, Severity
from reports.render import words
from reports.render.alert_record import judgement, was_held_back
from reports.render.alerts_json import generated_at
from reports.render.decisions import Decision, decisions
from reports.render.incidents import Incident, Symptoms, minutes_to_detection
from reports.render.source import Source
from reports.render.story import not_counted
from reports.render.summary import FEWEST_DAYS, lost_alerts, value_of
from reports.render.times import Times, times_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from consumer.core.days import Receipt, Status

MOST_DAYS = 92
"""A quarter; a longer range would say nothing of its single days."""

NOISY_TIMES = 3
"""A rule that fired so often, or was silenced, is worth a look at its threshold."""

_SUMS = ("sessions", "purchases", "revenue")


@dataclass(slots=True)
class RuleLine:
    """One kind of alert over the range. `pages` (P0) and `alerts` (P1) fired; `held_back` did not, as symptoms of a known
    cause; `notes` never do. The four judgements are of what fired."""

    kind: str
    pages: int = 0
    alerts: int = 0
    notes: int = 0
    held_back: int = 0
    confirmed: int = 0
    accepted: int = 0
    silenced: int = 0
    unanswered: int = 0
    to_detection: list[int] = field(default_factory=list)
    lasted: list[int] = field(default_factory=list)

    @property
    def fired(self) -> int:
        """How often it fired."""
        return self.pages + self.alerts

    @property
    def median_to_detection(self) -> float | None:
        """Minutes from the first evidence until it was known."""
        return median(self.to_detection) if self.to_detection else None

    @property
    def median_lasted(self) -> float | None:
        """Minutes until it was over, of those that are."""
        return median(self.lasted) if self.lasted else None

    @property
    def is_noisy(self) -> bool:
        """Whether its threshold is worth a look: often, and nobody found it true; or silenced."""
        true = self.confirmed + self.accepted
        return self.silenced > true or (self.fired >= NOISY_TIMES and not true)


@dataclass(frozen=True, slots=True)
class MetricMean:
    """A metric of a usable day of the range: the mean, of a share that of all usable days together. `before` is that of
    as many days before. None = not measurable, or too few usable days. `days` and `days_before` are how many usable days
    each is made of."""

    metric: str
    value: Decimal | None
    before: Decimal | None
    days: int
    days_before: int


@dataclass(frozen=True, slots=True)
class Digest:
    """Everything that a digest shows. `days` has one entry for each calendar day, oldest first. `waiting` are the days
    that are quarantined and wait for a person; `unkept` those of which an alert is told that is no longer kept. `begins`
    is the first day of all that are known."""

    first: str
    last: str
    days: tuple[tuple[str, Receipt | None], ...]
    metrics: tuple[MetricMean, ...]
    incidents: tuple[Incident, ...]
    rules: tuple[RuleLine, ...]
    rejects: dict[str, int]
    claimed: dict[str, str]
    waiting: tuple[str, ...]
    decisions: tuple[Decision, ...]
    unkept: tuple[str, ...]
    begins: str | None
    as_of: str | None
    times: Times
    source: Source

    def count(self, status: Status) -> int:
        """How many days ended so."""
        return sum(receipt is not None and receipt.status == status for _, receipt in self.days)

    @property
    def fired(self) -> int:
        """How many alerts fired."""
        return sum(rule.fired for rule in self.rules)

    @property
    def true(self) -> int:
        """How many of them people found true."""
        return sum(rule.confirmed + rule.accepted for rule in self.rules)


def calendar(first: str, last: str) -> list[str]:
    """The days from the first to the last one.

    >>> calendar("2025-02-27", "2025-03-01")
    ['2025-02-27', '2025-02-28', '2025-03-01']
    """
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(begin + timedelta(days=n)).isoformat() for n in range((end - begin).days + 1)]


def digest(
    receipts: Iterable[Receipt],
    alerts: Collection[Alert],
    first: str,
    last: str,
    source: Source = Source.KAFKA,
) -> Digest:
    """The digest of the days from `first` to `last` (ISO dates, both taken in; at most `MOST_DAYS`). An alert belongs to
    the day on which it was known, or else at whose end; so of ranges that follow each other it belongs to one."""
    known = {receipt.day: receipt for receipt in receipts}
    days = [(day, known.get(day)) for day in calendar(first, last)]
    before = _at(date.fromisoformat(first), -1)
    begin, end = _end(before, known.get(before or ""), first), _end(last, known.get(last), None)
    opened = sorted(
        (alert for alert in alerts if end.is_after(alert) and not begin.is_after(alert)),
        key=lambda alert: (alert.opened_at, alert.id),
    )
    shown = [alert for alert in opened if alert.severity != Severity.P2_NOTE and not was_held_back(alert)]
    seen = [receipt for _, receipt in days if receipt is not None]
    known_symptoms = Symptoms(alerts)
    waiting = tuple(receipt.day for receipt in seen if receipt.status == "quarantined")
    return Digest(
        first=first,
        last=last,
        days=tuple(days),
        metrics=tuple(_mean(metric, days, known) for metric in METRICS),
        incidents=tuple(Incident(alert, known_symptoms.of(alert), new=True) for alert in shown),
        rules=tuple(_rules(opened)),
        rejects=_added(not_counted(receipt) for receipt in seen),
        claimed=_claimed(seen),
        waiting=waiting,
        decisions=tuple(decisions(waiting, known, alerts, source)),
        unkept=tuple(receipt.day for receipt in seen if lost_alerts(receipt, alerts)),
        begins=min(known, default=None),
        as_of=generated_at(known.values(), alerts),
        times=times_in(seen[-1].time_zone if seen else "UTC"),
        source=source,
    )


class _End(NamedTuple):
    """The end of a day, and when it closed (RFC 3339 UTC; the same where that is not known): what the day comes to is
    known only then."""

    at: str
    closed: str

    def is_after(self, alert: Alert) -> bool:
        """Whether the alert belongs to the day or one before: known by its end, or, of what began within it, until it
        closed."""
        return alert.opened_at < self.at or (alert.first_seen < self.at and alert.opened_at <= self.closed)


def _end(day: str | None, receipt: Receipt | None, following: str | None) -> _End:
    """The end of a day; `following` is the ISO date of the day after, where the day itself is not in the calendar."""
    at = receipt.ends if receipt else None
    if at is None:
        at = f"{day}T24:00:00.000Z" if day is not None else f"{following}T00:00:00.000Z"
    return _End(at, max(at, (receipt.closed_at if receipt else None) or ""))


def _rules(alerts: Iterable[Alert]) -> list[RuleLine]:
    lines: dict[str, RuleLine] = {}
    for alert in alerts:
        line = lines.setdefault(alert.kind, RuleLine(alert.kind))
        if alert.severity == Severity.P2_NOTE:
            line.notes += 1
        elif was_held_back(alert):
            line.held_back += 1
        else:
            _count(line, alert)
    return sorted(lines.values(), key=lambda line: (-line.pages, -line.fired, -line.held_back, line.kind))


def _count(line: RuleLine, alert: Alert) -> None:
    if alert.severity == Severity.P0_BLOCKER:
        line.pages += 1
    else:
        line.alerts += 1
    match judgement(alert):
        case "confirmed":
            line.confirmed += 1
        case "accepted":
            line.accepted += 1
        case "silenced":
            line.silenced += 1
        case "unanswered":
            line.unanswered += 1
    minutes = minutes_to_detection(alert)
    if minutes is not None:
        line.to_detection.append(minutes)
    begin, end = timestamps.parse(alert.first_seen), timestamps.parse(alert.resolved_at or "")
    if alert.state not in LIVE and alert.state != "expired" and begin is not None and end is not None:
        line.lasted.append(max(end - begin, 0) // timestamps.MINUTE_MS)


def _mean(metric: str, days: Sequence[tuple[str, Receipt | None]], known: dict[str, Receipt]) -> MetricMean:
    start = date.fromisoformat(days[0][0])
    past = [known.get(day) for n in range(len(days)) if (day := _at(start, -n - 1))]
    now, before = (_usable(receipts) for receipts in ([receipt for _, receipt in days], past))
    mean = _of(metric, before) if len(before) >= FEWEST_DAYS else None
    return MetricMean(metric, _of(metric, now), mean, len(now), len(before))


def _usable(receipts: Sequence[Receipt | None]) -> list[Receipt]:
    return [receipt for receipt in receipts if receipt is not None and receipt.status in USABLE]


def _at(start: date, days: int) -> str | None:
    try:
        return (start + timedelta(days=days)).isoformat()
    except OverflowError:
        return None


def _of(metric: str, receipts: Sequence[Receipt]) -> Decimal | None:
    """Over the days on which the metric was measurable."""
    measured = [receipt for receipt in receipts if value_of(receipt, metric) is not None]
    if not measured:
        return None
    if metric in _SUMS:
        total = Decimal(0)
        for receipt in measured:
            total = add(total, value_of(receipt, metric) or Decimal(0))
        return total / len(measured)
    sessions = sum(receipt.metrics.sessions or 0 for receipt in measured)
    if metric == "conversion_rate":
        part = sum(receipt.metrics.purchases or 0 for receipt in measured)
    else:
        part = sum(receipt.counts.direct_sessions for receipt in measured)
    return Decimal(part) / Decimal(sessions) if sessions else None


def _added(tables: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for table in tables:
        for name, count in table.items():
            total[name] = total.get(name, 0) + count
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def _claimed(receipts: Sequence[Receipt]) -> dict[str, str]:
    reasons = sorted({reason for receipt in receipts for reason in receipt.claimed})
    return {reason: words.total(r.claimed.get(reason, "0") for r in receipts) for reason in reasons}
