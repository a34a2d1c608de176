"""Which daily metrics cannot be measured while what they are made of is gone: empty, with the reason, never a wrong
number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.alerts import Severity
from detectors.causes import DEFAULT_FIELDS, About, Fields, about, is_harmless
from detectors.sentences import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

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


MOST_LEFT = 100
"""One in so many of the events that lacked something may stay away, and the rest is the whole of them all the same."""


def unmeasurable(
    alerts: Iterable[Alert], fields: Fields = DEFAULT_FIELDS, mended: Collection[str] = ()
) -> dict[str, str]:
    """The metrics that are not measurable under these alerts (those of a day), each with its reason in a sentence.

    The earliest alert gives the reason. A field that comes under a name that the contract knows costs nothing, nor does
    one of the `mended`: what lacked it was put back.
    """
    found: dict[str, str] = {}
    for alert in sorted(alerts, key=lambda alert: (alert.first_seen, alert.id)):
        if _is_gone(alert, fields) and alert.subject not in mended:
            for metric in _NEEDS.get(about(alert, fields), ()):
                found.setdefault(metric, _reason(alert, fields))
    return found


def mended(
    put_back: Mapping[str, int], left: Callable[[str], int], fields: Fields = DEFAULT_FIELDS
) -> set[str]:
    """The fields of which next to all events that lacked them were put back, repaired, and passed.

    `put_back` and `left` count such events by the dead letters' reason, or by the path of what a purchase must have.

    >>> sorted(mended({"timestamp_missing": 200, "event_data.items": 7}, {"timestamp_missing": 2, "event_data.items": 1}.get))
    ['timestamp']
    """
    counted_as = [
        (fields.timestamp, "timestamp_missing"),
        (fields.event_name, "event_name_missing"),
        (fields.event_data, "purchase_data"),
        *((path, path) for path in fields.needed),
    ]
    return {
        path
        for path, name in counted_as
        if path is not None and name in put_back and left(name) * MOST_LEFT <= put_back[name]
    }


def over_with(alerts: Collection[Alert], fields: Fields, mended: Collection[str]) -> set[tuple[str, str]]:
    """The conditions (kind and subject) of which these alerts (those of a day) say no more than that something was gone
    that is mended, or what followed from that."""
    over = {alert.id for alert in alerts if _is_gone(alert, fields) and alert.subject in mended}
    while more := {alert.id for alert in alerts if alert.caused_by in over} - over:
        over |= more
    loud = [alert for alert in alerts if alert.severity is not Severity.P2_NOTE]
    standing = {_condition(alert) for alert in loud if alert.id not in over}
    return {_condition(alert) for alert in loud if alert.id in over} - standing


def _condition(alert: Alert) -> tuple[str, str]:
    return alert.kind, alert.subject or ""


def _is_gone(alert: Alert, fields: Fields) -> bool:
    return alert.kind in _GONE and not is_harmless(alert, fields)


def _reason(alert: Alert, fields: Fields) -> str:
    name = fields.purchase_event if alert.kind == "schema_unknown_event" else alert.subject or ""
    minute = f"{alert.first_seen[:10]} {alert.first_seen[11:16]} UTC"
    return f"{cut(name)} {_GONE[alert.kind]} since {minute}"
