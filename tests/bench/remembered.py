"""What an event costs when little is remembered, and when a hundred times as much is: clients, transaction ids, days.

As a program (`python -m tests.bench.remembered KIND SIZE EVENTS`) it has gate and watch remember so much, in memory and
without Kafka, measures with the events after it, and prints one JSON line.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from itertools import count, islice
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from consumer.cli.collector import collect_rarely
from consumer.local.shop_event import DAY_MS, HOUR_MS, midnight_ms
from reports.deliver import Deliverer
from tests.bench.core import feed, new_pipeline
from tests.bench.measured import Child
from tests.bench.place import say
from tests.bench.records import purchase, view
from tests.bench.table import spread
from tests.bench.topics import faults, numbers_of
from tests.bench.workload import BUSY, FIRST_DAY, Numbers, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from consumer.tasks.pipeline import Pipeline
    from tests.bench.place import Place
    from tests.bench.workload import Keyed

START_MS = midnight_ms(FIRST_DAY)
"""The events that are measured with begin then, right after what is remembered."""

LONGEST_SECONDS = 600
STEP_MS = 10
"""Between two events: 100,000 take 17 minutes, and no session leaves meanwhile."""

VISITS_A_DAY = 64


class Cost(NamedTuple):
    """Microseconds of CPU time an event, with so much remembered. `faults`: what was not right of it."""

    kind: str
    size: int
    microseconds: float
    faults: list[str]


def clients(size: int) -> Iterator[Keyed]:
    """A page view each, in the hour before."""
    for number in range(size):
        yield view(f"known-{number}", START_MS - HOUR_MS + number * HOUR_MS // size)


def transaction_ids(size: int) -> Iterator[Keyed]:
    """An order each, on the day before."""
    for number in range(size):
        at_ms = START_MS - DAY_MS + number * DAY_MS // size
        yield purchase(f"buyer-{number}", f"KNOWN-{number}", at_ms, 10)


def days(size: int) -> Iterator[Keyed]:
    """Some visits each, up to the day before."""
    for number in range(size):
        begin = START_MS - (size - number) * DAY_MS
        for visit in range(VISITS_A_DAY):
            yield view(f"visitor-{number}-{visit}", begin + visit * DAY_MS // VISITS_A_DAY)


KINDS: dict[str, tuple[Callable[[int], Iterator[Keyed]], int, int]] = {
    "clients": (clients, 10_000, 1_000_000),
    "transaction ids": (transaction_ids, 1_000, 100_000),
    "days": (days, 4, 400),
}
"""What is remembered, and how much of it is little and much."""


def cost(kind: str, size: int, events: int) -> Cost:
    """In this process."""
    pipeline = new_pipeline()
    feed(pipeline, KINDS[kind][0](size), Deliverer())
    held = _held(pipeline)[kind]
    found = [] if held >= size else [f"{held} {kind} are remembered instead of {size}"]
    records, right = _probe(kind, events)
    reader = Deliverer()
    timed = feed(pipeline, records, reader)
    found += faults(right, {day: numbers for day, numbers in numbers_of(reader).items() if day in right})
    return Cost(kind, size, 1e6 * timed.cpu_seconds / timed.records, found)


def _held(pipeline: Pipeline) -> dict[str, int]:
    state = pipeline.watch.state
    sessions = sum(len(gate.sessions) for gate in pipeline.gates)
    return {"clients": sessions, "transaction ids": len(state.ids), "days": len(state.days)}


def _probe(kind: str, events: int) -> tuple[Iterator[Keyed], dict[str, Numbers]]:
    """The events to measure with, and what they have to come to. Days need some of their own to be compared with those
    that are remembered; for the others time hardly moves, so that nothing leaves."""
    workload = Workload(BUSY, events)
    if kind == "days":
        return iter(workload), workload.right()
    moments = count(START_MS, STEP_MS)
    happening = list(islice(workload.live(lambda: next(moments)), events))
    cents = [event.cents for event in happening if event.cents is not None]
    opened = sum(event.opens for event in happening)
    right = Numbers(len(happening), opened, len(cents), Decimal(sum(cents)) / 100)
    return (event.record for event in happening), {FIRST_DAY.isoformat(): right}


def measure(place: Place, events: int, repeats: int, share: float = 1.0) -> list[list[Cost]]:
    """Little and much of each kind in turn, each in a process of its own; of all sizes this share."""
    found = []
    for kind, (_, *sizes) in KINDS.items():
        pairs = [(max(4, round(size * share)), number) for number in range(repeats) for size in sizes]
        costs = [_in_process(place, kind, size, events, number) for size, number in pairs]
        say(
            f"{kind}: {_ratio(costs):.2f} times the cost per event with {costs[1].size:,} as with {costs[0].size:,}"
        )
        for fault in [fault for it in costs for fault in it.faults][:5]:
            say(f"  wrong: {fault}")
        found.append(costs)
    return found


def _in_process(place: Place, kind: str, size: int, events: int, number: int) -> Cost:
    folder = place.fresh(f"{kind}-{size}-{number}")
    child = Child(["-m", "tests.bench.remembered", kind, str(size), str(events)], folder / "said", folder)
    child.wait(LONGEST_SECONDS)
    return Cost(*msgspec.json.decode(child.words().splitlines()[-1]))


def _ratio(costs: Sequence[Cost]) -> float:
    return median(costs[1::2][i].microseconds / costs[::2][i].microseconds for i in range(len(costs) // 2))


def lines(found: Sequence[Sequence[Cost]]) -> list[str]:
    """The result as Markdown."""
    return [
        "CPU time of an event in gate and watch, by how much they remember:",
        "",
        "| remembered | little | µs an event | much | µs an event | ratio | numbers |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
        *map(_row, found),
    ]


def _row(costs: Sequence[Cost]) -> str:
    little, much = costs[::2], costs[1::2]
    cells = [
        costs[0].kind,
        f"{little[0].size:,}",
        spread([it.microseconds for it in little], "{:.2f}".format),
        f"{much[0].size:,}",
        spread([it.microseconds for it in much], "{:.2f}".format),
        f"{_ratio(costs):.2f}",
        "**wrong**" if any(it.faults for it in costs) else "right",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    collect_rarely()  # as `sluice run` does
    click.echo(msgspec.json.encode(cost(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
