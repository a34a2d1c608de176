"""What explains what: the table by which one cause is one alert, and its symptoms are held back.

A row says: alerts of these kinds, about such a field, explain alerts of those kinds. The first row that fits counts,
and the rows stand from the most specific to the least; where two causes fit equally well, the earlier one is taken.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from detectors.alerts import Alert, Severity
from detectors.moment import DAY_MS, MINUTE_MS, ms_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class Fields(NamedTuple):
    """Which paths of the contract mean what; None where the contract has no such field. `aliases` are the other names
    that it accepts, `needed` the paths without which no purchase counts: its id, its revenue, its items."""

    identity: str | None = "client_id"
    timestamp: str | None = "timestamp"
    event_name: str | None = "event_name"
    page_url: str | None = "page_url"
    referrer: str | None = "referrer"
    event_data: str | None = "event_data"
    user_agent: str | None = "user_agent"
    purchase_event: str = "checkout_completed"
    aliases: frozenset[str] = frozenset({"clientId"})
    needed: frozenset[str] = frozenset(
        {"event_data.transaction_id", "event_data.revenue", "event_data.items"}
    )


DEFAULT_FIELDS = Fields()
"""Those of the contract that Sluice comes with."""


class About(StrEnum):
    """What a field is to the numbers."""

    IDENTITY = "identity"
    EVENT = "event"
    VISIT = "visit"
    PURCHASE = "purchase"
    AGENT = "agent"
    OTHER = "other"


def about(alert: Alert, fields: Fields) -> About:
    """What the alert's subject is to the numbers: without it an event counts for nothing (timestamp, event name), opens
    no session (identity), is direct or not (page URL, referrer), or is no purchase (the purchase event, its data, its
    id, revenue and items; whatever else a purchase tells changes no number), or does not say that it is a robot's.

    >>> from detectors.life import opened
    >>> from detectors.finding import Finding
    >>> found = Finding("field_coverage", "opened", Severity.P1_HIGH, "gate", 0, 1, "event_data.revenue")
    >>> about(opened("id", found).alert, Fields()).value
    'purchase'
    """
    subject = alert.subject or ""
    if alert.kind == "identity_coverage" or subject == fields.identity:
        return About.IDENTITY
    if alert.kind == "schema_unknown_event":
        return About.PURCHASE if _was_purchase(alert, fields) else About.OTHER
    if subject and subject in (fields.timestamp, fields.event_name):
        return About.EVENT
    if subject and subject in (fields.page_url, fields.referrer):
        return About.VISIT
    if subject and subject == fields.user_agent:
        return About.AGENT
    if subject and (subject == fields.event_data or subject in fields.needed):
        return About.PURCHASE
    return About.OTHER


def is_by_purchase(alert: Alert, fields: Fields) -> bool:
    """Whether the alert is about something that only purchases have: evidence of it comes as seldom as they do."""
    above = fields.event_data
    return alert.kind == "purchase_invalid" or (above is not None and _below(alert.subject or "", above))


def _was_purchase(alert: Alert, fields: Fields) -> bool:
    """An unknown event that is the purchase event under another name."""
    old = (alert.evidence or {}).get("replaces")
    return alert.severity == Severity.P0_BLOCKER or old == fields.purchase_event


def _below(path: str, above: str) -> bool:
    """Whether a path is the other one, or lies in it."""
    return path == above or path.startswith((f"{above}.", f"{above}["))


_GONE = ("schema_field_missing", "schema_field_renamed", "schema_type_changed")
_SHARE = ("field_coverage", "identity_coverage")
_FLOOD = ("volume_spike", "bot_traffic", "duplicate_events", "identity_coverage")
_LITTLE = ("volume_silence", "volume_drop", "sessions_anomaly")
_UNREAD = ("unparseable_events", "timestamp_errors")
_ORDERS = ("purchases_anomaly", "revenue_anomaly")
_ALL_ORDERS = (*_ORDERS, "conversion_shift", "purchase_value_shift")
_VISITS = ("sessions_anomaly", "conversion_shift", "direct_share_shift")

SEVERAL_COLLISIONS = 3
"""From so many live ones on, collisions explain that purchases are missing: none of them is counted."""

_HALF = 0.5

_FLOODED_MINUTES = 240
"""Events that come twice, or without identity, or that do not count, explain that fields come empty only where both begin
together."""


class Row(NamedTuple):
    """Causes and what they explain. `of` limits the cause's subject; `field`: the symptom must be about the same field,
    or one within it; `side`: which way the symptom's number must have gone (`same`: as the cause's); `together`: both must
    begin within so many minutes; `most`: the cause must touch half at least, since what is left of the rest is no silence;
    `mutual`: each may explain the other, so the earlier one does."""

    causes: tuple[str, ...]
    symptoms: tuple[str, ...]
    of: tuple[About, ...] = ()
    field: bool = False
    side: str = "either"
    together: int | None = None
    most: bool = False
    mutual: bool = False


ROWS: tuple[Row, ...] = (
    # A field that is gone comes empty, too, and so does everything within it.
    Row(("schema_field_missing", "schema_field_renamed"), ("schema_type_changed",), field=True),
    Row(_GONE, _SHARE, field=True),
    # What the numbers are made of is gone, or comes empty.
    Row(_GONE, ("timestamp_errors", "unparseable_events"), (About.EVENT,)),
    Row(_GONE, ("volume_silence", "purchase_silence"), (About.EVENT,), most=True),
    Row(_GONE, _SHARE, (About.EVENT,), together=_FLOODED_MINUTES),
    Row(_GONE, ("volume_drop", "sessions_anomaly", "direct_share_shift", *_ALL_ORDERS), (About.EVENT,)),
    Row((*_GONE, *_SHARE), ("purchase_silence",), (About.PURCHASE,), most=True),
    Row((*_GONE, *_SHARE), ("purchase_invalid", *_ALL_ORDERS), (About.PURCHASE,)),
    Row(("schema_unknown_event",), ("purchase_silence", *_ALL_ORDERS), (About.PURCHASE,)),
    Row((*_GONE, *_SHARE), ("bot_traffic", *_VISITS), (About.IDENTITY,)),
    Row((*_GONE, *_SHARE), ("direct_share_shift",), (About.VISIT,)),
    # Without user agents robots are not known as such, and look like people who come directly.
    Row((*_GONE, *_SHARE), ("direct_share_shift", "sessions_anomaly", "volume_spike"), (About.AGENT,), side="rises"),
    Row(("field_coverage",), ("field_coverage",), field=True),
    # Events or purchases that cannot be used are missing elsewhere.
    Row(("purchase_invalid",), ("purchase_silence",), most=True),
    Row(("purchase_invalid",), _ALL_ORDERS, side="falls"),
    Row(("transaction_collision",), (*_ORDERS, "conversion_shift"), side="falls"),
    Row(_UNREAD, ("volume_silence", "purchase_silence"), most=True),
    Row(_UNREAD, ("volume_drop", "sessions_anomaly", *_ORDERS), side="falls"),
    # Nothing comes.
    Row(_LITTLE, _LITTLE, side="same", mutual=True),
    Row(("volume_silence",), ("purchase_silence", "sessions_anomaly", *_ORDERS), side="falls"),
    Row(("purchase_silence",), (*_ORDERS, "conversion_shift"), side="falls"),
    Row(("volume_drop",), ("purchase_silence", "sessions_anomaly", *_ORDERS), side="falls"),
    # Too much comes. Events that come again are why there are more, whichever is known first.
    Row(("duplicate_events",), ("volume_spike",), side="rises", together=_FLOODED_MINUTES),
    Row(_FLOOD, _FLOOD, mutual=True),
    Row(_FLOOD, ("field_coverage",), together=_FLOODED_MINUTES),
    Row(("volume_spike", "bot_traffic"), ("field_coverage",)),
    Row(("duplicate_events", "volume_spike"), ("transaction_replay",)),
    Row(("duplicate_events", "volume_spike"), ("sessions_anomaly", *_ORDERS), side="rises"),
    Row(("bot_traffic",), ("sessions_anomaly",), side="rises"),
    Row(_FLOOD, ("conversion_shift", "direct_share_shift")),
    Row(("input_not_keyed",), _VISITS),
    # One number follows from another.
    Row(("purchases_anomaly",), ("revenue_anomaly", "conversion_shift"), side="same"),
    Row(("purchase_value_shift", "revenue_anomaly"), ("revenue_anomaly", "purchase_value_shift"), side="same", mutual=True),
    Row(("sessions_anomaly",), ("conversion_shift", "direct_share_shift")),
    Row(("sessions_anomaly",), _ORDERS, side="same"),
)  # fmt: skip

CAUSES_OF: dict[str, tuple[str, ...]] = {
    symptom: tuple(dict.fromkeys(cause for row in ROWS if symptom in row.symptoms for cause in row.causes))
    for symptom in sorted({symptom for row in ROWS for symptom in row.symptoms})
}
"""The kinds that may explain a kind, whatever they are about."""

_NEVER = frozenset({"transaction_collision"})
"""Never held back: each is a question of its own about somebody's order."""

