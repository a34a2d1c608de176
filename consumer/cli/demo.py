"""`sluice demo`: everything, with nothing installed."""

from __future__ import annotations

import signal
import sys
from importlib.metadata import version
from pathlib import Path

import click

from consumer.cli.exits import NotPossibleError
from consumer.local.broker_error import BrokerError
from consumer.local.demo import DemoOptions, demo
from consumer.local.demo_error import DemoError
from consumer.local.demo_screen import LiveScreen, PlainScreen, Screen
from consumer.runtime.clock import SystemClock
from consumer.runtime.kafka.sender import SendError
from consumer.settings import SettingsError

DAEMON = (sys.executable, "-m", "consumer.cli", "run")
"""What starts a consumer process: this very program."""


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("sluice-demo"),
    show_default=True,
    metavar="DIR",
    help="Folder for the daily files; made if it is missing. Everything else is gone at the end.",
)
@click.option(
    "--seed",
    type=int,
    default=7,
    show_default=True,
    help="Another seed is another shop, with other incidents.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 60),
    default=10,
    show_default=True,
    help="Days that the shop has been open.",
)
@click.option(
    "--keep", is_flag=True, help="Stay up afterwards, with live traffic and /metrics, until Ctrl-C."
)
@click.option("--plain", is_flag=True, help="Plain lines even on a terminal.")
def command(out: Path, seed: int, days: int, keep: bool, plain: bool) -> None:  # noqa: FBT001 - click's flags
    """See it all, with nothing installed: Apache Kafka, a shop, consumer processes, kill -9, and the daily files.

    A seeded shop sends some days of events, invalid and colliding purchases among them. Two processes of `sluice run`
    share them; one is killed with kill -9 on the way and started again. At the end every number is compared with what
    it has to be. Settings of yours (sluice.toml, SLUICE_* variables) are left out of it.

    The first start downloads Apache Kafka (45 MB). Afterwards it takes about half a minute.

    \b
    Exit codes: 0 every number is right, 3 one is not, or the demo did not get to its end, 64 wrong usage.
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    clock = SystemClock()
    screen: Screen = (
        PlainScreen(sys.stdout, clock) if plain or not sys.stdout.isatty() else LiveScreen(sys.stdout, clock)
    )
    options = DemoOptions(out, DAEMON, version("sluice"), seed, days, keep)
    try:
        demo(options, screen, clock, click.echo)
    except KeyboardInterrupt:
        raise NotPossibleError(
            "interrupted: the demo did not get to its end; nothing of it is running"
        ) from None
    except (BrokerError, DemoError, SendError, SettingsError) as error:
        raise NotPossibleError(str(error)) from None
    except BrokenPipeError:  # whoever read the lines has gone: for click to end quietly
        raise
    except OSError as error:
        raise NotPossibleError(f"{error.filename or out}: {error.strerror or error}") from None
