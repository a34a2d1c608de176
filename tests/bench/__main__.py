"""`make bench`: how fast, how lean, and how quickly back, beside what the Kafka client itself can do.

Without options: the table, memory and restoring, in ten minutes on two cores. --latency, --processes and --memory
measure what takes longer, and that only; --all measures everything.

Every run is checked: numbers that are not right make it a failed one, and the exit code 1. Nothing is asserted of speed.
The report is Markdown on standard output. A broker that KAFKA_BOOTSTRAP_SERVERS names is used instead of an embedded one.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from confluent_kafka import libversion

from consumer.cli.collector import collect_rarely
from tests.bench import core, latency, processes, remembered, restore, steady
from tests.bench.measured import Child
from tests.bench.place import PARTITIONS, Place, say
from tests.bench.throughput import ALL_ROLES, Throughput
from tests.bench.topics import Cluster, broker
from tests.bench.workload import KINDS, Workload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.bench.workload import Kind

LONGEST_SECONDS = 300
PIECES = 40
"""Of evidence, one a second; of one day's colliding transaction ids the first twenty have an alert of their own."""

TABLE, LATENCY, PROCESSES, MEMORY = "table", "latency", "processes", "memory"
LONGER = (LATENCY, PROCESSES, MEMORY)


@dataclass(frozen=True, slots=True)
class Sizes:
    """`sessions`: to hold and restore. `pieces`: of evidence. `steady`: events over months. `probe`: events that what is
    remembered is measured with, and `share` of how much that is."""

    events: int
    repeats: int
    sessions: int
    pieces: int
    steady: int
    probe: int
    share: float


class Bench:
    """One bench: tells what it finds part by part, and whether anything in it was wrong."""

    def __init__(self, kind: Kind, sizes: Sizes, place: Place) -> None:
        self.failed = False
        self._kind = kind
        self._sizes = sizes
        self._place = place
        self._throughput = Throughput(place, kind, sizes.events, sizes.repeats)

    def measure(self, parts: Iterable[str]) -> None:
        """These parts, those first that need no broker."""
        wanted = frozenset(parts)
        held = 0
        if TABLE in wanted:
            self._throughput.measure_files()
            held = self._held_bytes()
        if MEMORY in wanted:
            self._remembered()
        with broker() as running:
            cluster = Cluster(*running)
            if TABLE in wanted:
                self._table(cluster, held)
            if PROCESSES in wanted:
                self._processes(cluster)
            if LATENCY in wanted:
                self._latency(cluster)
            if MEMORY in wanted:
                self._steady(cluster)
        runs = [run for runs in self._throughput.runs.values() for run in runs]
        self.failed = self.failed or any(run.faults for run in runs)

    def _table(self, cluster: Cluster, held: int) -> None:
        self._throughput.measure(cluster)
        self._tell(*self._throughput.lines(), *self._state(cluster, held))

    def _state(self, cluster: Cluster, held: int) -> list[str]:
        say(f"restoring {self._sizes.sessions:,} open sessions")
        folder = self._place.fresh("restore")
        back = restore.measure(cluster, self._place.named("restore"), folder, self._sizes.sessions)
        per_million = 1e6 / back.sessions
        whole, alone = back.daemon_seconds * per_million, back.apply_seconds * per_million
        weight = back.journal_bytes * per_million / 1e6
        return [
            f"- memory per 100,000 open sessions: {held * 1e5 / self._held() / 1e6:.1f} MB",
            f"- restore per million open sessions: {whole:.2f} s in a new process ({alone:.2f} s to decode and apply alone); journal {weight:.0f} MB",
        ]

    def _held(self) -> int:
        return self._sizes.sessions // 2

    def _held_bytes(self) -> int:
        folder = self._place.fresh("held")
        child = Child(["-m", "tests.bench.state", str(self._held())], folder / "said", folder)
        child.wait(LONGEST_SECONDS)
        return int(child.words())

    def _processes(self, cluster: Cluster) -> None:
        say("one, two and four processes")
        groups = processes.measure(cluster, self._place, self._throughput.main)
        self._tell(*processes.lines(groups))
        self._check(fault for group in groups for fault in group.faults)

    def _latency(self, cluster: Cluster) -> None:
        half = self._half_load(cluster)
        say(f"alerts at {half:,.0f} events/s, for {self._sizes.pieces} s")
        found = latency.measure(cluster, self._place, half, self._sizes.pieces, self._sizes.pieces)
        self._tell(*latency.lines(found))
        self._check(found.faults)

    def _steady(self, cluster: Cluster) -> None:
        half = self._half_load(cluster)
        say(f"months of {self._sizes.steady:,} events at {half:,.0f} a second")
        curve = steady.measure(cluster, self._place, self._sizes.steady, half)
        self._tell(*steady.lines(curve))
        self._check(curve.faults)

    def _half_load(self, cluster: Cluster) -> float:
        """Half of the records a second that a daemon with all roles has come to in this bench."""
        if not self._throughput.runs[ALL_ROLES]:
            self._throughput.one_rate(cluster)
        return self._throughput.rate() / 2

    def _remembered(self) -> None:
        sizes = self._sizes
        found = remembered.measure(self._place, sizes.probe, sizes.repeats, sizes.share)
        self._tell(*remembered.lines(found))
        self._check(fault for costs in found for it in costs for fault in it.faults)

    def _tell(self, *lines: str) -> None:
        click.echo("\n".join(["", *lines]))

    def _check(self, faults: Iterable[str]) -> None:
        """Says what was wrong, the first few of it, and remembers that something was."""
        found = list(faults)
        self.failed = self.failed or bool(found)
        for fault in found[:5]:
            say(f"  wrong: {fault}")

    def about(self) -> str:
        """The events, the machine, and what it was given to do."""
        workload = self._throughput.main
        size = sum(len(record.value) for record, _ in zip(workload, range(10_000), strict=False)) / 10_000
        kinds = "; ".join(_described(it) for it in (workload, self._throughput.half, self._throughput.other))
        return (
            f"{size:.0f} bytes a record, in {PARTITIONS} partitions. {kinds}. "
            f"Median of {self._sizes.repeats} (least–most), each kind in turn.\n"
            f"Python {platform.python_version()}, librdkafka {libversion()[0]}, {processes.CORES} cores, "
            f"load {os.getloadavg()[0]:.1f} at the start."
        )


