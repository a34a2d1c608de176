"""What the commands about dead letters share: the filters, and the way to the topic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from consumer.cli import alert_words
from consumer.cli.exits import NotPossibleError
from consumer.cli.which_day import is_date
from consumer.core.dead_letter_list import Reading, Wanted, paths
from consumer.core.json_path import PathError
from consumer.core.rejection import Reason
from consumer.runtime.client_log import silent
from consumer.runtime.clock import SystemClock
from consumer.runtime.kafka.dead_letters import DeadLetters
from consumer.runtime.kafka.delivered_topics import TailError
from consumer.runtime.options import zone_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.core.contract import Contract
    from consumer.settings import Settings


_DATE = re.compile(r"\d{4}-", re.ASCII)


def _time(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """RFC 3339, or a length that counts back from now."""
    if value is None or _DATE.match(value):
        return alert_words.moment(context, parameter, value)
    try:
        length = alert_words.length(context, parameter, value)
    except click.BadParameter:
        raise click.BadParameter(
            f"{value!r} is no time: write RFC 3339, such as 2025-02-24T09:00:00Z, or how long ago: 30m, 2h or 3d"
        ) from None
    return None if length is None else SystemClock().now_ms() - length


def _fields(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> frozenset[str]:
    try:
        return paths(value)
    except PathError as error:
        raise click.BadParameter(str(error)) from None


def _days(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> frozenset[str]:
    for day in value:
        if not is_date(day):
            raise click.BadParameter(f"{day!r} is no day: write YYYY-MM-DD")
    return frozenset(value)


_FILTERS = (
    click.option(
        "--reason",
        "reasons",
        multiple=True,
        type=click.Choice([reason.value for reason in Reason]),
        metavar="REASON",
        help="Only those rejected for this reason (may be given several times).",
    ),
    click.option(
        "--field",
        "fields",
        multiple=True,
        callback=_fields,
        metavar="PATH",
        help="Only those with this offending field, such as event_data.revenue (also several times).",
    ),
    click.option(
        "--event",
        "events",
        multiple=True,
        metavar="NAME",
        help="Only events of this name (also several times).",
    ),
    click.option(
        "--day",
        "days",
        multiple=True,
        callback=_days,
        metavar="DAY",
        help="Only those that this day counts as rejected, such as 2025-02-24 (also several times).",
    ),
    click.option(
        "--since",
        "since_ms",
        callback=_time,
        metavar="TIME",
        help="Rejected since: RFC 3339, or 24h for a day ago.",
    ),
    click.option("--until", "until_ms", callback=_time, metavar="TIME", help="Rejected before."),
)


def filters(function: Callable[..., None]) -> Callable[..., None]:
    """The options that choose dead letters; `wanted_of` makes a `Wanted` of them."""
    for option in reversed(_FILTERS):
        function = option(function)
    return function


def wanted_of(options: dict[str, Any]) -> Wanted:
    """What the options ask for."""
    return Wanted(
        frozenset(options["reasons"]),
        options["fields"],
        frozenset(options["events"]),
        options["days"],
        options["since_ms"],
        options["until_ms"],
    )


def reading_of(settings: Settings, contract: Contract) -> Reading:
    """How dead letters are read with these settings."""
    return Reading(contract, zone_of(settings))


def dead_letters_of(settings: Settings) -> DeadLetters:
    """The topic as of now. Raises NotPossibleError."""
    try:
        return DeadLetters(settings, SystemClock(), silent())
    except TailError as error:
        raise NotPossibleError(str(error)) from None
