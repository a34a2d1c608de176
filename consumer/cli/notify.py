"""`sluice notify`: see whether alerts would reach those who should get them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import click

from consumer.cli.config_option import config_option, settings_of
from consumer.cli.exits import ExitCode, NotPossibleError
from consumer.runtime.clock import SystemClock
from consumer.runtime.notify.channels import ChannelError, channels_of
from consumer.runtime.notify.deadline import Deadline
from consumer.runtime.notify.heartbeat import TIMEOUT_SECONDS
from consumer.runtime.notify.web import Address, request
from reports.notify.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consumer.runtime.clock import Clock
    from consumer.runtime.notify.outcome import Outcome
    from consumer.settings import Settings

    Try = Callable[[], Outcome]

HEARTBEAT = "heartbeat"


@click.group("notify")
def command() -> None:
    """See whether alerts reach the receivers of the settings ([receivers.NAME])."""


@command.command("test")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@config_option
def test(names: tuple[str, ...], config: Path | None) -> None:
    """Send a test message to every receiver, or to those named, and say what happened.

    A message that a server refuses is tried once more in its simplest form, as the daemon does. PagerDuty gets an
    incident that is resolved at once, Alertmanager an alert that ends within a minute. The heartbeat beats once.

    \b
    Examples:
      sluice notify test
      sluice notify test team-chat on-call --config sluice.toml
    Exit codes: 0 every one was reached, 3 one was not, 64 wrong usage.
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    settings = settings_of(config)
    clock = SystemClock()
    tries = _tries(settings, clock)
    if not tries:
        raise NotPossibleError(
            "there is nobody to tell: add a receiver, such as [receivers.team-chat], see the README"
        )
    for name in names:
        if name not in tries:
            raise click.BadParameter(f"{name!r} is none of: {', '.join(tries)}", param_hint="NAME")
    chosen = {name: one for name, one in tries.items() if not names or name in names}
    with ThreadPoolExecutor(len(chosen)) as pool:
        results = list(pool.map(lambda one: _timed(one, clock), chosen.values()))
    width = max(map(len, chosen))
    for name, (outcome, seconds) in zip(chosen, results, strict=True):
        said = f"not reached: {outcome.said}" if outcome.failure else f"reached{_but(outcome)}"
        click.echo(f"{name:{width}}  {_sort(settings, name):12}  {said} ({seconds:.1f} s)")
    failed = any(outcome.failure for outcome, _ in results)
    click.get_current_context().exit(ExitCode.NOT_POSSIBLE if failed else ExitCode.FINE)


def _tries(settings: Settings, clock: Clock) -> dict[str, Try]:
    """What to do for each receiver, and for the heartbeat."""
    try:
        channels = channels_of(settings, clock)
    except ChannelError as error:
        raise NotPossibleError(str(error)) from None
    message = Message(f"test-{clock.now_ms()}", "test", settings.group, clock.now_ms())

    def tried(name: str) -> Outcome:
        outcome = channels[name].send(message, plain=False)
        return channels[name].send(message, plain=True) if outcome.is_about_the_message else outcome

    tries: dict[str, Try] = {name: (lambda name=name: tried(name)) for name in channels}  # type: ignore[misc]
    if settings.heartbeat.url:
        address = Address(settings.heartbeat.url, timeout_seconds=TIMEOUT_SECONDS)
        deadline = Deadline(HEARTBEAT, TIMEOUT_SECONDS)
        tries[HEARTBEAT] = lambda: deadline.run(lambda: request("GET", address, clock.now_ms()))
    return tries


def _timed(one: Try, clock: Clock) -> tuple[Outcome, float]:
    began = clock.monotonic()
    return one(), clock.monotonic() - began


def _sort(settings: Settings, name: str) -> str:
    return settings.receivers[name].type if name in settings.receivers else ""


def _but(outcome: Outcome) -> str:
    return f", but {outcome.said}" if outcome.said else ""
