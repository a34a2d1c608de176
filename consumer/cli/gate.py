"""`sluice gate`: see the verdicts of the days; let a quarantined day through, on record."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from consumer.cli.config_option import config_option, settings_of
from consumer.cli.exits import NotPossibleError
from consumer.cli.on_record import on_record
from consumer.core.facts import Command
from consumer.runtime.client_log import silent
from consumer.runtime.clock import SystemClock
from consumer.runtime.kafka.commands import CommandError, send
from consumer.runtime.kafka.delivered_topics import TailError, Topics
from consumer.runtime.kafka.read_all import read_all
from reports.deliver import Deliverer
from reports.render.escape import terminal

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.core.days import Receipt
    from consumer.settings import Settings

WAIT_SECONDS = 20.0
LOOK_SECONDS = 1.0


@click.group("gate")
def command() -> None:
    """See the verdicts of the days, and let a quarantined day through."""


@command.command()
@click.option("--last", default=14, show_default=True, type=click.IntRange(1), help="How many days to show.")
@config_option
def status(last: int, config: Path | None) -> None:
    """Show the newest days: what they may be used for, and why not."""
    receipts = sorted(_days(settings_of(config)).values(), key=lambda receipt: receipt.day)[-last:]
    table = Table("day", "status", "revision", "score", "why", box=None, pad_edge=False)
    for receipt in receipts:
        table.add_row(
            receipt.day, receipt.status, str(receipt.revision), receipt.score, terminal(_why(receipt))
        )
    Console(soft_wrap=True).print(table, markup=False)


@command.command()
@click.argument("day")
@on_record("Why the day may be used all the same; it goes on record.")
@config_option
def release(day: str, reason: str, by: str, config: Path | None) -> None:
    """Let a quarantined DAY (YYYY-MM-DD) through: its status becomes "released", with who and why in its history.

    \b
    Example:
      sluice gate release 2025-02-26 --reason "order 7 was billed twice, shop agrees"
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    settings = settings_of(config)
    receipt = _days(settings).get(day)
    if receipt is None:
        raise NotPossibleError(f"there is no day {day} in {settings.topics.days}: see `sluice gate status`")
    if receipt.status != "quarantined":
        raise NotPossibleError(f"{day} is {receipt.status}: only a quarantined day can be released")
    wish = Command("release", day, by, reason, SystemClock().now_ms())
    try:
        send(settings.kafka, settings.topics.facts, wish, silent())
    except CommandError as error:
        raise NotPossibleError(str(error)) from None
    _wait_for_release(settings, day)


def _wait_for_release(settings: Settings, day: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        receipt = _days(settings).get(day)
        if receipt is not None and receipt.status == "released":
            click.echo(f"{day} is released, revision {receipt.revision}.")
            return
        time.sleep(LOOK_SECONDS)
    raise NotPossibleError(
        f"the command is in {settings.topics.facts}, but {day} is not released yet: it will be as soon as a "
        "`sluice run` with the role watch reads it"
    )


def _why(receipt: Receipt) -> str:
    if receipt.status == "released":
        last = receipt.history[-1]
        return f"released by {last.by}: {last.reason}"
    against = [check for check in receipt.checks if check.result in ("at_risk", "quarantined")]
    return "; ".join(f"{check.rule} ({check.reason})" for check in against)


def _days(settings: Settings) -> dict[str, Receipt]:
    deliverer = Deliverer()
    topics = Topics(settings.topics.days, settings.topics.alerts)
    try:
        read_all(settings.kafka, topics, deliverer, SystemClock(), silent())
    except TailError as error:
        raise NotPossibleError(str(error)) from None
    return {receipt.day: receipt for receipt in deliverer.receipts}