STANDS_FOR_DAYS = 3
"""What begins later than this after a cause's beginning is news, not its symptom, however long the cause goes on;
except where the cause takes something away altogether."""

_ALTOGETHER = frozenset(
    {*_GONE, "schema_unknown_event", "volume_silence", "purchase_silence", "input_not_keyed"}
)

LAG_MINUTES = 120
"""How much later than its symptom a cause may seem to have begun: beginnings are estimates."""


def rank(cause: Alert, symptom: Alert, fields: Fields) -> int | None:
    """How specifically one alert explains another: the smaller, the more; None = it does not.

    A note explains no more than notes: it reaches nobody, and what it explains would reach nobody either. Of the same
    condition the alert explains the note. The times must fit: the cause had begun when the symptom was known, or began
    soon after it, and was not over before the symptom began. A field that comes under a name that the contract knows
    explains nothing but that the old one is not there.
    """
    if cause.id == symptom.id or symptom.kind in _NEVER or _is_note(cause) > _is_note(symptom):
        return None
    if not _in_time(cause, symptom):
        return None
    if cause.kind == symptom.kind and _is_note(symptom) > _is_note(cause):
        return 0 if (cause.subject or "") in ("", symptom.subject or "") else None
    if (cause.kind, cause.subject) == (symptom.kind, symptom.subject):
        return None
    return next((number for number, row in _rows(cause, symptom) if _fits(row, cause, symptom, fields)), None)


