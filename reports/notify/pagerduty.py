"""A message as an event of PagerDuty's Events API v2.

https://developer.pagerduty.com/docs/events-api-v2/overview/ has the limits: 1,024 characters of summary, 255 of a dedup key, 512 KB of an event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detectors.alerts import Severity
from reports.notify.notice import fitted, kinds_of, notice
from reports.render.escape import terminal

if TYPE_CHECKING:
    from detectors.alerts import Alert
    from reports.notify.message import Message

MOST_SUMMARY = 1_024
MOST_KEY = 255
MOST_DETAILS = 20_000

SEVERITIES = {Severity.P0_BLOCKER: "critical", Severity.P1_HIGH: "error", Severity.P2_NOTE: "info"}

_TEXTS = (
    "id",
    "kind",
    "layer",
    "metric",
    "subject",
    "day",
    "state",
    "first_seen",
    "opened_at",
    "resolved_at",
)
_NUMBERS = ("value", "baseline_median", "robust_z", "absolute_change", "relative_change", "count")


def event(message: Message, routing_key: str) -> dict[str, Any]:
    """The JSON document to post."""
    head = {"routing_key": routing_key, "event_action": message.action, "dedup_key": _key(message)}
    return head | ({"payload": _payload(message)} if message.action == "trigger" else {})


def _key(message: Message) -> str:
    """The same events raise the same alerts in every installation that reads them: each ends only its own."""
    return f"{message.site[: MOST_KEY - len(message.key) - 1]}/{message.key}"[:MOST_KEY]


def plain_event(message: Message, routing_key: str) -> dict[str, Any]:
    """The same with the least that PagerDuty wants."""
    document = event(message, routing_key)
    if "payload" in document:
        least = ("summary", "source", "severity")
        document["payload"] = {name: document["payload"][name] for name in least}
    return document


def _payload(message: Message) -> dict[str, Any]:
    told = fitted(notice(message), MOST_DETAILS)
    loudest = min((change.alert.severity for change in message.changes), default=Severity.P2_NOTE)
    details: dict[str, Any] = {"text": "\n".join(told.lines)}
    payload: dict[str, Any] = {
        "summary": terminal(_summary(message, told.title), MOST_SUMMARY),
        "source": terminal(message.site, 200),
        "severity": SEVERITIES[loudest],
        "component": "sluice",
    }
    if len(message.changes) == 1:
        alert = message.changes[0].alert
        details |= _details(alert)
        payload |= {"timestamp": alert.opened_at, "group": alert.layer, "class": terminal(alert.kind, 200)}
    return payload | {"custom_details": details}


def _summary(message: Message, title: str) -> str:
    """The title, and what an alert says of itself, or of which kinds many are: often all that a phone shows."""
    said = message.changes[0].alert.message if len(message.changes) == 1 else kinds_of(message.changes)
    return f"{title}: {said}" if said.strip() else title


def _details(alert: Alert) -> dict[str, Any]:
    values = ((name, getattr(alert, name)) for name in (*_TEXTS, *_NUMBERS))
    return {name: _short(value) for name, value in values if value is not None}


def _short(value: object) -> object:
    return terminal(value, 500) if isinstance(value, str) else value
