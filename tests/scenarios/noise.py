"""What makes a quiet month noisy: drawn for each seed within the ranges of real shops, so that nothing can be tuned to it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from consumer.local.shop_traits import draw_traits

if TYPE_CHECKING:
    from random import Random

    from consumer.local.shop_traits import Traits

EVENTS_A_DAY = 3_500
PURCHASES_A_DAY = 19


@dataclass(frozen=True, slots=True)
class Noise:
    """A month's character. Shares are 0-1; a `shape` is that of a gamma distribution with mean 1 (the smaller, the
    noisier), a `weight` that of a beta distribution about its share (likewise)."""

    traits: Traits
    volume: float
    visits_a_day: float
    daily_trend: float
    hour_shape: float
    quiet_hour_share: float
    no_referrer_share: float
    no_referrer_weight: float
    no_agent_share: float
    no_item_field_share: float
    zero_revenue_share: float
    twice_share: float
    crawl_share: float
    crawl_hour: float
    crawl_hits: float


def draw_noise(rng: Random, volume: float = 1.0) -> Noise:
    """The character of a month with about 3,500 events and 19 purchases a day, times `volume`."""
    traits = replace(draw_traits(rng), pages_per_visit=rng.uniform(1.3, 2.4), day_shape=rng.uniform(90, 500))
    # a cart comes with two pages more, and one visit in twelve or so has one
    events_a_visit = traits.pages_per_visit + 0.25
    return Noise(
        traits=traits,
        volume=volume,
        visits_a_day=volume * EVENTS_A_DAY / events_a_visit,
        daily_trend=rng.uniform(-0.004, 0.005),
        hour_shape=rng.uniform(40, 250),
        quiet_hour_share=rng.uniform(0.02, 0.12),
        no_referrer_share=rng.uniform(0.2, 0.6),
        no_referrer_weight=rng.uniform(150, 800),
        no_agent_share=rng.uniform(0.03, 0.15),
        no_item_field_share=rng.uniform(0, 0.06),
        zero_revenue_share=rng.uniform(0, 0.05),
        twice_share=rng.uniform(0, 0.0003),
        crawl_share=rng.uniform(0.3, 1),
        crawl_hour=rng.uniform(0, 5.5),
        crawl_hits=rng.uniform(150, 300) * math.sqrt(volume),
    )


def gamma(rng: Random, shape: float) -> float:
    """A factor about 1."""
    return rng.gammavariate(shape, 1 / shape)


def beta(rng: Random, share: float, weight: float) -> float:
    """A share about `share`."""
    return rng.betavariate(share * weight, (1 - share) * weight)
