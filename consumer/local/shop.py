"""A seeded web shop: the events of as many days as wanted, as like real ones as can be, and the truth about them.

Everything is drawn from the seed: the shop's character first (`shop_traits`), then its visits. Visits are a Poisson
process whose rate follows the hours, the weekdays and each day's own level, so a day's counts are gamma-Poisson
(negative binomial); whether a visit buys has a level of its own each day. The same options give the same bytes, a
longer shop begins with the shorter one, and a fault changes nothing but what it is there to change.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING

from consumer.local.landings import land
from consumer.local.shop_event import HOUR_MS, ShopEvent, Truth, midnight_ms
from consumer.local.shop_traits import draw_traits
from consumer.local.visitors import Visitors
from consumer.local.visits import Intent, visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.local.shop_faults import Fault
    from consumer.local.shop_traits import Traits


@dataclass(frozen=True, slots=True)
class ShopOptions:
    """What is chosen of a shop; all else comes from its seed.

    `sessions_per_day` and `purchases_per_day` are means over a long time. `faults` are applied in their order.
    Raises ValueError when the shop cannot exist, or a fault is on a day that the shop does not have.
    """

    seed: int
    first_day: date
    days: int = 14
    sessions_per_day: float = 1200
    purchases_per_day: float = 19
    faults: tuple[Fault, ...] = ()

    def __post_init__(self) -> None:
        if self.days < 1 or self.sessions_per_day <= 0:
            raise ValueError("a shop needs at least one day and some sessions a day")
        if not 0 <= self.purchases_per_day <= self.sessions_per_day / 5:
            raise ValueError("purchases_per_day must be between 0 and a fifth of sessions_per_day")
        last = self.first_day + timedelta(days=self.days - 1)
        for fault in self.faults:
            if not all(self.first_day <= day <= last for day in fault.days):
                raise ValueError(f"{fault} is not between {self.first_day} and {last}")
        if not all(fault.keeps_order for fault in self.faults[:-1]):
            raise ValueError("a fault that does not keep the order of events must be the last one")


def events(options: ShopOptions, truth: Truth | None = None) -> Iterator[ShopEvent]:
    """The shop's events in order of time (as far as its faults leave it), from the first day's first millisecond to
    the last day's last; a visit that goes on is cut there. `truth` is filled as events are taken."""
    stream = _in_order(_visits(options), midnight_ms(options.first_day + timedelta(days=options.days)))
    truth = truth if truth is not None else Truth()
    for number, fault in enumerate(options.faults):
        stream = fault(stream, Random(f"{options.seed} fault {number}"), truth)  # noqa: S311 - to repeat, not to hide
    for event in stream:
        truth.add(event)
        yield event


def _visits(options: ShopOptions) -> Iterator[list[ShopEvent]]:
    """Every visit with its events, in order of their beginnings."""
    traits = draw_traits(Random(f"{options.seed} traits"))  # noqa: S311 - to repeat, not to hide
    rng = Random(f"{options.seed} visits")  # noqa: S311 - to repeat, not to hide
    visitors = Visitors(rng, traits.returning_share, traits.no_identity_share)
    for number in range(options.days):
        day = options.first_day + timedelta(days=number)
        level = options.sessions_per_day * traits.weekdays[day.weekday()] * _gamma(rng, traits.day_shape)
        buying = options.purchases_per_day / options.sessions_per_day * _gamma(rng, traits.buying_shape)
        direct = rng.betavariate(
            traits.direct_share * traits.direct_weight, (1 - traits.direct_share) * traits.direct_weight
        )
        orders = 100
        for start_ms in _arrivals(rng, midnight_ms(day), level, traits.hours):
            orders += rng.randint(1, 3)
            visitor = visitors.come(start_ms)
            landing = land(rng, traits.products, direct, traits.campaign_share)
            intent = _intent(rng, traits, buying, f"ORD-{day:%Y%m%d}-{orders}")
            made = visit(rng, traits, visitor, landing, intent, start_ms)
            visitors.leave(visitor, made[-1].at_ms)
            yield made


def _gamma(rng: Random, shape: float) -> float:
    return rng.gammavariate(shape, 1 / shape)


def _arrivals(rng: Random, midnight: int, level: float, hours: tuple[float, ...]) -> Iterator[int]:
    """The moments at which visits begin: a Poisson process with another rate in each hour."""
    for hour, share in enumerate(hours):
        at = rng.expovariate(level * share)
        while at < 1:
            yield midnight + int((hour + at) * HOUR_MS)
            at += rng.expovariate(level * share)


def _intent(rng: Random, traits: Traits, buying: float, order_id: str) -> Intent:
    """How far a visit goes: of those who fill a cart about 40 % begin to pay, of those about 45 % buy. Pages are
    geometric; who fills a cart has seen more of them."""
    pages = 1 + int(math.log(1 - rng.random()) / math.log(1 - 1 / traits.pages_per_visit))
    email = rng.random() < 0.015  # noqa: PLR2004 - a share
    draw = rng.random() / buying if buying else math.inf
    if draw >= 5:  # noqa: PLR2004 - five who fill a cart for one who buys
        return Intent(pages, email)
    return Intent(pages + 2, email, cart=True, checkout=draw < 2.2, order_id=order_id if draw < 1 else None)  # noqa: PLR2004


def _in_order(visits: Iterator[list[ShopEvent]], end_ms: int) -> Iterator[ShopEvent]:
    """The visits' events merged by time; of equal times, the visit that began first is first."""
    waiting: list[tuple[int, int, ShopEvent]] = []
    number = 0
    for made in visits:
        while waiting and waiting[0][0] < made[0].at_ms:
            yield heapq.heappop(waiting)[2]
        for event in made:
            if event.at_ms < end_ms:
                heapq.heappush(waiting, (event.at_ms, number, event))
                number += 1
    while waiting:
        yield heapq.heappop(waiting)[2]
