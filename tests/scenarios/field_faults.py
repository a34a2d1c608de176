"""Faults of fields: gone, renamed, empty, of another type, or filled where they were not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.scenarios.event import Event, edited
from tests.scenarios.injection import Fault, Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.scenarios.injection import Injection

UNKNOWN_NAMES = ("visitor_id", "cid", "anonymousId", "user_pseudo_id", "uid")
SOON = Patience(30, events=60)
MOST_NULL = 0.9


def _identity_null(events: Sequence[Event], it: Injection) -> list[Event]:
    hit = it.chosen(it.size)
    return [edited(e, client_id=None)._replace(client=None) if hit(e) else e for e in events]


def _renamed(old: str, new: str) -> Callable[[Event], Event]:
    return lambda event: event._replace(
        fields={new if name == old else name: value for name, value in event.fields.items()}
    )


def _identity_renamed(events: Sequence[Event], it: Injection) -> list[Event]:
    return [*map(_renamed("client_id", it.rng.choice(UNKNOWN_NAMES)), events)]


def _identity_by_alias(events: Sequence[Event], it: Injection) -> list[Event]:
    return [*map(_renamed("client_id", "clientId"), events)]


def _field_renamed(events: Sequence[Event], it: Injection) -> list[Event]:
    old, new = it.rng.choice((("page_url", "url"), ("referrer", "ref"), ("user_agent", "ua")))
    return [*map(_renamed(old, new), events)]


def _without(field: str) -> Callable[[Sequence[Event], Injection], list[Event]]:
    def change(events: Sequence[Event], it: Injection) -> list[Event]:
        return [
            e._replace(fields={name: value for name, value in e.fields.items() if name != field})
            for e in events
        ]

    return change


def _referrers_double(events: Sequence[Event], it: Injection) -> list[Event]:
    """Events without a referrer get one that others had, so many that its share is `size` times what it was."""
    seen = [e.fields["referrer"] for e in (*it.before, *events) if e.fields["referrer"]]
    share = len(seen) / len([*it.before, *events])
    hit = it.chosen(share * (it.size - 1) / (1 - share))
    return [
        edited(e, referrer=it.rng.choice(seen)) if e.fields["referrer"] is None and hit(e) else e
        for e in events
    ]


def _nulls_double(events: Sequence[Event], it: Injection) -> list[Event]:
    """The null share of a field becomes `size` times what it was, and at least a fifth."""
    field = it.rng.choice(("user_agent", "user_agent", "page_url"))
    everything = [*it.before, *events]
    share = sum(e.fields[field] is None for e in everything) / len(everything)
    wanted = min(max(share * it.size, 0.2), MOST_NULL)
    hit = it.chosen((wanted - share) / (1 - share))
    return [edited(e, **{field: None}) if hit(e) else e for e in events]


def _type_changed(events: Sequence[Event], it: Injection) -> list[Event]:
    def boxed(value: Any) -> Any:
        return None if value is None else {"value": value}

    def listed(value: Any) -> Any:
        return None if value is None else [value]

    def numbered(value: Any) -> Any:
        return None if value is None else len(value) * 1_000_003

    field = it.rng.choice(("page_url", "referrer", "user_agent"))
    change = it.rng.choice((boxed, listed, numbered))
    return [edited(e, **{field: change(e.fields[field])}) for e in events]


def _coverage(*more: str) -> frozenset[str]:
    return frozenset({"field_coverage", *more})


RENAMED = frozenset({"schema_field_renamed"})
MISSING = frozenset({"schema_field_missing"})

FAULTS = (
    Fault(
        "identity_null",
        _identity_null,
        frozenset({"identity_coverage"}),
        Patience(30, faulty=25),
        ((0.25, 0.35), (0.5, 1)),
        "of events",
    ),
    Fault("identity_renamed", _identity_renamed, RENAMED, SOON),
    Fault("identity_by_alias", _identity_by_alias, RENAMED, SOON),
    Fault("field_renamed", _field_renamed, RENAMED, SOON),
    Fault("referrer_gone", _without("referrer"), MISSING, SOON),
    Fault("page_url_gone", _without("page_url"), MISSING, SOON),
    Fault(
        "referrers_double",
        _referrers_double,
        _coverage("direct_share_shift"),
        Patience(60, events=200),
        ((1.6, 1.9), (1.9, 2.3)),
        "times",
    ),
    Fault(
        "nulls_double", _nulls_double, _coverage(), Patience(60, events=200), ((1.8, 2.2), (2.2, 4)), "times"
    ),
    Fault("type_changed", _type_changed, frozenset({"schema_type_changed"}), Patience(30, faulty=40)),
)
