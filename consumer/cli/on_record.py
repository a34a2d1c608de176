"""What goes on record with everything that an operator orders: why, and who says so."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., Any]

_MOST_REASON = 1000
_MOST_NAME = 100


def _stated(most: int) -> Callable[[click.Context, click.Parameter, str], str]:
    """A callback: the text, trimmed and cut. A blank one is wrong usage: a record that says nothing is none."""

    def state(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
        if not value.strip():
            raise click.BadParameter("it is blank, and goes on record: write a few words")
        return value.strip()[:most]

    return state


def user() -> str:
    """The user's name, or number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"user {os.getuid()}"


def on_record(reason: str) -> Callable[[Command], Command]:
    """Adds `--reason`, whose help is `reason`, and `--by` to a command."""

    def add(function: Command) -> Command:
        function = click.option(
            "--by",
            default=user,
            show_default="your user name",
            callback=_stated(_MOST_NAME),
            help="Who says so.",
        )(function)
        return click.option("--reason", required=True, callback=_stated(_MOST_REASON), help=reason)(function)

    return add
