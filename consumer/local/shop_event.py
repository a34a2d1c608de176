"""An event of the seeded shop, and the truth about all of them: known from how they were made, not counted from them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

import msgspec

from consumer.core.instant import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.core.rejection import Reason

PURCHASE = "checkout_completed"
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

_EPOCH = date(1970, 1, 1)

Opening = Literal["direct", "referred"]
"""How a session that an event opens came about: without, or with, an external referrer or a campaign."""


class ShopEvent(NamedTuple):
    """One event, and what it adds to the truth.

    `at_ms` is its own time, in milliseconds since 1970-01-01T00:00Z (where it has none: the time it is sent at).
    Its value is `fields` as JSON, or else `raw`. `fields` may be shared: copy before changing.
    """

    at_ms: int
    fields: dict[str, Any] | None
    raw: bytes = b""
    opens: Opening | None = None
    earns_cents: int | None = None
    """What it adds to revenue when it is a purchase that counts; None when it is none, or does not count."""
    fault: str | None = None
    """The fault that made or changed it, so that no second one takes hold of it."""
    rejected: Reason | None = None
    """Why it must become a dead letter."""

    @property
    def day(self) -> date:
        """The UTC day of its time."""
        return datetime.fromtimestamp(self.at_ms // 1000, UTC).date()

    @property
    def client(self) -> str | None:
        """Its client id."""
        return self.fields["client_id"] if self.fields else None

    @property
    def purchase(self) -> dict[str, Any]:
        """The data of a purchase: its transaction id, revenue and items."""
        data: dict[str, Any] = msgspec.json.decode(self.fields["event_data"]) if self.fields else {}
        return data

    def key(self) -> bytes | None:
        """The key under which it goes to Kafka."""
        return None if self.client is None else self.client.encode()

    def value(self) -> bytes:
        """The bytes that go to Kafka."""
        return self.raw if self.fields is None else msgspec.json.encode(self.fields)

    def at(self, at_ms: int) -> ShopEvent:
        """The same event at another time, opening no session."""
        fields = self.fields and {**self.fields, "timestamp": rfc3339(at_ms)}
        return self._replace(at_ms=at_ms, fields=fields, opens=None)

    def with_purchase(self, **changes: object) -> ShopEvent:
        """The same event with other data of the purchase."""
        data = msgspec.json.encode(self.purchase | changes).decode()
        return self._replace(fields={**(self.fields or {}), "event_data": data})


class Injected(NamedTuple):
    """What a fault did to a day: how often, and with which transaction ids. A collision of two purchases is one.

    `since_ms` is when it began: an outage with its first minute, any other fault with its first event (a collision with
    the second purchase of an id, which is the first that anybody can know it by).
    """

    fault: str
    day: date
    times: int
    transaction_ids: tuple[str, ...] = ()
    since_ms: int | None = None


@dataclass
class DayTruth:
    """What a day's numbers have to be. `collisions` and `replays` count events; `rejected` dead letters. A metric that is
    `not_measurable` must be empty, whatever its parts are counted to be."""

    events: int = 0
    sessions: int = 0
    direct_sessions: int = 0
    purchases: int = 0
    revenue: Decimal = Decimal(0)
    identity_missing: int = 0
    replays: int = 0
    collisions: int = 0
    rejected: Counter[Reason] = field(default_factory=Counter)
    not_measurable: set[str] = field(default_factory=set)


@dataclass
class Truth:
    """The days by date and what faults did; complete when the last event has been taken from the shop."""

    days: dict[date, DayTruth] = field(default_factory=dict)
    injected: list[Injected] = field(default_factory=list)

    def of(self, day: date) -> DayTruth:
        """One day's truth."""
        return self.days.setdefault(day, DayTruth())

    def add(self, event: ShopEvent) -> None:
        """Takes note of one event."""
        day = self.of(event.day)
        if event.rejected is not None:
            day.rejected[event.rejected] += 1
        if event.fields is None:
            return
        day.events += 1
        day.sessions += event.opens is not None
        day.direct_sessions += event.opens == "direct"
        day.identity_missing += event.client is None
        day.replays += event.fault == "replay"
        day.collisions += event.fault == "collision"
        if event.earns_cents is not None:
            day.purchases += 1
            day.revenue += Decimal(event.earns_cents) / 100


def write_ndjson(events: Iterable[ShopEvent], file: BinaryIO) -> int:
    """Writes the events' bytes, one a line, and says how many there were."""
    count = 0
    for event in events:
        file.write(event.value() + b"\n")
        count += 1
    return count


def midnight_ms(day: date) -> int:
    """The first millisecond of a UTC day."""
    return (day - _EPOCH) // timedelta(milliseconds=1)
