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
from consumer.local.shop_outages import (
    CampaignsLost,
    CheckoutBroken,
    ReferrerRenamed,
    TrackingDown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.local.shop_event import ShopEvent
    from consumer.local.shop_faults import Fault

FIRST_DAY = date(2025, 3, 3)

SESSIONS_PER_DAY = 4_000
PURCHASES_PER_DAY = 120
"""Some 12,000 events a day: two weeks keep two processes busy for some seconds, long enough to kill one."""

OUTAGES = (CampaignsLost, CheckoutBroken, ReferrerRenamed, TrackingDown)
LEARNING_DAYS = 5

BEGINS = (8.0, 14.0)
LASTS = (4.0, 7.0)
"""Outages begin at one of these hours (UTC) and last for so many."""

CLOSING_MS = 2 * HOUR_MS
"""The history goes on for so long after the last reported day: a day closes when the watermark has left it by the
allowed lateness (an hour), so the next day must have begun and be further than that."""

DAYS_TO_COME = 1_000
"""Days that the shop has after its history, for live traffic. They cost nothing before they are asked for."""


class DemoShop:
    """A seeded shop whose events are taken once: its history first, then what comes after it.

    `truth` knows what has been taken so far; it is complete for the `days`, which are those that are reported. `faults`
    is how many things go wrong, events out of order left out.
    """

    def __init__(self, seed: int, days: int) -> None:
        self.days = tuple(str(FIRST_DAY + timedelta(days=number)) for number in range(days))
        self.truth = Truth()
        chosen = faults(seed, days)
        self.faults = sum(fault.keeps_order for fault in chosen)
        options = ShopOptions(
            seed,
            FIRST_DAY,
            days + DAYS_TO_COME,
            SESSIONS_PER_DAY,
            PURCHASES_PER_DAY,
            chosen,
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

    def share(self, at_ms: int) -> float:
        """How much of the history is over at a time (0-1)."""
        began_ms = midnight_ms(FIRST_DAY)
        return (at_ms - began_ms) / (self._until_ms - began_ms)

    def live(self) -> Iterator[ShopEvent]:
        """What comes after the history."""
        return self._events


def faults(seed: int, days: int) -> tuple[Fault, ...]:
    """What goes wrong: the days and hours are the seed's, and so is the order of the outages.

    The first days only have what concerns single orders: rules about a day's metrics must see some ordinary days before.
    As many outages follow as there are days for, each on a day of its own. On the last day an order comes with the id of
    one of the day before, which takes a day back that was fine until then, and leaves an incident open at the end. Lines
    that are no events come on that day, too: they have no time of their own, so what is found of them depends on how
    partitions are read, and there it touches no other day.
    """
    rng = Random(f"{seed} demo")  # noqa: S311 - to repeat, not to hide
    shop_days = [FIRST_DAY + timedelta(days=number) for number in range(days)]
    later = shop_days[LEARNING_DAYS:-2]
    drawn = rng.sample(later, len(later))
    outages = [
        outage(day, rng.uniform(*BEGINS), rng.uniform(*LASTS))
        for day, outage in zip(drawn, rng.sample(OUTAGES, len(OUTAGES)), strict=False)
    ]
    *_, odd = (shop_days[0], *drawn[len(outages) :])
    noise = rng.uniform(*BEGINS)
    return (
        Garbage(shop_days[-1], 7, (noise, noise + 1)),
        Replays(shop_days[min(1, days - 1)], 3),
        InvalidPurchases(odd),
        CollidingIds(shop_days[-1], days_back=min(1, days - 1)),
        *outages,
        OutOfOrder(),
    )
