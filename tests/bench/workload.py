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
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from consumer.core.instant import rfc3339
from consumer.local.shop import ShopOptions, events
from consumer.local.shop_event import PURCHASE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumer.local.shop_event import ShopEvent

SEED = 20250223
FIRST_DAY = date(2024, 1, 1)
DAYS = 6
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

_DAY, _COPY, _CLIENT = b"~day~", b"~copy~", b"~client~"
_TIME_LENGTH = len("T00:00:00.000Z")


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
    """What a stream looks like. `lone`: percent of clients whose events are all visits of their own. `loops`: times that
    the days are repeated one after the other at most (a long backlog); copies beyond lie beside each other (a busy
    shop). `returning`: every second loop has the clients of the one before the last; else each copy has its own."""

    name: str
    words: str
    lone: int
    loops: int
    returning: bool = False


BUSY = Kind("busy", "six days of a large shop, visits of about three events", lone=0, loops=1)
BACKLOG = Kind("backlog", "many days of a small shop, most visits a single event", lone=69, loops=50)
STEADY = Kind("steady", "months of a shop whose clients come back", lone=0, loops=16, returning=True)
KINDS = {kind.name: kind for kind in (BUSY, BACKLOG)}


class Happening(NamedTuple):
    """An event of now, and what it adds to its day: whether it opens a session, and what it earns if it is a purchase."""

    at_ms: int
    record: Keyed
    opens: bool
    cents: int | None


class _Template(NamedTuple):
    day: int
    key: bytes | None
    value: bytes


class Workload:
    """Events in order of their time, about as many as asked for, plus a bad record after every `bad_every` (0: none)."""

    def __init__(self, kind: Kind, wanted: int, bad_every: int = BAD_EVERY) -> None:
        self.kind = kind
        self._bad_every = bad_every
        self._templates: list[_Template] = []
        self._cents: list[int | None] = []
        self._right: dict[int, Numbers] = {}
        self._make(wanted)
        copies = max(1, round(wanted / len(self._templates)))
        self._beside = math.ceil(copies / kind.loops)
        self._loops = math.ceil(copies / self._beside)
        self.events = len(self._templates) * self._beside * self._loops
        self.bad = self.events // bad_every if bad_every else 0
        self.records = self.events + self.bad

    def _make(self, wanted: int) -> None:
        sessions = min(SESSIONS_PER_DAY, max(20, round(wanted / DAYS / EVENTS_PER_SESSION)))
        shop = ShopOptions(SEED, FIRST_DAY, DAYS, sessions, sessions / 64)
        sums: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for number, event in enumerate(events(shop)):
            lone = _is_lone(event, self.kind.lone)
            template = _template(event, number, lone=lone)
            self._templates.append(template)
            self._cents.append(event.earns_cents)
            day = sums[template.day]
            day[0] += 1
            day[1] += lone or event.opens is not None
            day[2] += event.earns_cents is not None
            day[3] += event.earns_cents or 0
        for day_number, (happened, opened, bought, cents) in sums.items():
            self._right[day_number] = Numbers(happened, opened, bought, Decimal(cents) / 100)

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
            clients = [b"-%d.%d" % (loop % 2, copy) for copy in range(self._beside)]
            names = list(zip(copies, clients if self.kind.returning else copies, strict=True))
            for day, key, value in self._templates:
                dated = value.replace(_DAY, days[day])
                for copy, client in names:
                    own = None if key is None else key + client
                    yield Keyed(own, dated.replace(_COPY, copy).replace(_CLIENT, client))
                    number += 1
                    if self._bad_every and number % self._bad_every == 0:
                        yield Keyed(own, BAD[number // self._bad_every % len(BAD)])

    def live(self, now_ms: Callable[[], int]) -> Iterator[Happening]:
        """The same events without the bad ones, copy after copy and without end, each dated when it is taken."""
        for copy in count():
            name = b"-live.%d" % copy
            seen: set[bytes] = set()
            for (_, key, value), cents in zip(self._templates, self._cents, strict=True):
                at_ms, at = now_ms(), value.index(_DAY)
                dated = value[:at] + rfc3339(at_ms).encode() + value[at + len(_DAY) + _TIME_LENGTH :]
                own = None if key is None else key + name
                opens = own is not None and own not in seen
                if own is not None:
                    seen.add(own)
                record = Keyed(own, dated.replace(_COPY, name).replace(_CLIENT, name))
                yield Happening(at_ms, record, opens, cents)


def _iso(loop: int, day: int) -> str:
    return (FIRST_DAY + timedelta(days=loop * DAYS + day)).isoformat()


def _is_lone(event: ShopEvent, percent: int) -> bool:
    return event.client is not None and zlib.crc32(event.client.encode()) % 100 < percent


def _template(event: ShopEvent, number: int, *, lone: bool) -> _Template:
    fields = dict(event.fields or {})
    client = event.client
    if client is not None:
        client = f"{client[:-6]}{number:06d}" if lone else client
        fields["client_id"] = client + _CLIENT.decode()
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