def _rows(cause: Alert, symptom: Alert) -> Iterator[tuple[int, Row]]:
    return (
        (number, row)
        for number, row in enumerate(ROWS, 1)
        if cause.kind in row.causes and symptom.kind in row.symptoms
    )


def _fits(row: Row, cause: Alert, symptom: Alert, fields: Fields) -> bool:
    if row.of and about(cause, fields) not in row.of:
        return False
    if row.field and not _about_same_field(cause, symptom, fields):
        return False
    if not row.field and is_harmless(cause, fields):
        return False
    side = direction(cause) if row.side == "same" else row.side
    if not {side, direction(symptom)} & {"either", "unknown"} and direction(symptom) != side:
        return False
    if row.together is not None and _apart(cause, symptom) > row.together * MINUTE_MS:
        return False
    if row.most and not _is_most(cause):
        return False
    return not row.mutual or _first(cause) < _first(symptom)


def _is_most(cause: Alert) -> bool:
    """Whether it touches half of what it is about, as far as it says."""
    try:
        return cause.value is None or float(cause.value) >= _HALF
    except (ValueError, OverflowError):
        return True


def _about_same_field(cause: Alert, symptom: Alert, fields: Fields) -> bool:
    above = cause.subject or ""
    below = symptom.subject or (fields.identity if symptom.kind == "identity_coverage" else None) or ""
    same_kind = cause.kind == symptom.kind
    return bool(above) and _below(below, above) and not (same_kind and below == above)


def is_harmless(alert: Alert, fields: Fields) -> bool:
    """Whether a field merely comes under another name that the contract knows: every number stays right."""
    name = (alert.evidence or {}).get("renamed_to")
    return alert.kind == "schema_field_renamed" and isinstance(name, str) and name in fields.aliases


def direction(alert: Alert) -> str:
    """Which way the alert's number went: `falls`, `rises` or `unknown`; silence falls."""
    if alert.kind in ("volume_silence", "purchase_silence", "volume_drop"):
        return "falls"
    for change in (alert.absolute_change, alert.relative_change, alert.robust_z):
        try:
            number = 0.0 if change is None else float(change)
        except (ValueError, OverflowError):
            continue
        if number:
            return "falls" if number < 0 else "rises"
    return "unknown"


def _is_note(alert: Alert) -> bool:
    return alert.severity == Severity.P2_NOTE


def _first(alert: Alert) -> tuple[str, str, str]:
    return alert.opened_at, alert.first_seen, alert.id


def _apart(one: Alert, other: Alert) -> int:
    return abs(ms_of(one.first_seen) - ms_of(other.first_seen))


def _in_time(cause: Alert, symptom: Alert) -> bool:
    began, lag = ms_of(cause.first_seen), LAG_MINUTES * MINUTE_MS
    since = ms_of(symptom.first_seen)
    if began > max(since + lag, ms_of(symptom.opened_at)):
        return False
    if cause.kind not in _ALTOGETHER and since > began + STANDS_FOR_DAYS * DAY_MS:
        return False
    return cause.resolved_at is None or cause.resolved_at >= symptom.first_seen
