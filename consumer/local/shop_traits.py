"""What distinguishes one seeded shop from another: drawn from its seed within ranges that real shops lie in, so that
nothing that works on one of them can have been made to fit that one only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from random import Random


class Product(NamedTuple):
    """Something to buy. The price is that of its smallest variant, in cents."""

    slug: str
    name: str
    price_cents: int


@dataclass(frozen=True, slots=True)
class Traits:
    """A shop's character. Shares are 0-1.

    `hours` are the shares of a day's visits by hour (UTC), `weekdays` factors by weekday (Monday first, mean 1).
    `day_shape` and `buying_shape` are the shapes of gamma distributions with mean 1, whose draw each day multiplies its
    visits, and the share of them that buys: the smaller, the more a day's Poisson counts are over-dispersed.
    `direct_weight` is the weight of its own level in each day's direct share (a beta distribution).
    """

    hours: tuple[float, ...]
    weekdays: tuple[float, ...]
    day_shape: float
    buying_shape: float
    direct_share: float
    direct_weight: float
    campaign_share: float
    pages_per_visit: float
    returning_share: float
    no_identity_share: float
    price_sigma: float
    products: tuple[Product, ...]


def draw_traits(rng: Random) -> Traits:
    """The character of one shop."""
    return Traits(
        hours=_hours(rng),
        weekdays=_weekdays(rng),
        day_shape=rng.uniform(120, 600),
        buying_shape=rng.uniform(50, 400),
        direct_share=rng.uniform(0.25, 0.5),
        direct_weight=rng.uniform(400, 2000),
        campaign_share=rng.uniform(0.45, 0.75),
        pages_per_visit=rng.uniform(1.8, 2.8),
        returning_share=rng.uniform(0.08, 0.25),
        no_identity_share=rng.uniform(0.004, 0.015),
        price_sigma=rng.uniform(0.3, 0.6),
        products=_products(rng),
    )


def _hours(rng: Random) -> tuple[float, ...]:
    """Two waves, a long evening and a short night, with a bump of its own for each hour; quietest at 15-40 %."""
    peak, second = rng.uniform(0, 24), rng.uniform(0, 12)
    swing, ripple = rng.uniform(0.4, 0.65), rng.uniform(0.05, 0.2)
    waves = [
        1
        + swing * math.cos(2 * math.pi * (hour - peak) / 24)
        + ripple * math.cos(4 * math.pi * (hour - second) / 24)
        for hour in range(24)
    ]
    weights = [wave * rng.uniform(0.9, 1.1) for wave in waves]
    return tuple(weight / sum(weights) for weight in weights)


def _weekdays(rng: Random) -> tuple[float, ...]:
    weekend = rng.uniform(0.85, 1.2)
    weights = [rng.uniform(0.95, 1.05) * (weekend if weekday >= 5 else 1) for weekday in range(7)]  # noqa: PLR2004 - Saturday
    return tuple(7 * weight / sum(weights) for weight in weights)


_KINDS = ("mattress", "topper", "pillow", "bed-frame", "sheets", "comforter", "protector", "base")
_LINES = ("Cloud", "Dune", "Fjord", "Meadow", "Harbor", "Aurora", "Willow", "Summit")


def _products(rng: Random) -> tuple[Product, ...]:
    """Twenty products; prices are lognormal about 400, so baskets have the heavy tail that real ones have."""
    names = rng.sample([(line, kind) for line in _LINES for kind in _KINDS], 20)
    return tuple(
        Product(
            f"{line}-{kind}".lower(),
            f"{line} {kind.replace('-', ' ').title()}",
            100 * max(round(rng.lognormvariate(math.log(400), 0.8)), 19),
        )
        for line, kind in names
    )
