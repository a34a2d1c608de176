"""The demo's honesty: what the topics say of the days, compared with what has to be. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from consumer.core.rejection import PURCHASE_INVALID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumer.core.days import Receipt
    from consumer.local.shop_event import DayTruth
    from detectors.alerts import Alert

TRUTH = "the shop's own books"
IN_MEMORY = "an uninterrupted run over the same events"

MOST_SAID = 3

_BY_ARRIVAL = frozenset({"unparseable_events", "timestamp_errors"})
_INVALID = frozenset(reason.value for reason in PURCHASE_INVALID)


class Difference(NamedTuple):
    """A number that is not what it has to be, and who says so."""

    what: str
    told: object
    expected: object
    source: str
    day: str | None = None

    def __str__(self) -> str:
        of = f" of {self.day}" if self.day else ""
        return f"{self.what}{of}: {_shown(self.told)}, but {_shown(self.expected)} by {self.source}"


@dataclass(slots=True)
class Comparison:
    """Numbers that were compared with one source, and those that differ."""

    source: str
    compared: int = 0
    differences: list[Difference] = field(default_factory=list)

    def compare(self, what: str, told: object, expected: object, day: str | None = None) -> None:
        """Takes note of one number."""
        self.compared += 1
        if told != expected:
            self.differences.append(Difference(what, told, expected, self.source, day))


def count(receipts: Iterable[Receipt]) -> int:
    """How many records the days account for: events, and rejects that are no events."""
    return sum(
        receipt.counts.events
        + sum(times for reason, times in receipt.rejects.items() if reason not in _INVALID)
        for receipt in receipts
    )


def compare_with_truth(receipts: Iterable[Receipt], truth: Mapping[str, DayTruth]) -> Comparison:
    """The receipts of the days in `truth`, number by number."""
    told = {receipt.day: receipt for receipt in receipts}
    comparison = Comparison(TRUTH)
    for day, expected in truth.items():
        if day not in told:
            comparison.compare("the receipt", "missing", "there", day)
            continue
        numbers = _numbers(told[day])
        for what, number in _true_numbers(expected).items():
            comparison.compare(what, numbers[what], number, day)
        missing = sorted(told[day].not_measurable)
        comparison.compare("what is not measurable", missing, sorted(expected.not_measurable), day)
        right = _right_statuses(expected)
        status = told[day].status
        comparison.compare("the status", status, status if status in right else " or ".join(right), day)
    return comparison


def compare_with_memory(receipts: Iterable[Receipt], reference: Iterable[Receipt]) -> Comparison:
    """Every day's numbers, with those of a run over the same events. The status is not compared: rules that look at a
    day while it goes on look at other moments there, where batches are others."""
    told = {receipt.day: receipt for receipt in receipts}
    expected = {receipt.day: receipt for receipt in reference}
    comparison = Comparison(IN_MEMORY)
    comparison.compare("the days", sorted(told), sorted(expected))
    for day in sorted(told.keys() & expected.keys()):
        numbers = _numbers(told[day]) | _rates(told[day])
        for what, number in (_numbers(expected[day]) | _rates(expected[day])).items():
            comparison.compare(what, numbers[what], number, day)
    return comparison


def compare_alerts(alerts: Iterable[Alert], reference: Iterable[Alert]) -> Comparison:
    """Every alert with that of a run over the same events: which there are, how loud, since when, how long.

    Those about records without a time of their own are left out: they are known by when they come, which depends on how
    partitions are read.
    """
    told = {alert.id: alert for alert in alerts if alert.kind not in _BY_ARRIVAL}
    expected = {alert.id: alert for alert in reference if alert.kind not in _BY_ARRIVAL}
    comparison = Comparison(IN_MEMORY)
    comparison.compare("the alerts", sorted(told), sorted(expected))
    for name in sorted(told.keys() & expected.keys()):
        facts, others = _life(told[name]), _life(expected[name])
        for what, fact in others.items():
            comparison.compare(f"{what} of {expected[name].kind}", facts[what], fact, expected[name].day)
    return comparison


def compare_dead_letters(letters: Mapping[str, int], repeated: int, truth: Iterable[DayTruth]) -> Comparison:
    """The dead letters in their topic by reason, and how many were there more than once."""
    comparison = Comparison(TRUTH)
    expected: dict[str, int] = {}
    for day in truth:
        for reason, times in day.rejected.items():
            expected[reason.value] = expected.get(reason.value, 0) + times
    for name in sorted(letters.keys() | expected.keys()):
        comparison.compare(f"dead letters of {name}", letters.get(name, 0), expected.get(name, 0))
    comparison.compare("repeated dead letters", repeated, 0)
    return comparison


def compare_count(receipts: Iterable[Receipt], sent: int) -> Comparison:
    """Whether every event that was sent is counted once."""
    comparison = Comparison("what was sent")
    comparison.compare("all events", count(receipts), sent)
    return comparison


def in_a_sentence(differences: list[Difference]) -> str:
    """What is not equal; the first few by name."""
    said = "; ".join(map(str, differences[:MOST_SAID]))
    more = len(differences) - MOST_SAID
    return said + (f"; and {more} more" if more > 0 else "")


def _numbers(receipt: Receipt) -> dict[str, object]:
    metrics, counts = receipt.metrics, receipt.counts
    return {
        "events": counts.events,
        "sessions": metrics.sessions,
        "direct sessions": counts.direct_sessions,
        "purchases": metrics.purchases,
        "revenue": None if metrics.revenue is None else Decimal(metrics.revenue),
        "events without identity": counts.identity_missing,
        "replays": counts.replays,
        "collided purchases": counts.collisions,
        "rejected": dict(receipt.rejects),
    }


def _life(alert: Alert) -> dict[str, object]:
    return {
        "the severity": alert.severity,
        "the state": alert.state,
        "the first sight": alert.first_seen,
        "the opening": alert.opened_at,
        "the end": alert.resolved_at,
    }


def _rates(receipt: Receipt) -> dict[str, object]:
    metrics = receipt.metrics
    return {"conversion": metrics.conversion_rate, "direct share": metrics.direct_share}


def _true_numbers(truth: DayTruth) -> dict[str, object]:
    return {
        "events": truth.events,
        "sessions": truth.sessions,
        "direct sessions": truth.direct_sessions,
        "purchases": truth.purchases,
        "revenue": truth.revenue,
        "events without identity": truth.identity_missing,
        "replays": truth.replays,
        "collided purchases": truth.collisions,
        "rejected": {reason.value: times for reason, times in truth.rejected.items()},
    }


def _right_statuses(truth: DayTruth) -> tuple[str, ...]:
    """What the day's faults make of it. Where nothing is wrong with its purchases, it may still be unusual."""
    if truth.collisions:
        return ("quarantined",)
    return ("at_risk",) if PURCHASE_INVALID & truth.rejected.keys() else ("pass", "at_risk")


def _shown(value: object) -> str:
    return (
        "not measurable"
        if value is None
        else f"{value:,}"
        if isinstance(value, int | Decimal)
        else str(value)
    )
