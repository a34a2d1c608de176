"""How many records a second: Sluice on Kafka and over files, beside the raw consumer and DuckDB."""

from __future__ import annotations

import json
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING

from tests.bench import core, daemon, files, table
from tests.bench.daemon import Names, Right
from tests.bench.measured import Child, Run
from tests.bench.place import PARTITIONS, say
from tests.bench.workload import BUSY, KINDS, Workload

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.bench.place import Place
    from tests.bench.topics import Cluster
    from tests.bench.workload import Kind

LONGEST_SECONDS = 300
LETTERS = {"0 %": 0, "1 %": 99, "50 %": 1}
"""Share of dead letters, and the good events between two of them."""

FEWEST_EVENTS = 4_000
"""With fewer the last day has too few visitors in a partition to be believed, and would be missing."""

THREADS = {"": 0, ", one thread": 1}
"""DuckDB by itself takes every core; a `sluice backfill` has one."""

GATE_WATCH, ALL_ROLES = "gate,watch", "gate,watch,deliver"


class Throughput:
    """The runs so far by name. All in one round are made one after the other, so that what else the machine does hits
    them alike. Half as many events where the topic or the files are further ones, a fifth for the other kind of shop."""

    def __init__(self, place: Place, kind: Kind, events: int, repeats: int) -> None:
        self.runs: defaultdict[str, list[Run]] = defaultdict(list)
        self.repeats = repeats
        self.main = Workload(kind, max(FEWEST_EVENTS, events))
        half = max(FEWEST_EVENTS, events // 2)
        self.half = Workload(kind, half)
        other = next(it for it in KINDS.values() if it is not kind)
        self.other = Workload(other, max(FEWEST_EVENTS, events // 5))
        self._letters = {share: Workload(kind, half, every) for share, every in LETTERS.items()}
        self._place = place
        self.words = _words(kind, self.other.kind)

    # ── without Kafka ───────────────────────────────────────────────────────────────────────────────────────────

    def measure_files(self) -> None:
        """Everything that needs no broker, before there is one."""
        self._add("core", core.run(self.half))
        folder = self._place.fresh("files")
        for form in files.FORMATS:
            source = folder / f"events.{form}"
            events = files.write(source, self.half)
            for number in range(self.repeats):
                self._read(form, source, events, number)
            source.unlink()

    def _read(self, form: str, source: Path, events: int, number: int) -> None:
        for words, threads in THREADS.items():
            folder = self._place.fresh(f"duckdb-{form}-{threads}-{number}")
            run = files.duckdb(self.half, source, events, folder, threads)
            self._add(f"duckdb {form}{words}", run)
        folder = self._place.fresh(f"backfill-{form}-{number}")
        self._add(f"backfill {form}", files.backfill(self.half, source, events, folder))

    # ── with Kafka ──────────────────────────────────────────────────────────────────────────────────────────────

    def measure(self, cluster: Cluster) -> None:
        """Everything on Kafka, round after round."""
        inputs = {"main": self.main, "other": self.other, **self._letters}
        topics = {name: self._place.named(f"events-{number}") for number, name in enumerate(inputs)}
        for name, workload in inputs.items():
            self._fill(cluster, topics[name], workload)
        for number in range(self.repeats):
            self._round(cluster, topics, number)
        cluster.delete(list(topics.values()))

    def one_rate(self, cluster: Cluster) -> float:
        """Records a second of a daemon with all roles, by a single run."""
        topic = self._place.named("events-once")
        self._fill(cluster, topic, self.main)
        self._drain(ALL_ROLES, ALL_ROLES, cluster, Names(topic, self._place.named("once")), self.main)
        cluster.delete([topic])
        return self.rate()

    def rate(self) -> float:
        """Records a second of a daemon with all roles: the median of the runs. Raises ValueError if none was right."""
        good = [run.per_second for run in self.runs[ALL_ROLES] if not run.faults]
        if not good:
            raise ValueError("no run of the daemon had the right numbers: there is no rate to go by")
        return median(good)

    def _fill(self, cluster: Cluster, topic: str, workload: Workload) -> None:
        say(f"filling a topic with {workload.records:,} records")
        cluster.fill(topic, PARTITIONS, workload)

    def _round(self, cluster: Cluster, topics: dict[str, str], number: int) -> None:
        prefix = self._place.named(str(number))
        out = f"{prefix}-out"
        cluster.create(out, 1)
        self._add("ceiling", self._ceiling(cluster, topics["main"], f"{prefix}-c", ""))
        self._add("transactions", self._ceiling(cluster, topics["main"], f"{prefix}-t", out))
        cluster.delete([out])
        for roles in (GATE_WATCH, ALL_ROLES):
            names = Names(topics["main"], f"{prefix}-{len(roles)}")
            self._drain(roles, roles, cluster, names, self.main)
        unkeyed = Names(topics["main"], f"{prefix}-unkeyed", keyed=False)
        self._drain("unkeyed", ALL_ROLES, cluster, unkeyed, self.main)
        for place, (share, workload) in enumerate(self._letters.items()):
            names = Names(topics[share], f"{prefix}-letters-{place}")
            self._drain(f"letters {share}", GATE_WATCH, cluster, names, workload)
        self._drain("other", GATE_WATCH, cluster, Names(topics["other"], f"{prefix}-other"), self.other)

    def _drain(self, name: str, roles: str, cluster: Cluster, names: Names, workload: Workload) -> None:
        right = Right(workload.right(), workload.bad)
        folder = self._place.fresh(names.prefix)
        self._add(name, daemon.run(name, cluster, names, roles, folder, right))

    def _ceiling(self, cluster: Cluster, topic: str, group: str, out: str) -> Run:
        folder = self._place.fresh(group)
        records = str(self.main.records)
        arguments = ["-m", "tests.bench.ceiling", cluster.address, topic, group, records]
        child = Child([*arguments, out] if out else arguments, folder / "said", folder)
        child.wait(LONGEST_SECONDS)
        return Run("ceiling", self.main.records, **json.loads(child.words().splitlines()[-1]))

    def _add(self, name: str, run: Run) -> None:
        self.runs[name].append(run)
        say(f"{self.words[name].strip('*')}: {run.per_second:,.0f} records/s")
        for fault in run.faults[:5]:
            say(f"  wrong: {fault}")

    # ── what it came to ─────────────────────────────────────────────────────────────────────────────────────────

    def lines(self) -> Iterable[str]:
        """The result as Markdown."""
        yield table.HEAD
        for name, words in self.words.items():
            kafka = not name.startswith(("core", "backfill", "duckdb"))
            yield table.row(words, self.runs[name], self.runs["ceiling"] if kafka else ())
        yield ""
        for name in (GATE_WATCH, "other"):
            yield f"- {table.stages(self.words[name].strip('*'), self.runs[name])}"
        for form in files.FORMATS:
            for words in THREADS:
                yield f"- {self._beside_duckdb(form, words)}"

    def _beside_duckdb(self, form: str, words: str) -> str:
        mine, its = self.runs[f"backfill {form}"], self.runs[f"duckdb {form}{words}"]
        what = f"backfill of {form.upper()} beside DuckDB{words}"
        good = [(a, b) for a, b in zip(mine, its, strict=True) if not a.faults and not b.faults]
        if not good:
            return f"{what}: no pair of runs to tell of"
        ratios = [a.per_second / b.per_second for a, b in good]
        return f"{what}: {table.spread(ratios, '{:.3f}'.format)} of its records/s (mark: 0.5)"


def _words(kind: Kind, other: Kind) -> dict[str, str]:
    """The rows of the table by the names of their runs."""
    letters = {
        f"letters {share}": f"the same with {share} dead letters: gate and watch (`{kind.name}`)"
        for share in LETTERS
    }
    read = {
        f"{what} {form}{more}": f"{words} {form.upper()}{more}, start included (`{kind.name}`)"
        for form in files.FORMATS
        for what, words, more in (
            ("backfill", "`sluice backfill` of", ""),
            *(("duckdb", "DuckDB reading the same", more) for more in THREADS),
        )
    }
    return {
        "ceiling": f"ceiling: read everything, do nothing (`{kind.name}`)",
        "transactions": f"ceiling with one transaction per 10,000 records (`{kind.name}`)",
        GATE_WATCH: f"**Sluice, exactly once: gate and watch (`{kind.name}`)**",
        ALL_ROLES: f"Sluice, exactly once: gate, watch and deliver (`{kind.name}`)",
        "unkeyed": f"the same, the input not keyed (`[input] keyed = false`, `{kind.name}`)",
        **letters,
        "other": f"Sluice, exactly once: gate and watch (`{other.name}`)",
        "core": f"gate and watch in memory, no Kafka (`{kind.name}`)",
        **read,
    }


ROWS = len(_words(BUSY, BUSY))
"""Of the table."""
