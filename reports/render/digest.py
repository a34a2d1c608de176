"""What a range of days has to say, before any markup: how the days ended, what fired, what of it was true as far as
people said, and how noisy each rule was."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING

from consumer.core import timestamps
from consumer.core.days import METRICS, USABLE
from consumer.core.money import add
from detectors.alerts import LIVE, Alert, Severity
from reports.render import words
from reports.render.alert_record import judgement, was_held_back
from reports.render.alerts_json import generated_at
from reports.render.incidents import Incident, Symptoms, minutes_to_detection
from reports.render.story import not_counted
from reports.render.summary import FEWEST_DAYS, value_of

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
    """One kind of alert over the range. `pages` (P0) and `alerts` (P1) reached people; `held_back` did not, as symptoms
    of a known cause; `notes` never do. The four judgements are of what reached people."""

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
    def reached(self) -> int:
        """How often it reached a person."""
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
        return self.silenced > true or (self.reached >= NOISY_TIMES and not true)


@dataclass(frozen=True, slots=True)
class MetricMean:
    """A metric of a usable day of the range: the mean, of a share that of all usable days together. `before` is that of
    as many days before. None = not measurable, or too few usable days."""

    metric: str
    value: Decimal | None
    before: Decimal | None


@dataclass(frozen=True, slots=True)
class Digest:
    """Everything that a digest shows. `days` has one entry for each calendar day, oldest first."""

    first: str
    last: str
    days: tuple[tuple[str, Receipt | None], ...]
    metrics: tuple[MetricMean, ...]
    incidents: tuple[Incident, ...]
    rules: tuple[RuleLine, ...]
    rejects: dict[str, int]
    claimed: dict[str, str]
    as_of: str | None

    def count(self, status: Status) -> int:
        """How many days ended so."""
        return sum(receipt is not None and receipt.status == status for _, receipt in self.days)

    @property
    def reached(self) -> int:
        """How many alerts reached people."""
        return sum(rule.reached for rule in self.rules)

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


def digest(receipts: Iterable[Receipt], alerts: Collection[Alert], first: str, last: str) -> Digest:
    """The digest of the days from `first` to `last` (ISO dates, both taken in; at most `MOST_DAYS`). An alert belongs to
    it if it was opened in it."""
    known = {receipt.day: receipt for receipt in receipts}
    days = [(day, known.get(day)) for day in calendar(first, last)]
    begins, ends = _begins(days), _ends(days)
    opened = sorted(
        (alert for alert in alerts if begins <= alert.opened_at < ends),
        key=lambda alert: (alert.opened_at, alert.id),
    )
    shown = [alert for alert in opened if alert.severity != Severity.P2_NOTE and not was_held_back(alert)]
    seen = [receipt for _, receipt in days if receipt is not None]
    known_symptoms = Symptoms(alerts)
    return Digest(
        first=first,
        last=last,
        days=tuple(days),
        metrics=tuple(_mean(metric, days, known) for metric in METRICS),
        incidents=tuple(Incident(alert, known_symptoms.of(alert), new=True) for alert in shown),
        rules=tuple(_rules(opened)),
        rejects=_added(not_counted(receipt) for receipt in seen),
        claimed=_claimed(seen),
        as_of=generated_at(seen, opened),
    )


def _begins(days: Sequence[tuple[str, Receipt | None]]) -> str:
    day, receipt = days[0]
    return (receipt.begins if receipt else None) or f"{day}T00:00:00.000Z"


def _ends(days: Sequence[tuple[str, Receipt | None]]) -> str:
    """A little after the last day: what it comes to is known when it closes."""
    day, receipt = days[-1]
    end = (receipt.ends if receipt else None) or f"{day}T24:00:00.000Z"
    closed = receipt.closed_at if receipt else None
    return max(end, f"{closed}~" if closed else "")


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
    return sorted(lines.values(), key=lambda line: (-line.pages, -line.reached, -line.held_back, line.kind))


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
    return MetricMean(metric, _of(metric, now), _of(metric, before) if len(before) >= FEWEST_DAYS else None)


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
