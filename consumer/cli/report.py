"""`sluice report`: any past day, or a digest of a week or another range, for people."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from consumer.cli.config_option import config_option, settings_of
from consumer.cli.delivered import read_delivered
from consumer.cli.exits import NotPossibleError
from consumer.cli.which_day import LATEST, YESTERDAY, chosen, day_or_word, is_date
from consumer.runtime import dead_letter_file
from consumer.runtime.delivered_folder import FolderError, read_folder
from reports.render import digest_md, report_html, report_md
from reports.render.digest import MOST_DAYS
from reports.render.summary import newest_day
from reports.sinks import directory
from reports.sinks.directory import SinkError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.deliver import Deliverer

WEEK_DAYS = 7


def _date(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None or is_date(value):
        return value
    raise click.BadParameter(f"{value!r} is no day: write YYYY-MM-DD")


@click.command("report")
@click.option(
    "--date",
    "day",
    callback=day_or_word,
    metavar="D",
    help=f"YYYY-MM-DD, {YESTERDAY} or {LATEST}; {LATEST} if nothing is said, and the newest open day while none is closed.",
)
@click.option("--week", is_flag=True, help="A digest of the seven days up to that day.")
@click.option("--since", callback=_date, metavar="DAY", help="A digest from this day on, up to that day.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Read what `sluice backfill` wrote there instead of Kafka.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write Markdown and HTML there, made if missing; else the Markdown is printed.",
)
@config_option
def command(
    day: str | None,
    week: bool,  # noqa: FBT001 - click's flag
    since: str | None,
    folder: Path | None,
    out: Path | None,
    config: Path | None,
) -> None:
    """Show the report of a day, or a digest of several: what fired, what of it was true, how noisy the rules were.

    Days and alerts come from Kafka, as known now, or from a folder that `sluice backfill` wrote. The report of the newest
    closed day says what report.md says; one of an earlier day what is known now of that day and of those before, and
    how many alerts about later days are open. "latest" is the newest day that is closed, "yesterday" the day before the
    newest one known. What counts as true is what people said with `sluice alerts ack`, `accept` and `silence`.

    \b
    Examples:
      sluice report
      sluice report --date 2025-02-26 --out friday
      sluice report --week --out week
      sluice report --since 2025-02-01 --date 2025-02-28 --folder out
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    if week and since is not None:
        raise click.UsageError("say either --week or --since")
    settings = settings_of(config)
    deliverer = read_delivered(settings) if folder is None else _read(folder)
    last = _last(day, deliverer, folder)
    first = _week_before(last) if week else since
    if first is None:
        made = deliverer.files(last)
        files = {name: made[name] for name in (report_md.NAME, report_html.NAME)}
    else:
        _check(first, last)
        files = deliverer.digest(first, last)
    _tell(files, out)
    if deliverer.unusable:
        click.echo(f"Left out: {deliverer.unusable} records that are no receipts or alerts.", err=True)


def _last(day: str | None, deliverer: Deliverer, folder: Path | None) -> str:
    """The day that is asked for, or the one that the daily report chooses. Raises NotPossibleError."""
    if folder is not None and not deliverer.receipts:
        letters = folder / dead_letter_file.NAME
        look = f", see `sluice dlq list --file {letters}`" if letters.exists() else ""
        raise NotPossibleError(f"{folder} has no day: no event could be used{look}")
    newest = newest_day(list(deliverer.receipts))
    return newest.day if day is None and newest is not None else chosen(day or LATEST, deliverer.receipts).day


def _read(folder: Path) -> Deliverer:
    try:
        return read_folder(folder)
    except FolderError as error:
        raise NotPossibleError(str(error)) from None


def _week_before(last: str) -> str:
    try:
        return (date.fromisoformat(last) - timedelta(days=WEEK_DAYS - 1)).isoformat()
    except OverflowError:
        return last


def _check(first: str, last: str) -> None:
    """Raises UsageError where the range is none, or too long to be read."""
    days = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
    if days < 1:
        raise click.UsageError(f"--since {first} is after {last}")
    if days > MOST_DAYS:
        raise click.UsageError(f"{first} to {last} are {days} days: a digest has at most {MOST_DAYS}")


def _tell(files: Mapping[str, bytes], out: Path | None) -> None:
    if out is None:
        told = files.get(report_md.NAME) or files[digest_md.NAME]
        click.echo(told.decode(), nl=False)
        return
    try:
        directory.write(out, files)
    except SinkError as error:
        raise NotPossibleError(str(error)) from None
    click.echo(f"Files in {out}: {', '.join(files)}")
