"""The same work shared by one, two and four processes of a group.

The input lies there unseen, in a transaction that is open, until all processes have their partitions; so none is ahead
when the clock starts, and what it costs to start and to share is not measured.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.daemon import Daemon, Look, Names, Right, drained, reaches, wrong
from tests.bench.measured import Sample
from tests.bench.place import PARTITIONS, say
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consumer.runtime.kafka.sender import Sender
    from tests.bench.place import Place
    from tests.bench.topics import Cluster
    from tests.bench.workload import Workload

SHARED_SECONDS = 120
SIZES = (1, 2, 4)
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Shares(NamedTuple):
    """Of every process: how many input partitions are its own, and whether it has the watch; how many records it read."""

    partitions: tuple[int, ...]
    watch: tuple[bool, ...]
    records: tuple[int, ...] = ()

    def words(self) -> str:
        """As `2+watch, 2`."""
        return ", ".join(
            f"{n}+watch" if watch else str(n) for n, watch in zip(self.partitions, self.watch, strict=True)
        )


@dataclass(slots=True)
class Shared:
    """What a group came to. `broker_cpu`: seconds; None if the broker is not ours to ask."""

    processes: int
    records: int
    seconds: float
    cpu_seconds: float
    broker_cpu: float | None
    resident: int
    shares: Shares
    faults: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Records a second, of all processes together."""
        return self.records / self.seconds


class Group:
    """Daemons that share their input."""

    def __init__(self, cluster: Cluster, names: Names, folders: Sequence[Path]) -> None:
        self._daemons = [Daemon(cluster, names, "gate,watch", folder) for folder in folders]

    def shares(self) -> Shares | None:
        """Who has what; None as long as they do not answer, or it is not shared out evenly."""
        if not all(daemon.said("endpoints open") for daemon in self._daemons):
            return None
        metrics = [daemon.metrics() for daemon in self._daemons]
        gates = tuple(round(m["sluice_assigned_partitions gate"]) for m in metrics)
        watch = tuple(bool(m["sluice_assigned_partitions watch"]) for m in metrics)
        records = tuple(round(m["sluice_records_total gate"]) for m in metrics)
        have = [n + w for n, w in zip(gates, watch, strict=True)]
        even = sum(gates) == PARTITIONS and sum(watch) == 1 and max(have) - min(have) <= 1
        return Shares(gates, watch, records) if even else None

    def look(self) -> Look:
        """All of them as one."""
        samples = [daemon.child.sample() for daemon in self._daemons]
        whole = Sample(
            max(s.at_ms for s in samples),
            sum(s.cpu_seconds for s in samples),
            sum(s.resident_bytes for s in samples),
        )
        return Look(whole, self._daemons[0].committed())

    def end(self) -> None:
        """Ends them all."""
        for daemon in self._daemons:
            daemon.end()


def measure(cluster: Cluster, place: Place, workload: Workload, sizes: Sequence[int] = SIZES) -> list[Shared]:
    """Each size of group once, each with an input of its own."""
    return [_run(cluster, place, workload, size) for size in sizes]


def _run(cluster: Cluster, place: Place, workload: Workload, size: int) -> Shared:
    names = Names(place.named(f"shared-{size}"), place.named(f"group-{size}"))
    sender = cluster.fill_unseen(names.input, PARTITIONS, workload)
    group = Group(cluster, names, [place.fresh(f"group-{size}-{number}") for number in range(size)])
    try:
        wait_until(group.shares, SHARED_SECONDS, "the partitions are shared out")
        shared = _timed(cluster, names, group, sender)
    finally:
        group.end()
    shared.processes, shared.records = size, workload.records
    shared.faults += wrong(cluster, names, Right(workload.right(), workload.bad))
    say(f"{size} processes ({shared.shares.words()}): {shared.per_second:,.0f} records/s")
    for fault in shared.faults[:5]:
        say(f"  wrong: {fault}")
    cluster.delete([names.input, *names.own().values()])
    return shared


def _timed(cluster: Cluster, names: Names, group: Group, sender: Sender) -> Shared:
    """From the moment before the input is there for all to see until it is committed and merged."""
    looks = [group.look()]
    broker_before = cluster.cpu_seconds()

    def look() -> Look:
        looks.append(group.look())
        return looks[-1]

    sender.finish()
    ends = {(names.input, number): count for number, count in sender.delivered.items()}
    until = drained(cluster, names, look, ends)
    broker_after = cluster.cpu_seconds()
    shares = group.shares()
    last = next(it for it in looks if reaches(it, until)).sample
    first = looks[0].sample
    return Shared(
        0,
        0,
        (last.at_ms - first.at_ms) / 1000,
        last.cpu_seconds - first.cpu_seconds,
        None if broker_before is None or broker_after is None else broker_after - broker_before,
        max(it.sample.resident_bytes for it in looks),
        shares or Shares((), ()),
        [] if shares else ["the partitions were shared out anew meanwhile"],
    )


def lines(groups: Sequence[Shared]) -> list[str]:
    """The result as Markdown."""
    alone = groups[0]
    rows = [
        f"| {it.processes} | {it.shares.words()} | {it.per_second:,.0f} | {it.per_second / alone.per_second:.2f} | "
        f"{it.cpu_seconds / it.seconds:.2f} | {_broker(it)} | {1e6 * it.cpu_seconds / it.records:.2f} | "
        f"{it.resident / 1e6:.0f} | {'**wrong**' if it.faults else 'right'} |"
        for it in groups
    ]
    return [
        f"Processes of one group, {alone.records:,} records in {PARTITIONS} partitions, on {CORES} cores:",
        "",
        "| processes | partitions | records/s | of one | cores used | by the broker | CPU s per million | MB | numbers |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        *rows,
        "",
        f"- {_limit(alone)}",
    ]


def _broker(shared: Shared) -> str:
    return "–" if shared.broker_cpu is None else f"{shared.broker_cpu / shared.seconds:.2f}"


def _limit(alone: Shared) -> str:
    """How far these cores can carry it: by what a record costs one process, and the broker."""
    own = alone.cpu_seconds / alone.records
    elsewhere = (
        f"{CORES / own / alone.per_second:.2f} times one process if nothing else wants the {CORES} cores"
    )
    if alone.broker_cpu is None:
        return f"by the CPU time of one process the limit is {elsewhere} (the broker is elsewhere)"
    both = own + alone.broker_cpu / alone.records
    return (
        f"by the CPU time of one process and the broker these {CORES} cores end at {CORES / both:,.0f} records/s, "
        f"{CORES / both / alone.per_second:.2f} times one process; with the broker elsewhere at {elsewhere}"
    )
