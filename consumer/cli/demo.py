"""`sluice demo`: everything, with nothing installed."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
from importlib.metadata import version
from pathlib import Path

import click

from consumer.cli.exits import NotPossibleError
from consumer.local.broker_error import BrokerError
from consumer.local.browser import open_page
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
    help="Folder for the daily files and the events; made if it is missing. Everything else is gone at the end.",
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
    default=14,
    show_default=True,
    help="Days that the shop has been open; the more of them, up to 14, the more goes wrong.",
)
@click.option(
    "--keep", is_flag=True, help="Stay up afterwards, with live traffic and /metrics, until Ctrl-C."
)
@click.option("--no-open", is_flag=True, help="Do not open the report in a browser at the end.")
@click.option("--plain", is_flag=True, help="Plain lines even on a terminal.")
def command(
    out: Path,
    seed: int,
    days: int,
    keep: bool,  # noqa: FBT001 - click's flags
    no_open: bool,  # noqa: FBT001
    plain: bool,  # noqa: FBT001
) -> None:
    """See it all, with nothing installed: Apache Kafka, a shop, consumer processes, kill -9, and the daily files.

    A seeded shop sends two weeks of events, in which a checkout breaks, tracking falls silent, a field is renamed and
    orders collide. Two processes of `sluice run` share them; one is killed with kill -9 on the way and started again. At
    the end every number is compared with what it has to be. Settings of yours (sluice.toml, SLUICE_* variables) are left
    out of it.

    The first start downloads Apache Kafka (45 MB). Afterwards it takes about half a minute. On a terminal the report
    opens in a browser if this machine has one.

    \b
    Exit codes: 0 every number is right, 3 one is not, or the demo did not get to its end, 64 wrong usage.
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    clock = SystemClock()
    looking = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    screen: Screen = (
        LiveScreen(sys.stdout, clock) if looking and not plain else PlainScreen(sys.stdout, clock)
    )
    options = DemoOptions(
        out,
        DAEMON,
        as_typed(Path(sys.argv[0])),
        version("sluice"),
        lambda page: looking and not no_open and open_page(page, os.environ),
        seed,
        days,
        keep,
    )
    try:
        demo(options, screen, clock)
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


def as_typed(program: Path) -> str:
    """The command `sluice` as a shell in this folder finds it: by its name, or by the shortest path to it."""
    script = program if program.name == "sluice" else Path(sys.executable).with_name("sluice")
    found = shutil.which("sluice")
    if found is not None and Path(found).absolute() == script.absolute():
        return "sluice"
    here = Path.cwd()
    path = script.absolute()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
