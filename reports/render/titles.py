"""An incident in a few plain words: what happened to what. Names out of events are kept apart, as `Name`s, so that
each renderer can show them as what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.alerts import LIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from detectors.alerts import Alert


class Name(str):
    """A text out of events, or of the contract: a field, an event's name, a transaction id."""

    __slots__ = ()


Title = tuple[str, ...]
"""Words of ours, and `Name`s, to be joined by spaces."""


def title(alert: Alert) -> Title:
    """The incident's title, without a capital at its beginning: it may begin with a name.

    >>> from detectors.finding import Finding
    >>> from detectors.life import opened
    >>> found = Finding("schema_field_missing", "opened", "P1_HIGH", "gate", 0, 1, "referrer")
    >>> title(opened("id", found).alert)
    ('referrer', 'is missing')
    >>> title(opened("id", Finding("volume_drop", "opened", "P1_HIGH", "watch", 0, 1)).alert)
    ('fewer events than normal',)
    """
    words = _TITLES.get(alert.kind)
    if words is None:
        return (Name(alert.kind), *_about(alert))
    return words(alert)


def plain(alert: Alert) -> str:
    """The title as one line of text."""
    return " ".join(title(alert))


def _about(alert: Alert) -> Title:
    subject = alert.subject or alert.metric
    return (Name(subject),) if subject else ()


def _subject(alert: Alert, otherwise: str) -> str:
    return Name(alert.subject) if alert.subject else otherwise


def _renamed(alert: Alert) -> Title:
    new = (alert.evidence or {}).get("renamed_to")
    field = _subject(alert, "a field")
    return (field, "was renamed to", Name(new)) if isinstance(new, str) and new else (field, "was renamed")


def _unknown_event(alert: Alert) -> Title:
    old = (alert.evidence or {}).get("replaces")
    name = _subject(alert, "")
    if isinstance(old, str) and old:
        return (Name(old), "was renamed to", name) if name else (Name(old), "was renamed")
    return ("events of an unknown name", name) if name else ("events of an unknown name",)


def _coverage(alert: Alert) -> Title:
    field = _subject(alert, "a field")
    if alert.state not in LIVE:
        return (field, "was filled in more or less often than normal")
    return (field, f"is {'empty' if _rose(alert) else 'filled in'} more often than normal")


def _identity(alert: Alert) -> Title:
    if alert.state not in LIVE:
        return ("more or fewer events without identity than normal",)
    return (f"{'more' if _rose(alert) else 'fewer'} events without identity than normal",)


def _rose(alert: Alert) -> bool:
    change = alert.absolute_change
    return not isinstance(change, int | float) or change >= 0


def _collision(alert: Alert) -> Title:
    if not alert.subject:
        return ("many transaction ids", "stand for different orders")
    return ("transaction id", Name(alert.subject), "stands for different orders")


def many_collisions(alerts: Sequence[Alert]) -> Title:
    """Several colliding transaction ids together. One alert without a subject stands for all beyond those that are told
    for themselves.

    >>> from detectors.finding import Finding
    >>> from detectors.life import opened
    >>> found = [Finding("transaction_collision", "happened", "P0_BLOCKER", "gate", 0, 1, name) for name in ("a", "b", "")]
    >>> many_collisions([opened("id", one).alert for one in found])
    ('more than 2 transaction ids', 'stand for different orders')
    """
    single = len({alert.subject for alert in alerts if alert.subject})
    rest = any(not alert.subject for alert in alerts)
    if single <= 1 and not (single and rest):
        return _collision(alerts[0])
    return (f"{'more than ' if rest else ''}{single:,} transaction ids", "stand for different orders")


def _fixed(*words: str) -> Callable[[Alert], Title]:
    return lambda _: words


def _moved(less: str, more: str, either: str) -> Callable[[Alert], Title]:
    def words(alert: Alert) -> Title:
        change = alert.absolute_change
        if not isinstance(change, int | float) or not change:
            return (either,)
        return (more if change > 0 else less,)

    return words


_TITLES: dict[str, Callable[[Alert], Title]] = {
    "schema_field_renamed": _renamed,
    "schema_field_missing": lambda alert: (_subject(alert, "a field"), "is missing"),
    "schema_type_changed": lambda alert: (_subject(alert, "a field"), "has another type"),
    "schema_unknown_event": _unknown_event,
    "field_coverage": _coverage,
    "identity_coverage": _identity,
    "purchase_invalid": _fixed("purchases that cannot be counted"),
    "transaction_collision": _collision,
    "transaction_replay": _fixed("purchases were sent again"),
    "duplicate_events": _fixed("events were sent again"),
    "unparseable_events": _fixed("records that cannot be read"),
    "timestamp_errors": _fixed("timestamps that cannot be right"),
    "input_not_keyed": _fixed("the input is not keyed by client"),
    "volume_silence": _fixed("no events came"),
    "purchase_silence": _fixed("no purchases came"),
    "volume_drop": _fixed("fewer events than normal"),
    "volume_spike": _fixed("more events than normal"),
    "sessions_anomaly": _moved("fewer sessions than normal", "more sessions than normal", "sessions are off"),
    "purchases_anomaly": _moved(
        "fewer purchases than normal", "more purchases than normal", "purchases are off"
    ),
    "revenue_anomaly": _moved("less revenue than normal", "more revenue than normal", "revenue is off"),
    "conversion_shift": _moved("conversion fell", "conversion rose", "conversion moved"),
    "direct_share_shift": _moved("direct share fell", "direct share rose", "direct share moved"),
    "purchase_value_shift": _moved("orders are smaller", "orders are larger", "the order value moved"),
    "bot_traffic": _fixed("robots flood the site"),
}
