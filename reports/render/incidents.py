"""Alerts as people take them: an incident is a cause with its symptoms, new, still open, or over.

Only what reaches a person: P0 and P1. A symptom never stands before, or without, the cause that explains it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from consumer.core import timestamps
from detectors.alerts import LIVE, Alert, Severity
from detectors.purchases import COLLISION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consumer.core.days import Receipt


MOST_ALIKE = 5
"""Incidents of one kind that are shown one by one; the loudest."""


class Incident(NamedTuple):
    """A cause, and what follows from it. `new`: it was not known before the day that is reported."""

    alert: Alert
    symptoms: tuple[Alert, ...]
    new: bool


def incidents(alerts: Sequence[Alert], day: str | None, receipt: Receipt | None) -> list[Incident]:
    """What is open, and what is over but touched the day, in the order given (the loudest first): a symptom that stands
    by itself comes right after its cause."""
    explained = {name for alert in alerts for name in alert.explains or ()}
    shown = [
        alert
        for alert in alerts
        if _is_shown(alert, day, receipt) and (alert.state in LIVE or alert.id not in explained)
    ]
    begins = _begins(day, receipt)
    of = {alert.id: alert for alert in shown}
    ordered: dict[str, Alert] = {}
    for alert in shown:
        for one in reversed(_causes(alert, of)):
            ordered.setdefault(one.id, one)
    known = Symptoms(alerts)
    return [Incident(a, known.of(a), a.opened_at >= begins) for a in ordered.values()]


class Symptoms:
    """Who explains whom, looked up by the cause."""

    def __init__(self, alerts: Iterable[Alert]) -> None:
        self._known: dict[str, tuple[int, Alert]] = {}
        self._held: dict[str, list[str]] = {}
        for place, alert in enumerate(alerts):
            self._known[alert.id] = place, alert
            if alert.state == "inhibited" and alert.caused_by is not None:
                self._held.setdefault(alert.caused_by, []).append(alert.id)

    def of(self, cause: Alert) -> tuple[Alert, ...]:
        """The known alerts that the cause explains, whichever of the two names the other, in the order in which they were
        given."""
        named = {*(cause.explains or ()), *self._held.get(cause.id, ())} - {cause.id}
        return tuple(
            alert
            for _, alert in sorted((self._known[name] for name in named & self._known.keys()), key=_place)
        )


def _place(known: tuple[int, Alert]) -> int:
    return known[0]


def folded(found: Sequence[Incident], most: int) -> tuple[list[Incident], dict[str, int]]:
    """At most so many incidents in their order, of one kind a few; and how many of each kind are left out. Many of one
    kind must not hide the others."""
    told: Counter[str] = Counter()
    left: Counter[str] = Counter()
    shown: list[Incident] = []
    for incident in found:
        kind = incident.alert.kind
        if told[kind] < MOST_ALIKE and len(shown) < most:
            told[kind] += 1
            shown.append(incident)
        else:
            left[kind] += 1
    return shown, dict(left.most_common())


def touches(alert: Alert, begins: str, ends: str) -> bool:
    """Whether the incident lies at least in part within a time (RFC 3339 UTC, the end left out)."""
    return alert.first_seen < ends and (alert.resolved_at is None or alert.resolved_at >= begins)


def minutes_to_detection(alert: Alert) -> int | None:
    """From the first evidence to the minute at which it was known, in event time."""
    first, known = timestamps.parse(alert.first_seen), timestamps.parse(alert.opened_at)
    if first is None or known is None or known < first:
        return None
    return (known - first) // timestamps.MINUTE_MS


def days_of(alert: Alert) -> set[str]:
    """The days that an alert is about: its own one, and those that its evidence names; none = about no day."""
    named = (alert.evidence or {}).get("days")
    days = [alert.day, *(named if isinstance(named, list) else [])]
    return {day for day in days if isinstance(day, str)}


def is_about(alert: Alert, day: str, receipt: Receipt | None) -> bool:
    """Whether the alert is about the day, or its incident lay at least in part within it."""
    if day in days_of(alert):
        return True
    if (
        alert.state == "expired" or alert.kind == COLLISION
    ):  # over at once: its end is only that it left the list
        return False
    return receipt is not None and touches(alert, _begins(day, receipt), _ends(day, receipt))


def _is_shown(alert: Alert, day: str | None, receipt: Receipt | None) -> bool:
    if alert.severity == Severity.P2_NOTE or alert.state == "inhibited":
        return False
    return alert.state in LIVE or (day is not None and is_about(alert, day, receipt))


def _causes(alert: Alert, shown: dict[str, Alert]) -> list[Alert]:
    """The alert and the shown ones that it follows from, one after the other."""
    chain = [alert]
    while (cause := shown.get(chain[-1].caused_by or "")) is not None and cause not in chain:
        chain.append(cause)
    return chain


def _begins(day: str | None, receipt: Receipt | None) -> str:
    return (receipt.begins if receipt else None) or f"{day or ''}T00:00:00.000Z"


def _ends(day: str, receipt: Receipt) -> str:
    return receipt.ends or f"{day}T24:00:00.000Z"


def incidents_within(
    alerts: Sequence[Alert], days: Sequence[str], receipts: Mapping[str, Receipt | None]
) -> list[Incident]:
    """The incidents that lie at least in part within the calendar, in the order in which they began; what is held back
    under a cause is among its symptoms."""
    if not days:
        return []
    begins = _begins(days[0], receipts.get(days[0]))
    explained = {name for alert in alerts for name in alert.explains or ()}
    known = Symptoms(alerts)
    found = [
        Incident(alert, known.of(alert), new=False)
        for alert in alerts
        if alert.severity != Severity.P2_NOTE
        and alert.state != "inhibited"
        and (alert.state in LIVE or alert.id not in explained)
        and (alert.resolved_at is None or alert.resolved_at >= begins)
    ]
    return sorted(found, key=lambda incident: (incident.alert.first_seen, incident.alert.id))
