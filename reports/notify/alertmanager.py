"""Alerts as Prometheus Alertmanager's API v2 takes them.

https://prometheus.io/docs/alerting/latest/clients/ says what is expected of whoever sends. Labels are identity, so they
hold nothing that changes; what changes is in the annotations. `endsAt` is always set: a standing alert's lies some re-sends ahead, so that it ends by itself if nobody re-sends it any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.core import timestamps
from consumer.core.instant import rfc3339
from reports.notify.hearing import hearing
from reports.notify.notice import label, named
from reports.render.escape import terminal

if TYPE_CHECKING:
    from detectors.alerts import Alert, Severity
    from reports.notify.message import Message

MOST_ALERTS = 200
"""In one request."""

RESENDS = 4
"""A standing alert outlives so many re-sends that fail (Prometheus' own factor)."""

FEWEST_SECONDS = 300

SKEW_MS = 30_000
"""An end lies so far in the past: one that Alertmanager's clock has yet to reach would be no end to it."""

MOST_LABEL = 200
MOST_ANNOTATION = 1_000


def bodies(message: Message, resend_ms: int) -> list[list[dict[str, Any]]]:
    """The JSON documents to post, one after the other."""
    ends_ms = message.at_ms + max(RESENDS * resend_ms, FEWEST_SECONDS * 1000)
    alerts = [_entry(change.alert, change.alert.severity, message, ends_ms) for change in message.changes] + [
        _entry(alert, severity, message, message.at_ms - SKEW_MS) for alert, severity in message.ended
    ]
    return [alerts[start : start + MOST_ALERTS] for start in range(0, len(alerts), MOST_ALERTS)]


def test_alert(site: str, now_ms: int) -> list[dict[str, Any]]:
    """A test alert that ends a minute from now."""
    return [
        {
            "labels": {"alertname": "SluiceTest", "severity": "none", "sluice": terminal(site, MOST_LABEL)},
            "annotations": {"summary": "Test message: Sluice can reach you"},
            "startsAt": rfc3339(now_ms),
            "endsAt": rfc3339(now_ms + 60_000),
        }
    ]


def _entry(alert: Alert, severity: Severity, message: Message, ends_ms: int) -> dict[str, Any]:
    opened_ms = timestamps.parse(alert.opened_at)
    starts_ms = min(message.at_ms if opened_ms is None else opened_ms, message.at_ms, ends_ms - 1)
    return {
        "labels": _labels(alert, severity, message.site),
        "annotations": _annotations(alert, severity),
        "startsAt": rfc3339(starts_ms),
        "endsAt": rfc3339(ends_ms),
    }


def _labels(alert: Alert, severity: Severity, site: str) -> dict[str, str]:
    labels = {
        "alertname": alert.kind,
        "severity": severity.value,
        "layer": alert.layer,
        "metric": alert.metric or "",
        "subject": alert.subject or "",
        "alert_id": alert.id,
        "sluice": site,
    }
    shown = {name: terminal(value, MOST_LABEL) for name, value in labels.items()}
    return {name: value for name, value in shown.items() if value}


def _annotations(alert: Alert, severity: Severity) -> dict[str, str]:
    annotations = {
        "summary": f"[{label(severity)}] {named(alert)}",
        "description": alert.message,
        "day": alert.day or "",
        "state": hearing(alert),
        "first_seen": alert.first_seen,
    }
    shown = {name: terminal(value, MOST_ANNOTATION) for name, value in annotations.items()}
    return {name: value for name, value in shown.items() if value}
