"""What one visitor of the seeded shop does on one visit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from consumer.core.instant import rfc3339
from consumer.local.landings import SITE, Landing
from consumer.local.shop_event import PURCHASE, ShopEvent
from consumer.local.visitors import LETTERS, Visitor

if TYPE_CHECKING:
    from random import Random

    from consumer.local.shop_traits import Product, Traits

LONGEST_PAUSE_MS = 25 * 60_000
"""Between two events of a visit: well below the 30 minutes that part sessions."""

_CHECKOUT = "https://checkout.shop.example/checkouts/cn/"
_SIZES = {"Twin": 1.0, "Full": 1.25, "Queen": 1.45, "King": 1.8}


class Intent(NamedTuple):
    """What a visit leads to: how many pages are seen, and how far the visitor goes. A buyer's order has an id."""

    pages: int
    email: bool = False
    cart: bool = False
    checkout: bool = False
    order_id: str | None = None


class _Step(NamedTuple):
    event_name: str
    page_url: str
    referrer: str | None
    data: dict[str, Any] | None = None
    earns_cents: int | None = None


def visit(
    rng: Random, traits: Traits, visitor: Visitor, landing: Landing, intent: Intent, start_ms: int
) -> list[ShopEvent]:
    """The events of one visit in order of time, the first at `start_ms`. Pauses are lognormal, most under a minute."""
    at_ms = start_ms
    events: list[ShopEvent] = []
    for step in _steps(rng, traits, visitor, landing, intent):
        if events:
            pause = rng.lognormvariate(math.log(40_000), 1.2)
            at_ms += min(400 + round(pause), LONGEST_PAUSE_MS)
        opens = landing.opening if not events and visitor.client_id is not None else None
        events.append(
            ShopEvent(at_ms, _fields(visitor, step, at_ms), opens=opens, earns_cents=step.earns_cents)
        )
    return events


def _fields(visitor: Visitor, step: _Step, at_ms: int) -> dict[str, Any]:
    return {
        "client_id": visitor.client_id,
        "page_url": step.page_url,
        "referrer": step.referrer,
        "timestamp": rfc3339(at_ms),
        "event_name": step.event_name,
        "event_data": None if step.data is None else msgspec.json.encode(step.data).decode(),
        "user_agent": visitor.user_agent,
    }


def _steps(rng: Random, traits: Traits, visitor: Visitor, landing: Landing, intent: Intent) -> list[_Step]:
    product = rng.choice(traits.products)
    own = f"{SITE}/"
    steps = [_Step("page_viewed", landing.page_url, landing.referrer)]
    if intent.email:
        data = {"user_email": visitor.email}
        steps.append(_Step("email_filled_on_popup", landing.page_url, landing.referrer, data))
    for _ in range(intent.pages - 1):
        seen = rng.choice(traits.products)
        steps.append(_Step("page_viewed", f"{SITE}/products/{seen.slug}", rng.choice((own, None))))
    if intent.cart:
        steps.append(_Step("product_added_to_cart", f"{SITE}/products/{product.slug}", own))
    if intent.checkout:
        url = _CHECKOUT + "".join(rng.choices(LETTERS, k=24))
        steps.append(_Step("checkout_started", url, own))
        if intent.order_id is not None:
            data, cents = _order(rng, traits, product, intent.order_id, visitor.email)
            steps.append(_Step(PURCHASE, f"{url}/thank-you", rng.choice((own, None)), data, cents))
    return steps


def _order(
    rng: Random, traits: Traits, first: Product, order_id: str, email: str
) -> tuple[dict[str, Any], int]:
    """The data of an order of one to three products, and its amount in cents. One in ten has a discount."""
    products = [first, *rng.choices(traits.products, k=rng.choices((0, 1, 2), (65, 25, 10))[0])]
    items = [_item(rng, traits, product) for product in products]
    cents = sum(item["quantity"] * price for item, price in items)
    if rng.random() < 0.1:  # noqa: PLR2004 - a share
        cents = cents * 9 // 10
    data = {
        "transaction_id": order_id,
        "revenue": _number(cents),
        "items": [item for item, _ in items],
        "user_email": email,
    }
    return data, cents


def _item(rng: Random, traits: Traits, product: Product) -> tuple[dict[str, Any], int]:
    """One line of an order, and its price in cents: lognormal about the catalogue's, as options and sizes are many."""
    size, factor = rng.choice(list(_SIZES.items()))
    price = (
        100 * max(round(product.price_cents / 100 * factor * rng.lognormvariate(0, traits.price_sigma)), 9)
        - 5
    )
    item = {
        "item_id": f"{product.slug}-{size[0].lower()}",
        "item_name": product.name,
        "item_variant": f'{size} ({rng.randint(38, 76)}"W x {rng.randint(74, 84)}"L)',
        "quantity": rng.choices((1, 2, 4), (88, 10, 2))[0],
        "item_price": _number(price),
    }
    return item, price


def _number(cents: int) -> int | float:
    """An amount as a JSON number, in the fewest digits."""
    return cents / 100 if cents % 100 else cents // 100
