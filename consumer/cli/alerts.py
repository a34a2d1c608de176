"""`sluice alerts`: see what is open; say that it is known, that it may be quiet, or that it is normal now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from consumer.cli import alert_words
from consumer.cli.alert_list import show
from consumer.cli.config_option import config_option, settings_of
from consumer.cli.delivered import read_delivered
from consumer.cli.exits import NotPossibleError
from consumer.cli.on_record import on_record
from consumer.core import timestamps
from consumer.core.facts import Command
from consumer.runtime.client_log import silent
from consumer.runtime.clock import SystemClock
from consumer.runtime.kafka.commands import CommandError, send
from detectors.alerts import LIVE, Alert, Severity
from detectors.purchases import COLLISION
from reports.render import alerts_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from consumer.core.days import Receipt
    from consumer.settings import Settings

WAIT_SECONDS = 20.0
LOOK_SECONDS = 1.0

_MOST_NAMED = 5

_WORDS = {"acknowledge": "acknowledged", "silence": "silenced", "accept": "resolved"}
"""How each action stands in an alert's history."""


@click.group("alerts")
def command() -> None:
    """See what is open; say that it is known, may be quiet, or is normal now.

    \b
    Examples:
      sluice alerts list
      sluice alerts ack 3f9c --reason "the shop's release, being fixed"
      sluice alerts silence 3f9c --for 2h --reason "maintenance tonight"
      sluice alerts accept 3f9c --from 2025-02-24 --reason "new campaign"

    An ID may be cut as long as it is unique. Whatever is said goes on record in the alert's history, with who and why.
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped


def _order(function: Callable[..., None]) -> Callable[..., None]:
    """The argument and the options that every order has."""
    for option in (
        config_option,
        on_record("Why; it goes on record."),
        click.argument("alert_id", metavar="ID"),
    ):
        function = option(function)
    return function


@command.command("list")
@click.option(
    "--all", "everything", is_flag=True, help="Also what is held back by a cause, and what is over."
)
@click.option("--json", "as_json", is_flag=True, help="As in alerts.json, with every field.")
@config_option
def list_alerts(everything: bool, as_json: bool, config: Path | None) -> None:  # noqa: FBT001 - click's flags
    """Show the alerts that are open, acknowledged or silenced, the loudest first.

    Symptoms of a known cause are held back: they stand as "explains" in the row of their cause. A terminal gets some
    lines each, a pipe gets columns parted by tabs with whole ids.

    \b
    Examples:
      sluice alerts list
      sluice alerts list --all --json | jq '.alerts[].message'
    """  # noqa: D301 - as above
    seen = read_delivered(settings_of(config))
    shown = [alert for alert in seen.alerts if everything or _is_open(alert)]
    if as_json:
        told = alerts_json.render(shown, alerts_json.generated_at(seen.receipts, seen.alerts))
        click.echo(told.decode(), nl=False)
    else:
        show(shown, {alert.id: alert for alert in seen.alerts})


@command.command()
@_order
def ack(alert_id: str, reason: str, by: str, config: Path | None) -> None:
    """Say that somebody looks after an alert: it stays open, but needs nobody else.

    \b
    Example:
      sluice alerts ack 3f9c --reason "checkout team is on it"
    """  # noqa: D301 - as above
    _give(settings_of(config), "acknowledge", alert_id, reason, by, {})


@command.command()
@click.option(
    "--until",
    "until_ms",
    callback=alert_words.moment,
    metavar="TIME",
    help="Until this time: RFC 3339, 2025-02-24T09:00:00Z.",
)
@click.option(
    "--for",
    "for_ms",
    callback=alert_words.length,
    metavar="LENGTH",
    help="For so long from now on: 30m, 2h or 3d.",
)
@_order
def silence(
    alert_id: str, reason: str, by: str, config: Path | None, until_ms: int | None, for_ms: int | None
) -> None:
    """Keep an alert quiet until a time; it is open again when the time of the events passes that.

    \b
    Example:
      sluice alerts silence 3f9c --for 2h --reason "maintenance until ten"
    """  # noqa: D301 - as above
    if (until_ms is None) == (for_ms is None):
        raise click.UsageError("say how long: either --until or --for")
    length = {"until_ms": until_ms} if for_ms is None else {"for_ms": for_ms}
    _give(settings_of(config), "silence", alert_id, reason, by, length)


@command.command()
@click.option(
    "--from",
    "day",
    callback=alert_words.day,
    metavar="DAY",
    help="The first day of the new level (YYYY-MM-DD); else the alert's.",
)
@_order
def accept(alert_id: str, reason: str, by: str, config: Path | None, day: str | None) -> None:
    """Say that the new level is normal from a day on: the alert is over, and older days are no measure any more.

    \b
    Example:
      sluice alerts accept 3f9c --from 2025-02-24 --reason "twice the budget since Monday"
    """  # noqa: D301 - as above
    _give(settings_of(config), "accept", alert_id, reason, by, {} if day is None else {"from": day})


def _give(
    settings: Settings, action: str, prefix: str, reason: str, by: str, arguments: dict[str, Any]
) -> None:
    """Sends the order and waits until the watch has obeyed it. Raises NotPossibleError."""
    delivered = read_delivered(settings)
    alert = _named(delivered.alerts, prefix, settings.topics.alerts)
    _check(alert, action)
    _check_time(arguments.get("until_ms"), delivered.receipts)
    wish = Command(action, alert.id, by, reason, SystemClock().now_ms(), arguments)
    try:
        send(settings.kafka, settings.topics.facts, wish, silent())
    except CommandError as error:
        raise NotPossibleError(str(error)) from None
    _wait(settings, alert, action)


def _check(alert: Alert, action: str) -> None:
    """Raises NotPossibleError where the watch would not obey."""
    if alert.state not in LIVE:
        raise NotPossibleError(f"{alert.id} is {alert.state}: nothing can be said of an alert that is over")
    if action == "accept" and (alert.kind == COLLISION or alert.severity == Severity.P2_NOTE):
        raise NotPossibleError(f"{alert.id} is no new level that could be normal: acknowledge or silence it")


def _check_time(until_ms: int | None, receipts: Iterable[Receipt]) -> None:
    """Raises NotPossibleError for a silence that the time of the events has passed already."""
    reached = max((receipt.watermark for receipt in receipts if receipt.watermark), default=None)
    now_ms = None if reached is None else timestamps.parse(reached)
    if until_ms is not None and now_ms is not None and until_ms <= now_ms:
        raise NotPossibleError(f"the events are at {reached} already: name a time after that with --until")


def _wait(settings: Settings, before: Alert, action: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        now = next((alert for alert in read_delivered(settings).alerts if alert.id == before.id), before)
        if _obeyed(before, now, action):
            click.echo(f"{before.id} ({before.kind}) is {now.state}{_held(now)}.")
            return
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_SECONDS)
    raise NotPossibleError(
        f"the command is in {settings.topics.facts}, but {before.id} is not {_WORDS[action]} yet: it will be as soon "
        "as a `sluice run` with the role watch reads it"
    )


def _obeyed(before: Alert, now: Alert, action: str) -> bool:
    """Whether the alert's history has the order since."""
    old, new = _history(before), _history(now)
    return new != old and any(entry.get("state") == _WORDS[action] for entry in new[-3:])


def _history(alert: Alert) -> list[dict[str, Any]]:
    history = (alert.evidence or {}).get("history")
    return [entry for entry in history if isinstance(entry, dict)] if isinstance(history, list) else []


def _held(alert: Alert) -> str:
    return (
        " by its cause; what you said counts once it stands by itself" if alert.state == "inhibited" else ""
    )


def _named(alerts: Iterable[Alert], prefix: str, topic: str) -> Alert:
    """The alert whose id begins so. Raises NotPossibleError where there is none, or more than one."""
    found = {alert.id: alert for alert in alerts if prefix and alert.id.startswith(prefix)}
    if prefix in found:
        return found[prefix]
    if not found:
        raise NotPossibleError(
            f"there is no alert {prefix[:40]!r} in {topic}: see `sluice alerts list --all`"
        )
    if len(found) > 1:
        ids = sorted(found)
        named = ", ".join(ids[:_MOST_NAMED]) + (", …" if len(ids) > _MOST_NAMED else "")
        raise NotPossibleError(f"{len(ids)} alerts begin with {prefix}: write more of the id ({named})")
    return next(iter(found.values()))


def _is_open(alert: Alert) -> bool:
    return alert.state in LIVE and alert.state != "inhibited"
