"""What operators said of an alert, out of its history; plain text, to be escaped by whoever shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detectors.alerts import Alert


def last_word(alert: Alert) -> str:
    """Who acknowledged or silenced it last, and why; empty if nobody did, or the record is not as it should be.

    >>> from detectors.finding import Finding
    >>> from detectors.life import acknowledged, opened
    >>> entry = opened("id", Finding("volume_drop", "opened", "P1_HIGH", "watch", 0, 1))
    >>> last_word(acknowledged(entry, 0, "the shop's release", "ann").alert)
    "acknowledged by ann: the shop's release"
    """
    if alert.state not in ("acknowledged", "silenced"):
        return ""
    said = [
        entry for entry in _history(alert) if isinstance(entry, dict) and entry.get("state") == alert.state
    ]
    if not said:
        return ""
    by, reason = _text(said[-1].get("by")), _text(said[-1].get("reason"))
    return f"{alert.state} by {by or 'somebody'}" + (f": {reason}" if reason else "")


def _history(alert: Alert) -> list[Any]:
    history = (alert.evidence or {}).get("history")
    return history if isinstance(history, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
