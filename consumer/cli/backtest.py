"""`sluice backtest`: what other thresholds would have raised on past days, and why a day was loud or quiet."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from consumer.cli.backtest_parts import NAMES, Part, kinds, loud, visible
from consumer.cli.backtest_why import METRICS, explain, is_day
from consumer.cli.collector import collect_rarely
from consumer.cli.config_option import config_option, contract_of, settings_of
from consumer.cli.exits import NotPossibleError
from consumer.runtime.backtest import Backtest, backtest
from consumer.runtime.clock import SystemClock
from consumer.runtime.files import FileError
from consumer.runtime.progress import progress
from consumer.settings import SettingsError
from consumer.settings.changes import changed
from reports.render.escape import terminal

if TYPE_CHECKING:
    from consumer.settings import Settings

CHANGEABLE = ("watch", "sessions", "timestamps", "purchases", "time")
"""The sections that the numbers and alerts of files depend on."""

_FEW_DAYS = 14


@click.command("backtest")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value of a setting, such as watch.z=4; all of them together are one alternative.",
)
@click.option(
    "--explain",
    "questions",
    multiple=True,
    nargs=2,
    metavar="DAY METRIC",
    help=f"The numbers behind a day's verdict or silence. METRIC is one of {', '.join(METRICS)}.",
)
@config_option
def command(
    files: tuple[Path, ...],
    changes: tuple[str, ...],
    questions: tuple[tuple[str, str], ...],
    config: Path | None,
) -> None:
    """Try thresholds on past days, before the daemon runs with them. Nothing is written anywhere.

    Reads CSV or NDJSON files (.gz too) in the order of their events, as `sluice backfill` does, with the settings as
    they are ("now") and, if there is a --set, with those changed ("set"). Shows for both how many alerts each rule
    raised, and how many P0 and P1 a week; each P0 and P1 with its message; and the smallest change of each metric that
    the end of a day can tell from chance at this site's volume.

    A metric is an alert when three thresholds are reached: z (how unusual is it for this site?), the relative and the
    absolute minimum (does it matter?). Where "smallest change" says z, only more volume or a lower watch.z shows less;
    where it says relative or absolute, that setting does. All are in the section [watch] of sluice.toml; `sluice
    check` shows them.

    \b
    Examples:
      sluice backtest events_*.csv
      sluice backtest events_*.csv --set watch.z=4 --set watch.revenue_min_absolute=2500
      sluice backtest events_*.csv --explain 2025-02-26 revenue
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    _check(questions)
    collect_rarely()
    settings = settings_of(config)
    sets = [settings, *([_changed(settings, changes)] if changes else [])]
    try:
        outcome = _read(files, sets)
    except FileError as error:
        raise NotPossibleError(str(error)) from None
    except OSError as error:
        raise NotPossibleError(f"{error.filename or files[0]}: {error.strerror or error}") from None
    answers = [_answer(outcome, day, metric) for day, metric in questions]
    _show(_head(outcome, changes), [*answers, *_tables(outcome)])
    if outcome.cut_short:
        names = ", ".join(terminal(name) for name in outcome.cut_short)
        raise NotPossibleError(
            f"{names} is cut short: what came before the cut was used, the rest is missing"
        )


def _check(questions: tuple[tuple[str, str], ...]) -> None:
    for day, metric in questions:
        if not is_day(day):
            raise click.UsageError(f"--explain {terminal(day, 40)!r}: it is no day; write YYYY-MM-DD")
        if metric not in METRICS:
            raise click.UsageError(
                f"--explain {terminal(metric, 40)!r}: it is no metric; write one of {', '.join(METRICS)}"
            )


def _changed(settings: Settings, changes: tuple[str, ...]) -> Settings:
    try:
        return changed(settings, changes, CHANGEABLE)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


def _read(files: tuple[Path, ...], sets: list[Settings]) -> Backtest:
    contract = contract_of(sets[0])
    total = sum(path.stat().st_size for path in files if path.is_file())
    with progress("Reading", total) as advance:
        return backtest(files, sets, contract, version("sluice"), SystemClock().now_ms(), advance)


def _answer(outcome: Backtest, day: str, metric: str) -> Part:
    try:
        return explain(outcome.trials, day, metric)
    except KeyError:
        days = [receipt.day for receipt in outcome.trials[0].days]
        known = f"they have {days[0]} to {days[-1]}" if days else "they have none"
        raise NotPossibleError(f"the files have no day {day} that was judged: {known}") from None


def _tables(outcome: Backtest) -> list[Part]:
    parts = [kinds(outcome.trials), loud(outcome.trials), visible(outcome.trials)]
    return [part for part in parts if part is not None]


def _head(outcome: Backtest, changes: tuple[str, ...]) -> list[str]:
    days = outcome.trials[0].days
    span = f", {days[0].day} to {days[-1].day}" if days else ""
    lines = [f"{outcome.records} records, {len(days)} days{span}"]
    for name, trial in zip(NAMES, outcome.trials, strict=False):
        what = "settings as they are" if name == NAMES[0] else terminal(", ".join(changes))
        statuses = Counter(receipt.status for receipt in trial.days)
        verdicts = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items())) or "no day"
        lines.append(f"{name}: {what} - days: {verdicts}")
    if len(days) < _FEW_DAYS:
        lines.append("So few days say little about alerts a week: give two weeks or more.")
    return lines


def _show(head: list[str], parts: list[Part]) -> None:
    """Tables where a person looks, columns parted by tabs elsewhere."""
    console = Console(emoji=False, markup=False, highlight=False)
    click.echo("\n".join(head))
    for part in parts:
        click.echo(f"\n{part.title}")
        if part.rows and console.is_terminal:
            console.print(_table(part), markup=False)
        else:
            for row in (part.columns, *part.rows) if part.rows else ():
                click.echo("\t".join(row))
        if part.after:
            click.echo(part.after)


def _table(part: Part) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in part.columns:
        if column in {"message", *NAMES}:
            table.add_column(column, overflow="fold", ratio=1, min_width=20)
        else:
            table.add_column(column, overflow="fold", no_wrap=column in {"kind", "metric"})
    for row in part.rows:
        table.add_row(*row)
    return table
