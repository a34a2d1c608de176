"""Single events, made to order."""

from __future__ import annotations

import msgspec

from consumer.core.instant import rfc3339
from consumer.local.shop_event import PURCHASE
from tests.bench.workload import Keyed

SHOP = "https://www.shop.example"


def view(client: str, at_ms: int) -> Keyed:
    """A page view."""
    return _event(client, at_ms, "page_viewed", f"{SHOP}/", None)


def purchase(client: str, transaction: str, at_ms: int, earns: int) -> Keyed:
    """An order of one item; one that earns nothing is invalid."""
    data = {"transaction_id": transaction, "revenue": earns, "items": [{"item_id": "a", "quantity": 1}]}
    return _event(client, at_ms, PURCHASE, f"{SHOP}/thank-you", msgspec.json.encode(data).decode())


def _event(client: str, at_ms: int, name: str, url: str, data: str | None) -> Keyed:
    fields = {
        "client_id": client,
        "page_url": url,
        "referrer": None,
        "timestamp": rfc3339(at_ms),
        "event_name": name,
        "event_data": data,
        "user_agent": "Mozilla/5.0",
    }
    return Keyed(client.encode(), msgspec.json.encode(fields))
