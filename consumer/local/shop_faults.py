"""What can go wrong with a shop's events: small functions from a stream to a stream that tell the truth about it.

Each takes the events in order of time, and hands them on in order of time unless it says otherwise (`keeps_order`).
None takes hold of an event that another has made or changed. Where a day has fewer purchases than a fault is to hit,
it hits those that there are; `Truth.injected` says how many.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from consumer.core.rejection import Reason
from consumer.local.shop_event import DAY_MS, HOUR_MS, Injected, ShopEvent, Truth, midnight_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

LATEST_REPLAY_SECONDS = 600
"""A replay that came later might open a session of its own."""


class Fault(Protocol):
    """A fault: the days that it needs, and what it makes of a stream."""

    keeps_order: ClassVar[bool]

    @property
    def days(self) -> tuple[date, ...]:
        """The days that a shop must have for it."""
        ...

    def __call__(self, events: Iterator[ShopEvent], rng: Random, truth: Truth) -> Iterator[ShopEvent]:
        """The stream with the fault in it; `truth.injected` is told when it has passed."""
        ...


class OnOneDay:
    """A fault of one day, `day`, which changes that day's events as one list."""

    __slots__ = ()
    keeps_order: ClassVar[bool] = True
    day: date

    @property
    def days(self) -> tuple[date, ...]:
        """Just the day."""
        return (self.day,)

    def __call__(self, events: Iterator[ShopEvent], rng: Random, truth: Truth) -> Iterator[ShopEvent]:
        """The stream with that day changed."""
        return within(events, self.day, self.day, lambda day: self.change(day, rng, truth))

    def change(self, day: list[ShopEvent], rng: Random, truth: Truth) -> list[ShopEvent]:
        """The day's events with the fault in them."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class InvalidPurchases(OnOneDay):
    """Purchases of a day lose what makes them count: their revenue is 0, or their items are gone."""

    day: date
    count: int = 1
    flaw: Literal["revenue_zero", "no_items"] = "revenue_zero"

    def change(self, day: list[ShopEvent], rng: Random, truth: Truth) -> list[ShopEvent]:
        """The day with its invalid purchases."""
        hit = some(purchases(day, self.day), self.count, rng)
        for place in hit:
            event, reason = day[place].with_purchase(items=[]), Reason.PURCHASE_ITEMS
            if self.flaw == "revenue_zero":
                event, reason = day[place].with_purchase(revenue=0), Reason.PURCHASE_REVENUE
            day[place] = event._replace(earns_cents=None, fault="invalid_purchase", rejected=reason)
        truth.injected.append(
            Injected("invalid_purchase", self.day, len(hit), _ids(day, hit), _first(day, hit))
        )
        return day


@dataclass(frozen=True, slots=True)
class CollidingIds:
    """Purchases of a day carry the transaction ids of other clients' purchases, of the same day or of `days_back` days
    before: neither of the two counts."""

    keeps_order: ClassVar[bool] = True
    day: date
    count: int = 1
    days_back: int = 0

    @property
    def days(self) -> tuple[date, ...]:
        """The day of the first purchases and that of the second."""
        return (self.day - timedelta(days=self.days_back), self.day)

    def __call__(self, events: Iterator[ShopEvent], rng: Random, truth: Truth) -> Iterator[ShopEvent]:
        """The stream with colliding ids."""
        return within(events, self.days[0], self.days[1], lambda window: self._collide(window, rng, truth))

    def _collide(self, window: list[ShopEvent], rng: Random, truth: Truth) -> list[ShopEvent]:
        firsts, seconds = (purchases(window, day) for day in self.days)
        pairs: list[tuple[int, int]] = []
        for first in some(firsts, len(firsts), rng):
            taken = {place for pair in pairs for place in pair}
            others = [place for place in seconds if place not in taken and _strangers(window, first, place)]
            if first not in taken and others and len(pairs) < self.count:
                pairs.append((first, rng.choice(others)))
        for first, second in pairs:
            shared = window[first].purchase["transaction_id"]
            for place in (first, second):
                event = window[place].with_purchase(transaction_id=shared)
                window[place] = event._replace(earns_cents=None, fault="collision")
        ids = _ids(window, [first for first, _ in pairs])
        known_ms = min((max(window[one].at_ms, window[two].at_ms) for one, two in pairs), default=None)
        truth.injected.append(Injected("collision", self.day, len(pairs), ids, known_ms))
        return window


@dataclass(frozen=True, slots=True)
class Replays(OnOneDay):
    """Purchases of a day come again `seconds_later` with the same data; with 0, byte for byte. They count once."""

    day: date
    count: int = 1
    seconds_later: int = 60

    def __post_init__(self) -> None:
        if not 0 <= self.seconds_later <= LATEST_REPLAY_SECONDS:
            raise ValueError(f"seconds_later must be between 0 and {LATEST_REPLAY_SECONDS}")

    def change(self, day: list[ShopEvent], rng: Random, truth: Truth) -> list[ShopEvent]:
        """The day with its replays."""
        later_ms = self.seconds_later * 1000
        midnight = midnight_ms(self.day) + DAY_MS
        early = [place for place in purchases(day, self.day) if day[place].at_ms + later_ms < midnight]
        hit = some(early, self.count, rng)
        first_ms = _first(day, hit)
        since_ms = None if first_ms is None else first_ms + later_ms
        truth.injected.append(Injected("replay", self.day, len(hit), _ids(day, hit), since_ms))
        for place in hit:
            original = day[place]
            day[place] = original._replace(fault="replayed")
            day.append(original.at(original.at_ms + later_ms)._replace(earns_cents=None, fault="replay"))
        return in_order(day)


@dataclass(frozen=True, slots=True)
class Garbage(OnOneDay):
    """Between the events of a day come lines that are none: of each `GARBAGE` in turn, from one hour (UTC) to another,
    well away from midnight."""

    day: date
    count: int = 5
    hours: tuple[float, float] = (6, 18)

    def change(self, day: list[ShopEvent], rng: Random, truth: Truth) -> list[ShopEvent]:
        """The day with its garbage."""
        start = midnight_ms(self.day)
        made = []
        for number in range(self.count):
            raw, reason = GARBAGE[number % len(GARBAGE)]
            at_ms = start + int(HOUR_MS * rng.uniform(*self.hours))
            made.append(ShopEvent(at_ms, None, raw, fault="garbage", rejected=reason))
        since_ms = min((event.at_ms for event in made), default=None)
        truth.injected.append(Injected("garbage", self.day, self.count, since_ms=since_ms))
        return in_order([*day, *made])


GARBAGE = (
    (b'{"client_id": "1740000000-aBcDeFgHiJkL", "page_url": "https://www.sh', Reason.NOT_JSON),
    (b'{"client_id":"1740000000-aBcDeFgHiJkL","event_name":"page_viewed"}', Reason.TIMESTAMP_MISSING),
    (b'["page_viewed","2025-02-23T00:00:00.000Z"]', Reason.NOT_AN_OBJECT),
    (b'{"client_id":"x","timestamp":"yesterday","event_name":"page_viewed"}', Reason.TIMESTAMP_INVALID),
    (b'{"client_id":"caf\xe9","event_name":"page_viewed"}', Reason.NOT_UTF8),
)
"""Lines that are no events, and why."""


@dataclass(frozen=True, slots=True)
class OutOfOrder:
    """A share of all events is sent up to `most_seconds` late, so that later ones overtake it."""

    keeps_order: ClassVar[bool] = False
    share: float = 0.02
    most_seconds: float = 30.0

    @property
    def days(self) -> tuple[date, ...]:
        """It needs none in particular."""
        return ()

    def __call__(self, events: Iterator[ShopEvent], rng: Random, truth: Truth) -> Iterator[ShopEvent]:
        """The stream in the order in which it is sent."""
        overtaken: Counter[date] = Counter()
        latest_ms = 0
        for event in self._delayed(events, rng):
            if event.at_ms < latest_ms:
                overtaken[event.day] += 1
            latest_ms = max(latest_ms, event.at_ms)
            yield event
        truth.injected += [Injected("out_of_order", day, count) for day, count in sorted(overtaken.items())]

    def _delayed(self, events: Iterator[ShopEvent], rng: Random) -> Iterator[ShopEvent]:
        waiting: list[tuple[float, int, ShopEvent]] = []
        for number, event in enumerate(events):
            while waiting and waiting[0][0] < event.at_ms:
                yield heapq.heappop(waiting)[2]
            late = rng.uniform(0, self.most_seconds * 1000) if rng.random() < self.share else 0
            heapq.heappush(waiting, (event.at_ms + late, number, event))
        while waiting:
            yield heapq.heappop(waiting)[2]


def within(
    events: Iterator[ShopEvent],
    first: date,
    last: date,
    change: Callable[[list[ShopEvent]], list[ShopEvent]],
) -> Iterator[ShopEvent]:
    """The stream with the events from one day to another changed as one list; the others pass as they come."""
    begin, end = midnight_ms(first), midnight_ms(last) + DAY_MS
    window: list[ShopEvent] = []
    changed = False
    for event in events:
        if begin <= event.at_ms < end:
            window.append(event)
            continue
        if event.at_ms >= end and not changed:
            changed = True
            yield from change(window)
        yield event
    if not changed:
        yield from change(window)


def purchases(window: Sequence[ShopEvent], day: date) -> list[int]:
    """The places of a day's purchases that count and that no fault has touched."""
    start = midnight_ms(day)
    return [
        place
        for place, event in enumerate(window)
        if event.earns_cents is not None and event.fault is None and start <= event.at_ms < start + DAY_MS
    ]


def some(places: list[int], count: int, rng: Random) -> list[int]:
    """`count` of the places, drawn in no order, or all of them if there are fewer."""
    return rng.sample(places, min(count, len(places)))


def in_order(events: list[ShopEvent]) -> list[ShopEvent]:
    """The events by time; those of equal time stay as they are."""
    return sorted(events, key=lambda event: event.at_ms)


def _strangers(window: Sequence[ShopEvent], one: int, other: int) -> bool:
    return bool(window[one].purchase["user_email"] != window[other].purchase["user_email"])


def _first(window: Sequence[ShopEvent], places: Sequence[int]) -> int | None:
    return min((window[place].at_ms for place in places), default=None)


def _ids(window: Sequence[ShopEvent], places: Sequence[int]) -> tuple[str, ...]:
    return tuple(window[place].purchase["transaction_id"] for place in places)
