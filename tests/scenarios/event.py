"""An event on its way to the consumer, as the scenarios make and change it."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import msgspec

from consumer.core.instant import rfc3339
from consumer.local.shop_event import DAY_MS, HOUR_MS, PURCHASE, midnight_ms

__all__ = [
    "DAY_MS",
    "FIRST_DAY",
    "HOUR_MS",
    "MINUTE_MS",
    "PURCHASE",
    "Event",
    "Fields",
    "data_of",
    "edited",
    "midnight_ms",
    "sent_again",
    "with_data",
]

MINUTE_MS = 60_000
FIRST_DAY = date(2025, 3, 3)
"""A Monday, so that months of all seeds have their weekdays at the same places."""

Fields = dict[str, Any]


class Event(NamedTuple):
    """`at_ms` is when it is sent, which its `timestamp` need not agree with. Its value is `fields` as JSON, or else
    `raw`. `fields` may be shared: copy before changing. `client` is the key under which it goes to Kafka."""

    at_ms: int
    fields: Fields
    client: str | None
    raw: bytes | None = None

    @property
    def value(self) -> bytes:
        """The bytes that are sent."""
        return msgspec.json.encode(self.fields) if self.raw is None else self.raw

    @property
    def is_purchase(self) -> bool:
        """Whether it is one, by its name."""
        return bool(self.fields.get("event_name") == PURCHASE)


def edited(event: Event, **changes: object) -> Event:
    """The event with other values in some fields."""
    return event._replace(fields={**event.fields, **changes})


def data_of(event: Event) -> Fields:
    """What is inside of its `event_data`; empty if nothing is."""
    data = event.fields.get("event_data")
    inside: Fields = msgspec.json.decode(data) if data else {}
    return inside


def with_data(event: Event, **changes: object) -> Event:
    """The event with other values in its `event_data`."""
    return edited(event, event_data=msgspec.json.encode(data_of(event) | changes).decode())


def sent_again(event: Event, at_ms: int, client: str | None) -> Event:
    """Such an event at another time and of another client."""
    fields = {**event.fields, "timestamp": rfc3339(at_ms), "client_id": client}
    return Event(at_ms, fields, client)
