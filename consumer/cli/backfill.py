"""`sluice backfill`: the numbers of files, without Kafka."""

from __future__ import annotations

from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import click

from consumer.cli.collector import collect_rarely
from consumer.cli.config_option import config_option, contract_of, settings_of
from consumer.cli.exits import NotPossibleError
from consumer.core.money import two_decimals
from consumer.runtime.backfill import Outcome, backfill
from consumer.runtime.clock import SystemClock
from consumer.runtime.files import FileError
from consumer.runtime.progress import progress
from reports.render.words import many
from reports.sinks.directory import SinkError


@click.command("backfill")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for daily_metrics.csv, alerts.json, report.md, report.html, days.ndjson and dead_letters.ndjson; made if it is missing.",
)
@config_option
def command(files: tuple[Path, ...], out: Path, config: Path | None) -> None:
    """Make the daily files from CSV or NDJSON files (.gz too), with the same rules as the daemon.

    Name the files in the order of their events. Bad lines become dead letters with their reason; none stops the run.

    \b
    Example:
      sluice backfill events_20250223.csv events_20250224.csv --out reports
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    collect_rarely()
    settings = settings_of(config)
    contract = contract_of(settings)
    try:
        total = sum(path.stat().st_size for path in files if path.is_file())
        with progress("Reading", total) as advance:
            outcome = backfill(
                files, out, settings, contract, version("sluice"), SystemClock().now_ms(), advance
            )
    except (FileError, SinkError) as error:
        raise NotPossibleError(str(error)) from None
    except OSError as error:
        raise NotPossibleError(f"{error.filename or out}: {error.strerror or error}") from None
    _tell(outcome, out)


def _money(amount: str | None) -> str:
    return "" if amount is None else two_decimals(Decimal(amount))


def _tell(outcome: Outcome, out: Path) -> None:
    rejected = sum(outcome.rejected.values())
    days = sorted(outcome.deliverer.receipts, key=lambda receipt: receipt.day)
    counts = (
        many(outcome.records, "record", "records"),
        many(rejected, "dead letter", "dead letters"),
        many(len(days), "day", "days"),
    )
    click.echo(f"{', '.join(counts)}{':' if days else ''}")
    for receipt in days:
        metrics = receipt.metrics
        click.echo(
            f"  {receipt.day}  {receipt.status:<11}  {metrics.sessions or 0:>7} sessions"
            f"  {metrics.purchases or 0:>5} purchases  {_money(metrics.revenue):>14} revenue"
        )
    click.echo(
        f"Files in {out}: daily_metrics.csv, alerts.json, report.md, report.html, days.ndjson, dead_letters.ndjson"
    )
    if outcome.cut_short:
        raise NotPossibleError(
            f"{', '.join(outcome.cut_short)} is cut short: what came before the cut was used, the rest is missing; "
            "get the whole file and run again"
        )
