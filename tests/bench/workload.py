"""The events that are measured with, and what every day of them has to come to.

Six days of the seeded shop are made once and repeated: each copy has its own client and transaction ids, and either
days of its own or a place beside the others. What is right is known from how they were made, not counted from them.
"""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from consumer.local.shop import ShopOptions, events
from consumer.local.shop_event import PURCHASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.local.shop_event import ShopEvent

SEED = 20250223
FIRST_DAY = date(2024, 1, 1)
DAYS = 6
MOST_LOOPS = 50
"""Times that the days are repeated one after the other: all of it lies in the past, as a backlog does."""

SESSIONS_PER_DAY = 1_400
EVENTS_PER_SESSION = 2.9
"""About what the shop makes of a visit."""

PLAIN_PERCENT = 55
"""Of the URLs without a query these stay without one."""

BAD_EVERY = 1_000
BAD = (
    b'{"client_id": "x", broken',
    b'["not", "an", "object"]',
    b'{"client_id":"x","event_name":"page_viewed","timestamp":"yesterday"}',
    b'{"client_id":"x","event_name":"page_viewed"}',
)
"""Four kinds in turn, none with a time of its own."""

_DAY, _COPY = b"~day~", b"~copy~"


class Numbers(NamedTuple):
    """What is right for a day."""

    events: int
    sessions: int
    purchases: int
    revenue: Decimal

    def times(self, copies: int) -> Numbers:
        """The same day so many times over."""
        return Numbers(
            self.events * copies, self.sessions * copies, self.purchases * copies, self.revenue * copies
        )


class Keyed(NamedTuple):
    """An event as it goes to Kafka."""

    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Kind:
    """What a stream looks like. `lone`: percent of clients whose events are all visits of their own. `beside`: copies
    lie beside each other (a busy shop) instead of one after the other (a long backlog)."""

    name: str
    words: str
    lone: int
    beside: bool


BACKLOG = Kind("backlog", "many days of a small shop, most visits a single event", lone=69, beside=False)
BUSY = Kind("busy", "six days of a large shop, visits of about three events", lone=0, beside=True)
KINDS = {kind.name: kind for kind in (BACKLOG, BUSY)}


class _Template(NamedTuple):
    day: int
    key: bytes | None
    value: bytes


class Workload:
    """Events in order of their time, about as many as asked for, plus one bad record after every thousand."""

    def __init__(self, kind: Kind, wanted: int) -> None:
        self.kind = kind
        self._templates: list[_Template] = []
        self._right: dict[int, Numbers] = {}
        self._make(wanted)
        copies = max(1, round(wanted / len(self._templates)))
        self._beside = copies if kind.beside else math.ceil(copies / MOST_LOOPS)
        self._loops = 1 if kind.beside else math.ceil(copies / self._beside)
        self.events = len(self._templates) * self._beside * self._loops
        self.bad = self.events // BAD_EVERY
        self.records = self.events + self.bad

    def _make(self, wanted: int) -> None:
        sessions = min(SESSIONS_PER_DAY, max(20, round(wanted / DAYS / EVENTS_PER_SESSION)))
        shop = ShopOptions(SEED, FIRST_DAY, DAYS, sessions, sessions / 64)
        sums: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for number, event in enumerate(events(shop)):
            lone = _is_lone(event, self.kind.lone)
            template = _template(event, number, lone=lone)
            self._templates.append(template)
            day = sums[template.day]
            day[0] += 1
            day[1] += lone or event.opens is not None
            day[2] += event.earns_cents is not None
            day[3] += event.earns_cents or 0
        for day_number, (count, opened, bought, cents) in sums.items():
            self._right[day_number] = Numbers(count, opened, bought, Decimal(cents) / 100)

    @property
    def share_opening(self) -> float:
        """The share of events that open a session."""
        opened = sum(numbers.sessions for numbers in self._right.values())
        return opened / len(self._templates)

    def right(self) -> dict[str, Numbers]:
        """What every day has to come to, by ISO date."""
        return {
            _iso(loop, day): numbers.times(self._beside)
            for loop in range(self._loops)
            for day, numbers in self._right.items()
        }

    def __iter__(self) -> Iterator[Keyed]:
        number = 0
        for loop in range(self._loops):
            days = [_iso(loop, day).encode() for day in range(DAYS)]
            copies = [b"-%d.%d" % (loop, copy) for copy in range(self._beside)]
            for day, key, value in self._templates:
                dated = value.replace(_DAY, days[day])
                for copy in copies:
                    own = None if key is None else key + copy
                    yield Keyed(own, dated.replace(_COPY, copy))
                    number += 1
                    if number % BAD_EVERY == 0:
                        yield Keyed(own, BAD[number // BAD_EVERY % len(BAD)])


def _iso(loop: int, day: int) -> str:
    return (FIRST_DAY + timedelta(days=loop * DAYS + day)).isoformat()


def _is_lone(event: ShopEvent, percent: int) -> bool:
    return event.client is not None and zlib.crc32(event.client.encode()) % 100 < percent


def _template(event: ShopEvent, number: int, *, lone: bool) -> _Template:
    fields = dict(event.fields or {})
    client = event.client
    if client is not None:
        client = f"{client[:-6]}{number:06d}" if lone else client
        fields["client_id"] = client + _COPY.decode()
    if fields["event_name"] == PURCHASE:
        fields["event_data"] = _own_id(event)
    fields["timestamp"] = _DAY.decode() + fields["timestamp"][10:]
    fields["page_url"] = _linked(fields["page_url"], number)
    day = (event.day - FIRST_DAY).days
    return _Template(day, None if client is None else client.encode(), msgspec.json.encode(fields))


def _own_id(event: ShopEvent) -> str:
    data = event.purchase
    return msgspec.json.encode({**data, "transaction_id": data["transaction_id"] + _COPY.decode()}).decode()


def _linked(url: str, number: int) -> str:
    """The URL with a parameter of a tag's, as long as they are in life, so that of all URLs about half have a query; it
    says nothing about where a visit came from."""
    token = zlib.crc32(b"%d" % number)
    if "?" not in url and token % 100 < PLAIN_PERCENT:
        return url
    return f"{url}{'&' if '?' in url else '?'}_gl=1*{token:08x}*_up*MQ..*_ga*{number:072d}"
