"""A producer that keeps a pace, in a process of its own. Prints one JSON line: what it sent.

python -m tests.bench.feed live ADDRESS TOPIC RATE EVENTS SECONDS EVIDENCE    events of now, alerts among them
python -m tests.bench.feed steady ADDRESS TOPIC RATE EVENTS                   months of events of the past
"""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING

import click
import msgspec

from consumer.core.instant import rfc3339
from consumer.runtime.clock import SystemClock
from consumer.runtime.kafka.sender import Sender
from detectors.purchases import COLLISION, INVALID
from tests.bench.place import PARTITIONS
from tests.bench.records import purchase
from tests.bench.workload import BUSY, STEADY, Workload

if TYPE_CHECKING:
    from tests.bench.workload import Keyed

SLICE_SECONDS = 0.01
WARM_UP_SHARE = 0.25
"""Of the seconds with evidence, before the first of it: the daemon has seen all that it loads only when it needs it."""


class Evidence(msgspec.Struct, frozen=True):
    """What an alert has to come of: it is seen as soon as an alert of the kind and the day, and of the subject if there
    is one, counts so many. `sent_ms`: the wall clock before its record was handed to the producer."""

    kind: str
    day: str
    subject: str
    count: int
    sent_ms: int


class Sent(msgspec.Struct):
    """Everything that went out: seconds that it took, by day what has to come of it (events, sessions, purchases,
    cents), how many dead letters, and the evidence."""

    records: int
    seconds: float
    days: dict[str, list[int]]
    dead_letters: int = 0
    evidence: list[Evidence] = []


class Paced:
    """Sends at most so many records a second, in slices of a hundredth."""

    def __init__(self, address: str, topic: str, rate: float) -> None:
        self._sender = Sender({"bootstrap.servers": address}, topic, PARTITIONS)
        self._clock = SystemClock().monotonic
        self._rate = rate
        self._a_slice = max(1, round(rate * SLICE_SECONDS))
        self._began = self._clock()
        self.sent = 0

    def send(self, record: Keyed) -> None:
        """Hands a record over, when its turn has come."""
        self._sender.send(record.value, record.key)
        self.sent += 1
        if self.sent % self._a_slice == 0:
            while (early := self.sent / self._rate - self.seconds()) > 0:
                self._sender.serve(early)

    def seconds(self) -> float:
        """Since the first one."""
        return self._clock() - self._began

    def finish(self) -> None:
        """Waits until the brokers have everything."""
        self._sender.finish()


class Live:
    """Events of now, and evidence among them: one a second, an invalid purchase and a colliding one in turn."""

    def __init__(self, paced: Paced, workload: Workload) -> None:
        self._paced = paced
        self._events = workload.live(SystemClock().now_ms)
        self._days: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self._invalid: defaultdict[str, int] = defaultdict(int)
        self._evidence: list[Evidence] = []

    def run(self, seconds: float, pieces: int) -> Sent:
        """Sends for so many seconds, with so many pieces of evidence spread over them after a while."""
        every, warm_up = seconds / pieces, WARM_UP_SHARE * seconds
        for number in range(pieces):
            self._ordinary(warm_up + number * every)
            self._collide(number) if number % 2 else self._spoil(number)
        self._ordinary(warm_up + seconds)
        self._paced.finish()
        return Sent(
            self._paced.sent,
            self._paced.seconds(),
            self._days,
            sum(self._invalid.values()),
            self._evidence,
        )

    def _ordinary(self, until_seconds: float) -> None:
        while self._paced.seconds() < until_seconds:
            event = next(self._events)
            self._paced.send(event.record)
            self._count(event.at_ms, event.opens, event.cents)

    def _count(self, at_ms: int, opens: bool, cents: int | None) -> str:  # noqa: FBT001
        name = rfc3339(at_ms)[:10]
        day = self._days[name]
        day[0] += 1
        day[1] += opens
        day[2] += cents is not None
        day[3] += cents or 0
        return name

    def _spoil(self, number: int) -> None:
        """A purchase that earns nothing: the day's next one."""
        at_ms = SystemClock().now_ms()
        self._paced.send(purchase(f"spoilt-{number}", f"SPOILT-{number}", at_ms, 0))
        day = self._count(at_ms, opens=True, cents=None)
        self._invalid[day] += 1
        self._evidence.append(Evidence(INVALID, day, "", self._invalid[day], at_ms))

    def _collide(self, number: int) -> None:
        """Two orders of one id: the second one is the evidence, and neither counts."""
        subject = f"TWICE-{number}"
        for earns in (10, 20):
            at_ms = SystemClock().now_ms()
            self._paced.send(purchase(f"twice-{number}-{earns}", subject, at_ms, earns))
            day = self._count(at_ms, opens=True, cents=None)
        self._evidence.append(Evidence(COLLISION, day, subject, 2, at_ms))


def steady(paced: Paced, workload: Workload) -> Sent:
    """The whole workload at the pace."""
    for record in workload:
        paced.send(record)
    paced.finish()
    return Sent(paced.sent, paced.seconds(), {}, workload.bad)


def main(kind: str, address: str, topic: str, rate: str, events: str, *rest: str) -> None:
    """Sends, and says what."""
    if kind == "live":
        workload = Workload(BUSY, int(events))
        sent = Live(Paced(address, topic, float(rate)), workload).run(float(rest[0]), int(rest[1]))
    else:
        workload = Workload(STEADY, int(events))
        sent = steady(Paced(address, topic, float(rate)), workload)
    click.echo(msgspec.json.encode(sent))


if __name__ == "__main__":
    main(*sys.argv[1:])