def _described(workload: Workload) -> str:
    return (
        f"`{workload.kind.name}`: {workload.records:,} records, {workload.kind.words} ({len(workload.right())} days, "
        f"{100 * workload.share_opening:.0f} % of the events open a session, {workload.bad} bad ones)"
    )


def parts_of(asked: Mapping[str, bool], *, everything: bool) -> list[str]:
    """What is to be measured: the longer parts that are asked for, else the table.

    >>> parts_of({"latency": True, "processes": False, "memory": True}, everything=False)
    ['latency', 'memory']
    >>> parts_of({}, everything=False), parts_of({}, everything=True)
    (['table'], ['table', 'latency', 'processes', 'memory'])
    """
    return [TABLE, *LONGER] if everything else [part for part in LONGER if asked.get(part)] or [TABLE]


def _sizes(events: int, repeats: int, sessions: int, *, quick: bool) -> Sizes:
    if quick:
        return Sizes(events // 10, 1, sessions // 10, 6, events // 5, events // 20, 0.02)
    return Sizes(events, repeats, sessions, PIECES, events * 10, events // 5, 1.0)


@click.command("bench", help=__doc__)
@click.option(
    "--events", type=click.IntRange(1_000), default=1_000_000, show_default=True, help="About how many."
)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Runs of each kind.")
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    default="busy",
    show_default=True,
    help="Of shop: a large one, where every minute has many events, or a small one's long backlog, where the rules "
    "have much to do with few events. The other one has one row.",
)
@click.option("--sessions", type=click.IntRange(2), default=1_000_000, show_default=True, help="To restore.")
@click.option("--quick", is_flag=True, help="A tenth of everything, once: whether it works, not how fast.")
@click.option(
    "--latency",
    LATENCY,
    is_flag=True,
    help="Only: seconds from an event to its committed alert at half load, p50 and p99.",
)
@click.option("--processes", PROCESSES, is_flag=True, help="Only: one, two and four processes of a group.")
@click.option(
    "--memory",
    MEMORY,
    is_flag=True,
    help="Only: memory over months of events, and what an event costs when little or much is remembered.",
)
@click.option("--all", "everything", is_flag=True, help="All of these, and the table.")
@click.option("--profile", is_flag=True, help="Only: where the gate's time goes, by function.")
def main(
    events: int,
    repeats: int,
    kind: str,
    sessions: int,
    *,
    quick: bool,
    everything: bool,
    profile: bool,
    **asked: bool,
) -> None:
    """Measures and prints."""
    collect_rarely()  # as `sluice` does
    if profile:
        click.echo(core.profile(Workload(KINDS[kind], events // 10 if quick else events)))
        return
    sizes = _sizes(events, repeats, sessions, quick=quick)
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        bench = Bench(KINDS[kind], sizes, Place(f"bench-{os.getpid()}", Path(folder)))
        click.echo(bench.about())
        bench.measure(parts_of(asked, everything=everything))
    click.echo(f"\nLoad {os.getloadavg()[0]:.1f} at the end.")
    sys.exit(int(bench.failed))


if __name__ == "__main__":
    main()
