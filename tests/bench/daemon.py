"""A real `sluice run` over a preloaded topic: from the assignment of its partitions until all of it is committed and
merged, as seen from outside."""

from __future__ import annotations

import csv
import http.client
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from consumer.runtime.kafka.tail import Topics
from consumer.runtime.metrics import STAGES
from tests.bench.measured import Child, Run, Sample
from tests.bench.topics import faults
from tests.bench.workload import Numbers
from tests.topic_reader import GroupOffsets
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bench.topics import Cluster

LONGEST_SECONDS = 300
FILES_SECONDS = 30
START = "import sys; from consumer.cli.main import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Names:
    """The group and the topics of one daemon: its own, but for the input; and whether it takes that for keyed."""

    input: str
    prefix: str
    keyed: bool = True

    def own(self) -> dict[str, str]:
        """Its own topics by the names of their settings."""
        kinds = ("dead_letters", "facts", "journal", "days", "alerts")
        own = kinds if self.keyed else (*kinds, "keyed")
        return {kind: f"{self.prefix}-{kind}" for kind in own}

    def settings(self, address: str) -> str:
        """The settings file: everything at its default but for names and addresses."""
        topics = "".join(f'{kind} = "{topic}"\n' for kind, topic in self.own().items())
        return (
            f'group = "{self.prefix}"\n[kafka]\n"bootstrap.servers" = "{address}"\n'
            f'[topics]\ninput = "{self.input}"\n{topics}[metrics]\nport = 0\n'
            f"[input]\nkeyed = {str(self.keyed).lower()}\n"
        )


class Look(NamedTuple):
    """A process and its group's offsets at a moment."""

    sample: Sample
    committed: dict[tuple[str, int], int]


class Daemon:
    """The process, started anew in a folder of its own."""

    def __init__(self, cluster: Cluster, names: Names, roles: str, folder: Path) -> None:
        self.folder = folder
        self.names = names
        self._offsets = GroupOffsets(cluster.address, names.prefix)
        (folder / "sluice.toml").write_text(names.settings(cluster.address))
        self.child = Child(["-c", START, "run", "--roles", roles], folder / "log", folder)
        self.looks: list[Look] = []

    def look(self) -> Look:
        """How far it is now."""
        self.looks.append(Look(self.child.sample(), self.committed()))
        return self.looks[-1]

    def committed(self) -> dict[tuple[str, int], int]:
        """The group's offsets as everybody sees them; none while the broker cannot tell."""
        own = self.names.own()
        keyed = [own["keyed"]] if "keyed" in own else []
        return self._offsets.committed(self.names.input, own["facts"], *keyed)

    def end(self) -> None:
        """Ends it in order."""
        self.child.end()
        self._offsets.close()

    def said(self, event: str) -> list[dict[str, Any]]:
        """Its log lines about that."""
        whole = self.child.words().rpartition("\n")[0]
        found = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in found if line.get("event") == event]

    def metrics(self) -> dict[str, float]:
        """What it shows to Prometheus; the first label's value after a name."""
        address = self.said("endpoints open")[-1]["address"]
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        return {
            " ".join((sample.name, *list(sample.labels.values())[:1])): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


class Right(NamedTuple):
    """What has to come out of an input: the numbers of every day, and how many dead letters."""

    days: dict[str, Numbers]
    dead_letters: int


def run(name: str, cluster: Cluster, names: Names, roles: str, folder: Path, right: Right) -> Run:
    """Drains the input with a daemon of its own, and checks its numbers."""
    daemon = Daemon(cluster, names, roles, folder)
    try:
        until = drained(cluster, names, daemon.look, cluster.ends(names.input))
        metrics = daemon.metrics()
        if "deliver" in roles:
            _wait_for_files(folder / "reports", sum(numbers.events for numbers in right.days.values()))
    finally:
        daemon.end()
    measured = _measured(name, daemon, until, sum(cluster.ends(names.input).values()))
    measured.more = _insight(metrics)
    measured.faults = wrong(cluster, names, right)
    if "deliver" in roles:
        measured.faults += [
            f"daily_metrics.csv: {fault}" for fault in faults(right.days, read_csv(folder / "reports"))
        ]
    cluster.delete(list(names.own().values()))
    return measured


def wrong(cluster: Cluster, names: Names, right: Right) -> list[str]:
    """In words, whatever is not right in the topics of a group that has come to the end."""
    own = names.own()
    found = faults(right.days, cluster.days(Topics(own["days"], own["alerts"])))
    letters = cluster.count(own["dead_letters"])
    if letters != right.dead_letters:
        found.append(f"{letters} dead letters instead of {right.dead_letters}")
    return found


def drained(
    cluster: Cluster, names: Names, look: Callable[[], Look], ends: dict[tuple[str, int], int]
) -> dict[tuple[str, int], int]:
    """Waits until the input is committed to these ends and all of it is merged, as `look` has it; the offsets that this
    needed."""
    wanted = dict(ends)
    wait_until(lambda: reaches(look(), ends), LONGEST_SECONDS, "the input is committed to its end")
    own = names.own()
    if "keyed" in own:
        wanted |= {where: end - 1 for where, end in cluster.ends(own["keyed"]).items()}
        wait_until(lambda: reaches(look(), wanted), LONGEST_SECONDS, "what was keyed is judged")
    facts = own["facts"]
    wanted[facts, 0] = cluster.after_last_record(facts)
    wait_until(lambda: reaches(look(), wanted), LONGEST_SECONDS, "all facts are merged")
    return wanted


def _wait_for_files(folder: Path, events: int) -> None:
    """Waits until the file holds so many events; if it never does, its faults will tell."""
    with suppress(AssertionError):
        wait_until(
            lambda: sum(day.events for day in read_csv(folder).values()) == events,
            FILES_SECONDS,
            "all is delivered",
        )


def reaches(look: Look, wanted: dict[tuple[str, int], int]) -> bool:
    """Whether the group has committed these offsets."""
    return all(look.committed.get(where, -1) >= offset for where, offset in wanted.items())


def _measured(name: str, daemon: Daemon, until: dict[tuple[str, int], int], records: int) -> Run:
    begun_ms = max(_milliseconds(line["timestamp"]) for line in daemon.said("partition restored"))
    first = min(daemon.looks, key=lambda look: abs(look.sample.at_ms - begun_ms)).sample
    last = next(look for look in daemon.looks if reaches(look, until)).sample
    return Run(
        name,
        records,
        (last.at_ms - begun_ms) / 1000,
        last.cpu_seconds - first.cpu_seconds,
        max(look.sample.resident_bytes for look in daemon.looks),
    )


def _milliseconds(timestamp: str) -> int:
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000)


def _insight(metrics: dict[str, float]) -> dict[str, float]:
    """Where the time of the loop went, in seconds, and what it wrote."""
    seconds = {stage: metrics[f"sluice_batch_stage_duration_seconds_sum {stage}"] for stage in STAGES}
    return seconds | {
        "batches": metrics["sluice_batches_total"],
        "journal_bytes": metrics["sluice_journal_bytes_total"],
    }


def read_csv(folder: Path) -> dict[str, Numbers]:
    """The days of a `daily_metrics.csv`; none while there is no such file."""
    path = folder / "daily_metrics.csv"
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {
            row["day"]: Numbers(
                int(row["events"]), int(row["sessions"]), int(row["purchases"]), Decimal(row["revenue"])
            )
            for row in csv.DictReader(file)
        }
