"""`make bench`: how fast, how lean, and how quickly back, beside what the Kafka client itself can do.

Every run is checked: numbers that are not right make it a failed one, and the exit code 1. Nothing is asserted of speed.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import click
from confluent_kafka import libversion

from tests.bench import core, daemon, files, restore, table
from tests.bench.daemon import Names
from tests.bench.measured import Child, Run
from tests.bench.topics import Cluster, broker
from tests.bench.workload import KINDS, Workload

PARTITIONS = 4
WORDS = {
    "ceiling": "ceiling: read everything, do nothing",
    "transactions": "ceiling with one transaction per 10,000 records",
    "gate,watch": "**Sluice, exactly once: gate and watch**",
    "gate,watch,deliver": "Sluice, exactly once: gate, watch and deliver",
    "unkeyed": "the same, the input not keyed (`[input] keyed = false`)",
    "core": "gate and watch in memory, no Kafka",
    "backfill": "`sluice backfill` of CSV, start included",
}
LONGEST_SECONDS = 300


class Bench:
    """One bench: its sizes, and the runs so far by name."""

    def __init__(self, workload: Workload, repeats: int, sessions: int, folder: Path) -> None:
        self.runs: defaultdict[str, list[Run]] = defaultdict(list)
        self._workload = workload
        self._repeats = repeats
        self._sessions = sessions
        self._folder = folder
        self._prefix = f"bench-{os.getpid()}"
        self._input = f"{self._prefix}-events"

    def measure(self) -> list[str]:
        """Everything; what is to be said of state, in sentences."""
        self._add("core", core.run(self._smaller()))
        self._add("backfill", files.run(self._smaller(), self._fresh("backfill")))
        held = self._held_bytes()
        with broker() as address:
            cluster = Cluster(address)
            _say(f"filling a topic with {self._workload.records:,} records")
            cluster.fill(self._input, PARTITIONS, self._workload)
            for number in range(self._repeats):
                self._round(cluster, number)
            cluster.delete([self._input])
            _say(f"restoring {self._sessions:,} open sessions")
            back = restore.measure(cluster, f"{self._prefix}-restore", self._fresh("restore"), self._sessions)
        per_million = 1e6 / back.sessions
        whole, alone = back.daemon_seconds * per_million, back.apply_seconds * per_million
        weight = back.journal_bytes * per_million / 1e6
        return [
            f"memory per 100,000 open sessions: {held * 1e5 / self._held() / 1e6:.1f} MB",
            f"restore per million open sessions: {whole:.2f} s in a new process ({alone:.2f} s to decode and apply alone); journal {weight:.0f} MB",
        ]

    def _round(self, cluster: Cluster, number: int) -> None:
        """Each kind once, one after the other, so that what else the machine does hits all of them alike."""
        prefix, right = f"{self._prefix}-{number}", self._workload.right()
        self._add("ceiling", self._ceiling(cluster, f"{prefix}-c", ""))
        cluster.create(f"{prefix}-out", 1)
        self._add("transactions", self._ceiling(cluster, f"{prefix}-t", f"{prefix}-out"))
        for name, roles in (
            ("gate,watch", "gate,watch"),
            ("gate,watch,deliver", "gate,watch,deliver"),
            ("unkeyed", "gate,watch,deliver"),
        ):
            names = Names(self._input, f"{prefix}-{name[0]}{len(name)}", keyed=name != "unkeyed")
            folder = self._fresh(names.prefix)
            self._add(name, daemon.run(name, cluster, names, roles, folder, right))
        cluster.delete([f"{prefix}-out"])

    def _ceiling(self, cluster: Cluster, group: str, out: str) -> Run:
        folder = self._fresh(group)
        records = str(self._workload.records)
        arguments = ["-m", "tests.bench.ceiling", cluster.address, self._input, group, records]
        child = Child([*arguments, out] if out else arguments, folder / "said", folder)
        child.wait(LONGEST_SECONDS)
        return Run("ceiling", self._workload.records, **json.loads(child.words().splitlines()[-1]))

    def _add(self, name: str, run: Run) -> None:
        self.runs[name].append(run)
        _say(f"{WORDS[name].strip('*')}: {run.per_second:,.0f} records/s")
        for fault in run.faults[:5]:
            _say(f"  wrong: {fault}")

    def _smaller(self) -> Workload:
        return Workload(self._workload.kind, self._workload.events // 5)

    def _held(self) -> int:
        return self._sessions // 2

    def _held_bytes(self) -> int:
        folder = self._fresh("held")
        child = Child(["-m", "tests.bench.state", str(self._held())], folder / "said", folder)
        child.wait(LONGEST_SECONDS)
        return int(child.words())

    def _fresh(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder


def _say(text: str) -> None:
    click.echo(text, err=True)


def _about(workload: Workload, repeats: int) -> str:
    size = sum(len(record.value) for record, _ in zip(workload, range(10_000), strict=False)) / 10_000
    days = len(workload.right())
    return (
        f"{workload.records:,} records of {size:.0f} bytes in {PARTITIONS} partitions: {workload.kind.words} "
        f"({days} days, {100 * workload.share_opening:.0f} % of the events open a session, {workload.bad} bad ones); "
        f"median of {repeats} (least–most), each kind in turn.\n"
        f"Python {platform.python_version()}, librdkafka {libversion()[0]}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f} at the end."
    )


def _print(bench: Bench, about: str, sentences: list[str]) -> None:
    click.echo(f"\n{about}\n\n{table.HEAD}")
    for name, words in WORDS.items():
        kafka = name not in ("core", "backfill")
        click.echo(table.row(words, bench.runs[name], bench.runs["ceiling"] if kafka else ()))
    click.echo()
    for sentence in (table.stages("gate and watch", bench.runs["gate,watch"]), *sentences):
        click.echo(f"- {sentence}")


@click.command("bench", help=__doc__)
@click.option(
    "--events", type=click.IntRange(1_000), default=1_000_000, show_default=True, help="About how many."
)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Runs of each kind.")
@click.option("--kind", type=click.Choice(list(KINDS)), default="backlog", show_default=True, help="Of shop.")
@click.option("--sessions", type=click.IntRange(2), default=1_000_000, show_default=True, help="To restore.")
@click.option("--quick", is_flag=True, help="A tenth of everything, once: whether it works, not how fast.")
@click.option("--profile", is_flag=True, help="Only: where the gate's time goes, by function.")
def main(events: int, repeats: int, kind: str, sessions: int, *, quick: bool, profile: bool) -> None:
    """Measures and prints."""
    if quick:
        events, repeats, sessions = events // 10, 1, sessions // 10
    workload = Workload(KINDS[kind], events)
    if profile:
        click.echo(core.profile(workload))
        return
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        bench = Bench(workload, repeats, sessions, Path(folder))
        sentences = bench.measure()
        _print(bench, _about(workload, repeats), sentences)
    sys.exit(any(run.faults for runs in bench.runs.values() for run in runs))


if __name__ == "__main__":
    main()
