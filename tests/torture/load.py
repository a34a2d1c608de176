"""What a site sends while it is tortured: a seeded shop whose days pass quickly, with everything wrong that can be wrong.

    python -m tests.torture.load SERVERS TOPIC --seed 1 --rate 300 --day-seconds 60
    python -m tests.torture.load SERVERS TOPIC --anywhere 8

A process of its own. It sends until SIGTERM, then the rest of the day and the next one without pause and without
hostile records, so that every day before closes; its last line says how many records there were.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import deque
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import click
from confluent_kafka import KafkaException, Producer

from consumer.local.shop import ShopOptions, events
from consumer.local.shop_event import midnight_ms
from consumer.local.shop_faults import CollidingIds, Garbage, InvalidPurchases, OutOfOrder, Replays
from tests.faults.feed import LATE_SECONDS, Sent, sender
from tests.torture.hostile import DAY_MS, Maker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumer.local.shop_event import ShopEvent

FIRST_DAY = date(2025, 3, 1)
CHUNK_DAYS = 7
EVENTS_PER_SESSION = 4.1

WARM_UP = 3_000
"""Ordinary events first, from which each partition knows what time it is."""

HOSTILE = 0.02
AGAIN = 0.004
"""Shares of events after which something hostile comes, or an earlier event once more, byte for byte."""

NUMBER = "torture-number"
"""Header that numbers the records, so that two of equal bytes can be told apart."""


class Timed(NamedTuple):
    """A record, and the stream's time when it is sent."""

    at_ms: int
    record: Sent


class Shop:
    """The records of one seed, without end. Set `settling` to get ordinary events only from then on."""

    def __init__(self, seed: int, sessions_per_day: float) -> None:
        self.settling = False
        self._seed = seed
        self._sessions_per_day = sessions_per_day
        self._rng = Random(f"{seed} load")
        self._hostile = Maker(self._rng)
        self._lately: deque[Sent] = deque(maxlen=10)

    @property
    def first_ms(self) -> int:
        """The beginning of its first day."""
        return midnight_ms(FIRST_DAY)

    def until(self, over: Callable[[], bool]) -> Iterator[Timed]:
        """Its records until it is over; then ordinary ones to the end of the next day, so that every day before closes
        and what a clock that ran ahead had named has come to pass."""
        last_ms = None
        for timed in self:
            if last_ms is None and over():
                self.settling, last_ms = True, (timed.at_ms // DAY_MS + 2) * DAY_MS
            if last_ms is not None and timed.at_ms >= last_ms:
                return
            yield timed

    def __iter__(self) -> Iterator[Timed]:
        now_ms = 0
        for number, event in enumerate(self._events()):
            now_ms = max(now_ms, event.at_ms)
            record = Sent(event.value(), event.key())
            yield Timed(now_ms, record)
            if number < WARM_UP or self.settling:
                continue
            if event.fields is not None:
                self._lately.append(record)
            for more in self._more(now_ms):
                yield Timed(now_ms, more)

    def _more(self, now_ms: int) -> Iterator[Sent]:
        if self._rng.random() < HOSTILE:
            yield from self._hostile.make(now_ms)
        if self._rng.random() < AGAIN and self._lately:
            yield self._rng.choice(self._lately)

    def _events(self) -> Iterator[ShopEvent]:
        for chunk in count():
            first = FIRST_DAY + timedelta(days=chunk * CHUNK_DAYS)
            yield from events(self._options(first, f"{self._seed}{chunk:04d}"))

    def _options(self, first: date, seed: str) -> ShopOptions:
        days = [first + timedelta(days=number) for number in range(CHUNK_DAYS)]
        faults = [
            fault
            for number, day in enumerate(days)
            for fault in (
                InvalidPurchases(day, 2, "no_items" if number % 2 else "revenue_zero"),
                CollidingIds(day, 2, days_back=min(number, self._rng.randint(0, 2))),
                Replays(day, 3, seconds_later=self._rng.choice((0, 60, 500))),
                Garbage(day, 10),
            )
        ]
        return ShopOptions(
            int(seed),
            first,
            days=CHUNK_DAYS,
            sessions_per_day=self._sessions_per_day,
            purchases_per_day=self._sessions_per_day / 12,
            faults=(*faults, OutOfOrder(0.03, LATE_SECONDS)),
        )


class Placed(NamedTuple):
    """The key that a record gets, and the partition; by default the key decides."""

    key: bytes | None
    partition: int = -1


def by_key(record: Sent) -> Placed:
    """Each client's records lie in one partition."""
    return Placed(record.key)


class Anywhere:
    """A client's records lie in any of the partitions, each under the key of the record before it."""

    def __init__(self, seed: int, partitions: int) -> None:
        self._rng = Random(f"{seed} places")
        self._partitions = partitions
        self._key: bytes | None = None

    def __call__(self, record: Sent) -> Placed:
        """Where the next record goes."""
        key, self._key = self._key, record.key
        return Placed(key, self._rng.randrange(self._partitions))


class Sending:
    """Sends a shop's records in its own time. A producer that is of no use any more is replaced; what it had not sent
    is left out, since what comes after it must not be overtaken."""

    def __init__(self, servers: str, topic: str, place: Callable[[Sent], Placed]) -> None:
        self._servers = servers
        self._topic = topic
        self._place = place
        self._numbers = count()
        self._producer = self._connect()
        self.sent = 0

    def _connect(self) -> Producer:
        return sender(
            self._servers,
            **{
                "message.timeout.ms": 600_000,
                "queue.buffering.max.messages": 500_000,
                "reconnect.backoff.max.ms": 500,
            },
        )

    def send(self, record: Sent) -> None:
        """Hands the record over; waits while the client's queue is full."""
        headers = [(NUMBER, str(next(self._numbers)).encode())]
        key, partition = self._place(record)
        while True:
            try:
                self._producer.produce(
                    self._topic, record.value, key, partition, headers=headers, on_delivery=self._noted
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as raised:
                if not raised.args[0].fatal():
                    raise
                self._producer.purge()
                self._producer = self._connect()
            else:
                self._producer.poll(0)
                return

    def _noted(self, error: object, _message: object) -> None:
        self.sent += error is None

    def finish(self) -> None:
        """Back when all is in the log."""
        if self._producer.flush(300):
            raise RuntimeError("the broker did not take the last records within five minutes")


@click.command()
@click.argument("servers")
@click.argument("topic")
@click.option("--seed", default=1)
@click.option("--rate", default=300.0, help="Records a second, on average.")
@click.option("--day-seconds", default=60.0, help="Seconds in which a day of the shop passes.")
@click.option("--anywhere", default=0, help="An input that is not keyed, of so many partitions.")
def main(servers: str, topic: str, seed: int, rate: float, day_seconds: float, anywhere: int) -> None:
    """Sends until SIGTERM."""
    stop, parent = threading.Event(), os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    shop = Shop(seed, rate * day_seconds / EVENTS_PER_SESSION)
    sending = Sending(servers, topic, Anywhere(seed, anywhere) if anywhere else by_key)
    began = time.monotonic() - shop.first_ms / DAY_MS * day_seconds
    for at_ms, record in shop.until(stop.is_set):
        if os.getppid() != parent:  # who would ask it to stop is gone
            sys.exit(1)
        if not shop.settling:
            stop.wait(max(0.0, began + at_ms / DAY_MS * day_seconds - time.monotonic()))
        sending.send(record)
    sending.finish()
    click.echo(json.dumps({"sent": sending.sent}))


if __name__ == "__main__":
    main()
