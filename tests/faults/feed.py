"""Events into an input topic as a site would send them: a seeded shop with everything wrong that can be wrong."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Producer

from consumer.local.shop import ShopOptions, events
from consumer.local.shop_faults import CollidingIds, Garbage, InvalidPurchases, OutOfOrder, Replays

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FIRST_DAY = date(2025, 3, 1)

LATE_SECONDS = 3_000
"""Events overtaken by so much still find their sessions: the allowed lateness is an hour."""


class Sent(NamedTuple):
    """A record as it goes to Kafka."""

    value: bytes | None
    key: bytes | None = None


def troubled_shop(seed: int, days: int = 3, sessions_per_day: int = 150) -> list[Sent]:
    """A shop's days with invalid, colliding and replayed purchases, garbage, overtaken and very late events."""
    second, last = FIRST_DAY + timedelta(days=1), FIRST_DAY + timedelta(days=days - 1)
    options = ShopOptions(
        seed,
        FIRST_DAY,
        days=days,
        sessions_per_day=sessions_per_day,
        purchases_per_day=sessions_per_day / 12,
        faults=(
            InvalidPurchases(FIRST_DAY, 2),
            InvalidPurchases(second, 1, "no_items"),
            CollidingIds(second, 1),
            CollidingIds(last, 1, days_back=days - 2),
            Replays(FIRST_DAY, 3),
            Replays(last, 2, seconds_later=0),
            Garbage(second, 10),
            OutOfOrder(0.05, LATE_SECONDS),
        ),
    )
    shop = [Sent(event.value(), event.key()) for event in events(options)]
    return shop + [days_late(FIRST_DAY, number) for number in range(8)]


def single_visits(count: int) -> list[Sent]:
    """So many visitors with a page each, a second apart, from noon of the first day on."""
    return [
        Sent(page_view(f"c{n}", f"{FIRST_DAY}T12:{n // 60:02d}:{n % 60:02d}.000Z"), b"c%d" % n)
        for n in range(count)
    ]


def days_late(day: date, number: int) -> Sent:
    """An event of a visitor nobody has seen, for a day that closed long ago."""
    client = f"late-{number}"
    return Sent(page_view(client, f"{day}T{10 + number:02d}:30:00.000Z"), client.encode())


def page_view(client: str, at: str, **more: object) -> bytes:
    """An event of the simplest kind."""
    event = {
        "client_id": client,
        "page_url": "https://www.shop.example/",
        "referrer": None,
        "timestamp": at,
        "event_name": "page_viewed",
        "event_data": None,
        "user_agent": "Mozilla/5.0",
    }
    return json.dumps({**event, **more}).encode()


def send(servers: str, topic: str, records: Iterable[Sent], **more: object) -> None:
    """Sends the records, those with a key as Kafka's own clients would place them; back when all are in the log."""
    producer = sender(servers, **more)
    for record in records:
        _produce(producer, topic, record)
    assert producer.flush(60) == 0


def send_in_transactions(servers: str, topic: str, records: Sequence[Sent], size: int) -> None:
    """Sends the records in transactions of that size, after each of which the same is sent again and taken back."""
    producer = sender(servers, **{"transactional.id": topic})
    producer.init_transactions(60)
    for start in range(0, len(records), size):
        for finish in (producer.commit_transaction, producer.abort_transaction):
            producer.begin_transaction()
            for record in records[start : start + size]:
                _produce(producer, topic, record)
            producer.flush(60)
            finish(60)


def sender(servers: str, **more: object) -> Producer:
    """A producer that places keys as Kafka's own clients do."""
    own = {"bootstrap.servers": servers, "partitioner": "murmur2_random", "enable.idempotence": True}
    return Producer({**own, "linger.ms": 5, "message.max.bytes": 10_000_000, "log_level": 0, **more})


def _produce(producer: Producer, topic: str, record: Sent) -> None:
    while True:
        try:
            producer.produce(topic, record.value, record.key)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return
