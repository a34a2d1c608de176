"""Quiet months of the seeded shop, day by day: the shop's own visits, with what disturbs a real site's numbers."""

from __future__ import annotations

import math
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from consumer.core.instant import rfc3339
from consumer.local.landings import SITE, land
from consumer.local.visitors import Visitors
from consumer.local.visits import Intent, visit
from tests.scenarios.event import FIRST_DAY, HOUR_MS, MINUTE_MS, Event, data_of, midnight_ms, with_data
from tests.scenarios.noise import PURCHASES_A_DAY, Noise, beta, draw_noise, gamma

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.local.shop_event import ShopEvent

CRAWLER = "Mozilla/5.0 (compatible; SiteAuditBot/6.1; +https://audit.example/robot)"
ITEM_FIELDS = ("item_id", "item_name", "item_variant", "quantity", "item_price")


class ShopMonth:
    """The days of one seed, each in order of time. The same seed and volume give the same events."""

    def __init__(self, seed: int, volume: float = 1.0) -> None:
        self._rng = Random(f"{seed} month {volume}")
        self.noise: Noise = draw_noise(self._rng, volume)
        traits = self.noise.traits
        self._visitors = Visitors(self._rng, traits.returning_share, traits.no_identity_share)
        self._orders = 1000

    def days(self) -> Iterator[list[Event]]:
        """Day after day without end; a visit that goes on after midnight does so on the next day."""
        number, left_over = 0, list[Event]()
        while True:
            start_ms = midnight_ms(FIRST_DAY + timedelta(days=number))
            end_ms = midnight_ms(FIRST_DAY + timedelta(days=number + 1))
            made = [*left_over, *self._visits(number, start_ms), *self._crawl(start_ms)]
            made.sort(key=_at)
            left_over = [event for event in made if event.at_ms >= end_ms]
            yield made[: len(made) - len(left_over)]
            number += 1

    def _visits(self, number: int, start_ms: int) -> Iterator[Event]:
        noise, rng = self.noise, self._rng
        traits = noise.traits
        level = noise.visits_a_day * traits.weekdays[number % 7] * gamma(rng, traits.day_shape)
        level *= 1 + noise.daily_trend * number
        buying = PURCHASES_A_DAY * noise.volume / noise.visits_a_day * gamma(rng, traits.buying_shape)
        direct = beta(rng, traits.direct_share, traits.direct_weight)
        no_referrer = beta(rng, noise.no_referrer_share, noise.no_referrer_weight)
        for at_ms in self._arrivals(start_ms, level):
            visitor = self._visitors.come(at_ms)
            landing = land(rng, traits.products, direct, traits.campaign_share)
            made = visit(rng, traits, visitor, landing, self._intent(buying), at_ms)
            self._visitors.leave(visitor, made[-1].at_ms)
            yield from self._disturbed(made, no_referrer)

    def _arrivals(self, start_ms: int, level: float) -> Iterator[int]:
        """A Poisson process whose rate differs by hour, each hour off its share by a factor; some night hours are
        all but empty."""
        rng, hours = self._rng, self.noise.traits.hours
        night = sorted(hours)[len(hours) // 3]
        for hour, share in enumerate(hours):
            rate = level * share * gamma(rng, self.noise.hour_shape)
            if share < night and rng.random() < self.noise.quiet_hour_share:
                rate *= rng.uniform(0.35, 0.7)
            at = rng.expovariate(rate)
            while at < 1:
                yield start_ms + int((hour + at) * HOUR_MS)
                at += rng.expovariate(rate)

    def _intent(self, buying: float) -> Intent:
        """How far a visit goes: of five who fill a cart about two begin to pay, and one buys."""
        rng = self._rng
        pages = 1 + int(math.log(1 - rng.random()) / math.log(1 - 1 / self.noise.traits.pages_per_visit))
        draw = rng.random() / buying
        if draw >= 5:
            return Intent(pages, email=rng.random() < 0.015)
        self._orders += rng.randint(1, 3)
        order = f"ORD-{self._orders}" if draw < 1 else None
        return Intent(pages + 1, cart=True, checkout=draw < 2.2, order_id=order)

    def _disturbed(self, made: list[ShopEvent], no_referrer: float) -> Iterator[Event]:
        """A browser that tells no referrer or no name of its own does so on the whole visit."""
        rng, noise = self._rng, self.noise
        lost = dict[str, object]()
        if rng.random() < no_referrer:
            lost["referrer"] = None
        if rng.random() < noise.no_agent_share:
            lost["user_agent"] = None
        for one in made:
            fields = one.fields or {}
            event = Event(one.at_ms, {**fields, **lost}, fields["client_id"])
            yield self._ordered(event) if event.is_purchase else event
            if rng.random() < noise.twice_share:
                yield event

    def _ordered(self, event: Event) -> Event:
        """An order as real ones are: some at no price, some with fields of their items empty."""
        rng, noise = self._rng, self.noise
        if rng.random() < noise.zero_revenue_share:
            event = with_data(event, revenue=0)
        if rng.random() < noise.no_item_field_share:
            empty = rng.choice(ITEM_FIELDS)
            event = with_data(event, items=[{**item, empty: None} for item in data_of(event)["items"]])
        return event

    def _crawl(self, start_ms: int) -> Iterator[Event]:
        """Half an hour at night in which a site audit opens page after page, each as a client of its own."""
        rng, noise = self._rng, self.noise
        if rng.random() >= noise.crawl_share:
            return
        begin_ms = start_ms + int((noise.crawl_hour + rng.uniform(-1, 1) * (noise.crawl_hour > 1)) * HOUR_MS)
        for _ in range(round(noise.crawl_hits * rng.uniform(0.8, 1.2))):
            at_ms = begin_ms + rng.randrange(30 * MINUTE_MS)
            client = f"{at_ms // 1000}-{rng.getrandbits(48):012x}"
            page = f"{SITE}/blogs/sleep/{rng.randrange(400)}"
            fields = {
                "client_id": client,
                "page_url": page,
                "referrer": None,
                "timestamp": rfc3339(at_ms),
                "event_name": "page_viewed",
                "event_data": None,
                "user_agent": CRAWLER,
            }
            yield Event(at_ms, fields, client)


def _at(event: Event) -> int:
    return event.at_ms
