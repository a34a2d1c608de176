"""Faults of purchases: what they earn, hold, and are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.scenarios.event import Event, data_of, with_data
from tests.scenarios.injection import Fault, Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.scenarios.injection import Injection

SOON = Patience(30, purchases=6)
REUSED = 4


def _purchases(
    events: Sequence[Event], change: Callable[[Event], Event], hit: Callable[[Event], bool] | None = None
) -> list[Event]:
    return [change(e) if e.is_purchase and (hit is None or hit(e)) else e for e in events]


def _stop(events: Sequence[Event], it: Injection) -> list[Event]:
    return [e for e in events if not e.is_purchase]


def _revenue_times(events: Sequence[Event], it: Injection) -> list[Event]:
    return _purchases(events, lambda e: with_data(e, revenue=data_of(e)["revenue"] * it.size))


def _revenue_as_text(events: Sequence[Event], it: Injection) -> list[Event]:
    return _purchases(events, lambda e: with_data(e, revenue=f"${data_of(e)['revenue']:,.2f}"))


def _items_emptied(events: Sequence[Event], it: Injection) -> list[Event]:
    hit = it.chosen(it.size)
    return _purchases(events, lambda e: with_data(e, items=[]), hit)


def _item_field_null(events: Sequence[Event], it: Injection) -> list[Event]:
    field = it.rng.choice(("item_id", "item_name", "item_variant", "quantity", "item_price"))

    def change(event: Event) -> Event:
        return with_data(event, items=[{**item, field: None} for item in data_of(event)["items"]])

    return _purchases(events, change)


def _ids_reused(events: Sequence[Event], it: Injection) -> list[Event]:
    """Four purchases with the ids of four before them."""
    old = [e for e in it.before if e.is_purchase]
    changed: list[Event] = []
    left = REUSED
    for event in events:
        reused = left and event.is_purchase and old
        if reused:
            known = data_of(it.rng.choice(old))["transaction_id"]
            changed.append(with_data(event, transaction_id=known, revenue=data_of(event)["revenue"] + 10))
            left -= 1
        else:
            changed.append(event)
        if event.is_purchase:
            old.append(event)
    return changed


FAULTS = (
    Fault(
        "purchases_stop",
        _stop,
        frozenset({"purchase_silence", "purchases_anomaly", "conversion_shift", "revenue_anomaly"}),
        Patience(30, purchases=14),
    ),
    Fault(
        "revenue_times_100",
        _revenue_times,
        frozenset({"purchase_value_shift", "revenue_anomaly"}),
        SOON,
        ((100, 100),),
        "times",
    ),
    Fault("revenue_as_text", _revenue_as_text, frozenset({"schema_type_changed", "purchase_invalid"}), SOON),
    Fault(
        "items_emptied",
        _items_emptied,
        frozenset({"purchase_invalid", "field_coverage"}),
        Patience(30, purchases=8),
        ((0.5, 0.8), (1, 1)),
        "of orders",
    ),
    Fault("item_field_null", _item_field_null, frozenset({"field_coverage"}), Patience(30, purchases=10)),
    Fault("ids_reused", _ids_reused, frozenset({"transaction_collision"}), Patience(10, purchases=2)),
)
