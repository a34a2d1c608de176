"""From an event to its alert, while the daemon has half of what it can do to do.

Measured: from the moment before the record that is the evidence is handed to a producer (whose linger of up to 20 ms is
part of it) to the moment at which a consumer of committed records has the alert. Both by the clock of this machine.
The evidence is such that its alert waits for nothing else: an invalid purchase, a colliding transaction id. What is
judged by the minute waits for event time (`watch.hold_minutes`), and is not measured here.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
from confluent_kafka import Consumer, TopicPartition

from consumer.runtime.clock import SystemClock
from detectors.alerts import Alert
from tests.bench import feed
from tests.bench.daemon import Daemon, Names, Right, drained, wrong
from tests.bench.feed import Evidence, Sent
from tests.bench.measured import Child
from tests.bench.place import PARTITIONS
from tests.bench.topics import QUIET
from tests.bench.workload import Numbers
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.bench.place import Place
    from tests.bench.topics import Cluster

START_SECONDS = 60
SPARE_SECONDS = 30
"""How much longer than its sending an alert may take until it counts as missing."""

MARK_SECONDS = 2.0


@dataclass(slots=True)
class Latency:
    """Seconds from evidence to alert, by kind of alert. `load`: share of the time of one core that the daemon used."""

    asked_per_second: float
    sent_per_second: float
    load: float
    seconds: dict[str, list[float]]
    faults: list[str] = field(default_factory=list)


class Seen:
    """When each alert of those that are waited for was seen first, saying so much."""

    def __init__(self) -> None:
        self._seen: defaultdict[tuple[str, str, str], list[tuple[int, int]]] = defaultdict(list)

    def note(self, alert: Alert, at_ms: int) -> None:
        """An alert was read at this moment."""
        key = (alert.kind, alert.day or "", alert.subject or "")
        self._seen[key].append((alert.count or 0, at_ms))

    def seconds(self, evidence: Evidence) -> float | None:
        """How long the evidence took to be in an alert; None: it is in none."""
        states = self._seen[evidence.kind, evidence.day, evidence.subject]
        told = [at_ms for count, at_ms in states if count >= evidence.count]
        return (min(told) - evidence.sent_ms) / 1000 if told else None


def measure(cluster: Cluster, place: Place, per_second: float, seconds: float, pieces: int) -> Latency:
    """A daemon of its own, fed at the pace: what half load is, says who calls."""
    names = Names(place.named("live"), place.named("latency"))
    folder = place.fresh("latency")
    cluster.create(names.input, PARTITIONS)
    daemon = Daemon(cluster, names, "gate,watch,deliver", folder)
    try:
        wait_until(
            lambda: len(daemon.said("partition restored")) > PARTITIONS, START_SECONDS, "it has begun to work"
        )
        before = daemon.look().sample
        sent, seen = _fed(cluster, place, names, (per_second, seconds, pieces))
        after = daemon.look().sample
        drained(cluster, names, daemon.look, cluster.ends(names.input))
    finally:
        daemon.end()
    took = {it: seen.seconds(it) for it in sent.evidence}
    load = 1000 * (after.cpu_seconds - before.cpu_seconds) / (after.at_ms - before.at_ms)
    result = Latency(per_second, sent.records / sent.seconds, load, _by_kind(took.items()))
    result.faults = wrong(cluster, names, Right(_numbers(sent), sent.dead_letters))
    result.faults += [f"no alert of {it}" for it, needed in took.items() if needed is None]
    cluster.delete([names.input, *names.own().values()])
    return result


def _fed(cluster: Cluster, place: Place, names: Names, pace: tuple[float, float, int]) -> tuple[Sent, Seen]:
    """Has the feed send, and reads alerts until it has all of them, or none comes any more."""
    per_second, seconds, pieces = pace
    folder = place.fresh("feed")
    arguments = [names.input, str(per_second), "25000", str(seconds), str(pieces)]
    child = Child(["-m", "tests.bench.feed", "live", cluster.address, *arguments], folder / "said", folder)
    seen, clock = Seen(), SystemClock()
    reader = _reader(cluster, names.own()["alerts"])
    sent: Sent | None = None
    last = clock.monotonic() + (1 + feed.WARM_UP_SHARE) * seconds + SPARE_SECONDS
    while clock.monotonic() < last and not (sent and None not in map(seen.seconds, sent.evidence)):
        message = reader.poll(0.1)
        if message is not None and message.error() is None:
            seen.note(msgspec.json.decode(message.value() or b"", type=Alert), clock.now_ms())
        if sent is None and not child.running():
            sent = msgspec.json.decode(child.words().splitlines()[-1], type=Sent)
    reader.close()
    if sent is None:
        child.end()
        raise RuntimeError(f"the feed did not come to its end: {child.words()[-2000:]}")
    return sent, seen


def _reader(cluster: Cluster, topic: str) -> Consumer:
    reader = Consumer(
        {
            "bootstrap.servers": cluster.address,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **QUIET,
        }
    )
    reader.assign([TopicPartition(topic, 0, 0)])
    return reader


def _numbers(sent: Sent) -> dict[str, Numbers]:
    return {
        day: Numbers(events, sessions, purchases, Decimal(cents) / 100)
        for day, (events, sessions, purchases, cents) in sent.days.items()
    }


def _by_kind(took: Iterable[tuple[Evidence, float | None]]) -> dict[str, list[float]]:
    found: defaultdict[str, list[float]] = defaultdict(list)
    for evidence, seconds in took:
        if seconds is not None:
            found[evidence.kind].append(seconds)
    return {kind: sorted(values) for kind, values in sorted(found.items())}


def percentile(values: Sequence[float], percent: float) -> float:
    """The least of the values that so many percent of them do not exceed (nearest rank).

    >>> percentile([3.0, 1.0, 2.0], 50), percentile([3.0, 1.0, 2.0], 99), percentile([4.0], 50)
    (2.0, 3.0, 4.0)
    """
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def lines(latency: Latency) -> list[str]:
    """The result as Markdown."""
    everything = [seconds for values in latency.seconds.values() for seconds in values]
    rows = [*((f"`{kind}`", values) for kind, values in latency.seconds.items()), ("all", everything)]
    return [
        (
            f"From produce to committed alert at {latency.sent_per_second:,.0f} events/s (half of the measured rate is "
            f"{latency.asked_per_second:,.0f}; the daemon used {latency.load:.2f} of a core), default settings:"
        ),
        "",
        "| evidence | alerts | p50 s | p99 s | longest s |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {kind} | {len(values)} | {percentile(values, 50):.2f} | {percentile(values, 99):.2f} | {max(values):.2f} |"
            for kind, values in rows
            if values
        ),
        "",
        f"- {sum(s <= MARK_SECONDS for s in everything)} of {len(everything)} within the mark of {MARK_SECONDS:.0f} s",
    ]
