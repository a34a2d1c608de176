"""`sluice`: the command line. Commands are loaded when they are used, so that `--help` is quick."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version

import click

from consumer.cli.exits import ExitCode

COMMANDS = (
    "run",
    "demo",
    "broker",
    "backfill",
    "backtest",
    "produce",
    "traffic",
    "rollup",
    "report",
    "gate",
    "alerts",
    "dlq",
    "notify",
    "check",
)


class Commands(click.Group):
    """The commands by name, each in a module of its own with a click command called `command`."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """In the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """The command, loaded now."""
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"consumer.cli.{name}").command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("sluice"), prog_name="sluice")
def sluice() -> None:
    """Gate a site's raw marketing events on Kafka, and watch the business numbers made from them.

    Bad events go to a dead-letter topic with their reason; sessions, purchases, revenue, conversion and direct share
    are kept by day, exactly once; each day gets a verdict that loaders can wait for.

    \b
    First steps:
      sluice demo                       see it all, with nothing installed
      sluice backfill events.csv --out reports    the numbers of files, no Kafka
      sluice run                        the daemon, on your Kafka (see sluice.example.toml)
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped


def main() -> None:
    """The entry point: wrong usage ends with 64 (EX_USAGE), as in `consumer/cli/exits.py`."""
    click.UsageError.exit_code = ExitCode.USAGE
    sluice.main(prog_name="sluice")
