"""The demo's shop: which days it has, what goes wrong on them, and where its history ends.

The days are fixed and not counted from today, so that a seed gives the same numbers on every machine and every day.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import chain
from random import Random
from typing import TYPE_CHECKING

from consumer.local.shop import ShopOptions, events
from consumer.local.shop_event import HOUR_MS, Truth, midnight_ms
from consumer.local.shop_faults import CollidingIds, Garbage, InvalidPurchases, OutOfOrder, Replays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.local.shop_event import ShopEvent
    from consumer.local.shop_faults import Fault

FIRST_DAY = date(2025, 3, 3)

SESSIONS_PER_DAY = 6_000
PURCHASES_PER_DAY = 100
"""Nearly 20,000 events a day: ten days keep two processes busy for some seconds, long enough to kill one."""

CLOSING_MS = 2 * HOUR_MS
"""The history goes on for so long after the last reported day: a day closes when the watermark has left it by the
allowed lateness (an hour), so the next day must have begun and be further than that."""

DAYS_TO_COME = 1_000
"""Days that the shop has after its history, for live traffic. They cost nothing before they are asked for."""


class DemoShop:
    """A seeded shop whose events are taken once: its history first, then what comes after it.

    `truth` knows what has been taken so far; it is complete for the `days`, which are those that are reported.
    """

    def __init__(self, seed: int, days: int) -> None:
        self.days = tuple(str(FIRST_DAY + timedelta(days=number)) for number in range(days))
        self.truth = Truth()
        options = ShopOptions(
            seed,
            FIRST_DAY,
            days + DAYS_TO_COME,
            SESSIONS_PER_DAY,
            PURCHASES_PER_DAY,
            faults(seed, days),
        )
        self._until_ms = midnight_ms(FIRST_DAY + timedelta(days=days)) + CLOSING_MS
        self._events = events(options, self.truth)

    def history(self) -> Iterator[ShopEvent]:
        """The reported days, and as much of the day after as closes the last of them."""
        for event in self._events:
            if event.at_ms >= self._until_ms:
                self._events = chain((event,), self._events)
                return
            yield event

    def live(self) -> Iterator[ShopEvent]:
        """What comes after the history."""
        return self._events


def faults(seed: int, days: int) -> tuple[Fault, ...]:
    """What goes wrong: the kinds are always the same, the days are the seed's.

    One collision is always on the last day, so that an incident is open at the end; another one, where there are
    days enough, reaches back to a day that was fine until then.
    """
    rng = Random(f"{seed} demo")  # noqa: S311 - to repeat, not to hide
    last = FIRST_DAY + timedelta(days=days - 1)
    earlier = [FIRST_DAY + timedelta(days=number) for number in range(max(days - 1, 1))]
    drawn = rng.sample(earlier, len(earlier))
    zero, empty, again, lines = (drawn[number % len(drawn)] for number in range(4))
    across = []
    if days > 6:  # noqa: PLR2004 - a day for each fault
        before, after = sorted(drawn[4:])[-2:]
        across = [CollidingIds(after, days_back=(after - before).days)]
    return (
        InvalidPurchases(zero, 2),
        InvalidPurchases(empty, 1, "no_items"),
        CollidingIds(last),
        *across,
        Replays(again, 3),
        Replays(zero, 2, seconds_later=0),
        Garbage(lines, 10),
        Garbage(empty, 5),
        OutOfOrder(),
    )
