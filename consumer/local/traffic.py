"""A seeded shop in the present: some past days at once, then its events as they happen. For trying things out.

The shop opens on a Monday, so that a start on the same or a following day of the week goes on with the same shop: the
same seed then gives the same events, and an order is not made twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from consumer.local.shop import ShopOptions, events
from consumer.local.shop_faults import CollidingIds, Garbage, InvalidPurchases, OutOfOrder, Replays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumer.local.shop_event import ShopEvent
    from consumer.local.shop_faults import Fault
    from consumer.runtime.clock import Clock

DAYS_TO_COME = 400

LONGEST_STEP_SECONDS = 0.1
"""How long is slept at a time, so that the client can be served in between."""


@dataclass(frozen=True, slots=True)
class TrafficOptions:
    """What is chosen: the shop, how many whole days it has been open at least, and how much happens there."""

    seed: int = 7
    days: int = 9
    sessions_per_day: float = 12_000
    purchases_per_day: float = 200


class Traffic:
    """The shop's events, taken once: `past` first, then `live`."""

    def __init__(self, options: TrafficOptions, clock: Clock) -> None:
        self._clock = clock
        self._started_ms = clock.now_ms()
        today = date(1970, 1, 1) + timedelta(milliseconds=self._started_ms)
        first = today - timedelta(days=options.days)
        first -= timedelta(days=first.weekday())
        shop = ShopOptions(
            options.seed,
            first,
            (today - first).days + DAYS_TO_COME,
            options.sessions_per_day,
            options.purchases_per_day,
            faults(today, first),
        )
        self._events = events(shop)
        self._next: ShopEvent | None = None

    def past(self) -> Iterator[ShopEvent]:
        """What has happened by now."""
        for event in self._events:
            if event.at_ms > self._started_ms:
                self._next = event
                return
            yield event

    def live(self, wait: Callable[[float], object]) -> Iterator[ShopEvent]:
        """What happens from now on, each event when its time has come; `wait` is called with seconds, again and again."""
        for event in self._coming():
            while (left := event.at_ms - self._clock.now_ms()) > 0:
                wait(min(left / 1000, LONGEST_STEP_SECONDS))
            yield event

    def _coming(self) -> Iterator[ShopEvent]:
        if self._next is not None:
            yield self._next
        yield from self._events


def faults(today: date, first: date) -> tuple[Fault, ...]:
    """What goes wrong: colliding orders three days ago and yesterday, so that days are quarantined and an incident is
    open; garbage and worthless orders today, so that something is rejected while one looks; a few strays elsewhere."""

    def ago(days: int) -> date:
        return max(today - timedelta(days=days), first)

    return (
        InvalidPurchases(ago(5), 2),
        Replays(ago(4), 3),
        CollidingIds(ago(3)),
        CollidingIds(ago(1)),
        Garbage(ago(2), 20),
        InvalidPurchases(today, 1, "no_items"),
        Garbage(today, 40),
        Garbage(today + timedelta(days=1), 40),
        OutOfOrder(),
    )
