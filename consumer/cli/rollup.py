"""`sluice rollup`: the files of one day, for cron and Airflow; the exit code says whether to use its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from consumer.cli.config_option import config_option, settings_of
from consumer.cli.delivered import read_delivered
from consumer.cli.exits import ExitCode, NotPossibleError
from consumer.cli.which_day import LATEST, YESTERDAY, chosen, day_or_word
from detectors.alerts import LIVE, Alert, Severity
from reports.render import story
from reports.render.summary import concerns, summarise
from reports.sinks import directory
from reports.sinks.directory import SinkError

if TYPE_CHECKING:
    from collections.abc import Collection

    from consumer.core.days import Receipt


@click.command("rollup")
@click.option(
    "--date",
    "day",
    callback=day_or_word,
    required=True,
    metavar="D",
    help=f"YYYY-MM-DD, {YESTERDAY} or {LATEST}.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder for the files, made if missing.",
)
@config_option
def command(day: str, out: Path, config: Path | None) -> None:
    """Write daily_metrics.csv, alerts.json, report.md and report.html for a day, from what the daemon keeps in Kafka.

    The rows go up to the day, the report is about it, and the alerts are those of it and of earlier days, as known
    now; what is printed tells also of open alerts about later days, which change no exit code. Needs no running daemon, joins no group, and can be repeated: the same state gives the same files.

    "latest" is the newest day that is closed. "yesterday" is the day before the newest one known: event time
    decides, not the clock of this machine.

    \b
    Exit codes:
      0   fine
      1   a P1 alert is open that is about the day or an earlier one, or began by its end
      2   a P0 alert is open, or the day is quarantined: do not use its numbers
      3   not possible: no broker, no such day, the folder cannot be written
      64  wrong usage
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    deliverer = read_delivered(settings_of(config))
    receipt = chosen(day, deliverer.receipts)
    try:
        directory.write(out, deliverer.files(receipt.day))
    except SinkError as error:
        raise NotPossibleError(str(error)) from None
    for line in lines(deliverer.receipts, deliverer.alerts, receipt):
        click.echo(line)
    if deliverer.unusable:
        click.echo(f"Left out: {deliverer.unusable} records that are no receipts or alerts.", err=True)
    click.get_current_context().exit(exit_code(receipt, deliverer.alerts))


def lines(receipts: Collection[Receipt], alerts: Collection[Alert], receipt: Receipt) -> list[str]:
    """What is printed of the day: the verdict, with what is wrong today so far, and how many alerts are open that the
    exit code leaves out, since they are only about later days."""
    told = [f"{receipt.day}: {story.headline(summarise(receipts, alerts, receipt.day))}"]
    later = [alert for alert in alerts if _is_loud(alert) and not concerns(alert, receipt.day, receipt.ends)]
    if not later:
        return told
    pages = sum(alert.severity == Severity.P0_BLOCKER for alert in later)
    aside = "" if not pages else " (P0)" if len(later) == 1 else f" ({pages:,} P0)"
    are = "alert about later days is" if len(later) == 1 else "alerts about later days are"
    return [*told, f"{len(later):,} {are} open{aside}."]


def _is_loud(alert: Alert) -> bool:
    return alert.state in LIVE and alert.state != "inhibited" and alert.severity != Severity.P2_NOTE


def exit_code(receipt: Receipt, alerts: Collection[Alert]) -> ExitCode:
    """What the day and the open alerts of it, of earlier days, and of no day that had begun by its end come to. An
    alert that is held back under its cause does not count beside it; one that is acknowledged or silenced is still
    open."""
    severities = {
        alert.severity for alert in alerts if _is_loud(alert) and concerns(alert, receipt.day, receipt.ends)
    }
    verdict = receipt.verdict if receipt.status == "open" else receipt.status
    if Severity.P0_BLOCKER in severities or verdict == "quarantined":
        return ExitCode.OPEN_P0
    return ExitCode.OPEN_P1 if Severity.P1_HIGH in severities else ExitCode.FINE
