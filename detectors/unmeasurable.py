"""Which daily metrics cannot be measured while what they are made of is gone: empty, with the reason, never a wrong
number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.causes import DEFAULT_FIELDS, About, Fields, about, is_harmless
from detectors.sentences import cut

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.alerts import Alert

_GONE = {
    "schema_field_missing": "is missing",
    "schema_field_renamed": "came under another name",
    "schema_unknown_event": "came under another name",
}

KINDS = frozenset(_GONE)
"""The kinds of alerts that make metrics unmeasurable."""

_NEEDS: dict[About, tuple[str, ...]] = {
    About.EVENT: ("sessions", "purchases", "revenue", "conversion_rate", "direct_share"),
    About.IDENTITY: ("sessions", "conversion_rate", "direct_share"),
    About.VISIT: ("direct_share",),
    About.PURCHASE: ("purchases", "revenue", "conversion_rate"),
}
"""The metrics that need what is gone."""


def unmeasurable(alerts: Iterable[Alert], fields: Fields = DEFAULT_FIELDS) -> dict[str, str]:
    """The metrics that are not measurable under these alerts (those of a day), each with its reason in a sentence.

    The earliest alert gives the reason. A field that comes under a name that the contract knows costs nothing.
    """
    found: dict[str, str] = {}
    for alert in sorted(alerts, key=lambda alert: (alert.first_seen, alert.id)):
        if alert.kind in _GONE and not is_harmless(alert, fields):
            for metric in _NEEDS.get(about(alert, fields), ()):
                found.setdefault(metric, _reason(alert, fields))
    return found


def _reason(alert: Alert, fields: Fields) -> str:
    name = fields.purchase_event if alert.kind == "schema_unknown_event" else alert.subject or ""
    minute = f"{alert.first_seen[:10]} {alert.first_seen[11:16]} UTC"
    return f"{cut(name)} {_GONE[alert.kind]} since {minute}"
