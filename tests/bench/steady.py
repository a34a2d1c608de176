"""Memory while it works on and on: months of events of clients that come back, at a pace that the daemon can keep.

Nothing that it has to remember grows after the first weeks (sessions leave after 90 minutes of event time, transaction
ids after 35 days; only the days themselves become more), so what still grows then is a leak.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import linear_regression
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from tests.bench.daemon import Daemon, Names, Right, drained, wrong
from tests.bench.feed import Sent
from tests.bench.measured import Child
from tests.bench.place import PARTITIONS
from tests.bench.workload import STEADY, Workload
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.place import Place
    from tests.bench.topics import Cluster

START_SECONDS = 60
SLACK_SECONDS = 120
POINTS = 20
WARM_UP_SHARE = 0.4
"""Of the events: 38 of the 96 days, more than transaction ids are remembered for."""


class Point(NamedTuple):
    """How it stands after so many records: resident bytes, bytes of the journal that hold its state, open sessions."""

    records: int
    resident: int
    state: float
    sessions: float


@dataclass(slots=True)
class Curve:
    """The points in their order."""

    days: int
    points: list[Point]
    faults: list[str] = field(default_factory=list)


def measure(cluster: Cluster, place: Place, events: int, per_second: float) -> Curve:
    """A daemon with all roles over so many events, looked at all the while."""
    names = Names(place.named("months"), place.named("steady"))
    folder, feeding = place.fresh("steady"), place.fresh("steady-feed")
    cluster.create(names.input, PARTITIONS)
    daemon = Daemon(cluster, names, "gate,watch,deliver", folder)
    points: list[Point] = []
    try:
        wait_until(
            lambda: len(daemon.said("partition restored")) > PARTITIONS, START_SECONDS, "it has begun to work"
        )
        arguments = [cluster.address, names.input, str(per_second), str(events)]
        child = Child(["-m", "tests.bench.feed", "steady", *arguments], feeding / "said", feeding)
        step = events // POINTS
        wait_until(
            lambda: _look(daemon, points, step) and not child.running(),
            SLACK_SECONDS + 4 * events / per_second,
            "everything is sent",
        )
        sent = msgspec.json.decode(child.words().splitlines()[-1], type=Sent)
        drained(
            cluster, names, lambda: _look(daemon, points, step) and daemon.look(), cluster.ends(names.input)
        )
        _look(daemon, points, 0)
    finally:
        daemon.end()
    right = Workload(STEADY, events).right()
    curve = Curve(len(right), points, wrong(cluster, names, Right(right, sent.dead_letters)))
    cluster.delete([names.input, *names.own().values()])
    return curve


def _look(daemon: Daemon, points: list[Point], step: int) -> Literal[True]:
    """Takes a point if so many records have been committed since the last one."""
    metrics = daemon.metrics()
    records = round(metrics["sluice_records_total gate"])
    if records >= (points[-1].records if points else 0) + step:
        state = metrics["sluice_state_bytes gate"] + metrics["sluice_state_bytes watch"]
        resident = daemon.child.sample().resident_bytes
        points.append(Point(records, resident, state, metrics["sluice_open_sessions"]))
    return True


def slope(points: Sequence[Point], name: str) -> float:
    """By how many bytes a value grows per million records after the warm-up (least squares); not a number when there are
    too few points.

    >>> slope([Point(0, 9, 0, 0), Point(1_000_000, 1, 0, 0), Point(2_000_000, 4, 0, 0)], "resident")
    3.0
    """
    late = [point for point in points if point.records >= WARM_UP_SHARE * points[-1].records]
    if len(late) < 2:
        return math.nan
    return 1e6 * linear_regression([p.records for p in late], [getattr(p, name) for p in late]).slope


def lines(curve: Curve) -> list[str]:
    """The result as Markdown."""
    points = curve.points

    def row(words: str, values: list[str]) -> str:
        return f"| {words} | {' | '.join(values)} |"

    return [
        (
            f"Memory over {points[-1].records:,} records, {curve.days} days of event time; clients come back every 12 days, "
            "transaction ids are new:"
        ),
        "",
        row("million records", [f"{p.records / 1e6:.2f}" for p in points]),
        row("---", ["---:"] * len(points)),
        row("resident MB", [f"{p.resident / 1e6:.0f}" for p in points]),
        row("state in the journal, MB", [f"{p.state / 1e6:.2f}" for p in points]),
        row("open sessions", [f"{p.sessions:.0f}" for p in points]),
        "",
        (
            f"- after the first {WARM_UP_SHARE:.0%} resident memory grows by {slope(points, 'resident') / 1e6:+.3f} MB per "
            f"million records, state by {slope(points, 'state') / 1e6:+.3f} MB"
        ),
    ]
