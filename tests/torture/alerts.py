"""Alerts as their topic tells them: one incident, one id, one life, each change told once. None of the product's code."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import Message

    from tests.torture.findings import Line, Verdict

Alert = dict[str, Any]

# fmt: off
FIELDS = frozenset(
    (
        "id", "severity", "kind", "layer", "metric", "subject", "day", "state", "first_seen", "opened_at", "resolved_at",
        "value", "baseline_median", "baseline_mad", "scale", "robust_z", "absolute_change", "relative_change", "count",
        "message", "evidence", "caused_by", "explains",
    )
)
# fmt: on
LIVE = frozenset({"open", "acknowledged", "silenced", "inhibited"})
OVER = frozenset({"resolved", "expired"})
MOST_HISTORY = 20
"""States that an alert keeps of its past."""


def verify_alerts(verdict: Verdict, messages: Iterable[Message]) -> dict[str, Alert]:
    """The last state of every alert by id."""
    line = verdict.line("alerts: each change told once, a life that only goes on")
    latest: dict[str, Alert] = {}
    for message in messages:
        line.compared += 1
        alert: Alert = json.loads(message.value(), parse_float=Decimal)
        name = alert["id"]
        if message.key() != name.encode() or alert.keys() != FIELDS:
            line.differs(f"{name}: key {message.key()!r}, fields {sorted(alert.keys() ^ FIELDS)}")
        _compare(line, latest.get(name), alert)
        latest[name] = alert
    _one_incident_one_id(verdict, latest)
    verdict.notes["alerts"] = len(latest)
    return latest


def _compare(line: Line, before: Alert | None, alert: Alert) -> None:
    name, state, past = alert["id"], alert["state"], _history(alert)
    if state not in LIVE | OVER:
        line.differs(f"{name} is {state}")
    if (alert["resolved_at"] is None) != (state in LIVE):
        line.differs(f"{name} is {state}, resolved at {alert['resolved_at']}")
    if not alert["first_seen"] <= alert["opened_at"]:
        line.differs(f"{name} was known at {alert['opened_at']} before it began at {alert['first_seen']}")
    if before is None:
        return
    if alert == before:
        line.is_twice(f"{name} {alert['kind']} {state}: the same state again")
    for what in ("kind", "subject", "layer", "metric"):
        if alert[what] != before[what]:
            line.differs(f"{name}: {what} was {before[what]} and is {alert[what]}")
    if alert["first_seen"] > before["first_seen"] or alert["opened_at"] > before["opened_at"]:
        line.differs(f"{name} began later than was known: {before['first_seen']}, {alert['first_seen']}")
    then = _history(before)
    if len(past) < MOST_HISTORY and past[: len(then)] != then:
        line.differs(f"{name}: its past was {then} and is {past}")
    if before["state"] != state and past == then:
        line.differs(f"{name}: {before['state']} became {state} without a word")


def _history(alert: Alert) -> list[Any]:
    history = (alert["evidence"] or {}).get("history", [])
    return history if isinstance(history, list) else []


def _one_incident_one_id(verdict: Verdict, latest: dict[str, Alert]) -> None:
    """No two alerts tell of the same: kind, subject, day, loudness and beginning."""
    line = verdict.line("alerts: one incident, one id")
    line.compared = len(latest)
    incidents: Counter[tuple[object, ...]] = Counter()
    for alert in latest.values():
        note = alert["severity"] == "P2_NOTE"
        incident = (alert["kind"], alert["subject"], alert["day"], note, alert["first_seen"])
        if (
            alert["caused_by"] is not None
        ):  # a condition that steps up again opens an alert that names the one before
            continue
        incidents[incident] += 1
        if incidents[incident] > 1:
            line.is_twice(f"{alert['id']}: {incident}")
