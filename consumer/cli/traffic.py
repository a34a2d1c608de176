"""`sluice traffic`: a shop that goes on, to try things out with."""

from __future__ import annotations

import secrets
import signal
from typing import TYPE_CHECKING

import click

from consumer.cli.config_option import config_option, settings_of
from consumer.cli.exits import NotPossibleError
from consumer.local.traffic import Traffic, TrafficOptions
from consumer.runtime.clock import SystemClock
from consumer.runtime.kafka.sender import Sender, SendError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consumer.settings import Settings

_DEFAULTS = TrafficOptions()

END_SECONDS = 10.0
"""At the end, for what no broker has taken yet."""


@click.command("traffic")
@click.option(
    "--days",
    type=click.IntRange(0, 60),
    default=_DEFAULTS.days,
    show_default=True,
    help="Whole days that the shop has been open at least; it opens on a Monday.",
)
@click.option(
    "--sessions-per-day",
    type=click.FloatRange(min=10, max=10_000_000),
    default=_DEFAULTS.sessions_per_day,
    show_default=True,
    help="Visits a day in the mean, with some three events each; one in sixty buys.",
)
@click.option(
    "--seed", type=int, default=_DEFAULTS.seed, show_default=True, help="Another seed is another shop."
)
@click.option(
    "--partitions",
    type=click.IntRange(1, 10_000),
    default=4,
    show_default=True,
    help="Partitions of the input topic if it is missing and so is created.",
)
@config_option
def command(days: int, sessions_per_day: float, seed: int, partitions: int, config: Path | None) -> None:
    """Send simulated traffic to the input topic, as it happens, until Ctrl-C. Not for a topic that is used in earnest.

    A seeded shop: its past days first, all at once, if the topic is missing and so is created; then every event when
    its time has come. Days are UTC. Colliding orders three days ago and yesterday, garbage and worthless orders today
    give the gate something to do. A broker that is lost is waited for, as long as it takes.

    \b
    Example:
      sluice traffic --sessions-per-day 50000

    \b
    Exit codes: 0 ended by Ctrl-C or SIGTERM, 3 something was not sent, 64 wrong usage.
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = settings_of(config)
    options = TrafficOptions(seed, days, sessions_per_day, sessions_per_day / 60)
    try:
        run(settings, options, partitions, click.echo)
    except SendError as error:
        raise NotPossibleError(str(error)) from None
    except KeyboardInterrupt:
        click.echo("Ended.")


def run(settings: Settings, options: TrafficOptions, partitions: int, say: Callable[[str], object]) -> None:
    """Sends until it is interrupted. Raises SendError."""
    topic, copies = settings.topics.input, settings.topics.replication_factor
    traffic = Traffic(options, SystemClock())
    # Whoever follows the topic must not see days that are sent in seconds as clocks that run ahead.
    history = Sender(settings.kafka, topic, partitions, copies, together=f"traffic-{secrets.token_hex(4)}")
    for event in traffic.past():
        if history.created:
            history.send(event.value(), event.key())
    history.finish()
    if history.created:
        say(
            f"Created the topic {topic} and sent {history.delivered.total():,} events of the days before now."
        )
    sender = Sender(settings.kafka, topic, partitions, copies, waits=say)
    say(f"The shop goes on: its events go to the topic {topic}. Ctrl-C ends it.")
    try:
        for event in traffic.live(sender.serve):
            sender.send(event.value(), event.key())
    finally:
        sender.finish(END_SECONDS)
