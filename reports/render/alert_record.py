"""What operators said of an alert, out of its history; plain text, to be escaped by whoever shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from detectors.alerts import Alert

Judgement = Literal["confirmed", "accepted", "silenced", "unanswered"]
"""`confirmed`: somebody looked after it. `accepted`: the change is real, and normal from now on. `silenced`: nobody
wanted to hear of it. `unanswered`: nobody said anything."""


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


def judgement(alert: Alert) -> Judgement:
    """What people made of it: the last thing that one of them said decides.

    >>> from detectors.finding import Finding
    >>> from detectors.life import acknowledged, opened
    >>> entry = opened("id", Finding("volume_drop", "opened", "P1_HIGH", "watch", 0, 1))
    >>> judgement(entry.alert), judgement(acknowledged(entry, 0, "the shop's release", "ann").alert)
    ('unanswered', 'confirmed')
    """
    evidence = alert.evidence or {}
    if isinstance(evidence.get("accepted"), str):
        return "accepted"
    said = [
        entry.get("state") for entry in _history(alert) if isinstance(entry, dict) and _text(entry.get("by"))
    ]
    told = [state for state in said if state in ("acknowledged", "silenced")]
    if not told:
        return "unanswered"
    return "confirmed" if told[-1] == "acknowledged" else "silenced"


def was_held_back(alert: Alert) -> bool:
    """Whether a cause held it back, so that it reached nobody, when it was last seen."""
    states = [entry.get("state") for entry in _history(alert) if isinstance(entry, dict)]
    known = [state for state in states if state not in ("resolved", "expired")]
    return alert.state == "inhibited" or (alert.caused_by is not None and known[-1:] == ["inhibited"])


def _history(alert: Alert) -> list[Any]:
    history = (alert.evidence or {}).get("history")
    return history if isinstance(history, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
