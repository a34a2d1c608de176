"""What the demo leaves behind, and what to do with it next. Pure: every number and name is handed in."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from consumer.local.demo_report import INDENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import RenderableType

EVENTS = "events.ndjson.gz"
METRICS = "metrics.txt"

FILES = {
    "report.html": "the last day as a page",
    "report.md": "the same as text",
    "daily_metrics.csv": "a row a day",
    "alerts.json": "every alert with its life",
    "days.ndjson": "every day's receipt",
    METRICS: "what /metrics said at the end",
    EVENTS: "all events that were sent",
}


@dataclass(frozen=True, slots=True)
class Leftovers:
    """The folder with its files, the command that started the demo as a shell finds it, a day worth a look and what
    happened on it; `opened`: the page is open in a browser. `another`: the seed of another shop, for whoever has seen this
    one with `--keep`."""

    out: Path
    files: Sequence[str]
    program: str
    day: str
    happened: str
    opened: bool = False
    another: int | None = None


def leftovers(left: Leftovers) -> Iterator[RenderableType]:
    """The files, and three commands that work on them."""
    yield Padding(Rule(Text("Yours to look at", "bold"), align="left", style="dim"), (1, 0, 0, 0))
    table = Table.grid(padding=(0, 2, 0, 0))
    for name in sorted(left.files, key=lambda name: list(FILES).index(name)):
        path = left.out / name
        opened = ", opened in your browser" if left.opened and name == "report.html" else ""
        table.add_row(
            Text(str(path), f"link {path.absolute().as_uri()}", overflow="fold"),
            Text(f"{FILES[name]}{opened}", "dim"),
        )
    yield Padding(table, INDENT)
    yield Padding(Rule(Text("Try next", "bold"), align="left", style="dim"), (1, 0, 0, 0))
    yield from _commands(next_steps(left))


def next_steps(left: Leftovers) -> Iterator[tuple[str, str]]:
    """Three commands, each with what it is for, for whoever has seen the demo to its end."""
    folder, again = shlex.quote(str(left.out)), shlex.quote(str(left.out / "again"))
    events = shlex.quote(str(left.out / EVENTS))
    yield (
        f"any past day: this is the one when {left.happened}",
        (f"{left.program} report --folder {folder} --date {left.day}"),
    )
    yield "the same days from a file, without Kafka", f"{left.program} backfill {events} --out {again}"
    if left.another is None:
        yield (
            "the demo again, then live: /metrics, and processes for you to kill",
            f"{left.program} demo --keep",
        )
    else:
        yield "another shop, with other incidents", f"{left.program} demo --seed {left.another}"


def while_it_lasts(
    program: str, addresses: Sequence[str], pid: int, config: Path
) -> Iterator[RenderableType]:
    """Three commands for another terminal while the demo stays up."""
    yield Padding(Rule(Text("Live, until Ctrl-C", "bold"), align="left", style="dim"), (1, 0, 0, 0))
    settings = shlex.quote(str(config))
    yield from _commands(
        (
            (
                "what the processes say of themselves",
                f"curl -s http://{addresses[0]}/metrics | grep ^sluice_",
            ),
            ("the alerts by now", f"{program} alerts list --config {settings}"),
            ("kill one: it is started again, and no number changes", f"kill -9 {pid}"),
        )
    )


def _commands(commands: Iterator[tuple[str, str]] | Sequence[tuple[str, str]]) -> Iterator[RenderableType]:
    """Each with its purpose as a comment; never broken, so that it can be copied whole."""
    for purpose, text in commands:
        yield Padding(Text(f"# {purpose}", "dim"), INDENT)
        yield Text(f"  {text}", "bold", no_wrap=True, overflow="ignore")
